"""Curves over the epochs: for each config the median of its runs, and the band from lowest to highest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from trainrun.comparing.standings import Standing
from trainrun.runs.reading import Run
from trainrun.text import printable

_NO_METRICS = {"epoch", "step", "learning_rate", "penalty", "improved", "best", "wait"}
_MOST_POINTS = 1500  # of a curve: more than a screen has pixels across


@dataclass(frozen=True)
class Curve:
    """One quantity of one config.

    Attributes:
        config: its label.
        place: of the config among those compared, from 0.
        part: `train` or `valid`; empty for what belongs to no part.
        epochs: from 1, as far as at least half of the runs came.
        middle: the median of the runs at these epochs; None where no run has a finite value.
        low, high: the lowest and the highest of the runs.
        best: of each run its best epoch and the value there, for what belongs to a part.
    """

    config: str
    place: int
    part: str
    epochs: Sequence[int]
    middle: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]
    best: Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Panel:
    """Curves that share their axes.

    Attributes:
        name: of the quantity: `loss`, a metric, `penalty` or `learning_rate`.
        curves: config by config, training before validation.
    """

    name: str
    curves: Sequence[Curve]


def panels(standings: Sequence[Standing]) -> list[Panel]:
    """Loss and metrics, then the penalty where there is one, then the learning rate.

    Raises:
        StorageError: a run's metrics.jsonl is damaged.
    """
    histories = [_histories(one) for one in standings]
    seen = dict.fromkeys(key for each in histories for _, rows in each for key in rows[0])
    names = dict.fromkeys(key.removeprefix("val_") for key in seen if key not in _NO_METRICS)
    columns = {name: {"train": name, "valid": f"val_{name}"} for name in names}
    columns |= {name: {"": name} for name in ("penalty", "learning_rate")}
    found = [Panel(printable(name), list(_curves(standings, histories, of))) for name, of in columns.items()]
    return [panel for panel in found if panel.curves and not _is_nothing(panel)]


def _histories(one: Standing) -> list[tuple[Run, list[dict[str, Any]]]]:
    """The runs that have finished an epoch, with their epochs."""
    return [(run, run.metrics) for run in one.runs.values() if run.metrics]


def _curves(
    standings: Sequence[Standing],
    histories: Sequence[Sequence[tuple[Run, list[dict[str, Any]]]]],
    columns: Mapping[str, str],
) -> Iterator[Curve]:
    for place, (one, runs) in enumerate(zip(standings, histories, strict=True)):
        for part, column in columns.items():
            having = [(run, _column(rows, column)) for run, rows in runs if column in rows[0]]
            if having:
                yield _curve(one.label, place, part, having)


def _curve(label: str, place: int, part: str, runs: Sequence[tuple[Run, list[float | None]]]) -> Curve:
    lengths = sorted((len(values) for _, values in runs), reverse=True)
    reached = lengths[(len(runs) - 1) // 2]  # beyond it a change would be that of the runs that are left
    stride = math.ceil(reached / _MOST_POINTS)
    epochs = range(1, reached + 1, stride)
    here = [[value for _, each in runs if (value := _at(each, epoch)) is not None] for epoch in epochs]
    bests = [(epoch, _at(each, epoch)) for run, each in runs if part and (epoch := _best(run))]
    return Curve(
        label,
        place,
        part,
        epochs,
        middle=[median(values) if values else None for values in here],
        low=[min(values, default=None) for values in here],
        high=[max(values, default=None) for values in here],
        best=[(epoch, value) for epoch, value in bests if value is not None],
    )


def _column(rows: Sequence[Mapping[str, Any]], column: str) -> list[float | None]:
    return [_finite(row.get(column)) for row in rows]


def _finite(value: Any) -> float | None:
    """A number that can be drawn; nothing in a run's directory is trusted."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _at(values: Sequence[float | None], epoch: int) -> float | None:
    return values[epoch - 1] if epoch <= len(values) else None


def _best(run: Run) -> int:
    return (run.result or {}).get("best_epoch") or 0


def _is_nothing(panel: Panel) -> bool:
    """Return whether all values are 0, as the penalty of a config without penalties."""
    return not any(value for curve in panel.curves for value in curve.middle)
