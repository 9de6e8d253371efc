"""A command's runs before they train: asked for, then prepared with their data, then locked.

Each stage is a frozen record made from the one before; `Outcomes` alone changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainrun.config import Config, load_config
from trainrun.errors import (
    CheckpointError,
    DataMissingError,
    ResourceError,
    RunDirectoryError,
    StorageError,
    TrainrunError,
)
from trainrun.events import Snapshot
from trainrun.fitting.request import Observer, Outcome, Request, Status
from trainrun.fitting.treatment import has_older_reading, require_same_reading, require_same_treatment
from trainrun.os_errors import explained
from trainrun.runs.checkpoint import load_checkpoint
from trainrun.runs.cleaning import clear
from trainrun.runs.files import remove_temporaries
from trainrun.runs.lock import RunLock
from trainrun.runs.matching import difference_note, require_same, require_same_group
from trainrun.runs.origins import record_request
from trainrun.runs.paths import RunPaths, group_directory, seed_directory
from trainrun.runs.reading import Run
from trainrun.runs.saving import tidy
from trainrun.text import printable

if TYPE_CHECKING:
    from trainrun.data import Dataset
    from trainrun.plan import Cell, Plan


@dataclass(frozen=True)
class Job:
    """One run that the command asks for."""

    config: Config
    id8: str
    directory: Path

    @property
    def paths(self) -> RunPaths:
        """The run's files."""
        return RunPaths(self.directory)


@dataclass(frozen=True)
class PreparedRun:
    """A run that is not finished, with its data.

    Attributes:
        job: the run.
        cell: its config and data.
        plan: of this run alone.
        notes: sentences for the console when the run begins; notes about its data come from the dataset.
        warnings: about its settings.
    """

    job: Job
    cell: Cell
    plan: Plan
    notes: Sequence[str]
    warnings: Sequence[str]


@dataclass(frozen=True)
class LockedRun:
    """A run that this process alone may train, and where it continues.

    Attributes:
        prepared: the run with its data.
        snapshot: what it continues from; None where it begins.
        position: the epoch and the steps done before; (0, 0) where it begins.
        notes: sentences for the console when the run begins.
    """

    prepared: PreparedRun
    snapshot: Snapshot | None
    position: tuple[int, int]
    notes: Sequence[str]

    @property
    def job(self) -> Job:
        """The run."""
        return self.prepared.job

    @property
    def cell(self) -> Cell:
        """Its config and data."""
        return self.prepared.cell


class Outcomes:
    """Outcomes of a command's runs so far. A run's lock is held until the run has an outcome."""

    def __init__(self) -> None:
        self._of: dict[Path, Outcome] = {}
        self._locks: dict[Path, RunLock] = {}

    @contextmanager
    def carrying(self, job: Job) -> Iterator[None]:
        """Turn errors inside into this run's outcome; other runs go on."""
        try:
            with explained(job.directory, "be used"):
                yield
        except TrainrunError as error:
            closed = isinstance(error, StorageError) and isinstance(error.__cause__, PermissionError)
            self.end(job, "failed", RunDirectoryError(str(error)) if closed else error)
        except MemoryError:
            self.end(job, "failed", ResourceError(f"{job.config.name}: out of memory"))

    def lock(self, job: Job) -> None:
        """Lock a run until it has an outcome.

        Raises:
            RunBusyError: another process trains it.
        """
        self._locks[job.directory] = RunLock(job.paths)

    def end(self, job: Job, status: Status, error: TrainrunError | None = None) -> None:
        """Set a run's outcome, and let the next process in."""
        self._of[job.directory] = Outcome(job.directory, status, error)
        if lock := self._locks.pop(job.directory, None):
            lock.release()

    def end_as_found(self, job: Job, run: Run, observer: Observer) -> bool:
        """Return whether the run was finished before, and set its outcome if so."""
        if not run.result:
            return False
        self.end(job, "diverged" if run.status == "diverged" else "complete")
        tidy(job.paths)
        observer.already(run)
        return True

    def missing(self, job: Job) -> bool:
        """Return whether a run has no outcome yet."""
        return job.directory not in self._of

    def of(self, jobs: Iterable[Job]) -> list[Outcome]:
        """Return the outcomes of runs, in their order."""
        return [self._of[job.directory] for job in jobs]

    def release(self) -> None:
        """Release all locks that are still held."""
        while self._locks:
            self._locks.popitem()[1].release()


def cannot_continue(run: Path) -> CheckpointError:
    """Return the error for a valid checkpoint that belongs to another run."""
    shown = printable(str(run))
    return CheckpointError(f"{shown}: cannot continue from this checkpoint; --fresh starts over")


