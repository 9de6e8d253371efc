"""Scales of number columns, fitted on training rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

_QUANTILES = 1000
_QUANTILE_ROWS = 10_000  # quantiles of more rows are those of a random sample of this size
_SMOOTH_LIMIT = 3.0  # of the robust scale: no scaled number is farther from 0
_OUTERMOST = 1e-7  # the share at which the normal distribution is cut off; values this near an extreme are it


@dataclass
class Moments:
    """Count, mean, sum of squared deviations, least and greatest of each column, over blocks of rows."""

    count: int
    mean: np.ndarray
    deviations: np.ndarray
    least: np.ndarray
    greatest: np.ndarray

    @classmethod
    def of(cls, blocks: Iterator[np.ndarray], width: int) -> Moments:
        """Accumulate blocks [B, width] of float64, without missing values.

        Source: Chan, Golub and LeVeque 1979, the merging of two samples' moments.
        """
        moments = cls(0, np.zeros(width), np.zeros(width), np.full(width, np.inf), np.full(width, -np.inf))
        for block in blocks:
            moments._merge(block)
        return moments

    def _merge(self, block: np.ndarray) -> None:
        mean = block.mean(axis=0)
        apart = block - mean
        shift = mean - self.mean
        total = self.count + len(block)
        self.deviations += np.einsum("ij,ij->j", apart, apart) + shift**2 * (self.count * len(block) / total)
        self.mean += shift * (len(block) / total)
        self.count = total
        np.minimum(self.least, block.min(axis=0), out=self.least)
        np.maximum(self.greatest, block.max(axis=0), out=self.greatest)


@dataclass(frozen=True)
class Scaler:
    """Scaling of each of F number columns: z = (x - center) * factor, after quantiles where there are any.

    Attributes:
        center: float64 [F].
        factor: float64 [F]; 0 for a column that is constant in training, so that it stays 0 later too.
        quantiles: float64 [Q, F], each column's quantiles, mapped to those of a normal distribution.
        is_clipped: whether z becomes z / sqrt(1 + (z/3)^2), which lies between -3 and 3.
    """

    center: np.ndarray
    factor: np.ndarray
    quantiles: np.ndarray | None = None
    is_clipped: bool = False

    @classmethod
    def fit(cls, kind: str, moments: Moments, blocks: Iterator[np.ndarray]) -> Scaler:
        """Fit a scale.

        Args:
            kind: `standard`, `minmax`, `quantile` or `none`; for `robust` see `fit_quartiles`.
            moments: of the training rows.
            blocks: the training rows, float64 [B, F] each; read only where moments do not suffice.
        """
        width = len(moments.mean)
        if kind == "none":
            return cls(np.zeros(width), np.ones(width))
        if kind == "quantile":
            return cls._fit_quantiles(np.concatenate([np.empty((0, width)), *blocks]))
        spread = moments.greatest - moments.least
        if kind == "minmax":
            return cls(moments.least, _inverse(spread, spread > 0))
        deviation = np.sqrt(moments.deviations / max(1, moments.count))
        return cls(moments.mean, _inverse(deviation, spread > 0))

    @classmethod
    def _fit_quantiles(cls, numbers: np.ndarray) -> Scaler:
        from sklearn.preprocessing import QuantileTransformer

        if not numbers.shape[1]:
            return cls(np.zeros(0), np.ones(0))
        varies = numbers.max(axis=0) > numbers.min(axis=0)
        quantile = QuantileTransformer(
            n_quantiles=min(_QUANTILES, len(numbers)), subsample=_QUANTILE_ROWS, random_state=0
        )
        quantile.fit(numbers)
        return cls(np.zeros(numbers.shape[1]), varies.astype(float), quantile.quantiles_)

    @classmethod
    def fit_quartiles(cls, quartiles: np.ndarray, moments: Moments) -> Scaler:
        """Subtract the median, divide by the interquartile range or, where that is 0, by half the range.

        Args:
            quartiles: float64 [3, F], of the training rows.
            moments: of the training rows.

        Source: Holzmueller et al. 2024, arXiv:2407.04491, section 3.
        """
        lower, median, upper = quartiles
        spread = moments.greatest - moments.least
        width = np.where(upper > lower, upper - lower, spread / 2)
        return cls(median, _inverse(width, spread > 0), is_clipped=True)

    def apply(self, block: np.ndarray) -> np.ndarray:
        """Scale rows, float64 [B, F] to float64 [B, F]."""
        moved = block - self.center if self.quantiles is None else _to_normal(block, self.quantiles)
        moved *= self.factor
        if self.is_clipped:
            moved /= np.hypot(1, moved / _SMOOTH_LIMIT)  # a square would overflow
        return moved

    def to_json(self) -> dict[str, Any]:
        """Return the fields as lists of numbers."""
        quantiles = {} if self.quantiles is None else {"quantiles": self.quantiles.tolist()}
        clipped = {"smooth_clip": True} if self.is_clipped else {}
        return {"center": self.center.tolist(), "factor": self.factor.tolist(), **quantiles, **clipped}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Scaler:
        """Read the output of `to_json`."""
        center, factor = np.array(saved["center"], float), np.array(saved["factor"], float)
        scaler = cls(center, factor, is_clipped=saved.get("smooth_clip") is True)
        if "quantiles" not in saved:
            return scaler
        quantiles = np.array(saved["quantiles"], float)
        if not len(quantiles) or quantiles.shape[1:] != scaler.center.shape:
            raise ValueError("quantiles of other columns")
        return replace(scaler, quantiles=quantiles)


def _to_normal(block: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Map each column's quantiles to those of a normal distribution, as scikit-learn's transform does.

    Args:
        block: float64 [B, F].
        quantiles: float64 [Q, F], of equally spaced shares from 0 to 1.
    """
    from scipy.special import ndtri

    shares = np.linspace(0, 1, len(quantiles))
    below = np.empty_like(block)
    for column in range(block.shape[1]):
        below[:, column] = _share_below(block[:, column], quantiles[:, column], shares)
    lowest = _OUTERMOST - np.spacing(1)
    normal: np.ndarray = np.clip(ndtri(below), ndtri(lowest), ndtri(1 - lowest))
    return normal


def _share_below(values: np.ndarray, quantiles: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return which share of the training rows lies below each value; a tie gets the middle of its shares."""
    upper = np.interp(values, quantiles, shares)
    lower = -np.interp(-values, -quantiles[::-1], -shares[::-1])
    below: np.ndarray = 0.5 * (upper + lower)
    below[values + _OUTERMOST > quantiles[-1]] = 1
    below[values - _OUTERMOST < quantiles[0]] = 0
    return below


def _inverse(spread: np.ndarray, varies: np.ndarray) -> np.ndarray:
    # A column can vary by so little that its deviation underflows to 0, or by so much that it is infinite.
    spread = np.where(np.isinf(spread), np.nan, spread)
    return np.asarray(np.divide(1.0, spread, out=np.zeros_like(spread), where=varies & (spread != 0)))
