"""Steps from a recording do what steps taken one by one do, shown on a CPU by a recording of operations.

Like a CUDA graph, the tape below repeats operations on the same memory and sees nothing of what Python would
have done in between. On a device without numbers (`meta`) it is shown that no step looks at one.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from builders import CPU, blobs, config, fingerprint, line, plan, run, stop_and_go
from trainrun.engine.device_data import DeviceData
from trainrun.engine.masks import HashMasks
from trainrun.engine.network import Network
from trainrun.engine.stack import Stack
from trainrun.engine.step_runner import ROUTES, Block, StepRunner
from trainrun.engine.steps import Steps
from trainrun.engine.training import Fit, Pauses
from trainrun.events import FitEnded
from trainrun.ingredients import activations, losses, optimizers

# 36 training rows: 5 steps an epoch, the last of them short; recorded as 3 and 2.
BASE = {"hidden": [17, 9], "batch_size": 8, "epochs": 6, "early_stopping": False}


class Tape(TorchDispatchMode):
    """Operations with what they took and gave."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = operation(*args, **(kwargs or {}))
        self._calls.append((operation, args, kwargs or {}, given))
        return given

    def play(self) -> dict[int, Tensor]:
        """Do it all again; what is given now, by the identity of what was given then."""
        now: dict[int, Tensor] = {}

        def current(tree: Any) -> Any:
            return tree_map_only(Tensor, lambda tensor: now.get(id(tensor), tensor), tree)

        for operation, args, kwargs, given in self._calls:
            again = operation(*current(args), **current(kwargs))
            for old, new in zip(tree_leaves(given), tree_leaves(again), strict=True):
                now[id(old)] = new
        return now


class Taped(StepRunner):
    """What `CudaGraphs` does, with a tape."""

    longest, numbers = 3, 2**24
    masks = HashMasks
    played = 0

    def __init__(self) -> None:
        self._recordings: dict[Any, Any] = {}

    def run(self, block: Block, *inputs: Tensor) -> Iterator[list[Any]]:
        shapes = tuple(x.shape for x in inputs)
        if shapes not in self._recordings:
            self._recordings[shapes] = None
            yield list(block(*inputs))
        elif self._recordings[shapes] is None:
            fixed, tape = [x.clone() for x in inputs], Tape()
            with tape:
                outputs = list(block(*fixed))
            self._recordings[shapes] = tape, fixed, outputs
            yield outputs
        else:
            yield self._replay(inputs, *self._recordings[shapes])

    def _replay(
        self, inputs: tuple[Tensor, ...], tape: Tape, fixed: list[Tensor], outputs: list[Any]
    ) -> list[Any]:
        for place, x in zip(fixed, inputs, strict=True):
            place.copy_(x)
        now = tape.play()
        for old in tree_leaves(outputs):
            if old is not None:
                old.copy_(now[id(old)])  # over what the block before has put out
        Taped.played += 1
        return outputs


@pytest.fixture
def taped(monkeypatch):
    """Steps on the CPU go the way of a recording."""
    monkeypatch.setitem(ROUTES, "cpu", Taped)
    monkeypatch.setattr(Taped, "played", 0)


def assert_same(dataset, members, **how):
    """Events and weights of a recorded training are those of an ordinary one, bit for bit."""
    found = run(dataset, *members, **how)
    assert Taped.played > 0
    del ROUTES["cpu"]
    assert [fingerprint(events) for events in found] == [
        fingerprint(events) for events in run(dataset, *members, **how)
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", optimizers)
def test_every_optimizer(taped, name, dtype):
    keys = {"regularization": {"l1": 1e-3, "weight_decay": 0.01}, "optimizer": name}
    assert_same(blobs(), [config(**BASE, **keys, seed=seed) for seed in range(3)], dtype=dtype)


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True}},
        {"optimizer": {"name": "rmsprop", "centered": True, "momentum": 0.5}},
        {"optimizer": {"name": "adagrad", "lr_decay": 0.01}},
        {"gradient_clip": 0.1},
        {"class_weight": "balanced"},
        {"loss": {"name": "cross_entropy", "label_smoothing": 0.1}},
        {"regularization": {"l1": 1e-3, "l1_method": "subgradient", "l2": 1e-2}},
        {"regularization": {"activity_l1": 0.01, "activity_l2": 0.1}},
        {"schedule": "cosine", "warmup": "7 steps"},
        {"shared_members": 3, "residual": True, "normalization": "layer"},
        {"embeddings": {"numbers": "periodic"}, "feature_scale": True},
        {"embeddings": {"numbers": "piecewise_linear"}, "averaging": "ema"},
        {"batch_size": 5},
        {"batch_size": 1000},
        {"hidden": [1]},
        {"metrics": ["accuracy", "f1_macro"]},
    ],
    ids=str,
)
def test_every_setting(taped, settings):
    assert_same(blobs(), [config(**BASE | settings, seed=seed) for seed in range(2)])


def test_regression(taped):
    assert_same(line(), [config(**BASE, loss="huber", seed=seed) for seed in range(2)])


