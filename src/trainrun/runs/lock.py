"""The right to train a run, or to search: a lock that others may take once its holder has ended.

Where one machine alone sees a folder, and where the file system takes `flock` to its servers, the kernel
keeps the lock, and takes it back however its holder ends. Elsewhere the lock is a lease.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from trainrun.errors import ResumableError, RunBusyError, RunDirectoryError, StorageError
from trainrun.jsonio import to_json
from trainrun.os_errors import explained
from trainrun.runs.fencing import put_fence, remove_fence
from trainrun.runs.files import make_directory, read_bytes
from trainrun.runs.filesystems import reach_of_flock
from trainrun.runs.holders import LONGEST_RECORD, about_this_process, holder
from trainrun.runs.lease import Lease, is_lease
from trainrun.runs.paths import WorkPaths
from trainrun.text import printable

_REFUSED = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}  # flock is
_LONGEST_CACHE = 60.0  # seconds for which a machine may not see what another has written
_LOOK_SECONDS = 0.1
_held: set[int] = set()  # the descriptors of this process's locks


def _never() -> bool:
    return False


class RunLock:
    """The lock of a run or a search, held until it is released or the process ends; `with` releases it.

    After locking, look for the run's result again: the last holder may have finished it. Locks that a process
    inherits when it is forked are not its own.

    Args:
        paths: of the run or search; a missing directory is created.
        stopped: says whether this process was asked to stop, looked at while it waits: on a folder where
            `flock` cannot be trusted, it takes a while to see whether the holder is alive.

    Raises:
        RunBusyError: another process holds it; the sentence says which, and since when.
        ResumableError: this process was asked to stop while it waited.
        RunDirectoryError: the directory or the lock cannot be made here.
        StorageError: the disk is full or broken.
        ResourceError: out of file descriptors or memory.
    """

    def __init__(self, paths: WorkPaths, stopped: Callable[[], bool] = _never) -> None:
        self._paths = paths
        make_directory(paths.directory)
        self._lease: Lease | None = None
        with explained(paths.lock, "be locked", RunDirectoryError):
            reach = reach_of_flock(paths.directory)
            self._content = to_json(about_this_process()).encode() + b"\n"
            self._descriptor = None if reach == "unknown" else _open_and_lock(paths, self._content)
            if self._descriptor is None:
                self._lease = Lease(paths, stopped)
            else:
                _held.add(self._descriptor)
        if reach == "shared" and self._descriptor is not None:
            put_fence(paths.directory, self._require_named)
        if reach != "local":
            try:
                _see_the_latest(paths)
            except BaseException:
                self.release()
                raise

    def release(self) -> None:
        """Release the lock; remove its file if the run has a result."""
        if self._lease:
            self._lease.release()
            self._lease = None
        if self._descriptor is not None:
            remove_fence(self._paths.directory)
            _unlock(self._descriptor, self._paths)
            self._descriptor = None

    def _require_named(self) -> None:
        """Check that no other process has locked the file: a server may forget a lock of who was away long.

        Raises:
            ResumableError: one has.
        """
        with explained(self._paths.lock, "be read"):
            content = read_bytes(self._paths.lock, LONGEST_RECORD)
        if content != self._content:
            place = printable(str(self._paths.directory))
            raise ResumableError(f"{place}: lost the lock{holder(content)}; run the same command again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _open_and_lock(paths: WorkPaths, content: bytes) -> int | None:
    """The descriptor of a locked file that still bears its name; None where a lease is needed."""
    path = paths.lock
    while True:
        descriptor = _open(path)
        is_ours = False
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise RunDirectoryError(f"{printable(str(path))}: cannot be locked: not a regular file")
            if not _lock(descriptor, paths):
                return None
            if _bears_its_name(facts, path):
                if is_lease(os.pread(descriptor, LONGEST_RECORD, 0)):
                    return None  # of a machine where flock is not to be trusted
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, content, 0)
                is_ours = True
                return descriptor
        finally:
            if not is_ours:  # or the last holder has unlinked it since it was opened here
                os.close(descriptor)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
    _allow_more_descriptors()
    return os.open(path, flags, 0o666)


def _allow_more_descriptors() -> None:
    """A command holds a lock for each of its runs, which a shell may not allow unless it is asked."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS allows less than the limit that it names
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _lock(descriptor: int, paths: WorkPaths) -> bool:
    """Lock a file; False where the file system refuses."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        place, named = printable(str(paths.directory)), holder(os.pread(descriptor, LONGEST_RECORD, 0))
        raise RunBusyError(f"{place}: another process {paths.busy}{named}") from None
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return False
    return True


def _unlock(descriptor: int, paths: WorkPaths) -> None:
    with suppress(OSError):  # a file that is left behind does no harm
        if paths.result.exists():
            # Unlinked while it is held: who locks it afterwards sees that it has lost its name.
            paths.lock.unlink()
        else:
            os.ftruncate(descriptor, 0)  # a machine without flock then sees that it is free
    _held.discard(descriptor)
    with suppress(OSError):  # closed all the same, and nothing in it matters
        os.close(descriptor)


def _see_the_latest(paths: WorkPaths) -> None:
    """Wait until this machine sees a result that another has written before it released the lock.

    Raises:
        StorageError: it does not within a minute.
    """
    with explained(paths.directory, "be used"):
        probe = paths.directory / f".{paths.result.name}.{secrets.token_hex(6)}.tmp"
        probe.touch()  # a folder that has changed is read anew
        probe.unlink()
        end = time.monotonic() + _LONGEST_CACHE
        while paths.result.name in _names(paths.directory) and not paths.result.exists():
            if time.monotonic() > end:
                raise StorageError(f"{printable(str(paths.result))}: is listed, but cannot be opened")
            time.sleep(_LOOK_SECONDS)


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def _bears_its_name(facts: os.stat_result, path: Path) -> bool:
    try:
        return os.path.samestat(facts, path.lstat())
    except FileNotFoundError:
        return False


def _let_go() -> None:
    """Close the locks that a forked process inherits; else it would keep them when its parent is killed."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)
