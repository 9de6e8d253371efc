"""The activation layer: a function of each number, as `ingredients.activations` has it."""

from __future__ import annotations

from torch import Tensor, nn

from trainrun.config import Choice
from trainrun.engine.layers.layer import Layer, Parameters, Step


class Activation(Layer):
    """A function of each number. The activity penalty acts on its output.

    Args:
        activation: the function and its settings.
    """

    def __init__(self, activation: Choice) -> None:
        self._activation = activation
        self._function, self._derivative = activation.function, activation.derivative

    def forward(
        self, parameters: Parameters, x_KBI: Tensor, step: Step | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the output, and the input with the output."""
        output_KBO = self._function(x_KBI)
        return output_KBO, (x_KBI, output_KBO)

    def backward(
        self, parameters: Parameters, kept: tuple[Tensor, Tensor], delta_KBO: Tensor, step: Step | None
    ) -> Tensor:
        """Return delta, plus the activity penalty's derivative, times the slope."""
        x_KBI, output_KBO = kept
        if step is not None and step.activity is not None:
            delta_KBO = delta_KBO + step.activity(output_KBO)
        slope_KBO: Tensor = self._derivative(x_KBI, output_KBO)
        return delta_KBO * slope_KBO

    def module(self) -> nn.Module:
        """Return the module of the same function and settings."""
        kind: type[nn.Module] = getattr(nn, self._activation.ingredient.traits["module"])
        return kind(**self._activation.settings)
