"""IDX, the format of MNIST: a header with type and shape, then big-endian numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO

import numpy as np

from trainrun.data.files import open_binary, reading
from trainrun.errors import DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_DEFLATE = 1032  # the highest compression of gzip: a larger shape in the header is wrong


def read_idx(path: Path, place: str) -> np.ndarray:
    """Read an IDX file, unpacked where it ends in `.gz`.

    Returns:
        The array in the file's shape and type, in the machine's byte order.

    Raises:
        DataError: it is no IDX file, or shorter or longer than its header says.
        DataMissingError: it is not there.
    """
    with reading(place, path), open_binary(path) as file:
        dtype, shape = _header(file, place)
        size = math.prod(shape) * dtype.itemsize
        if not size:
            raise DataError(f"{place}: holds no numbers: its shape is {shape}")
        factor = _DEFLATE if path.suffix == ".gz" else 1
        if size > path.stat().st_size * factor:
            raise DataError(
                f"{place}: is cut off: its header promises {size} bytes of numbers; fetch it again"
            )
        array = np.empty(shape, dtype)
        _fill(file, array, place)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(file: IO[bytes], place: str) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or not 1 <= start[3] <= 8:
        raise DataError(
            f"{place}: is no IDX file (these begin with 00 00, a type and a number of dimensions)"
        )
    lengths = file.read(4 * start[3])
    if len(lengths) < 4 * start[3]:
        raise DataError(f"{place}: is cut off within its header; fetch it again")
    return np.dtype(_TYPES[start[2]]), tuple(np.frombuffer(lengths, ">u4").tolist())


def _fill(file: IO[bytes], array: np.ndarray, place: str) -> None:
    view = array.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        count = file.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            raise DataError(
                f"{place}: is cut off after {done} of {len(view)} bytes of numbers; fetch it again"
            )
        done += count
    if file.read(1):
        raise DataError(f"{place}: is longer than its header says; fetch it again")
