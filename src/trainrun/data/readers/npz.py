"""NPZ: NumPy's archives of arrays, read without ever running what is in them."""

from __future__ import annotations

import lzma
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from trainrun.data.files import reading
from trainrun.data.readers.disguises import ARCHIVE, DAMAGED, refuse_other_kind
from trainrun.errors import DataError
from trainrun.text import listed, printable, quoted

_LARGE = 1 << 30  # bytes: an array above it that is packed more than _PACKED times is taken for a bomb
_PACKED = 200
# What zipfile and NumPy raise on damaged, encrypted and forged archives.
_UNREADABLE = (
    *(
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        struct.error,
        EOFError,
        RuntimeError,
        ValueError,
        SyntaxError,
        TypeError,
    ),
    OverflowError,
)


def read_npz(
    path: Path, place: str, target: str | None, *, required: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read the data and, if it exists, the target.

    Args:
        path: the archive.
        place: how messages begin.
        target: the target's array. The data is the other one, or `X` or `x` where there are several.
        required: whether the target must be there.

    Returns:
        The data [N, ...] and the target, None where the archive has none of that name.

    Raises:
        DataError: an array holds objects, lies about its size or is not there.
        DataMissingError: the file is not there.
    """
    with reading(place, path), _opened(path, place) as archive:
        names = _names(archive, path, place)
        if required and target not in names:
            raise DataError(f"data.target: {place} has no array {quoted(target)}; it has {listed(names)}")
        data = _data_name(names, place, target)
        arrays = {name: _array(archive, name, place) for name in (data, target) if name in names}
    return arrays[data], arrays.get(target or "")


def read_names(path: Path, place: str) -> tuple[str, ...]:
    """Return the names of an archive's arrays.

    Raises:
        DataError: it is no archive of arrays.
        DataMissingError: it is not there.
    """
    with reading(place, path), _opened(path, place) as archive:
        return tuple(_names(archive, path, place))


def _names(archive: zipfile.ZipFile, path: Path, place: str) -> list[str]:
    names = archive.namelist()
    if not all(name.endswith(".npy") for name in names):
        refuse_other_kind(path, place, ARCHIVE)
    return [name.removesuffix(".npy") for name in names]


def _opened(path: Path, place: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _UNREADABLE:
        refuse_other_kind(path, place, ARCHIVE, DAMAGED)
        raise DataError(f"{place}: is no whole NPZ file; write it with numpy.savez") from None


def _data_name(names: list[str], place: str, target: str | None) -> str:
    others = [name for name in names if name != target]
    if len(others) == 1:
        return others[0]
    for name in ("X", "x"):
        if name in others:
            return name
    if not others:
        raise DataError(f"{place}: has no array beside the target {quoted(target)}")
    raise DataError(f"{place}: has several arrays: {listed(names)}; name the data X")


def _array(archive: zipfile.ZipFile, name: str, place: str) -> np.ndarray:
    whose = f"{place}: array {quoted(name)}"
    inside = f"{name}.npy" if f"{name}.npy" in archive.namelist() else name
    info = archive.getinfo(inside)
    try:
        with archive.open(info) as file:
            _check(file, info, whose)
        with archive.open(info) as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except _UNREADABLE as error:
        raise DataError(f"{whose}: cannot be read: {printable(str(error))}") from None


def _check(file: IO[bytes], info: zipfile.ZipInfo, whose: str) -> None:
    """Compare what an array says of itself with the room it takes, before making that room."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise DataError(f"{whose}: holds Python objects, which are not read; save numbers or text")
    if dtype.kind not in "biufU":
        raise DataError(f"{whose}: is of type {dtype}, neither numbers nor text")
    if math.prod(shape) * dtype.itemsize != info.file_size - file.tell():
        raise DataError(f"{whose}: its shape {shape} does not fit its size; write it again")
    if info.file_size > _LARGE and info.file_size > _PACKED * info.compress_size:
        raise DataError(
            f"{whose}: would take {info.file_size >> 20} MB out of {info.compress_size >> 20} MB; "
            "if that is meant, save it with numpy.savez, unpacked"
        )
