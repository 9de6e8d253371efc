"""The right to train a run, or to search: a lock that the kernel takes back however its holder ends."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import socket
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from trainrun.errors import RunBusyError, RunDirectoryError
from trainrun.jsonio import to_json
from trainrun.os_errors import explained
from trainrun.runs.files import make_directory
from trainrun.runs.paths import WorkPaths
from trainrun.text import printable, short

_LONGEST_CONTENT = 4096
_held: set[int] = set()  # the descriptors of this process's locks


class RunLock:
    """The lock of a run or a search, held until it is released or the process ends; `with` releases it.

    After locking, look for the run's result again: the last holder may have finished it. Locks that a process
    inherits when it is forked are not its own.

    Args:
        paths: of the run or search; a missing directory is created.

    Raises:
        RunBusyError: another process holds it; the sentence says which, and since when.
        RunDirectoryError: the directory or the lock cannot be made here.
        StorageError: the disk is full or broken.
        ResourceError: out of file descriptors or memory.
    """

    def __init__(self, paths: WorkPaths) -> None:
        self._paths = paths
        make_directory(paths.directory)
        with explained(paths.lock, "be locked", RunDirectoryError):
            self._descriptor = _open_and_lock(paths)
        _held.add(self._descriptor)

    def release(self) -> None:
        """Release the lock; remove its file if the run has a result."""
        with suppress(OSError):  # a file that is left behind does no harm
            if self._paths.result.exists():
                # Unlinked while it is held: who locks it afterwards sees that it has lost its name.
                self._paths.lock.unlink()
        _held.discard(self._descriptor)
        with suppress(OSError):  # closed all the same, and nothing in it matters
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _open_and_lock(paths: WorkPaths) -> int:
    """The descriptor of a locked file that still bears its name."""
    path = paths.lock
    while True:
        descriptor = _open(path)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise RunDirectoryError(f"{printable(str(path))}: cannot be locked: not a regular file")
            _lock(descriptor, paths)
            if _bears_its_name(facts, path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, _about_this_process(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the last holder has unlinked it since it was opened here


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


def _lock(descriptor: int, paths: WorkPaths) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        place, holder = printable(str(paths.directory)), _holder(os.pread(descriptor, _LONGEST_CONTENT, 0))
        raise RunBusyError(f"{place}: another process {paths.busy}{holder}") from None


def _bears_its_name(facts: os.stat_result, path: Path) -> bool:
    try:
        return os.path.samestat(facts, path.lstat())
    except FileNotFoundError:
        return False


def _about_this_process() -> bytes:
    about = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "job": os.environ.get("SLURM_JOB_ID"),
        "task": os.environ.get("SLURM_ARRAY_TASK_ID"),
        "start": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return to_json(about).encode() + b"\n"


def _holder(content: bytes) -> str:
    """Return what a lock's content says about its holder; empty if the content is missing or invalid."""
    try:
        about: dict[str, Any] = json.loads(content)
        host, pid, job, task, start = (
            about[key] and short(str(about[key])) for key in ("host", "pid", "job", "task", "start")
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    slurm = f" (Slurm job {job}{f', task {task}' if task else ''})" if job else ""
    return f": process {pid} on {host}{slurm}, since {start}"


def _let_go() -> None:
    """Close the locks that a forked process inherits; else it would keep them when its parent is killed."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)
