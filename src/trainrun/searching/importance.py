"""Importance of keys: how much each one decides whether a candidate is among the best.

Source: Watanabe, Bansal and Hutter 2023 (PED-ANOVA), IJCAI, arXiv:2304.10255; computed by Optuna.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainrun.searching.records import Record, points
from trainrun.searching.sampling import distribution, quiet
from trainrun.searching.space import Space
from trainrun.statistics import Interval

#: Candidates with a value, below which nothing is said.
FEWEST = 20
_BEST = 0.1  # the share of the candidates that counts as the best
_FEWEST_BEST = 5
_RESAMPLES = 50


@dataclass(frozen=True)
class Importance:
    """How much a key decides.

    Attributes:
        key: dotted.
        share: of what decides whether a candidate is among the best, 0 to 1; the keys' shares add up to 1.
        interval: 95 % of the shares when candidates are drawn again with replacement.
    """

    key: str
    share: float
    interval: Interval

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"key": self.key, "importance": self.share, "interval": self.interval}


def importances(records: Sequence[Record], space: Space, *, larger_is_better: bool) -> list[Importance]:
    """Return the importance of each key, the largest first; none where there are too few candidates.

    Args:
        records: of all candidates.
        space: of the search.
        larger_is_better: the direction of their values.
    """
    found = [one for one in records if one.is_ranked]
    if len(found) < FEWEST or len(space.keys) < 2:
        return []
    from optuna.trial import create_trial

    places = _places(found, larger_is_better)
    with quiet():
        kinds = {one.key: distribution(one) for one in space.keys}
        trials = [
            create_trial(params=dict(point), distributions=kinds, value=float(place))
            for point, place in zip(points(found, space), places, strict=True)
        ]
        whole = _shares(trials)
        draw = np.random.Generator(np.random.SFC64(len(found)))
        drawn = [
            _shares([trials[i] for i in draw.integers(len(trials), size=len(trials))])
            for _ in range(_RESAMPLES)
        ]
    low, high = np.quantile([[one[key] for key in kinds] for one in drawn], [0.025, 0.975], axis=0)
    result = [
        Importance(key, whole[key], Interval(float(low[i]), float(high[i]))) for i, key in enumerate(kinds)
    ]
    return sorted(result, key=lambda one: -one.share)


def _places(found: Sequence[Record], larger_is_better: bool) -> list[float]:
    """The place of each candidate in its bracket, 0 to 1: those that went on for longer come first."""
    sign = -1 if larger_is_better else 1
    places = [0.0] * len(found)
    for bracket in {one.bracket for one in found}:
        members = [i for i, one in enumerate(found) if one.bracket == bracket]
        members.sort(
            key=lambda i: (found[i].status != "complete", -found[i].epochs, sign * (found[i].value or 0.0))
        )
        for place, i in enumerate(members):
            places[i] = place / len(members)
    return places


def _shares(trials: Sequence[Any]) -> dict[str, float]:
    import optuna

    best = min(0.5, max(_BEST, _FEWEST_BEST / len(trials)))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=best)
    study = optuna.create_study()
    study.add_trials(list(trials))
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
