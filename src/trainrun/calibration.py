"""Calibration: a temperature that makes predicted probabilities honest, and how far off they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from trainrun.events import PARTS, PROBABILITIES

_LEAST, _MOST = 1e-2, 1e2  # temperatures
_HALVINGS = 60  # until the bracket is as narrow as a float64
_BINS = 15


@dataclass(frozen=True)
class Calibration:
    """Temperature of a net, and how honest its probabilities are.

    Attributes:
        temperature: by which logits are divided; None without calibration.
        values: by part: `ece`, `calibrated_ece` and `calibrated_loss`.
        reliability: by held-out part: for each of `PROBABILITIES` the fields of `ReliabilityBins`.
    """

    temperature: float | None = None
    values: Mapping[str, dict[str, float]] = field(default_factory=dict)
    reliability: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]] = field(default_factory=dict)


def calibrate(logits: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> Calibration:
    """Fit a temperature on the validation part, and evaluate the probabilities on all parts.

    Args:
        logits: by part, [N, C] float64.
        truth: by part, [N] classes, integers from 0.
    """
    temperature = fit_temperature(logits["valid"], truth["valid"])
    values, reliability = {}, {}
    for part, uncalibrated in logits.items():
        calibrated = uncalibrated / temperature
        both = (softmax(uncalibrated), softmax(calibrated))
        before, after = (calibration_error(probabilities, truth[part]) for probabilities in both)
        loss = log_loss(calibrated, truth[part])
        values[part] = {"ece": before, "calibrated_ece": after, "calibrated_loss": loss}
        if part in PARTS[1:]:
            bins = (reliability_bins(probabilities, truth[part])._asdict() for probabilities in both)
            reliability[part] = dict(zip(PROBABILITIES, bins, strict=True))
    return Calibration(temperature, values, reliability)


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


class ReliabilityBins(NamedTuple):
    """Rows in 15 bins of equal width by their confidence: the probability of the predicted class.

    Attributes:
        rows: [15] numbers of rows.
        confidence: [15] mean confidence; nan in an empty bin.
        accuracy: [15] share of rows whose predicted class is right; nan in an empty bin.
    """

    rows: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability_bins(probabilities: np.ndarray, truth: np.ndarray) -> ReliabilityBins:
    """Return the bins of a reliability diagram: how often predictions of a confidence are right.

    Args:
        probabilities: [N, C].
        truth: [N] classes, integers from 0.

    Source: Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    confidence, correct, bins = _binned(probabilities, truth)
    rows = np.bincount(bins, minlength=_BINS)
    with np.errstate(invalid="ignore"):  # 0 / 0 in empty bins
        means = (np.bincount(bins, values, minlength=_BINS) / rows for values in (confidence, correct))
        return ReliabilityBins(rows, *means)


def calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, 0 to 1.

    A bin's error is the distance between its mean confidence and its accuracy. Bins weigh as much as they
    have rows.

    Args:
        probabilities: [N, C].
        truth: [N] classes, integers from 0.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    confidence, correct, bins = _binned(probabilities, truth)
    apart = np.bincount(bins, confidence - correct, minlength=_BINS)
    return float(np.abs(apart).sum() / len(truth))


def _binned(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the confidence of each row, whether its predicted class is right, and its bin."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    return confidence, correct, bins
