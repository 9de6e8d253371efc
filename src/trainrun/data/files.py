"""Data files on disk: opening them, hashing them, and what to say when that fails."""

from __future__ import annotations

import errno
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from trainrun.errors import DataError, DataMissingError, StorageError
from trainrun.os_errors import why_unreadable
from trainrun.text import nearest, printable, quoted


def place_of(key: str, path: Path) -> str:
    """Return the start of messages about a file: its config key, if any, and its path."""
    return f"{key}: {printable(str(path))}" if key else printable(str(path))


@contextmanager
def reading(place: str, path: Path) -> Iterator[None]:
    """Turn errors of reading `path` into messages.

    Raises:
        DataMissingError: the file is not there, or is not a file that may be read, and read again.
        DataError: it is damaged.
        StorageError: the disk fails.
    """
    try:
        if path.is_fifo() or path.is_char_device():
            raise DataMissingError(f"{place}: is a pipe or a device; save what comes out of it as a file")
        yield
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        near = _near_file(path) if isinstance(error, FileNotFoundError) else ""
        raise DataMissingError(f"{place}: {why_unreadable(error)}{near}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DataError(f"{place}: is not a whole gzip file; fetch or compress it again") from None
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # an offset that a damaged directory of an archive names
            raise DataError(
                f"{place}: is damaged: {printable(str(error).strip())}; fetch or write it again"
            ) from None
        raise StorageError(f"{place}: {why_unreadable(error)}") from None


def _near_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (nor the folder {quoted(path.parent)})"
    return nearest(path.name, (entry.name for entry in path.parent.iterdir()))


def open_binary(path: Path) -> IO[bytes]:
    """Open `path` for its bytes, unpacked where it ends in `.gz`."""
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    return path.open("rb")


def sha256(place: str, path: Path) -> str:
    """SHA-256 of the file's bytes as they are on disk, in hex."""
    with reading(place, path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
