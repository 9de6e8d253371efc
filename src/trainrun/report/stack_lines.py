"""One line an epoch for a stack of more members than anyone wants to read about one by one."""

from __future__ import annotations

import math

from trainrun.events import EpochEnded, Event, FitEnded, FitStarted
from trainrun.report.summary import spread


class StackLines:
    """Gathers the members' epochs, and says a line once all that still train have ended it."""

    def __init__(self) -> None:
        self.epochs = 0
        self.epoch = 0
        self.values = ""
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
        finite = [value for value in values if math.isfinite(value)]
        self.values = f"{self._monitor}: {spread(finite, 5) if finite else 'nan'}"
        told = ", ".join(count for count in counts if not count.startswith("0 "))
        return f"Epoch {self.epoch}/{self.epochs} - {told} - {self.values}"
