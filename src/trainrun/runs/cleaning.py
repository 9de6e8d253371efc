"""Removing runs: only what a run wrote, only in directories that are runs, never through a symbolic link."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trainrun.errors import UsageError
from trainrun.os_errors import explained
from trainrun.runs.files import is_temporary
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import FILE_NAMES, TENSORBOARD, seeds
from trainrun.runs.reading import Run
from trainrun.text import printable

_AGE = re.compile(r"(?P<amount>[0-9]{1,6}(\.[0-9]{1,6})?) ?(?P<unit>[smhdw])")
_CURVES = "tfevents"
_SILLY = re.compile(r"\.nfs[0-9a-f]{16,}")  # what NFS keeps of a file that was removed while it was open
_TRIES, _SECONDS_BETWEEN = 20, 0.1  # to remove a folder
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_age(text: str) -> timedelta:
    """Parse an age such as `30d`, `12h` or `2w`.

    Raises:
        UsageError: the text is not an age.
    """
    match = _AGE.fullmatch(text)
    if match is None:
        raise UsageError(f"--older: must be an age such as 30d, 12h or 2w, got {printable(text)}")
    return timedelta(**{_UNITS[match["unit"]]: float(match["amount"])})


def select(runs: Sequence[Run], *, diverged: bool, older: str | None) -> list[Run]:
    """Return the runs to remove, after a check that each may be removed.

    Args:
        runs: to choose from.
        diverged: only those that diverged.
        older: only those last begun longer ago than this age; a run that does not say when was not.

    Raises:
        UsageError: the age is invalid, or a chosen directory was not written by a run.
    """
    limit = datetime.now(UTC) - parse_age(older) if older else None
    chosen = [run for run in runs if not diverged or run.status == "diverged"]
    chosen = [run for run in chosen if not limit or (run.begun is not None and run.begun < limit)]
    for run in chosen:
        require_removable(run)
    return chosen


def require_removable(run: Run) -> None:
    """Check that a directory holds only what a run writes.

    Raises:
        UsageError: it is a symbolic link, not named like a run, or holds a file that no run writes.
        StorageError: it may not be read.
    """
    shown = printable(str(run.directory))
    if run.directory.is_symlink() or run.directory.parent.is_symlink():
        raise UsageError(f"{shown}: is a symbolic link; remove what it points to by its own name")
    if run.seed is None or not run.id8:
        raise UsageError(f"{shown}: is not named like a run (<name>-<id8>/seed-<n>); remove it by hand")
    with explained(run.directory, "be read"):
        foreign = [entry.name for entry in run.directory.iterdir() if not _is_ours(entry)]
    if foreign:
        raise UsageError(f"{shown}: holds {printable(min(foreign))}, which no run writes; remove it by hand")


def remove(run: Run) -> None:
    """Remove a run's directory, and its group's with the last seed.

    Raises:
        UsageError: see `require_removable`.
        RunBusyError: a process is training it.
        RunDirectoryError: it cannot be locked.
        StorageError: something could not be removed.
    """
    require_removable(run)
    group = run.paths.directory.parent
    with RunLock(run.paths), explained(run.directory, "be removed"):
        _empty(run)
        run.paths.lock.unlink()
        with suppress(OSError):  # NFS keeps the open lock under another name; the folder goes below
            run.directory.rmdir()
    with explained(run.directory, "be removed"):
        _remove_empty(run.directory)
        if not seeds(group):
            run.paths.group_config.unlink(missing_ok=True)
            with suppress(OSError):  # something else lies there: it stays
                group.rmdir()


def _remove_empty(directory: Path) -> None:
    """Remove a directory, unless another process has begun the run again meanwhile."""
    for tries_left in reversed(range(_TRIES)):
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if not all(map(_is_silly, directory.iterdir())):
                return
            if not tries_left:
                raise
            time.sleep(_SECONDS_BETWEEN)  # a server removes such files a moment after they were closed


def clear(run: Run) -> None:
    """Remove what a run has written, for a new start of whoever holds its lock.

    Raises:
        UsageError: see `require_removable`.
        StorageError: something could not be removed.
    """
    require_removable(run)
    with explained(run.directory, "be removed"):
        _empty(run)


def size(run: Run) -> int:
    """The bytes of a run's files.

    Raises:
        StorageError: they cannot be looked at, or are gone meanwhile.
    """
    with explained(run.directory, "be read"):
        return sum(entry.lstat().st_size for entry in _inside(run.directory) if not entry.is_dir())


def _is_ours(entry: Path) -> bool:
    if entry.is_symlink():
        return False
    if entry.is_dir():
        return entry.name == TENSORBOARD and all(map(_holds_curves, entry.iterdir()))
    return entry.name in FILE_NAMES.values() or is_temporary(entry.name) or _is_silly(entry)


def _is_silly(entry: Path) -> bool:
    return bool(_SILLY.fullmatch(entry.name))


def _holds_curves(folder: Path) -> bool:
    """Return whether a folder holds only TensorBoard files and no folders."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return all(_CURVES in entry.name and not entry.is_dir() for entry in folder.iterdir())


def _empty(run: Run) -> None:
    """Remove everything but the lock."""
    # The result goes first: what is left of a removal cut short must not pass for a complete run.
    run.paths.result.unlink(missing_ok=True)
    for entry in _inside(run.directory):
        if entry.is_dir() and not entry.is_symlink():
            entry.rmdir()
        elif entry.name != run.paths.lock.name and not _is_silly(entry):
            entry.unlink()


def _inside(directory: Path) -> Iterator[Path]:
    """Everything below a directory, contents before their folders, links not followed."""
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            yield from _inside(entry)
        yield entry
