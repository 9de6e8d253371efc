"""Layout of each layer's parameters in a stack's flat buffers.

A buffer is a row of blocks: one for each slot that is regularized, for all members, then one with all the
other slots. A block is one piece of memory, as the stacked products need it. The optimizer goes over the
whole buffer at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor
from torch.nn.functional import pad

from trainrun.engine.layers import Layer, Parameters, keyed_slots

CHUNK = 256  # numbers that are summed at once
_ALIGN = 16  # numbers: a block begins at a 64-byte border in float32

Views = list[Parameters]  # of each layer


class Layout:
    """The places of a net's parameters, for some members.

    Args:
        layers: the layers of the net.
        members: K.

    Attributes:
        size: D, the numbers of a buffer.
        slots: every slot by its key in files.
        parameters: trainable numbers of a member, without padding.
    """

    def __init__(self, layers: Sequence[Layer], members: int) -> None:
        self.layers, self.members = layers, members
        self.slots = keyed_slots(layers)
        self.parameters = sum(prod(slot.shape) for slot in self.slots.values() if slot.trained)
        own = [prod(slot.held) for slot in self.slots.values() if slot.regularized]
        self._others = [prod(slot.held) for slot in self.slots.values() if not slot.regularized]
        self._sizes = [*own, sum(self._others)]
        self._starts = [0]
        for size in self._sizes:
            self._starts.append(self._starts[-1] + -(-size * members // _ALIGN) * _ALIGN)
        self.size = self._starts.pop()

    @property
    def block_labels(self) -> list[tuple[str, int]]:
        """Contents of each block, for messages: what the numbers are, and of which layer (0: of several)."""
        slots = self.slots.values()
        own = [("weight", slot.layer) for slot in slots if slot.regularized]
        only_biases = all(slot.regularized or slot.name == "bias" for slot in slots)
        return [*own, ("bias" if only_biases else "bias or scale", 0)]

    def of(self, members: int) -> Layout:
        """Return the layout of the same net for another number of members."""
        return Layout(self.layers, members)

    def blocks(self, flat_D: Tensor) -> list[Tensor]:
        """Return views [K, numbers]: each regularized slot, then all other slots."""
        return [
            flat_D[start : start + size * self.members].unflatten(0, (self.members, size))
            for start, size in zip(self._starts, self._sizes, strict=True)
        ]

    def regularized(self, flat_D: Tensor) -> list[Tensor]:
        """Return the blocks that regularization acts on."""
        return self.blocks(flat_D)[:-1]

    def views(self, flat_D: Tensor) -> Views:
        """Return the parameters of each layer, as the layer takes them."""
        held = iter(self._held(flat_D))
        return [tuple(next(held) for _ in layer.slots) for layer in self.layers]

    def saved(self, flat_D: Tensor) -> dict[str, Tensor]:
        """Return views [K, *shape] of all parameters, by key, as `torch.nn.Sequential` has them."""
        slots = zip(self.slots.items(), self._held(flat_D), strict=True)
        return {key: slot.without_padding(held) for (key, slot), held in slots}

    def to_save(self, flat_D: Tensor) -> dict[str, Tensor]:
        """Return the values [K, *shape] that go to files, by key."""
        factors = {key: slot.saved_factor for key, slot in self.slots.items()}
        return {
            key: held if factors[key] == 1.0 else held * factors[key]
            for key, held in self.saved(flat_D).items()
        }

    def rate_factors(self, like_D: Tensor) -> Tensor | None:
        """Return each number's learning rate divided by its member's, [D]; None where all are 1.

        Args:
            like_D: a buffer of the same device and dtype.
        """
        factors = [slot.rate_factor if slot.trained else 0.0 for slot in self.slots.values()]
        if all(factor == 1.0 for factor in factors):
            return None
        factor_D = torch.ones_like(like_D)
        for held, factor in zip(self._held(factor_D), factors, strict=True):
            held.fill_(factor)
        return factor_D

    def _held(self, flat_D: Tensor) -> list[Tensor]:
        *own, others = self.blocks(flat_D)
        own_left, others_left = iter(own), iter(others.split(self._others, dim=1))
        return [
            next(own_left if slot.regularized else others_left).unflatten(1, slot.held)
            for slot in self.slots.values()
        ]


def member_sum(x_KD: Tensor) -> Tensor:
    """Return the sum over each member's numbers, [K].

    The bits are the same in every stack and on any number of threads.

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
