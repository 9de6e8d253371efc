"""Conversion of Arrow's columns: numbers become NumPy arrays, everything else becomes text."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from trainrun.data.columns.dates import parts_of
from trainrun.data.columns.notation import Notation, as_columns, read_known
from trainrun.data.columns.vocabulary import EXACT
from trainrun.data.layout import KnownLayout, Layout, TrainingLayout
from trainrun.data.table import Column, Table, Text
from trainrun.errors import DataError
from trainrun.text import printable, quoted


def table_from_arrow(arrow: Any, place: str, layout: Layout, header: tuple[str, ...]) -> Table:
    """The wanted columns of a `pyarrow.Table`.

    Args:
        arrow: the table.
        place: how messages begin.
        layout: which columns are wanted.
        header: every column's name, also of those that are not in `arrow`.

    Raises:
        DataError: a column has a type that is neither numbers nor text, or a name occurs twice.
    """
    check_names(header, place, layout)
    columns: dict[str, Column] = {}
    notations: dict[str, Notation] = {}
    for name, cells in zip(arrow.column_names, arrow.columns, strict=True):
        if layout.wants(name):
            read, notation = _columns(name, cells, place, layout)
            columns |= read
            notations |= {name: notation} if notation else {}
    target = layout.target
    words = {}
    if target in columns and _is_text(arrow.schema.field(target).type):
        words[target] = gap_words(arrow[target], layout)
    return Table(
        place,
        arrow.num_rows,
        header,
        True,
        columns,
        {},
        na=layout.na,
        training=layout.by_config,
        notations=notations,
        words=words,
        kept={
            name: _as_written(arrow[name], place, name) for name in arrow.column_names if name in layout.keep
        },
    )


def _as_written(cells: Any, place: str, name: str) -> list[str]:
    """Return typed cells as text; a missing one is empty."""
    import pyarrow as pa

    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    if pa.types.is_floating(kind):
        return ["" if value is None else str(value) for value in cells.to_pylist()]
    try:
        return ["" if value is None else value for value in cells.cast(kind).cast(pa.string()).to_pylist()]
    except pa.ArrowException:
        raise DataError(f"{place}: column {quoted(name)}: is of type {kind}, which is no text") from None


def check_names(header: tuple[str, ...], place: str, layout: Layout) -> None:
    """Refuse wanted columns whose name occurs twice, and an index that was saved along."""
    counts = Counter(name for name in header if layout.reads(name))
    for name, count in counts.items():
        if name == "" or name.startswith("__index_level_"):
            raise DataError(
                f"{place}: column {header.index(name) + 1} has no name, as an index that was saved along; "
                f"name it, or leave it out with data.drop: [{json.dumps(name)}]"
            )
        if count > 1:
            raise DataError(f"{place}: has {count} columns named {quoted(name)}; rename all but one")


def _columns(name: str, cells: Any, place: str, layout: Layout) -> tuple[dict[str, Column], Notation | None]:
    """Return what a typed column becomes (itself, or the parts of its dates), and how it was read."""
    import pyarrow as pa

    kind = cells.type
    if pa.types.is_dictionary(kind):
        cells, kind = cells.cast(kind.value_type), kind.value_type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _dates(name, cells, place, layout)
    notation = layout.notations.get(name) if isinstance(layout, KnownLayout) else None
    if notation is not None and _is_text(kind):
        text = plain_text(trimmed(cells.cast(pa.large_string())), layout)
        return read_known(name, text, notation, layout.na_numbers), notation
    return {name: _column(name, cells, place, layout)}, None


def _column(name: str, cells: Any, place: str, layout: Layout) -> Column:
    import pyarrow as pa

    kind = cells.type
    if pa.types.is_null(kind):
        return np.full(len(cells), np.nan)
    is_number = layout.is_number(name, typed=True)
    if pa.types.is_boolean(kind) and is_number:
        return _numbers(cells.cast(pa.uint8()))
    if pa.types.is_boolean(kind) or _is_text(kind):
        texts = trimmed(cells.cast(pa.large_string()))
        numbers = parse_numbers(texts, layout) if is_number else None
        if numbers is not None:
            return numbers
        return replace(plain_text(texts, layout), boolean=pa.types.is_boolean(kind))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return without_sentinels(_numbers(cells), layout)
    if pa.types.is_decimal(kind):
        return without_sentinels(_numbers(cells.cast(pa.float64())), layout)
    raise DataError(
        f"{place}: column {quoted(name)}: is of type {kind}, neither numbers nor text; "
        "save it as one of these, or leave it out with data.drop"
    )


def _dates(name: str, cells: Any, place: str, layout: Layout) -> tuple[dict[str, Column], Notation]:
    """Return the parts of a column of dates or times."""
    import pyarrow as pa

    if name == layout.target or (isinstance(layout, TrainingLayout) and name in layout.asis):
        raise DataError(f"{place}: column {quoted(name)}: is a date; save it as numbers or text")
    seconds = _numbers(cells.cast(pa.timestamp("s"), safe=False).cast(pa.int64())).astype(np.float64)
    if not isinstance(layout, KnownLayout):
        notation = Notation(order="typed", parts=parts_of("typed", seconds))
    elif name in layout.notations:
        notation = layout.notations[name]
    else:
        raise DataError(f"{place}: column {quoted(name)}: holds dates, and training had none there")
    return as_columns(name, seconds, notation), notation


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def trimmed(cells: Any) -> Any:
    """Return texts without the blanks around them."""
    import pyarrow.compute as pc

    return pc.utf8_trim_whitespace(cells)


def parse_numbers(cells: Any, layout: Layout) -> np.ndarray | None:
    """Return texts as float64, or as int64 where a float could not hold them exactly.

    Args:
        cells: a chunked array of large_string, trimmed.
        layout: says which texts mean a missing cell.

    Returns:
        The numbers, NaN where missing; None where a cell is not a plain number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if layout.na:
        gap = rf"\A(?:{'|'.join(map(re.escape, layout.na))})\z"
        cells = pc.replace_substring_regex(cells, gap, "nan")
    try:
        values = _numbers(cells.cast(pa.float64()))
    except pa.ArrowInvalid:
        return None
    if np.any(np.abs(values) >= EXACT):
        try:
            return without_sentinels(_numbers(cells.cast(pa.int64())), layout)
        except pa.ArrowInvalid:
            pass  # beyond 64 bits, missing, or not all whole
    return without_sentinels(values, layout)


