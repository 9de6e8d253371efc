"""Conversion of the texts of a delimited file to columns of numbers, dates or text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainrun.data.columns.dates import part_names, parts_of
from trainrun.data.columns.judging import Judgement, has_decimal, judge, with_parts
from trainrun.data.columns.notation import (
    BOOLEANS,
    Notation,
    as_columns,
    read_known,
    read_loosely,
    read_notation,
)
from trainrun.data.columns.vocabulary import is_number
from trainrun.data.layout import KnownLayout, TrainingLayout
from trainrun.data.readers.arrow import parse_numbers, plain_text, trimmed
from trainrun.data.table import Column, Text

_CODE = r"^[+-]?(?:0\d+|\d+E\d+)$"  # as `vocabulary.is_code`
_FEW_LABELS = 20  # as few distinct whole numbers are classes
_MOST_LABELS = 1000  # distinct numbers of a target that may be labels, whose spelling is kept


@dataclass
class Columns:
    """Columns of a file after reading its cells.

    Attributes:
        columns: numbers and text by name; a date is one column for each of its parts.
        notations: how columns that are no plain numbers were read, by the file's names.
        guesses: what was decided although it could mean something else, by the file's names.
        examples: a cell of each column in `notations`, as it is written.
        spelled: the target's cells as they are written, where they are numbers that may be labels.
        as_booleans: number columns whose cells are written as True and False.
    """

    columns: dict[str, Column] = field(default_factory=dict)
    notations: dict[str, Notation] = field(default_factory=dict)
    guesses: dict[str, str] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    spelled: dict[str, Text] = field(default_factory=dict)
    as_booleans: list[str] = field(default_factory=list)

    def put(self, name: str, column: Text, judgement: Judgement, sentinels: tuple[float, ...]) -> None:
        """Add a column of text as what it was judged to be; `sentinels` are numbers that mean a gap."""
        notation = judgement.notation
        if judgement.guess:
            self.guesses[name] = judgement.guess
        if judgement.problem or notation is None:
            self.columns[name] = column
            return
        numbers = read_notation(column, notation, sentinels)
        assert numbers is not None  # the judgement has seen every value
        if notation.is_date:
            judgement = with_parts(judgement, parts_of(notation.order, numbers))
            notation = judgement.notation or notation
        self.columns |= as_columns(name, numbers, notation)
        self.notations[name] = notation
        self.examples[name] = judgement.example


def read_training_columns(cells: Mapping[str, Any], layout: TrainingLayout, delimiter: str) -> Columns:
    """Read the columns of the training file, and decide what each of them means.

    Args:
        cells: chunked arrays of large_string, by name.
        layout: what the config says.
        delimiter: between the cells of the file: one that is no comma leaves the comma for decimals.
    """
    found = Columns()
    waiting: dict[str, Text] = {}
    for name, raw in cells.items():
        column = trimmed(raw)
        if name in layout.texts:
            found.columns[name] = plain_text(column, layout)
            continue
        numbers = parse_numbers(column, layout)
        if name == layout.target:
            _read_target(found, waiting, column, numbers, layout)
        elif numbers is None or (_holds_codes(column, numbers) and name not in layout.asis):
            waiting[name] = plain_text(column, layout)
        else:
            found.columns[name] = numbers
    habit = _habit(cells, found, waiting, layout, delimiter)
    if habit == ",":
        _reread_points(cells, found, waiting, layout)
    for name, text in waiting.items():
        if name in layout.asis:
            found.columns[name] = text
            continue
        counts = np.bincount(text.codes[text.codes >= 0], minlength=len(text.values))
        judgement = judge(text.values, counts, decimal=layout.decimal, habit=habit)
        if name == layout.target and judgement.meaning == "dates":
            found.columns[name] = text  # which is refused: a date is no target
        else:
            found.put(name, text, judgement, layout.na_numbers)
    found.columns = {
        part: found.columns[part]
        for name in cells
        for part in (name, *part_names(name, getattr(found.notations.get(name), "parts", ())))
        if part in found.columns
    }
    return found


def _read_target(
    found: Columns, waiting: dict[str, Text], cells: Any, numbers: np.ndarray | None, layout: TrainingLayout
) -> None:
    """Read the target: numbers keep their spelling, for they may be labels."""
    name = layout.target or ""
    if numbers is None:
        text = plain_text(cells, layout)
        if layout.task == "classification" or (layout.task == "auto" and _are_classes(text)):
            found.columns[name] = text
        else:
            waiting[name] = text
        return
    found.columns[name] = numbers
    if layout.task != "regression" and len(np.unique(numbers[~np.isnan(numbers)])) <= _MOST_LABELS:
        found.spelled[name] = plain_text(cells, layout)


def _are_classes(text: Text) -> bool:
    """Return whether a target has few distinct texts, which are then classes: `5%`, `10 mg`."""
    return len(text.values) <= _FEW_LABELS and not any(map(is_number, text.values))


def _holds_codes(cells: Any, numbers: np.ndarray) -> bool:
    """Return whether whole numbers are written like codes, with leading zeros or bare exponents."""
    import pyarrow.compute as pc

    present = numbers[~np.isnan(numbers)] if numbers.dtype.kind == "f" else numbers
    whole = present.dtype.kind != "f" or bool(np.all(present == np.floor(present)))
    if not whole or not pc.any(pc.match_substring_regex(cells, _CODE)).as_py():
        return False
    fraction = pc.match_substring_regex(cells, r"[.]|[eE][+-]")
    return not pc.any(fraction).as_py()


def _habit(
    cells: Mapping[str, Any],
    found: Columns,
    waiting: Mapping[str, Text],
    layout: TrainingLayout,
    delimiter: str,
) -> str:
    """Return the decimal separator that the columns of the file show; empty where none does."""
    if layout.decimal != "auto":
        return layout.decimal
    commas = any(has_decimal(text.values, ",") for text in waiting.values())
    points = any(has_decimal(text.values, ".") for text in waiting.values())
    if commas:
        return "," if not points else ""
    if (
        delimiter != ";"
        or points
        or not any("," in value for text in waiting.values() for value in text.values)
    ):
        return "."
    plain = [name for name in found.columns if not isinstance(found.columns[name], Text)]
    return "." if any(_has_fraction(cells[name]) for name in plain if name in cells) else ","


def _has_fraction(cells: Any) -> bool:
    """Return whether a number has a point that cannot separate thousands."""
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring_regex(cells, r"\.\d{1,2}\s*$|\.\d{4}|^\s*[+-]?0?\.\d")).as_py())


def _reread_points(
    cells: Mapping[str, Any], found: Columns, waiting: dict[str, Text], layout: TrainingLayout
) -> None:
    """Look again at plain numbers with points in a file of decimal commas: 1.234 may be 1234 there."""
    import pyarrow.compute as pc

    for name in [name for name, column in found.columns.items() if not isinstance(column, Text)]:
        column = trimmed(cells[name])
        if name not in layout.asis and pc.any(pc.match_substring(column, ".")).as_py():
            if layout.decimal == "auto" and _has_fraction(column):
                continue  # this column has decimal points all the same
            del found.columns[name]
            found.spelled.pop(name, None)
            waiting[name] = plain_text(column, layout)


def read_known_columns(cells: Mapping[str, Any], layout: KnownLayout) -> Columns:
    """Read the columns of further rows in the way the training rows were read.

    Args:
        cells: chunked arrays of large_string, by name.
        layout: what training knows of the columns.
    """
    found = Columns()
    for name, raw in cells.items():
        column = trimmed(raw)
        if name in layout.notations:
            notation = found.notations[name] = layout.notations[name]
            found.columns |= read_known(name, plain_text(column, layout), notation, layout.na_numbers)
            continue
        is_number = layout.is_number(name, typed=False)
        numbers = parse_numbers(column, layout) if is_number else None
        if numbers is None:
            text = plain_text(column, layout)
            if is_number:
                numbers = read_loosely(text, flags=name in layout.flags)
            if numbers is not None and any(value.lower() in BOOLEANS for value in text.values):
                found.as_booleans.append(name)
        found.columns[name] = text if numbers is None else numbers
    return found
