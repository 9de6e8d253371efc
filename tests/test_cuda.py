"""On a CUDA device: the same engine, agreeing with the CPU to a tolerance. Skipped where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from builders import CPU, blobs, config, ended, line, plan
from trainrun.engine.device import choose_device
from trainrun.engine.training import train
from trainrun.ingredients import activations, optimizers

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
BASE = {"hidden": [17, 9], "batch_size": 8, "epochs": 20, "early_stopping": False}


def weights(dataset, configs, device):
    events = [[] for _ in configs]
    for event in train(plan(dataset, configs), device=device):
        events[event.member].append(event)
    return [ended(member).weights for member in events]


def assert_agree(dataset, configs, tolerance=2e-3):
    """Training is chaotic: the tolerance holds after some 100 to 200 steps without dropout."""
    found, expected = (weights(dataset, configs, device) for device in (torch.device("cuda"), CPU))
    for ours, theirs in zip(found, expected, strict=True):
        for key in ours:
            np.testing.assert_allclose(ours[key], theirs[key], atol=tolerance)


@pytest.mark.parametrize("name", activations)
def test_every_activation_agrees_with_the_cpu(name):
    assert_agree(blobs(), [config(**BASE, activation=name, seed=seed) for seed in range(3)])


@pytest.mark.parametrize("name", optimizers)
def test_every_optimizer_agrees_with_the_cpu(name):
    assert_agree(blobs(), [config(**BASE, optimizer=name, gradient_clip=1.0, seed=s) for s in range(3)])


def test_regression_agrees_with_the_cpu():
    assert_agree(line(), [config(**BASE | {"hidden": [1]}, regularization={"l2": 1e-3})])


def test_exact_zeros_and_dropout_on_the_device():
    c = config(**BASE, dropout=0.5, regularization={"l1": 0.05}, optimizer="sgd", learning_rate=0.01)
    (found,) = weights(blobs(), [c], torch.device("cuda"))
    assert (found["0.weight"] == 0).any()


def test_auto_is_the_device_that_is_there():
    assert choose_device("auto").type == "cuda"
