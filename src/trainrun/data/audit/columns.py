"""Columns that help no net: names of rows, and columns with a single value."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import numpy as np

from trainrun.data.audit.advice import columns_named, drop
from trainrun.data.columns.vocabulary import EXACT
from trainrun.data.preprocessing.preprocessing import Preprocessing
from trainrun.data.table import Column, MatrixColumns, Rows, Table, Text, missing
from trainrun.notes import Note
from trainrun.text import quoted

_FEWEST_ROWS = 20
_DIFFERENT = 0.95  # of the rows: beyond, a column names rows
_DENSE = 1.1  # the span of numbers that are given out in turn, over the rows
_YEARS = (1700, 2200)  # a row a year is no id
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
    "serial",
    "number",
    "num",
    "record",
    "rownum",
}
_JOINED = re.compile(  # userid, as a single word
    "(user|customer|client|patient|order|product|item|account|session|transaction|member|employee|student"
    "|person|record|row|case|sample|subject|house|ticket)(id|no|nr|num|number|key)"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")  # PassengerId: Passenger, Id


def describe_ids(
    table: Table, train: Rows, preprocessing: Preprocessing, leaking: Collection[str]
) -> tuple[tuple[Note, ...], frozenset[str]]:
    """Describe columns that name rows: text that differs in nearly every row, and numbers that count them.

    Args:
        table: the training file. Columns of an array have no names of their own, and are not looked at.
        train: its training rows.
        preprocessing: what was fitted on them.
        leaking: columns about which a note already says that they reveal the target.

    Returns:
        The notes, and the columns among `leaking` that count rows.
    """
    if isinstance(table.columns, MatrixColumns) or len(train) < _FEWEST_ROWS:
        return (), frozenset()
    names = [name for name in preprocessing.features if name in table]  # a date is known by its parts
    counts = {name: _distinct(name, table[name], train) for name in names}
    found = {
        name: _sentence(name, counts[name], len(train), isinstance(table[name], Text))
        for name in names
        if counts[name] >= _DIFFERENT * len(train)
    }
    said = {name: text for name, text in found.items() if name not in leaking}
    many = "differ in nearly every row, as ids do; ids tell nothing of new rows, so leave them out:"
    return tuple(columns_named("id", said, counts, many)), frozenset(found.keys() & set(leaking))


def _sentence(name: str, values: int, rows: int, is_text: bool) -> str:
    differs = f"differs in nearly every row ({values} values in {rows} training rows)"
    if is_text:
        says = f"is text that {differs}, so it tells nothing of new rows; leave it out"
    else:
        says = f"looks like an id: it {differs}; if it is one, leave it out"
    return f"column {quoted(name)} {says}: {drop([name])}"


def _distinct(name: str, column: Column, rows: Rows) -> int:
    """Return how many values a column has in `rows`; 0 for numbers that do not look like an id."""
    if isinstance(column, Text):
        codes = column.codes[rows]
        return int(np.count_nonzero(np.bincount(codes[codes >= 0], minlength=1)))
    cells = column[rows]
    if not _is_whole(cells) or not (is_named_id(name) or _numbers_rows(column)):
        return 0
    return len(np.unique(cells[cells == cells]))  # a missing cell equals nothing


def _is_whole(cells: np.ndarray) -> bool:
    """Return whether all cells are whole numbers or missing."""
    if cells.dtype.kind != "f":
        return cells.dtype.kind in "iu"
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.isnan(cells) | ((cells == np.floor(cells)) & (np.abs(cells) < EXACT))))


def _numbers_rows(column: np.ndarray) -> bool:
    """Return whether whole numbers count rows rather than measure: they have no large gaps.

    Args:
        column: of all rows of the file.
    """
    present = column[column == column]
    if not len(present):
        return False
    least, greatest = float(present.min()), float(present.max())
    if _YEARS[0] <= least and greatest <= _YEARS[1]:
        return False
    return greatest - least < _DENSE * len(present)


def is_named_id(name: str) -> bool:
    """Return whether a column's name is that of an identifier: `id`, `user_id`, `PassengerId`, `row`."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return False
    return (
        words[-1] in _NAMES or bool({"id", "uuid", "guid"} & set(words)) or bool(_JOINED.fullmatch(words[-1]))
    )


def describe_constants(
    table: Table, train: Rows, preprocessing: Preprocessing, leaking: Collection[str]
) -> Iterator[Note]:
    """Describe columns that have one value in all training rows.

    Args:
        table: the training file. The columns of an array are not looked at: images have dark corners.
        train: its training rows.
        preprocessing: what was fitted on them.
        leaking: columns whose gaps reveal the target, so that these columns are not useless.
    """
    numbers = preprocessing.numbers
    if isinstance(table.columns, MatrixColumns) or numbers.ranges is None or len(train) < 2:
        return
    same = dict(zip(numbers.names, numbers.ranges.constant.tolist(), strict=True))
    same |= {category.name: len(category.categories) == 1 for category in preprocessing.categories}
    varying = {preprocessing.file_column(name) for name, constant in same.items() if not constant}
    constant = [name for name in preprocessing.features if name not in varying and name not in leaking]
    said = {
        name: f"column {quoted(name)} has one value {_where(table, name, train)}, so it tells nothing; "
        f"leave it out: {drop([name])}"
        for name in constant
    }
    if preprocessing.target.labels is None and _is_constant(table[preprocessing.target.name], train):
        name = preprocessing.target.name
        said[name] = (
            f"target {quoted(name)} has one value in all {len(train)} training rows: nothing can be learnt"
        )
    many = f"have one value each in all {len(train)} training rows, so they tell nothing; leave them out:"
    yield from columns_named("constant", said, dict.fromkeys(said, len(train)), many)


def _is_constant(column: Column, rows: Rows) -> bool:
    """Return whether all cells of a number column are equal."""
    return not isinstance(column, Text) and bool(np.all(column[rows] == column[rows[0]]))


def _where(table: Table, name: str, train: Rows) -> str:
    """Return a phrase about the number of training rows in which a column has its one value."""
    gaps = int(missing(table[name], train).sum()) if name in table else 0
    return (
        f"in {len(train) - gaps} training rows and none in {gaps}"
        if gaps
        else f"in all {len(train)} training rows"
    )
