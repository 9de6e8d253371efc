"""Text columns: one column of 0 and 1 for each category that training has seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
        shares_rare: whether rare and unseen categories have a column that they share; it is the last one.
        gap: where missing cells go: the index of a category, one past the last for a category of their own,
            None for all zeros.
    """

    name: str
    vocabulary: Vocabulary
    gap: int | None
    shares_rare: bool = False

    @classmethod
    def fit(
        cls, table: Table, name: str, rows: Rows, *, most_frequent: bool, spelled: bool, rare: int = 0
    ) -> Category:
        """Find the categories among the training rows.

        Args:
            table: where the rows are.
            name: the column.
            rows: the training rows.
            most_frequent: whether missing cells join the most frequent category instead of their own.
            spelled: whether leading zeros make texts of numbers.
            rare: categories with fewer training rows share a column.
        """
        column = as_text(table[name])
        vocabulary = Vocabulary.of(used_values(column, rows), codes=spelled)
        all_words = vocabulary.words
        if rare > 1:
            codes = vocabulary.encode(column)[rows]
            counts = np.bincount(codes[codes >= 0], minlength=len(all_words))
            frequent = tuple(word for word, n in zip(all_words, counts, strict=True) if n >= rare)
            vocabulary = replace(vocabulary, words=frequent)
        words, shares_rare = len(vocabulary.words), len(vocabulary.words) < len(all_words)
        if most_frequent and words:
            codes = vocabulary.encode(column)[rows]
            gap: int | None = int(np.argmax(np.bincount(codes[codes >= 0], minlength=words)))
        else:
            gap = words if missing(column, rows).any() else None
        return cls(name, vocabulary, gap, shares_rare)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of its columns of 0 and 1."""
        own = ("(missing)",) if self.gap == len(self.vocabulary.words) else ()
        shared = ("(rare)",) if self.shares_rare else ()
        return tuple(f"{self.name}={word}" for word in (*self.vocabulary.words, *own, *shared))

    def transform(self, table: Table, rows: Rows, out: np.ndarray) -> None:
        """Write 0 and 1 for each of `rows` into `out`, float32 [n, len(feature_names)]."""
        codes = self.vocabulary.encode(table[self.name])[rows]
        gaps = missing(table[self.name], rows)
        if self.shares_rare:
            codes[(codes < 0) & ~gaps] = out.shape[1] - 1
        if self.gap is not None:
            codes[gaps] = self.gap
        out[...] = 0
        known = np.flatnonzero(codes >= 0)
        out[known, codes[known]] = 1

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        shared = {"rare": True} if self.shares_rare else {}
        return {"name": self.name, **self.vocabulary.to_json(), "gap": self.gap, **shared}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Category:
        """Read the output of `to_json`."""
        (name,) = texts([saved["name"]])
        vocabulary, gap = Vocabulary.from_json(saved), saved["gap"]
        if gap is not None and gap not in range(len(vocabulary.words) + 1):
            raise ValueError("no category stands for a gap")
        return cls(name, vocabulary, None if gap is None else int(gap), saved.get("rare") is True)
