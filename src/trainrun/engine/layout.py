"""Where each layer's numbers lie in a stack's flat buffers.

A buffer is a row of blocks: the weights of the first layer for all members, of the second, ..., then all
biases. A block is one piece of memory, as the stacked products need it, and the optimizer goes over the
whole buffer at once. A width of 1 is carried as 2, the second column zero and kept zero: products with a
dimension of 1 take another route, whose bits depend on the stack's size.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import pad

CHUNK = 256  # numbers that are summed at once
_ALIGN = 16  # numbers: a block begins at a 64-byte border in float32


class Layer(NamedTuple):
    """A view of one layer's parameters (or their gradients) in the flat buffer."""

    weight_KIO: Tensor
    bias_K1O: Tensor


class Layout:
    """The places of a net's parameters, for some members.

    Args:
        widths: inputs, hidden widths, outputs.
        members: K.

    Attributes:
        padded: the widths as carried, at least 2 each.
        size: D, the numbers of a buffer.
        parameters: trainable numbers of a member, without padding.
    """

    def __init__(self, widths: tuple[int, ...], members: int) -> None:
        self.widths, self.members = widths, members
        self.padded = tuple(max(2, width) for width in widths)
        self.parameters = sum((i + 1) * o for i, o in pairwise(widths))
        self._sizes = [*(i * o for i, o in pairwise(self.padded)), sum(self.padded[1:])]
        self._starts = [0]
        for size in self._sizes:
            self._starts.append(self._starts[-1] + -(-size * members // _ALIGN) * _ALIGN)
        self.size = self._starts.pop()

    def of(self, members: int) -> Layout:
        """The same net for another number of members."""
        return Layout(self.widths, members)

    def blocks(self, flat_D: Tensor) -> list[Tensor]:
        """Views [K, numbers]: the weights of each layer, then all biases."""
        return [
            flat_D[start : start + size * self.members].unflatten(0, (self.members, size))
            for start, size in zip(self._starts, self._sizes, strict=True)
        ]

    def weights(self, flat_D: Tensor) -> list[Tensor]:
        """The blocks that regularization acts on."""
        return self.blocks(flat_D)[:-1]

    def layers(self, flat_D: Tensor) -> list[Layer]:
        """The layers as views of `flat_D`."""
        *weights, biases = self.blocks(flat_D)
        shapes = pairwise(self.padded)
        return [
            Layer(weight.unflatten(1, shape), bias.unsqueeze(1))
            for weight, shape, bias in zip(weights, shapes, biases.split(self.padded[1:], dim=1), strict=True)
        ]

    def real_layers(self, flat_D: Tensor) -> list[Layer]:
        """The layers without their padding."""
        sizes = zip(self.layers(flat_D), pairwise(self.widths), strict=True)
        return [Layer(weight[:, :i, :o], bias[..., :o]) for (weight, bias), (i, o) in sizes]


def member_sum(x_KD: Tensor) -> Tensor:
    """Sum over each member's numbers, [K], with the same bits in every stack and on any number of threads.

    Args:
        x_KD: the numbers. Adding in equal pieces keeps each single sum so short that it is never divided
            among threads.
    """
    while x_KD.shape[1] > CHUNK:
        spare = -x_KD.shape[1] % CHUNK
        if spare:
            x_KD = pad(x_KD, (0, spare))
        x_KD = x_KD.unflatten(1, (-1, CHUNK)).sum(-1)
    return x_KD.sum(1)
