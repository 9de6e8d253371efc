"""Calibration: a temperature that makes predicted probabilities honest, and how far off they are."""

from __future__ import annotations

import numpy as np

_LEAST, _MOST = 1e-2, 1e2  # temperatures
_HALVINGS = 60  # until the bracket is as narrow as a float64
_BINS = 15


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities [N, C] of logits [N, C]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Return the T from 0.01 to 100 with the least log loss of softmax(logits / T).

    The log loss is convex in 1/T, so a root of its derivative is the minimum.

    Args:
        logits: [N, C] float64.
        truth: [N] classes, integers from 0.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    true = np.take_along_axis(logits, truth[:, None], axis=1)[:, 0]
    low, high = 1 / _MOST, 1 / _LEAST
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        expected = (softmax(logits * middle) * logits).sum(axis=1)
        if np.mean(expected - true) < 0:
            low = middle
        else:
            high = middle
    return float((low * high) ** -0.5)


def log_loss(logits: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean of minus the log-probability of the true class.

    Args:
        logits: [N, C] float64.
        truth: [N] classes, integers from 0.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    true = np.take_along_axis(shifted, truth[:, None], axis=1)[:, 0]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - true))


def calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, 0 to 1.

    Rows are put into 15 bins of equal width by the probability of the predicted class. The error is the mean
    over rows of the distance between a bin's mean confidence and its accuracy.

    Args:
        probabilities: [N, C].
        truth: [N] classes, integers from 0.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    apart = np.bincount(bins, confidence - correct, minlength=_BINS)
    return float(np.abs(apart).sum() / len(truth))
