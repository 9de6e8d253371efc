"""Arrow's columns as ours: numbers as NumPy arrays, everything else as text."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import numpy as np

from trainrun.data.files import quoted
from trainrun.data.layout import Layout
from trainrun.data.table import Column, Table, Text
from trainrun.data.vocabulary import EXACT
from trainrun.errors import DataError, printable


def table_from_arrow(arrow: Any, place: str, layout: Layout, header: tuple[str, ...]) -> Table:
    """The wanted columns of a `pyarrow.Table`.

    Args:
        arrow: the table.
        place: how messages begin.
        layout: which columns are wanted.
        header: every column's name, also of those that are not in `arrow`.

    Raises:
        DataError: a column has a type that is neither numbers nor text, or a name is there twice.
    """
    check_names(header, place, layout)
    columns = {
        name: _column(name, cells, place, layout)
        for name, cells in zip(arrow.column_names, arrow.columns, strict=True)
        if layout.wants(name)
    }
    return Table(place, arrow.num_rows, header, True, columns, {})


def check_names(header: tuple[str, ...], place: str, layout: Layout) -> None:
    """Refuse wanted columns whose name is there twice, and an index that was saved along."""
    counts = Counter(name for name in header if layout.wants(name))
    for name, count in counts.items():
        if name == "" or name.startswith("__index_level_"):
            raise DataError(
                f"{place}: column {header.index(name) + 1} has no name, as an index that was saved along; "
                f"name it, or leave it out with data.drop: [{json.dumps(name)}]"
            )
        if count > 1:
            raise DataError(f"{place}: has {count} columns named {quoted(name)}; rename all but one")


def _column(name: str, cells: Any, place: str, layout: Layout) -> Column:
    import pyarrow as pa

    kind = cells.type
    if pa.types.is_dictionary(kind):
        cells, kind = cells.cast(kind.value_type), kind.value_type
    if pa.types.is_null(kind):
        return np.full(len(cells), np.nan)
    if pa.types.is_boolean(kind) and layout.is_number(name, typed=True):
        return _numbers(cells.cast(pa.uint8()))
    if pa.types.is_boolean(kind) or _is_text(kind):
        return text_column(
            cells.cast(pa.large_string()), layout.na, numbers=layout.is_number(name, typed=True)
        )
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _numbers(cells)
    if pa.types.is_decimal(kind):
        return _numbers(cells.cast(pa.float64()))
    raise DataError(
        f"{place}: column {quoted(name)}: is of type {kind}, neither numbers nor text; "
        "save it as one of these, or leave it out with data.drop"
    )


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def text_column(cells: Any, na: tuple[str, ...], *, numbers: bool) -> Column:
    """A column of texts, stripped; as numbers where that is asked for and every cell is one.

    Args:
        cells: a chunked array of large_string.
        na: texts that mean a missing cell.
        numbers: whether to read numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = pc.utf8_trim_whitespace(cells)
    if numbers:
        try:
            return _parse(cells, na)
        except pa.ArrowInvalid:
            pass  # some cell is not a number
    return _text(cells, na)


def _parse(cells: Any, na: tuple[str, ...]) -> np.ndarray:
    """Texts as float64, or as int64 where a float could not tell neighbours apart."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if na:
        gap = rf"\A(?:{'|'.join(map(re.escape, na))})\z"
        cells = pc.replace_substring_regex(cells, gap, "nan")
    values = _numbers(cells.cast(pa.float64()))
    if np.any(np.abs(values) >= EXACT):
        try:
            return _numbers(cells.cast(pa.int64()))
        except pa.ArrowInvalid:
            pass  # beyond 64 bits, missing, or not all whole
    return values


def _text(cells: Any, na: tuple[str, ...]) -> Text:
    encoded = cells.dictionary_encode(null_encoding="encode").combine_chunks()
    values = encoded.dictionary.to_pylist()
    present = [value is not None and value not in na for value in values]
    codes = np.where(present, np.cumsum(present) - 1, -1).astype(np.int32)
    kept = tuple(value for value, there in zip(values, present, strict=True) if there)
    return Text(codes[np.from_dlpack(encoded.indices)], kept)


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
