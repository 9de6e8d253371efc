"""DivergenceTracker: at which step a member first met a value that is not finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor


class DivergenceTracker:
    """The first bad step of each member in an epoch.

    A gradient that is not finite makes a weight not finite in the same step. Losses and weights are enough to
    detect every divergence.

    Attributes:
        step_K: the place of the first bad step in the epoch, from 0; -1 for members without a bad step.
        quantity_K: `loss`, `weight`, `bias` or `bias or scale` for members that diverged, else empty.
        layer_K: the first layer with such a weight, from 1; 0 if the bad value is not a weight.
    """

    def __init__(self, members: int) -> None:
        self.step_K = np.full(members, -1)
        self.quantity_K = np.full(members, "", dtype=object)
        self.layer_K = np.zeros(members, dtype=np.int64)

    @property
    def has_K(self) -> np.ndarray:
        """Mask of the members that have diverged, bool [K]."""
        return self.step_K >= 0

    def state(self, row: int) -> dict[str, int | str]:
        """Return the first bad step of a member, as plain values."""
        return {
            "bad_step": int(self.step_K[row]),
            "quantity": str(self.quantity_K[row]),
            "layer": int(self.layer_K[row]),
        }

    def restore(self, row: int, state: Mapping[str, int | str]) -> None:
        """Put back what `state` gave."""
        self.step_K[row], self.layer_K[row] = state["bad_step"], state["layer"]
        self.quantity_K[row] = state["quantity"]

    def look(
        self,
        start: int,
        loss_KB: Tensor,
        probes_TPK: Tensor,
        batch_size: int,
        labels: Sequence[tuple[str, int]],
    ) -> None:
        """Look at some steps.

        Args:
            start: the place of the first of them in the epoch.
            loss_KB: losses of their rows, batch after batch.
            probes_TPK: after each step, a number for each block of parameters, which is not finite if one of
                the parameters is not.
            batch_size: rows of a full batch.
            labels: of the blocks: what the numbers are, and of which layer.
        """
        if not torch.isfinite(loss_KB.sum() + probes_TPK.sum()):  # first what is quick; it may overflow, too
            bad_loss_KT = _by_step(~torch.isfinite(loss_KB), len(probes_TPK), batch_size)
            bad_block_KTP = (~torch.isfinite(probes_TPK)).permute(2, 0, 1).cpu().numpy()
            bad_KT = bad_loss_KT | bad_block_KTP.any(axis=2)
            for member in map(int, np.flatnonzero(bad_KT.any(axis=1) & ~self.has_K)):
                place = int(bad_KT[member].argmax())
                self.step_K[member] = start + place
                self._name(member, bad_loss_KT[member, place], bad_block_KTP[member, place], labels)

    def _name(
        self, member: int, bad_loss: bool, bad_block_P: np.ndarray, labels: Sequence[tuple[str, int]]
    ) -> None:
        # A bad loss was computed from weights that were finite: the forward pass has overflowed.
        label = ("loss", 0) if bad_loss else labels[int(bad_block_P.argmax())]
        self.quantity_K[member], self.layer_K[member] = label


def _by_step(bad_KB: Tensor, steps: int, batch_size: int) -> np.ndarray:
    """Return for each step whether any of its rows is bad; the last step may have fewer rows."""
    spare = steps * batch_size - bad_KB.shape[1]
    return torch.nn.functional.pad(bad_KB, (0, spare)).unflatten(1, (steps, batch_size)).any(-1).cpu().numpy()
