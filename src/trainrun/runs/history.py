"""A run's epochs so far, as its checkpoint keeps them: metrics.jsonl and log.txt are written anew from it."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Self

from trainrun.events import EpochEnded, FitStarted, Snapshot

_NUMBERS = {
    "epoch": int,
    "step": int,
    "learning_rate": float,
    "penalty": float,
    "monitored": float,
    "improved": int,  # 0 no, 1 yes, 2 no but kept, as the last of equally good epochs
    "previous_best": float,
    "best": float,
    "wait": int,
}
_STARTED = {"epochs": int, "parameters": int, "monitor": str, "larger_is_better": bool}


class History:
    """Start of a member and the results of its epochs.

    An epoch is a row of float64, which holds all of its numbers exactly, in a tenth of the event's memory.

    Args:
        started: the event with which the member began.
    """

    def __init__(self, started: FitStarted) -> None:
        self.started = started
        self._train: Sequence[str] = ()
        self._valid: Sequence[str] | None = None
        self._rows: array[float] = array("d")

    def add(self, epoch: EpochEnded) -> None:
        """Take an epoch in; all have the same metrics."""
        self._train = tuple(epoch.train)
        self._valid = None if epoch.valid is None else tuple(epoch.valid)
        told = vars(epoch) | {"improved": 1 if epoch.improved else 2 * epoch.kept}
        self._rows.extend(told[name] for name in _NUMBERS)
        self._rows.extend(epoch.train.values())
        self._rows.extend((epoch.valid or {}).values())

    def epochs(self) -> Iterator[EpochEnded]:
        """The epochs, in order."""
        for start in range(0, len(self._rows), self._width):
            yield self._epoch(self._rows[start : start + self._width])

    def to_snapshot(self) -> Snapshot:
        """The history as a checkpoint keeps it."""
        import numpy as np

        facts = {"started": vars(self.started), "train": self._train, "valid": self._valid}
        return Snapshot(facts, {"epochs": np.array(self._rows).reshape(-1, self._width)})

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> Self:
        """The history that a checkpoint keeps.

        Raises:
            ValueError, KeyError, TypeError: it keeps none.
        """
        facts, rows = snapshot.facts, snapshot.arrays["epochs"]
        history = cls(FitStarted(**facts["started"]))
        history._train, history._valid = facts["train"], facts["valid"]
        if rows.dtype.name != "float64" or rows.shape[1:] != (history._width,):
            raise ValueError("rows of another width or kind")
        if not all(isinstance(getattr(history.started, name), kind) for name, kind in _STARTED.items()):
            raise TypeError("a start of another kind")
        names = (history.started.monitor, *history._train, *(history._valid or ()))
        if not all(isinstance(name, str) and name.isidentifier() for name in names):
            raise ValueError("names that no metric has")  # they are lines of the console and the log
        history._rows = array("d", rows.tobytes())
        return history

    @property
    def _width(self) -> int:
        return len(_NUMBERS) + len(self._train) + len(self._valid or ())

    def _epoch(self, row: Sequence[float]) -> EpochEnded:
        values = iter(row)
        numbers: dict[str, Any] = {name: kind(next(values)) for name, kind in _NUMBERS.items()}
        numbers |= {"improved": numbers["improved"] == 1, "kept": numbers["improved"] > 0}
        train = {name: next(values) for name in self._train}
        valid = None if self._valid is None else {name: next(values) for name in self._valid}
        return EpochEnded(member=self.started.member, train=train, valid=valid, **numbers)