def requested(request: Request) -> tuple[list[Job], list[Outcome]]:
    """The runs of a command, each once, in (config, seed) order, and the configs that cannot be read."""
    jobs: dict[tuple[str, int], Job] = {}
    unreadable = []
    for given in request.configs:
        try:
            config = given if isinstance(given, Config) else load_config(given, request.overrides)
            from trainrun.data import identify_config  # imports NumPy: not for an invalid config

            id8 = identify_config(config)
            with explained(request.runs, "be read", RunDirectoryError):
                group = group_directory(request.runs, config.name, id8)
        except TrainrunError as error:
            unreadable.append(Outcome(None, "failed", error))
            continue
        for seed in _seeds(config, request.seeds):
            job = Job(config.with_seed(seed), id8, seed_directory(group, seed))
            jobs.setdefault((id8, seed), job)
    mine = list(jobs.values())
    if request.shard:
        part, parts = request.shard
        mine = mine[part - 1 :: parts]
    return mine, unreadable


class Shared:
    """Facts that the runs of one command share, computed once.

    Args:
        runs: the folder of runs.
    """

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._datasets: dict[str, Dataset] = {}
        self._differences: dict[str, str | None] = {}
        self._recorded: set[str] = set()

    def dataset(self, config: Config) -> Dataset:
        """A config's data."""
        from trainrun.data import dataset_key, load_dataset

        key = dataset_key(config)
        if key not in self._datasets:
            self._datasets[key] = load_dataset(config)
        return self._datasets[key]

    def difference(self, job: Job) -> str | None:
        """Return how a run's config differs from the last config of its name."""
        if job.id8 not in self._differences:
            self._differences[job.id8] = difference_note(self._runs, job.config, job.id8)
        return self._differences[job.id8]

    def record(self, job: Job) -> None:
        """Record that a finished run was asked for; one run speaks for all seeds of its config."""
        if job.id8 not in self._recorded:
            self._recorded.add(job.id8)
            record_request(Run(job.directory), job.config)


def prepare(
    job: Job, request: Request, observer: Observer, shared: Shared, outcomes: Outcomes
) -> PreparedRun | None:
    """Give a run its data; None where it was finished before."""
    from trainrun.plan import Cell, make_plan
    from trainrun.warnings import warnings

    if not request.fresh:
        run = Run(job.directory)
        require_same(run, job.config)
        if run.result and has_older_reading(run):
            _check_reading(run, job.config, shared)
        if outcomes.end_as_found(job, run, observer):
            shared.record(job)
            return None
    cell = Cell(job.config, shared.dataset(job.config))
    # Alone first: what does not fit its data must not become its neighbours' failure.
    plan = make_plan([cell])
    if job.config.device.startswith("cuda") and not request.elsewhere:
        from trainrun.engine.device import choose_device

        choose_device(job.config.device)  # before anything is made here
    differs = shared.difference(job)
    return PreparedRun(job, cell, plan, [differs] if differs else [], warnings(job.config, cell.dataset))


def take_over(
    prepared: PreparedRun, request: Request, observer: Observer, outcomes: Outcomes
) -> LockedRun | None:
    """Lock a run, and find out where it continues; None where another process has just finished it."""
    job = prepared.job
    outcomes.lock(job)
    if request.fresh:
        require_same_group(Run(job.directory), job.config)  # before anything is lost
        clear(Run(job.directory))
    run = Run(job.directory)
    require_same(run, job.config)
    if outcomes.end_as_found(job, run, observer):  # by the process that held the lock until now
        return None
    remove_temporaries(job.directory)
    loaded = load_checkpoint(job.paths)
    if not loaded:
        return LockedRun(prepared, None, (0, 0), prepared.notes)
    require_same_treatment(job.paths, loaded.snapshot, prepared.cell.dataset.preprocessing)
    epoch, steps = position = _position(job, loaded.snapshot)
    warning = [loaded.warning] if loaded.warning else []
    notes = [f"Continuing from epoch {epoch}, step {steps}", *warning]
    return LockedRun(prepared, loaded.snapshot, position, notes)


def _position(job: Job, snapshot: Snapshot) -> tuple[int, int]:
    epoch, steps = snapshot.facts.get("epoch"), snapshot.facts.get("steps")
    if not (isinstance(epoch, int) and isinstance(steps, int)):
        raise cannot_continue(job.directory)
    return epoch, steps


def _check_reading(run: Run, config: Config, shared: Shared) -> None:
    """Check a finished run of an older release against its data, where the data is still there."""
    try:
        dataset = shared.dataset(config)
    except DataMissingError:
        return
    require_same_reading(run, dataset.preprocessing)


def _seeds(config: Config, wanted: int | Sequence[int] | None) -> Sequence[int]:
    if wanted is None or isinstance(wanted, int):
        return range(config.seed, config.seed + (wanted or 1))
    return wanted
