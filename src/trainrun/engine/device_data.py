"""Data on the device, and the batches each member sees.

A single row is carried as two, of which one does not count. A product with a dimension of 1 takes another
route, whose bits depend on the number of members.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding

from trainrun.data import Part
from trainrun.streams import Purpose, stream

ROWS_AT_ONCE = 512  # in evaluation: a constant, so that a member's bits do not depend on its stack


class Batch(NamedTuple):
    """Rows for each member.

    Attributes:
        x_KBI: inputs; at least two rows.
        target_KB: class indices or scaled targets.
        rows: how many of the rows are real.
    """

    x_KBI: Tensor
    target_KB: Tensor
    rows: int


class DeviceData:
    """A part of the data, resident on the device.

    Attributes:
        x_NI: inputs.
        target_N: class indices (int64) or scaled targets.
    """

    def __init__(self, part: Part, device: torch.device, dtype: torch.dtype) -> None:
        self.x_NI = torch.from_numpy(part.x).to(device, dtype)
        target = torch.from_numpy(part.y)
        self.target_N = target.to(device, dtype if target.is_floating_point() else torch.int64)

    def __len__(self) -> int:
        return len(self.target_N)

    def truth(self) -> np.ndarray:
        """The targets as they are on the device, [N]."""
        truth: np.ndarray = self.target_N.cpu().numpy()
        return truth

    def order(self, seeds: Sequence[int], epoch: int) -> np.ndarray:
        """The order in which each member sees the rows in an epoch, [K, N]."""
        return np.stack([stream(seed, Purpose.ORDER, epoch).permutation(len(self)) for seed in seeds])

    def batch(self, chosen_KB: Tensor) -> Batch:
        """The rows that each member has chosen."""
        rows = chosen_KB.shape[1]
        if rows == 1:
            chosen_KB = chosen_KB.expand(-1, 2)
        return Batch(embedding(chosen_KB, self.x_NI), self.target_N.take(chosen_KB), rows)

    def pieces(self, members: int) -> Iterator[Batch]:
        """All rows in their own order, the same for each of `members` members, a piece at a time."""
        for start in range(0, len(self), ROWS_AT_ONCE):
            x, target = self.x_NI[start : start + ROWS_AT_ONCE], self.target_N[start : start + ROWS_AT_ONCE]
            rows = len(target)
            if rows == 1:
                x, target = x.expand(2, -1), target.expand(2)
            yield Batch(x.expand(members, -1, -1), target.expand(members, -1), rows)
