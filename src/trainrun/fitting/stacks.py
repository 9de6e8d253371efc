"""The runs of one stack: trained together, each kept on disk."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from trainrun.errors import ResourceError, TrainrunError, as_out_of_memory
from trainrun.events import Event, FitEnded, Paused
from trainrun.fitting.jobs import Job, LockedRun, Outcomes, cannot_continue
from trainrun.fitting.request import Observer, Request, Status
from trainrun.fitting.treatment import treatment
from trainrun.runs.saving import finish, save
from trainrun.runs.writing import RunWriter

if TYPE_CHECKING:
    import torch

    from trainrun.engine.device import Processors
    from trainrun.engine.training import Pauses


@dataclass(frozen=True)
class _BegunRun:
    """A locked run whose files are open."""

    locked: LockedRun
    writer: RunWriter

    @property
    def job(self) -> Job:
        return self.locked.job


def shared_stacks(runs: Sequence[LockedRun]) -> Iterator[list[LockedRun]]:
    """The runs in as few stacks as they can share: those that continue do so from the same step."""
    from trainrun.plan import stacks

    positions: dict[tuple[int, int], list[LockedRun]] = {}
    for run in runs:
        positions.setdefault(run.position, []).append(run)
    for together in positions.values():
        for members in stacks([run.cell for run in together]):
            yield [together[member] for member in members]


def load_engine(request: Request) -> None:
    """Import what trains, which takes seconds; a request to stop does not wait for it."""

    def load() -> None:
        importlib.import_module("trainrun.engine.workers")

    if request.stop:
        request.stop.wait_for(load)
    else:
        load()


def train_stack(runs: Sequence[LockedRun], request: Request, observer: Observer, outcomes: Outcomes) -> None:
    """Train the runs of one stack, each to its outcome."""
    from trainrun.engine.device import choose_device, choose_processors
    from trainrun.engine.training import Pauses

    config, plan = runs[0].job.config, runs[0].prepared.plan
    device = choose_device(config.device)
    processors = choose_processors(config.threads, plan, len(runs), device)
    begun = []
    for run in runs:
        with outcomes.carrying(run.job):
            begun.append(_begin(run, str(device), processors))
    if begun:
        pauses = Pauses(request.stopped, request.save_seconds)
        _follow(_Recorder(begun, observer, outcomes), device, processors, pauses, request)


def _begin(run: LockedRun, device: str, processors: Processors) -> _BegunRun:
    from trainrun.engine.snapshots import require_continuable

    job, dataset = run.job, run.cell.dataset
    writer = RunWriter(job.paths, job.config, run.notes, dataset.notes, run.prepared.warnings)
    try:
        if run.snapshot:
            require_continuable(run.prepared.plan, run.snapshot)
        writer.begin(
            dataset.preprocessing.to_json(),
            device=device,
            threads=processors.threads,
            parts=processors.parts,
            snapshot=run.snapshot,
            treatment=treatment(dataset.preprocessing),
        )
    except (ValueError, KeyError, TypeError, OverflowError) as error:  # whole, but no checkpoint of this run
        raise cannot_continue(job.directory) from error
    return _BegunRun(run, writer)


def _follow(
    recorder: _Recorder, device: torch.device, processors: Processors, pauses: Pauses, request: Request
) -> None:
    """Train, and record every event."""
    from trainrun.engine.workers import Slice, train_parts
    from trainrun.plan import part_plans

    runs = [run.locked for run in recorder.runs]
    recorder.observer.begin([run.writer.info for run in recorder.runs])
    plans = part_plans([run.cell for run in runs], processors.parts)
    snapshots = iter([run.snapshot for run in runs if run.snapshot])
    parts = [[Slice(plan, list(islice(snapshots, len(plan.starts))))] for plan in plans]
    try:
        for event in train_parts(parts, device=device, threads=processors.threads, pauses=pauses):
            recorder.take(event)
            if not recorder.has_open:
                break
        recorder.write()
    except (MemoryError, RuntimeError, ResourceError) as error:
        failure = as_out_of_memory(error, f"training {len(runs)} runs together")
        recorder.break_off("failed", error=failure)
    except KeyboardInterrupt:  # of a program that uses the library; a command asks to stop instead
        recorder.break_off("interrupted")
        raise
    recorder.observer.end()
    recorder.break_off("interrupted", request.reason)


class _Recorder:
    """Hands events to runs and observer; what must be on disk at once is written for all together.

    Attributes:
        runs: of the stack, in the order of the events' `member`.
        observer: receives every event.
    """

    def __init__(self, runs: Sequence[_BegunRun], observer: Observer, outcomes: Outcomes) -> None:
        self.runs, self.observer, self._outcomes = runs, observer, outcomes
        self._open = dict(enumerate(runs))
        self._held: dict[int, Paused | FitEnded] = {}  # of one kind, by member

    @property
    def has_open(self) -> bool:
        """Whether a run is still open."""
        return bool(self._open)

    def take(self, event: Event) -> None:
        """Take an event in."""
        if type(event) is not type(next(iter(self._held.values()), event)):
            self.write()
        run = self._open.get(event.member)
        if not run:
            return
        with self._outcomes.carrying(run.job):
            run.writer.handle(event)
        if not self._outcomes.missing(run.job):  # it failed just now, and its lock is gone
            del self._open[event.member]
            return
        if isinstance(event, Paused | FitEnded):
            self._held[event.member] = event
            if len(self._held) == len(self._open):
                self.write()
        else:
            self.observer.handle(event)

    def write(self) -> None:
        """Write what is held; a run that has ended is announced once it is on disk."""
        held, self._held = self._held, {}
        ended = {member: event for member, event in held.items() if isinstance(event, FitEnded)}
        paused = {member: event for member, event in held.items() if isinstance(event, Paused)}
        try:
            save({self.runs[member].writer: event for member, event in paused.items()})
            finish({self.runs[member].writer: event for member, event in ended.items()})
        except TrainrunError as error:
            for member in held:
                self._outcomes.end(self._open.pop(member).job, "failed", error)
            return
        for member, event in ended.items():
            status: Status = "diverged" if event.status == "diverged" else "complete"
            self._outcomes.end(self._open.pop(member).job, status)
            self.observer.handle(event)

    def break_off(
        self, status: Status, reason: str | None = None, error: TrainrunError | None = None
    ) -> None:
        """End the runs that have no outcome."""
        while self._open:
            _, run = self._open.popitem()
            with self._outcomes.carrying(run.job):
                run.writer.break_off(status, reason)
                self._outcomes.end(run.job, status, error)
