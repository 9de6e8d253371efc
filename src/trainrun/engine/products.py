"""Matrix products of stacked members, on as many threads as give the bits that one thread gives.

A library cuts a product into pieces for its threads, and on some processors the pieces' edges are rounded in
another way: then a result would depend on how many threads there were. Which shapes that concerns differs
from one kind of processor to the next, so each shape is tried once before it is shared among threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor


def affine(bias_K1O: Tensor, x_KBI: Tensor, weight_KIO: Tensor) -> Tensor:
    """bias + x weight, [K, B, O]."""
    return _on_threads(_affine, x_KBI, weight_KIO, bias_K1O)


def product(a_KXY: Tensor, b_KYZ: Tensor, out: Tensor | None = None) -> Tensor:
    """a b, [K, X, Z].

    Args:
        a_KXY: may be transposed, as `b_KYZ`.
        b_KYZ: the right one.
        out: where to write it.
    """
    return _on_threads(_product, a_KXY, b_KYZ, out)


def _affine(x_KBI: Tensor, weight_KIO: Tensor, bias_K1O: Tensor | None) -> Tensor:
    start = x_KBI[:, :1, :1] if bias_K1O is None else bias_K1O
    return torch.baddbmm(start, x_KBI, weight_KIO)


def _product(a_KXY: Tensor, b_KYZ: Tensor, out: Tensor | None) -> Tensor:
    return torch.bmm(a_KXY, b_KYZ, out=out)


Multiply = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def _on_threads(multiply: Multiply, left: Tensor, right: Tensor, third: Tensor | None) -> Tensor:
    threads = torch.get_num_threads()
    if threads == 1 or not left.is_cpu:
        return multiply(left, right, third)
    try:
        torch.set_num_threads(_sound_threads(multiply, _Form.of(left), _Form.of(right), threads))
        return multiply(left, right, third)
    finally:
        torch.set_num_threads(threads)


class _Form(NamedTuple):
    """All that a product's way through a library may depend on, but for the numbers."""

    shape: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> _Form:
        return cls(tensor.shape, tensor.stride(), tensor.dtype)

    def filled(self, source: torch.Generator) -> Tensor:
        # One row that stands for several has a stride of 0: fill the memory, then look at it so.
        size = 1 + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        memory = torch.empty(max(size, 0), dtype=self.dtype).normal_(generator=source)
        return memory.as_strided(self.shape, self.stride)


@cache
def _sound_threads(multiply: Multiply, left: _Form, right: _Form, threads: int) -> int:
    """The most of `threads`, its half, its quarter, ..., that give the same bits as one thread."""
    source = torch.Generator().manual_seed(0)
    a, b = left.filled(source), right.filled(source)
    torch.set_num_threads(1)
    alone = multiply(a, b, None)
    while threads > 1:
        torch.set_num_threads(threads)
        if torch.equal(multiply(a, b, None), alone):
            break
        threads //= 2
    return threads
