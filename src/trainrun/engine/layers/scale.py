"""The scale layer: each input times a learned number of its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from trainrun.engine.layers.layer import Layer, Parameters, Slot, Step

_RATE_FACTOR = 6.0  # Holzmueller et al. 2024, arXiv:2407.04491, section 3


class FeatureScale(nn.Module):
    """Multiply each input by a number of its own.

    Args:
        width: inputs.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return x times the weight."""
        return x * self.weight


class Scale(Layer):
    """x times a learned number for each input, which starts at 1.

    It learns with 6 times the net's learning rate. So a net soon chooses its inputs.

    Args:
        width: inputs.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self.slots = (
            Slot(
                name="weight",
                shape=(width,),
                held=(1, width),
                without_padding=lambda held_K1I: held_K1I[:, 0],
                start=lambda _: np.ones(width),
                regularized=False,
                rate_factor=_RATE_FACTOR,
            ),
        )

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Tensor]:
        """Return x times the weight, and x."""
        return x_KBI * parameters[0], x_KBI

    def write_gradients(self, gradients: Parameters, kept: Tensor, delta_KBO: Tensor) -> None:
        """Write the gradient of the weight."""
        torch.sum(kept * delta_KBO, 1, keepdim=True, out=gradients[0])

    def backward(self, parameters: Parameters, kept: Tensor, delta_KBO: Tensor, step: Step | None) -> Tensor:
        """Return delta times the weight."""
        return delta_KBO * parameters[0]

    def module(self) -> nn.Module:
        """Return a module of the same width."""
        return FeatureScale(self._width)
