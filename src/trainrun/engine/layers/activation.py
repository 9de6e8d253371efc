"""The activation layer: a function of each number, as `ingredients.activations` has it."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from trainrun.config import Choice
from trainrun.engine.layers.layer import Layer, Parameters, Step


class Activated(NamedTuple):
    """The input and the output of an activation."""

    before_KBO: Tensor
    output_KBO: Tensor


class Activation(Layer):
    """A function of each number. The activity penalty acts on its output.

    Args:
        activation: the function and its settings.
    """

    def __init__(self, activation: Choice) -> None:
        self._activation = activation
        self._function, self.derivative = activation.function, activation.derivative

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Activated]:
        """Return the output, and input and output."""
        output_KBO = self._function(x_KBI)
        return output_KBO, Activated(x_KBI, output_KBO)

    def backward(
        self, parameters: Parameters, kept: Activated, delta_KBO: Tensor, step: Step | None
    ) -> Tensor:
        """Return delta, plus the activity penalty's derivative, times the slope."""
        if step is not None and step.activity is not None:
            delta_KBO = delta_KBO + step.activity(kept.output_KBO)
        return delta_KBO * self.derivative(*kept)

    def module(self) -> nn.Module:
        """Return the module of the same function and settings."""
        kind: type[nn.Module] = getattr(nn, self._activation.ingredient.traits["module"])
        return kind(**self._activation.settings)
