"""Text columns that look like a mistake in the file."""

from __future__ import annotations

import numpy as np

from trainrun.data.files import quoted
from trainrun.data.table import Table, Text
from trainrun.data.vocabulary import is_number
from trainrun.errors import DataError

_MOST_CATEGORIES = 1000
_MOSTLY = 0.9  # text with this share of numbers is a number column with mistakes in it


def check_feature(table: Table, name: str) -> None:
    """Refuse a text column that nobody has called categorical and that does not look so.

    Raises:
        DataError: it holds numbers, or too many categories.
    """
    column = table[name]
    if not isinstance(column, Text):
        return
    way = "list the column in data.categorical"
    check_stray_text(table, name, way)
    where = f"{table.place}: column {quoted(name)}"
    if column.values and all(map(is_number, column.values)):
        raise DataError(f"{where}: holds numbers as text; save them as numbers, or {way}")
    if len(column.values) > _MOST_CATEGORIES:
        raise DataError(
            f"{where}: is text with {len(column.values)} different values; leave it out with data.drop, "
            f"or {way} to take it as it is"
        )


def not_numbers(column: Text) -> np.ndarray:
    """Which cells are there and are not written as numbers, bool [N]."""
    odd = np.array([*(not is_number(value) for value in column.values), False])
    return np.asarray(odd[column.codes])  # code -1, missing, meets the last


def check_stray_text(table: Table, name: str, way: str) -> None:
    """Refuse a text column that holds numbers but for a few cells, or numbers with a decimal comma.

    Args:
        table: the whole training file.
        name: the column.
        way: what a user does who means it.
    """
    column = table[name]
    if not isinstance(column, Text):
        return
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.values))
    stray = np.flatnonzero(not_numbers(column))
    numbers = np.array([is_number(value) for value in column.values], bool)
    commas = np.array([is_number(value.replace(",", ".", 1)) for value in column.values], bool) & ~numbers
    if len(stray) and counts[numbers].sum() >= _MOSTLY * counts.sum():
        text = quoted(column.values[column.codes[stray[0]]])
        what = f"{text} is not a number, as most of its cells are"
        raise table.fault(name, stray, what, f"mend it, list it in data.na, or {way}")
    if len(stray) and counts[numbers | commas].sum() >= _MOSTLY * counts.sum():
        example = quoted(column.values[int(np.argmax(commas))])
        raise DataError(
            f"{table.place}: column {quoted(name)}: its numbers have a decimal comma, such as {example}; "
            f"write them with a point, or {way}"
        )
