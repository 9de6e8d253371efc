"""Rungs of a search on other machines: each task trains some candidates to the end of an epoch.

A task keeps the state of its candidates in a checkpoint of its own, from which it goes on after a kill. So
the command in front only waits, and takes the states back. What trains where changes no bit.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainrun.config import to_yaml
from trainrun.config.loading import load_saved
from trainrun.data import dataset_key, load_dataset
from trainrun.errors import (
    CheckpointError,
    ResourceError,
    StorageError,
    TrainrunError,
    UsageError,
    error_of,
)
from trainrun.jsonio import to_json, to_json_file
from trainrun.machines.cutting import cut
from trainrun.machines.machine import STOPPED
from trainrun.machines.tasks import make_tasks
from trainrun.plan import Cell
from trainrun.runs.checkpoint import load_checkpoint, save_checkpoints
from trainrun.runs.files import make_directory, read_bytes, write_files
from trainrun.runs.paths import WorkPaths
from trainrun.runs.submissions import FOLDER, read_report
from trainrun.searching.trainings import Candidate, Training, bundle, unbundle
from trainrun.text import printable

if TYPE_CHECKING:
    from trainrun.machines import Front
    from trainrun.signals import StopRequest

#: The record of a rung.
RECORD = "rung.json"
_VERSION = 1
_PAUSE = 0.5  # seconds from one look at the tasks' reports to the next
_SECONDS_BETWEEN_REPORTS = 1.0
_MOST_TRIES = 3  # of tasks that vanish


@dataclass(frozen=True)
class Rung:
    """Candidates that train to the end of an epoch.

    Attributes:
        name: of the search.
        generation: of the candidates.
        until: the epoch.
        metric: by which they are judged.
        larger_is_better: its direction.
        runs: the folder of runs.
        save_seconds: from one checkpoint to the next.
    """

    name: str
    generation: int
    until: int
    metric: str
    larger_is_better: bool
    runs: Path
    save_seconds: float

    @property
    def directory(self) -> Path:
        """The folder of its files, which workers see too."""
        return self.runs.absolute() / FOLDER / f"{self.name}-{self.generation}-{self.until}"


def train_elsewhere(
    rung: Rung,
    trainings: Sequence[Training],
    front: Front,
    stopped: Callable[[], bool],
    progress: Callable[[int], None],
) -> bool:
    """Train candidates on other machines; return False if asked to stop before all have ended their epoch.

    Args:
        rung: what is to be trained.
        trainings: the candidates; their states are those of the end afterwards.
        front: the machine.
        stopped: whether to stop.
        progress: is called now and then.

    Raises:
        TrainrunError: a task failed, or the machine refuses.
    """
    machine = front.machine
    if machine.settings.get("shared") == "no":
        raise UsageError(f"--on {machine.name}: a search needs machines that see the folder of runs")
    parts = _submitted(rung, trainings)
    if not parts:
        most = min(front.workers or machine.workers, machine.most_tasks() or len(trainings))
        parts = [[trainings[place] for place in part] for part in cut([one.cell for one in trainings], most)]
        _write(rung, parts)
    job = _job(rung)
    tries, asked = 0, -math.inf
    while left := [task for task in range(len(parts)) if not _is_done(rung, task)]:
        if stopped():
            with suppress(TrainrunError):
                write_files({rung.directory / STOPPED: b""})
            if job:
                with suppress(TrainrunError):
                    machine.stop(job)
            return False
        if time.monotonic() - asked >= machine.longest_wait:
            alive = machine.alive(job) if job else set()
            asked = time.monotonic()
            if alive is not None and not alive & set(left):
                if tries == _MOST_TRIES:
                    raise ResourceError(f"tasks of the search end without their work; see {rung.directory}")
                tries += 1
                job = _submit(rung, {task: parts[task] for task in left}, front)
        progress(rung.until)
        time.sleep(_PAUSE)
    for task, part in enumerate(parts):
        loaded = load_checkpoint(_paths(rung.directory, task))
        if not loaded or unbundle(loaded.snapshot, rung.generation, part) is None:
            raise CheckpointError(f"{rung.directory}: a task of the search left no valid state")
    _remove(rung.directory)
    return True


def work_on_rung(directory: Path, task: int, stop: StopRequest) -> int:
    """Train the candidates of one task of a rung; return the exit code."""
    from trainrun.searching.generation import Generation

    report = directory / f"task-{task}.json"
    try:
        facts = _record(directory)
        trainings = _trainings(directory, facts, task)
        told = 0.0

        def progress(_: int) -> None:
            nonlocal told
            if time.monotonic() - told >= _SECONDS_BETWEEN_REPORTS:
                told = time.monotonic()
                write_files({report: to_json({"epochs": sum(one.epochs for one in trainings)}).encode()})

        generation = Generation(
            number=facts["generation"],
            trainings=trainings,
            judged_after=(),
            larger_is_better=facts["larger_is_better"],
            paths=_paths(directory, task),
            runs=directory.parent.parent,
            stopped=stop.requested,
            save_seconds=facts["save_seconds"],
            progress=progress,
        )
        generation.restore()
        is_done = generation.train_slice(facts["until"])
        if is_done:
            write_files({report: to_json({"done": True}).encode()})
        return 0 if is_done else stop.exit_code
    except TrainrunError as error:
        write_files({report: to_json({"error": str(error), "code": error.exit_code}).encode()})
        return error.exit_code


def _is_done(rung: Rung, task: int) -> bool:
    """Return whether a task has trained all of its candidates.

    Raises:
        TrainrunError: it failed.
    """
    report = read_report(rung.directory / f"task-{task}.json")
    if isinstance(report.get("error"), str):
        code = report.get("code")
        _remove(rung.directory)
        raise error_of(code if isinstance(code, int) else 1, printable(report["error"]))
    return report.get("done") is True


def _submitted(rung: Rung, trainings: Sequence[Training]) -> list[list[Training]]:
    """The candidates of each task that an earlier command has submitted; none if it submitted others."""
    with suppress(StorageError):
        known = {one.candidate.number: one for one in trainings}
        numbers = [[one["number"] for one in task] for task in _record(rung.directory)["tasks"]]
        if sorted(number for task in numbers for number in task) == sorted(known):
            return [[known[number] for number in task] for task in numbers]
    return []


def _write(rung: Rung, parts: Sequence[Sequence[Training]]) -> None:
    """Write the record and the state of each task; on disk when this returns."""
    _remove(rung.directory)
    make_directory(rung.directory)
    contents = {
        rung.directory / f"config-{one.candidate.number}.yaml": to_yaml(one.candidate.config).encode()
        for part in parts
        for one in part
    }
    write_files(contents)
    for task, part in enumerate(parts):
        paths = _paths(rung.directory, task)
        make_directory(paths.directory)
        save_checkpoints({paths: bundle(rung.generation, 0, part)})
    facts = {
        "version": _VERSION,
        "generation": rung.generation,
        "until": rung.until,
        "metric": rung.metric,
        "larger_is_better": rung.larger_is_better,
        "save_seconds": rung.save_seconds,
        "tasks": [
            [
                {"number": c.number, "bracket": c.bracket, "id8": c.id8}
                for c in (one.candidate for one in part)
            ]
            for part in parts
        ],
    }
    write_files({rung.directory / RECORD: to_json_file(facts)})


def _submit(rung: Rung, parts: Mapping[int, Sequence[Training]], front: Front) -> str:
    with suppress(OSError):
        (rung.directory / STOPPED).unlink()
    configs = {task: [one.candidate.config for one in part] for task, part in parts.items()}
    tasks = make_tasks(rung.directory, configs)
    try:
        job = front.machine.submit(rung.directory.name, tasks, rung.directory)
    except BaseException:
        if not _job(rung):  # else its tasks have states that are worth keeping
            _remove(rung.directory)
        raise
    write_files({rung.directory / "job.json": to_json({"job": job}).encode()})
    return job


def _job(rung: Rung) -> str | None:
    job = read_report(rung.directory / "job.json").get("job")
    return job if isinstance(job, str) else None


def _record(directory: Path) -> dict[str, Any]:
    """Read the record of a rung.

    Raises:
        StorageError: it is missing or damaged.
    """
    try:
        facts: dict[str, Any] = json.loads(read_bytes(directory / RECORD))
        if facts["version"] != _VERSION:
            raise ValueError("of another version")
        checked = {
            "generation": int(facts["generation"]),
            "until": int(facts["until"]),
            "metric": str(facts["metric"]),
            "larger_is_better": facts["larger_is_better"] is True,
            "save_seconds": float(facts["save_seconds"]),
        }
        tasks = [
            [
                {"number": int(one["number"]), "bracket": int(one["bracket"]), "id8": str(one["id8"])}
                for one in task
            ]
            for task in facts["tasks"]
        ]
        return {**checked, "tasks": tasks}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageError(f"{printable(str(directory))}: its record is damaged") from error


def _trainings(directory: Path, facts: dict[str, Any], task: int) -> list[Training]:
    cells: dict[str, Any] = {}
    found = []
    for one in facts["tasks"][task]:
        config, _ = load_saved(directory / f"config-{one['number']}.yaml")
        key = dataset_key(config)
        if key not in cells:
            cells[key] = load_dataset(config)
        candidate = Candidate(
            number=one["number"],
            generation=facts["generation"],
            bracket=one["bracket"],
            point={},
            settings={},
            config=config.with_origin("search"),
            id8=one["id8"],
        )
        found.append(Training(candidate, Cell(candidate.config, cells[key]), facts["metric"]))
    return found


def _paths(directory: Path, task: int) -> WorkPaths:
    return WorkPaths(directory / f"task-{task}")


def _remove(directory: Path) -> None:
    with suppress(OSError):
        (directory / RECORD).unlink()  # first: what is left is no work
    shutil.rmtree(directory, ignore_errors=True)
    with suppress(OSError):
        directory.parent.rmdir()
