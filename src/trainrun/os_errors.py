"""Errors of the operating system, as sentences and exit codes for users."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainrun.errors import BROKEN_PIPE, ResourceError, StorageError, TrainrunError, UsageError
from trainrun.text import printable

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
# The last ones are of a folder on a network: the server forgot the file, or cannot be reached.
_AWAY = ("ESTALE", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENETUNREACH", "EREMOTEIO")
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, *(getattr(errno, name, errno.EIO) for name in _AWAY)}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def explained(
    path: Path | None, what: str = "be written", kind: type[TrainrunError] = StorageError
) -> Iterator[None]:
    """An error of the system inside becomes one for users: which file, what could not be done, and why.

    Args:
        path: the file; None: the one that the system names.
        what: could not be done.
        kind: of the error, unless the cause is a disk that is full or broken or that something ran out.

    Raises:
        TrainrunError: of that kind; ResourceError; StorageError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _EXHAUSTED:
            kind = ResourceError
        elif error.errno in _DISK:
            kind = StorageError
        place = path or Path(os.fsdecode(error.filename or "."))
        raise kind(f"{printable(str(place))}: cannot {what}: {error.strerror}") from error


def why_unreadable(error: OSError) -> str:
    """Return why a file that a user named cannot be read, and what to do."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "is a folder; name a file in it"
    if isinstance(error, PermissionError):
        return "may not be read; change its permissions"
    return f"cannot be read: {error.strerror or error}"


def exit_code_of(error: OSError) -> int | None:
    """Return the exit code for an error that no command expected; None: it is a bug."""
    if error.errno in _EXHAUSTED:
        return ResourceError.exit_code
    if error.errno in _DISK | _DENIED:
        return StorageError.exit_code
    return {errno.EPIPE: BROKEN_PIPE, errno.ENAMETOOLONG: UsageError.exit_code}.get(error.errno or 0)
