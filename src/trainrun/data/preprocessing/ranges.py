"""The range of each number column in training, and new rows far outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainrun.data.preprocessing.scaling import Moments

_WIDTHS = 3  # heavy tails often reach one or two widths beyond what the training rows have
_DEVIATIONS = 10  # a column of a few thousand normal numbers ends at 4
_MOSTLY = 0.9  # of the cells
_LARGEST = float(np.finfo(np.float64).max)  # JSON has no infinity


@dataclass(frozen=True)
class Ranges:
    """The range of F number columns over the training rows, in the columns' own units.

    Attributes:
        least: float64 [F].
        greatest: float64 [F].
        deviation: float64 [F], the standard deviation.
        common: float64 [F], the share of the cells that have the most frequent value, where it is large.
        binary: float64 [F], 1 where every cell is 0 or 1.
    """

    least: np.ndarray
    greatest: np.ndarray
    deviation: np.ndarray
    common: np.ndarray
    binary: np.ndarray

    @classmethod
    def of(cls, moments: Moments, common: np.ndarray) -> Ranges:
        """Return the ranges of columns whose moments are known."""
        deviation = np.sqrt(moments.deviations / max(1, moments.count))
        finite = np.nan_to_num(deviation, nan=_LARGEST, posinf=_LARGEST)
        # Between 0 and 1 no number has a square as large as itself, so this is the largest variance.
        largest = moments.mean * (1 - moments.mean)
        spans = (moments.least == 0) & (moments.greatest == 1)
        binary = spans & np.isclose(deviation**2, largest, rtol=1e-9, atol=0)
        return cls(moments.least, moments.greatest, finite, common, binary.astype(float))

    @property
    def constant(self) -> np.ndarray:
        """Mask of the columns with a single value, bool [F]."""
        return np.asarray(self.least == self.greatest)

    def far_outside(self, block: np.ndarray) -> np.ndarray:
        """Find cells far outside of the training range.

        A cell is far outside where it lies beyond the range by more than three times its width, and by more
        than ten standard deviations. A column with mostly one value, such as a pixel in a dark corner, is not
        judged: its range is hardly known.

        Args:
            block: [B, F], NaN where a cell is missing.

        Returns:
            bool [B, F].
        """
        with np.errstate(over="ignore", invalid="ignore"):
            reach = np.maximum(_WIDTHS * (self.greatest - self.least), _DEVIATIONS * self.deviation)
            outside = (block > self.greatest + reach) | (block < self.least - reach)
        # Infinity is refused elsewhere.
        return np.asarray(outside & np.isfinite(block) & (self.common < _MOSTLY))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as lists of numbers."""
        return {name: values.tolist() for name, values in vars(self).items()}

    @classmethod
    def from_json(cls, saved: dict[str, Any], width: int) -> Ranges:
        """Read the output of `to_json` for this number of columns."""
        names = ("least", "greatest", "deviation", "common", "binary")
        ranges = cls(*(np.array(saved[name], float) for name in names))
        if any(values.shape != (width,) or np.isnan(values).any() for values in vars(ranges).values()):
            raise ValueError("ranges of other columns")
        return ranges
