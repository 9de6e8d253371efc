"""Text columns: one column of 0 and 1 for each category that training has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainrun.data.columns.vocabulary import Vocabulary, as_text, texts, used_values
from trainrun.data.table import Rows, Table, missing


@dataclass(frozen=True)
class Category:
    """One text column, ready to encode new rows.

    Attributes:
        name: the column.
        vocabulary: its categories; one that is not among them becomes all zeros.
        gap: where missing cells go: the index of a category, one past the last for a category of their own,
            None for all zeros.
    """

    name: str
    vocabulary: Vocabulary
    gap: int | None

    @classmethod
    def fit(cls, table: Table, name: str, rows: Rows, *, most_frequent: bool, spelled: bool) -> Category:
        """Find the categories among the training rows.

        Args:
            table: where the rows are.
            name: the column.
            rows: the training rows.
            most_frequent: whether missing cells join the most frequent category instead of their own.
            spelled: whether leading zeros make texts of numbers.
        """
        column = as_text(table[name])
        vocabulary = Vocabulary.of(used_values(column, rows), codes=spelled)
        words = len(vocabulary.words)
        if most_frequent and words:
            codes = vocabulary.encode(column)[rows]
            return cls(name, vocabulary, int(np.argmax(np.bincount(codes[codes >= 0], minlength=words))))
        return cls(name, vocabulary, words if missing(column, rows).any() else None)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of its columns of 0 and 1."""
        own = ("(missing)",) if self.gap == len(self.vocabulary.words) else ()
        return tuple(f"{self.name}={word}" for word in (*self.vocabulary.words, *own))

    def transform(self, table: Table, rows: Rows, out: np.ndarray) -> None:
        """Write 0 and 1 for each of `rows` into `out`, float32 [n, len(feature_names)]."""
        codes = self.vocabulary.encode(table[self.name])[rows]
        if self.gap is not None:
            codes[missing(table[self.name], rows)] = self.gap
        out[...] = 0
        known = np.flatnonzero(codes >= 0)
        out[known, codes[known]] = 1

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {"name": self.name, **self.vocabulary.to_json(), "gap": self.gap}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Category:
        """Read the output of `to_json`."""
        (name,) = texts([saved["name"]])
        vocabulary, gap = Vocabulary.from_json(saved), saved["gap"]
        if gap is not None and gap not in range(len(vocabulary.words) + 1):
            raise ValueError("no category stands for a gap")
        return cls(name, vocabulary, None if gap is None else int(gap))
