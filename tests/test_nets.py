"""Nets with every part: gradients, bits alone and in a stack, pauses, and the model that users load."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml

from builders import CPU, blobs, config, epochs, fingerprint, line, mixed, plan, run, stop_and_go
from shell import trainrun_
from trainrun import fit, load_run
from trainrun.engine.divergence import DivergenceTracker
from trainrun.engine.layers import Step
from trainrun.engine.network import Network
from trainrun.engine.saved import SavedNet
from trainrun.engine.stack import Stack

ALL = {
    "residual": True,
    "normalization": "layer",
    "feature_scale": True,
    "parametrization": "ntk",
    "averaging": {"name": "ema", "decay": 0.9},
    "embeddings": {"categories": 2, "numbers": {"name": "pbld", "frequencies": 4}},
}
PARTS = {
    "residual": {"residual": True},
    "layer normalization": {"normalization": "layer"},
    "batch normalization": {"normalization": "batch", "batch_size": 9},
    "feature scale": {"feature_scale": True},
    "ntk": {"parametrization": "ntk"},
    "average": {"averaging": {"name": "ema", "decay": 0.9}},
    "vectors of categories": {"embeddings": {"categories": 3}},
    "numbers for categories": {"embeddings": {"categories": 1}},
    "periodic": {"embeddings": {"numbers": "periodic", "categories": "auto"}, "dropout": {"input": 0.2}},
    "pbld": {"embeddings": {"numbers": {"name": "pbld", "frequencies": 5}}},
    "piecewise linear": {"embeddings": {"numbers": {"name": "piecewise_linear", "bins": 4}}},
    "shared weights": {"shared_members": 3, "class_weight": None},
    "shared weights of everything": ALL | {"shared_members": 2, "hidden": [6, 6]},
    "shared weights, batch normalization": {"shared_members": 5, "normalization": "batch", "batch_size": 9},
    "shared weights without a hidden layer": {"shared_members": 4, "hidden": []},
    "output initializer": {"output_initializer": "zeros"},
    "all": ALL,
    "all with batch normalization": ALL | {"normalization": "batch", "batch_size": 9},
    "all, odd widths": ALL | {"hidden": [1, 1, 6, 6, 2], "normalization": "none"},
    "all, penalties": ALL
    | {"regularization": {"l1": 1e-3, "l2": 1e-3, "activity_l2": 1e-3}, "gradient_clip": 1.0},
}
BASE = {"hidden": [7, 7, 5], "batch_size": 8, "epochs": 3, "early_stopping": False, "dropout": 0.2}
DATA = {"classes": blobs, "numbers": line, "codes": mixed}

COLOURS = "a,colour,b,shape,y\n" + "".join(
    f"{i % 7},{('red', 'green', 'blue')[i % 3]},{i % 11 or ''},s{i % 12},{('yes', 'no')[i % 5 > 2]}\n"
    for i in range(90)
)


@pytest.mark.parametrize("keys", PARTS.values(), ids=PARTS)
def test_gradients_are_those_of_autograd(keys):
    """Against the modules that `load_model` gives, with the weights as they are saved."""
    torch.manual_seed(0)
    made = plan(mixed(), [config(**BASE | keys, activation="tanh", seed=seed) for seed in range(2)])
    stack = Stack.start(made, CPU, torch.float32)
    for values in stack.layout.saved(stack.parameters_D).values():
        values.copy_(torch.randn(values.shape).abs() * 0.5)  # variances are positive
    network, x_KBI = Network(stack.layout.layers), torch.randn(2, 6, 7)
    x_KBI[..., 5:] = torch.randint(4, (2, 6, 2)).float()
    trace = network.forward(stack.views, x_KBI, None)
    delta_KBC = torch.randn(trace.output_KBC.shape)
    network.backward(stack.views, stack.gradients, trace, delta_KBC)
    saved, gradients = stack.layout.to_save(stack.parameters_D), stack.layout.saved(stack.gradient_D)
    factors = {key: slot.saved_factor for key, slot in stack.layout.slots.items()}
    for k in range(2):
        weights = {key: values[k].numpy() for key, values in saved.items()}
        net = SavedNet(weights, stack.layout.layers).sequential()
        output_BC = net(x_KBI[k])
        torch.testing.assert_close(trace.output_KBC[k], output_BC.detach(), rtol=1e-4, atol=1e-5)
        output_BC.backward(delta_KBC[k])
        for key, parameter in net.named_parameters():
            expected = parameter.grad * factors[key]
            torch.testing.assert_close(gradients[key][k], expected, rtol=1e-3, atol=1e-5, msg=key)


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
@pytest.mark.parametrize("keys", PARTS.values(), ids=PARTS)
def test_a_member_has_the_same_bits_alone_in_a_stack_and_after_pauses(keys, data):
    dataset, members = data(), [config(**BASE | keys, seed=seed) for seed in range(3)]
    together = [fingerprint(events) for events in run(dataset, *members)]
    (alone,) = run(dataset, members[2])
    assert fingerprint(alone) == together[2]
    assert [fingerprint(events) for events in stop_and_go(dataset, members, [3, 0, 4])] == together


@pytest.mark.parametrize("data", ["iris", "diabetes", "colours"])
@pytest.mark.parametrize("keys", PARTS.values(), ids=PARTS)
def test_the_loaded_model_is_the_net(tmp_path, keys, data):
    """As modules of torch.nn, as the engine evaluates it, and as the run's result has it."""
    settings = BASE | keys | {"batch_size": 20}
    if data == "colours":
        (tmp_path / "t.csv").write_text(COLOURS)
        settings["data"] = {"path": "t.csv", "target": "y"}
    (tmp_path / "net.yaml").write_text(yaml.safe_dump({"data": data, **settings}))
    (run_,) = fit(tmp_path / "net.yaml", runs=tmp_path / "runs")
    trained = load_run(run_)
    x = np.random.default_rng(0).normal(size=(9, len(trained.preprocessing.feature_names))).astype(np.float32)
    codes = len(trained.preprocessing.code_sizes)
    x[:, x.shape[1] - codes :] = np.arange(9)[:, None] % 3
    with torch.inference_mode():
        found = trained.model()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, trained._net.outputs(x), rtol=1e-4, atol=1e-5)
    assert trained.evaluate_parts()["test"] == pytest.approx(run_.result["test"], rel=1e-6)
    for command in (("check", "net.yaml"), ("report", "net"), ("show", "net")):
        trainrun_(*command, cwd=tmp_path)