def without_sentinels(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Return numbers with NaN where they are one of the numbers that mean a missing cell, such as -999."""
    if not layout.na_numbers or values.dtype.kind not in "iuf":
        return values
    hit = np.isin(values, layout.na_numbers)
    return np.where(hit, np.nan, values) if hit.any() else values


def plain_text(cells: Any, layout: Layout) -> Text:
    """Return trimmed texts as a column of text."""
    encoded = cells.dictionary_encode(null_encoding="encode").combine_chunks()
    values = encoded.dictionary.to_pylist()
    present = [value is not None and not layout.is_gap(value) for value in values]
    codes = np.where(present, np.cumsum(present) - 1, -1).astype(np.int32)
    kept = tuple(value for value, there in zip(values, present, strict=True) if there)
    return Text(codes[np.from_dlpack(encoded.indices)], kept)


def gap_words(cells: Any, layout: Layout) -> dict[str, int]:
    """Return the words that are read as missing, with how often each occurs."""
    import pyarrow.compute as pc

    counted = pc.value_counts(trimmed(cells)).to_pylist()
    found = {row["values"]: row["counts"] for row in counted if row["values"]}
    return {word: count for word, count in found.items() if layout.is_gap(word)}


def _numbers(cells: Any) -> np.ndarray:
    """Arrow numbers as they are; where some are missing, as float64 with NaN.

    Over DLPack: Arrow's own conversion would import pandas.
    """
    import pyarrow as pa

    array = cells.combine_chunks()
    present = np.from_dlpack(array.drop_null())
    if not array.null_count:
        return present
    values = np.full(len(array), np.nan)
    values[np.from_dlpack(array.is_valid().cast(pa.uint8())) == 1] = present
    return values


def arrow_table(rows: Any, place: str) -> Any:
    """A `pyarrow.Table` of a dict of columns, a pandas or polars frame, or whatever else Arrow understands.

    Raises:
        DataError: the columns differ in length, or one holds more than one kind of values.
    """
    import pyarrow as pa

    try:
        return pa.table(rows)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{place}: cannot be read as a table: {printable(str(error))}") from None
