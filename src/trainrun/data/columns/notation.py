"""Numbers as people write them: thousands separators, decimal commas, currencies, percent signs, units."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainrun.data.columns.dates import ORDERS, moment, part_names, split
from trainrun.data.columns.vocabulary import is_number
from trainrun.data.table import Column, Text

#: Words that mean a missing cell in a column that otherwise holds numbers or dates, in lower case.
MISSING_WORDS = frozenset(
    {
        *(
            "null",
            "none",
            "nil",
            "nan",
            "na",
            "n/a",
            "n.a.",
            "n.a",
            "#n/a",
            "#na",
            "<na>",
            "nat",
            "n/k",
            "nd",
        ),
        *("missing", "unknown", "unk", "not available", "not applicable", "no data", "undefined", "void"),
        *(
            "-",
            "--",
            "---",
            "\u2013",
            "\u2014",
            ".",
            "..",
            "...",
            "*",
            "x.x",
            "-nan",
            "empty",
            "blank",
            "(null)",
        ),
        *("#value!", "#div/0!", "#ref!", "#num!", "#name?", "#null!", "\\n", "?", "??", "tbd", "t.b.d."),
    }
)
#: What True and False mean in a column of 0 and 1.
BOOLEANS = {"true": 1.0, "false": 0.0}
_MINUS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-") | {"\u2019": "'"})
_SIGNS = "$\u00a2\u00a3\u00a4\u00a5\u058f\u060b\u09f2\u09f3\u0e3f\u20a0-\u20c0"
_CURRENCIES = (
    "usd|eur|gbp|chf|jpy|cny|rmb|inr|krw|brl|rub|try|mxn|cad|aud|nzd|sek|nok|dkk|pln|czk|huf|zar|sgd|hkd|ils"
    r"|us\$|r\$|a\$|c\$|nz\$|hk\$|s\$|rs\.?|kr\.?|z\u0142|k\u010d|ft|lei|euro|dollars?"
)
_MONEY = rf"(?:[{_SIGNS}]|(?:{_CURRENCIES}))"
_UNIT = rf"(?:[^\W\d_]|[{_SIGNS}\u00b0\u00b5%\u2030\u00b2\u00b3/\u00b7^.\"'])"
_CELL = re.compile(
    rf"(?P<open>\()?(?P<sign>[+-])?\s?(?P<prefix>{_MONEY})?\s?(?P<sign2>[+-])?\s?"
    r"(?P<body>\d+(?:[.,' _]\d+)*[.,]?|[.,]\d+)(?P<exponent>[eE][+-]?\d+)?"
    rf"(?P<trailing>-)?(?:\s?(?P<suffix>{_UNIT}{{1,12}}[23]?(?: {_UNIT}{{1,12}})?))?(?P<close>\))?",
    re.IGNORECASE,
)
_GROUPS = re.compile(r"(?P<lead>[1-9]\d{0,2})(?:(?P<mark>[.,' _])\d{3})(?:(?P=mark)\d{3})*")
_LAKHS = re.compile(r"[1-9]\d?(?:,\d{2})+,\d{3}")  # as in India: 12,34,567
_ORDINAL = {"st", "nd", "rd", "th"}


@dataclass(frozen=True)
class Cell:
    """A text that is a number but for how it is written.

    Attributes:
        negative: whether it has a minus, or stands in parentheses as accountants write it.
        body: digits with their separators.
        exponent: as in `e5`, or empty.
        affix: the currency, unit or percent sign around it in lower case, or empty.
    """

    negative: bool
    body: str
    exponent: str
    affix: str

    def value(self, decimal: str) -> float | None:
        """Return the number, where `decimal` separates the fraction; None where it cannot be read so."""
        digits = plain_digits(self.body, decimal)
        if digits is None:
            return None
        number = float(digits + self.exponent)
        return -number if self.negative else number


def cell(text: str) -> Cell | None:
    """Return the parts of a number as people write it; None where `text` is no number."""
    normal = _normal(text).translate(_MINUS).strip()
    found = _CELL.fullmatch(normal)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    trailing = None if found["body"][-1] in ".," else found["trailing"]  # 13,- is a price without pence
    signs = [found["sign"], found["sign2"], trailing, "-" if found["open"] else None]
    if sum(sign is not None for sign in signs) > 1 or (found["prefix"] and found["suffix"]):
        return None
    affix = (found["prefix"] or found["suffix"] or "").lower()
    if affix in _ORDINAL or affix.strip(".\"'/^²³") == "" != affix:
        return None
    singular = affix[:-1] if len(affix) > 3 and affix.endswith("s") else affix
    made = Cell("-" in signs, found["body"], found["exponent"] or "", singular)
    return made if made.value(".") is not None or made.value(",") is not None else None


def _normal(text: str) -> str:
    """Return full-width and other forms of letters and digits as plain ones; superscripts stay."""
    if text.isascii():
        return text
    kept = ("<super>", "<sub>", "<fraction>", "<circle>")
    return "".join(
        c if unicodedata.decomposition(c).startswith(kept) else unicodedata.normalize("NFKC", c) for c in text
    )


def plain_digits(body: str, decimal: str) -> str | None:
    """Return digits and a point, without what separates thousands.

    Args:
        body: such as `1.234,5`.
        decimal: `.` or `,`.

    Returns:
        Such as `1234.5`; None where `body` cannot be read so.
    """
    whole, point, fraction = body.partition(decimal)
    if fraction and not fraction.isdigit():
        return None
    if whole and not whole.isdigit():
        groups = _GROUPS.fullmatch(whole)
        lakhs = decimal == "." and _LAKHS.fullmatch(whole)
        if not lakhs and (groups is None or groups["mark"] == decimal):
            return None
        whole = re.sub(r"\D", "", whole)
    if not (whole or fraction):
        return None
    return f"{whole or '0'}.{fraction}" if point and fraction else whole


@dataclass(frozen=True)
class Notation:
    """Rules to read the texts of a column that are not plain numbers.

    Attributes:
        decimal: what separates the fraction: `.` or `,`.
        affixes: currencies, units and percent signs that may stand around a number, in lower case.
        gaps: words that mean a missing cell, besides those of `data.na`.
        order: of a date: one of `dates.ORDERS`, or `typed` where the file says that it is one; else empty.
        parts: what a date becomes.
    """

    decimal: str = "."
    affixes: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    order: str = ""
    parts: tuple[str, ...] = ()

    @property
    def is_date(self) -> bool:
        """Return whether the column holds dates or times."""
        return bool(self.order)

    def number(self, text: str) -> float | None:
        """Return a cell as a number (a date as seconds); NaN for a gap, None where it cannot be read.

        Words that mean a missing cell are gaps, whether or not training had them.
        """
        if text in self.gaps or text.lower() in MISSING_WORDS:
            return float("nan")
        if self.is_date:
            orders = ("ymd",) if self.order == "typed" else (self.order,)
            return next((found for order in orders if (found := moment(text, order)) is not None), None)
        parsed = cell(text)
        if parsed is None and is_number(text):
            return float(text)  # infinity, which is refused with its place
        if parsed is None or (parsed.affix and parsed.affix not in self.affixes):
            return None
        return parsed.value(self.decimal)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "decimal": self.decimal,
            "affixes": list(self.affixes),
            "gaps": list(self.gaps),
            "order": self.order,
            "parts": list(self.parts),
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Notation:
        """Read the output of `to_json`."""
        lists = {key: tuple(map(str, saved[key])) for key in ("affixes", "gaps", "parts")}
        notation = cls(decimal=str(saved["decimal"]), order=str(saved["order"]), **lists)
        if notation.decimal not in (".", ",") or notation.order not in ("", "typed", *ORDERS):
            raise ValueError("an unknown way to write numbers")
        return notation


def columns_of_parts(notations: Mapping[str, Notation]) -> dict[str, str]:
    """Return the file's column of each part of a date, such as `when` of `when (month)`.

    Args:
        notations: how columns are read, by the file's names.
    """
    return {part: name for name, kept in notations.items() for part in part_names(name, kept.parts)}


def read_known(name: str, text: Text, notation: Notation, sentinels: tuple[float, ...]) -> dict[str, Column]:
    """Return one column of text as training has read it; as text where a cell cannot be read so."""
    numbers = read_notation(text, notation, sentinels)
    if numbers is None:
        return dict.fromkeys((name, *part_names(name, notation.parts)), text)
    return as_columns(name, numbers, notation)


def read_notation(text: Text, notation: Notation, sentinels: tuple[float, ...]) -> np.ndarray | None:
    """Return the numbers of a column (dates as seconds), float64 [N]; None if a cell is not a number.

    Args:
        text: the column.
        notation: how it is written.
        sentinels: the numbers that mean a missing cell, such as -999.
    """
    found = [notation.number(value) for value in text.values]
    if None in found:
        return None
    values = np.array([*found, np.nan], np.float64)  # code -1, missing, meets the last
    if sentinels and not notation.is_date:
        values[np.isin(values, sentinels)] = np.nan
    return np.asarray(values[text.codes])


def read_loosely(text: Text, *, flags: bool) -> np.ndarray | None:
    """Return a column of numbers in which words stand for missing cells, float64 [N]; None for other text.

    Args:
        text: the column, of rows that training has not seen.
        flags: whether training had 0 and 1 alone, which True and False then mean.
    """
    known = dict.fromkeys(MISSING_WORDS, float("nan")) | (BOOLEANS if flags else {})
    found = [float(v) if is_number(v) else known.get(v.lower()) for v in text.values]
    if None in found:
        return None
    values = np.array([*found, np.nan], np.float64)  # code -1, missing, meets the last
    return np.asarray(values[text.codes])


def as_columns(name: str, numbers: np.ndarray, notation: Notation) -> dict[str, Column]:
    """Return the number columns that a column becomes: itself, or the parts of its dates."""
    if not notation.is_date:
        return {name: numbers}
    made = split(numbers, notation.parts)
    return dict(zip(part_names(name, notation.parts), made.values(), strict=True))
