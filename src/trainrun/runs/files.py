"""Writing files so that a crash leaves the old one or the new one, and reading files nobody vouches for."""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainrun.errors import ResourceError, RunDirectoryError, StorageError, TrainrunError, printable

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_LARGEST_READ = 256 * 2**20


def make_directory(path: Path) -> None:
    """Create a directory and its parents, and see that it can be written to.

    Raises:
        RunDirectoryError: it cannot be created or is not ours to write.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(f"{_shown(path)}: cannot be created: {error.strerror}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise RunDirectoryError(f"{_shown(path)}: not writable; choose another place with --runs")


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files so that each is whole or untouched, and on disk when this returns.

    They are written beside their targets, synced, then renamed; syncing in groups costs little more than one.

    Raises:
        StorageError: writing failed; nothing temporary is left.
        ResourceError: out of file descriptors or memory.
    """
    temporary: dict[Path, Path] = {}
    target = Path()
    try:
        for target, data in contents.items():
            beside = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
            descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o666)
            temporary[target] = beside
            _write_and_sync(descriptor, data)
        for target, beside in temporary.items():
            beside.replace(target)
        _sync_directories(target.parent for target in contents)
    except OSError as error:
        for beside in temporary.values():
            with suppress(OSError):
                beside.unlink()
        raise _failed_writing(target, error) from error


def write_out(path: Path, text: str) -> None:
    """Write a file that a user named: a link is followed, and a device or a pipe is written to.

    Raises:
        StorageError: writing failed.
        ResourceError: out of file descriptors or memory.
    """
    if path.is_file() or not path.exists():
        write_files({path.resolve(): text.encode()})
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _failed_writing(path, error) from error


def append(path: Path, text: str) -> None:
    """Append lines to a file, which is closed again: a thousand runs must not hold it open.

    A line that a kill tore off is ended first, so that it spoils itself alone.

    Raises:
        StorageError: writing failed.
        ResourceError: out of file descriptors or memory.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            _write_all(descriptor, ("\n" * torn + text).encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _failed_writing(path, error) from error


def sync(paths: Iterable[Path]) -> None:
    """See that what was appended to files is on disk.

    Raises:
        StorageError: it is not.
    """
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _failed_writing(path, error) from error


def read_bytes(path: Path) -> bytes:
    """The content of a regular file that nobody vouches for: a pipe or an enormous file is refused.

    Raises:
        OSError: it is not there, not readable, not a regular file or too large.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LARGEST_READ:
            raise OSError(errno.EINVAL, "not a regular file of a sensible size")
        return file.read()


def to_json(value: Any) -> str:
    """`value` as one line of ASCII JSON, keys in their own order, numbers that are not finite as null.

    Args:
        value: mappings, sequences, NumPy arrays and numbers, paths, text, None.
    """
    return json.dumps(_plain(value), allow_nan=False)


def to_json_file(value: Mapping[str, Any]) -> bytes:
    """A mapping as a JSON file with one top-level key a line: short to read and to compare."""
    lines = (f"  {json.dumps(key)}: {to_json(item)}" for key, item in value.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # an array or a number of NumPy's, which listings do not import
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _write_and_sync(descriptor: int, data: bytes) -> None:
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # a write may be short: near a quota, or on a signal
        rest = rest[os.write(descriptor, rest) :]


def _sync_directories(directories: Iterable[Path]) -> None:
    for directory in dict.fromkeys(directories):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _failed_writing(path: Path, error: OSError) -> TrainrunError:
    kind = ResourceError if error.errno in _EXHAUSTED else StorageError
    return kind(f"{_shown(path)}: cannot be written: {error.strerror}")


def _shown(path: Path) -> str:
    return printable(str(path))
