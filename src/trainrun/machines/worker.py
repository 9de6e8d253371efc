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
from trainrun.errors import (
    INTERRUPTED,
    DataMissingError,
    RunBusyError,
    TrainrunError,
    UsageError,
    exit_code,
)
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
_WAITS_FOR_OTHERS = 60  # seconds, to save and let go of a run


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
    if number >= len(submission.tasks):
        raise UsageError(f"--task: must be below {len(submission.tasks)}, got {number}")
    if submission.is_stopped:
        return INTERRUPTED
    if not submission.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before PyTorch: `device: auto` takes what was asked for
    report = _Report(submission.report(number))
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
    waits = 0
    while True:
        outcomes = carry_out(request, report)
        is_busy = any(isinstance(one.error, RunBusyError) for one in outcomes)
        if not is_busy or request.stopped() or waits == _WAITS_FOR_OTHERS:
            return outcomes
        waits += 1
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
    """Writes how far a task is, and in the end which runs failed, into its file.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._members: Sequence[RunInfo] = ()
        self._epochs: dict[int, int] = {}
        self._longest: dict[int, int] = {}
        self._ended: set[str] = set()
        self._written = 0.0
        self._write()

    def already(self, run: Run) -> None:
        """Count a run that was finished before."""
        self._ended.add(run.paths.label)

    def begin(self, runs: Sequence[RunInfo]) -> None:
        """Take the members of a stack."""
        self._members, self._epochs, self._longest = runs, {}, {}

    def handle(self, event: Event) -> None:
        """Count what has happened."""
        match event:
            case FitStarted():
                self._longest[event.member] = event.epochs
            case EpochEnded():
                self._epochs[event.member] = event.epoch
            case FitEnded():
                self._epochs.pop(event.member, None)
                self._ended.add(self._members[event.member].paths.label)
        if monotonic() - self._written >= _SECONDS_BETWEEN_REPORTS:
            self._write()

    def close(self, outcomes: Sequence[Outcome]) -> None:
        """Write which runs failed; what became of the others is in their files."""
        failed = [
            {
                "directory": one.directory and f"{one.directory.parent.name}/{one.directory.name}",
                "status": one.status,
                "code": one.exit_code,
                "message": str(one.error) if one.error else None,
            }
            for one in outcomes
            if one.status == "failed"
        ]
        self._write(failed)

    def _write(self, outcomes: Sequence[dict[str, Any]] | None = None) -> None:
        self._written = monotonic()
        facts = {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "ended": len(self._ended),
            "training": len(self._epochs),
            "partly": sum(epoch / max(self._longest[member], 1) for member, epoch in self._epochs.items()),
            "outcomes": outcomes,
        }
        with suppress(TrainrunError):  # it only tells others how far the task is
            write_files({self._path: to_json(facts).encode()})
