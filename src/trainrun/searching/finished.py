"""A finished search, as far as its own files say: no data, no config file and no run is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from trainrun.comparing.criterion import larger_is_better
from trainrun.comparing.ensembles import Ensembles
from trainrun.comparing.pairing import Pairing
from trainrun.runs.paths import SearchPaths
from trainrun.searching.asked import Asked
from trainrun.searching.importance import Importance
from trainrun.searching.records import Record, ranked
from trainrun.statistics import Interval


@dataclass(frozen=True)
class SearchedKey:
    """A key of a finished search, with what it could be.

    Attributes:
        key: dotted.
        values: the listed values; none of a range.
        low, high: the ends of a range.
        log: whether equal ratios of a range are equally likely.
        is_whole: whether only whole numbers are meant.
    """

    key: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    is_whole: bool = False

    def place(self, value: Any) -> float:
        """Return the place of a listed value, or a number of the range.

        Raises:
            ValueError: the key has no such value.
        """
        if self.values:  # true and 1 are two values
            return [json.dumps(one) for one in self.values].index(json.dumps(value))
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not self.low <= value <= self.high
        ):
            raise ValueError(f"beyond the range of {self.key}")
        return float(value)


class Measured(NamedTuple):
    """A mean over seeds, with its interval where there are at least two."""

    mean: float
    interval: Interval | None


@dataclass(frozen=True)
class Confirmed:
    """The plain config or a finalist, over fresh seeds.

    Attributes:
        label: what it is called.
        settings: the searched values; none of the plain config.
        id8: of its runs.
        seeds: how many runs it has.
        believed: its value in the search; None where it was no candidate.
        parts: means by metric, by part; empty for a part that no run has.
    """

    label: str
    settings: Mapping[str, Any]
    id8: str
    seeds: int
    believed: float | None
    parts: Mapping[str, Mapping[str, Measured]]

    def measured(self, part: str, metric: str) -> Measured | None:
        """Return the mean of a metric on a part; None where no run has it."""
        return self.parts[part].get(metric)


@dataclass(frozen=True)
class FinishedSearch:
    """A search that came to its end.

    Attributes:
        paths: of its files.
        name: of the config.
        metric: that ranked the candidates, on the validation rows.
        part: of the data on which the finalists are told apart.
        sampler: that proposed the candidates.
        epochs_first: after which candidates were judged for the first time.
        keys: the searched keys, in the order of the file.
        records: of all candidates, in their order.
        plain: the plain config; None where nothing was confirmed.
        finalists: the best candidates, in the order of the search's ranking.
        best: the place of the best finalist; None without finalists.
        pairings: differences between every two of the plain config and the finalists.
        importance: of the keys, the largest first; empty where too little is known.
        asked: the command's words; None where their file is missing or damaged.
        newer: candidates that a larger search has tried since, without a result yet.
    """

    paths: SearchPaths
    name: str
    metric: str
    part: str
    sampler: str
    epochs_first: int
    keys: tuple[SearchedKey, ...]
    records: tuple[Record, ...]
    plain: Confirmed | None
    finalists: tuple[Confirmed, ...]
    best: int | None
    pairings: tuple[Pairing, ...]
    importance: tuple[Importance, ...]
    asked: Asked | None
    newer: int

    @property
    def over_splits(self) -> bool:
        """Whether each seed drew a split of its own: a search refuses that."""
        return False

    @property
    def ensembles(self) -> Ensembles:
        """A search compares no averages of seeds."""
        return Ensembles()

    @property
    def larger_is_better(self) -> bool:
        """The direction of the metric that ranked the candidates."""
        return larger_is_better(self.metric)

    @cached_property
    def ranking(self) -> list[Record]:
        """The candidates that have a value, the best first."""
        return ranked(self.records, larger_is_better=self.larger_is_better)

    @cached_property
    def finalist_records(self) -> list[Record]:
        """What the search knows of each finalist."""
        known = {one.id8: one for one in reversed(self.records)}
        return [known[one.id8] for one in self.finalists]

    @property
    def decisive(self) -> list[Pairing]:
        """The differences by the metric and on the part that decide."""
        return [one for one in self.pairings if (one.metric, one.part) == (self.metric, self.part)]
