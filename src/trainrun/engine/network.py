"""The net of all members of a stack: its layers one after the other, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from trainrun.engine.buffers import Views
from trainrun.engine.layers import Activation, Dropout, Layer, Shortcut, Step


class Trace(NamedTuple):
    """Values of a forward pass that the backward pass needs.

    Attributes:
        step: the training step; None in evaluation.
        kept: what each layer kept.
        output_KBC: the net's output.
    """

    step: Step | None
    kept: Sequence[Any]
    output_KBC: Tensor


class Network:
    """Layers that follow one another.

    Args:
        layers: from the input to the output.

    Attributes:
        activations: the places of the activations among the layers.
        dropouts: the dropout layers.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers
        self.activations = [i for i, layer in enumerate(layers) if isinstance(layer, Activation)]
        self.dropouts = [layer for layer in layers if isinstance(layer, Dropout)]
        self._first = next(i for i, layer in enumerate(layers) if layer.slots)
        places = {id(layer): i for i, layer in enumerate(layers)}
        #: By the place of each shortcut, that of the first layer of its block.
        self._shortcuts = {
            i: places[id(layer.block[0])] for i, layer in enumerate(layers) if isinstance(layer, Shortcut)
        }
        self._begins = set(self._shortcuts.values())

    def evaluate(self, views: Views, x_KBI: Tensor) -> Tensor:
        """Return the net's output [K, B, C] in evaluation.

        Args:
            views: the parameters of each layer.
            x_KBI: a batch for each member.
        """
        for _, output_KBO in self._walk(views, x_KBI, None):
            x_KBI = output_KBO
        return x_KBI

    def forward(self, views: Views, x_KBI: Tensor, step: Step | None) -> Trace:
        """Return the output of a forward pass with all that the backward pass needs.

        Args:
            views: the parameters of each layer.
            x_KBI: a batch for each member.
            step: the training step; None in evaluation.
        """
        kept = []
        for memory, output_KBO in self._walk(views, x_KBI, step):
            kept.append(memory)
            x_KBI = output_KBO
        return Trace(step, kept, x_KBI)

    def _walk(self, views: Views, x_KBI: Tensor, step: Step | None) -> Iterator[tuple[Any, Tensor]]:
        """Yield what each layer keeps, and its output."""
        inputs: dict[int, Tensor] = {}  # of the blocks with a shortcut
        for index, (layer, parameters) in enumerate(zip(self.layers, views, strict=True)):
            if index in self._begins:
                inputs[index] = x_KBI
            if isinstance(layer, Shortcut):
                x_KBI, memory = layer.add(parameters, x_KBI, inputs.pop(self._shortcuts[index]))
            else:
                x_KBI, memory = layer.forward(parameters, x_KBI, step)
            yield memory, x_KBI

    def activated(self, trace: Trace) -> list[tuple[Tensor, Tensor]]:
        """Return the input and the output of each activation."""
        return [trace.kept[index] for index in self.activations]

    def backward(self, views: Views, gradients: Views, trace: Trace, delta_KBC: Tensor) -> None:
        """Write the gradients of all parameters.

        Args:
            views: the parameters of each layer.
            gradients: where the gradients go.
            trace: of the forward pass.
            delta_KBC: the loss's derivative by the net's output.
        """
        for index, delta in self.deltas(views, trace, delta_KBC):
            if gradients[index]:  # the layer has slots
                self.layers[index].write_gradients(gradients[index], trace.kept[index], delta)

    def deltas(self, views: Views, trace: Trace, delta_KBC: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Compute the loss's derivative by each layer's output, from the last layer to the first.

        Layers before the first parameters are left out.

        Args:
            views: the parameters of each layer.
            trace: of the forward pass.
            delta_KBC: the loss's derivative by the net's output.

        Yields:
            A layer's place, and its derivative [K, B, O].
        """
        delta = delta_KBC
        around: dict[int, Tensor] = {}  # derivatives by the inputs of blocks, along their shortcuts
        for index in range(len(self.layers) - 1, self._first, -1):
            yield index, delta
            layer = self.layers[index]
            if isinstance(layer, Shortcut) and self._shortcuts[index] > self._first:
                around[self._shortcuts[index]] = layer.around(trace.kept[index], delta)
            delta = layer.backward(views[index], trace.kept[index], delta, trace.step)
            if index in around:
                delta = delta + around.pop(index)
        yield self._first, delta
