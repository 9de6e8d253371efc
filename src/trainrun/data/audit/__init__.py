"""Looks at a data set for what makes its figures wrong: leaks, repeated rows, ids, constants, odd rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from trainrun.data.audit.columns import describe_constants, describe_ids
from trainrun.data.audit.leaks import describe_leaks, find_leaks
from trainrun.data.audit.ranges import describe_outside
from trainrun.data.audit.repeats import HashedRows, describe_repeats
from trainrun.data.dataset import Part
from trainrun.data.preprocessing.preprocessing import Preprocessing
from trainrun.data.table import Rows, Table
from trainrun.notes import Note

__all__ = ["audit"]


def audit(
    table: Table,
    train: tuple[Rows, Part],
    held: Mapping[str, tuple[Table, Rows, Part]],
    preprocessing: Preprocessing,
) -> tuple[Note, ...]:
    """Look at prepared data, and describe what makes its figures wrong.

    Args:
        table: the training file.
        train: its training rows, and what a net sees of them.
        held: the same with their table for each held-out part, by the words that name it.
        preprocessing: what was fitted on the training rows.
    """
    rows, part = train
    hashed = HashedRows.of(part)
    looked = hashed.different if hashed.copied else np.arange(len(rows))
    leaks = find_leaks(table, rows[looked], part.y[looked], preprocessing)
    ids, numbered = describe_ids(table, rows, preprocessing, {leak.column for leak in leaks})
    return (
        *describe_leaks(leaks, preprocessing.target.name, numbered, copied=hashed.copied),
        *ids,
        *describe_constants(table, rows, preprocessing, {leak.column for leak in leaks}),
        *(
            note
            for where, one in held.items()
            for note in _of_held(where, *one, table, hashed, preprocessing)
        ),
    )


def _of_held(
    where: str,
    source: Table,
    rows: Rows,
    part: Part,
    table: Table,
    train: HashedRows,
    preprocessing: Preprocessing,
) -> Iterator[Note]:
    yield from describe_repeats(where, part, train, same_file=source is table)
    yield from describe_outside(where, source, rows, preprocessing)
