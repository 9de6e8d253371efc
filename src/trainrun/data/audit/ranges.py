"""Rows far outside of the training range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainrun.data.files import quoted
from trainrun.data.preprocessing import Preprocessing
from trainrun.data.table import Rows, Table
from trainrun.notes import Note


def describe_outside(where: str, table: Table, rows: Rows, preprocessing: Preprocessing) -> Iterator[Note]:
    """Describe rows that lie far outside of the training range of a number column.

    Args:
        where: how the rows are named.
        table: where they are.
        rows: those that are used.
        preprocessing: what was fitted on the training rows; it says nothing in runs of older releases.
    """
    numbers = preprocessing.numbers
    ranges = numbers.ranges
    for name, odd in numbers.far_outside(table, rows).items():
        assert ranges is not None  # else nothing lies outside
        j, cells = numbers.names.index(name), np.asarray(table[name])[odd]
        lie = "lies" if len(odd) == 1 else "lie"
        found = _span(cells.min(), cells.max())
        text = (
            f"{where}: {len(odd)} of {len(rows)} rows {lie} far outside the training range of {quoted(name)} "
            f"({found}; training {_span(ranges.least[j], ranges.greatest[j])}); "
        )
        text += (
            "check these cells" if table.training else "check these cells, for predictions there are guesses"
        )
        if table.training and numbers.scaler.quantiles is None:
            text += ", or say data.scale: quantile"
        yield Note("outside", text, preprocessing.file_column(name), len(odd))


def _span(least: float, greatest: float) -> str:
    one, other = f"{float(least):.5g}", f"{float(greatest):.5g}"
    return one if one == other else f"{one} to {other}"
