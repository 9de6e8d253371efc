"""Fitting: configs in, trained run directories out.

A command's runs are found, those that are finished are left alone, and the others train in as few stacks as
they can share. Each is carried as far as it goes: what fails for one is its outcome, not the others'.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainrun.fitting.jobs import Job, Shared, prepare, requested, take_over
from trainrun.fitting.request import Observer, Observers, Outcome, Request, Status
from trainrun.runs.paths import default_runs
from trainrun.runs.reading import Run

__all__ = ["Observer", "Observers", "Outcome", "Request", "Status", "carry_out", "fit"]


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
    jobs, unreadable = requested(request)
    observer.expect(len(jobs))
    shared = Shared(request.runs)
    for job in jobs:
        with job.carrying():
            if not request.stopped():
                prepare(job, request, observer, shared)
    try:
        _train(jobs, request, observer)
    finally:
        for job in jobs:
            job.release()
    return unreadable + [job.outcome for job in jobs if job.outcome]


def _train(jobs: Sequence[Job], request: Request, observer: Observer) -> None:
    """Take what is left to train, all of it before the first step, and train it."""
    # In one order whatever the command's: two commands that want the same runs then never hold half each.
    for job in sorted((job for job in jobs if not job.outcome), key=lambda job: job.directory):
        with job.carrying():
            if not request.stopped():
                take_over(job, request, observer)
    waiting = [job for job in jobs if not job.outcome]
    if waiting and not request.stopped():
        from trainrun.fitting.stacks import load_engine, shared_stacks, train_stack

        load_engine(request)
        for stack in shared_stacks(waiting):
            if not request.stopped():
                train_stack(stack, request, observer)
    for job in waiting:
        if not job.outcome:  # asked to stop before its turn came
            job.end("interrupted")
