"""Columns that alone reveal the target: a copy under another name, in other units, or as a code."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from trainrun.data.audit.advice import columns_named, drop
from trainrun.data.preprocessing.preprocessing import Preprocessing
from trainrun.data.table import Column, Rows, Table, Text
from trainrun.notes import Note
from trainrun.text import quoted

_FEWEST_ROWS = 20
_MOST_ROWS = 10_000  # of a longer table a sample is looked at
_ERRORS = 0.01  # of the rows: a mushroom's odour, which is no leak, is wrong in 1.5 %
_SHARE = 0.05  # of the errors that the best constant makes
_CHANCE = 1e-3  # the most probable accident that is still said to be a leak
_ROWS_PER_VALUE = 5  # with fewer, values name rows or pairs of rows: an id's, or those of doubled rows
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Leak:
    """A column that alone reveals the target.

    Attributes:
        column: its name in the file.
        told: number of rows whose target it reveals.
        rows: number of rows that were examined.
        present: whether these are only the rows in which the column has a value.
        sampled: the training rows of which they are a sample; None where all were looked at.
        order: whether it is a number in the same order as a target that is a number.
    """

    column: str
    told: int
    rows: int
    present: bool
    sampled: int | None
    order: bool


def find_leaks(table: Table, train: Rows, y: np.ndarray, preprocessing: Preprocessing) -> tuple[Leak, ...]:
    """Find the columns that alone reveal the target of nearly every training row.

    Args:
        table: where the rows are.
        train: the training rows.
        y: their class indices, int64 [n], or standardised numbers, float32 [n].
        preprocessing: what was fitted on them.

    Returns:
        At most one for each column; none where a table has a single feature, of which a target may well be
        a function.
    """
    if len(preprocessing.features) < 2 or len(train) < _FEWEST_ROWS:
        return ()
    some = _sample(len(train))
    sampled = len(train) if len(some) < len(train) else None
    rows, y = train[some], y[some]
    names = preprocessing.read_features
    found: dict[str, Leak] = {}
    for name in names:
        column = preprocessing.file_column(name)
        if column not in found and (score := _judge(table[name], rows, y, len(names))):
            found[column] = Leak(column, score.told, score.rows, score.rows < len(rows), sampled, score.order)
    return tuple(found.values())


def _sample(count: int) -> np.ndarray:
    """Choose rows spread evenly over `count`, with no period that the rows could share.

    Source: Weyl 1916; multiples of an irrational number are equidistributed.
    """
    if count <= _MOST_ROWS:
        return np.arange(count)
    return np.flatnonzero(np.arange(count) * _GOLDEN % 1 < _MOST_ROWS / count)


@dataclass(frozen=True)
class _Score:
    """Number of rows for which a column reveals the target.

    Attributes:
        told: number of rows whose target the column reveals.
        rows: number of rows that were examined.
        base: errors that are made without the column.
        chance: the natural logarithm of the probability that so much agrees by accident.
        order: as in `Leak`.
    """

    told: int
    rows: int
    base: float
    chance: float
    order: bool = False

    def is_leak(self, columns: int) -> bool:
        """Return whether this number of errors is too small to be usual or an accident, given the columns."""
        errors = self.rows - self.told
        few = errors <= _ERRORS * self.rows and errors <= _SHARE * self.base
        return few and math.log(columns) + self.chance <= math.log(_CHANCE)


def _of_labels(counts: np.ndarray) -> float:
    """The logarithm of the probability that labels shared out at random over the rows are as they are.

    Args:
        counts: rows of each class; which class is called what does not matter.
    """
    present = counts[counts > 0].tolist()
    orders = math.lgamma(len(present) + 1)
    return min(0.0, orders + sum(math.lgamma(c + 1) for c in present) - math.lgamma(sum(present) + 1))


def _of_places(width: np.ndarray) -> float:
    """Return the log probability that rows in random order all land among this number of positions each."""
    return float(np.sum(np.log(np.minimum(1.0, width / len(width)))))


def _judge(column: Column, rows: Rows, y: np.ndarray, columns: int) -> _Score | None:
    """Return the best score of a column that reveals the target, in all rows or in those with a value.

    None if the column does not reveal the target.
    """
    cells = column.codes[rows] if isinstance(column, Text) else np.asarray(column[rows])
    if not isinstance(column, Text) and cells.dtype.kind == "f":
        gaps = np.isnan(cells)
    else:
        gaps = cells < 0 if isinstance(column, Text) else np.zeros(len(rows), bool)
    score = _classes if y.dtype.kind == "i" else _numbers
    ordered = not isinstance(column, Text)
    scores = score(cells, y, ordered)
    if gaps.any():
        present = ~gaps
        scores = [*scores, *score(gaps.astype(np.int8), y, False)]
        if present.sum() >= max(_FEWEST_ROWS, len(rows) / 2):
            scores += score(cells[present], y[present], ordered)
    leaks = [found for found in scores if found.is_leak(columns)]
    return max(leaks, key=lambda found: (found.told, found.rows), default=None)


def _classes(cells: np.ndarray, y: np.ndarray, ordered: bool) -> list[_Score]:
    """Score a column against classes: value by value and, for numbers, in their order."""
    n = len(y)
    group = _groups(cells)
    label, most, second = _commonest(group, y)
    counts = np.bincount(y)
    base = n - int(counts.max())
    scores = []
    if len(label) * _ROWS_PER_VALUE <= n:
        # Each row is judged by the others of its value: a value of a single row shows nothing.
        scores.append(_Score(int(most[most - 1 > second].sum()), n, base, _of_labels(counts)))
    if ordered:
        # A wrong row among right ones makes two changes of class, where C classes need C - 1.
        changes = int(np.sum(label[1:] != label[:-1])) - (np.count_nonzero(counts) - 1)
        told = int(most.sum()) - max(0, math.ceil(changes / 2))
        scores.append(_Score(told, n, base, _of_labels(counts)))
    return scores


def _groups(cells: np.ndarray) -> np.ndarray:
    """Return the place of each cell's value among the distinct ones, int64 [n]; NaN is a value, the last."""
    return np.unique(cells, return_inverse=True)[1]