def test_the_effective_matrices_of_ntk_start_as_the_initializer_says():
    """So that both parametrizations begin with the same net."""
    plain, ntk = (
        run(blobs(), config(**BASE | {"epochs": 0}, parametrization=name))[0][-1].weights
        for name in ("standard", "ntk")
    )
    assert plain.keys() == ntk.keys()
    for key, values in plain.items():
        np.testing.assert_allclose(ntk[key], values, rtol=1e-6, atol=1e-7)


def test_the_last_of_equally_good_epochs_is_kept():
    """The weights are those after that epoch; the curve is the same."""
    keys = BASE | {"epochs": 40, "early_stopping": {"monitor": "val_error", "patience": None}, "hidden": [30]}
    last = keys | {"early_stopping": keys["early_stopping"] | {"ties": "last"}}
    first, (found,) = run(blobs(), config(**keys))[0], run(blobs(), config(**last))
    errors = [epoch.valid["error"] for epoch in epochs(found)]
    assert errors == [epoch.valid["error"] for epoch in epochs(first)]
    best = [number for number, error in enumerate(errors, 1) if error == min(errors)]
    assert len(best) > 1
    assert (first[-1].best_epoch, found[-1].best_epoch) == (best[0], best[-1])
    cut = run(blobs(), config(**last | {"epochs": best[-1]}))[0]
    for key, values in cut[-1].weights.items():
        np.testing.assert_array_equal(found[-1].weights[key], values)


