"""Find the settings of a first config with which `fit` accepts a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from trainrun.config.keys.data import DataConfig, Split
from trainrun.config.references import is_idx
from trainrun.data.columns.dates import part_names
from trainrun.data.files import place_of
from trainrun.data.inputs import read_training_file, target_name
from trainrun.data.layout import TrainingLayout
from trainrun.data.loading import load_data, prepare
from trainrun.data.readers.sources import read_names
from trainrun.data.table import Column, RowError, Table, complete_rows, missing
from trainrun.errors import DataError, UsageError
from trainrun.text import listed, quoted

_INDEX = ("", *(f"__index_level_{level}__" for level in range(4)))  # an index that was saved along
_ARRAYS = ("y", "target", "labels", "label")  # what the target is mostly called
_WHOLE = Split(valid=0, test=0)
_A_FEW = 3  # rows that no column is left out for
_FEW = 0.01
_NOTHING = "\n"  # a column that no file has, of zeros


@dataclass(frozen=True)
class Start:
    """Settings of a first config.

    Attributes:
        data: its section `data`.
        columns: the columns (of an archive: the arrays) to choose from.
        guessed: whether the target is a guess.
        dropped: why each column of `data.drop` is left out.
        missing: why rows are left out; empty where none is.
        split: why nothing is held out; empty where parts are.
    """

    data: DataConfig
    columns: tuple[str, ...]
    guessed: bool
    dropped: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""
    split: str = ""

    @property
    def arrays(self) -> bool:
        """Return whether `columns` are the arrays of an archive."""
        return _is_archive(self.data.path)


def start(path: Path, target: str | None) -> Start:
    """Find the settings that `fit` needs for a table.

    Args:
        path: the table.
        target: the column to predict; None takes the last one, of an archive the array y.

    Raises:
        UsageError: the table has no such column.
        DataError: `fit` refuses the table, whatever a first config says.
        DataMissingError: it is not there.
    """
    place, guess = place_of("", path), ""
    try:
        proposed = _images(path, target) if is_idx(path) else _columns(path, place, target)
        guess = target_name(proposed.data) if proposed.guessed else ""
        return _accepted(proposed, read_training_file(proposed.data))
    except DataError as error:
        sentence = str(error).removeprefix("data.target: ").removeprefix("data.path: ")
        way = "; --target names another column" if guess and quoted(guess) in sentence else ""
        raise DataError(
            f"{sentence}\nNo config was written, since fit would refuse this table{way}"
        ) from None


def _columns(path: Path, place: str, target: str | None) -> Start:
    """Choose the target of a table or an archive, and leave out a saved index."""
    names, headed = read_names(path, place, TrainingLayout(target=target))
    index = [name for name in _INDEX if name in names and name != target]
    columns = tuple(name for name in names if name not in index)
    if target is not None and target not in columns:
        what = "arrays" if _is_archive(path) else "columns"
        raise UsageError(f"--target: {quoted(target)} is not one of the {what} {listed(columns, 30)}")
    if not columns:
        raise DataError(f"{place}: has no column with a name")
    chosen = target or _guess(path, columns)
    told = _is_archive(path) or (headed and TrainingLayout(target=chosen).has_header(names))
    data = DataConfig(path=path, target=chosen, drop=tuple(index), header="auto" if told else headed)
    return Start(
        data, columns, target is None, dict.fromkeys(index, "has no name, as an index that was saved along")
    )


def _guess(path: Path, columns: tuple[str, ...]) -> str:
    if not _is_archive(path):
        return columns[-1]
    guess = next((name for name in _ARRAYS if name in columns), None)
    if guess is None:
        raise UsageError(f"--target: is needed: one of the arrays {listed(columns, 30)}")
    return guess


def _is_archive(path: Path | None) -> bool:
    return path is not None and path.suffix.lower() == ".npz"


def _images(path: Path, target: str | None) -> Start:
    """Choose the labels' file of IDX images: by its name, beside them."""
    labels = path.parent / (target or path.name.replace("images", "labels").replace("idx3", "idx1"))
    if target is None and (labels == path or not labels.exists()):
        raise UsageError("--target: is needed: the file of the images' labels")
    return Start(DataConfig(path=path, target=labels), (), target is None)


