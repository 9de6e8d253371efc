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

_BIAS_RATE_FACTOR = 0.1  # with the NTK parametrization


class Dense(Layer):
    """x W + b, or with the NTK parametrization x (W / sqrt(inputs)) + b.

    A product with a dimension of 1 takes another route through the libraries. Its bits would depend on the
    number of members. So the layer pads a width of 1 to 2 with zeros. Its inputs and outputs have no padding.

    Args:
        number: place among the dense layers, from 0: which stream the initial values are drawn from.
        inputs: width of the input.
        outputs: width of the output.
        is_last: whether its outputs are the net's: the weights then start by the output initializer.
        parametrization: `standard`, or `ntk`: the matrix that is trained is sqrt(inputs) times the one that
            acts, so that one learning rate suits every width. Biases learn with a tenth of it.
        member: among nets that share weights, which has the layer as its own; None for a layer of all.

    Source: Jacot et al. 2018, arXiv:1806.07572, section 2; the biases of Holzmueller et al. 2024,
    arXiv:2407.04491, section 3.
    """

    def __init__(
        self,
        number: int,
        inputs: int,
        outputs: int,
        is_last: bool = False,
        parametrization: str = "standard",
        member: int | None = None,
    ) -> None:
        self._place = (number,) if member is None else (number, member)
        self._fans, self._is_last = Fans(inputs, outputs), is_last
        is_ntk = parametrization == "ntk"
        self._factor = inputs**-0.5 if is_ntk else None
        self._pads_input, self._pads_output = inputs == 1, outputs == 1
        held_inputs, held_outputs = max(2, inputs), max(2, outputs)
        self.slots = (
            Slot(
                name="weight",
                shape=(outputs, inputs),
                held=(held_inputs, held_outputs),
                without_padding=lambda held: held[..., :inputs, :outputs].mT,
                start=self._start_weight,
                regularized=True,
                layer=number + 1,
                saved_factor=self._factor or 1.0,
            ),
            Slot(
                name="bias",
                shape=(outputs,),
                held=(1, held_outputs),
                without_padding=lambda held: held[..., 0, :outputs],
                start=self._start_bias,
                regularized=False,
                rate_factor=_BIAS_RATE_FACTOR if is_ntk else 1.0,
            ),
        )

    def forward(
        self, parameters: Parameters, x_KBI: Tensor, step: Step | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return x W + b, and the padded input with the matrix that acts."""
        weight_KIO, bias_K1O = parameters
        if self._factor is not None:
            weight_KIO = weight_KIO * self._factor
        if self._pads_input:
            x_KBI = pad(x_KBI, (0, 1))
        z_KBO = affine(bias_K1O, x_KBI, weight_KIO)
        return z_KBO[..., :1] if self._pads_output else z_KBO, (x_KBI, weight_KIO)

    def write_gradients(self, gradients: Parameters, kept: tuple[Tensor, Tensor], delta_KBO: Tensor) -> None:
        """Write the gradients of weight and bias."""
        weight_KIO, bias_K1O = gradients
        if self._pads_output:
            delta_KBO = pad(delta_KBO, (0, 1))
        product(kept[0].mT, delta_KBO, out=weight_KIO)
        if self._factor is not None:
            weight_KIO *= self._factor
        torch.sum(delta_KBO, 1, keepdim=True, out=bias_K1O)

    def backward(
        self, parameters: Parameters, kept: tuple[Tensor, Tensor], delta_KBO: Tensor, step: Step | None
    ) -> Tensor:
        """Return delta times the transposed matrix that acts."""
        if self._pads_output:
            delta_KBO = pad(delta_KBO, (0, 1))
        delta_KBI = product(delta_KBO, kept[1].mT)
        return delta_KBI[..., :1] if self._pads_input else delta_KBI

    def module(self) -> nn.Module:
        """Return a `Linear` of the same widths."""
        return nn.Linear(*self._fans)

    def _start_weight(self, start: Start) -> np.ndarray:
        initializer = start.output_initializer if self._is_last else start.initializer
        weight = self._draw(initializer, start.seed, Purpose.WEIGHTS, self._fans).T
        return weight if self._factor is None else weight / self._factor

    def _start_bias(self, start: Start) -> np.ndarray:
        return self._draw(start.bias_initializer, start.seed, Purpose.BIASES, self._fans[1:])

    def _draw(self, initializer: Choice, seed: int, purpose: Purpose, shape: tuple[int, ...]) -> np.ndarray:
        values: np.ndarray = initializer.function(stream(seed, purpose, *self._place), shape, self._fans)
        return values
