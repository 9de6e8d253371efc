"""Parcels: files of runs as bytes by name, for machines that do not see the folder of runs.

A name is a path below the folder of runs. Only names that a task may have are sent, written or taken in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from trainrun.errors import StorageError
from trainrun.os_errors import explained
from trainrun.runs.checkpoint import discard_checkpoints
from trainrun.runs.files import make_directory, read_bytes, write_files
from trainrun.runs.paths import RunPaths
from trainrun.runs.submissions import Submission
from trainrun.text import short

Parcel = dict[str, bytes]

_LARGEST = 2**31  # bytes of a file; a checkpoint holds several copies of the weights
_LONGEST_LOG = 2**16  # bytes from the end of what a task has said


def outward(submission: Submission, task: int) -> Parcel:
    """Return all that a machine needs for a task: the record, the configs, and where the runs are."""
    files = [submission.file, *(submission.config(run.config) for run in submission.tasks[task])]
    for paths in _runs(submission, task):
        files += [paths.group_config, *_lasting(paths), paths.checkpoint, paths.result]
    return _read(submission.runs, files)


def unpack(parcel: Mapping[str, bytes], runs: Path) -> None:
    """Write a parcel into a new folder, which no other process has seen."""
    for name, content in parcel.items():
        target = runs / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


class Returns:
    """What has changed in the folder in which a task trains.

    Args:
        submission: in that folder.
        task: its number.
    """

    def __init__(self, submission: Submission, task: int) -> None:
        self._submission, self._task = submission, task
        self._seen: dict[Path, tuple[int, int, int]] = {}
        for paths in _runs(submission, task):
            self._is_new(paths.config, paths.checkpoint, paths.result)

    def collect(self) -> Parcel:
        """Return the files of the runs that were saved since the last call, and the task's report.

        As after a kill at this moment: what a checkpoint needs is at least as new as the checkpoint.
        """
        report, log = self._submission.report(self._task), _log(self._submission, self._task)
        files = [report] if self._is_new(report) else []
        for paths in _runs(self._submission, self._task):
            if self._is_new(paths.config, paths.checkpoint, paths.result):
                # A result is last when written, so all of its run is there; a checkpoint is read first.
                first = paths.result if paths.result.exists() else paths.checkpoint
                files += [first, *_lasting(paths), paths.group_config]
        parcel = _read(self._submission.runs, files)
        if self._is_new(log):
            with suppress(OSError):
                parcel[_name(self._submission.runs, log)] = read_bytes(log)[-_LONGEST_LOG:]
        return parcel

    def _is_new(self, *files: Path) -> bool:
        now = {path: _state(path) for path in files}
        is_new = any(self._seen.get(path) != state for path, state in now.items())
        self._seen |= now
        return is_new


def take_in(parcel: object, submission: Submission, task: int) -> None:
    """Write what has come back; each run is whole at every moment, and on disk when this returns.

    Args:
        parcel: as `Returns.collect` made it, on a machine that may be damaged.
        submission: in the command's folder of runs.
        task: its number. The locks of its runs are held.

    Raises:
        StorageError: it is no such parcel, or writing failed.
    """
    files = _checked(parcel, submission, task)
    for paths in _runs(submission, task):
        mine = {path: files[path] for path in _lasting(paths) if path in files}
        if not mine or paths.result.exists():
            continue
        make_directory(paths.directory)
        if paths.group_config in files and not paths.group_config.exists():
            mine[paths.group_config] = files[paths.group_config]
        write_files(mine, staging=paths.directory)
        if paths.checkpoint in files:
            write_files(
                {paths.checkpoint: files[paths.checkpoint]},
                keep={paths.checkpoint: paths.previous_checkpoint},
            )
        if paths.result in files:  # all that it refers to is on disk before it
            write_files({paths.result: files[paths.result]})
            discard_checkpoints(paths)
    said = (submission.report(task), _log(submission, task))
    try:
        write_files({path: files[path] for path in said if path in files})
    except StorageError:
        if submission.file.exists():  # else the command has seen all results, and has removed its record
            raise


def _checked(parcel: object, submission: Submission, task: int) -> dict[Path, bytes]:
    known = {_name(submission.runs, path): path for path in _returning(submission, task)}
    if not isinstance(parcel, dict):
        raise StorageError("a machine has sent something else than files")
    for name, content in parcel.items():
        if name not in known or not isinstance(content, bytes) or len(content) > _LARGEST:
            raise StorageError(f"a machine has sent a file that no run of its task has: {short(str(name))}")
    return {known[name]: content for name, content in parcel.items()}


def _returning(submission: Submission, task: int) -> Iterator[Path]:
    yield from (submission.report(task), _log(submission, task))
    for paths in _runs(submission, task):
        yield from (paths.group_config, paths.checkpoint, paths.result, *_lasting(paths))


def _lasting(paths: RunPaths) -> Sequence[Path]:
    """The files of a run that are there from its beginning to its end."""
    return (
        paths.weights,
        paths.config,
        paths.preprocessing,
        paths.metrics,
        paths.log,
        paths.events,
    )


def _runs(submission: Submission, task: int) -> list[RunPaths]:
    return [RunPaths(submission.runs / run.directory) for run in submission.tasks[task]]


def _log(submission: Submission, task: int) -> Path:
    return submission.directory / f"log-{task}.txt"


def _read(runs: Path, files: Sequence[Path]) -> Parcel:
    parcel = {}
    for path in dict.fromkeys(files):
        with explained(path, "be read"), suppress(FileNotFoundError):
            parcel[_name(runs, path)] = read_bytes(path, _LARGEST)
    return parcel


def _name(runs: Path, path: Path) -> str:
    return path.relative_to(runs).as_posix()


def _state(path: Path) -> tuple[int, int, int]:
    try:
        facts = path.stat()
    except OSError:
        return (0, 0, 0)
    return (facts.st_ino, facts.st_mtime_ns, facts.st_size)
