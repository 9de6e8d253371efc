"""Evaluation: the net over whole parts of the data, dropout off, the same function for every part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch

from trainrun.engine.buffers import Views
from trainrun.engine.device_data import ROWS_AT_ONCE, DeviceData
from trainrun.engine.network import Network
from trainrun.engine.scores import Scores
from trainrun.ingredients.metrics import confusion
from trainrun.plan import Plan

_NUMBERS_AT_ONCE = 2**21  # of one layer's outputs, of all members that are evaluated together


class Evaluation(NamedTuple):
    """A member on a part of the data: its loss and metrics, and its confusion matrix (None for numbers)."""

    values: dict[str, float]
    confusion: np.ndarray | None


class Evaluator:
    """Evaluates the members of a stack.

    Args:
        plan: of the stack.
        network: the net.
        parts: the parts of the data that exist, by name.
    """

    def __init__(self, plan: Plan, network: Network, parts: Mapping[str, DeviceData]) -> None:
        self._plan, self._network, self._parts = plan, network, parts

    def values(self, part: str, views: Views) -> list[dict[str, float]] | None:
        """Each member's loss and metrics on a part; None where the part does not exist."""
        rows = self._parts.get(part)
        if rows is None:
            return None
        return [values for scores in self._scores(rows, views) for values in scores.values(rows.truth())]

    def in_full(self, part: str, views: Views) -> list[Evaluation] | None:
        """The same, with each member's confusion matrix where there are classes."""
        rows, classes = self._parts.get(part), len(self._plan.dataset.target.classes)
        if rows is None or not classes:
            values = self.values(part, views)
            return None if values is None else [Evaluation(of_one, None) for of_one in values]
        return [
            Evaluation(values, confusion(answer_N, rows.truth(), classes))
            for scores in self._scores(rows, views, "class")
            for values, answer_N in zip(scores.values(rows.truth()), scores.answer("class"), strict=True)
        ]

    def logits(self, part: str, views: Views, member: int) -> np.ndarray:
        """Return a member's outputs for a part that exists, [N, C] float64."""
        some = [tuple(tensor[member : member + 1] for tensor in parameters) for parameters in views]
        outputs = [
            self._network.evaluate(some, batch.x_KBI)[0, : batch.rows]
            for batch in self._parts[part].pieces(1)
        ]
        return torch.cat(outputs).double().cpu().numpy()

    def truth(self, part: str) -> np.ndarray:
        """Return the class indices or scaled targets of a part that exists, [N]."""
        return self._parts[part].truth()

    def _scores(self, rows: DeviceData, views: Views, *answers: str) -> Iterator[Scores]:
        """Scores of all rows for some members after the others: what passes through the net stays small."""
        objective, target = self._plan.objective, self._plan.dataset.target
        at_once = max(1, _NUMBERS_AT_ONCE // (ROWS_AT_ONCE * self._plan.row_numbers))
        members = next(len(tensor) for parameters in views for tensor in parameters)
        for start in range(0, members, at_once):
            stop = min(start + at_once, members)
            some = [tuple(tensor[start:stop] for tensor in parameters) for parameters in views]
            room_KN = rows.x_NI.new_empty(stop - start, len(rows))
            scores = Scores(objective, objective.report, target, room_KN, *answers)
            for batch in rows.pieces(len(room_KN)):
                output_KBC = self._network.evaluate(some, batch.x_KBI)
                scores.add(output_KBC[:, : batch.rows], batch.target_KB[:, : batch.rows])
            yield scores
