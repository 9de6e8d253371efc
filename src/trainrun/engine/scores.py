"""Scores: losses and answers kept for each row until an epoch or an evaluation ends, and values from them.

Sums are taken over whole rows of [K, N] arrays in float64, at the end, so that no value depends on how the
rows were cut into batches or on the other members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from trainrun.data import Target
from trainrun.objective import Objective


class Scores:
    """Losses and answers of all members, row by row.

    Args:
        objective: whose metrics are wanted.
        loss: the loss of each row, of (output [K, B, C], target [K, B]).
        target: its task, classes and scale.
        room_KN: an empty tensor for the losses; its shape and device are those of the scores.
        answers: further answers to keep (`class` for a confusion matrix).
        predict: returns what is answered, of an output; the output itself unless given.
    """

    def __init__(
        self,
        objective: Objective,
        loss: Callable[[Tensor, Tensor], Tensor],
        target: Target,
        room_KN: Tensor,
        *answers: str,
        predict: Callable[[Tensor], Tensor] = lambda output: output,
    ) -> None:
        self._predict = predict
        self._metrics, self._loss, self._target = objective.metrics, loss, target
        names = dict.fromkeys([*(metric.reads for metric in objective.metrics), *answers])
        self._answers = {
            name: torch.empty_like(room_KN, dtype=torch.int32 if name == "class" else None) for name in names
        }
        self._losses, self._seen = room_KN, 0

    @property
    def loss_KN(self) -> Tensor:
        """The losses of the rows so far."""
        return self._losses[:, : self._seen]

    def add(self, output_KBC: Tensor, target_KB: Tensor) -> None:
        """Take in the outputs of some rows."""
        loss_KB = self._loss(output_KBC, target_KB)
        place = slice(self._seen, self._seen + loss_KB.shape[1])
        self._losses[:, place] = loss_KB
        answer_KBC = self._predict(output_KBC) if self._answers else output_KBC
        for name, kept_KN in self._answers.items():
            kept_KN[:, place] = _READINGS[name](answer_KBC)
        self._seen = place.stop

    def values(self, truth: np.ndarray, chosen: np.ndarray | None = None) -> list[dict[str, float]]:
        """Each member's loss and metrics.

        Args:
            truth: class indices or scaled targets of the rows in the order they were added, [N] or [K, N].
            chosen: places of the rows that count; all unless given.
        """
        rows = slice(None) if chosen is None else chosen
        truth = self._in_own_units(truth)[..., rows]
        columns = {"loss": self.loss_KN.cpu().numpy()[:, rows].mean(axis=1, dtype=np.float64)}
        answers = {name: self.answer(name)[:, rows] for name in self._answers}
        for metric in self._metrics:
            columns[metric.name] = metric.function(answers[metric.reads], truth, len(self._target.classes))
        members = range(len(columns["loss"]))
        return [{name: float(column[k]) for name, column in columns.items()} for k in members]

    def answer(self, name: str) -> np.ndarray:
        """Return the kept answers `name`, [K, N]: classes, scores, or predictions in the target's units."""
        answer = self._answers[name][:, : self._seen].cpu().numpy()
        return self._in_own_units(answer) if name == "value" else answer

    def state(self, row: int) -> dict[str, np.ndarray]:
        """Return the losses and answers of a member's rows so far."""
        kept = {"loss": self._losses, **self._answers}
        return {name: kept_KN[row, : self._seen].cpu().numpy() for name, kept_KN in kept.items()}

    def restore(self, row: int, state: Mapping[str, np.ndarray]) -> None:
        """Put back what `state` gave; every member has seen as many rows."""
        self._seen = len(state["loss"])
        for name, kept_KN in {"loss": self._losses, **self._answers}.items():
            kept_KN[row, : self._seen] = torch.from_numpy(state[name])

    def _in_own_units(self, values: np.ndarray) -> np.ndarray:
        if self._target.task == "classification":
            return values
        return self._target.in_own_units(values)


_READINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "class": lambda output: output.argmax(-1),
    "score": lambda output: output[..., 1] - output[..., 0],
    "value": lambda output: output[..., 0],
}
