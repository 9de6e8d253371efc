"""Lengths in optimizer steps: of a training, and of the cycles of a schedule that restarts."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from trainrun.lazy import numpy as np
from trainrun.quantities import Duration


@dataclass(frozen=True)
class Training:
    """A training's length, which settings such as `10%` are measured by.

    Attributes:
        total: all steps.
        per_epoch: steps of one epoch.
        warmup: steps of the warm-up, which stands in front of the schedule.
    """

    total: int
    per_epoch: int
    warmup: int = 0

    @property
    def span(self) -> int:
        """Steps after the warm-up, at least 1."""
        return max(1, self.total - self.warmup)

    def steps(self, duration: Duration | None) -> int:
        """`duration` in steps; None is the whole training after the warm-up."""
        return self.span if duration is None else duration.steps(per_epoch=self.per_epoch, total=self.total)


class Cycles(NamedTuple):
    """Cycles one after the other, an element of each array a cycle.

    Attributes:
        start: int64, the first step at or after the cycle's beginning.
        late: float64, how much later than its beginning that is: 0 up to 1 step.
        length: float64, in steps.
    """

    start: np.ndarray
    late: np.ndarray
    length: np.ndarray


@lru_cache(maxsize=64)
def cycles(first: int, growth: float, reach: int) -> Cycles:
    """The cycles that begin before step `reach`, each `growth` times as long as the one before.

    Beginnings are exact: in floating point some would land a step too early or too late.

    Args:
        first: the first cycle's length in steps, at least 1.
        growth: at least 1; 1.1 means 11/10, as it was written.
        reach: at least 1.
    """
    ratio = Fraction(repr(growth))
    rows = []
    begin, length, unit = 0, first, 1  # the cycle begins at begin/unit and is length/unit steps long
    while begin < reach * unit:
        start = -(-begin // unit)
        rows.append((start, (start * unit - begin) / unit, length / unit))
        begin = (begin + length) * ratio.denominator
        length *= ratio.numerator
        unit *= ratio.denominator
    starts, late, lengths = zip(*rows, strict=True)
    return Cycles(np.array(starts, dtype=np.int64), np.array(late), np.array(lengths))
