"""A training of the engine against an ordinary PyTorch training from the same weights on the same batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from builders import blobs, config, ended, epochs, line, plan, run, start_weights
from trainrun.config import Config
from trainrun.data import Dataset
from trainrun.streams import Purpose, stream

OPTIMIZERS: dict[str, tuple[object, Callable[..., torch.optim.Optimizer]]] = {
    "sgd": ("sgd", lambda p, lr: torch.optim.SGD(p, lr)),
    "sgd momentum": ({"name": "sgd", "momentum": 0.9}, lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9)),
    "sgd nesterov": (
        {"name": "sgd", "momentum": 0.8, "nesterov": True},
        lambda p, lr: torch.optim.SGD(p, lr, momentum=0.8, nesterov=True),
    ),
    "adam": ("adam", lambda p, lr: torch.optim.Adam(p, lr)),
    "adam betas": (
        {"name": "adam", "betas": [0.8, 0.95], "eps": 1e-4},
        lambda p, lr: torch.optim.Adam(p, lr, betas=(0.8, 0.95), eps=1e-4),
    ),
    "adamw": ("adamw", lambda p, lr: torch.optim.AdamW(p, lr)),
    "nadam": ("nadam", lambda p, lr: torch.optim.NAdam(p, lr)),
    "rmsprop": ("rmsprop", lambda p, lr: torch.optim.RMSprop(p, lr)),
    "rmsprop centered": (
        {"name": "rmsprop", "centered": True, "momentum": 0.5, "alpha": 0.9},
        lambda p, lr: torch.optim.RMSprop(p, lr, centered=True, momentum=0.5, alpha=0.9),
    ),
    "adagrad": ("adagrad", lambda p, lr: torch.optim.Adagrad(p, lr)),
    "adagrad decay": (
        {"name": "adagrad", "lr_decay": 0.01, "initial_accumulator_value": 0.1},
        lambda p, lr: torch.optim.Adagrad(p, lr, lr_decay=0.01, initial_accumulator_value=0.1),
    ),
}
LOSSES = {
    "cross_entropy": nn.CrossEntropyLoss(),
    "mse": nn.MSELoss(),
    "mae": nn.L1Loss(),
    "huber": nn.HuberLoss(),
}
MODULES = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "elu": nn.ELU}


def reference(
    dataset: Dataset,
    c: Config,
    make_optimizer: Callable[..., torch.optim.Optimizer],
    loss: Callable[..., torch.Tensor],
    penalty: Callable[[nn.Sequential], torch.Tensor] | None = None,
) -> nn.Sequential:
    """The same training as an ordinary loop in float64."""
    net = start(dataset, c)
    weights = [p for name, p in net.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in net.named_parameters() if name.endswith("bias")]
    optimizer = make_optimizer(
        [{"params": weights}, {"params": biases, "weight_decay": 0.0}], c.learning_rate
    )
    x, y = torch.from_numpy(dataset.train.x).double(), torch.from_numpy(dataset.train.y)
    y = y if dataset.target.task == "classification" else y.double()
    for epoch in range(1, c.epochs + 1):
        order = torch.from_numpy(stream(c.seed, Purpose.ORDER, epoch).permutation(len(y)))
        for rows in order.split(c.batch_size):
            optimizer.zero_grad()
            output = net(x[rows])
            value = loss(output if dataset.target.task == "classification" else output.squeeze(-1), y[rows])
            (value if penalty is None else value + penalty(net)).backward()
            if c.gradient_clip is not None:
                nn.utils.clip_grad_norm_(net.parameters(), c.gradient_clip)
            optimizer.step()
    return net


def start(dataset: Dataset, c: Config) -> nn.Sequential:
    modules: list[nn.Module] = []
    for weight, bias in start_weights(plan(dataset, [c])):
        linear = nn.Linear(*weight.shape).double()
        linear.weight.data = torch.from_numpy(weight.T.copy())
        linear.bias.data = torch.from_numpy(bias.copy())
        modules += [linear, MODULES[c.activation.name]()]
    return nn.Sequential(*modules[:-1])


def assert_same(net: nn.Sequential, dataset: Dataset, c: Config, tolerance: float = 1e-9) -> None:
    from trainrun.engine.training import Fit, Pauses

    with torch.inference_mode():
        fit = Fit(plan(dataset, [c]), torch.device("cpu"), torch.float64)
        stack = fit.stack
        for _ in fit.run(Pauses()):
            pass
    found, expected = stack.layout.saved(stack.parameters_D), net.state_dict()
    assert found.keys() == expected.keys()
    for key, value_K in found.items():
        torch.testing.assert_close(value_K[0], expected[key], rtol=0, atol=tolerance)


BASE = {
    "initializer": "he_normal",
    "hidden": [7, 6],
    "batch_size": 9,
    "epochs": 50,
    "early_stopping": False,
    "learning_rate": 0.01,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_200_steps_equal_torch_for_every_optimizer(name):
    choice, make = OPTIMIZERS[name]
    dataset, c = blobs(), config(**BASE, optimizer=choice)
    assert plan(dataset, [c]).steps_per_epoch * c.epochs >= 200
    assert_same(reference(dataset, c, make, LOSSES["cross_entropy"]), dataset, c)


def test_every_optimizer_has_a_reference():
    from trainrun.ingredients import optimizers

    assert set(optimizers) == {name.split()[0] for name in OPTIMIZERS}


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
@pytest.mark.parametrize("hidden", [[], [1], [6, 1, 4]])
def test_regression_equals_torch(loss, hidden):
    dataset, c = line(), config(**BASE | {"hidden": hidden, "loss": loss, "activation": "tanh"})
    assert_same(reference(dataset, c, OPTIMIZERS["adam"][1], LOSSES[loss]), dataset, c)


@pytest.mark.parametrize("batch_size", [1, 5, 7, 36, 1000])
def test_every_batch_size_equals_torch(batch_size):
    dataset = blobs()
    c = config(**BASE | {"batch_size": batch_size, "epochs": 6, "activation": "gelu", "optimizer": "sgd"})
    assert_same(reference(dataset, c, OPTIMIZERS["sgd"][1], LOSSES["cross_entropy"]), dataset, c)


@pytest.mark.parametrize("clip", [0.3, 3.0])  # every gradient is larger, every gradient is smaller
def test_penalties_smoothing_weights_and_clipping_equal_torch(clip):
    dataset = blobs()
    c = config(
        **BASE | {"epochs": 30, "activation": "tanh"},
        optimizer="sgd",
        regularization={"l1": 1e-3, "l1_method": "subgradient", "l2": 2e-3},
        gradient_clip=clip,
        loss={"name": "cross_entropy", "label_smoothing": 0.1},
        class_weight={"0": 0.5, "1": 2.0},
    )
    weight = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)

    def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        rows = nn.functional.cross_entropy(logits, target, label_smoothing=0.1, reduction="none")
        return (rows * weight[target]).sum() / len(target)

    def penalty(net: nn.Sequential) -> torch.Tensor:
        weights = [p for name, p in net.named_parameters() if name.endswith("weight")]
        return sum(1e-3 * w.abs().sum() + 2e-3 * (w * w).sum() for w in weights)

    assert_same(reference(dataset, c, OPTIMIZERS["sgd"][1], loss, penalty), dataset, c)


@pytest.mark.parametrize("batch_size", [7, 9, 35])  # of 36 rows: 7 and 35 leave one over
def test_activity_penalties_equal_torch(batch_size):
    dataset = blobs()
    c = config(
        **BASE | {"epochs": 10, "activation": "tanh", "batch_size": batch_size},
        optimizer="sgd",
        regularization={"activity_l1": 0.02, "activity_l2": 0.05},
    )
    net, shown = start(dataset, c), epochs(run(dataset, c, dtype=torch.float64)[0])
    x, y = torch.from_numpy(dataset.train.x).double(), torch.from_numpy(dataset.train.y)
    optimizer = torch.optim.SGD(net.parameters(), c.learning_rate)
    for epoch in range(1, c.epochs + 1):
        order = torch.from_numpy(stream(c.seed, Purpose.ORDER, epoch).permutation(len(y)))
        total = 0.0
        for rows in order.split(c.batch_size):
            optimizer.zero_grad()
            hidden = [net[:2](x[rows]), net[:4](x[rows])]
            activity = sum((0.02 * h.abs() + 0.05 * h * h).sum() for h in hidden)
            (nn.functional.cross_entropy(net(x[rows]), y[rows]) + activity / len(rows)).backward()
            total += activity.item()
            optimizer.step()
        assert shown[epoch - 1].penalty == pytest.approx(total / len(y), rel=1e-9)
    assert_same(net, dataset, c)


def test_reported_values_are_those_of_torch():
    dataset, c = blobs(), config(**BASE | {"epochs": 3, "activation": "tanh", "optimizer": "sgd"})
    net = reference(dataset, c, OPTIMIZERS["sgd"][1], LOSSES["cross_entropy"])
    last = epochs(run(dataset, c, dtype=torch.float64)[0])[-1]
    with torch.no_grad():
        logits = net(torch.from_numpy(dataset.valid.x).double())
    target = torch.from_numpy(dataset.valid.y)
    assert last.valid["loss"] == pytest.approx(float(nn.functional.cross_entropy(logits, target)), rel=1e-9)
    assert last.valid["accuracy"] == float((logits.argmax(1) == target).double().mean())


def test_regression_metrics_are_in_the_targets_own_units():
    dataset = line()
    c = config(**BASE | {"epochs": 3, "activation": "tanh"})
    last = epochs(run(dataset, c, dtype=torch.float64)[0])[-1]
    assert last.valid["rmse"] == pytest.approx(3.0 * np.sqrt(last.valid["loss"]), rel=1e-6)


def test_training_values_are_means_over_the_rows_of_the_epoch():
    """With a learning rate that does not move the weights, they are those of the start weights."""
    dataset, c = blobs(), config(**BASE | {"epochs": 1, "learning_rate": 1e-300, "activation": "tanh"})
    net = start(dataset, c)
    with torch.no_grad():
        logits = net(torch.from_numpy(dataset.train.x).double())
    expected = nn.functional.cross_entropy(logits, torch.from_numpy(dataset.train.y))
    (epoch,) = epochs(run(dataset, c, dtype=torch.float64)[0])
    assert epoch.train["loss"] == pytest.approx(float(expected), rel=1e-12)
    assert ended(run(dataset, c, dtype=torch.float64)[0]).train["loss"] == pytest.approx(
        float(expected), rel=1e-6
    )
