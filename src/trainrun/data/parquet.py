"""Parquet files."""

from __future__ import annotations

from pathlib import Path

from trainrun.data.arrow import table_from_arrow
from trainrun.data.disguises import PARQUET, refuse_other_kind
from trainrun.data.files import reading
from trainrun.data.layout import Layout
from trainrun.data.table import Table
from trainrun.errors import DataError, printable


def read_parquet(path: Path, place: str, layout: Layout) -> Table:
    """Read the wanted columns of a Parquet file.

    Raises:
        DataError: it is no Parquet file, has no rows, or a column is neither numbers nor text.
        DataMissingError: it is not there.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with reading(place, path), path.open("rb") as file:
        try:
            opened = parquet.ParquetFile(file)
            names = opened.schema_arrow.names
            arrow = opened.read(columns=[name for name in names if layout.wants(name)])
            arrow.validate(full=True)
        except (pa.ArrowException, ValueError) as error:
            refuse_other_kind(path, place, PARQUET)
            raise DataError(f"{place}: cannot be read as Parquet: {printable(str(error))}") from None
    if not arrow.num_rows:
        raise DataError(f"{place}: has no rows")
    return table_from_arrow(arrow, place, layout, tuple(names))
