"""State of a stack's members in one line an epoch, and in the text of the live bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from trainrun.events import EpochEnded, Event, FitEnded, FitStarted
from trainrun.report.progress.summary import spread


class StackLines:
    """Gathers the members' epochs, and says a line once all that still train have ended it.

    Args:
        past: the members' monitored values, epoch by epoch, of the epochs before they continue.

    Attributes:
        epochs: the most that any will train.
        epoch: the last that all who train have ended.
        counts: how many trained in it, had stopped, had diverged.
        course: the mean monitored value of each epoch, NaN where none is finite.
    """

    def __init__(self, past: Sequence[Sequence[float]] = ()) -> None:
        self.course = [_mean(values) for values in zip(*past, strict=False)]
        self.epochs = 0
        self.epoch = len(self.course)
        self.counts = ""
        self._ended: list[FitEnded] = []
        self._reached: dict[int, int] = {}  # the last epoch of each member that trains
        self._monitored: dict[int, dict[int, float]] = {}  # of the epochs that not all have ended, by member
        self._monitor = ""

    def lines(self, event: Event) -> list[str]:
        """The line that `event` completes, if it does."""
        match event:
            case FitStarted():
                self._reached[event.member] = 0
                self.epochs = max(self.epochs, event.epochs)
                self._monitor = event.monitor
            case EpochEnded():
                self._reached[event.member] = event.epoch
                self._monitored.setdefault(event.epoch, {})[event.member] = event.monitored
            case FitEnded():
                self._reached.pop(event.member, None)
                self._ended.append(event)
        lines = []
        while self._monitored and min(self._monitored) <= min(self._reached.values(), default=self.epochs):
            self.epoch = min(self._monitored)  # members of different parts need not be equally far
            lines.append(self._line(list(self._monitored.pop(self.epoch).values())))
        return lines

    def _line(self, values: list[float]) -> str:
        before = [event.status for event in self._ended if event.epochs < self.epoch]
        counts = [
            f"{len(values)} training",
            f"{before.count('complete')} stopped",
            f"{before.count('diverged')} diverged",
        ]
        self.counts = ", ".join(count for count in counts if not count.startswith("0 "))
        self.course.append(_mean(values))
        finite = [value for value in values if math.isfinite(value)]
        told = f"{self._monitor}: {spread(finite, 5) if finite else 'nan'}"
        return f"Epoch {self.epoch}/{self.epochs} - {self.counts} - {told}"


def _mean(values: Sequence[float]) -> float:
    return fmean([value for value in values if math.isfinite(value)] or [math.nan])
