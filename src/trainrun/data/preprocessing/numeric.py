"""Number columns: what fills their gaps and how they are scaled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainrun.data.columns.mistakes import unreadable
from trainrun.data.columns.notation import columns_of_parts
from trainrun.data.columns.vocabulary import texts
from trainrun.data.preprocessing.ranges import Ranges
from trainrun.data.preprocessing.scaling import Moments, Scaler
from trainrun.data.table import Rows, Table, Text
from trainrun.errors import DataError
from trainrun.text import quoted

_A_FEW = 101  # cells whose median is the common value, if nine of ten cells have it
_QUARTILE_ROWS = 100_000
_COLUMNS_AT_ONCE = 64  # while looking for medians: a matrix is never copied as a whole


@dataclass(frozen=True)
class Numbers:
    """The number columns of a table, ready to transform new rows.

    Attributes:
        names: F columns.
        fills: float64 [F], what stands for a missing cell.
        scaler: their scale.
        ranges: their least and greatest training values; None for runs of older releases.
    """

    names: tuple[str, ...]
    fills: np.ndarray
    scaler: Scaler
    ranges: Ranges | None = None

    @classmethod
    def fit(cls, table: Table, names: Sequence[str], rows: Rows, *, fill: str, scale: str) -> Numbers:
        """Fit fills and scale on training rows.

        Args:
            table: where the rows are.
            names: the number columns.
            rows: the training rows.
            fill: `median`, `mean` or `most_frequent`.
            scale: `standard`, `minmax`, `quantile`, `robust` or `none`.

        Raises:
            DataError: a column holds infinities, nothing at all, or numbers too large to compute with.
        """
        _check_finite(table, names)
        with np.errstate(over="ignore", invalid="ignore"):
            fills, common = _middles(table, names, rows, _FILLS[fill])
            moments = Moments.of(_filled(table, names, rows, fills), len(names))
            if scale == "robust":
                scaler = Scaler.fit_quartiles(_quartiles(table, names, rows, fills), moments)
            else:
                scaler = Scaler.fit(scale, moments, _filled(table, names, rows, fills))
            ranges = Ranges.of(moments, common)
        bad = ~(np.isfinite(fills) & np.isfinite(scaler.center) & np.isfinite(scaler.factor))
        if bad.any():
            name = quoted(names[int(np.argmax(bad))])
            raise DataError(
                f"{table.place}: column {name}: its numbers are too large to compute with; rescale them"
            )
        return cls(tuple(names), fills, scaler, ranges)

    @property
    def flags(self) -> frozenset[str]:
        """The columns whose training cells are all 0 or 1."""
        binary = np.zeros(len(self.names)) if self.ranges is None else self.ranges.binary
        return frozenset(name for name, is_flag in zip(self.names, binary, strict=True) if is_flag)

    def far_outside(self, table: Table, rows: Rows) -> dict[str, Rows]:
        """Return those of `rows` that lie far outside the training range, for each column that has any."""
        names = [name for name in self.names if not isinstance(table[name], Text)]
        if self.ranges is None or len(names) < len(self.names):  # text is refused when it is transformed
            return {}
        found: dict[str, list[Rows]] = {}
        for place, block in table.blocks(names, rows):
            outside = self.ranges.far_outside(block)
            for j in np.flatnonzero(outside.any(axis=0)):
                found.setdefault(names[j], []).append(rows[place][outside[:, j]])
        return {name: np.concatenate(found[name]) for name in names if name in found}

    def transform(self, table: Table, rows: Rows, out: np.ndarray) -> None:
        """Write the scaled numbers of `rows` into `out`, float32 [n, F].

        Raises:
            DataError: a cell is text, infinite, or too large for a 32-bit float once it is scaled.
        """
        for name in self.names:
            _check_numbers(table, name)
        start, finite = 0, True
        with np.errstate(over="ignore", invalid="ignore"):
            for block in _filled(table, self.names, rows, self.fills):
                target = out[start : start + len(block)]
                target[...] = self.scaler.apply(block)
                finite = finite and bool(np.isfinite(target).all())
                start += len(block)
        if not finite:
            raise self._too_large(table, rows, out)

    def _too_large(self, table: Table, rows: Rows, out: np.ndarray) -> DataError:
        bad = ~np.isfinite(out)
        column = int(np.argmax(bad.any(axis=0)))
        name = self.names[column]
        _check_finite(table, [name])
        advice = table.advice("rescale the column", "say data.scale: standard")
        return table.fault(name, rows[bad[:, column]], "the number is too large", advice)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain lists."""
        return {"names": list(self.names), "fills": self.fills.tolist(), "scale": self.scaler.to_json()}

    @classmethod
    def from_json(cls, saved: dict[str, Any], ranges: dict[str, Any] | None = None) -> Numbers:
        """Read the output of `to_json`, and the ranges if they are known."""
        names, scaler = texts(saved["names"]), Scaler.from_json(saved["scale"])
        fills = np.array(saved["fills"], float)
        if not (len(names),) == fills.shape == scaler.center.shape == scaler.factor.shape:
            raise ValueError("names, fills and scales differ in number")
        if not all(np.isfinite(values).all() for values in (fills, scaler.center, scaler.factor)):
            raise ValueError("fills or scales that are not finite")
        return cls(names, fills, scaler, None if ranges is None else Ranges.from_json(ranges, len(names)))


