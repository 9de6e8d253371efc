"""Requests to fit configs, the outcomes, and observers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from trainrun.config import Config
from trainrun.errors import DIVERGED, INTERRUPTED, TrainrunError, UsageError
from trainrun.events import Event
from trainrun.runs.reading import Run
from trainrun.runs.writing import RunInfo
from trainrun.signals import StopRequest
from trainrun.text import short

if TYPE_CHECKING:
    from trainrun.fitting.jobs import Outcomes, PreparedRun

Status = Literal["complete", "diverged", "interrupted", "failed"]

_SAVE_SECONDS = 5.0


def seconds_between_saves() -> float:
    """Return `$TRAINRUN_SAVE_SECONDS`, or the default.

    Raises:
        UsageError: it is no number from 0.
    """
    text = os.environ.get("TRAINRUN_SAVE_SECONDS") or str(_SAVE_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        raise UsageError(f"TRAINRUN_SAVE_SECONDS: must be a number from 0, got {short(text)}")
    return seconds


class Elsewhere(Protocol):
    """Trains runs on other machines."""

    def train(
        self, runs: Sequence[PreparedRun], request: Request, observer: Observer, outcomes: Outcomes
    ) -> None:
        """Train runs, each to its outcome; those without one were left when the command was asked to stop."""


@dataclass(frozen=True)
class Request:
    """Request to fit configs.

    Attributes:
        configs: config files, or configs that were loaded before.
        overrides: `key=value` texts that override keys of every config file.
        seeds: how many seeds of each config, from its own on, or which; None for its own alone.
        runs: the folder of runs.
        fresh: start over, even if runs exist.
        shard: (I, N), I from 1: only the runs that fall to part I of N in turn.
        stop: asks the command to stop; its runs are then saved and left.
        save_seconds: from one checkpoint to the next.
        elsewhere: trains the runs on other machines; None trains them here.
        submission: the name of the submission that this process works for; None for a command of a user.
    """

    configs: Sequence[str | Path | Config]
    overrides: Sequence[str] = ()
    seeds: int | Sequence[int] | None = None
    runs: Path = Path("runs")
    fresh: bool = False
    shard: tuple[int, int] | None = None
    stop: StopRequest | None = None
    save_seconds: float = field(default_factory=seconds_between_saves)
    elsewhere: Elsewhere | None = None
    submission: str | None = None

    def stopped(self) -> bool:
        """Return whether the command was asked to stop."""
        return self.stop is not None and self.stop.requested()

    @property
    def reason(self) -> str | None:
        """Source of the request to stop: a signal's name or `time limit`."""
        return self.stop.reason if self.stop else None


@dataclass(frozen=True)
class Outcome:
    """Outcome of one run of a command.

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
        """Exit code of docs/exit-codes.md, for this run alone."""
        if self.error:
            return self.error.exit_code
        return {"diverged": DIVERGED, "interrupted": INTERRUPTED}.get(self.status, 0)


class Observer:
    """Watches a command's runs, and can change nothing; this one says nothing."""

    def expect(self, runs: int) -> None:
        """Note the number of runs of the command."""

    def taken(self, sentence: str) -> None:
        """A name on the command line means certain runs; the sentence says which."""

    def already(self, run: Run) -> None:
        """A run was finished before."""

    def begin(self, runs: Sequence[RunInfo]) -> None:
        """A stack begins to train; `runs` are its members, in the order of the events' `member`."""

    def handle(self, event: Event) -> None:
        """Something happened in the stack; a member that has ended is on disk."""

    def end(self) -> None:
        """The stack has ended."""

    def elsewhere(self, done: float, words: str) -> None:
        """Other machines train.

        Args:
            done: how many runs are done, those in training by their share of epochs.
            words: how far they are.
        """

    def ended_elsewhere(self, runs: Sequence[Run]) -> None:
        """Other machines have trained these runs to their end."""


class Observers(Observer):
    """Several observers of the same runs; each receives every call in turn.

    Args:
        observers: they receive the calls in this order.
    """

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def expect(self, runs: int) -> None:
        """Note the number of runs of the command."""
        for one in self._observers:
            one.expect(runs)

    def taken(self, sentence: str) -> None:
        """A name on the command line means certain runs."""
        for one in self._observers:
            one.taken(sentence)

    def already(self, run: Run) -> None:
        """A run was finished before."""
        for one in self._observers:
            one.already(run)

    def begin(self, runs: Sequence[RunInfo]) -> None:
        """A stack begins to train."""
        for one in self._observers:
            one.begin(runs)

    def handle(self, event: Event) -> None:
        """Something happened in the stack."""
        for one in self._observers:
            one.handle(event)

    def end(self) -> None:
        """The stack has ended."""
        for one in self._observers:
            one.end()

    def elsewhere(self, done: float, words: str) -> None:
        """Other machines train."""
        for one in self._observers:
            one.elsewhere(done, words)

    def ended_elsewhere(self, runs: Sequence[Run]) -> None:
        """Other machines have trained these runs to their end."""
        for one in self._observers:
            one.ended_elsewhere(runs)
