"""The columns layer: learned vectors in the place of numbers and of categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad

from trainrun.engine.layers.layer import Layer, Parameters, Slot, Step
from trainrun.engine.layers.numbers import NumberEmbedding
from trainrun.engine.products import product
from trainrun.plan import Start
from trainrun.streams import Purpose, stream


class Kept(NamedTuple):
    """What the gradients need.

    Attributes:
        numbers: what the numbers' embedding kept.
        codes_KBG: the codes of all coded columns.
    """

    numbers: object
    codes_KBG: Tensor


class ColumnEmbeddings(nn.Module):
    """Replace numbers and codes by vectors, and put all of them side by side.

    Args:
        count: number columns, which come first.
        codes: coded columns, which come last.
        numbers: the module for the numbers; None leaves them as they are.
        categories: a table of vectors for each coded column.
    """

    def __init__(
        self, count: int, codes: int, numbers: nn.Module | None, categories: Sequence[nn.Embedding]
    ) -> None:
        super().__init__()
        self._count, self._codes = count, codes
        self.numbers = nn.Identity() if numbers is None else numbers
        self.categories = nn.ModuleList(categories)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the vectors [N, width] of rows [N, inputs]; codes are whole numbers, 0 for unknown."""
        stop = x.shape[1] - self._codes
        codes = x[:, stop:].long()
        vectors = [table(codes[:, place]) for place, table in enumerate(self.categories)]
        return torch.cat([self.numbers(x[:, : self._count]), x[:, self._count : stop], *vectors], 1)


class Columns(Layer):
    """Vectors of numbers and of categories, side by side with all inputs that have none.

    The vector of code 0, an unknown category, starts at 0. It stays there unless training meets it. The
    others are drawn from a normal distribution with a standard deviation of 1/sqrt(width), so that they are
    about as long as an input of 0 and 1.

    Args:
        inputs: columns: numbers, then inputs of 0 and 1, then codes.
        count: the number columns.
        numbers: their embedding; None leaves them as they are.
        sizes: the number of codes of each coded column.
        width: numbers of a category's vector.

    Source: Guo and Berkhahn 2016, arXiv:1604.06737.
    """

    def __init__(
        self, inputs: int, count: int, numbers: NumberEmbedding | None, sizes: Sequence[int], width: int
    ) -> None:
        self._inputs, self._count, self._sizes, self._width = inputs, count, tuple(sizes), width
        self._numbers = numbers
        own = () if numbers is None else numbers.slots
        self.slots = (
            *(replace(slot, name=f"numbers.{slot.name}") for slot in own),
            *(self._table(place, size) for place, size in enumerate(sizes)),
        )
        self._own = len(own)
        self._codes_from = inputs - len(self._sizes)
        self._number_width = count if numbers is None else numbers.width
        self._vectors_from = self._number_width + self._codes_from - count

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Kept]:
        """Return the vectors of all columns, and what the gradients need."""
        numbers_KBF, kept = x_KBI[..., : self._count], None
        if self._numbers is not None:
            numbers_KBF, kept = self._numbers.forward(parameters[: self._own], numbers_KBF, step)
        codes_KBG = x_KBI[..., self._codes_from :].long()
        vectors = [
            embedding(_of_members(codes_KBG[..., place], size), table_KNV.reshape(-1, self._width))
            for place, (size, table_KNV) in enumerate(zip(self._sizes, parameters[self._own :], strict=True))
        ]
        plain_KBI = x_KBI[..., self._count : self._codes_from]
        return torch.cat([numbers_KBF, plain_KBI, *vectors], -1), Kept(kept, codes_KBG)

    def write_gradients(self, gradients: Parameters, kept: Kept, delta_KBO: Tensor) -> None:
        """Write the gradients of the embedding of numbers and of all tables."""
        if self._numbers is not None:
            delta_KBF = delta_KBO[..., : self._number_width].contiguous()
            self._numbers.write_gradients(gradients[: self._own], kept.numbers, delta_KBF)
        for place, size in enumerate(self._sizes):
            start = self._vectors_from + place * self._width
            delta_KBV = delta_KBO[..., start : start + self._width].contiguous()
            add = add_on_cpu if delta_KBV.is_cpu else add_by_product
            gradients[self._own + place].copy_(add(kept.codes_KBG[..., place], delta_KBV, size))

    def backward(self, parameters: Parameters, kept: Kept, delta_KBO: Tensor, step: Step | None) -> Tensor:
        """Refuse: it is the first layer, and the data have no gradient."""
        raise NotImplementedError

    def module(self) -> nn.Module:
        """Return the module of the same embeddings."""
        numbers = None if self._numbers is None else self._numbers.module()
        tables = [nn.Embedding(size, self._width) for size in self._sizes]
        return ColumnEmbeddings(self._count, len(self._sizes), numbers, tables)

    def _table(self, place: int, size: int) -> Slot:
        def start(start: Start) -> np.ndarray:
            draws = stream(start.seed, Purpose.EMBEDDINGS, 1 + place)
            values = draws.standard_normal((size, self._width)) / self._width**0.5
            values[0] = 0
            return values

        return Slot(
            name=f"categories.{place}.weight",
            shape=(size, self._width),
            held=(size, self._width),
            without_padding=lambda held_KNV: held_KNV,
            start=start,
            regularized=False,
        )


def add_on_cpu(codes_KB: Tensor, delta_KBV: Tensor, size: int) -> Tensor:
    """Return the sums [K, size, V] of the rows of each code, which are added in their order."""
    codes_KB = _of_members(codes_KB, size)
    sums: Tensor = torch.ops.aten.embedding_dense_backward(
        delta_KBV, codes_KB, len(codes_KB) * size, -1, False
    )
    return sums.unflatten(0, (-1, size))


def add_by_product(codes_KB: Tensor, delta_KBV: Tensor, size: int) -> Tensor:
    """Return the same by a product: on a GPU sums by index have no fixed order, or wait for the host."""
    width = delta_KBV.shape[-1]
    if width == 1:  # takes another route, whose bits depend on the number of members
        delta_KBV = pad(delta_KBV, (0, 1))
    number_N1 = torch.arange(size, device=codes_KB.device).unsqueeze(1)
    return product((codes_KB.unsqueeze(1) == number_N1).to(delta_KBV.dtype), delta_KBV)[..., :width]


def _of_members(codes_KB: Tensor, size: int) -> Tensor:
    """Return codes into one table that holds those of all members, one after the other."""
    first_K1 = torch.arange(len(codes_KB), device=codes_KB.device).unsqueeze(1) * size
    return codes_KB + first_K1
