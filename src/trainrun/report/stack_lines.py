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
        self._training: set[int] = set()
        self._ended: list[str] = []
        self._monitored: dict[int, float] = {}
        self._monitor = ""

    def lines(self, event: Event) -> list[str]:
        """The line that `event` completes, if it does."""
        match event:
            case FitStarted():
                self._training.add(event.member)
                self.epochs = max(self.epochs, event.epochs)
                self._monitor = event.monitor
            case EpochEnded():
                self.epoch = event.epoch
                self._monitored[event.member] = event.monitored
            case FitEnded():
                self._training.discard(event.member)
                self._ended.append(event.stopped_by)
        if not self._monitored or self._training - self._monitored.keys():
            return []
        line = self._line()
        self._monitored.clear()
        return [line]

    def _line(self) -> str:
        stopped = self._ended.count("early_stopping") + self._ended.count("epochs")
        counts = [
            f"{len(self._monitored)} training",
            f"{stopped} stopped",
            f"{self._ended.count('non_finite')} diverged",
        ]
        finite = [value for value in self._monitored.values() if math.isfinite(value)]
        self.values = f"{self._monitor}: {spread(finite, 5) if finite else 'nan'}"
        told = ", ".join(count for count in counts if not count.startswith("0 "))
        return f"Epoch {self.epoch}/{self.epochs} - {told} - {self.values}"
