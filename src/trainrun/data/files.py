"""Data files on disk: opening them, hashing them, and what to say when that fails."""

from __future__ import annotations

import difflib
import errno
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from trainrun.errors import DataError, DataMissingError, StorageError, printable, short


def quoted(text: object) -> str:
    """`text` from a user's file, in quotes, cut and escaped so that it is safe to print."""
    return f"'{short(str(text))}'"


def listed(names: Iterable[object], most: int = 8) -> str:
    """Names in quotes, and how many more there are beyond `most`."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(quoted(name) for name in every[:most]) + more


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """Return the name that is close to `name`, be it by its case alone; None where none is."""
    lower: dict[str, str] = {}
    for other in names:
        lower.setdefault(other.strip().lower(), other)
    close = difflib.get_close_matches(name.strip().lower(), lower, n=1)
    return lower[close[0]] if close else None


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'age'?` where one of `names` is close to `name`, else nothing."""
    close = nearest_name(name, names)
    return "" if close is None else f"; did you mean {quoted(close)}?"


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
    except FileNotFoundError:
        raise DataMissingError(f"{place}: there is no such file{_near_file(path)}") from None
    except IsADirectoryError:
        raise DataMissingError(f"{place}: is a folder; name a file in it") from None
    except PermissionError:
        raise DataMissingError(f"{place}: may not be read; change its permissions") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DataError(f"{place}: is not a whole gzip file; fetch or compress it again") from None
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # a place in the file that a damaged directory points to
            raise DataError(
                f"{place}: is damaged: {printable(str(error).strip())}; fetch or write it again"
            ) from None
        raise StorageError(f"{place}: cannot be read: {error.strerror or error}") from None


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
