"""Dropout masks: 16 bits of a stream for each unit, compared with a threshold.

A mask is a pure function of (seed, layer, epoch, step): a member draws the same ones in every stack, and a
run that continues in the middle of an epoch skips to its step. The rate has a resolution of 1/65536.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from trainrun.streams import Purpose, bits

_PER_WORD = 4  # 16-bit draws in a 64-bit word


class LayerMasks:
    """The masks of one layer in one epoch, for all members, a block of steps at a time.

    Args:
        seeds: of the members.
        rates: [K] parts that are dropped, in [0, 1).
        layer: 0 for the net's input, then the hidden layers.
        epoch: from 1.
        rows: of a full batch.
        width: units of the layer.
    """

    def __init__(
        self, seeds: Sequence[int], rates: np.ndarray, *, layer: int, epoch: int, rows: int, width: int
    ) -> None:
        self._streams = [bits(seed, Purpose.DROPOUT, layer, epoch) for seed in seeds]
        self._rows, self._width = rows, width
        self._words = -(-rows * width // _PER_WORD)  # a step takes whole words
        # A signed draw is uniform over -32768 .. 32767; a unit stays where it reaches the threshold.
        threshold_K = np.minimum(np.round(rates * 65536), 65535) - 32768
        self._threshold_K1 = threshold_K.astype(np.int16)[:, None]
        self._scale_K1 = torch.from_numpy(1 / (1 - rates))[:, None]

    def skip(self, steps: int) -> None:
        """Leave out the masks of the next `steps` steps."""
        for stream in self._streams:
            stream.random_raw(steps * self._words, output=False)

    def draw(self, steps: int, like: Tensor) -> Tensor:
        """The masks of the next `steps` steps, [K, steps, rows, width], 0 or 1/(1-rate)."""
        words = np.stack([stream.random_raw(steps * self._words) for stream in self._streams])
        # NumPy compares 16-bit numbers and makes floats of the answers several times faster than torch.
        keep = (words.view(np.int16) >= self._threshold_K1).astype(np.float32)
        masks = torch.from_numpy(keep).to(like).mul_(self._scale_K1.to(like))
        used = masks.unflatten(1, (steps, -1))[..., : self._rows * self._width]
        return used.unflatten(2, (self._rows, self._width))
