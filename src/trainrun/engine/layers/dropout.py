"""The dropout layer: in training, some numbers become 0 and the others grow."""

from __future__ import annotations

from torch import Tensor, nn

from trainrun.engine.layers.layer import Layer, Parameters, Step


class Dropout(Layer):
    """x times a mask of the training step.

    Args:
        number: 0 for the net's input, then the hidden layers: which of the step's masks is taken.
        width: width of the input.
    """

    in_evaluation = False

    def __init__(self, number: int, width: int) -> None:
        self.number, self.width = number, width

    def forward(
        self, parameters: Parameters, x_KBI: Tensor, step: Step | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the product with the mask, and the mask."""
        mask_KBI = None if step is None else step.masks[self.number]
        return x_KBI if mask_KBI is None else x_KBI * mask_KBI, mask_KBI

    def backward(
        self, parameters: Parameters, kept: Tensor | None, delta_KBO: Tensor, step: Step | None
    ) -> Tensor:
        """Return delta times the mask."""
        return delta_KBO if kept is None else delta_KBO * kept

    def module(self) -> nn.Module:
        """Return a module that passes its input on."""
        return nn.Identity()
