"""The dense layer: each output is a weighted sum of all inputs, plus a bias."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from trainrun.config import Choice
from trainrun.engine.layers.layer import Layer, Parameters, Slot, Step
from trainrun.engine.products import affine, product
from trainrun.ingredients.initializers import Fans
from trainrun.plan import Start
from trainrun.streams import Purpose, stream


class Dense(Layer):
    """x W + b.

    A product with a dimension of 1 takes another route through the libraries. Its bits would depend on the
    number of members. So the layer pads a width of 1 to 2 with zeros. Its inputs and outputs have no padding.

    Args:
        number: place among the dense layers, from 0: which stream the initial values are drawn from.
        inputs: width of the input.
        outputs: width of the output.
    """

    def __init__(self, number: int, inputs: int, outputs: int) -> None:
        self._number, self._fans = number, Fans(inputs, outputs)
        self._pads_input, self._pads_output = inputs == 1, outputs == 1
        held_inputs, held_outputs = max(2, inputs), max(2, outputs)
        self.slots = (
            Slot(
                name="weight",
                shape=(outputs, inputs),
                held=(held_inputs, held_outputs),
                without_padding=lambda held_KIO: held_KIO[:, :inputs, :outputs].mT,
                start=self._start_weight,
                regularized=True,
            ),
            Slot(
                name="bias",
                shape=(outputs,),
                held=(1, held_outputs),
                without_padding=lambda held_K1O: held_K1O[:, 0, :outputs],
                start=self._start_bias,
                regularized=False,
            ),
        )

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Tensor]:
        """Return x W + b, and the padded input."""
        weight_KIO, bias_K1O = parameters
        if self._pads_input:
            x_KBI = pad(x_KBI, (0, 1))
        z_KBO = affine(bias_K1O, x_KBI, weight_KIO)
        return z_KBO[..., :1] if self._pads_output else z_KBO, x_KBI

    def write_gradients(self, gradients: Parameters, kept: Tensor, delta_KBO: Tensor) -> None:
        """Write the gradients of weight and bias."""
        weight_KIO, bias_K1O = gradients
        if self._pads_output:
            delta_KBO = pad(delta_KBO, (0, 1))
        product(kept.mT, delta_KBO, out=weight_KIO)
        torch.sum(delta_KBO, 1, keepdim=True, out=bias_K1O)

    def backward(self, parameters: Parameters, kept: Tensor, delta_KBO: Tensor, step: Step | None) -> Tensor:
        """Return delta times the transposed weight."""
        weight_KIO, _ = parameters
        if self._pads_output:
            delta_KBO = pad(delta_KBO, (0, 1))
        delta_KBI = product(delta_KBO, weight_KIO.mT)
        return delta_KBI[..., :1] if self._pads_input else delta_KBI

    def module(self) -> nn.Module:
        """Return a `Linear` of the same widths."""
        return nn.Linear(*self._fans)

    def _start_weight(self, start: Start) -> np.ndarray:
        return self._draw(start.initializer, start.seed, Purpose.WEIGHTS, self._fans).T

    def _start_bias(self, start: Start) -> np.ndarray:
        return self._draw(start.bias_initializer, start.seed, Purpose.BIASES, self._fans[1:])

    def _draw(self, initializer: Choice, seed: int, purpose: Purpose, shape: tuple[int, ...]) -> np.ndarray:
        values: np.ndarray = initializer.function(stream(seed, purpose, self._number), shape, self._fans)
        return values
