"""The distinct values of a column or a target, as text in a sensible order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from trainrun.data.table import Column, Rows, Text

Kind = Literal["text", "number", "boolean"]

_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE
)
EXACT = 2**53  # whole numbers below it are the same as float and as int


def texts(saved: Any) -> tuple[str, ...]:
    """A list of texts from a JSON file.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(saved, list) or not all(isinstance(text, str) for text in saved):
        raise TypeError("must be a list of texts")
    return tuple(saved)


def is_number(text: str) -> bool:
    """Whether `text` is written as a number: `1`, `-.5`, `1e3`, `nan`, `inf`."""
    return _NUMBER.fullmatch(text) is not None


def number_text(number: float | int | str) -> str:
    """One text for each number, however it was written: `1`, `1.0` and `1e0` are all `1`."""
    if isinstance(number, str) and re.fullmatch(r"[+-]?\d{1,300}", number, re.ASCII):
        return str(int(number))  # exact where a float is not
    if isinstance(number, (int, np.integer)):
        return str(int(number))
    value = float(number)
    return str(int(value)) if value.is_integer() and abs(value) < EXACT else repr(value)


def as_text(column: Column) -> Text:
    """A column of numbers as text; text stays as it is."""
    if isinstance(column, Text):
        return column
    present = ~np.isnan(column) if column.dtype.kind == "f" else np.ones(len(column), bool)
    values, inverse = np.unique(column[present], return_inverse=True)
    codes = np.full(len(column), -1, np.int32)
    codes[present] = inverse
    if column.dtype.kind == "b":
        return Text(codes, tuple("true" if value else "false" for value in values))
    return Text(codes, tuple(number_text(value.item()) for value in values))


def used_values(column: Text, rows: Rows) -> list[str]:
    """The distinct texts that occur in `rows`."""
    codes = np.unique(column.codes[rows])
    return [column.values[code] for code in codes if code >= 0]


@dataclass(frozen=True)
class Vocabulary:
    """Known values in their order: numbers by value, text by code point, false before true.

    Attributes:
        kind: `number` and `boolean` values are recognised however they are written.
        words: the values as text.
    """

    kind: Kind
    words: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Vocabulary:
        """The vocabulary of the texts that occur."""
        distinct = set(texts)
        kind: Kind = "text"
        if distinct and {text.lower() for text in distinct} <= {"false", "true"}:
            kind = "boolean"
        elif distinct and all(map(is_number, distinct)):
            kind = "number"
        words = {_canonical(kind, text) for text in distinct}
        if kind == "number":
            return cls(kind, tuple(sorted(words, key=lambda word: (float(word), word))))
        return cls(kind, tuple(sorted(words)))

    def encode(self, column: Column) -> np.ndarray:
        """Each row's index into `words`, int64 [N]; -1 where it is missing or unknown."""
        index = {word: i for i, word in enumerate(self.words)}
        text = as_text(column)
        found = [index.get(_canonical(self.kind, value), -1) for value in text.values]
        indices = np.array([*found, -1], np.int64)  # code -1, missing, meets the last
        return np.asarray(indices[text.codes])

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"kind": self.kind, "words": list(self.words)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Vocabulary:
        """What `to_json` gave."""
        if saved["kind"] not in get_args(Kind):
            raise ValueError(f"kind: {saved['kind']}")
        return cls(saved["kind"], texts(saved["words"]))


def _canonical(kind: Kind, text: str) -> str:
    if kind == "boolean":
        return text.lower()
    return number_text(text) if kind == "number" and is_number(text) else text
