"""Fitting: configs in, trained run directories out.

A command's runs are found, those that are finished are left alone, and the others train in as few stacks as
they can share. Each is carried as far as it goes: what fails for one is its outcome, not the others'.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainrun.fitting.jobs import LockedRun, Outcomes, PreparedRun, Shared, prepare, requested, take_over
from trainrun.fitting.request import Observer, Observers, Outcome, Request, Status
from trainrun.runs.paths import RunPaths, default_runs
from trainrun.runs.reading import Run
from trainrun.runs.submissions import remove_finished, require_unsubmitted, submitted_runs

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
        fresh: start over, even if runs exist.

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
    shared, outcomes = Shared(request.runs), Outcomes()
    prepared: list[PreparedRun] = []
    for job in jobs:
        with outcomes.carrying(job):
            if not request.stopped() and (run := prepare(job, request, observer, shared, outcomes)):
                prepared.append(run)
    try:
        if request.elsewhere and prepared and not request.stopped():
            request.elsewhere.train(prepared, request, observer, outcomes)
        else:
            _train(prepared, request, observer, outcomes)
    finally:
        outcomes.release()
        if request.submission is None:  # a worker leaves the record to the command in front
            remove_finished(request.runs)
    for job in jobs:
        if outcomes.missing(job):  # asked to stop before its turn came
            outcomes.end(job, "interrupted")
    return unreadable + outcomes.of(jobs)


def _train(prepared: Sequence[PreparedRun], request: Request, observer: Observer, outcomes: Outcomes) -> None:
    """Lock what is left to train, all of it before the first step, and train it."""
    locked: dict[Path, LockedRun] = {}
    submitted = submitted_runs(request.runs) if prepared else {}
    # In one order whatever the command's: two commands that want the same runs then never hold half each.
    for ready in sorted(prepared, key=lambda ready: ready.job.directory):
        with outcomes.carrying(ready.job):
            require_unsubmitted(RunPaths(ready.job.directory.absolute()), submitted, request.submission)
            if not request.stopped() and (run := take_over(ready, request, observer, outcomes)):
                locked[run.job.directory] = run
    waiting = [locked[one.job.directory] for one in prepared if one.job.directory in locked]
    if waiting and not request.stopped():
        from trainrun.fitting.stacks import load_engine, shared_stacks, train_stack

        load_engine(request)
        for stack in shared_stacks(waiting):
            if not request.stopped():
                train_stack(stack, request, observer, outcomes)
