"""Axes for the pictures of a search: where a value lies, from 0 to 1, and what stands beside the axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from trainrun.config.rendering import brief
from trainrun.searching.finished import SearchedKey
from trainrun.text import printable

_MARGIN = 0.03  # of an axis, at either end, so that no mark is cut
_BAND = 0.6  # of the room of a listed value, over which its candidates are spread
_LONGEST = 14  # characters of a tick's label
_MOST_LISTED = 12  # listed values that have a label
_STEPS = (1, 2, 5, 10)
_FEW_DECADES = 2.2  # below which a logarithmic axis has ticks between the powers of ten
_MOST_TICKS = 6
_WIDE = 12.0  # worst to best, from which on a positive value to be small has a logarithmic axis
_FAR = 3.0  # times the reach of the best nine tenths, beyond which values lie at the edge
_ENOUGH = 10  # values, below which all of them are shown


class Tick(NamedTuple):
    """A label beside an axis.

    Attributes:
        at: its place, from 0 to 1.
        label: short.
        full: the whole value.
    """

    at: float
    label: str
    full: str


@dataclass(frozen=True)
class NumberAxis:
    """An axis of numbers.

    Attributes:
        low, high: its ends; what lies beyond is drawn at the edge.
        log: whether equal ratios are equally wide.
        is_whole: whether labels are whole numbers.
    """

    low: float
    high: float
    log: bool = False
    is_whole: bool = False

    def along(self, value: Any, spread: float = 0.5) -> float:
        """Return the place of a number.

        Args:
            value: the number.
            spread: says nothing here.
        """
        low, high = self._scaled(self.low), self._scaled(self.high)
        if low == high:
            return 0.5
        share = (self._scaled(min(max(value, self.low), self.high)) - low) / (high - low)
        return _MARGIN + (1 - 2 * _MARGIN) * share

    @cached_property
    def ticks(self) -> list[Tick]:
        """Its labels: round numbers between the ends."""
        numbers = self._powers() if self.log else self._steps()
        return [Tick(self.along(one), f"{one:g}", f"{one:g}") for one in numbers]

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.log else float(value)

    def _steps(self) -> list[float]:
        reach = self.high - self.low
        if not reach:
            return [self.low]
        power = 10.0 ** math.floor(math.log10(reach / _MOST_TICKS))
        step = next(one * power for one in _STEPS if reach / (one * power) <= _MOST_TICKS)
        step = max(step, 1.0) if self.is_whole else step
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [float(f"{number * step:.12g}") for number in range(first, last + 1)]

    def _powers(self) -> list[float]:
        low, high = self._scaled(self.low), self._scaled(self.high)
        factors = (1, 2, 5) if high - low < _FEW_DECADES else (1,)
        every = max(math.ceil((high - low) / _MOST_TICKS), 1)
        powers = range(math.floor(low) // every * every, math.ceil(high) + 1, every)
        numbers = [factor * 10.0**power for power in powers for factor in factors]
        inside = [one for one in numbers if self.low * (1 - 1e-9) <= one <= self.high * (1 + 1e-9)]
        return inside or [self.low, self.high]


@dataclass(frozen=True)
class ListAxis:
    """An axis of listed values, in their order.

    Attributes:
        key: that has the values.
    """

    key: SearchedKey

    def along(self, value: Any, spread: float = 0.5) -> float:
        """Return the place of a value.

        Args:
            value: one of the listed.
            spread: where in the value's room, from 0 to 1, so that candidates do not hide each other.
        """
        return self._at(self.key.place(value) + _BAND * (spread - 0.5))

    @cached_property
    def ticks(self) -> list[Tick]:
        """Its labels; of many values only some have one."""
        texts = [shown(value) for value in self.key.values]
        every = math.ceil(len(texts) / _MOST_LISTED)
        labelled = [(place, text) for place, text in enumerate(texts) if place % every == 0]
        return [Tick(self._at(place), cut(text), text) for place, text in labelled]

    def _at(self, place: float) -> float:
        return (place + 0.5) / len(self.key.values)


Axis = NumberAxis | ListAxis


def axis_of(key: SearchedKey) -> Axis:
    """Return the axis of a searched key."""
    return ListAxis(key) if key.values else NumberAxis(key.low, key.high, key.log, key.is_whole)


def value_axis(values: Sequence[float], *, larger_is_better: bool) -> NumberAxis:
    """Return an axis on which the better values are told apart, however bad the worst ones are.

    Args:
        values: finite.
        larger_is_better: their direction.
    """
    if not values:
        return NumberAxis(0.0, 1.0)
    log = not larger_is_better and min(values) > 0 and max(values) > _WIDE * min(values)
    scaled = sorted((math.log10(one) if log else one for one in values), reverse=larger_is_better)
    best, worst = scaled[0], scaled[-1]
    if len(scaled) >= _ENOUGH:
        reach = _FAR * (scaled[9 * (len(scaled) - 1) // 10] - best)
        worst = max(worst, best + reach) if larger_is_better else min(worst, best + reach)
    low, high = sorted((best, worst))
    return NumberAxis(10**low, 10**high, log=True) if log else NumberAxis(low, high)


def ticks_of(axis: NumberAxis, numbers: Sequence[float]) -> list[Tick]:
    """Return labels at given numbers, as many as have room."""
    every = math.ceil(len(numbers) / (2 * _MOST_TICKS))
    return [Tick(axis.along(one), f"{one:,g}", f"{one:,g}") for one in numbers[::every]]


def shown(value: object) -> str:
    """A value of a candidate as text; numbers have four digits."""
    return printable(brief(float(f"{value:.4g}") if isinstance(value, float) else value))


def cut(text: str, longest: int = _LONGEST) -> str:
    """The text, cut where it is too long for a picture."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def spread_of(number: int) -> float:
    """Return a number from 0 to 1 for a candidate, which differs from those of its neighbours.

    Args:
        number: of the candidate.
    """
    return number * (math.sqrt(5) - 1) / 2 % 1
