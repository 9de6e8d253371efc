"""Keras 3 on JAX: a Sequential model, compile, fit.

It compiles while it fits; JAX itself tells how long that took.
"""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "jax"  # Keras reads it when imported

import jax
import keras

from benchmarks.contenders import Trained
from benchmarks.works import CLASSES, DROPOUT, LEARNING_RATE, Data, Work

_compiling: list[float] = []


def _note(event: str, seconds: float, **_: object) -> None:
    if event.startswith("/jax/core/compile/"):  # tracing, lowering, compiling
        _compiling.append(seconds)


jax.monitoring.register_event_duration_secs_listener(_note)


def train(work: Work, data: Data, seed: int) -> Trained:
    """Train one net."""
    _compiling.clear()
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input(shape=data.x_train.shape[1:])])
    for width in work.hidden:
        model.add(keras.layers.Dense(width, activation="relu"))
        model.add(keras.layers.Dropout(DROPOUT))
    model.add(keras.layers.Dense(CLASSES))
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        data.x_train,
        data.y_train,
        batch_size=work.batch_size,
        epochs=work.epochs,
        validation_data=(data.x_valid, data.y_valid),
        verbose=0,
    )
    return Trained([history.history["val_accuracy"][-1]], compile_seconds=sum(_compiling))
