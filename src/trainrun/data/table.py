"""A table as it was read: named columns of numbers or text, before any preprocessing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trainrun.errors import DataError
from trainrun.text import quoted

if TYPE_CHECKING:
    from trainrun.data.columns.notation import Notation

_BLOCK = 200_000  # numbers worked on at once: they stay in the processor's cache

Rows = np.ndarray  # int64 [n]: indices of rows


@dataclass(frozen=True)
class Text:
    """A column of text: each row's index into the distinct values.

    Attributes:
        codes: int32 [N], -1 where the cell is missing.
        values: the distinct texts.
        boolean: whether the source itself says that they are `true` and `false`.
    """

    codes: np.ndarray
    values: tuple[str, ...]
    boolean: bool = False


Column = Text | np.ndarray  # numbers: [N], any real dtype, NaN where the cell is missing


class MatrixColumns(Mapping[str, np.ndarray]):
    """The columns of a matrix [N, F] under their names, each a view."""

    def __init__(self, names: Sequence[str], matrix: np.ndarray) -> None:
        self.matrix = matrix
        self.index = {name: j for j, name in enumerate(names)}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.matrix[:, self.index[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.index)

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class Table:
    """Rows of a file (or of memory), column by column.

    Attributes:
        place: how messages about it begin: the config's key and the file.
        rows: N.
        header: every column's name in the file's order, also of those that were not read.
        headed: whether the names are the file's own (else they count from 0).
        columns: what was read.
        apart: columns that are not in `columns`, such as labels from a file of their own.
        first_line: the file's line of the first row, where each row is one line.
        decimal: what the config says about the separator of fractions.
        na: the words that mean a missing cell.
        training: whether a config names it, so that advice may name keys of the config.
        notations: how columns that are no plain numbers were read, by the file's names.
        guesses: what reading decided although it could mean something else, by the file's names.
        examples: a cell of each column in `notations`, as it is written.
        spelled: the target's cells as they are written, where they are numbers that may be labels.
        as_booleans: number columns whose cells are written as True and False.
        words: of the target, the words that were read as missing, and how often each occurs.
        kept: the cells of some columns as they are written.
        remarks: what reading decided about the file's lines that a user should know.
        cut_at: the delimiter that was found by looking.
    """

    place: str
    rows: int
    header: tuple[str, ...]
    headed: bool
    columns: Mapping[str, Column]
    apart: Mapping[str, Column]
    first_line: int | None = None
    decimal: str = "auto"
    na: tuple[str, ...] = ()
    training: bool = True
    notations: Mapping[str, Notation] = field(default_factory=dict)
    guesses: Mapping[str, str] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    spelled: Mapping[str, Text] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    as_booleans: tuple[str, ...] = ()
    kept: Mapping[str, Sequence[str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    cut_at: str = ""

    def __contains__(self, name: str) -> bool:
        return name in self.apart or name in self.columns

    def __getitem__(self, name: str) -> Column:
        return self.apart[name] if name in self.apart else self.columns[name]

    def every_row(self) -> Rows:
        """The indices of all rows."""
        return np.arange(self.rows)

    def blocks(self, names: Sequence[str], rows: Rows) -> Iterator[tuple[slice, np.ndarray]]:
        """Some number columns side by side, a block of rows at a time.

        Yields:
            The place in `rows`, and the numbers [B, len(names)] in the columns' own dtype.
        """
        if not names:
            return
        size = max(1, _BLOCK // len(names))
        matrix: np.ndarray | None = None
        index: slice | list[int] = slice(None)
        if isinstance(self.columns, MatrixColumns) and self.apart.keys().isdisjoint(names):
            matrix = self.columns.matrix
            if tuple(names) != tuple(self.columns):
                index = [self.columns.index[name] for name in names]
        columns = [np.asarray(self[name]) for name in names] if matrix is None else []
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            if matrix is not None:
                yield part, matrix[rows[part]][:, index]
            else:
                yield part, np.column_stack([column[rows[part]] for column in columns])

    def advice(self, always: str, of_config: str) -> str:
        """Return what the user can do; a key of the config is no way out for new rows."""
        return f"{always}, or {of_config}" if self.training else always

    def fault(self, name: str, rows: Rows, what: str, advice: str) -> DataError:
        """An error about some rows of a column.

        Args:
            name: the column.
            rows: the rows that are at fault, ascending, at least one.
            what: what is wrong with them.
            advice: what the user can do.
        """
        first = int(rows[0])
        line = f" (line {first + self.first_line})" if self.first_line is not None else ""
        count = f"{len(rows)} rows in all" if len(rows) > 1 else "1 row in all"
        return RowError(
            f"{self.place}: column {quoted(name)}: {what}, first in row {first + 1}{line}, {count}; {advice}",
            len(rows),
        )


class RowError(DataError):
    """Some rows cannot be used as they are.

    Args:
        sentence: what is said.
        count: how many rows.
    """

    def __init__(self, sentence: str, count: int) -> None:
        super().__init__(sentence)
        self.count = count


def missing(column: Column, rows: Rows) -> np.ndarray:
    """Return which cells of `rows` are missing, bool [n]."""
    if isinstance(column, Text):
        return np.asarray(column.codes[rows] < 0)
    if column.dtype.kind == "f":
        return np.asarray(np.isnan(column[rows]))
    return np.zeros(len(rows), bool)


def count_missing(table: Table, names: Sequence[str], rows: Rows) -> dict[str, int]:
    """Return the number of missing cells of `rows`, for each column that misses any."""
    texts = [name for name in names if isinstance(table[name], Text)]
    numbers = [name for name in names if not isinstance(table[name], Text)]
    counts = {name: int(missing(table[name], rows).sum()) for name in texts}
    gaps = np.zeros(len(numbers), int)
    for _, block in table.blocks(numbers, rows):
        if block.dtype.kind == "f":
            gaps += np.isnan(block).sum(axis=0)
    counts.update(zip(numbers, gaps.tolist(), strict=True))
    return {name: counts[name] for name in names if counts[name]}


def complete_rows(table: Table, names: Sequence[str], rows: Rows) -> Rows:
    """Return those of `rows` in which no column is missing."""
    whole = np.ones(len(rows), bool)
    for name in count_missing(table, names, rows):
        whole &= ~missing(table[name], rows)
    return rows[whole]