def test_an_average_over_the_steps_is_the_weighted_mean():
    """By hand from the weights after each step, in float64."""
    decay, members = 0.7, {"averaging": {"name": "ema", "decay": 0.7}, "dropout": 0.0}
    made = plan(blobs(), [config(**BASE | members)])
    events = run(blobs(), config(**BASE | members | {"epochs": 1}), dtype=torch.float64)[0]
    steps = made.steps_per_epoch
    weights = []
    for stop in range(1, steps + 1):
        stack = _after(stop)
        weights.append(stack)
    parts = np.array([(1 - decay) * decay ** (steps - s) / (1 - decay**steps) for s in range(1, steps + 1)])
    for key, averaged in events[-1].weights.items():
        expected = sum(part * one[key] for part, one in zip(parts, weights, strict=True))
        np.testing.assert_allclose(averaged, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", [{}, {"loss": {"name": "cross_entropy", "label_smoothing": 0.2}}])
def test_nets_that_share_weights_train_on_the_mean_of_their_losses(loss):
    """A step of the modules of `load_model` by autograd; validation is of the mean prediction."""
    keys = {"hidden": [6], "shared_members": 3, "optimizer": "sgd", "learning_rate": 0.5, "batch_size": 64}
    keys |= {"class_weight": {"0": 1.0, "1": 3.0, "2": 0.5}, "early_stopping": False, **loss}
    dataset = blobs()
    made = plan(dataset, [config(**keys)])
    start = run(dataset, config(**keys | {"epochs": 0}))[0][-1].weights
    (events,) = run(dataset, config(**keys | {"epochs": 1}))
    layers = Stack.start(made, CPU, torch.float32).layout.layers
    net = SavedNet(start, layers).sequential()
    x, y = torch.from_numpy(dataset.train.x), torch.from_numpy(dataset.train.y)
    members_NC = net[:-1](x)
    assert members_NC.shape == (3 * len(y), 3)
    smoothing = 0.2 if loss else 0.0
    losses = torch.nn.functional.cross_entropy(
        members_NC, y.repeat_interleave(3), label_smoothing=smoothing, reduction="none"
    )
    weights = torch.tensor([1.0, 3.0, 0.5])[y].repeat_interleave(3)
    (losses * weights).mean().backward()
    with torch.no_grad():
        for key, parameter in net.named_parameters():
            moved = parameter - 0.5 * parameter.grad
            np.testing.assert_allclose(events[-1].weights[key], moved.numpy(), rtol=1e-4, atol=1e-6)
    (epoch,) = epochs(events)
    assert epoch.train["loss"] == pytest.approx(float((losses * weights).mean().detach()), rel=1e-5)
    after = SavedNet(events[-1].weights, layers).sequential()
    with torch.inference_mode():
        x, y = torch.from_numpy(dataset.valid.x), torch.from_numpy(dataset.valid.y)
        mean = after[:-1](x).softmax(-1).unflatten(0, (-1, 3)).mean(1)
        expected = -mean[range(len(y)), y].log().mean()
    assert epoch.valid["loss"] == pytest.approx(float(expected), rel=1e-5)


def _after(steps: int) -> dict[str, np.ndarray]:
    """The weights of the plain net after some steps of its first epoch."""
    from builders import After
    from trainrun.engine.training import Fit, Pauses

    with torch.inference_mode():
        trained = Fit(plan(blobs(), [config(**BASE | {"dropout": 0.0})]), CPU, torch.float64)
        for _ in trained.run(Pauses(After(steps))):
            pass
        saved = trained.stack.layout.to_save(trained.stack.parameters_D)
        return {key: values[0].numpy().copy() for key, values in saved.items()}


@pytest.mark.parametrize(
    ("batch_size", "advice"), [(5, "take 4 or 6"), (1, "take 2, or"), (35, "take 34 or 36")]
)
def test_batch_normalization_refuses_a_batch_of_one_row(tmp_path, batch_size, advice):
    """Of 36 training rows."""
    rows = "".join(f"{i},{i % 5},{i % 2}\n" for i in range(60))
    (tmp_path / "t.csv").write_text("a,b,y\n" + rows)
    (tmp_path / "net.yaml").write_text(
        f"data: {{path: t.csv, target: y}}\nnormalization: batch\nbatch_size: {batch_size}\n"
    )
    done = trainrun_("fit", "net.yaml", cwd=tmp_path, code=2)
    assert f"batch_size: {batch_size} leaves a batch of one row" in done.stderr
    assert advice in done.stderr


def test_a_step_changes_what_it_should(tmp_path):
    """Steps of a batch-normalized net move the running statistics, and evaluation does not."""
    made = plan(blobs(), [config(**BASE, normalization="batch")])
    stack = Stack.start(made, CPU, torch.float32)
    network, x_KBI = Network(stack.layout.layers), torch.randn(1, 6, 5)
    before = stack.parameters_D.clone()
    network.evaluate(stack.views, x_KBI)
    assert torch.equal(stack.parameters_D, before)
    network.forward(stack.views, x_KBI, Step([None] * 4, None))
    moved = {key for key, held in stack.layout.saved(stack.parameters_D - before).items() if held.any()}
    assert moved == {f"{place}.running_{name}" for place in (1, 4, 7) for name in ("mean", "var")}


def test_a_divergence_names_the_linear_layer_whatever_stands_between():
    """Blocks of parameters are those of layers and of the projections of shortcuts."""
    keys = {"hidden": [7, 4], "residual": True, "normalization": "layer", "feature_scale": True}
    layout = Stack.start(plan(blobs(), [config(**keys)]), CPU, torch.float32).layout
    assert layout.block_labels == [
        *(("weight", layer) for layer in (1, 1, 2, 2, 3)),
        ("bias or scale", 0),
    ]
    plain = Stack.start(plan(blobs(), [config(hidden=[7])]), CPU, torch.float32).layout
    assert plain.block_labels == [("weight", 1), ("weight", 2), ("bias", 0)]
    tracker, labels = DivergenceTracker(3), layout.block_labels
    probes_TPK = torch.zeros(2, len(labels), 3)
    probes_TPK[1, 3, 0] = torch.inf  # the projection of the second layer
    probes_TPK[0, 5, 1] = torch.nan
    tracker.look(0, torch.zeros(3, 8), probes_TPK, 4, labels)
    assert tracker.step_K.tolist() == [1, 0, -1]
    assert tracker.quantity_K.tolist() == ["weight", "bias or scale", ""]
    assert tracker.layer_K.tolist() == [2, 0, 0]
