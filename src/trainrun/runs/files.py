"""Write files so that a crash leaves the old or the new one; read files that may be forged or damaged."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, TypeVar

from trainrun.errors import RunDirectoryError
from trainrun.os_errors import explained
from trainrun.runs.fencing import pass_fences
from trainrun.text import printable

#: What `read_bytes` says of a pipe, a folder, a link or an enormous file: no disk is to blame.
NOT_A_FILE_OF_OURS = {errno.EFBIG, errno.EINVAL, errno.EISDIR, errno.ELOOP}
_LARGEST_READ = 256 * 2**20
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
_NOT_SUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
#: What a file system without hard links says.
NO_HARD_LINKS = {errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_TRIES = 3  # to read a file that others replace
_Read = TypeVar("_Read")
_NOTHING: Mapping[Path, Path] = MappingProxyType({})


def make_directory(path: Path) -> None:
    """Create a directory and its parents, and check that it is writable.

    Raises:
        RunDirectoryError: it cannot be created or is not writable.
        StorageError: the disk is full or broken.
        ResourceError: out of memory.
    """
    with explained(path, "be created", RunDirectoryError):
        path.mkdir(parents=True, exist_ok=True)
    if not os.access(path, os.W_OK | os.X_OK):
        raise RunDirectoryError(f"{_shown(path)}: not writable; choose another place with --runs")


def write_files(
    contents: Mapping[Path, bytes], *, keep: Mapping[Path, Path] = _NOTHING, staging: Path | None = None
) -> None:
    """Write files so that each is whole or untouched, and on disk when this returns.

    All are written beside their targets, then all synced, then all renamed: what the first sync has written
    out, the others need not.

    Args:
        contents: the bytes of each file.
        keep: by target, the name under which the file that it replaces stays.
        staging: a folder of the same file system for temporary files, where other processes write to the
            targets' folder. There, leftovers of a kill would look like files in use.

    Raises:
        StorageError: writing failed; nothing temporary is left.
        ResourceError: out of file descriptors or memory.
        ResumableError: this process has lost the lock of a run.
    """
    folders = list(dict.fromkeys(target.parent for target in contents))
    pass_fences(folders)
    temporary: dict[Path, Path] = {}
    try:
        for target, data in contents.items():
            name = f".{target.name}.{secrets.token_hex(6)}.tmp"
            temporary[target] = (staging or target.parent) / name
            with explained(target):
                _create(temporary[target], data)
        for target, beside in temporary.items():
            with explained(target):
                _sync(beside)
        for target, beside in temporary.items():
            with explained(target):
                if target in keep:
                    _keep(target, keep[target])
                pass_fences([target.parent])  # writing may have taken long
                beside.replace(target)
    except BaseException:
        for beside in temporary.values():
            with suppress(OSError):
                beside.unlink()
        raise
    sync(folders)


def is_temporary(name: str) -> bool:
    """Return whether a file name is that of a temporary file of `write_files`."""
    return bool(_TEMPORARY.fullmatch(name))


def remove_temporaries(directory: Path) -> None:
    """Remove temporary files that a kill during `write_files` left; no other process may write there.

    Raises:
        StorageError: it cannot be removed.
    """
    with explained(directory, "be tidied up"):
        for entry in directory.iterdir():
            if is_temporary(entry.name):
                entry.unlink()


def write_out(path: Path, content: str | bytes) -> None:
    """Write a file that a user named: a link is followed, and a device or a pipe is written to.

    Raises:
        StorageError: writing failed.
        ResourceError: out of file descriptors or memory.
    """
    # A label may hold what UTF-8 has no bytes for.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    if path.is_file() or not path.exists():
        write_files({path.resolve(): data})
        return
    with explained(path):
        path.write_bytes(data)


def append(path: Path, text: str) -> None:
    """Append lines to a file, which is closed again: a thousand runs must not hold it open.

    A line that a kill tore off is ended first, so that it spoils itself alone.

    Raises:
        StorageError: writing failed.
        ResourceError: out of file descriptors or memory.
        ResumableError: this process has lost the lock of the run.
    """
    pass_fences([path.parent])
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    with explained(path), opened(path, flags) as descriptor:
        size = _size_of_regular(descriptor)
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        _write_all(descriptor, ("\n" * torn + text).encode())


def sync(paths: Iterable[Path]) -> None:
    """Flush to disk what was appended to files or renamed in folders.

    Raises:
        StorageError: flushing failed.
    """
    for path in paths:
        with explained(path):
            _sync(path)


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """A descriptor that is closed at the end."""
    descriptor = os.open(path, flags, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def regular_file(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open an untrusted file for reading and yield it with its size; refuse links and pipes.

    Raises:
        OSError: it is not there, not readable or not a regular file.
    """
    with opened(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK) as descriptor:
        size = _size_of_regular(descriptor)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file, size


def read_bytes(path: Path, largest: int = _LARGEST_READ) -> bytes:
    """Return the content of an untrusted regular file; refuse links, pipes and enormous files.

    Args:
        path: the file.
        largest: bytes that are still read.

    Raises:
        OSError: it is not there, not readable, not a regular file or too large.
    """

    def read() -> bytes:
        with regular_file(path) as (file, size):
            if size > largest:
                raise OSError(errno.EFBIG, "larger than any that a run writes")
            return file.read(size)

    return read_again(read)


def read_again(read: Callable[[], _Read]) -> _Read:
    """Read a file, once more where another machine has replaced it while it was being read.

    Raises:
        OSError: of the last try.
    """
    for _ in range(_TRIES - 1):
        try:
            return read()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
    return read()


def _size_of_regular(descriptor: int) -> int:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return facts.st_size


def _create(path: Path, data: bytes) -> None:
    with opened(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY) as descriptor:
        _write_all(descriptor, data)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # a write may be short: near a quota, or on a signal
        rest = rest[os.write(descriptor, rest) :]


def _sync(path: Path) -> None:
    with opened(path, os.O_RDONLY) as descriptor:
        try:
            os.fsync(descriptor)
        except OSError as error:  # some network file systems know no fsync of folders
            if error.errno not in _NOT_SUPPORTED or not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise


def _keep(old: Path, kept: Path) -> None:
    if old.exists():
        kept.unlink(missing_ok=True)
        try:
            kept.hardlink_to(old)  # a rename would leave a moment without any file of the old name
        except OSError as error:
            if error.errno not in NO_HARD_LINKS:
                raise
            _create(kept, old.read_bytes())
            _sync(kept)


def _shown(path: Path) -> str:
    return printable(str(path))
