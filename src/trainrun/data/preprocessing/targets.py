"""The target: what a run predicts, as class indices or as a standardised number."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from trainrun.data.columns.mistakes import check_stray_text, unreadable
from trainrun.data.columns.vocabulary import (
    EXACT,
    Vocabulary,
    as_text,
    canonical_labels,
    is_number,
    texts,
    used_values,
)
from trainrun.data.table import Column, Rows, Table, Text, missing
from trainrun.errors import DataError
from trainrun.text import listed, nearest, quoted

Task = Literal["classification", "regression"]

_MOST_INTEGERS = 20  # up to this number of distinct whole numbers are taken for classes
_MOST_CLASSES = 1000
_MOST_SHARE = 0.5  # of the rows: a text target with more classes than that is a name or an amount
_FEWEST_ROWS = 20  # a smaller table may well have a class for each row


@dataclass(frozen=True)
class Target:
    """The target's column and how it is encoded.

    Attributes:
        name: its column.
        task: what it is.
        labels: the classes; None for regression.
        center: subtracted from a number.
        scale: what the difference is divided by.
    """

    name: str
    task: Task
    labels: Vocabulary | None = None
    center: float = 0.0
    scale: float = 1.0

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes as text, in the order of their indices; none for regression."""
        return self.labels.words if self.labels else ()

    def in_own_units(self, numbers: np.ndarray) -> np.ndarray:
        """Standardised numbers as they were, float64."""
        values: np.ndarray = numbers.astype(np.float64) * self.scale + self.center
        return values

    @classmethod
    def of(cls, table: Table, name: str, task: str, rows: Rows) -> Target:
        """Decide what the target is, from all rows of the training file.

        Args:
            table: the training file.
            name: the target's column.
            task: `classification`, `regression` or `auto`.
            rows: the rows that are used.

        Raises:
            DataError: a cell is missing or infinite, or there are fewer than two classes or too many.
        """
        _check_cells(table, name, rows)
        if task == "auto":
            task = _guess(table, name, rows)
        if task == "regression":
            return cls(name, "regression")
        labels = Vocabulary.of_labels(_spelled(table, name), rows)
        if len(labels.words) < 2:
            raise DataError(
                f"{table.place}: target {quoted(name)}: has a single class, {listed(labels.words)}; "
                "two are needed"
            )
        return cls(name, "classification", labels)

    def respelled(self, table: Table, rows: Rows) -> Target:
        """Return the target with its labels as the first training rows with them spell them."""
        assert self.labels is not None
        return replace(self, labels=self.labels.spelled_as(_spelled(table, self.name), rows))

    def standardised(self, table: Table, rows: Rows) -> Target:
        """Return the target with mean and deviation of the training rows; a constant target keeps scale 1."""
        numbers = self._numbers(table, rows)
        with np.errstate(over="ignore", invalid="ignore"):
            center, scale = float(numbers.mean()), float(numbers.std())
        if not np.isfinite(scale):
            raise DataError(
                f"{table.place}: target {quoted(self.name)}: its numbers are too large; rescale them"
            )
        constant = numbers.min() == numbers.max() or scale == 0
        return replace(self, center=center, scale=1.0 if constant else scale)

    def encode(self, table: Table, rows: Rows) -> np.ndarray:
        """Class indices, int64 [n], or standardised numbers, float32 [n].

        Raises:
            DataError: a cell is missing, a label is not among the classes, or a cell is not a finite number.
        """
        if self.name not in table:
            raise DataError(
                f"{table.place}: has no column {quoted(self.name)}, the target"
                + (nearest(self.name, table.header) or f"; it has {listed(table.header)}")
            )
        if self.labels is not None:
            return self._classes(table, rows, self.labels)
        with np.errstate(over="ignore"):
            values: np.ndarray = ((self._numbers(table, rows) - self.center) / self.scale).astype(np.float32)
        if not np.isfinite(values).all():
            bad = rows[~np.isfinite(values)]
            raise table.fault(
                self.name, bad, "the number is too large", "rescale the target, or correct the cell"
            )
        return values

    def _classes(self, table: Table, rows: Rows, labels: Vocabulary) -> np.ndarray:
        _check_cells(table, self.name, rows)
        column: Column = table[self.name]
        if labels.kind == "text":
            column = table.spelled.get(self.name, column)
        if not isinstance(column, Text) and column.dtype.kind == "f":
            large = rows[(np.abs(column[rows]) >= EXACT) & np.isfinite(column[rows])]
            if len(large):
                raise table.fault(
                    self.name, large, "labels so large cannot be told apart", "put a letter before each"
                )
        codes: np.ndarray = labels.encode(column)[rows]
        if (codes < 0).any():
            bad = rows[codes < 0]
            text = as_text(column)
            label = quoted(text.values[text.codes[bad[0]]])
            known = f"training has {listed(labels.words)}"
            raise table.fault(self.name, bad, f"the label {label} does not occur in training", known)
        return codes

    def _numbers(self, table: Table, rows: Rows) -> np.ndarray:
        """The numbers as they are, float64 [n]."""
        _check_cells(table, self.name, rows)
        column = table[self.name]
        if isinstance(column, Text):
            stray = rows[unreadable(column, table.notations.get(self.name))[rows]]
            at = stray if len(stray) else rows  # all are numbers, but saved as text
            text = quoted(column.values[column.codes[at[0]]])
            advice = table.advice("correct it", "say data.task: classification")
            raise table.fault(self.name, at, f"{text} is text, not a number", advice)
        return np.asarray(column[rows], np.float64)

    def meaning(self) -> dict[str, Any]:
        """Return the treatment of a row's target as plain values; the spelling of labels does not count."""
        return {**self.to_json(), "labels": canonical_labels(self.classes), "labels_kind": None}

    def to_json(self) -> dict[str, Any]:
        """Return the target as plain values."""
        return {
            "target": self.name,
            "task": self.task,
            "labels": list(self.classes),
            "labels_kind": self.labels.kind if self.labels else None,
            "target_center": self.center,
            "target_scale": self.scale,
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Target:
        """Read the output of `to_json`."""
        (name,) = texts([saved["target"]])
        center, scale = float(saved["target_center"]), float(saved["target_scale"])
        if not np.isfinite([center, scale]).all():
            raise ValueError("a target scale that is not finite")
        if saved["task"] == "regression":
            return cls(name, "regression", None, center, scale)
        if saved["task"] != "classification":
            raise ValueError(f"task: {saved['task']}")
        labels = Vocabulary.from_json({"kind": saved["labels_kind"], "words": saved["labels"]})
        return cls(name, "classification", labels)


def _spelled(table: Table, name: str) -> Text:
    """The target as text: as the file spells it, where that is known."""
    return table.spelled[name] if name in table.spelled else as_text(table[name])


def _guess(table: Table, name: str, rows: Rows) -> Task:
    """Text, booleans and few distinct whole numbers are classes."""
    column = table[name]
    if isinstance(column, Text):
        if len(column.values) > _MOST_INTEGERS or any(map(is_number, column.values)):
            check_stray_text(table, name, "say data.task: classification")
        _check_classes(table, name, column, rows)
        return "classification"
    values = np.unique(column[rows])
    few = len(values) <= _MOST_INTEGERS and np.array_equal(values, np.floor(values))
    if few and name in table.notations and table.notations[name].affixes:
        return "regression"  # as 5 % or $5 are written, they are amounts
    return "classification" if column.dtype.kind == "b" or few else "regression"


def _check_classes(table: Table, name: str, column: Text, rows: Rows) -> None:
    """Refuse a text target with too many classes, or nearly a class for each row."""
    used = used_values(column, rows)
    if len(used) > _MOST_CLASSES or (len(rows) >= _FEWEST_ROWS and len(used) > _MOST_SHARE * len(rows)):
        raise DataError(
            f"{table.place}: target {quoted(name)}: is text with {len(used)} different values in {len(rows)} "
            f"rows, such as {quoted(used[0])}: a class needs several rows; name another column"
        )


def _check_cells(table: Table, name: str, rows: Rows) -> None:
    """Refuse cells that are missing or infinite."""
    column = table[name]
    gaps = missing(column, rows)
    if gaps.any():
        raise table.fault(name, rows[gaps], *_of_gaps(table, name))
    if not isinstance(column, Text) and np.isinf(column[rows]).any():
        bad = rows[np.isinf(column[rows])]
        advice = table.advice("correct the cell", "list its text in data.na")
        raise table.fault(name, bad, "the target is infinite", advice)


def _of_gaps(table: Table, name: str) -> tuple[str, str]:
    """Return the error for missing targets, with advice: a class may be called NA."""
    if not table.training:
        return "the target is missing", "leave these rows out of the file"
    if name in table.notations and (gaps := table.notations[name].gaps):
        what = f"the target is missing: {quoted(gaps[0])} is read as missing"
        return what, "fill it in, or say data.missing: drop to leave these rows out"
    words = {word: count for word, count in table.words.get(name, {}).items() if word}
    if not words:
        return "the target is missing", "fill it in, or say data.missing: drop to leave these rows out"
    word = max(words, key=lambda word: (words[word], word))
    kept = json.dumps([other for other in table.na if other not in words], ensure_ascii=False)
    what = f"the target is missing: {quoted(word)} is read as missing (data.na)"
    advice = f"if it is a class, say data.na: {{only: {kept}}}; else fill it in, or say data.missing: drop"
    return what, advice
