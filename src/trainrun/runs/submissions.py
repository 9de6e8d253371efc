"""Submissions: work that other machines do for a command, as records in the folder of runs.

A record is written before anything is submitted, and removed once all of its runs are finished. Until then
its runs belong to it: no other command trains them, unless the work was stopped.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainrun.errors import RunBusyError, StorageError, TrainrunError
from trainrun.jsonio import to_json, to_json_file
from trainrun.runs.files import make_directory, read_bytes, write_files
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths, WorkPaths
from trainrun.text import printable

#: The folder of submissions in a folder of runs.
FOLDER = ".machines"
#: A file of a submission whose command was asked to stop: its tasks are not to be started again.
STOPPED = "stopped"
_VERSION = 1
_RECORD = "work.json"
_LARGEST_REPORT = 64 * 2**20


@dataclass(frozen=True)
class SubmittedRun:
    """A run that a task is to train.

    Attributes:
        config: the place of its config among those of the submission.
        seed: its seed.
        directory: `<name>-<id8>/seed-<n>`, below the folder of runs.
        id8: of its config and data.
        digests: of its data files, by role.
    """

    config: int
    seed: int
    directory: str
    id8: str
    digests: Mapping[str, str]


@dataclass(frozen=True)
class HandedOver:
    """What a machine was given of a submission.

    Attributes:
        jobs: what it calls them, the newest last.
        tries: how often each task was handed over again.
    """

    jobs: tuple[str, ...]
    tries: Mapping[int, int]


@dataclass(frozen=True)
class Submission:
    """Work that was submitted.

    Attributes:
        directory: of its files.
        on: the machine and its settings, as `--on` takes them.
        tasks: the runs of each task.
        origins: how each config came about.
        save_seconds: from one checkpoint to the next.
        gpus: whether GPUs were asked for; without, `device: auto` is the CPU.
    """

    directory: Path
    on: str
    tasks: Sequence[Sequence[SubmittedRun]]
    origins: Sequence[str]
    save_seconds: float
    gpus: bool = False

    @property
    def runs(self) -> Path:
        """The folder of runs."""
        return self.directory.parent.parent

    @property
    def file(self) -> Path:
        """The record."""
        return self.directory / _RECORD

    def config(self, number: int) -> Path:
        """Return the file of one of its configs."""
        return self.directory / f"config-{number}.yaml"

    def report(self, task: int) -> Path:
        """Return the file in which a task says how far it is, and how its runs ended."""
        return self.directory / f"task-{task}.json"

    def log(self, task: int) -> Path:
        """Return the file for the output of a task."""
        return self.directory / f"log-{task}.txt"

    def again(self, task: int) -> Path:
        """Return the file by which a task that has saved asks to be started again."""
        return self.directory / f"again-{task}"

    @property
    def is_stopped(self) -> bool:
        """Whether its command was asked to stop, or has given it up."""
        return (self.directory / STOPPED).exists()

    def stop(self) -> None:
        """Note that its tasks are not to be started again.

        Raises:
            StorageError: writing failed.
        """
        write_files({self.directory / STOPPED: b""})

    @property
    def handed_over(self) -> HandedOver:
        """What was handed over so far; nothing where that cannot be read."""
        try:
            found = json.loads(read_bytes(self.directory / "job.json"))
            tries = {int(task): int(count) for task, count in found["tries"].items()}
            return HandedOver(tuple(str(job) for job in found["jobs"]), tries)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            return HandedOver((), {})

    def note(self, handed: HandedOver) -> None:
        """Note what was handed over.

        Raises:
            StorageError: writing failed.
        """
        facts = {"jobs": handed.jobs, "tries": {str(task): count for task, count in handed.tries.items()}}
        write_files({self.directory / "job.json": to_json(facts).encode()})

    def write(self, configs: Sequence[str]) -> None:
        """Write the record and its configs; on disk when this returns.

        Args:
            configs: the text of each config.
        """
        make_directory(self.directory)
        facts = {
            "version": _VERSION,
            "on": self.on,
            "origins": self.origins,
            "save_seconds": self.save_seconds,
            "gpus": self.gpus,
            "tasks": [[asdict(run) for run in task] for task in self.tasks],
        }
        write_files({self.config(place): text.encode() for place, text in enumerate(configs)})
        write_files({self.file: to_json_file(facts)})

    def remove(self) -> None:
        """Remove the record and all of its files."""
        with suppress(OSError):
            self.file.unlink()  # first: what is left is no submission
            shutil.rmtree(self.directory, ignore_errors=True)

    def is_finished(self) -> bool:
        """Return whether every run has its result."""
        places = (self.runs / run.directory for task in self.tasks for run in task)
        return all(RunPaths(place).result.exists() for place in places)


def is_submission(directory: Path) -> bool:
    """Return whether a directory has a record; that of a probe has none."""
    return (directory / _RECORD).exists()


def read_submission(directory: Path) -> Submission:
    """Read a record.

    Raises:
        StorageError: it is missing, or damaged.
    """
    path = directory / _RECORD
    try:
        facts = json.loads(read_bytes(path))
        if facts["version"] != _VERSION:
            raise StorageError(f"{printable(str(path))}: was written by another version of trainrun")
        return Submission(
            directory=directory,
            on=str(facts["on"]),
            tasks=[[_run(one) for one in task] for task in facts["tasks"]],
            origins=[str(origin) for origin in facts["origins"]],
            save_seconds=float(facts["save_seconds"]),
            gpus=facts["gpus"] is True,
        )
    except OSError as error:
        raise StorageError(f"{printable(str(path))}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise StorageError(f"{printable(str(path))}: is damaged; remove its folder to start over") from error


def submissions(runs: Path) -> Iterator[Submission]:
    """Yield the submissions in a folder of runs; skip those that are damaged or stopped."""
    try:
        found = sorted((runs / FOLDER).iterdir())
    except OSError:
        return
    for directory in found:
        with suppress(StorageError):
            submission = read_submission(directory)
            if not submission.is_stopped:
                yield submission


def submitted_runs(runs: Path) -> dict[str, Submission]:
    """Return the submission of each run that one is to train, by the run's directory below `runs`."""
    going = [one for one in submissions(runs.absolute()) if not one.is_finished()]
    return {run.directory: one for one in going for task in one.tasks for run in task}


