"""Where each layer's numbers lie in a member's flat buffer.

All weight matrices come first, then all biases: regularization acts on one slice. A width of 1 is carried
as 2, the second column zero and kept zero: products with a dimension of 1 take another route, whose bits
depend on the stack's size.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import pad

#: Buffers are whole multiples of this many numbers, so that sums over a member go in equal pieces.
CHUNK = 256
_ALIGN = 16  # numbers: a layer begins at a 64-byte border in float32


class Layer(NamedTuple):
    """A view of one layer's parameters (or their gradients) in the flat buffer."""

    weight_KIO: Tensor
    bias_K1O: Tensor


class Layout:
    """The places of a net's parameters.

    Args:
        widths: inputs, hidden widths, outputs.

    Attributes:
        padded: the widths as carried, at least 2 each.
        weights_end: D index at which the weights end and the biases begin.
        size: D.
        parameters: trainable numbers, without padding.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        self.widths = widths
        self.padded = tuple(max(2, width) for width in widths)
        self.parameters = sum((i + 1) * o for i, o in pairwise(widths))
        self._weights, self.weights_end = _places([i * o for i, o in self._shapes()], 0)
        self._biases, self.size = _places([o for _, o in self._shapes()], self.weights_end)

    def _shapes(self) -> list[tuple[int, int]]:
        return list(pairwise(self.padded))

    def layers(self, flat_KD: Tensor) -> list[Layer]:
        """The layers as views of `flat_KD`."""
        return [
            Layer(
                flat_KD[:, weight : weight + i * o].unflatten(1, (i, o)),
                flat_KD[:, bias : bias + o].unsqueeze(1),
            )
            for (i, o), weight, bias in zip(self._shapes(), self._weights, self._biases, strict=True)
        ]

    def real_layers(self, flat_KD: Tensor) -> list[Layer]:
        """The layers without their padding."""
        sizes = zip(self.layers(flat_KD), pairwise(self.widths), strict=True)
        return [Layer(weight[:, :i, :o], bias[..., :o]) for (weight, bias), (i, o) in sizes]


def _places(sizes: list[int], start: int) -> tuple[list[int], int]:
    """The aligned start of each block, and the end rounded up to whole chunks."""
    places = []
    for size in sizes:
        places.append(start)
        start += -(-size // _ALIGN) * _ALIGN
    return places, -(-start // CHUNK) * CHUNK


def member_sum(x_KD: Tensor) -> Tensor:
    """Sum over each member's numbers, [K], with the same bits in every stack and on any number of threads.

    Args:
        x_KD: D a multiple of CHUNK. Adding in equal pieces keeps each single sum so short that it is never
            divided among threads.
    """
    while x_KD.shape[1] > CHUNK:
        spare = -x_KD.shape[1] % CHUNK
        if spare:
            x_KD = pad(x_KD, (0, spare))
        x_KD = x_KD.unflatten(1, (-1, CHUNK)).sum(-1)
    return x_KD.sum(1)