def _accepted(proposed: Start, table: Table) -> Start:
    """Change what a config says until `fit` takes it.

    Raises:
        DataError: nothing helps.
    """
    try:
        prepare(table, proposed.data, 0)
        return proposed
    except DataError as error:
        first = error
    for change in (_leave_out_rows, _hold_nothing_out, _leave_out_columns):
        proposed = change(proposed, table)
    try:
        load_data(proposed.data, 0)
    except DataError:
        raise first from None  # the advice is about the table before these changes
    return proposed


def _leave_out_rows(proposed: Start, table: Table) -> Start:
    """Leave out rows without a target."""
    name = target_name(proposed.data)
    gaps = int(missing(table[name], table.every_row()).sum()) if name in table else 0
    if not gaps:
        return proposed
    words = [word for word in table.words.get(name, ()) if word]
    why = f"the target is missing in {gaps} of {table.rows} rows"
    used = [*table.columns, name] if name in table.apart else list(table.columns)
    left = len(complete_rows(table, used, table.every_row()))
    if left < table.rows - gaps:
        why += f"; {table.rows - left} rows go, since others have gaps elsewhere"
    if words:
        kept = json.dumps([word for word in table.na if word not in words], ensure_ascii=False)
        why += f" (as {listed(words)}; where that is a class, say na: {{only: {kept}}} instead)"
    return replace(proposed, data=_changed(proposed.data, missing="drop"), missing=why)


def _hold_nothing_out(proposed: Start, table: Table) -> Start:
    """Train on all rows where they are too few for parts."""
    rows_alone = _only(table, proposed.data, {_NOTHING: np.zeros(table.rows)})
    try:
        prepare(rows_alone, proposed.data, 0)
        return proposed
    except DataError as error:
        whole = _changed(proposed.data, split=_WHOLE)
        try:
            prepare(rows_alone, whole, 0)
        except DataError:
            raise error from None
        return replace(proposed, data=whole, split="too few rows to hold some out")


def _leave_out_columns(proposed: Start, table: Table) -> Start:
    """Leave out every column that is refused by itself."""
    data, refused, columns = proposed.data, {}, 0
    for name, parts in _features(table, target_name(data)):
        columns += 1
        try:
            prepare(_only(table, data, parts), data, 0)
        except DataError as error:
            if isinstance(error, RowError) and error.count <= max(_A_FEW, _FEW * table.rows):
                raise  # a row of totals or units, say: the column is good, and the row is not
            refused[name] = error
    if refused and len(refused) == columns:
        raise next(iter(refused.values()))
    dropped = {**proposed.dropped, **{name: _reason(name, error) for name, error in refused.items()}}
    return replace(proposed, data=_changed(data, drop=tuple(dropped)), dropped=dropped)


def _features(table: Table, target: str) -> Iterator[tuple[str, dict[str, Column]]]:
    """Yield each column of the file with what it is read as: a date as its parts."""
    for name in table.header:
        notation = table.notations.get(name)
        parts = (name, *part_names(name, notation.parts if notation else ()))
        found = {part: table.columns[part] for part in parts if part in table.columns}
        if name != target and found:
            yield name, found


def _only(table: Table, data: DataConfig, columns: dict[str, Column]) -> Table:
    """Return the table with some features and the target."""
    name = target_name(data)
    target = {name: table[name]} if name in table.columns else {}
    return replace(table, columns={**columns, **target})


def _changed(data: DataConfig, **keys: object) -> DataConfig:
    return data.model_copy(update=keys)


def _reason(name: str, error: DataError) -> str:
    """Return why a column is refused, without the place and the advice."""
    return str(error).rpartition(f"column {quoted(name)}: ")[2].partition(";")[0]