def _filled(table: Table, names: Sequence[str], rows: Rows, fills: np.ndarray) -> Iterator[np.ndarray]:
    """Blocks of rows as float64, their gaps filled."""
    for _, block in table.blocks(names, rows):
        numbers = block.astype(np.float64)
        if block.dtype.kind == "f":
            gaps = np.isnan(numbers)
            if gaps.any():
                numbers = np.where(gaps, fills, numbers)
        yield numbers


def _middles(
    table: Table, names: Sequence[str], rows: Rows, middle: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Each column's middle over the rows where it is present, and the share of its common value there."""
    fills, common = np.empty(len(names)), np.empty(len(names))
    for start in range(0, len(names), _COLUMNS_AT_ONCE):
        some = names[start : start + _COLUMNS_AT_ONCE]
        whole = np.ascontiguousarray(np.concatenate([block for _, block in table.blocks(some, rows)]).T)
        for j, (name, cells) in enumerate(zip(some, whole, strict=True)):
            present = cells[~np.isnan(cells)] if cells.dtype.kind == "f" else cells
            if not len(present):
                raise DataError(
                    f"{table.place}: column {quoted(name)}: has no value in any of the {len(rows)} training "
                    "rows; leave it out with data.drop"
                )
            fills[start + j] = middle(present)
            common[start + j] = np.mean(present == np.median(present[:_A_FEW]))
    return fills, common


def _quartiles(table: Table, names: Sequence[str], rows: Rows, fills: np.ndarray) -> np.ndarray:
    """Return the quartiles [3, F] of the columns; of many rows, those of evenly spaced ones."""
    some = rows[:: -(-len(rows) // _QUARTILE_ROWS)]
    found = np.empty((3, len(names)))
    for start in range(0, len(names), _COLUMNS_AT_ONCE):
        columns = slice(start, start + _COLUMNS_AT_ONCE)
        blocks = _filled(table, names[columns], some, fills[columns])
        whole = np.ascontiguousarray(np.concatenate(list(blocks)).T)
        found[:, columns] = np.percentile(whole, (25, 50, 75), axis=1, overwrite_input=True)
    return found


def _median(cells: np.ndarray) -> np.ndarray:
    if cells.dtype.itemsize > 1:
        return np.asarray(np.median(cells))
    ranked = np.sort(cells, kind="stable")  # a radix sort for bytes: faster than any selection
    return np.asarray((float(ranked[(len(ranked) - 1) // 2]) + float(ranked[len(ranked) // 2])) / 2)


def _most_frequent(cells: np.ndarray) -> np.ndarray:
    values, counts = np.unique(cells, return_counts=True)
    return np.asarray(values[np.argmax(counts)])  # the least of equally frequent ones


_FILLS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "median": _median,
    "mean": lambda cells: np.asarray(np.mean(cells, dtype=np.float64)),
    "most_frequent": _most_frequent,
}


def _check_numbers(table: Table, name: str) -> None:
    column = table[name]
    if isinstance(column, Text):
        raw = columns_of_parts(table.notations).get(name, name)
        notation = table.notations.get(raw)
        bad = np.flatnonzero(unreadable(column, notation))
        text = quoted(column.values[column.codes[bad[0]]])
        what = "a date, as training has it" if raw != name else "a number, as all are in training"
        raise table.fault(raw, bad, f"{text} is not {what}", "correct the cell, or leave it empty")


def _check_finite(table: Table, names: Sequence[str]) -> None:
    for _, block in table.blocks(names, table.every_row()):
        if block.dtype.kind == "f" and (infinite := np.isinf(block).any(axis=0)).any():
            name = names[int(np.argmax(infinite))]
            bad = np.flatnonzero(np.isinf(np.asarray(table[name])))
            raise table.fault(
                name,
                bad,
                "the number is infinite",
                table.advice("correct the cell", "list its text in data.na"),
            )
