"""Metrics: each gives one number for each member.

K members answer for N rows each. What a metric reads of an answer is its trait `reads`: the predicted
`class`, the `score` of the second class, the `value` in the target's own units, or the `answer`, which is the
class or the value. The trait `task` is the kind of target, None for both. Members are reduced one by one, so
that a member's bits do not depend on its neighbours. Over no rows every metric is nan, and nothing raises.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from trainrun.lazy import numpy as np
from trainrun.registry import Registry

if TYPE_CHECKING:
    from numpy import ndarray

Metric = Callable[["ndarray", "ndarray", int], "ndarray"]

metrics: Registry[Metric] = Registry("metric")


@metrics.register(task="classification", larger_is_better=True, reads="class")
def accuracy(answer_KN: "ndarray", truth: "ndarray", classes: int) -> "ndarray":
    """The share of rows whose class is right.

    Args:
        answer_KN: predicted classes, integers from 0.
        truth: true classes, integers from 0; [N] for all members or [K, N].
        classes: how many there are.

    Returns:
        [K], 0 to 1.
    """
    return _by_member(lambda answer, truth: np.mean(answer == truth), answer_KN, truth)


@metrics.register(task="classification", larger_is_better=True, reads="class")
def balanced_accuracy(answer_KN: "ndarray", truth: "ndarray", classes: int) -> "ndarray":
    """The mean over classes of the share of a class's rows that are right.

    Args:
        answer_KN: predicted classes, integers from 0.
        truth: true classes, integers from 0; [N] for all members or [K, N].
        classes: how many there are; those without a row do not count.

    Returns:
        [K], 0 to 1.

    Source: Brodersen et al. 2010, "The balanced accuracy and its posterior distribution".
    """

    def mean_recall(answer: "ndarray", truth: "ndarray") -> float:
        table = confusion(answer, truth, classes)
        rows = table.sum(axis=1)
        occurs = rows > 0
        return float(np.mean(np.diagonal(table)[occurs] / rows[occurs]))

    return _by_member(mean_recall, answer_KN, truth)


@metrics.register(task="classification", larger_is_better=True, reads="class")
def f1_macro(answer_KN: "ndarray", truth: "ndarray", classes: int) -> "ndarray":
    """The mean over classes of F1, the harmonic mean of precision and recall.

    Args:
        answer_KN: predicted classes, integers from 0.
        truth: true classes, integers from 0; [N] for all members or [K, N].
        classes: how many there are; those neither true nor predicted anywhere do not count.

    Returns:
        [K], 0 to 1.

    Source: Opitz & Burst 2019, arXiv:1911.03347: the mean of F1, not F1 of the means.
    """

    def mean_f1(answer: "ndarray", truth: "ndarray") -> float:
        table = confusion(answer, truth, classes)
        mentions = table.sum(axis=0) + table.sum(axis=1)
        occurs = mentions > 0
        return float(np.mean(2 * np.diagonal(table)[occurs] / mentions[occurs]))

    return _by_member(mean_f1, answer_KN, truth)


@metrics.register(task="classification", larger_is_better=True, reads="score")
def auc(answer_KN: "ndarray", truth: "ndarray", classes: int) -> "ndarray":
    """The chance that a row of the second class scores above one of the first; a tie counts half.

    The area under the receiver operating characteristic, for two classes; nan where only one occurs.

    Args:
        answer_KN: scores of the second class, in any increasing scale.
        truth: true classes, 0 or 1; [N] for all members or [K, N].
        classes: two.

    Returns:
        [K], 0 to 1, or nan.

    Source: Hanley & McNeil 1982, "The meaning and use of the area under a receiver operating characteristic
    (ROC) curve".
    """
    return _by_member(_area, answer_KN, truth)


@metrics.register(task="regression", larger_is_better=False, reads="value")
def rmse(answer_KN: "ndarray", truth: "ndarray", classes: int) -> "ndarray":
    """The root of the mean squared error, in the target's units.

    Args:
        answer_KN: predicted values.
        truth: true values; [N] for all members or [K, N].
        classes: not used.

    Returns:
        [K], from 0.
    """
    return _by_member(lambda answer, truth: np.sqrt(np.mean((answer - truth) ** 2)), answer_KN, truth)


@metrics.register(task="regression", larger_is_better=False, reads="value")
def mae(answer_KN: "ndarray", truth: "ndarray", classes: int) -> "ndarray":
    """The mean absolute error, in the target's units.

    Args:
        answer_KN: predicted values.
        truth: true values; [N] for all members or [K, N].
        classes: not used.

    Returns:
        [K], from 0.
    """
    return _by_member(lambda answer, truth: np.mean(np.abs(answer - truth)), answer_KN, truth)


@metrics.register(task="regression", larger_is_better=True, reads="value")
def r2(answer_KN: "ndarray", truth: "ndarray", classes: int) -> "ndarray":
    """The share of the target's variance that is explained: 1 is perfect, 0 is its mean's.

    Args:
        answer_KN: predicted values.
        truth: true values; [N] for all members or [K, N].
        classes: not used.

    Returns:
        [K], up to 1; nan where the true values are all equal.
    """

    def explained(answer: "ndarray", truth: "ndarray") -> float:
        if truth.min() == truth.max():  # its sum of squares may be a rounding error instead of 0
            return math.nan
        return 1 - float(np.sum((truth - answer) ** 2) / np.sum((truth - np.mean(truth)) ** 2))

    return _by_member(explained, answer_KN, truth)


@metrics.register(task=None, larger_is_better=False, reads="answer")
def error(answer_KN: "ndarray", truth: "ndarray", classes: int) -> "ndarray":
    """The share of wrong rows for classes, the root of the mean squared error for numbers.

    Args:
        answer_KN: predicted classes, integers from 0, or predicted values.
        truth: the true ones; [N] for all members or [K, N].
        classes: how many there are; 0 for values.

    Returns:
        [K], from 0.
    """
    if not classes:
        return rmse(answer_KN, truth, classes)
    return _by_member(lambda answer, truth: np.mean(answer != truth), answer_KN, truth)


def confusion(answer_N: "ndarray", truth_N: "ndarray", classes: int) -> "ndarray":
    """Count how often each class was predicted for each true class.

    Args:
        answer_N: predicted classes, integers from 0.
        truth_N: true classes, integers from 0.
        classes: how many there are, C.

    Returns:
        [C, C], int64: rows are the true class, columns the predicted one.
    """
    cells = truth_N.astype(np.int64) * classes + answer_N
    return np.bincount(cells, minlength=classes**2).astype(np.int64).reshape(classes, classes)


def _by_member(
    value: Callable[["ndarray", "ndarray"], float], answer_KN: "ndarray", truth: "ndarray"
) -> "ndarray":
    # Contiguous rows are summed in one order, however the members lie in memory.
    truth_KN = np.broadcast_to(truth, answer_KN.shape)
    members = zip(answer_KN, truth_KN, strict=True)
    with np.errstate(over="ignore", invalid="ignore"):  # a member that diverged answers inf or nan
        values = [
            value(np.ascontiguousarray(answer), np.ascontiguousarray(truth)) if answer.size else math.nan
            for answer, truth in members
        ]
    return np.array(values, dtype=np.float64)


def _area(score: "ndarray", truth: "ndarray") -> float:
    second = truth == 1
    ahead, behind = int(second.sum()), int((~second).sum())
    if not ahead or not behind or np.isnan(score).any():
        return math.nan
    _, place, ties = np.unique(score, return_inverse=True, return_counts=True)
    # Twice the mean rank of each group of ties: whole numbers, so the sum below is exact.
    double_rank = 2 * np.cumsum(ties) - ties + 1
    double_wins = int(double_rank[place[second]].sum()) - ahead * (ahead + 1)
    return double_wins / (2 * ahead * behind)
