"""Evaluation: the net over whole parts of the data, dropout off, the same function for every part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trainrun.engine.feed import Feed
from trainrun.engine.layout import Layer
from trainrun.engine.network import Network
from trainrun.engine.tally import Tally
from trainrun.events import Values
from trainrun.ingredients.metrics import confusion
from trainrun.plan import Plan


class Evaluator:
    """Evaluates the members of a stack.

    Args:
        plan: of the stack.
        network: the net.
        feeds: the parts of the data that exist, by name.
    """

    def __init__(self, plan: Plan, network: Network, feeds: Mapping[str, Feed]) -> None:
        self._plan, self._network, self._feeds = plan, network, feeds

    def values(self, part: str, layers: Sequence[Layer]) -> list[dict[str, float]] | None:
        """Each member's loss and metrics on a part; None where the part does not exist."""
        feed = self._feeds.get(part)
        return None if feed is None else self._tally(feed, layers).values(feed.truth())

    def confusion(self, part: str, layers: Sequence[Layer]) -> list[np.ndarray] | None:
        """Each member's confusion matrix on a part; None for regression or a part that does not exist."""
        feed, target = self._feeds.get(part), self._plan.dataset.target
        if feed is None or target.task != "classification":
            return None
        answers_KN = self._tally(feed, layers, "class").answer("class")
        return [confusion(answer_N, feed.truth(), len(target.classes)) for answer_N in answers_KN]

    def _tally(self, feed: Feed, layers: Sequence[Layer], *answers: str) -> Tally:
        tally = Tally(self._plan.objective, self._plan.objective.report, self._plan.dataset.target, *answers)
        for batch in feed.pieces(len(layers[0].weight_KIO)):
            output_KBC = self._network.evaluate(layers, batch.x_KBI)
            tally.add(output_KBC[:, : batch.rows], batch.target_KB[:, : batch.rows])
        return tally


def of_member(values: Sequence[Values] | None, row: int) -> Values | None:
    """One member's values of a part that may not exist."""
    return None if values is None else values[row]
