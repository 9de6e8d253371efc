"""Text columns: one input of 0 and 1 for each category that training has seen, or one input of codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trainrun.data.columns.vocabulary import Vocabulary, as_text, texts, used_values
from trainrun.data.table import Rows, Table, missing

AUTO_WIDTH = 8  # of vectors by `auto`: Holzmueller et al. 2024, arXiv:2407.04491, appendix A


@dataclass(frozen=True)
class Category:
    """One text column, ready to encode new rows.

    Attributes:
        name: the column.
        vocabulary: its categories; one that is not among them becomes all zeros.
        shares_rare: whether rare and unseen categories have a column that they share; it is the last one.
        gap: where missing cells go: the index of a category, one past the last for a category of their own,
            None for all zeros.
        is_coded: whether the net learns a vector for each category. The column is then one input, with a
            whole number: 0 for unknown, and from 1 for each category.
    """

    name: str
    vocabulary: Vocabulary
    gap: int | None
    shares_rare: bool = False
    is_coded: bool = False

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
    def categories(self) -> tuple[str, ...]:
        """Its categories: those of the vocabulary, then missing and rare where these have their own."""
        own = ("(missing)",) if self.gap == len(self.vocabulary.words) else ()
        shared = ("(rare)",) if self.shares_rare else ()
        return (*self.vocabulary.words, *own, *shared)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of its inputs."""
        if self.is_coded:
            return (self.name,)
        return tuple(f"{self.name}={word}" for word in self.categories)

    def embedded(self, rule: str | int) -> Category:
        """Return the column as a config wants it.

        Args:
            rule: of `embeddings.categories`. With `auto` a column of few categories keeps its inputs of 0
                and 1, as a vector would not be shorter.
        """
        is_coded = rule != "none" and (rule != "auto" or len(self.categories) > AUTO_WIDTH)
        return replace(self, is_coded=is_coded)

    def transform(self, table: Table, rows: Rows, out: np.ndarray) -> None:
        """Write the inputs for each of `rows` into `out`, float32 [n, len(feature_names)]."""
        codes = self.vocabulary.encode(table[self.name])[rows]
        gaps = missing(table[self.name], rows)
        if self.shares_rare:
            codes[(codes < 0) & ~gaps] = len(self.categories) - 1
        if self.gap is not None:
            codes[gaps] = self.gap
        if self.is_coded:
            out[:, 0] = np.maximum(codes, -1) + 1
            return
        out[...] = 0
        known = np.flatnonzero(codes >= 0)
        out[known, codes[known]] = 1

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        shared = {"rare": True} if self.shares_rare else {}
        coded = {"coded": True} if self.is_coded else {}
        return {"name": self.name, **self.vocabulary.to_json(), "gap": self.gap, **shared, **coded}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Category:
        """Read the output of `to_json`."""
        (name,) = texts([saved["name"]])
        vocabulary, gap = Vocabulary.from_json(saved), saved["gap"]
        if gap is not None and gap not in range(len(vocabulary.words) + 1):
            raise ValueError("no category stands for a gap")
        return cls(
            name,
            vocabulary,
            None if gap is None else int(gap),
            shares_rare=saved.get("rare") is True,
            is_coded=saved.get("coded") is True,
        )
