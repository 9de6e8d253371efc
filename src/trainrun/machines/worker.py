"""Worker: trains the runs of one task of a submission, on whatever machine it was started."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, get_args

from trainrun.config import Config
from trainrun.config.loading import load_saved
from trainrun.config.model import Origin
from trainrun.data import digests, identify_config
from trainrun.errors import DataMissingError, RunBusyError, TrainrunError, exit_code
from trainrun.events import EpochEnded, Event, FitEnded, FitStarted
from trainrun.fitting import Observer, Outcome, Request, carry_out
from trainrun.jsonio import to_json
from trainrun.runs.files import write_files
from trainrun.runs.reading import Run
from trainrun.runs.submissions import Submission, SubmittedRun, read_submission
from trainrun.runs.writing import RunInfo
from trainrun.signals import StopRequest

_ORIGINS: tuple[Origin, ...] = get_args(Origin)
_SECONDS_BETWEEN_REPORTS = 1.0
_SECONDS_FOR_OTHERS = 60.0  # to save and let go of a run


def work(directory: Path, number: int, stop: StopRequest | None = None) -> int:
    """Train the runs of a task, all that are not finished.

    Args:
        directory: of the submission.
        number: of the task.
        stop: asks it to save and leave.

    Returns:
        The exit code, as `trainrun fit` would have it.

    Raises:
        StorageError: the submission cannot be read.
    """
    submission = read_submission(directory)
    report = _Report(submission.report(number), len(submission.tasks[number]))
    try:
        configs = _configs(submission, submission.tasks[number])
        request = Request(
            configs,
            runs=submission.runs,
            stop=stop,
            save_seconds=submission.save_seconds,
            submission=submission.directory.name,
        )
        outcomes = _until_free(request, report)
    except TrainrunError as error:
        outcomes = [Outcome(None, "failed", error)]
    report.close(outcomes)
    return exit_code(outcome.exit_code for outcome in outcomes)


def _until_free(request: Request, report: Observer) -> list[Outcome]:
    """Train, and again what another process had: a task that was started anew may meet the one before it."""
    end = monotonic() + _SECONDS_FOR_OTHERS
    while True:
        outcomes = carry_out(request, report)
        is_busy = any(isinstance(one.error, RunBusyError) for one in outcomes)
        if not is_busy or request.stopped() or monotonic() > end:
            return outcomes
        sleep(1)


def _configs(submission: Submission, task: Sequence[SubmittedRun]) -> list[Config]:
    """The configs of a task's runs, each with its seed.

    Raises:
        DataMissingError: the data here are missing, or others than those of the command.
    """
    loaded: dict[int, Config] = {}
    found = []
    for run in task:
        if run.config not in loaded:
            config, _ = load_saved(submission.config(run.config))
            _require_same_data(config, run)
            origin = next((one for one in _ORIGINS if one == submission.origins[run.config]), config.origin)
            loaded[run.config] = config.with_origin(origin)
        found.append(loaded[run.config].with_seed(run.seed))
    return found


def _require_same_data(config: Config, run: SubmittedRun) -> None:
    here = digests(config.data)
    if differing := [role for role, digest in run.digests.items() if here.get(role) != digest]:
        role = differing[0]
        path = getattr(config.data, role, None) or config.data.path
        raise DataMissingError(
            f"{path}: other data on {socket.gethostname()}: the fingerprint is"
            f" {here.get(role, 'none')[:12]} here, and {run.digests[role][:12]} where the command runs"
        )
    if identify_config(config) != run.id8:
        raise DataMissingError(
            f"{config.name}: is another config on {socket.gethostname()} ({identify_config(config)}, not"
            f" {run.id8}): install the same version of trainrun there"
        )


class _Report(Observer):
    """Writes how far a task is, and in the end how its runs ended, into its file.

    Args:
        path: of the file.
        runs: of the task.
    """

    def __init__(self, path: Path, runs: int) -> None:
        self._path, self._runs = path, runs
        self._epochs: dict[int, int] = {}
        self._longest: dict[int, int] = {}
        self._ended = 0
        self._written = 0.0
        self._write()

    def already(self, run: Run) -> None:
        """Count a run that was finished before."""
        self._ended += 1

    def begin(self, runs: Sequence[RunInfo]) -> None:
        """Forget the members of the stack before."""
        self._epochs, self._longest = {}, {}

    def handle(self, event: Event) -> None:
        """Count what has happened."""
        match event:
            case FitStarted():
                self._longest[event.member] = event.epochs
            case EpochEnded():
                self._epochs[event.member] = event.epoch
            case FitEnded():
                self._epochs.pop(event.member, None)
                self._ended += 1
        if monotonic() - self._written >= _SECONDS_BETWEEN_REPORTS:
            self._write()

    def close(self, outcomes: Sequence[Outcome]) -> None:
        """Write how the runs ended."""
        found = [
            {
                "directory": one.directory and f"{one.directory.parent.name}/{one.directory.name}",
                "status": one.status,
                "code": one.exit_code,
                "message": str(one.error) if one.error else None,
            }
            for one in outcomes
        ]
        self._write(found)

    def _write(self, outcomes: Sequence[dict[str, Any]] | None = None) -> None:
        self._written = monotonic()
        done = sum(epoch / max(self._longest.get(member, 1), 1) for member, epoch in self._epochs.items())
        facts = {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "ended": self._ended,
            "training": len(self._epochs),
            "done": self._ended + done,
            "outcomes": outcomes,
        }
        with suppress(TrainrunError):  # it only tells others how far the task is
            write_files({self._path: to_json(facts).encode()})
