"""Ranking of configs by the metric that decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainrun.comparing.criterion import Criterion, larger_is_better
from trainrun.comparing.pairing import is_comparable
from trainrun.comparing.standings import Standing

#: Configs, the baseline among them, that are shown side by side; more are ranked.
MOST_SIDE_BY_SIDE = 5


@dataclass(frozen=True)
class Ranked:
    """A config with its rank.

    Attributes:
        rank: from 1, shared by equal means; None where there is no mean to rank by.
        standing: of the config.
    """

    rank: int | None
    standing: Standing


def rank(standings: Sequence[Standing], criterion: Criterion) -> list[Ranked]:
    """Rank configs by their mean over the seeds, the best first, and those without a mean last.

    Args:
        standings: of the configs.
        criterion: the metric and the part that decide.
    """
    return in_order([(one, _value(one, criterion)) for one in standings], criterion.metric)


def in_order(values: Sequence[tuple[Standing, float | None]], metric: str) -> list[Ranked]:
    """Rank configs by a value of each.

    Args:
        values: of each config; None where it has no value.
        metric: whose values they are, which says which is better.
    """
    sign = -1 if larger_is_better(metric) else 1
    found = sorted(((sign * value, one) for one, value in values if value is not None), key=lambda x: x[0])
    ranked = [Ranked(1 + sum(value < mine for value, _ in found), one) for mine, one in found]
    return ranked + [Ranked(None, one) for one, value in values if value is None]


def _value(one: Standing, criterion: Criterion) -> float | None:
    mean = one.mean(criterion.part, criterion.metric)
    return mean.value if mean.n and is_comparable(one, criterion.metric, criterion) else None
