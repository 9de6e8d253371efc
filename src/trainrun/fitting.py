"""Fitting: configs in, trained run directories out.

A command's runs are found, those that are finished are left alone, and the others train in as few stacks as
they can share. Each is carried as far as it goes: what fails for one is its outcome, not the others'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trainrun.config import Config, load_config
from trainrun.config.identity import identify
from trainrun.errors import DIVERGED, ResourceError, TrainrunError
from trainrun.events import Event, FitEnded
from trainrun.runs.cleaning import remove
from trainrun.runs.matching import difference_note, require_same
from trainrun.runs.paths import RunPaths, default_runs, run_directory
from trainrun.runs.reading import Run
from trainrun.runs.writing import RunWriter

if TYPE_CHECKING:
    import torch

    from trainrun.data import Dataset
    from trainrun.engine.device import Processors
    from trainrun.plan import Cell, Plan

Status = Literal["complete", "diverged", "interrupted", "failed"]


@dataclass(frozen=True)
class Request:
    """What a command asks to be fitted.

    Attributes:
        configs: config files, or configs that were loaded before.
        overrides: `key=value` texts that override keys of every config file.
        seeds: how many seeds of each config, from its own on, or which; None for its own alone.
        runs: the folder of runs.
        fresh: start over, whatever is there.
        shard: (I, N), I from 1: only the runs that fall to part I of N in turn.
    """

    configs: Sequence[str | Path | Config]
    overrides: Sequence[str] = ()
    seeds: int | Sequence[int] | None = None
    runs: Path = Path("runs")
    fresh: bool = False
    shard: tuple[int, int] | None = None


@dataclass(frozen=True)
class Outcome:
    """How one run of a command ended.

    Attributes:
        directory: the run's; None where its config could not be read.
        status: how far it came.
        error: what went wrong.
    """

    directory: Path | None
    status: Status
    error: TrainrunError | None = None

    @property
    def exit_code(self) -> int:
        """As in docs/exit-codes.md, for this run alone."""
        if self.error:
            return self.error.exit_code
        return DIVERGED if self.status == "diverged" else 0


class Observer:
    """Watches a command's runs, and can change nothing; this one says nothing."""

    def expect(self, runs: int) -> None:
        """The command has so many runs."""

    def already(self, run: Run) -> None:
        """A run was finished before."""

    def begin(self, writers: Sequence[RunWriter]) -> None:
        """A stack begins to train; `writers` are its members', in the order of the events' `member`."""

    def handle(self, event: Event) -> None:
        """Something happened in the stack."""

    def end(self) -> None:
        """The stack has ended."""


def fit(
    *configs: str | Path,
    overrides: Sequence[str] = (),
    seeds: int | None = None,
    runs: str | Path | None = None,
    fresh: bool = False,
) -> list[Run]:
    """Fit configs and return their runs, in (config, seed) order; finished ones are not trained again.

    Args:
        configs: config files.
        overrides: texts such as `learning_rate=0.01`.
        seeds: how many seeds of each, from the config's own on.
        runs: the folder of runs; `$TRAINRUN_RUNS`, else `./runs`, unless given.
        fresh: start over, whatever is there.

    Raises:
        TrainrunError: the first thing that went wrong, once all runs were carried as far as they go. A run
            that diverged is no error: its `status` says so.
    """
    where = default_runs() if runs is None else Path(runs)
    outcomes = carry_out(Request(configs, overrides, seeds, where, fresh), Observer())
    for outcome in outcomes:
        if outcome.error:
            raise outcome.error
    return [Run(outcome.directory) for outcome in outcomes if outcome.directory]


def carry_out(request: Request, observer: Observer) -> list[Outcome]:
    """Fit what is requested, each run as far as it goes.

    Returns:
        An outcome for each config that could not be read, then one for each run, in (config, seed) order.
    """
    jobs, unreadable = _requested(request)
    if request.shard:
        part, parts = request.shard
        jobs = jobs[part - 1 :: parts]
    observer.expect(len(jobs))
    datasets: dict[str, Dataset] = {}
    for job in jobs:
        with job.carrying():
            _prepare(job, request, observer, datasets)
    if waiting := [job for job in jobs if not job.outcome]:
        for stack in _stacks(waiting):
            _train(stack, request.fresh, observer)
    return unreadable + [job.outcome for job in jobs if job.outcome]


@dataclass
class _Job:
    """One run of the command, on its way to an outcome; what comes later on the way is set later."""

    config: Config
    id8: str
    directory: Path
    outcome: Outcome | None = None
    notes: Sequence[str] = ()
    plan: Plan = field(init=False)
    writer: RunWriter = field(init=False)

    @property
    def cell(self) -> Cell:
        return self.plan.cells[0]

    @contextmanager
    def carrying(self) -> Iterator[None]:
        """What goes wrong inside is this run's outcome and nobody else's."""
        try:
            yield
        except TrainrunError as error:
            self.end("failed", error)
        except MemoryError:
            self.end("failed", ResourceError(f"{self.config.name}: out of memory"))

    def end(self, status: Status, error: TrainrunError | None = None) -> None:
        self.outcome = Outcome(self.directory, status, error)


