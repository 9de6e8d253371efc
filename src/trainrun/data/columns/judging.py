"""Decide what a column of text means: numbers in some notation, dates, or text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from trainrun.data.columns.dates import possible_orders
from trainrun.data.columns.notation import MISSING_WORDS, Cell, Notation, cell, plain_digits
from trainrun.data.columns.vocabulary import is_code, is_number
from trainrun.text import quoted

_MOSTLY = 0.9  # from this share on, a column of numbers (or dates) with some other text holds mistakes
_FEW_WORDS = 5  # so few distinct words among many distinct numbers are mistakes, whatever their share
_MANY_NUMBERS = 20
_SAMPLE = 1000  # distinct values that are looked at first: a column of names is seen to be text by these
_HOPELESS = 0.3  # below this share of numbers and dates among them, a column is text
_SCALES = {"k", "m", "b", "bn", "mio", "mrd", "t", "million", "billion", "thousand"}
_UNITS = {
    *(
        "g",
        "kg",
        "mg",
        "t",
        "lb",
        "lbs",
        "oz",
        "m",
        "km",
        "cm",
        "mm",
        "mi",
        "ft",
        "in",
        "l",
        "ml",
        "cl",
        "gal",
    ),
    *("s", "sec", "min", "h", "hr", "hour", "day", "week", "month", "year", "yr", "kb", "mb", "gb", "tb"),
    *(
        "\u00b0c",
        "\u00b0f",
        "\u00b0",
        "w",
        "kw",
        "kwh",
        "v",
        "a",
        "hz",
        "khz",
        "mhz",
        "ghz",
        "pa",
        "bar",
        "psi",
    ),
}

Meaning = Literal["text", "numbers", "dates"]


@dataclass(frozen=True)
class Judgement:
    """Meaning of the distinct texts of a column.

    Attributes:
        meaning: what they are.
        notation: how numbers or dates are read; None for text.
        problem: why the column can be read neither as numbers nor safely as text; empty without a problem.
        at: indices of the values that are the problem.
        advice: what to do about the problem, besides listing the column in data.categorical.
        example: a value that shows the notation.
        guess: how a column was read although it could mean something else; of numbers, a phrase behind "are
            read as numbers". Empty where nothing else was likely.
    """

    meaning: Meaning
    notation: Notation | None = None
    problem: str = ""
    at: tuple[int, ...] = ()
    advice: str = ""
    example: str = ""
    guess: str = ""


TEXT = Judgement("text")


def judge(values: Sequence[str], counts: np.ndarray, *, decimal: str = "auto", habit: str = "") -> Judgement:
    """Decide what the distinct texts of a column mean.

    Args:
        values: the distinct texts that are there.
        counts: int [len(values)], how often each occurs.
        decimal: `.`, `,` or `auto`.
        habit: the decimal separator that the rest of the file uses, for a column that could use either.

    Returns:
        The decision. A column of codes (leading zeros, bare exponents) is text.
    """
    if not values or all(map(is_code, values)) or _is_plain_text(values):
        return TEXT
    cells = [cell(value) for value in values]
    numbers = np.array(
        [found is not None or is_number(v) for found, v in zip(cells, values, strict=True)], bool
    )
    gaps = np.array([value.lower() in MISSING_WORDS for value in values], bool)
    numbers &= ~gaps
    if numbers.any() and any(is_code(v) for v in values if is_number(v)) and not _some_fraction(values):
        return TEXT  # codes, of which some look like numbers
    dates = [possible_orders(v) if not n else frozenset() for v, n in zip(values, numbers, strict=True)]
    are_dates = np.array([bool(orders) for orders in dates], bool)
    total = counts[~gaps].sum()
    if total and counts[are_dates].sum() >= _MOSTLY * total:
        return _judge_dates(values, dates, gaps)
    if not numbers.any():
        return _partly("dates", values, counts, np.flatnonzero(~are_dates & ~gaps), total)
    stray = np.flatnonzero(~numbers & ~gaps)
    if len(stray):
        return _judge_stray(values, counts, numbers, stray, total)
    return _judge_numbers(values, cells, gaps, decimal, habit)


def _is_plain_text(values: Sequence[str]) -> bool:
    """Return whether a sample shows that a column of many distinct values is text."""
    some = values[:: max(1, len(values) // _SAMPLE)]
    known = sum(cell(value) is not None or is_number(value) or bool(possible_orders(value)) for value in some)
    return len(values) > _SAMPLE and known < _HOPELESS * len(some)


def _some_fraction(values: Sequence[str]) -> bool:
    """Return whether some number has a point or a signed exponent, unlike codes."""
    return any(
        "." in value or re.search(r"e[+-]", value, re.IGNORECASE) for value in values if is_number(value)
    )


def _judge_stray(
    values: Sequence[str], counts: np.ndarray, numbers: np.ndarray, stray: np.ndarray, total: int
) -> Judgement:
    """Judge numbers with some text among them: a mistake where the text is rare, else text."""
    mostly = counts[numbers].sum() >= _MOSTLY * total
    # Of plain numbers alone: `12A` among `B7` is a code as well.
    plain = sum(is_number(value) for value in values)
    few = len(stray) <= _FEW_WORDS and plain >= max(_MANY_NUMBERS, 10 * len(stray))
    if not (mostly or (few and counts[numbers].sum() > total / 2)):
        return _partly("numbers", values, counts, stray, total)
    what = f"{quoted(values[stray[0]])} is not a number, as most of its cells are"
    return Judgement("text", problem=what, at=tuple(stray.tolist()), advice="correct it, list it in data.na")


def _partly(
    kind: str, values: Sequence[str], counts: np.ndarray, others: np.ndarray, total: int
) -> Judgement:
    """Judge a column of text in which more than half of the cells are numbers or dates: text, and said so."""
    odd = int(counts[others].sum())
    if not total or odd >= total / 2:
        return TEXT
    words = [values[i] for i in others[np.argsort(-counts[others], kind="stable")][:2]]
    shown = " and ".join(map(quoted, words)) if len(others) < 3 else f"{quoted(words[0])}"
    such = "" if len(others) < 3 else "such as "
    guess = f"is read as text, since {odd} of {total} cells are no {kind}: {such}{shown}"
    return Judgement("text", guess=f"{guess}; if these mean a missing value, list them in data.na")


def _judge_dates(values: Sequence[str], dates: Sequence[frozenset[str]], gaps: np.ndarray) -> Judgement:
    stray = [i for i, orders in enumerate(dates) if not orders and not gaps[i]]
    if stray:
        what = f"{quoted(values[stray[0]])} is not a date, as most of its cells are"
        return Judgement("text", problem=what, at=tuple(stray), advice="correct it, list it in data.na")
    found = [orders for orders in dates if orders]
    shared = frozenset.intersection(*found)
    first = next(i for i, orders in enumerate(dates) if orders)
    at = tuple(i for i, orders in enumerate(dates) if orders)
    if not shared:
        what = f"its dates are written in several orders, such as {_two(values, dates)}"
        return Judgement("text", problem=what, at=at, advice="write them as 2024-01-31, or use data.drop")
    if len(shared) > 1:
        what = f"{quoted(values[first])} can be day/month or month/day"
        return Judgement("text", problem=what, at=at, advice="write dates as 2024-01-31, or use data.drop")
    (order,) = shared
    notation = Notation(order=order, gaps=_words(values, gaps))
    return Judgement("dates", notation, example=values[first])


def _two(values: Sequence[str], dates: Sequence[frozenset[str]]) -> str:
    first = next(i for i, orders in enumerate(dates) if orders)
    other = next((i for i, orders in enumerate(dates) if orders and not orders & dates[first]), first)
    return f"{quoted(values[first])} and {quoted(values[other])}"


def _judge_numbers(
    values: Sequence[str], cells: Sequence[Cell | None], gaps: np.ndarray, decimal: str, habit: str
) -> Judgement:
    at = [i for i, found in enumerate(cells) if found is not None and not gaps[i]]
    written = [cells[i] for i in at]
    points = [i for i, found in zip(at, written, strict=True) if found and found.value(",") is None]
    commas = [i for i, found in zip(at, written, strict=True) if found and found.value(".") is None]
    guess, shown = "", ""
    if decimal == "auto":
        if points and commas:
            what = "has numbers with a decimal point and with a decimal comma"
            what += f", such as {quoted(values[points[0]])}"
            what += f" and {quoted(values[commas[0]])}"
            return Judgement("text", problem=what, at=tuple(commas), advice="write all of them in one way")
        two = _two_marks(values, at) if not (points or commas) else ""
        if two:
            advice = 'say data.decimal: "." or ","'
            return Judgement("text", problem=two, at=tuple(at), advice=advice)
        decimal, guess, shown = _decimal(values, at, points, commas, habit)
    wrong = commas if decimal == "." else points
    if wrong:
        what = f"{quoted(values[wrong[0]])} is not a number with the decimal separator {quoted(decimal)}"
        return Judgement("text", problem=what, at=tuple(wrong), advice="correct it, or change data.decimal")
    affixes = dict.fromkeys(found.affix for found in written if found)
    problem = _affix_problem(affixes, values, at, cells)
    if problem:
        return problem
    words = _words(values, gaps)
    notation = Notation(decimal, tuple(sorted(affix for affix in affixes if affix)), words)
    odd = next((values[i] for i in at if not is_number(values[i])), "")
    bracket = next((values[i] for i in at if values[i].startswith("(")), "")
    if bracket:
        guess, shown = ", ".join(filter(None, (guess, "parentheses as a minus"))), bracket
    return Judgement("numbers", notation, example=shown or odd, guess=guess)


def _two_marks(values: Sequence[str], at: Sequence[int]) -> str:
    """Return the problem of `1.234` beside `2,567`: either mark could separate the fraction."""
    comma = next((values[i] for i in at if "," in values[i]), "")
    point = next((values[i] for i in at if "." in values[i]), "")
    if not comma or not point:
        return ""
    return f"has {quoted(point)} and {quoted(comma)}, of which either could have a decimal point or comma"


def _decimal(
    values: Sequence[str], at: Sequence[int], points: Sequence[int], commas: Sequence[int], habit: str
) -> tuple[str, str, str]:
    """Return the decimal separator of a column, the guess that was made, and a value that shows it."""
    if points:
        return ".", "", ""
    if commas:
        shown = values[commas[0]]
        return ",", "with a decimal comma" if "," in shown else "with points between thousands", shown
    either = [i for i in at if "," in values[i]]
    dotted = [i for i in at if "." in values[i]]
    if not either and (not dotted or habit != ","):
        return ".", "", ""
    whole = [len(values[i].lstrip("+-")) for i in at if values[i].lstrip("+-").isdigit()]
    shown = values[(either or dotted)[0]]
    if either and habit == "," and not (whole and max(whole) <= 3):
        return ",", "with a decimal comma as in other columns", shown
    if either:
        return ".", 'with commas between thousands; otherwise say data.decimal: ","', shown
    return ",", 'with points between thousands; otherwise say data.decimal: "."', shown


def _is_known(affix: str) -> bool:
    """Return whether an affix is a unit, a sign or as short as the code of a currency."""
    return affix in _UNITS | _SCALES | {"%", "\u2030"} or not affix.isalpha() or len(affix) == 3


def _affix_problem(
    affixes: dict[str, None], values: Sequence[str], at: Sequence[int], cells: Sequence[Cell | None]
) -> Judgement | None:
    """Judge several units in one column: what is 12 beside 12 % or 12 kg beside 12 g?"""
    named = [affix for affix in affixes if affix]
    if len(named) == 1 and "" in affixes and not _is_known(named[0]):
        odd = tuple(i for i in at if (c := cells[i]) and c.affix)
        what = f"{quoted(values[odd[0]])} is not a number, as its other cells are"
        return Judgement("text", problem=what, at=odd, advice="correct it, list it in data.na")
    if len(named) <= 1 and not ("" in affixes and named and (named[0] in _SCALES | {"%", "\u2030"})):
        return None
    if (
        len(named) > 1
        and all(len(affix) == 1 and affix.isalpha() for affix in named)
        and not (set(named) <= _SCALES)
    ):
        return TEXT  # codes such as 12A and 14B
    if len(named) > 1 and not all(map(_is_known, named)):
        return TEXT  # codes such as 12A and 14B
    first, other = (
        next(values[i] for i in at if (c := cells[i]) and c.affix == a) for a in list(affixes)[:2]
    )
    what = f"has numbers in different units, such as {quoted(first)} and {quoted(other)}"
    mixed = tuple(i for i in at if (c := cells[i]) and c.affix != next(iter(affixes)))
    return Judgement("text", problem=what, at=mixed, advice="write all of them in one unit")


def _words(values: Sequence[str], gaps: np.ndarray) -> tuple[str, ...]:
    return tuple(sorted(value for value, gap in zip(values, gaps, strict=True) if gap))


def with_parts(judgement: Judgement, parts: tuple[str, ...]) -> Judgement:
    """Return the judgement of a date column with what the column becomes."""
    assert judgement.notation is not None
    return replace(judgement, notation=replace(judgement.notation, parts=parts))


def has_decimal(values: Sequence[str], separator: str) -> bool:
    """Return whether some text can only be a number with this decimal separator."""
    other = "," if separator == "." else "."
    return any(
        plain_digits(found.body, other) is None and plain_digits(found.body, separator) is not None
        for value in values
        if separator in value and (found := cell(value)) is not None
    )
