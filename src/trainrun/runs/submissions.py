"""Submissions: work that other machines do for a command, as records in the folder of runs.

A record is written before anything is submitted, and removed once all of its runs are finished. While it is
there, its runs belong to it: no other command trains them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainrun.errors import RunBusyError, StorageError
from trainrun.jsonio import to_json, to_json_file
from trainrun.runs.files import make_directory, read_bytes, write_files
from trainrun.runs.paths import RunPaths
from trainrun.text import printable

#: The folder of submissions in a folder of runs.
FOLDER = ".machines"
_VERSION = 1


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
class Submission:
    """Work that was submitted.

    Attributes:
        directory: of its files.
        on: the machine and its settings, as `--on` takes them.
        tasks: the runs of each task.
        origins: how each config came about.
        save_seconds: from one checkpoint to the next.
    """

    directory: Path
    on: str
    tasks: Sequence[Sequence[SubmittedRun]]
    origins: Sequence[str]
    save_seconds: float

    @property
    def runs(self) -> Path:
        """The folder of runs."""
        return self.directory.parent.parent

    @property
    def file(self) -> Path:
        """The record."""
        return self.directory / "work.json"

    def config(self, number: int) -> Path:
        """Return the file of one of its configs."""
        return self.directory / f"config-{number}.yaml"

    def report(self, task: int) -> Path:
        """Return the file in which a task says how far it is, and how its runs ended."""
        return self.directory / f"task-{task}.json"

    @property
    def job(self) -> str | None:
        """What the machine calls it; None before it is submitted."""
        try:
            return str(json.loads(read_bytes(self.directory / "job.json"))["job"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def submitted(self, job: str) -> None:
        """Note what the machine calls it."""
        write_files({self.directory / "job.json": to_json({"job": job}).encode()})

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
            "tasks": [[asdict(run) for run in task] for task in self.tasks],
        }
        write_files({self.config(place): text.encode() for place, text in enumerate(configs)})
        write_files({self.file: to_json_file(facts)})

    def remove(self) -> None:
        """Remove the record and all of its files."""
        with suppress(OSError):
            self.file.unlink()  # first: what is left is no submission
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory.parent.rmdir()

    def is_finished(self) -> bool:
        """Return whether every run has its result."""
        places = (self.runs / run.directory for task in self.tasks for run in task)
        return all(RunPaths(place).result.exists() for place in places)


def read_submission(directory: Path) -> Submission:
    """Read a record.

    Raises:
        StorageError: it is missing, or damaged.
    """
    path = directory / "work.json"
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
        )
    except OSError as error:
        raise StorageError(f"{printable(str(path))}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageError(f"{printable(str(path))}: is damaged; remove its folder to start over") from error


def submissions(runs: Path) -> Iterator[Submission]:
    """Yield the submissions in a folder of runs; skip damaged ones and those whose runs are finished."""
    try:
        found = sorted((runs / FOLDER).iterdir())
    except OSError:
        return
    for directory in found:
        with suppress(StorageError):
            submission = read_submission(directory)
            if not submission.is_finished():
                yield submission


def require_unsubmitted(directory: Path, mine: str | None) -> None:
    """Check that no other submission is to train a run.

    Args:
        directory: of the run.
        mine: the name of the submission that asks; None for a command that trains here.

    Raises:
        RunBusyError: there is one.
    """
    runs = directory.parent.parent
    if not (runs / FOLDER).is_dir():
        return
    label = f"{directory.parent.name}/{directory.name}"
    for one in submissions(runs):
        if one.directory.name != mine and any(run.directory == label for task in one.tasks for run in task):
            job = f" as job {printable(one.job)}" if one.job else ""
            raise RunBusyError(
                f"{printable(str(directory))}: is submitted to {printable(one.on)}{job}; the same command"
                f" with --on attaches to it. If that job is gone, remove {printable(str(one.directory))}"
            )


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
        found = json.loads(read_bytes(path))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}
