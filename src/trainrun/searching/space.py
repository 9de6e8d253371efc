"""The space of a search: candidates as points of a unit cube, as settings and as configs."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

from trainrun.config import Config
from trainrun.config.loading import Draft
from trainrun.config.rendering import brief
from trainrun.config.search_space import SECTION, Listed, Range, Searched
from trainrun.config.yaml.tree import Node, plain
from trainrun.errors import ConfigError, UsageError

#: A candidate as the sampler sees it: the place of a listed value, or the number of a range, by key.
Point = Mapping[str, int | float]
#: A candidate as a user sees it: values by dotted key.
Settings = dict[str, Any]

_DIGITS = 4  # of a drawn number: enough to tell candidates apart, and still readable
_MOST_COMBINATIONS = 100_000


class Space:
    """Keys that a search may change, each with its values.

    Args:
        path: the config file.
        overrides: texts `key=value` that go on top.

    Attributes:
        config: the plain config, without any of the values.
        keys: the searched keys, in the order of the file.

    Raises:
        ConfigError: the config or its section `search` is invalid.
        UsageError: the config has no section `search`.
    """

    def __init__(self, path: str | Path, overrides: Sequence[str] = ()) -> None:
        self._draft = Draft(path, overrides)
        self.config = self._draft.config()
        self._draft.check_space()
        self.keys: tuple[Searched, ...] = self._draft.space
        if not self.keys:
            raise UsageError(
                f"{self.config.place('')}: has no section {SECTION}, such as"
                " `search: {learning_rate: {from: 1e-4, to: 1e-1, log: true}}`"
            )

    def is_made_of(self, path: Path) -> bool:
        """Return whether a file is the searched config, or one that it extends."""
        return os.path.realpath(path) in self._draft.files

    def candidate(self, point: Point) -> Config:
        """Return the config of a candidate.

        Raises:
            ConfigError: its values do not go together.
        """
        return self._draft.config({one.key: _node(one, point[one.key]) for one in self.keys})

    def single(self, only: Searched | None = None) -> Iterator[Config]:
        """Yield the plain config with each value alone; of ranges the ends.

        Args:
            only: the key whose values are wanted; None for all keys.
        """
        for one in self.keys if only is None else [only]:
            for node in one.ends:
                yield self._draft.config({one.key: node})

    def on_top(self, point: Point) -> dict[str, Any]:
        """Return the mapping with which a config extends the searched one to become this candidate."""
        return self._draft.on_top({one.key: _node(one, point[one.key]) for one in self.keys})

    def settings(self, point: Point) -> Settings:
        """Return a candidate's values as a file would have them."""
        return {one.key: _value(one, point[one.key]) for one in self.keys}

    def point(self, settings: Mapping[str, Any]) -> Point:
        """Return the candidate that has these settings.

        Raises:
            ValueError, KeyError: there is none.
        """
        return {one.key: _place(one, settings[one.key]) for one in self.keys}

    def at(self, unit: Sequence[float]) -> Point:
        """Return the candidate at a point of the unit cube.

        Args:
            unit: a number from 0 to 1 (excluded) for each key.
        """
        return {one.key: _drawn(one, share) for one, share in zip(self.keys, unit, strict=True)}

    def grid(self) -> list[Point]:
        """Return every combination of values; the last key changes fastest.

        Raises:
            UsageError: a range has no step, so that its values cannot be counted, or there are too many.
        """
        if self.combinations is None:
            endless = next(one for one in self.keys if isinstance(one, Range) and _steps(one) is None)
            raise UsageError(
                f"--sampler grid: {endless.key} is a range without a step: add `step`, or list its values"
            )
        if not self.is_countable:
            raise UsageError(
                f"--sampler grid: the space has {self.combinations} combinations, more than"
                f" {_MOST_COMBINATIONS}; take another sampler"
            )
        values = [[(one.key, value) for value in _all(one)] for one in self.keys]
        return [dict(combination) for combination in product(*values)]

    @property
    def combinations(self) -> int | None:
        """The number of all combinations; None where a range has any number of values."""
        counts = [len(one.nodes) if isinstance(one, Listed) else _steps(one) for one in self.keys]
        return None if None in counts else math.prod(count for count in counts if count is not None)

    @property
    def is_countable(self) -> bool:
        """Return whether all combinations can be listed."""
        return self.combinations is not None and self.combinations <= _MOST_COMBINATIONS

    def to_json(self) -> dict[str, Any]:
        """Return the keys and their values as plain data."""
        return {one.key: _described(one) for one in self.keys}

    def conflicts(self) -> Iterator[str]:
        """Yield a sentence for each pair of values that do not go together; of ranges the ends are tried."""
        for first, second in combinations(self.keys, 2):
            for one, other in product(first.ends, second.ends):
                try:
                    self._draft.config({first.key: one, second.key: other})
                except ConfigError as error:
                    pair = " and ".join(
                        f"{key} {brief(_plain(node))}"
                        for key, node in ((first.key, one), (second.key, other))
                    )
                    yield f"{other.mark}: {SECTION}: {pair} do not go together: {_sentence(error)}"


