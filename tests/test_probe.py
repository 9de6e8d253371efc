"""What is seen of a net at its start is what torch sees, by autograd."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from builders import CPU, blobs, config, line, plan, start_weights
from trainrun.data import Part
from trainrun.engine.probe import guessing, look
from trainrun.ingredients import activations


def reference(made, probe):
    """Outputs, pre-activations and gradients of the hidden layers, and the mean loss, in float64."""
    x = torch.from_numpy(probe.input_BI).double()
    y = torch.from_numpy(made.dataset.train.y[_rows(made, probe)])
    module = getattr(torch.nn, made.net.activation.ingredient.traits["module"])()
    before, after, h = [], [], x
    for index, (weight, bias) in enumerate(start_weights(made)):
        z = h @ torch.from_numpy(weight) + torch.from_numpy(bias)
        if index < len(made.widths) - 2:
            before.append(z.requires_grad_())
            z.retain_grad()
            h = module(z)
            after.append(h)
    if made.dataset.target.task == "classification":
        loss = torch.nn.functional.cross_entropy(z, y, reduction="none")
    else:
        loss = (z[:, 0] - y.double()) ** 2
    loss.sum().backward()
    return before, after, [z.grad for z in before], loss.mean().item()


def _rows(made, probe):
    """Which training rows were sent through the net."""
    train = made.dataset.train.x
    return [int(np.flatnonzero((train == row).all(axis=1))[0]) for row in probe.input_BI]


@pytest.mark.parametrize("activation", activations)
def test_a_look_sees_what_torch_sees(activation):
    made = plan(blobs(), [config(activation=activation, hidden=[7, 1, 4])])
    (probe,) = look(made, CPU)
    before, after, gradients, loss = reference(made, probe)
    for layer, z, h, gradient in zip(probe.layers, before, after, gradients, strict=True):
        np.testing.assert_allclose(layer.before_BO, z.detach(), atol=1e-5)
        np.testing.assert_allclose(layer.output_BO, h.detach(), atol=1e-5)
        np.testing.assert_allclose(layer.gradient_BO, gradient, atol=1e-5)
    assert probe.loss == pytest.approx(loss, rel=1e-5)


def test_a_look_at_numbers():
    made = plan(line(), [config(hidden=[6])])
    (probe,) = look(made, CPU)
    *_, gradients, loss = reference(made, probe)
    np.testing.assert_allclose(probe.layers[0].gradient_BO, gradients[0], atol=1e-5)
    assert probe.loss == pytest.approx(loss, rel=1e-5)


def test_members_see_the_same_rows_each_with_its_own_weights():
    made = plan(blobs(), [config(seed=0), config(seed=1), config(seed=1, dropout=0.5)])
    first, second, dropping = look(made, CPU)
    assert np.array_equal(first.input_BI, second.input_BI)
    assert not np.array_equal(first.layers[0].output_BO, second.layers[0].output_BO)
    assert np.array_equal(second.layers[1].gradient_BO, dropping.layers[1].gradient_BO)  # dropout is off


@pytest.mark.parametrize(("loss", "expected"), [("mse", "var"), ("mae", "mad")])
def test_guessing_numbers_is_always_saying_the_mean(loss, expected):
    made = plan(line(), [config(loss=loss)])
    y = made.dataset.train.y.astype(np.float64)
    known = {"var": y.var(), "mad": np.abs(y - y.mean()).mean()}
    assert guessing(made) == pytest.approx(known[expected], rel=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", {"name": "cross_entropy", "label_smoothing": 0.1}])
def test_guessing_classes_is_the_logarithm_of_their_number(loss):
    assert guessing(plan(blobs(classes=4), [config(loss=loss)])) == pytest.approx(math.log(4))


def test_a_single_row_is_enough():
    data = blobs()
    alone = replace(data, train=Part(data.train.x[:1], data.train.y[:1]))
    (probe,) = look(plan(alone, [config()]), CPU)
    assert probe.layers[0].output_BO.shape == (1, 64)
