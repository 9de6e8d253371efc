"""Rows far outside of the training range."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from trainrun.data.columns.dates import example
from trainrun.data.preprocessing.preprocessing import Preprocessing
from trainrun.data.table import Rows, Table
from trainrun.notes import Note
from trainrun.text import listed, quoted

_MOST_NOTES = 5  # more columns than this share one note


def describe_outside(where: str, table: Table, rows: Rows, preprocessing: Preprocessing) -> Iterator[Note]:
    """Describe rows that lie far outside of the training range of a number column.

    Args:
        where: how the rows are named.
        table: where they are.
        rows: those that are used.
        preprocessing: what was fitted on the training rows; it says nothing in runs of older releases.
    """
    numbers = preprocessing.numbers
    found = numbers.far_outside(table, rows)
    if len(found) > _MOST_NOTES:
        count = len(np.unique(np.concatenate(list(found.values()))))
        text = f"{where}: {count} of {len(rows)} rows lie far outside the training range in {len(found)} "
        text += f"columns ({listed(found, 3)}); are they in other units?"
        yield Note("outside", text, None, count)
        return
    for name, odd in found.items():
        assert numbers.ranges is not None  # else nothing lies outside
        j, cells = numbers.names.index(name), np.asarray(table[name])[odd]
        lie = "lies" if len(odd) == 1 else "lie"
        column = preprocessing.file_column(name)
        show = _as_day if name == f"{column} (days)" else _as_number
        text = (
            f"{where}: {len(odd)} of {len(rows)} rows {lie} far outside the training range of "
            f"{quoted(column)} ({_span(cells.min(), cells.max(), show)}; training "
            f"{_span(numbers.ranges.least[j], numbers.ranges.greatest[j], show)}); check these cells"
        )
        if not table.training:
            text += ", for such predictions are guesses"
        elif numbers.scaler.quantiles is None:
            text += ", or say data.scale: quantile"
        yield Note("outside", text, column, len(odd))


def _span(least: float, greatest: float, show: Callable[[float], str]) -> str:
    one, other = show(float(least)), show(float(greatest))
    return one if one == other else f"{one} to {other}"


def _as_number(value: float) -> str:
    return f"{value:.5g}"


def _as_day(days: float) -> str:
    return example(days * 86400, "ymd")
