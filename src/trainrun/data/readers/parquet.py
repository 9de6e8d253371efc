"""Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from trainrun.data.files import reading
from trainrun.data.layout import Layout
from trainrun.data.readers.arrow import table_from_arrow
from trainrun.data.readers.disguises import PARQUET, refuse_other_kind
from trainrun.data.table import Table
from trainrun.errors import DataError
from trainrun.text import printable


def read_parquet(path: Path, place: str, layout: Layout) -> Table:
    """Read the wanted columns of a Parquet file.

    Raises:
        DataError: it is no Parquet file, has no rows, or a column is neither numbers nor text.
        DataMissingError: it is not there.
    """
    import pyarrow as pa

    with reading(place, path), path.open("rb") as file:
        opened = _opened(file, path, place)
        try:
            names = opened.schema_arrow.names
            arrow = opened.read(columns=[name for name in names if layout.reads(name)])
            arrow.validate(full=True)
        except (pa.ArrowException, ValueError) as error:
            raise DataError(f"{place}: cannot be read as Parquet: {printable(str(error))}") from None
    if not arrow.num_rows:
        raise DataError(f"{place}: has no rows")
    return table_from_arrow(arrow, place, layout, tuple(names))


def _opened(file: IO[bytes], path: Path, place: str) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(file)
    except (pa.ArrowException, ValueError) as error:
        refuse_other_kind(path, place, PARQUET)
        raise DataError(f"{place}: cannot be read as Parquet: {printable(str(error))}") from None


def read_names(path: Path, place: str) -> tuple[str, ...]:
    """Return the names of a Parquet file's columns.

    Raises:
        DataError: it is no Parquet file.
        DataMissingError: it is not there.
    """
    with reading(place, path), path.open("rb") as file:
        return tuple(_opened(file, path, place).schema_arrow.names)