def require_unsubmitted(run: RunPaths, submitted: Mapping[str, Submission], mine: str | None) -> None:
    """Check that no other submission is to train a run.

    Args:
        run: the run.
        submitted: the submission of each run, from `submitted_runs`.
        mine: the name of the submission that asks; None for a command that trains here.

    Raises:
        RunBusyError: there is one.
    """
    one = submitted.get(run.label)
    if one is None or one.directory.name == mine:
        return
    jobs = one.handed_over.jobs
    job = f" as job {printable(jobs[-1])}" if jobs else ""
    raise RunBusyError(
        f"{printable(str(run.directory))}: is submitted to {printable(one.on)}{job}; the same command"
        f" with --on attaches to it. If that job is gone, remove {printable(str(one.directory))}"
    )


def remove_finished(runs: Path) -> None:
    """Remove the records whose runs are all finished, and with the last one their folder."""
    folder = runs.absolute() / FOLDER
    if not os.path.isdir(folder):  # noqa: PTH112 - where it may not be looked into, it is no folder
        return
    with suppress(TrainrunError, OSError), registry_lock(runs):
        for directory in folder.iterdir():
            with suppress(StorageError):
                submission = read_submission(directory)
                if submission.is_finished():
                    submission.remove()
        lock = WorkPaths(folder).lock
        if {entry.name for entry in folder.iterdir()} <= {lock.name}:
            lock.unlink(missing_ok=True)  # while it is held: who waits for it sees that it lost its name
            folder.rmdir()


def registry_lock(runs: Path) -> RunLock:
    """Return the lock under which records are looked for and made.

    Raises:
        RunBusyError: another command holds it, for as long as it submits.
        RunDirectoryError: it cannot be made here.
    """
    return RunLock(WorkPaths(runs.absolute() / FOLDER))


def _run(found: Mapping[str, Any]) -> SubmittedRun:
    """Return a run of a record; a directory that leads elsewhere is refused."""
    directory = str(found["directory"])
    group, slash, seed = directory.partition("/")
    if not slash or "/" in seed or {group, seed} & {"", ".", ".."}:
        raise ValueError("no run of this folder")
    return SubmittedRun(
        config=int(found["config"]),
        seed=int(found["seed"]),
        directory=directory,
        id8=str(found["id8"]),
        digests={str(role): str(digest) for role, digest in found["digests"].items()},
    )


def read_report(path: Path) -> dict[str, Any]:
    """Return what a task has said; empty where it has said nothing, or its file is damaged."""
    try:
        found = json.loads(read_bytes(path, _LARGEST_REPORT))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}