def _sentence(error: ConfigError) -> str:
    """The first problem without its place."""
    return error.problems[0].partition(": ")[2] or error.problems[0]


def _plain(node: Node) -> Any:
    value = plain(node)
    return _listed(value)


def _listed(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_listed(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _listed(item) for key, item in value.items()}
    return value


def _node(one: Searched, chosen: float) -> Node:
    return one.nodes[int(chosen)] if isinstance(one, Listed) else one.node(chosen)


def _value(one: Searched, chosen: float) -> Any:
    return _plain(one.nodes[int(chosen)]) if isinstance(one, Listed) else chosen


def _place(one: Searched, value: Any) -> int | float:
    if isinstance(one, Listed):
        return [_plain(node) for node in one.nodes].index(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not one.low <= value <= one.high or (one.is_whole and value != int(value)):
        raise ValueError(f"{value!r} is not in the range of {one.key}")
    if one.step is not None and value != _stepped(one, round((value - one.low) / one.step)):
        raise ValueError(f"{value!r} is between the steps of {one.key}")
    return value


def _described(one: Searched) -> Any:
    if isinstance(one, Listed):
        return [_plain(node) for node in one.nodes]
    step = {} if one.step is None else {"step": one.step}
    return {"from": one.low, "to": one.high, "log": one.log, **step, "whole": one.is_whole}


def _steps(one: Range) -> int | None:
    """The number of values of a range; None where it has any number."""
    step = one.step or (1 if one.is_whole and not one.log else None)
    return None if step is None else math.floor((one.high - one.low) / step * (1 + 1e-12)) + 1


def _all(one: Searched) -> Iterator[int | float]:
    if isinstance(one, Listed):
        yield from range(len(one.nodes))
        return
    count = _steps(one)
    assert count is not None, "the caller asks for ranges that can be counted only"
    yield from (_stepped(one, place) for place in range(count))


def _stepped(one: Range, place: int) -> int | float:
    value = one.low + place * (one.step or 1)
    return int(value) if one.is_whole else float(f"{value:.12g}")


def _drawn(one: Searched, share: float) -> int | float:
    """Return the value at a share of the way through a key's values."""
    if isinstance(one, Listed):
        return min(int(share * len(one.nodes)), len(one.nodes) - 1)
    if (count := _steps(one)) is not None:
        return _stepped(one, min(int(share * count), count - 1))
    if not one.log:
        return _rounded(one, one.low + share * (one.high - one.low))
    if one.is_whole:  # each number has the room from half below to half above it
        low, high = math.log(one.low - 0.5), math.log(one.high + 0.5)
        return int(min(max(round(math.exp(low + share * (high - low))), one.low), one.high))
    return _rounded(one, math.exp(math.log(one.low) + share * (math.log(one.high) - math.log(one.low))))


def tidied(one: Searched, chosen: float) -> int | float:
    """Return a proposed number as one that `Space` would draw: with few digits, if it has no step."""
    if isinstance(one, Listed) or one.is_whole:
        return int(chosen)
    return _rounded(one, chosen) if one.step is None else float(f"{chosen:.12g}")


def _rounded(one: Range, value: float) -> float:
    return min(max(float(f"{value:.{_DIGITS}g}"), float(one.low)), float(one.high))
