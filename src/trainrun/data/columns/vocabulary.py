"""The distinct values of a column or a target, as text in a sensible order."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from trainrun.data.table import Column, Rows, Text

Kind = Literal["text", "number", "boolean"]

_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE
)
_CODE = re.compile(r"[+-]?0\d+|\d+E\d+", re.ASCII)  # 007, 12E4: digits that are no number
_PLAIN_LABEL = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:\.\d*)?", re.ASCII)
_BOOLEANS = {"1": "true", "1.0": "true", "0": "false", "0.0": "false"}  # as other programs write them
EXACT = 2**53  # whole numbers below it are the same as float and as int


def texts(saved: Any) -> tuple[str, ...]:
    """A list of texts from a JSON file.

    Raises:
        TypeError: it is not a list of texts.
    """
    if not isinstance(saved, list) or not all(isinstance(text, str) for text in saved):
        raise TypeError("must be a list of texts")
    return tuple(saved)


def is_number(text: str) -> bool:
    """Return whether `text` is written as a number: `1`, `-.5`, `1e3`, `nan`, `inf`."""
    return _NUMBER.fullmatch(text) is not None


def is_code(text: str) -> bool:
    """Return whether `text` is a code of digits that would change as a number: `007`, `12E4`."""
    return _CODE.fullmatch(text) is not None


def number_text(number: float | int | str) -> str:
    """Return one text for each number, however it was written: `1`, `1.0` and `1e0` are all `1`."""
    if isinstance(number, str) and re.fullmatch(r"[+-]?\d{1,300}", number, re.ASCII):
        return str(int(number))  # exact where a float is not
    if isinstance(number, (int, np.integer)):
        return str(int(number))
    value = float(number)
    return str(int(value)) if value.is_integer() and abs(value) < EXACT else repr(value)


def as_text(column: Column) -> Text:
    """Return a column of numbers as text; return text unchanged."""
    if isinstance(column, Text):
        return column
    present = ~np.isnan(column) if column.dtype.kind == "f" else np.ones(len(column), bool)
    values, inverse = np.unique(column[present], return_inverse=True)
    codes = np.full(len(column), -1, np.int32)
    codes[present] = inverse
    if column.dtype.kind == "b":
        return Text(codes, tuple("true" if value else "false" for value in values), boolean=True)
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
        words: the values as text; of labels, as the training rows spell them.
    """

    kind: Kind
    words: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str], *, codes: bool = False) -> Vocabulary:
        """The vocabulary of the texts that occur.

        Args:
            texts: the texts.
            codes: whether leading zeros make texts of numbers, as in a column that the config does not list.
        """
        distinct = set(texts)
        kind: Kind = "text"
        if distinct and {text.lower() for text in distinct} <= {"false", "true"}:
            kind = "boolean"
        elif distinct and all(map(is_number, distinct)) and not (codes and any(map(is_code, distinct))):
            kind = "number"
        return cls.sorted(kind, {_canonical(kind, text) for text in distinct})

    @classmethod
    def of_labels(cls, column: Text, rows: Rows) -> Vocabulary:
        """The vocabulary of a target: numbers where every label is a plain number, else texts."""
        distinct = used_values(column, rows)
        if column.boolean:
            return cls.sorted("boolean", set(distinct))
        if not all(map(is_plain_label, distinct)):
            return cls.sorted("text", set(distinct))
        return cls.sorted("number", {number_text(text) for text in distinct})

    @classmethod
    def sorted(cls, kind: Kind, words: Iterable[str]) -> Vocabulary:
        """The vocabulary of distinct words, in their order."""
        if kind == "number":
            return cls(kind, tuple(sorted(words, key=_by_value)))
        return cls(kind, tuple(sorted(words)))

    def encode(self, column: Column) -> np.ndarray:
        """Each row's index into `words`, int64 [N]; -1 where it is missing or unknown."""
        index = {_canonical(self.kind, word): i for i, word in enumerate(self.words)}
        text = as_text(column)
        if text.boolean and self.kind == "text":  # a typed source has no spelling: `True` and `true` are one
            lower = {word.lower(): i for word, i in index.items()}
            index = lower if len(lower) == len(index) else index
        found = [index.get(_canonical(self.kind, value), -1) for value in text.values]
        indices = np.array([*found, -1], np.int64)  # code -1, missing, meets the last
        return np.asarray(indices[text.codes])

    def spelled_as(self, column: Text, rows: Rows) -> Vocabulary:
        """The same with each word as the first of `rows` that has it spells it."""
        words = dict(enumerate(self.words))
        codes = column.codes[rows]
        _, first = np.unique(codes, return_index=True)
        canonical = {word: i for i, word in enumerate(self.words)}
        seen: set[int] = set()
        for at in sorted(first.tolist()):
            value = column.values[codes[at]] if codes[at] >= 0 else None
            i = None if value is None else canonical.get(_canonical(self.kind, value))
            if i is not None and value is not None and i not in seen:
                words[i] = value
                seen.add(i)
        return Vocabulary(self.kind, tuple(words[i] for i in range(len(self.words))))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {"kind": self.kind, "words": list(self.words)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Vocabulary:
        """Read the output of `to_json`."""
        if saved["kind"] not in get_args(Kind):
            raise ValueError(f"kind: {saved['kind']}")
        return cls(saved["kind"], texts(saved["words"]))


def canonical_labels(labels: Sequence[str]) -> list[str]:
    """Return labels in their order without their spelling: `1.0` as `1`, `True` as `true`."""
    plain = list(labels)
    if all(map(is_number, labels)):
        plain = [number_text(label) for label in labels]
    elif {label.lower() for label in labels} <= {"true", "false"}:
        plain = [label.lower() for label in labels]
    return plain if len(set(plain)) == len(plain) else list(labels)


def _by_value(word: str) -> tuple[bool, float, str]:
    """Order numbers by value; NaN compares with nothing, so it comes last by a rule of its own."""
    value = float(word)
    return (True, 0.0, word) if math.isnan(value) else (False, value, word)


def is_plain_label(text: str) -> bool:
    """Return whether a label is a plain number, which has several spellings: `1`, `1.0`, `+1`."""
    return _PLAIN_LABEL.fullmatch(text) is not None


def _canonical(kind: Kind, text: str) -> str:
    if kind == "boolean":
        return _BOOLEANS.get(text.lower(), text.lower())
    return number_text(text) if kind == "number" and is_number(text) else text
