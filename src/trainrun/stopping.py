"""Policies that stop training or lower the learning rate, by the monitored value, for K members at once.

Everything is an array with one element a member, and an element depends on its own member alone. Epochs are
counted from 1, as in the messages and files. Values are compared in float64; one that is not finite is
never an improvement.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike


class Decision(NamedTuple):
    """Decision after an epoch, from its monitored values.

    Attributes:
        improved_K: bool, the value is the best so far.
        kept_K: bool, the epoch is the best so far: it improved, or equals the best where the last one counts.
        stop_K: bool, patience has run out.
        previous_best_K: float64, the best before this epoch; at first inf, or -inf where larger is better.
    """

    improved_K: np.ndarray
    kept_K: np.ndarray
    stop_K: np.ndarray
    previous_best_K: np.ndarray


class _Policy:
    """State and settings of K members: every attribute is an array [K].

    Attributes:
        moving: the names of those that change while a member trains.
    """

    moving: ClassVar[tuple[str, ...]]

    def state(self, row: int) -> dict[str, float]:
        """Return the state of a member."""
        return {name: getattr(self, name)[row].item() for name in self.moving}

    def restore(self, row: int, state: Mapping[str, float]) -> None:
        """Put back what `state` gave."""
        for name in self.moving:
            array = getattr(self, name).copy()  # others may share it
            array[row] = state[name]
            setattr(self, name, array)

    def select(self, index: np.ndarray) -> Self:
        """The same policy for some of the members, with the state they have reached.

        Args:
            index: their places, or a bool for each member.
        """
        chosen = copy(self)
        for name, array in vars(self).items():
            setattr(chosen, name, array[index])
        return chosen


class EarlyStopping(_Policy):
    """Track each member's best value and decide when it has not improved for too long.

    The best is the best raw value; patience has its own measure. An improvement that counts for it is better
    than the last such one by more than `min_delta`. With a baseline, one that does not beat it still becomes
    the value to improve on, but adds to the wait.

    Args:
        patience: epochs to wait for an improvement; inf never stops, and 0 is as 1: at the first without one.
        min_delta: from 0.
        start_from_epoch: this number of first epochs does not count for patience, only for the best.
        baseline: a value to beat; nan for none.
        larger_is_better: the monitored value's direction.
        last_counts: whether of equal values the last one is the best; it adds to the wait all the same.

    Attributes:
        best: the best value; at first inf, or -inf where larger is better.
        best_epoch: its epoch, 0 before there is one.
        reference: the value of the last improvement that counted for patience.
        wait: epochs that counted since then.
    """

    moving = ("best", "best_epoch", "reference", "wait")

    def __init__(
        self,
        *,
        patience: ArrayLike,
        min_delta: ArrayLike,
        start_from_epoch: ArrayLike,
        baseline: ArrayLike,
        larger_is_better: ArrayLike,
        last_counts: ArrayLike = False,
    ) -> None:
        self.patience = np.asarray(patience, dtype=np.float64)
        self.last_counts = np.broadcast_to(np.asarray(last_counts, dtype=bool), self.patience.shape)
        self.min_delta = np.asarray(min_delta, dtype=np.float64)
        self.start_from_epoch = np.asarray(start_from_epoch, dtype=np.int64)
        self.baseline = np.asarray(baseline, dtype=np.float64)
        self.sign = _sign(larger_is_better)
        self.best = self.sign * np.inf
        self.best_epoch = np.zeros(self.sign.shape, dtype=np.int64)
        self.reference = self.sign * np.inf
        self.wait = np.zeros(self.sign.shape, dtype=np.int64)

    def observe(self, epoch: int, value_K: np.ndarray) -> Decision:
        """Take in the values at the end of an epoch.

        Args:
            epoch: from 1. The first one never stops a member.
            value_K: the monitored values.
        """
        improved = _better(value_K, self.best, self.sign)
        previous_best = self.best
        kept = improved | (self.last_counts & np.isfinite(value_K) & (value_K == previous_best))
        self.best = np.where(improved, value_K, self.best)
        self.best_epoch = np.where(kept, epoch, self.best_epoch)

        counts = epoch > self.start_from_epoch
        progress = counts & _better(value_K, self.reference, self.sign, self.min_delta)
        rewarded = progress & (np.isnan(self.baseline) | _better(value_K, self.baseline, self.sign))
        self.reference = np.where(progress, value_K, self.reference)
        self.wait = np.where(rewarded, 0, self.wait + counts)
        stop = counts & ~progress & (self.wait >= self.patience) & (epoch > 1)
        return Decision(improved, kept, stop, previous_best)


class Plateau(_Policy):
    """Multiplies a member's learning rate by less and less while its monitored value does not improve.

    Epoch by epoch as Keras' ReduceLROnPlateau. A member without it has a `reduction` of 1.

    Args:
        reduction: the factor of each reduction, above 0.
        patience: epochs without an improvement before one.
        min_delta: an improvement is better than the last one by more than this (absolute).
        cooldown: epochs after a reduction before epochs count again; as in Keras its last one already does.
        floor: the lowest learning rate divided by the member's `learning_rate`; reductions end there.
        larger_is_better: the monitored value's direction.

    Attributes:
        factor: what the scheduled learning rates are multiplied by, 1 at first.
        best: the last improvement's value.
        wait: epochs since then, or since the last reduction.
        resting: epochs left of the cooldown.
    """

    moving = ("factor", "best", "wait", "resting")

    def __init__(
        self,
        *,
        reduction: ArrayLike,
        patience: ArrayLike,
        min_delta: ArrayLike,
        cooldown: ArrayLike,
        floor: ArrayLike,
        larger_is_better: ArrayLike,
    ) -> None:
        self.reduction = np.asarray(reduction, dtype=np.float64)
        self.patience = np.asarray(patience, dtype=np.float64)
        self.min_delta = np.asarray(min_delta, dtype=np.float64)
        self.cooldown = np.asarray(cooldown, dtype=np.int64)
        self.floor = np.asarray(floor, dtype=np.float64)
        self.sign = _sign(larger_is_better)
        self.factor = np.ones(self.sign.shape)
        self.best = self.sign * np.inf
        self.wait = np.zeros(self.sign.shape, dtype=np.int64)
        self.resting = np.zeros(self.sign.shape, dtype=np.int64)

    def observe(self, value_K: np.ndarray) -> None:
        """Take in the monitored values at the end of an epoch."""
        wait = np.where(self.resting > 0, 0, self.wait)
        resting = np.maximum(self.resting - 1, 0)
        improved = _better(value_K, self.best, self.sign, self.min_delta)
        self.best = np.where(improved, value_K, self.best)
        counts = ~improved & (resting == 0)
        wait = np.where(improved, 0, wait + counts)

        reduce = counts & (wait >= self.patience) & (self.factor > self.floor)
        lower = np.maximum(self.factor * self.reduction, self.floor)
        self.factor = np.where(reduce, lower, self.factor)
        self.wait = np.where(reduce, 0, wait)
        self.resting = np.where(reduce, self.cooldown, resting)

    def apply(self, rates_TK: np.ndarray) -> np.ndarray:
        """The learning rates of the next steps, from those that the schedules give."""
        return rates_TK * self.factor


def _sign(larger_is_better: ArrayLike) -> np.ndarray:
    # The comparisons below are for values that shrink: sign * value does.
    return np.where(np.asarray(larger_is_better, dtype=bool), -1.0, 1.0)


def _better(
    value: np.ndarray, than: np.ndarray, sign: np.ndarray, by: np.ndarray | float = 0.0
) -> np.ndarray:
    better: np.ndarray = np.isfinite(value) & (sign * value < sign * than - by)
    return better
