"""Losses: each a function that gives every row its loss and, right below, its derivative.

Both work on a whole stack: the output of the net has any leading axes and the outputs last. The engine weighs
rows and divides by their number; a loss knows nothing of batches. The trait `plain` holds the settings with
which validation and test report the loss: without label smoothing, so that values stay comparable.
"""

# No `from __future__ import annotations` here: the registry reads the settings' types, not their text.
from typing import TYPE_CHECKING, Any

from trainrun.quantities import Positive, Rate
from trainrun.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

losses: Registry[Any] = Registry("loss", plural="losses")


@losses.register(task="classification", plain={"label_smoothing": 0.0})
def cross_entropy(logits: "Tensor", target: "Tensor", *, label_smoothing: Rate = 0.0) -> "Tensor":
    """Minus the log-probability of the true class, from logits.

    Args:
        logits: [..., C].
        target: [...] class indices.

    Settings:
        label_smoothing: the share of each label that is spread evenly over all classes.

    Returns:
        [...] the loss of each row.

    Source: label smoothing of Szegedy et al. 2016, arXiv:1512.00567, section 7, as PyTorch has it.
    """
    z = _shifted(logits)
    normalizer = z.exp().sum(-1).log()
    loss = normalizer - z.gather(-1, target.unsqueeze(-1)).squeeze(-1)
    if label_smoothing:
        even = normalizer - z.mean(-1)
        loss = loss * (1 - label_smoothing) + even * label_smoothing
    return loss


@cross_entropy.derivative
def cross_entropy_derivative(logits: "Tensor", target: "Tensor", *, label_smoothing: float = 0.0) -> "Tensor":
    """[..., C]: the predicted probabilities minus the (smoothed) label."""
    gradient = _shifted(logits).exp_()
    gradient.div_(gradient.sum(-1, keepdim=True))
    if label_smoothing:
        gradient.sub_(label_smoothing / logits.shape[-1])
    label = target.unsqueeze(-1)
    return gradient.scatter_add_(-1, label, gradient.new_full((), label_smoothing - 1).expand_as(label))


@losses.register(task=None, plain={"label_smoothing": 0.0})
def by_task(logits: "Tensor", target: "Tensor", *, label_smoothing: Rate = 0.0) -> "Tensor":
    """cross_entropy for classes, mse for numbers.

    Settings:
        label_smoothing: for classes: the share of each label that is spread evenly over all classes.
    """
    raise LookupError("the task decides which loss this is")


@losses.register(task="regression")
def mse(prediction: "Tensor", target: "Tensor") -> "Tensor":
    """The squared error.

    Args:
        prediction: [..., 1].
        target: [...].

    Returns:
        [...] the loss of each row.
    """
    error = prediction.squeeze(-1) - target
    return error * error


@mse.derivative
def mse_derivative(prediction: "Tensor", target: "Tensor") -> "Tensor":
    return (prediction - target.unsqueeze(-1)) * 2


@losses.register(task="regression")
def mae(prediction: "Tensor", target: "Tensor") -> "Tensor":
    """The absolute error; less moved by outliers than mse."""
    return (prediction.squeeze(-1) - target).abs()


@mae.derivative
def mae_derivative(prediction: "Tensor", target: "Tensor") -> "Tensor":
    return (prediction - target.unsqueeze(-1)).sign()


@losses.register(task="regression")
def huber(prediction: "Tensor", target: "Tensor", *, delta: Positive = 1.0) -> "Tensor":
    """Half the squared error up to delta, beyond it linear with slope delta.

    Settings:
        delta: the error up to which the loss is a square.

    Source: Huber 1964, "Robust estimation of a location parameter", as PyTorch's HuberLoss.
    """
    error = (prediction.squeeze(-1) - target).abs()
    near = error.clamp_max(delta)
    return near * (error - near * 0.5)


@huber.derivative
def huber_derivative(prediction: "Tensor", target: "Tensor", *, delta: float = 1.0) -> "Tensor":
    return (prediction - target.unsqueeze(-1)).clamp(-delta, delta)


def _shifted(logits: "Tensor") -> "Tensor":
    # The largest becomes 0, so that no exponential overflows. Written out, because torch's softmax is several
    # times slower on a few classes.
    return logits - logits.amax(-1, keepdim=True)
