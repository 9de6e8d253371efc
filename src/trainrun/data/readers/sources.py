"""Reading of a file of any kind, or of rows in memory, into a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainrun.config.references import file_kind
from trainrun.data.files import open_binary, reading
from trainrun.data.layout import Layout, TrainingLayout
from trainrun.data.readers import delimited, npz, parquet
from trainrun.data.readers.arrow import arrow_table, table_from_arrow
from trainrun.data.readers.disguises import ENOUGH, refuse_disguise
from trainrun.data.readers.idx import read_idx
from trainrun.data.table import Column, MatrixColumns, Table, Text
from trainrun.errors import DataError

LABELS = "target"  # the name of labels that come from a file of their own


def read_file(path: Path, place: str, layout: Layout) -> Table:
    """Read a file of rows.

    Args:
        path: the file; its name says of which kind it is.
        place: how messages begin.
        layout: what is known about the file.

    Raises:
        DataError: it cannot be used as it is.
        DataMissingError: it is not there.
    """
    if kind := file_kind(path):
        return _READERS[kind](path, place, layout)
    with reading(place, path), open_binary(path) as file:  # a file that is not there is the likelier mistake
        refuse_disguise(file.read(ENOUGH), path, place)
    raise DataError(
        f"{place}: is of no kind that is known by its name: csv, tsv (.gz too), parquet, npz, idx (.gz)"
    )


def read_names(path: Path, place: str, layout: Layout) -> tuple[tuple[str, ...], bool]:
    """Return the names of a file's columns (of an archive: its arrays), and whether they are the file's own.

    Args:
        path: the file; its name says of which kind it is.
        place: how messages begin.
        layout: what is known about the file.

    Raises:
        DataError: it cannot be used as it is.
        DataMissingError: it is not there.
    """
    kind = file_kind(path)
    if kind == "text":
        return delimited.read_names(path, place, layout)
    if kind in _NAMES:
        return _NAMES[kind](path, place), True
    return read_file(path, place, layout).header, False


def _read_npz(path: Path, place: str, layout: Layout) -> Table:
    data, target = npz.read_npz(path, place, layout.target, required=isinstance(layout, TrainingLayout))
    return table_from_arrays(data, target, place, layout)


def _read_idx(path: Path, place: str, layout: Layout) -> Table:
    return table_from_arrays(read_idx(path, place), None, place, layout)


_READERS: Mapping[str, Callable[[Path, str, Layout], Table]] = {
    "text": delimited.read_delimited,
    "parquet": parquet.read_parquet,
    "npz": _read_npz,
    "idx": _read_idx,
}
_NAMES = {"parquet": parquet.read_names, "npz": npz.read_names}


def read_idx_pair(paths: tuple[Path, Path], places: tuple[str, str], layout: Layout) -> Table:
    """Read IDX images and, from a file of their own, the labels.

    Args:
        paths: of the images, and of the labels, one for each image.
        places: how messages about each begin.
        layout: what is known about the data.
    """
    images, labels = (read_idx(path, place) for path, place in zip(paths, places, strict=True))
    return table_from_arrays(images, labels, places[0], layout)


def table_from_arrays(data: np.ndarray, target: np.ndarray | None, place: str, layout: Layout) -> Table:
    """A table of an array of numbers [N, ...], each row made flat, and its target [N]."""
    if not data.ndim or not data.size:
        raise DataError(f"{place}: has no rows")
    if data.dtype.kind not in "biuf":
        raise DataError(f"{place}: its data is of type {data.dtype}; save it as numbers")
    matrix = data.reshape(len(data), -1)
    features = layout.names(matrix.shape[1], place)
    apart: dict[str, Column] = {}
    if target is not None:
        if target.shape not in {(len(data),), (len(data), 1)}:
            raise DataError(
                f"{place}: its shape {data.shape} and the target's {target.shape} do not fit: one each"
            )
        apart[layout.target or LABELS] = _target_column(target.reshape(-1))
    return Table(place, len(matrix), (*features, *apart), False, MatrixColumns(features, matrix), apart)


def _target_column(target: np.ndarray) -> Column:
    if target.dtype.kind != "U":
        return target
    values, codes = np.unique(np.char.strip(target), return_inverse=True)
    return Text(codes.astype(np.int32), tuple(values.tolist()))


def table_from_rows(rows: Any, layout: Layout) -> Table:
    """A table of rows in memory.

    Args:
        rows: a pandas or polars frame, a `pyarrow.Table`, a dict of columns, a list of dicts, or a 2-D array
            whose columns are in the order of training.
        layout: what training knows of them.

    Raises:
        DataError: they are none of these, or do not fit.
    """
    place = f"the {type(rows).__name__}"
    if isinstance(rows, Mapping) and rows and not any(map(_is_column, rows.values())):
        rows = [rows]  # one row
    if isinstance(rows, list):
        rows = _columns_of_dicts(rows) if rows and isinstance(rows[0], Mapping) else np.asarray(rows)
    if isinstance(rows, np.ndarray):
        if rows.ndim != 2:
            raise DataError(f"{place}: has the shape {rows.shape}; give it two dimensions, rows and columns")
        if rows.dtype.kind in "biuf":
            return table_from_arrays(rows, None, place, layout)
        rows = dict(zip(layout.names(rows.shape[1], place), rows.T.tolist(), strict=True))
    arrow = arrow_table(dict(rows) if isinstance(rows, Mapping) else rows, place)
    if not arrow.num_rows:
        raise DataError(f"{place}: has no rows")
    return table_from_arrow(arrow, place, layout, tuple(arrow.column_names))


def _is_column(value: Any) -> bool:
    """Return whether a value of a dict is a column, not one cell."""
    return hasattr(value, "__len__") and not isinstance(value, str | bytes)


def _columns_of_dicts(rows: list[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
