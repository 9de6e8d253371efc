"""scikit-learn's MLPClassifier, an epoch a call, so that it can be validated on the same rows.

It has no dropout: its work is lighter than that of the others.
"""

from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.contenders import Trained
from benchmarks.works import CLASSES, LEARNING_RATE, Data, Work


def train(work: Work, data: Data, seed: int) -> Trained:
    """Train one net."""
    net = MLPClassifier(
        work.hidden,
        solver="adam",
        alpha=0.0,
        batch_size=work.batch_size,
        learning_rate_init=LEARNING_RATE,
        random_state=seed,
    )
    classes = np.arange(CLASSES)
    accuracy = 0.0
    for _ in range(work.epochs):
        net.partial_fit(data.x_train, data.y_train, classes=classes)
        probabilities = net.predict_proba(data.x_valid)
        _, accuracy = _evaluate(probabilities, data.y_valid)
    return Trained([accuracy])


def _evaluate(probabilities: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Loss and accuracy, without the input checks of `log_loss`, which would be felt in so short a fit."""
    of_truth = probabilities[np.arange(len(y)), y]
    loss = -np.log(of_truth.clip(np.finfo(of_truth.dtype).eps)).mean()
    return float(loss), float((probabilities.argmax(axis=1) == y).mean())
