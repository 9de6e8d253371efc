"""What the pictures of a search show, as places from 0 to 1: the page and the figure draw the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trainrun.report.search.axes import (
    NumberAxis,
    Tick,
    axis_of,
    shown,
    spread_of,
    ticks_of,
    value_axis,
)
from trainrun.report.search.groups import LOST, groups_of
from trainrun.searching.finished import Confirmed, FinishedSearch, Measured, SearchedKey
from trainrun.searching.records import Record
from trainrun.text import counted

_TOLD = 50  # of the best candidates, which say what they are where a pointer rests on them
_MARGIN = 0.05  # of the axis of the confirmation, at either end

Point = tuple[float, float]


class Mark(NamedTuple):
    """A finalist in a picture.

    Attributes:
        number: of the finalist, from 1.
        is_best: whether it is the best one.
        points: where it lies; several of a line.
        said: what it is, in words.
    """

    number: int
    is_best: bool
    points: Sequence[Point]
    said: str


class Cloud(NamedTuple):
    """Candidates of a group in a picture.

    Attributes:
        name: of the group.
        look: of the group.
        lines: the points of each candidate.
    """

    name: str
    look: str
    lines: Sequence[Sequence[Point]]


@dataclass(frozen=True)
class Chart:
    """Candidates over a horizontal and a vertical axis.

    Attributes:
        title: what it shows.
        x_label, y_label: what the axes are.
        x_ticks, y_ticks: their labels.
        clouds: the candidates, group by group.
        marks: the finalists.
        said: all of it in a sentence.
        spots: some of the best candidates, each with what it is in words.
    """

    title: str
    x_label: str
    y_label: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    clouds: Sequence[Cloud]
    marks: Sequence[Mark]
    said: str
    spots: Sequence[tuple[Point, str]] = ()


@dataclass(frozen=True)
class Parallel:
    """Candidates as lines across an axis for each key and one for the value.

    Attributes:
        names: of the axes; the value's is the last.
        ticks: of each axis.
        clouds: the candidates, group by group; candidates without a value are left out.
        marks: the finalists.
        said: all of it in a sentence.
    """

    names: Sequence[str]
    ticks: Sequence[Sequence[Tick]]
    clouds: Sequence[Cloud]
    marks: Sequence[Mark]
    said: str


class Reach(NamedTuple):
    """A mean on an axis, with the ends of its interval where it has one."""

    at: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Belief:
    """A config of the confirmation on an axis.

    Attributes:
        config: it.
        believed: where its value in the search lies.
        valid, test: where the means over fresh seeds lie.
    """

    config: Confirmed
    believed: float | None
    valid: Reach | None
    test: Reach | None


@dataclass(frozen=True)
class Beliefs:
    """All configs of the confirmation, the plain one first.

    Attributes:
        rows: one for each config.
        ticks: of the common axis.
    """

    rows: Sequence[Belief]
    ticks: Sequence[Tick]


def scatters(search: FinishedSearch) -> list[Chart]:
    """Return a chart for each searched key: the value against what the key was."""
    y = value_axis([_value(one) for one in search.ranking], larger_is_better=search.larger_is_better)
    return [_scatter(search, key, y) for key in search.keys]


def parallel(search: FinishedSearch) -> Parallel:
    """Return all candidates over all keys, the best values at the top."""
    y = value_axis([_value(one) for one in search.ranking], larger_is_better=search.larger_is_better)
    axes = [axis_of(key) for key in search.keys]
    turned = not search.larger_is_better

    def height(record: Record) -> float:
        place = y.along(_value(record))
        return 1 - place if turned else place

    def line(number: int, record: Record) -> list[Point]:
        spread = spread_of(number)
        across = [
            axis.along(record.settings[key.key], spread) for axis, key in zip(axes, search.keys, strict=True)
        ]
        return list(enumerate([*across, height(record)]))

    clouds = _clouds(search, line)
    ticks = [tick._replace(at=1 - tick.at if turned else tick.at) for tick in y.ticks]
    return Parallel(
        names=[*(key.key for key in search.keys), f"valid {search.metric}"],
        ticks=[*(axis.ticks for axis in axes), ticks],
        clouds=clouds,
        marks=_marks(search, line),
        said=f"{counted(len(search.ranking), 'candidate')} as lines over {len(axes)} keys and valid"
        f" {search.metric}, the best at the top. {_best_settings(search)}",
    )


def races(search: FinishedSearch) -> list[Chart]:
    """Return a chart for each bracket of halving: values at each judgement, over epochs."""
    curves = [_curve(one) for one in search.records]
    values = [value for curve in curves for _, value in curve]
    judged = sorted({epoch for one in search.records for epoch, _ in one.curve})
    longest = max((epoch for curve in curves for epoch, _ in curve), default=1)
    if not judged or not values:
        return []
    x = NumberAxis(judged[0], max(longest, judged[0]), log=judged[0] > 0)
    y = value_axis(values, larger_is_better=search.larger_is_better)
    brackets = sorted({one.bracket for one in search.records})
    return [_race(search, bracket, x, y, ticks_of(x, sorted({*judged, longest}))) for bracket in brackets]


def beliefs(search: FinishedSearch) -> Beliefs | None:
    """Return the confirmation by the metric of the search; None where no fresh seed has it."""
    configs = [*([search.plain] if search.plain else []), *search.finalists]
    parts = ("valid", "test") if search.part == "test" else ("valid",)
    found = [(one, {part: one.measured(part, search.metric) for part in parts}) for one in configs]
    ends = [one.believed for one in configs if one.believed is not None]
    for _, means in found:
        ends += [end for mean in means.values() if mean for end in (mean.mean, *(mean.interval or ()))]
    if not any(mean for _, means in found for mean in means.values()):
        return None
    margin = (max(ends) - min(ends)) * _MARGIN or 1.0
    axis = NumberAxis(min(ends) - margin, max(ends) + margin)
    rows = [
        Belief(
            one,
            None if one.believed is None else axis.along(one.believed),
            _reach(axis, means["valid"]),
            _reach(axis, means.get("test")),
        )
        for one, means in found
    ]
    return Beliefs(rows, axis.ticks)


def _scatter(search: FinishedSearch, key: SearchedKey, y: NumberAxis) -> Chart:
    x = axis_of(key)
    edge = 0.0 if search.larger_is_better else 1.0  # where the worst values lie

    def point(number: int, record: Record) -> list[Point]:
        across = x.along(record.settings[key.key], spread_of(number))
        return [(across, y.along(_value(record)) if record.is_ranked else edge)]

    clouds = _clouds(search, point, with_lost=True)
    count = counted(len(search.records), "candidate")
    said = f"valid {search.metric} of {count} against {key.key}. {_best_values(search, key)}"
    numbers = {id(one): number for number, one in enumerate(search.records)}
    spots = [
        (point(numbers[id(one)], one)[0], _of_spot(search, key, place, one))
        for place, one in enumerate(search.ranking[:_TOLD], 1)
    ]
    marks = _marks(search, point)
    return Chart(key.key, key.key, _y_label(search), x.ticks, y.ticks, clouds, marks, said, spots)


def _of_spot(search: FinishedSearch, key: SearchedKey, place: int, one: Record) -> str:
    at = f"{key.key} {shown(one.settings[key.key])}"
    trained = counted(one.epochs, "epoch")
    return f"number {place}: valid {search.metric} {shown(one.value)} at {at}, {trained}"


def _race(
    search: FinishedSearch, bracket: int, x: NumberAxis, y: NumberAxis, x_ticks: Sequence[Tick]
) -> Chart:
    members = {number for number, one in enumerate(search.records) if one.bracket == bracket}

    def line(number: int, record: Record) -> list[Point]:
        return [(x.along(epoch), y.along(value)) for epoch, value in _curve(record)]

    records = [search.records[number] for number in sorted(members)]
    first = min((one.curve[0][0] for one in records if one.curve), default=0)
    whole = sum(one.status == "complete" for one in records)
    title = f"bracket {bracket + 1}: {counted(len(records), 'candidate')}, {whole:,} trained to the end"
    judged = f"judged first after {counted(first, 'epoch')}" if first else "never judged"
    return Chart(
        title,
        "epochs",
        _y_label(search),
        x_ticks,
        y.ticks,
        _clouds(search, line, members),
        [one for one in _marks(search, line, members) if one.points],
        f"valid {search.metric} over epochs, {title}, {judged}",
    )


def _clouds(
    search: FinishedSearch,
    points: Callable[[int, Record], list[Point]],
    among: set[int] | None = None,
    *,
    with_lost: bool = False,
) -> list[Cloud]:
    """The candidates that are no finalists, group by group.

    Args:
        search: that has them.
        points: gives those of a candidate.
        among: the numbers of the candidates that are drawn; None for all.
        with_lost: whether candidates without a value are drawn.
    """
    marked = {one.id8 for one in search.finalists}
    found = [
        Cloud(
            group.name,
            group.look,
            [
                points(number, one)
                for number, one in group.members
                if one.id8 not in marked and (among is None or number in among)
            ],
        )
        for group in groups_of(search)
        if with_lost or group.look != LOST
    ]
    return [cloud for cloud in found if cloud.lines]


def _marks(
    search: FinishedSearch, points: Callable[[int, Record], list[Point]], among: set[int] | None = None
) -> list[Mark]:
    """The finalists."""
    numbers = {one.id8: number for number, one in reversed(list(enumerate(search.records)))}
    found = []
    for place, one in enumerate(search.finalists):
        number = numbers[one.id8]
        if among is None or number in among:
            record = search.records[number]
            is_best = place == search.best
            found.append(Mark(place + 1, is_best, points(number, record), _said(search, one, record)))
    return found


def _said(search: FinishedSearch, one: Confirmed, record: Record) -> str:
    settings = ", ".join(f"{key} {shown(value)}" for key, value in one.settings.items())
    return f"{one.label}: valid {search.metric} {shown(record.value)} in the search; {settings}"


def _best_settings(search: FinishedSearch) -> str:
    if search.best is None:
        return "Nothing was confirmed."
    best = search.finalists[search.best]
    return f"The best: {', '.join(f'{key} {shown(value)}' for key, value in best.settings.items())}."


def _best_values(search: FinishedSearch, key: SearchedKey) -> str:
    count = min(10, len(search.ranking))
    return f"Of the best {count}: {best_values(search, key, count)}." if count else "None has a value."


def best_values(search: FinishedSearch, key: SearchedKey, count: int) -> str:
    """Return what a key was among the best candidates: the most frequent values, or both ends.

    Args:
        search: that has them.
        key: of the search.
        count: how many of the best candidates.
    """
    values = [one.settings[key.key] for one in search.ranking[:count]]
    if not key.values:
        low, high = shown(min(values)), shown(max(values))
        return low if low == high else f"{low} to {high}"
    texts = [shown(value) for value in values]
    often = sorted(dict.fromkeys(texts), key=lambda text: -texts.count(text))
    return ", ".join(f"{text} ({texts.count(text)})" for text in often[:3])


def _y_label(search: FinishedSearch) -> str:
    return f"valid {search.metric} ({'larger' if search.larger_is_better else 'smaller'} is better)"


def _curve(record: Record) -> list[tuple[int, float]]:
    """The judgements that have a value, and the end of the training."""
    found = [(epoch, value) for epoch, value in record.curve if value is not None]
    if record.is_ranked and record.value is not None and (not found or found[-1][0] < record.epochs):
        found.append((record.epochs, record.value))
    return found


def _value(record: Record) -> float:
    assert record.value is not None, "only candidates with a value are drawn by it"
    return record.value


def _reach(axis: NumberAxis, found: Measured | None) -> Reach | None:
    if found is None:
        return None
    low, high = found.interval or (None, None)
    return Reach(
        axis.along(found.mean),
        None if low is None else axis.along(low),
        None if high is None else axis.along(high),
    )
