"""The runs of one stack: trained together, each kept on disk."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from trainrun.errors import ResourceError, TrainrunError, as_out_of_memory
from trainrun.events import Event, FitEnded, Paused
from trainrun.fitting.jobs import Job, cannot_continue
from trainrun.fitting.request import Observer, Request, Status
from trainrun.fitting.treatment import treatment
from trainrun.runs.saving import finish, save
from trainrun.runs.writing import RunWriter

if TYPE_CHECKING:
    import torch

    from trainrun.engine.device import Processors
    from trainrun.engine.training import Pauses


def shared_stacks(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """The runs in as few stacks as they can share: those that continue do so from the same step."""
    from trainrun.plan import stacks

    places: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        places.setdefault(job.place, []).append(job)
    for together in places.values():
        for members in stacks([job.cell for job in together]):
            yield [together[member] for member in members]


def load_engine(request: Request) -> None:
    """Import what trains, which takes seconds; a request to stop does not wait for it."""

    def load() -> None:
        importlib.import_module("trainrun.engine.workers")

    if request.stop:
        request.stop.wait_for(load)
    else:
        load()


def train_stack(jobs: list[Job], request: Request, observer: Observer) -> None:
    """Train the runs of one stack, each to its outcome."""
    from trainrun.engine.device import choose_device, choose_processors
    from trainrun.engine.training import Pauses

    first = jobs[0]
    device = choose_device(first.config.device)
    processors = choose_processors(first.config.threads, first.plan, len(jobs), device)
    for job in jobs:
        with job.carrying():
            _begin(job, str(device), processors)
    if begun := [job for job in jobs if not job.outcome]:
        pauses = Pauses(request.stopped, request.save_seconds)
        _follow(begun, observer, device, processors, pauses)
        for job in begun:
            if not job.outcome:
                _break_off(job, "interrupted", request.reason)


def _begin(job: Job, device: str, processors: Processors) -> None:
    from trainrun.engine.snapshots import require_continuable

    job.writer = RunWriter(job.paths, job.config, job.notes, job.cell.dataset.notes, job.warnings)
    try:
        if job.snapshot:
            require_continuable(job.plan, job.snapshot)
        preprocessing = job.cell.dataset.preprocessing
        job.writer.begin(
            preprocessing.to_json(),
            device=device,
            threads=processors.threads,
            parts=processors.parts,
            snapshot=job.snapshot,
            treatment=treatment(preprocessing),
        )
    except (ValueError, KeyError, TypeError, OverflowError) as error:  # whole, but no checkpoint of this run
        raise cannot_continue(job.directory) from error


def _follow(
    jobs: list[Job], observer: Observer, device: torch.device, processors: Processors, pauses: Pauses
) -> None:
    """Train, and hand every event to its run and to the observer."""
    from trainrun.engine.workers import train_parts
    from trainrun.plan import part_plans

    observer.begin([job.writer.info for job in jobs])
    plans = part_plans([job.cell for job in jobs], processors.parts)
    snapshots = [job.snapshot for job in jobs if job.snapshot]
    recorder = _Recorder(jobs, observer)
    try:
        for event in train_parts(
            plans, device=device, threads=processors.threads, pauses=pauses, snapshots=snapshots
        ):
            recorder.take(event)
            if all(job.outcome for job in jobs):
                break
        recorder.write()
    except (MemoryError, RuntimeError, ResourceError) as error:
        failure = as_out_of_memory(error, f"training {len(jobs)} runs together")
        for job in jobs:
            if not job.outcome:
                _break_off(job, "failed", error=failure)
    except KeyboardInterrupt:  # of a program that uses the library; a command asks to stop instead
        for job in jobs:
            if not job.outcome:
                _break_off(job, "interrupted")
        raise
    observer.end()


class _Recorder:
    """Hands events to runs and observer; what must be on disk at once is written for all together."""

    def __init__(self, jobs: Sequence[Job], observer: Observer) -> None:
        self._jobs, self._observer = jobs, observer
        self._held: dict[int, Paused | FitEnded] = {}  # of one kind, by member

    def take(self, event: Event) -> None:
        """Take an event in."""
        if any(type(event) is not type(held) for held in self._held.values()):
            self.write()
        job = self._jobs[event.member]
        if job.outcome:
            return
        with job.carrying():
            job.writer.handle(event)
        if job.outcome:  # it failed just now, and its lock is gone
            return
        if isinstance(event, Paused | FitEnded):
            self._held[event.member] = event
            if len(self._held) == sum(not job.outcome for job in self._jobs):
                self.write()
        else:
            self._observer.handle(event)

    def write(self) -> None:
        """Write what is held; a run that has ended is told of once it is on disk."""
        held, self._held = self._held, {}
        ended = {member: event for member, event in held.items() if isinstance(event, FitEnded)}
        paused = {member: event for member, event in held.items() if isinstance(event, Paused)}
        try:
            save({self._jobs[member].writer: event for member, event in paused.items()})
            finish({self._jobs[member].writer: event for member, event in ended.items()})
        except TrainrunError as error:
            for member in held:
                self._jobs[member].end("failed", error)
            return
        for member, event in ended.items():
            self._jobs[member].end("diverged" if event.status == "diverged" else "complete")
            self._observer.handle(event)


def _break_off(
    job: Job, status: Status, reason: str | None = None, error: TrainrunError | None = None
) -> None:
    with job.carrying():
        job.writer.break_off(status, reason)
        job.end(status, error)
