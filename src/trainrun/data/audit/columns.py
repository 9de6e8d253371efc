"""Columns that help no net: names of rows, and columns with a single value."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import numpy as np

from trainrun.data.audit.advice import columns_named, drop
from trainrun.data.files import quoted
from trainrun.data.preprocessing import Preprocessing
from trainrun.data.table import MatrixColumns, Rows, Table, Text
from trainrun.data.vocabulary import EXACT
from trainrun.notes import Note

_FEWEST_ROWS = 20
_DIFFERENT = 0.95  # of the rows: beyond, a column names rows
_NAMES = {
    "id",
    "ids",
    "uid",
    "uuid",
    "guid",
    "key",
    "pk",
    "index",
    "idx",
    "nr",
    "no",
    "rowid",
    "row",
    "rownum",
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")  # PassengerId: Passenger, Id


def describe_ids(
    table: Table, train: Rows, preprocessing: Preprocessing, leaking: Collection[str]
) -> tuple[tuple[Note, ...], frozenset[str]]:
    """Describe columns that name rows: text that differs in nearly every row, and numbers that count them.

    Args:
        table: the training file. Columns of an array have no names of their own, and are not looked at.
        train: its training rows.
        preprocessing: what was fitted on them.
        leaking: columns about which a note says already that they tell the target.

    Returns:
        The notes, and the columns among `leaking` that count rows.
    """
    if isinstance(table.columns, MatrixColumns) or len(train) < _FEWEST_ROWS:
        return (), frozenset()
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    for name in preprocessing.features:
        if name not in table:
            continue  # a date, which is known by its parts
        column = table[name]
        if isinstance(column, Text):
            values, what = _different_texts(column, train), "is text that differs"
        else:
            values, what = _different_numbers(name, np.asarray(column), train), "looks like an id: it differs"
        if values:
            counts[name] = values
            found[name] = (
                f"column {quoted(name)} {what} in nearly every row ({values} values in {len(train)} training "
                f"rows), so it tells nothing of new rows; leave it out: {drop([name])}"
            )
    said = {name: text for name, text in found.items() if name not in leaking}
    many = "differ in nearly every row, so they tell nothing of new rows; leave them out:"
    return tuple(columns_named("id", said, counts, many)), frozenset(found.keys() & set(leaking))


def _different_texts(column: Text, rows: Rows) -> int:
    """Return how many texts occur, where nearly every row has its own; else 0."""
    codes = column.codes[rows]
    count = np.count_nonzero(np.bincount(codes[codes >= 0], minlength=1))
    return int(count) if count >= _DIFFERENT * len(rows) else 0


def _different_numbers(name: str, column: np.ndarray, rows: Rows) -> int:
    """Return how many whole numbers occur, where they count rows or are called an id; else 0."""
    cells = column[rows]
    if cells.dtype.kind not in "iuf" or not _is_whole(cells):
        return 0
    named = is_named_id(name)
    if not named and not _counts_rows(column):
        return 0
    count = len(np.unique(cells[cells == cells]))  # a missing cell equals nothing
    return count if count >= _DIFFERENT * len(rows) else 0


def _is_whole(cells: np.ndarray) -> bool:
    """Whether all cells are whole numbers, or missing."""
    if cells.dtype.kind != "f":
        return True
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.isnan(cells) | ((cells == np.floor(cells)) & (np.abs(cells) < EXACT))))


def _counts_rows(column: np.ndarray) -> bool:
    """Whether a column holds the numbers from 0 or 1 on, each once, for all rows of the file."""
    least, greatest = column.min(), column.max()  # NaN where a cell is missing
    if least not in (0, 1) or greatest - least != len(column) - 1:
        return False
    return bool(np.bincount(column.astype(np.int64)).max() == 1)


def is_named_id(name: str) -> bool:
    """Whether a column's name says that it names rows: `id`, `user_id`, `PassengerId`, `row`."""
    words = [word.lower() for word in _WORD.findall(name)]
    return bool(words) and (words[-1] in _NAMES or words[0] in {"id", "uuid", "guid"})


def describe_constants(table: Table, train: Rows, preprocessing: Preprocessing) -> Iterator[Note]:
    """Describe columns that have one value in all training rows.

    Args:
        table: the training file. The columns of an array are not looked at: images have dark corners.
        train: its training rows.
        preprocessing: what was fitted on them.
    """
    numbers = preprocessing.numbers
    if isinstance(table.columns, MatrixColumns) or numbers.ranges is None or len(train) < 2:
        return
    same = dict(zip(numbers.names, numbers.ranges.constant.tolist(), strict=True))
    same |= {category.name: len(category.feature_names) == 1 for category in preprocessing.categories}
    varying = {preprocessing.file_column(name) for name, constant in same.items() if not constant}
    constant = [name for name in preprocessing.features if name not in varying]
    said = {
        name: f"column {quoted(name)} has one value in all {len(train)} training rows, so it tells nothing; "
        f"leave it out: {drop([name])}"
        for name in constant
    }
    many = f"have one value each in all {len(train)} training rows, so they tell nothing; leave them out:"
    yield from columns_named("constant", said, dict.fromkeys(said, len(train)), many)
