"""Differences to the baseline on a common axis, a metric at a time: a forest plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainrun.comparing import Comparison, Pairing
from trainrun.comparing.criterion import larger_is_better

_MARGIN = 0.06  # of the axis, on either side


@dataclass(frozen=True)
class Forest:
    """The differences by one metric on one part.

    Attributes:
        metric: by its plain name.
        part: of the data.
        baseline: what is subtracted.
        larger_is_better: the metric's direction.
        rows: one for each config, with its place among those compared.
        low, high: the ends of the axis; 0 lies between them.
    """

    metric: str
    part: str
    baseline: str
    larger_is_better: bool
    rows: Sequence[tuple[int, Pairing]]
    low: float
    high: float

    def along(self, value: float) -> float:
        """Return the position of a value on the axis, from 0 to 1."""
        return (value - self.low) / (self.high - self.low)


def forests(comparison: Comparison) -> Iterator[Forest]:
    """A forest for each metric on the part that decides, the deciding metric first."""
    criterion = comparison.criterion
    places = {one.label: place for place, one in enumerate(comparison.standings)}
    pairs = [(places[pair.config], pair) for pair in comparison.pairings if pair.part == criterion.part]
    metrics = dict.fromkeys(pair.metric for _, pair in pairs)
    for metric in sorted(metrics, key=lambda metric: metric != criterion.metric):
        yield forest_of([(place, pair) for place, pair in pairs if pair.metric == metric])


def forest_of(rows: Sequence[tuple[int, Pairing]]) -> Forest:
    """Return the forest of differences to one baseline, by one metric on one part.

    Args:
        rows: each difference with the place of its config; at least one.
    """
    found = [pair.difference for _, pair in rows]
    ends = [0.0, *(end for one in found for end in one.interval or (one.mean,))]
    margin = (max(ends) - min(ends)) * _MARGIN or 1.0
    low, high = min(ends) - margin, max(ends) + margin
    first = rows[0][1]
    grows = larger_is_better(first.metric)
    return Forest(first.metric, first.part, first.baseline, grows, rows, low, high)
