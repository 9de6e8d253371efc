"""Runs that were trained elsewhere, written as `fit` would have written them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from trainrun.errors import RunBusyError
from trainrun.events import Event, FitEnded
from trainrun.fitting.jobs import Job
from trainrun.fitting.treatment import treatment
from trainrun.plan import Cell
from trainrun.runs.files import remove_temporaries
from trainrun.runs.history import History
from trainrun.runs.lock import RunLock
from trainrun.runs.matching import require_same
from trainrun.runs.reading import Run
from trainrun.runs.saving import finish
from trainrun.runs.writing import RunWriter
from trainrun.warnings import warnings


@dataclass(frozen=True)
class FinishedRun:
    """A run that was trained to its end, but is not on disk yet.

    Attributes:
        job: the run.
        cell: its config and data.
        history: of its epochs.
        ended: how it ended.
        device: the device that trained it.
        threads: that shared an operation.
    """

    job: Job
    cell: Cell
    history: History
    ended: FitEnded
    device: str
    threads: int


def land(finished: Sequence[FinishedRun]) -> list[RunBusyError]:
    """Write runs that are not there yet; on disk when this returns.

    Returns:
        An error for each run that another process is training, which is left to that process.

    Raises:
        DifferentRunError: a run's directory holds another config.
        StorageError: writing failed.
        ResourceError: out of file descriptors or memory.
    """
    busy: list[RunBusyError] = []
    with ExitStack() as locks:
        ended = {}
        for one in finished:
            try:
                locks.enter_context(RunLock(one.job.paths))
            except RunBusyError as error:
                busy.append(error)
                continue
            found = Run(one.job.directory)
            require_same(found, one.job.config)
            if not found.result:
                remove_temporaries(found.directory)
                ended[_written(one)] = one.ended
        finish(ended)
    return busy


def _written(one: FinishedRun) -> RunWriter:
    """Return the writer of a run whose epochs are written."""
    dataset = one.cell.dataset
    writer = RunWriter(one.job.paths, one.job.config, (), dataset.notes, warnings(one.job.config, dataset))
    writer.begin(
        dataset.preprocessing.to_json(),
        device=one.device,
        threads=one.threads,
        treatment=treatment(dataset.preprocessing),
    )
    events: list[Event] = [one.history.started, *one.history.epochs(), one.ended]
    for event in events:
        writer.handle(event)
    return writer