def _commonest(group: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each group's most frequent class, how frequent it is, and the next one."""
    classes = int(y.max()) + 1
    pairs, counts = np.unique(group * classes + y, return_counts=True)
    of, label = np.divmod(pairs, classes)
    ranked = np.lexsort((counts, of))  # in each group the most frequent is the last
    of, label, counts = of[ranked], label[ranked], counts[ranked]
    last = np.flatnonzero(np.append(of[1:] != of[:-1], True))
    second = np.where((last > 0) & (of[last - 1] == of[last]), counts[last - 1], 0)
    return label[last], counts[last], second


def _numbers(cells: np.ndarray, y: np.ndarray, ordered: bool) -> list[_Score]:
    """Score a column against numbers: value by value and, for numbers, by their order.

    Numbers are compared by their places in the order of the rows, so that units do not matter, and a few
    wrong rows shift the others by no more than their count.
    """
    n = len(y)
    slack = _ERRORS * n
    low, high = _places(y)
    scores = []
    group = _groups(cells)
    sizes = np.bincount(group)
    if len(sizes) * _ROWS_PER_VALUE <= n:
        middle = _medians((low + high) / 2, group, sizes)[group]
        told = (middle >= low - slack) & (middle <= high + slack) & (sizes[group] > 1)
        usual = (n / 2 >= low - slack) & (n / 2 <= high + slack)
        free = 1 - len(sizes) / n  # a row of each value may lie anywhere: it makes the median
        chance = free * _of_places(high - low + 1 + 2 * slack)
        scores.append(_Score(int(told.sum()), n, n - int(usual.sum()), chance))
    if ordered:
        first = np.cumsum(sizes)[group] - sizes[group]
        last = first + sizes[group] - 1
        base = n * _spread(sizes) * _spread(np.bincount(low))
        for least, greatest in ((first, last), (n - 1 - last, n - 1 - first)):
            told = (least <= high + slack) & (low <= greatest + slack)
            width = greatest - least + high - low + 1 + 2 * slack
            scores.append(_Score(int(told.sum()), n, base, _of_places(width), order=True))
    return scores


def _places(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last place that each row can have when rows are sorted."""
    ranked = np.sort(y)
    return np.searchsorted(ranked, y, "left"), np.searchsorted(ranked, y, "right") - 1


def _medians(values: np.ndarray, group: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Each group's median."""
    ranked = values[np.lexsort((values, group))]
    start = np.cumsum(sizes) - sizes
    return np.asarray((ranked[start + (sizes - 1) // 2] + ranked[start + sizes // 2]) / 2)


def _spread(sizes: np.ndarray) -> float:
    """The probability that two rows have different values."""
    return 1 - float(np.sum((sizes / sizes.sum()) ** 2))


def describe_leaks(
    leaks: Sequence[Leak], target: str, numbered: Collection[str], *, copied: bool
) -> Iterator[Note]:
    """Describe columns that reveal the target.

    Args:
        leaks: what was found.
        target: its name.
        numbered: those columns that look like row numbers.
        copied: whether many training rows are copies of others, so that only different rows were looked at.
    """
    kind = "training rows, copies counted once" if copied else "training rows"
    said = {leak.column: _sentence(leak, target, kind, leak.column in numbered) for leak in leaks}
    counts = {leak.column: leak.told for leak in leaks}
    many = f"each alone tells the target {quoted(target)}; are they the target under other names?"
    yield from columns_named("leak", said, counts, many)


def _sentence(leak: Leak, target: str, kind: str, numbered: bool) -> str:
    rows = f"{leak.told} of {leak.rows} {kind}"
    if leak.present:
        rows += " that have a value"
    if leak.sampled:
        rows += f" (a sample of {leak.sampled})"
    name, said, dropped = quoted(leak.column), quoted(target), drop([leak.column])
    if numbered:
        told = f"looks like a row number, and alone tells the target {said} in {rows}"
        return f"column {name} {told}; is the file sorted by the target? If so: {dropped}"
    told = f"sorts the rows as the target {said} does," if leak.order else f"alone tells the target {said}"
    return f"column {name} {told} in {rows}; is it the target under another name? If so: {dropped}"
