"""The tally: what is kept of each row until an epoch or an evaluation ends, and the values made of it.

Sums are taken over whole rows of [K, N] arrays in float64, at the end, so that no value depends on how the
rows were cut into batches or on the other members.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from trainrun.data import Target
from trainrun.objective import Objective


class Tally:
    """Losses and answers of all members, row by row.

    Args:
        objective: whose metrics are wanted.
        loss: the loss of each row, of (output [K, B, C], target [K, B]).
        target: its task, classes and scale.
        answers: further answers to keep (`class` for a confusion matrix).
    """

    def __init__(
        self,
        objective: Objective,
        loss: Callable[[Tensor, Tensor], Tensor],
        target: Target,
        *answers: str,
    ) -> None:
        self._metrics, self._loss, self._target = objective.metrics, loss, target
        self._losses: list[Tensor] = []
        self._answers: dict[str, list[Tensor]] = {m.reads: [] for m in objective.metrics}
        self._answers.update({name: [] for name in answers})

    def add(self, output_KBC: Tensor, target_KB: Tensor) -> Tensor:
        """Take in the outputs of some rows; returns the losses of these rows, [K, B]."""
        loss_KB = self._loss(output_KBC, target_KB)
        self._losses.append(loss_KB)
        for name, kept in self._answers.items():
            kept.append(_READINGS[name](output_KBC))
        return loss_KB

    def values(self, truth: np.ndarray) -> list[dict[str, float]]:
        """Each member's loss and metrics.

        Args:
            truth: class indices or scaled targets of the rows in the order they were added, [N] or [K, N].
        """
        truth = self._in_own_units(truth)
        columns = {"loss": _joined(self._losses).mean(axis=1, dtype=np.float64)}
        answers = {name: self.answer(name) for name in self._answers}
        for metric in self._metrics:
            columns[metric.name] = metric.function(answers[metric.reads], truth, len(self._target.classes))
        members = range(len(columns["loss"]))
        return [{name: float(column[k]) for name, column in columns.items()} for k in members]

    def answer(self, name: str) -> np.ndarray:
        """What was kept under `name`, [K, N]: classes, scores, or predictions in the target's units."""
        answer = _joined(self._answers[name])
        return self._in_own_units(answer) if name == "value" else answer

    def _in_own_units(self, values: np.ndarray) -> np.ndarray:
        if self._target.task == "classification":
            return values
        return self._target.in_own_units(values)


_READINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "class": lambda output: output.argmax(-1).to(torch.int32),
    "score": lambda output: output[..., 1] - output[..., 0],
    "value": lambda output: output[..., 0],
}


def _joined(pieces: list[Tensor]) -> np.ndarray:
    return torch.cat(pieces, dim=1).cpu().numpy()
