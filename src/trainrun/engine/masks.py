"""Dropout masks: 16 bits for each unit, compared with a threshold.

A mask is a pure function of (seed, layer, epoch, step): a member draws the same ones in every stack, and a
run that continues in the middle of an epoch skips to its step. The rate has a resolution of 1/65536. The bits
come from a stream that NumPy draws or from a hash that any device computes, which are not the same bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from trainrun.streams import Purpose, bits

_PER_WORD = 4  # 16-bit draws in a 64-bit word
_EPOCH_BITS = 40  # a layer takes fewer than 2^40 words in an epoch
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class Masks:
    """The masks of all layers, for all members.

    Args:
        layers: the net's input and the hidden layers; None where no member drops anything.
    """

    def __init__(self, layers: Sequence[LayerMasks | None]) -> None:
        self._layers = layers

    def begin(self, epoch: int, done: int) -> None:
        """Go to the place after `done` steps of an epoch."""
        for layer in self._layers:
            if layer is not None:
                layer.begin(epoch, done)

    def draw(self, steps: int) -> list[tuple[Tensor | None, ...]]:
        """Draw for each of the next steps each layer's mask [K, rows, width], 0 or 1/(1-rate), or None."""
        drawn = [[None] * steps if layer is None else layer.draw(steps).unbind(1) for layer in self._layers]
        return list(zip(*drawn, strict=True))


class LayerMasks(ABC):
    """The masks of one layer, for all members; how bits are drawn is left open.

    Args:
        seeds: of the members.
        rates: [K] parts that are dropped, in [0, 1).
        like: a tensor of the device and dtype.
        layer: 0 for the net's input, then the hidden layers.
        rows: of a full batch.
        width: units of the layer. A single unit takes the draws of two.
    """

    def __init__(
        self, seeds: Sequence[int], rates: np.ndarray, like: Tensor, *, layer: int, rows: int, width: int
    ) -> None:
        self._seeds, self._layer, self._like = seeds, layer, like
        self._rows, self._width = rows, width
        self._drawn_width = max(2, width)
        self._words = -(-rows * self._drawn_width // _PER_WORD)  # a step takes whole words
        # A signed draw is uniform over -32768 .. 32767; a unit stays where it reaches the threshold.
        threshold_K = np.minimum(np.round(rates * 65536), 65535) - 32768
        self._threshold_K1 = threshold_K.astype(np.int16)[:, None]
        self._scale_K1 = torch.from_numpy(1 / (1 - rates))[:, None].to(like)

    @abstractmethod
    def begin(self, epoch: int, done: int) -> None:
        """Go to the place after `done` steps of an epoch."""

    def draw(self, steps: int) -> Tensor:
        """The masks of the next `steps` steps, [K, steps, rows, width], 0 or 1/(1-rate)."""
        masks = self._kept(steps).mul_(self._scale_K1)
        used = masks.unflatten(1, (steps, -1))[..., : self._rows * self._drawn_width]
        return used.unflatten(2, (self._rows, self._drawn_width))[..., : self._width]

    @abstractmethod
    def _kept(self, steps: int) -> Tensor:
        """1 for every unit that stays, else 0, with the spare ones of each step, [K, steps * draws]."""


class StreamMasks(LayerMasks):
    """Bits of a stream for each member: the quickest on a CPU."""

    def begin(self, epoch: int, done: int) -> None:
        self._streams = [bits(seed, Purpose.DROPOUT, self._layer, epoch) for seed in self._seeds]
        for stream in self._streams:
            stream.random_raw(done * self._words, output=False)

    def _kept(self, steps: int) -> Tensor:
        words = np.stack([stream.random_raw(steps * self._words) for stream in self._streams])
        # NumPy compares 16-bit numbers and makes floats of the answers several times faster than torch.
        keep = (words.view(np.int16) >= self._threshold_K1).astype(np.float32)
        return torch.from_numpy(keep).to(self._like)


class HashMasks(LayerMasks):
    """Bits of a counter and a key for each member, mixed where the net lives: nothing is copied there.

    Source: Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", SplitMix64.
    """

    def __init__(
        self, seeds: Sequence[int], rates: np.ndarray, like: Tensor, *, layer: int, rows: int, width: int
    ) -> None:
        super().__init__(seeds, rates, like, layer=layer, rows=rows, width=width)
        keys_K = np.array([bits(seed, Purpose.DROPOUT, layer).random_raw() for seed in seeds], np.uint64)
        self._keys_K1 = torch.from_numpy(keys_K.view(np.int64))[:, None].to(like.device)
        self._thresholds = torch.from_numpy(self._threshold_K1).to(like.device)
        self._next = torch.zeros(
            (), dtype=torch.int64, device=like.device
        )  # changed in place, also in replays

    def begin(self, epoch: int, done: int) -> None:
        self._next.fill_((epoch << _EPOCH_BITS) + done * self._words)

    def _kept(self, steps: int) -> Tensor:
        counters = self._next + torch.arange(steps * self._words, device=self._next.device)
        self._next.add_(steps * self._words)
        words = _mixed(self._keys_K1 + counters * _signed(_GOLDEN))
        return (words.view(torch.int16) >= self._thresholds).to(self._like.dtype)


def _mixed(z: Tensor) -> Tensor:
    """SplitMix64's output function of 64-bit states, in place."""
    z.bitwise_xor_(_shifted(z, 30)).mul_(_signed(_FIRST))
    z.bitwise_xor_(_shifted(z, 27)).mul_(_signed(_SECOND))
    return z.bitwise_xor_(_shifted(z, 31))


def _shifted(z: Tensor, places: int) -> Tensor:
    # int64 is shifted with its sign, which the output function does not mean.
    return (z >> places).bitwise_and_(2 ** (64 - places) - 1)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word
