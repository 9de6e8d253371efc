"""A command's runs on their way: from a config to a lock, a plan and the place where it continues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    printable,
)
from trainrun.events import Snapshot
from trainrun.fitting.request import Observer, Outcome, Request, Status
from trainrun.fitting.treatment import has_older_reading, require_same_reading, require_same_treatment
from trainrun.runs.checkpoint import load_checkpoint
from trainrun.runs.cleaning import clear
from trainrun.runs.files import explained, remove_temporaries
from trainrun.runs.lock import RunLock
from trainrun.runs.matching import difference_note, require_same, require_same_group
from trainrun.runs.origins import record_request
from trainrun.runs.paths import RunPaths, group_directory, seed_directory
from trainrun.runs.reading import Run
from trainrun.runs.saving import tidy
from trainrun.runs.writing import RunWriter

if TYPE_CHECKING:
    from trainrun.data import Dataset
    from trainrun.plan import Cell, Plan


@dataclass
class Job:
    """One run of the command, on its way to an outcome; what comes later on the way is set later.

    Attributes:
        outcome: how it ended; None while it has not.
        notes: sentences for the console when the run begins; notes about its data come from the dataset.
        warnings: about its settings.
        lock: held from before it trains until it has ended.
        snapshot: where it continues.
        plan: of this run alone.
    """

    config: Config
    id8: str
    directory: Path
    outcome: Outcome | None = None
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    lock: RunLock | None = None
    snapshot: Snapshot | None = None
    plan: Plan = field(init=False)
    writer: RunWriter = field(init=False)

    @property
    def cell(self) -> Cell:
        """The run as a plan has it."""
        return self.plan.cells[0]

    @property
    def paths(self) -> RunPaths:
        """The run's files."""
        return RunPaths(self.directory)

    @property
    def place(self) -> tuple[int, int]:
        """The epoch in which it continues and the steps done; (0, 0) where it begins.

        Raises:
            CheckpointError: its snapshot does not say.
        """
        if not self.snapshot:
            return 0, 0
        epoch, steps = self.snapshot.facts.get("epoch"), self.snapshot.facts.get("steps")
        if not (isinstance(epoch, int) and isinstance(steps, int)):
            raise cannot_continue(self.directory)
        return epoch, steps

    @contextmanager
    def carrying(self) -> Iterator[None]:
        """Turn errors inside into this run's outcome; other runs go on."""
        try:
            with explained(self.directory, "be used"):
                yield
        except TrainrunError as error:
            closed = isinstance(error, StorageError) and isinstance(error.__cause__, PermissionError)
            self.end("failed", RunDirectoryError(str(error)) if closed else error)
        except MemoryError:
            self.end("failed", ResourceError(f"{self.config.name}: out of memory"))

    def end(self, status: Status, error: TrainrunError | None = None) -> None:
        """Have this outcome, and let the next process in."""
        self.outcome = Outcome(self.directory, status, error)
        self.release()

    def end_as_found(self, run: Run, observer: Observer) -> bool:
        """Return whether the run was finished before, and set its outcome if so."""
        if not run.result:
            return False
        self.end("diverged" if run.status == "diverged" else "complete")
        tidy(self.paths)
        observer.already(run)
        return True

    def release(self) -> None:
        """Give the lock back, where it is held."""
        if self.lock:
            lock, self.lock = self.lock, None
            lock.release()


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
            from trainrun.data import identify_config  # with NumPy: a config's mistakes are told without

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
        from trainrun.data import load_data

        seed = config.seed if config.data.split.seed == "run" else None
        key = repr((config.data, seed))
        if key not in self._datasets:
            self._datasets[key] = load_data(config.data, config.seed)
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


def prepare(job: Job, request: Request, observer: Observer, shared: Shared) -> None:
    """Find out whether a run is to be trained; if so, give it its data."""
    from trainrun.plan import Cell, make_plan
    from trainrun.warnings import warnings

    if not request.fresh:
        run = Run(job.directory)
        require_same(run, job.config)
        if run.result and has_older_reading(run):
            _check_reading(run, job.config, shared)
        if job.end_as_found(run, observer):
            shared.record(job)
            return
    dataset = shared.dataset(job.config)
    # Alone first: what does not fit its data must not become its neighbours' failure.
    job.plan = make_plan([Cell(job.config, dataset)])
    if job.config.device.startswith("cuda"):
        from trainrun.engine.device import choose_device

        choose_device(job.config.device)  # before anything is made here
    differs = shared.difference(job)
    job.notes = [differs] if differs else []
    job.warnings = warnings(job.config, dataset)


def take_over(job: Job, request: Request, observer: Observer) -> None:
    """Lock a run, and find out where it continues."""
    job.lock = RunLock(job.paths)
    if request.fresh:
        require_same_group(Run(job.directory), job.config)  # before anything is lost
        clear(Run(job.directory))
    run = Run(job.directory)
    require_same(run, job.config)
    if job.end_as_found(run, observer):  # by the process that held the lock until now
        return
    remove_temporaries(job.directory)
    if loaded := load_checkpoint(job.paths):
        require_same_treatment(job.paths, loaded.snapshot, job.cell.dataset.preprocessing)
        job.snapshot = loaded.snapshot
        epoch, steps = job.place
        warning = [loaded.warning] if loaded.warning else []
        job.notes = [f"Continuing from epoch {epoch}, step {steps}", *warning]


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
