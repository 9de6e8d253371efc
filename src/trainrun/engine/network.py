"""The net of all members of a stack: the forward pass and an explicit backward pass.

There is no autograd: the backward pass is written out, layer by layer, into one flat buffer of gradients.
That is both what makes small nets fast and what makes a member's bits independent of its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainrun.engine.layout import Layer, Layout
from trainrun.engine.products import affine, product

Activity = Callable[[Tensor], Tensor]  # a hidden output -> the activity penalty's derivative there


@dataclass
class Trace:
    """What the backward pass needs of a forward pass.

    Attributes:
        inputs: what each layer saw, after dropout.
        before: pre-activations of the hidden layers.
        hidden: outputs of the hidden layers, before dropout.
        masks: of the net's input and of each hidden layer's output; None where nothing is dropped.
        output_KBC: the net's output.
    """

    inputs: list[Tensor]
    before: list[Tensor]
    hidden: list[Tensor]
    masks: Sequence[Tensor | None]
    output_KBC: Tensor


class Network:
    """Layers of `layout` with an activation between them.

    Args:
        layout: the widths, as they are and as carried.
        activation: the function of z.
        derivative: its derivative, of (z, h).
    """

    def __init__(
        self,
        layout: Layout,
        activation: Callable[[Tensor], Tensor],
        derivative: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        self._activation = activation
        self._derivative = derivative
        self._hidden_widths = list(zip(layout.widths[1:-1], layout.padded[1:-1], strict=True))
        self._outputs = layout.widths[-1]
        self._spare_outputs = layout.padded[-1] - layout.widths[-1]

    def evaluate(self, layers: Sequence[Layer], x_KBI: Tensor) -> Tensor:
        """The net's output [K, B, C], without dropout."""
        h = x_KBI
        for index in range(len(layers) - 1):
            _, h = self._hidden(layers, index, h)
        return self._output(layers, h)

    def forward(self, layers: Sequence[Layer], x_KBI: Tensor, masks: Sequence[Tensor | None]) -> Trace:
        """The forward pass of a training step.

        Args:
            layers: the parameters.
            x_KBI: a batch for each member.
            masks: a dropout mask (0, or 1/(1-rate)) for the input and for each hidden layer, or None.
        """
        inputs, before, hidden = [_dropped(x_KBI, masks[0])], [], []
        for index in range(len(layers) - 1):
            z, h = self._hidden(layers, index, inputs[-1])
            before.append(z)
            hidden.append(h)
            inputs.append(_dropped(h, masks[index + 1]))
        return Trace(inputs, before, hidden, masks, self._output(layers, inputs[-1]))

    def backward(
        self,
        layers: Sequence[Layer],
        gradients: Sequence[Layer],
        trace: Trace,
        delta_KBC: Tensor,
        activity: Activity | None,
    ) -> None:
        """Write the gradients of all parameters.

        Args:
            layers: the parameters.
            gradients: where the gradients go, views as `layers` are.
            trace: of the forward pass.
            delta_KBC: the loss's derivative by the net's output.
            activity: the activity penalty's derivative by a hidden output, None where there is none.
        """
        for index, delta in self.deltas(layers, trace, delta_KBC, activity):
            product(trace.inputs[index].mT, delta, out=gradients[index].weight_KIO)
            torch.sum(delta, 1, keepdim=True, out=gradients[index].bias_K1O)

    def deltas(
        self, layers: Sequence[Layer], trace: Trace, delta_KBC: Tensor, activity: Activity | None
    ) -> Iterator[tuple[int, Tensor]]:
        """The loss's derivative by each layer's pre-activations, from the last layer to the first.

        The arguments are those of `backward`.

        Yields:
            A layer's place, and its derivative [K, B, O].
        """
        delta = (
            torch.nn.functional.pad(delta_KBC, (0, self._spare_outputs)) if self._spare_outputs else delta_KBC
        )
        for index in range(len(layers) - 1, -1, -1):
            yield index, delta
            if index:
                delta = _dropped(product(delta, layers[index].weight_KIO.mT), trace.masks[index])
                z, h = trace.before[index - 1], trace.hidden[index - 1]
                if activity is not None:
                    delta = delta + activity(h)
                delta = delta * self._derivative(z, h)

    def _hidden(self, layers: Sequence[Layer], index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        z = affine(layers[index].bias_K1O, x, layers[index].weight_KIO)
        h = self._activation(z)
        width, padded = self._hidden_widths[index]
        if width < padded:  # what stands in for a width of 1 must give nothing to the next layer
            h = h.clone()
            h[..., width:] = 0
        return z, h

    def _output(self, layers: Sequence[Layer], h: Tensor) -> Tensor:
        output = affine(layers[-1].bias_K1O, h, layers[-1].weight_KIO)
        return output[..., : self._outputs] if self._spare_outputs else output


def _dropped(x: Tensor, mask: Tensor | None) -> Tensor:
    return x if mask is None else x * mask
