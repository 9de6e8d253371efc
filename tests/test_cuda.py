"""On a CUDA device: the same engine, agreeing with the CPU to a tolerance. Skipped where there is none.

Training is chaotic, and a device adds in another order: weights agree to TOLERANCE after 200 steps without
dropout, where weights are of size 1 and float32 rounds at 6e-8. With dropout only statistics agree. On one
device a recording does what the steps do without it, to ROUNDING.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from builders import CPU, blobs, config, ended, line, mixed, plan
from trainrun.engine.device import choose_device
from trainrun.engine.masks import HashMasks
from trainrun.engine.step_runner import ROUTES, Block, CudaGraphs, StepRunner
from trainrun.engine.training import Pauses, train
from trainrun.events import EpochEnded, Event, FitStarted, Paused
from trainrun.ingredients import activations, embeddings, losses, optimizers

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
CUDA = torch.device("cuda")
TOLERANCE, ROUNDING = 2e-3, 1e-6

# 36 training rows: 5 steps an epoch, the last of them short.
BASE = {"hidden": [17, 9], "batch_size": 8, "epochs": 40, "early_stopping": False}


class Unrecorded(StepRunner):
    """The steps of a block as they are, with the masks of a recording."""

    longest, numbers = CudaGraphs.longest, CudaGraphs.numbers
    masks = HashMasks

    def run(self, block: Block, *inputs: Tensor) -> Iterator[list[Any]]:
        yield list(block(*inputs))


def seeds(count: int, **keys: Any) -> list:
    return [config(**BASE | keys, seed=seed) for seed in range(count)]


def run(dataset, members, device=CUDA, **how) -> list[list[Event]]:
    events: list[list[Event]] = [[] for _ in members]
    for event in train(plan(dataset, members), device=device, **how):
        events[event.member].append(event)
    return events


def assert_agree(found, expected, tolerance):
    for ours, theirs in zip(found, expected, strict=True):
        assert [type(event) for event in ours] == [type(event) for event in theirs]
        for key, weight in ended(ours).weights.items():
            np.testing.assert_allclose(weight, ended(theirs).weights[key], rtol=0, atol=tolerance)


def assert_as_on_the_cpu(dataset, members):
    assert_agree(run(dataset, members), run(dataset, members, CPU), TOLERANCE)


@pytest.mark.parametrize("name", activations)
def test_every_activation_agrees_with_the_cpu(name):
    assert_as_on_the_cpu(blobs(), seeds(3, activation=name))


@pytest.mark.parametrize("name", optimizers)
def test_every_optimizer_agrees_with_the_cpu(name):
    assert_as_on_the_cpu(blobs(), seeds(3, optimizer=name, gradient_clip=1.0))


@pytest.mark.parametrize("name", losses)
def test_every_loss_agrees_with_the_cpu(name):
    dataset = line() if losses[name].traits["task"] == "regression" else blobs()
    assert_as_on_the_cpu(dataset, seeds(2, loss=name, regularization={"l2": 1e-3, "activity_l2": 1e-3}))


@pytest.mark.parametrize("name", embeddings)
def test_every_embedding_agrees_with_the_cpu(name):
    assert_as_on_the_cpu(mixed(), seeds(3, embeddings={"numbers": name, "categories": 3}))


def test_nets_that_share_weights_agree_with_the_cpu():
    parts = {"residual": True, "normalization": "layer", "parametrization": "ntk", "averaging": "ema"}
    assert_as_on_the_cpu(blobs(), seeds(3, shared_members=4, feature_scale=True, **parts))


@pytest.mark.parametrize("count", [1, 100])
def test_stacks_agree_with_the_cpu(count):
    assert_as_on_the_cpu(blobs(), seeds(count))


@pytest.mark.parametrize("hidden", [[], [1], [3, 1]])
def test_narrow_nets_agree_with_the_cpu(hidden):
    assert_as_on_the_cpu(line(features=1), seeds(2, hidden=hidden, batch_size=7))


@pytest.mark.parametrize("name", optimizers)
@pytest.mark.parametrize("count", [1, 100])
def test_a_recording_does_what_its_steps_do(monkeypatch, name, count):
    settings = {"optimizer": name, "dropout": 0.3, "regularization": {"l1": 1e-3, "weight_decay": 0.01}}
    members = seeds(count, **settings, schedule="cosine", batch_size=1, epochs=6)  # blocks of 16, 16 and 4
    recorded = run(blobs(), members)
    monkeypatch.setitem(ROUTES, "cuda", Unrecorded)
    assert_agree(recorded, run(blobs(), members), ROUNDING)


def test_nothing_waits_for_the_device_inside_an_epoch():
    """An epoch has three blocks; from the third epoch on its first two must not read from the device."""
    calls = 0

    def watch() -> bool:
        nonlocal calls
        calls += 1
        quiet = calls > 6 and calls % 3 != 0
        torch.cuda.set_sync_debug_mode("error" if quiet else "default")
        return False

    members = seeds(3, batch_size=1, epochs=6, dropout=0.3, gradient_clip=1.0, optimizer="nadam")
    try:
        found = run(blobs(), members, pauses=Pauses(watch))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert calls == 18
    assert len(ended(found[0]).weights) == 6


def test_members_leave_and_diverge_as_on_the_cpu():
    schedule = {"name": "piecewise", "boundaries": ["12 steps"], "values": [0.01, 1e18]}
    keys = {"optimizer": "sgd", "activation": "identity", "learning_rate": 0.01}
    members = [*seeds(1, **keys), *seeds(1, **keys, schedule=schedule), *seeds(1, **keys | {"epochs": 7})]
    found, expected = run(blobs(), members), run(blobs(), members, CPU)
    for ours, theirs in zip(found, expected, strict=True):
        end, other = ended(ours), ended(theirs)
        assert (end.status, end.stopped_by, end.epochs) == (other.status, other.stopped_by, other.epochs)
        assert abs(end.steps - other.steps) <= 1  # an overflow may come a step sooner or later


@pytest.mark.parametrize("then", [CUDA, CPU], ids=str)
def test_paused_between_blocks_and_continued(then):
    """Epochs of 5 steps are single blocks: asked for the fourth time, three epochs are done."""
    members, asked = seeds(3, epochs=10), iter([False] * 3 + [True] * 10)
    events = run(blobs(), members, pauses=Pauses(lambda: next(asked)))
    paused = [told[-1] for told in events]
    assert all(isinstance(event, Paused) and event.step == 15 for event in paused)
    rest = run(blobs(), members, then, snapshots=[event.snapshot for event in paused])
    whole = [
        [event for event in told if not isinstance(event, EpochEnded) or event.epoch > 3]
        for told in run(blobs(), members)
    ]
    assert all(isinstance(told[0], FitStarted) for told in rest)
    assert_agree(rest, whole, TOLERANCE)


def test_masks_are_the_same_bits_on_every_device():
    drawn = []
    for device in (CPU, CUDA):
        masks = HashMasks(
            [0, 2**64 - 1], np.array([0.1, 0.7]), torch.zeros(1, device=device), layer=2, rows=31, width=7
        )
        masks.begin(5, 3)
        drawn.append(masks.draw(4).cpu())
    assert torch.equal(*drawn)


def test_dropout_agrees_with_the_cpu_in_its_statistics():
    """Mean losses over 200 seeds differ by less than five standard errors of their difference."""
    members = seeds(200, dropout=0.4, epochs=10)
    ends = [[ended(told) for told in run(blobs(), members, device)] for device in (CUDA, CPU)]
    for part in ("train", "valid"):
        ours, theirs = (np.array([getattr(end, part)["loss"] for end in those]) for those in ends)
        error = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / len(members))
        assert abs(ours.mean() - theirs.mean()) < 5 * error


def test_exact_zeros_and_dropout_on_the_device():
    (events,) = run(
        blobs(),
        seeds(1, dropout=0.5, regularization={"l1": 0.05}, optimizer="sgd", learning_rate=0.01),
    )
    assert (ended(events).weights["0.weight"] == 0).any()


def test_memory_goes_back_with_the_stack():
    def in_use() -> int:
        run(blobs(), seeds(20, epochs=30, learning_rate=0.03, early_stopping=2))
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated()

    assert in_use() == in_use()


def test_auto_is_the_device_that_is_there():
    assert choose_device("auto").type == "cuda"
