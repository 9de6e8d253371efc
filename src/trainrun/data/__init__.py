"""Sources, preprocessing and splits: from files to arrays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainrun.data.dataset import Dataset, Part
from trainrun.data.files import place_of
from trainrun.data.inputs import digests, identify_config, identify_file
from trainrun.data.loading import dataset_key, load_data, load_dataset
from trainrun.data.notes import describe_new_rows
from trainrun.data.preprocessing.preprocessing import Preprocessing
from trainrun.data.preprocessing.targets import Target
from trainrun.data.readers.sources import read_file, read_idx_pair, table_from_rows
from trainrun.data.table import Table

__all__ = [
    "Dataset",
    "Part",
    "Preprocessing",
    "Table",
    "Target",
    "as_table",
    "dataset_key",
    "describe_new_rows",
    "digests",
    "identify_config",
    "identify_file",
    "load_data",
    "load_dataset",
    "read_table",
]


def read_table(
    path: Path, like: Preprocessing, labels: Path | None = None, keep: Collection[str] = ()
) -> Table:
    """Read new rows from a file, with or without the target.

    Args:
        path: a file of any kind that `data.path` takes.
        like: what training knows of the columns.
        labels: the labels' file of IDX images.
        keep: columns whose cells are also wanted as they are written.

    Raises:
        DataError: it cannot be used as it is.
        DataMissingError: it is not there.
    """
    layout = replace(like.layout, keep=frozenset(keep))
    if labels is not None:
        return read_idx_pair((path, labels), (place_of("", path), place_of("", labels)), layout)
    return read_file(path, place_of("", path), layout)


def as_table(rows: Any, like: Preprocessing) -> Table:
    """New rows in memory as a table, with or without the target.

    Args:
        rows: a pandas or polars frame, a `pyarrow.Table`, a dict of columns, a list of dicts, or a 2-D array
            whose columns are in the order of training.
        like: what training knows of the columns.

    Raises:
        DataError: they are none of these, or do not fit.
    """
    return table_from_rows(rows, like.layout)
