"""The shortcut around a block of layers: its input is added to its output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn
from torch.nn.functional import pad

from trainrun.engine.layers.layer import Layer, Parameters, Slot, Step
from trainrun.engine.products import product
from trainrun.ingredients.initializers import Fans
from trainrun.plan import Start
from trainrun.streams import Purpose, stream

Projected = tuple[Tensor, Tensor] | None  # the padded input and the matrix that acts, if there is one


class ResidualBlock(nn.Module):
    """Add a block's input to its output, through a projection where the widths differ.

    Args:
        block: the layers of the block.
        projection: from the block's input to the width of its output; None where they agree.
    """

    def __init__(self, block: nn.Sequential, projection: nn.Linear | None) -> None:
        super().__init__()
        self.block = block
        self.projection = projection

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output plus its input."""
        shortcut = x if self.projection is None else self.projection(x)
        output: Tensor = self.block(x) + shortcut
        return output


class Shortcut(Layer):
    """Add the input of a block to its output; the layer stands behind the block.

    Where the widths differ, the input passes through a matrix without bias.

    Args:
        number: place among the blocks, from 0.
        inputs: width of the block's input.
        outputs: width of the block's output.
        block: the layers in between.
        parametrization: as of the dense layers.

    Source: He et al. 2016, arXiv:1512.03385, equations 1 and 2.
    """

    def __init__(
        self, number: int, inputs: int, outputs: int, block: Sequence[Layer], parametrization: str
    ) -> None:
        self.block = tuple(block)
        self._number, self._fans = number, Fans(inputs, outputs)
        self._factor = inputs**-0.5 if parametrization == "ntk" else None
        self._pads_input, self._pads_output = inputs == 1, outputs == 1
        if inputs == outputs:
            return
        self.slots = (
            Slot(
                name="projection.weight",
                shape=(outputs, inputs),
                held=(max(2, inputs), max(2, outputs)),
                without_padding=lambda held_KIO: held_KIO[:, :inputs, :outputs].mT,
                start=self._start,
                regularized=True,
                layer=number + 1,
                saved_factor=self._factor or 1.0,
            ),
        )

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, None]:
        """Return the block's output as it is; `add` adds the input."""
        return x_KBI, None

    def add(self, parameters: Parameters, output_KBO: Tensor, input_KBI: Tensor) -> tuple[Tensor, Projected]:
        """Return the block's output plus its input, and what the gradients need."""
        if not parameters:
            return output_KBO + input_KBI, None
        weight_KIO = parameters[0] if self._factor is None else parameters[0] * self._factor
        if self._pads_input:
            input_KBI = pad(input_KBI, (0, 1))
        added_KBO = product(input_KBI, weight_KIO)
        if self._pads_output:
            added_KBO = added_KBO[..., :1]
        return output_KBO + added_KBO, (input_KBI, weight_KIO)

    def write_gradients(self, gradients: Parameters, kept: Projected, delta_KBO: Tensor) -> None:
        """Write the gradient of the projection."""
        assert kept is not None
        if self._pads_output:
            delta_KBO = pad(delta_KBO, (0, 1))
        product(kept[0].mT, delta_KBO, out=gradients[0])
        if self._factor is not None:
            gradients[0].mul_(self._factor)

    def backward(
        self, parameters: Parameters, kept: Projected, delta_KBO: Tensor, step: Step | None
    ) -> Tensor:
        """Return delta: it passes to the block as it is."""
        return delta_KBO

    def around(self, kept: Projected, delta_KBO: Tensor) -> Tensor:
        """Return the derivative by the block's input along the shortcut."""
        if kept is None:
            return delta_KBO
        if self._pads_output:
            delta_KBO = pad(delta_KBO, (0, 1))
        delta_KBI = product(delta_KBO, kept[1].mT)
        return delta_KBI[..., :1] if self._pads_input else delta_KBI

    def module(self) -> nn.Module:
        """Return the block's modules with the shortcut around them."""
        block = nn.Sequential(*(layer.module() for layer in self.block if layer.in_evaluation))
        projection = nn.Linear(*self._fans, bias=False) if self.slots else None
        return ResidualBlock(block, projection)

    def _start(self, start: Start) -> np.ndarray:
        draws = stream(start.seed, Purpose.PROJECTIONS, self._number)
        weight: np.ndarray = start.initializer.function(draws, self._fans, self._fans).T
        return weight if self._factor is None else weight / self._factor