def test_members_with_rates_of_their_own(taped):
    rates = [{"learning_rate": 0.01}, {"learning_rate": 0.03, "schedule": "cosine"}]
    assert_same(blobs(), [config(**BASE, **keys) for keys in rates])


def test_members_that_leave(taped):
    keys = BASE | {"epochs": 30, "learning_rate": 0.03, "early_stopping": 2}
    assert_same(blobs(), [config(**keys, seed=seed) for seed in range(6)])


def test_a_member_that_diverges(taped):
    keys = BASE | {"optimizer": "sgd", "activation": "identity"}
    schedule = {"name": "piecewise", "boundaries": ["12 steps"], "values": [0.01, 1e18]}
    assert_same(blobs(), [config(**keys), config(**keys, schedule=schedule, learning_rate=0.01)])


def test_dropout_does_not_depend_on_the_stack(taped):
    members = [config(**BASE, dropout={"input": 0.2, "hidden": 0.5}, seed=seed) for seed in range(4)]
    together = run(blobs(), *members)
    for place in (0, 3):
        (alone,) = run(blobs(), members[place])
        assert fingerprint(alone) == fingerprint(together[place])
    assert Taped.played > 0


def test_dropout_differs_from_step_to_step(taped):
    """Weights that do not move and rows that are all in one batch: only the masks change the loss."""
    keys = {"batch_size": 1000, "learning_rate": 1e-300, "dropout": 0.5, "epochs": 20}
    (events,) = run(blobs(), config(**BASE | keys))
    losses = [event.train["loss"] for event in events[1:-1]]
    assert len(set(losses)) == len(losses) == 20


@pytest.mark.parametrize("stops", [[1], [4], [2, 0, 3], [5, 5]])
def test_stopped_between_blocks_and_continued(taped, stops):
    members = [config(**BASE, dropout=0.3, optimizer="nadam", seed=seed) for seed in range(3)]
    found, expected = stop_and_go(blobs(), members, stops), run(blobs(), *members)
    assert [fingerprint(events) for events in found] == [fingerprint(events) for events in expected]


class Numberless(StepRunner):
    """Steps where tensors have a shape and no numbers: reading one, or mixing devices, is an error."""

    longest, numbers = 16, 2**24
    masks = HashMasks

    def run(self, block: Block, *inputs: Tensor) -> Iterator[list[Any]]:
        yield list(block(*inputs))


EVERYTHING = {
    "regularization": {"l1": 1e-3, "l2": 1e-3, "activity_l1": 1e-3, "activity_l2": 1e-3, "weight_decay": 0.1},
    "gradient_clip": 1.0,
    "dropout": {"input": 0.1, "hidden": 0.5},
}
CASES = [
    *({"activation": name} for name in activations),
    *({"optimizer": name} for name in optimizers),
    *({"loss": name} for name in losses),
    {"class_weight": "balanced"},
    {"hidden": [1]},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_step_looks_at_a_number(monkeypatch, case):
    monkeypatch.setitem(ROUTES, "meta", Numberless)
    regression = losses[case["loss"]].traits["task"] == "regression" if "loss" in case else False
    dataset = line() if regression else blobs()
    made = plan(dataset, [config(**BASE | EVERYTHING | case, seed=seed) for seed in range(2)])
    (taken,) = steps_on(torch.device("meta"), made)
    assert [tuple(step.output_KBC.shape) for step in taken] == [
        (2, rows, made.widths[-1]) for rows in (8, 8, 8, 8, 4)
    ]


def steps_on(device: torch.device, made: Any) -> list[list[Any]]:
    """An epoch's steps."""
    with torch.inference_mode():
        stack = Stack.start(made, device, torch.float32)
        feed = DeviceData(made.dataset.train, device, torch.float32)
        network = Network(stack.layout.layers)
        steps = Steps(made, stack, network, feed)
        steps.begin(1, 0)
        order_KN = torch.from_numpy(feed.order(steps.seeds, 1)).to(device)
        tables = steps.tables(1, made.learning_rates(1, np.arange(len(steps.seeds))))
        return list(steps.take(order_KN, *tables))


def test_a_number_that_is_looked_at_would_be_noticed():
    with pytest.raises(RuntimeError, match="meta"):
        bool(torch.zeros(1, device="meta") > 0)
    with pytest.raises(RuntimeError, match="on the expected device meta"):
        torch.zeros(2, device="meta") + torch.zeros(2, device=CPU)


def test_a_stack_goes_with_its_last_step(taped):
    """Recordings hold memory of the device: no circle may keep them until some collection of garbage."""
    keys = BASE | {"epochs": 30, "learning_rate": 0.03, "early_stopping": 2}
    members = [config(**keys, seed=seed) for seed in range(6)]
    gc.collect()
    gc.disable()
    try:
        with torch.inference_mode():
            fit = Fit(plan(blobs(), members), CPU, torch.float32)
            first = weakref.ref(fit.stack)
            for event in fit.run(Pauses()):
                if isinstance(event, FitEnded):
                    break
            assert first() is None
    finally:
        gc.enable()
