"""Text columns that look like a mistake in the file."""

from __future__ import annotations

import numpy as np

from trainrun.data.columns.judging import judge
from trainrun.data.columns.notation import MISSING_WORDS, Notation
from trainrun.data.columns.vocabulary import is_number
from trainrun.data.table import Table, Text
from trainrun.errors import DataError
from trainrun.text import quoted

_MOST_CATEGORIES = 1000


def check_feature(table: Table, name: str) -> None:
    """Refuse a text column that is not listed as categorical and does not look categorical.

    Raises:
        DataError: it holds numbers, or too many categories.
    """
    column = table[name]
    if not isinstance(column, Text):
        return
    way = "list the column in data.categorical"
    check_stray_text(table, name, way)
    where = f"{table.place}: column {quoted(name)}"
    if len(column.values) > _MOST_CATEGORIES:
        raise DataError(
            f"{where}: is text with {len(column.values)} different values; leave it out with data.drop, "
            f"or {way} to take it as it is"
        )


def unreadable(column: Text, notation: Notation | None) -> np.ndarray:
    """Return which cells are neither missing nor written like the training numbers, bool [N].

    Args:
        column: the column as text.
        notation: how training has read it; None for plain numbers.
    """
    if notation is not None:
        known = [notation.number(value) is not None for value in column.values]
    else:
        known = [is_number(value) or value.lower() in MISSING_WORDS for value in column.values]
    return ~np.array([*known, True])[column.codes]  # code -1, missing, meets the last


def check_stray_text(table: Table, name: str, way: str) -> None:
    """Refuse a text column that holds numbers or dates but for some cells that hinder reading them.

    Args:
        table: the whole training file.
        name: the column.
        way: what a user does who means the text.

    Raises:
        DataError: the column cannot be read as numbers, and is no safe text either.
    """
    column = table[name]
    if not isinstance(column, Text):
        return
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.values))
    found = judge(column.values, counts, decimal=table.decimal)
    if found.problem:
        rows = np.flatnonzero(np.isin(column.codes, found.at))
        at_an_end = len(rows) == 1 and rows[0] in (0, table.rows - 1)  # units, or a row of totals
        remove = ". If the row is no part of the table, remove it" if at_an_end else ""
        raise table.fault(name, rows, found.problem, f"{found.advice}, or {way}{remove}")
    if found.notation is not None:  # the file says that it is text, else it would have been read
        present = (value for value in column.values if value.lower() not in MISSING_WORDS)
        shown = quoted(found.example or next(present, ""))
        what = "dates" if found.notation.is_date else "numbers"
        raise DataError(
            f"{table.place}: column {quoted(name)}: holds {what} as text, such as {shown}; "
            "save them as numbers, "
            f"or {way}"
        )
