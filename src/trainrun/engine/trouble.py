"""Trouble: at which step a member first met a value that is not finite."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class Trouble:
    """The first bad step of each member in an epoch.

    A gradient that is not finite makes a weight so in the same step, so losses and weights tell everything.

    Attributes:
        step_K: the place of the first bad step in the epoch, from 0; -1 while there is none.
        quantity_K: `loss` or `weight` for members in trouble, else empty.
    """

    def __init__(self, members: int) -> None:
        self.step_K = np.full(members, -1)
        self.quantity_K = np.full(members, "", dtype=object)
        self._seen = 0

    @property
    def has_K(self) -> np.ndarray:
        """Which members are in trouble."""
        return self.step_K >= 0

    def look(self, loss_KB: Tensor, probes_TPK: Tensor, batch_size: int) -> None:
        """Look at a block of steps.

        Args:
            loss_KB: losses of the block's rows, batch after batch.
            probes_TPK: after each step, numbers of each member of which one is not finite if one of its
                weights is not.
            batch_size: rows of a full batch.
        """
        steps = len(probes_TPK)
        if not (torch.isfinite(loss_KB).all() & torch.isfinite(probes_TPK).all()):
            bad_loss_KT = _by_step(~torch.isfinite(loss_KB), steps, batch_size)
            bad_weight_KT = (~torch.isfinite(probes_TPK)).any(1).T.cpu().numpy()
            self._note(bad_loss_KT, bad_weight_KT)
        self._seen += steps

    def _note(self, bad_loss_KT: np.ndarray, bad_weight_KT: np.ndarray) -> None:
        bad_KT = bad_loss_KT | bad_weight_KT
        for member in np.flatnonzero(bad_KT.any(axis=1) & ~self.has_K):
            place = int(bad_KT[member].argmax())
            self.step_K[member] = self._seen + place
            self.quantity_K[member] = "loss" if bad_loss_KT[member, place] else "weight"


def _by_step(bad_KB: Tensor, steps: int, batch_size: int) -> np.ndarray:
    """Whether any row of a step is bad; the last step may have fewer rows."""
    spare = steps * batch_size - bad_KB.shape[1]
    return torch.nn.functional.pad(bad_KB, (0, spare)).unflatten(1, (steps, batch_size)).any(-1).cpu().numpy()
