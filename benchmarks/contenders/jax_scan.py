"""JAX with optax: the whole training is one compiled function, vmapped over seeds.

It scans over epochs and steps, and is compiled ahead of time, so that compiling and training are timed apart.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import optax
from jax import numpy as jnp

from benchmarks.contenders import Trained
from benchmarks.works import DROPOUT, LEARNING_RATE, Data, Work

Layers = list[tuple[jax.Array, jax.Array]]


def train_together(work: Work, data: Data, seeds: Sequence[int]) -> Trained:
    """Train one net for each seed, side by side."""
    arrays = Data(*map(jnp.asarray, data))
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds))
    start = time.perf_counter()
    training = jax.jit(jax.vmap(_training(work, data), in_axes=(0, None))).lower(keys, arrays).compile()
    compile_seconds = time.perf_counter() - start
    _, accuracy = jax.block_until_ready(training(keys, arrays))
    return Trained(np.asarray(accuracy)[:, -1].tolist(), compile_seconds)


def _training(work: Work, data: Data) -> Any:
    """A function (key, data) -> validation loss and accuracy of every epoch."""
    optimizer = optax.adam(LEARNING_RATE)
    rows, batch = len(data.x_train), work.batch_size
    steps = -(-rows // batch)

    def train_step(state: Any, batch_and_key: Any) -> Any:
        (layers, moments), (x, y, present, key) = state, batch_and_key
        gradients = jax.grad(_loss)(layers, x, y, present, key)
        updates, moments = optimizer.update(gradients, moments)
        return (optax.apply_updates(layers, updates), moments), None

    def epoch(state: Any, key: jax.Array, data: Data) -> Any:
        order_key, dropout_key = jax.random.split(key)
        order = jax.random.permutation(order_key, rows)
        # All steps of a scan have one shape: the last batch is filled up with rows that do not count.
        taken = jnp.resize(order, steps * batch).reshape(steps, batch)
        present = (jnp.arange(steps * batch) < rows).reshape(steps, batch).astype(jnp.float32)

        def step(state: Any, inputs: Any) -> Any:
            index, counts, key = inputs
            return train_step(state, (data.x_train[index], data.y_train[index], counts, key))

        state, _ = jax.lax.scan(step, state, (taken, present, jax.random.split(dropout_key, steps)))
        logits = _logits(state[0], data.x_valid)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, data.y_valid).mean()
        return state, (loss, (logits.argmax(axis=1) == data.y_valid).mean())

    def train(key: jax.Array, data: Data) -> Any:
        start_key, key = jax.random.split(key)
        layers = _start(start_key, work.widths)
        state = layers, optimizer.init(layers)
        _, history = jax.lax.scan(lambda s, k: epoch(s, k, data), state, jax.random.split(key, work.epochs))
        return history

    return train


def _start(key: jax.Array, widths: Sequence[int]) -> Layers:
    draw = jax.nn.initializers.he_normal()
    keys = jax.random.split(key, len(widths) - 1)
    return [(draw(k, (i, o)), jnp.zeros(o)) for k, (i, o) in zip(keys, pairwise(widths), strict=True)]


def _logits(layers: Layers, x: jax.Array, dropout_key: jax.Array | None = None) -> jax.Array:
    for place, (weight, bias) in enumerate(layers[:-1]):
        x = jax.nn.relu(x @ weight + bias)
        if dropout_key is not None:
            kept = jax.random.bernoulli(jax.random.fold_in(dropout_key, place), 1 - DROPOUT, x.shape)
            x = jnp.where(kept, x / (1 - DROPOUT), 0)
    weight, bias = layers[-1]
    return x @ weight + bias


def _loss(layers: Layers, x: jax.Array, y: jax.Array, present: jax.Array, key: jax.Array) -> jax.Array:
    losses = optax.softmax_cross_entropy_with_integer_labels(_logits(layers, x, key), y)
    return (losses * present).sum() / present.sum()
