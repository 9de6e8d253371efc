"""Reliability diagrams: how often predictions of a confidence are right, a config's runs added up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from trainrun.comparing.standings import Standing
from trainrun.events import PARTS, PROBABILITIES


class Bin(NamedTuple):
    """Rows whose confidence lies in one interval.

    Attributes:
        low, high: ends of the interval.
        rows: number of rows.
        confidence: their mean probability of the predicted class.
        accuracy: share of rows whose predicted class is right.
    """

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Reliability of a config's probabilities on one part of the data.

    Attributes:
        config: its label.
        place: of the config among those compared, from 0.
        part: of the data.
        temperatures: one for each run.
        bins: without and with the temperature, the bins that have rows.
        errors: without and with the temperature, the mean of the runs' expected calibration errors.
    """

    config: str
    place: int
    part: str
    temperatures: Sequence[float]
    bins: tuple[Sequence[Bin], Sequence[Bin]]
    errors: tuple[float, float]

    @property
    def runs(self) -> int:
        """Number of runs whose rows are added up."""
        return len(self.temperatures)

    @property
    def most_rows(self) -> int:
        """Number of rows of the largest bin."""
        return max((one.rows for bins in self.bins for one in bins), default=1)


def reliabilities(standings: Sequence[Standing]) -> Iterator[Reliability]:
    """Yield a diagram for each config with calibrated runs and each held-out part."""
    for place, one in enumerate(standings):
        for part in PARTS[1:]:
            results = [result for result in one.complete.values() if part in result.get("reliability", {})]
            if results:
                yield _reliability(one.label, place, part, results)


def _reliability(label: str, place: int, part: str, results: Sequence[Mapping[str, Any]]) -> Reliability:
    before, after = ([result["reliability"][part][kind] for result in results] for kind in PROBABILITIES)
    return Reliability(
        label,
        place,
        part,
        temperatures=[result["temperature"] for result in results],
        bins=(_added(before), _added(after)),
        errors=(fmean(map(_error, before)), fmean(map(_error, after))),
    )


def _error(run: Mapping[str, Sequence[Any]]) -> float:
    """Return the expected calibration error of a run's bins."""
    apart = (
        rows * abs(confidence - accuracy)
        for rows, confidence, accuracy in zip(run["rows"], run["confidence"], run["accuracy"], strict=True)
        if rows
    )
    return sum(apart) / max(sum(run["rows"]), 1)


def _added(runs: Sequence[Mapping[str, Sequence[Any]]]) -> list[Bin]:
    """Add up the rows of runs bin by bin."""
    count = len(runs[0]["rows"])
    alike = [run for run in runs if len(run["rows"]) == count]
    found = []
    for place in range(count):
        rows = [run["rows"][place] for run in alike]
        if sum(rows):
            confidence, accuracy = (
                _weighted(rows, [run[name][place] for run in alike]) for name in ("confidence", "accuracy")
            )
            found.append(Bin(place / count, (place + 1) / count, sum(rows), confidence, accuracy))
    return found


def _weighted(weights: Sequence[int], values: Sequence[float | None]) -> float:
    """Return the mean of values by their weights; a value of weight 0 may be missing."""
    return sum(w * v for w, v in zip(weights, values, strict=True) if v is not None) / sum(weights)