# --- which runs ---------------------------------------------------------------------------------------------


def _requested(request: Request) -> tuple[list[_Job], list[Outcome]]:
    """All runs of the command, each once, and the configs that cannot be read."""
    jobs: dict[tuple[str, int], _Job] = {}
    unreadable = []
    for given in request.configs:
        try:
            config = given if isinstance(given, Config) else load_config(given, request.overrides)
            id8 = _identity(config)
        except TrainrunError as error:
            unreadable.append(Outcome(None, "failed", error))
            continue
        for seed in _seeds(config, request.seeds):
            directory = run_directory(request.runs, config.name, id8, seed)
            jobs.setdefault((id8, seed), _Job(config.with_seed(seed), id8, directory))
    return list(jobs.values()), unreadable


def _identity(config: Config) -> str:
    from trainrun.data import digests  # NumPy comes with it: a config's mistakes are told without

    return identify(config, digests(config.data))


def _seeds(config: Config, wanted: int | Sequence[int] | None) -> Sequence[int]:
    if wanted is None or isinstance(wanted, int):
        return range(config.seed, config.seed + (wanted or 1))
    return wanted


def _prepare(job: _Job, request: Request, observer: Observer, datasets: dict[str, Dataset]) -> None:
    """Find out whether a run is to be trained; if so, give it its data."""
    from trainrun.plan import Cell, make_plan

    if not request.fresh:
        require_same(RunPaths(job.directory), job.config)
        run = Run(job.directory)
        if run.result:
            job.end("diverged" if run.status == "diverged" else "complete")
            observer.already(run)
            return
    dataset = _dataset(job.config, datasets)
    # Alone first: what does not fit its data must not become its neighbours' failure.
    job.plan = make_plan([Cell(job.config, dataset)])
    differs = difference_note(request.runs, job.config, job.id8)
    job.notes = [*([differs] if differs else []), *job.config.warnings, *dataset.notes]


def _dataset(config: Config, datasets: dict[str, Dataset]) -> Dataset:
    """The config's data, read once for all runs of the command that share it."""
    from trainrun.data import load_data

    seed = config.seed if config.data.split.seed == "run" else None
    key = repr((config.data, seed))
    if key not in datasets:
        datasets[key] = load_data(config.data, config.seed)
    return datasets[key]


def _stacks(jobs: list[_Job]) -> Iterator[list[_Job]]:
    from trainrun.plan import stacks

    for places in stacks([job.cell for job in jobs]):
        yield [jobs[place] for place in places]


# --- training -----------------------------------------------------------------------------------------------


def _train(jobs: list[_Job], fresh: bool, observer: Observer) -> None:
    """Train the runs of one stack."""
    from trainrun.engine.device import choose_device, choose_processors

    try:
        device = choose_device(jobs[0].config.device)
    except TrainrunError as error:
        for job in jobs:
            job.end("failed", error)
        return
    first = jobs[0]
    processors = choose_processors(first.config.threads, first.plan, len(jobs), device)
    for job in jobs:
        with job.carrying():
            _begin(job, fresh, str(device), processors)
    begun = [job for job in jobs if not job.outcome]
    if begun:
        _follow(begun, observer, device, processors)


def _begin(job: _Job, fresh: bool, device: str, processors: Processors) -> None:
    if fresh and job.directory.is_dir():
        remove(Run(job.directory))
    require_same(RunPaths(job.directory), job.config)
    job.writer = RunWriter(RunPaths(job.directory), job.config, job.notes)
    preprocessing = job.cell.dataset.preprocessing.to_json()
    job.writer.begin(preprocessing, device=device, threads=processors.threads, parts=processors.parts)


def _follow(jobs: list[_Job], observer: Observer, device: torch.device, processors: Processors) -> None:
    """Train, and hand every event to its run's writer and to the observer."""
    from trainrun.engine.parts import train_parts
    from trainrun.plan import part_plans

    observer.begin([job.writer for job in jobs])
    parts = part_plans([job.cell for job in jobs], processors.parts)
    try:
        for event in train_parts(parts, device=device, threads=processors.threads):
            job = jobs[event.member]
            if not job.outcome:
                with job.carrying():
                    job.writer.handle(event)
                    if isinstance(event, FitEnded):
                        job.end("diverged" if event.status == "diverged" else "complete")
            observer.handle(event)
            if all(job.outcome for job in jobs):
                break
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        _break_off(
            jobs, "failed", ResourceError(f"out of memory: a stack of {len(jobs)} runs does not fit here")
        )
    except KeyboardInterrupt:
        _break_off(jobs, "interrupted")
        raise
    observer.end()


def _break_off(jobs: list[_Job], status: Status, error: TrainrunError | None = None) -> None:
    for job in jobs:
        if not job.outcome:
            with job.carrying():
                job.writer.break_off(status)
                job.end(status, error)
