"""Small data files for tests of the data package."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

from trainrun.config.keys.data import DataConfig
from trainrun.data import Dataset, load_data

NO_SPLIT = {"valid": 0, "test": 0}
_IDX_TYPES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def write(path: Path, content: str | bytes) -> Path:
    """Write a text (UTF-8) or bytes, packed where the name ends in .gz."""
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def table(path: Path, columns: dict[str, list[object]], delimiter: str = ",") -> Path:
    """A CSV of columns."""
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    return write(path, "".join(delimiter.join(str(cell) for cell in row) + "\n" for row in rows))


def idx(array: np.ndarray) -> bytes:
    """An array as the bytes of an IDX file."""
    code = _IDX_TYPES[array.dtype.str[1:]]
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def load(path: Path, seed: int = 0, **keys: object) -> Dataset:
    """Load a file by the keys of `data`."""
    return load_data(DataConfig(path=path, **keys), seed)


def whole(path: Path, **keys: object) -> Dataset:
    """Load a file with every row in the training part, in the file's order."""
    return load(path, split=NO_SPLIT, **keys)
