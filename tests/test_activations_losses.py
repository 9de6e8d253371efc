"""Activations, losses and regularizers against torch and against autograd, over the registries."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainrun.ingredients import activations, losses, regularizers
from trainrun.ingredients.regularizers import soft_threshold

POINTS = torch.cat([torch.linspace(-30, 30, 2001), torch.tensor([-1e-9, 1e-9, -700.0, 700.0])]).double()
OTHER_SETTINGS = {"leaky_relu": {"negative_slope": 0.3}, "elu": {"alpha": 0.4}}


def cases():
    return [(name, {}) for name in activations] + list(OTHER_SETTINGS.items())


@pytest.mark.parametrize(("name", "settings"), cases())
def test_activation_is_torchs(name, settings):
    ingredient = activations[name]
    module = getattr(nn, ingredient.traits["module"])(**settings)
    torch.testing.assert_close(ingredient.function(POINTS, **settings), module(POINTS), rtol=1e-12, atol=3e-9)


@pytest.mark.parametrize(("name", "settings"), cases())
def test_derivative_is_autograds(name, settings):
    ingredient = activations[name]
    z = POINTS.clone().requires_grad_()
    h = ingredient.function(z, **settings)
    h.sum().backward()
    found = ingredient.derivative_function(z.detach(), h.detach(), **settings)
    torch.testing.assert_close(found.expand_as(POINTS), z.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", activations)
def test_a_number_that_is_none_stays_so(name):
    h = activations[name].function(torch.tensor([float("nan")]))
    assert h.isnan().all()


TARGETS = {"classification": torch.randint(0, 4, (6, 5)), "regression": torch.randn(6, 5).double()}
TORCH_LOSSES = {
    "cross_entropy": lambda o, t, **s: nn.functional.cross_entropy(
        o.transpose(1, 2), t, reduction="none", **s
    ),
    "mse": lambda o, t: nn.functional.mse_loss(o[..., 0], t, reduction="none"),
    "mae": lambda o, t: nn.functional.l1_loss(o[..., 0], t, reduction="none"),
    "huber": lambda o, t, **s: nn.functional.huber_loss(o[..., 0], t, reduction="none", **s),
}


def loss_cases():
    return [(n, {}) for n in losses if losses[n].traits["task"]] + [
        ("cross_entropy", {"label_smoothing": 0.2}),
        ("huber", {"delta": 0.3}),
    ]


def output_of(task: str) -> torch.Tensor:
    return torch.randn(6, 5, 4 if task == "classification" else 1).double().mul(3)


@pytest.mark.parametrize(("name", "settings"), loss_cases())
def test_loss_is_torchs(name, settings):
    task = losses[name].traits["task"]
    output = output_of(task)
    expected = TORCH_LOSSES[name](output, TARGETS[task], **settings)
    torch.testing.assert_close(losses[name].function(output, TARGETS[task], **settings), expected)


@pytest.mark.parametrize(("name", "settings"), loss_cases())
def test_loss_derivative_is_autograds(name, settings):
    task = losses[name].traits["task"]
    output = output_of(task).requires_grad_()
    losses[name].function(output, TARGETS[task], **settings).sum().backward()
    found = losses[name].derivative_function(output.detach(), TARGETS[task], **settings)
    torch.testing.assert_close(found, output.grad)


@pytest.mark.parametrize("name", regularizers)
def test_regularizer_derivative_is_autograds(name):
    w = torch.randn(50).double().requires_grad_()
    regularizers[name].function(w).sum().backward()
    torch.testing.assert_close(regularizers[name].derivative_function(w.detach()), w.grad)


def test_soft_threshold_shrinks_to_exactly_zero_and_keeps_nan():
    w = torch.tensor([2.0, -2.0, 0.5, -0.5, 0.0, float("nan")])
    found = soft_threshold(w, torch.tensor(0.5))
    assert found[:5].tolist() == [1.5, -1.5, 0.0, 0.0, 0.0]
    assert not found[2:5].signbit().any()
    assert found[5].isnan()
