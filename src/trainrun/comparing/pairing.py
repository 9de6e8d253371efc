"""Pairs of a candidate and the baseline: differences, and the verdicts of all of one metric and part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from trainrun.comparing.criterion import Criterion, larger_is_better
from trainrun.comparing.standings import Standing
from trainrun.statistics import Difference, decide, difference


@dataclass(frozen=True)
class Pairing:
    """A candidate against the baseline, by one metric on one part of the data.

    Attributes:
        config: the candidate's label.
        baseline: the baseline's.
        metric: by its plain name.
        part: of the data.
        difference: config minus baseline over the seeds in which both are complete, with its verdict.
        of_ensembles: whether each is the average of its seeds, not the seeds one by one.
    """

    config: str
    baseline: str
    metric: str
    part: str
    difference: Difference
    of_ensembles: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        found, won = self.difference, self.difference.p_better
        return {
            "config": self.config,
            "baseline": self.baseline,
            "metric": self.metric,
            "part": self.part,
            "n": found.n,
            "mean": found.mean,
            "interval": found.interval,
            "improvement": found.improvement,
            "p": found.p,
            "p_better": {"value": won.value, "interval": won.interval} if won else None,
            "verdict": found.verdict,
            "enough": {"smallest_difference": found.smallest_difference, "more_seeds": found.more_seeds},
        }


def find_pairing(pairings: Sequence[Pairing], label: str, metric: str, part: str) -> Pairing | None:
    """Return the pairing of a candidate; None where nothing could be paired."""
    wanted = (label, metric, part)
    return next((pair for pair in pairings if (pair.config, pair.metric, pair.part) == wanted), None)


def shared_seeds(baseline: Standing, other: Standing) -> list[int]:
    """Return the seeds in which both are complete."""
    return [seed for seed in baseline.complete if seed in other.complete]


def pair_seeds(standings: Sequence[Standing], criterion: Criterion) -> Iterator[Pairing]:
    """Yield the pairings of single seeds, candidate by candidate within a metric and part.

    Args:
        standings: of the candidates, the baseline first.
        criterion: what decides.
    """
    baseline, *others = standings
    for part in criterion.parts():
        for metric in baseline.metrics(part):
            found = ((one, _difference(baseline, one, part, metric, criterion)) for one in others)
            family = [(one, change) for one, change in found if change]
            yield from decided(baseline, family, metric, part)


def is_comparable(one: Standing, metric: str, criterion: Criterion) -> bool:
    """Return whether a metric of a candidate is the same function as that of the baseline."""
    return metric != "loss" or one.label not in criterion.other_losses


def decided(
    baseline: Standing,
    family: Sequence[tuple[Standing, Difference]],
    metric: str,
    part: str,
    of_ensembles: bool = False,
) -> Iterator[Pairing]:
    """Yield the pairings of one metric and part, which is a family of verdicts.

    Args:
        baseline: what the others are compared with.
        family: each candidate with its difference to the baseline.
        metric: by its plain name.
        part: of the data.
        of_ensembles: whether each value is of the average of seeds.
    """
    yield from _decided([(baseline, *pair) for pair in family], metric, part, of_ensembles)


def pair_all(standings: Sequence[Standing], criterion: Criterion) -> Iterator[Pairing]:
    """Yield the pairings of every two candidates; those of one metric and part are one family of verdicts.

    Args:
        standings: of the candidates; of two the earlier one is the baseline.
        criterion: what decides.
    """
    for part in criterion.parts():
        for metric in standings[0].metrics(part):
            family = []
            for baseline, one in combinations(standings, 2):
                if found := _difference(baseline, one, part, metric, criterion):
                    family.append((baseline, one, found))
            yield from _decided(family, metric, part)


def _difference(
    baseline: Standing, one: Standing, part: str, metric: str, criterion: Criterion
) -> Difference | None:
    """The difference of two candidates; None where nothing can be paired."""
    mine, its = _values(baseline, one, part, metric)
    if not (mine and is_comparable(one, metric, criterion) and is_comparable(baseline, metric, criterion)):
        return None
    grows, overlap = larger_is_better(metric), baseline.overlap(part)
    return difference(mine, its, larger_is_better=grows, correction=overlap)


def _decided(
    family: Sequence[tuple[Standing, Standing, Difference]],
    metric: str,
    part: str,
    of_ensembles: bool = False,
) -> Iterator[Pairing]:
    signs = [_sign(one.diverged_share - baseline.diverged_share) for baseline, one, _ in family]
    verdicts = decide([found for *_, found in family], signs)
    for (baseline, one, _), found in zip(family, verdicts, strict=True):
        yield Pairing(one.label, baseline.label, metric, part, found, of_ensembles)


def _values(baseline: Standing, other: Standing, part: str, metric: str) -> tuple[list[float], list[float]]:
    """The candidate's and the baseline's values at the seeds that both have."""
    before, after = baseline.values(part, metric), other.values(part, metric)
    shared = [seed for seed in before if seed in after]
    return [after[seed] for seed in shared], [before[seed] for seed in shared]


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
