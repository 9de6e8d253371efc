"""Loading of the arrays that a net trains on, from a config's `data`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trainrun.config import Config
from trainrun.config.keys.data import DataConfig
from trainrun.data.audit import audit
from trainrun.data.columns.vocabulary import as_text
from trainrun.data.dataset import Dataset, Part
from trainrun.data.inputs import read_part_file, read_training_file, target_name
from trainrun.data.notes import describe_columns, describe_rows
from trainrun.data.preprocessing.preprocessing import (
    Preprocessing,
    feature_columns,
    fit_preprocessing,
    refuse_missing,
)
from trainrun.data.preprocessing.targets import Target
from trainrun.data.splits import in_fold, part_sizes, room_for_classes, split_rows, train_on_every_class
from trainrun.data.table import Rows, Table, complete_rows, missing
from trainrun.errors import DataError
from trainrun.streams import Purpose, stream
from trainrun.text import listed, nearest, quoted


def load_dataset(config: Config) -> Dataset:
    """Read, split and preprocess the data of a config, as its net takes them.

    Args:
        config: the config; its seed draws the split where `split.seed` is `run`.

    Raises:
        DataError: the data cannot be used as it is.
        DataMissingError: a file is not there.
    """
    return load_data(config.data, config.seed, config.embeddings.categories)


def dataset_key(config: Config) -> str:
    """Return a text that is equal for configs whose datasets are the same."""
    seed = config.seed if config.data.split.seed == "run" else None
    return repr((config.data, config.embeddings.categories, seed))


def load_data(data: DataConfig, seed: int, categories: str | int = "none") -> Dataset:
    """Read, split and preprocess data.

    Args:
        data: the config's section.
        seed: the run's, which draws the split where `split.seed` is `run`.
        categories: the config's `embeddings.categories`: which text columns become codes.

    Raises:
        DataError: the data cannot be used as it is.
        DataMissingError: a file is not there.
    """
    return prepare(read_training_file(data), data, seed, categories)


def prepare(table: Table, data: DataConfig, seed: int, categories: str | int = "none") -> Dataset:
    """Split and preprocess a table as a config says.

    Args:
        table: the training file.
        data: the config's section.
        seed: the run's, which draws the split where `split.seed` is `run`.
        categories: as of `load_data`.

    Raises:
        DataError: the data cannot be used as it is.
        DataMissingError: the file of a part is not there.
    """
    name = target_name(data)
    columns = (*_check_columns(table, data, name), name)
    rows = _usable(table, columns, data)
    target = Target.of(table, name, data.task, rows)
    train, *held = _split(table, rows, data, target, seed)
    target = _fit_target(table, train, rows, data, target)
    preprocessing = fit_preprocessing(table, train, data, target, categories)
    parts: dict[str, Part | None] = {}
    sources: dict[str, tuple[Table, Rows]] = {}
    notes = describe_rows("data", table, rows, preprocessing)
    for key, cut in zip(("valid", "test"), held, strict=True):
        file = read_part_file(data, key, preprocessing.layout)
        source, used = (table, cut) if file is None else (file, _usable(file, columns, data))
        parts[key] = _part(source, used, preprocessing) if len(used) else None
        if len(used):
            sources[key] = source, used
        notes += () if file is None else describe_rows(f"data.{key}", file, used, preprocessing)
    trained = _part(table, train, preprocessing)
    held_out = {
        f"data.{key}" if source is not table else f"{key} part": (source, used, part)
        for key, (source, used) in sources.items()
        if (part := parts[key])
    }
    odd = audit(table, (train, trained), held_out, preprocessing)
    ids = {note.column for note in odd if note.kind == "id"}  # new rows have other values in these columns
    notes += tuple(
        replace(note, loud=note.loud and not (note.kind == "unseen" and note.column in ids))
        for note in describe_columns(table, train, sources, preprocessing)
    )
    notes += odd
    return Dataset(
        train=trained,
        valid=parts["valid"],
        test=parts["test"],
        preprocessing=preprocessing,
        notes=notes,
    )


def _check_columns(table: Table, data: DataConfig, target: str) -> tuple[str, ...]:
    """The features, once every column that the config names is found to be there."""
    categorical = () if data.categorical == "auto" else data.categorical
    group = () if data.split.group is None else (data.split.group,)
    named = {"target": (target,), "drop": data.drop, "categorical": categorical, "split.group": group}
    for key, names in named.items():
        for name in names:
            if name not in table.header:
                near = nearest(name, table.header)
                if not near:
                    near = f"; it has {listed(table.header)}"
                    if table.cut_at and key == "target":
                        near += f", cut at {quoted(table.cut_at)}; if that is wrong, say data.delimiter"
                raise DataError(f"data.{key}: {table.place} has no column {quoted(name)}{near}")
    if target in data.drop:
        raise DataError(f"data.drop: {quoted(target)} is the target, which cannot be left out")
    features = feature_columns(table, data, target)
    if not features:
        raise DataError(f"{table.place}: has no column to learn from beside the target {quoted(target)}")
    return features


def _usable(table: Table, columns: tuple[str, ...], data: DataConfig) -> Rows:
    """The rows that are used: all, or with `missing: drop` the complete ones."""
    rows = table.every_row()
    there = tuple(name for name in columns if name in table)  # what is not, is said by who needs it
    if data.missing == "drop":
        rows = complete_rows(table, there, rows)
        if not len(rows):
            raise DataError(
                f"{table.place}: every row has a missing value, and data.missing: drop leaves none"
            )
    elif data.missing == "error":
        refuse_missing(table, there, rows)
    return rows


def _split(table: Table, rows: Rows, data: DataConfig, target: Target, seed: int) -> tuple[Rows, Rows, Rows]:
    split = data.split
    valid = 0 if data.valid is not None else split.valid
    test = 0 if data.test is not None or split.fold else split.test
    sizes = part_sizes(len(rows), valid, test, table.place)
    random = stream(seed if split.seed == "run" else split.seed, Purpose.SPLIT)
    if split.stratify is True and (split.group is not None or target.labels is None):
        why = "groups are kept whole" if split.group is not None else "the target is a number"
        raise DataError(f"data.split.stratify: cannot be true where {why}; say auto")
    if folds := split.place_of_fold:
        rest, held = _cut_fold(table, rows, data, target, random, folds)
        sizes = part_sizes(len(rest), sizes[1], 0, table.place)
        train, chosen, _ = _cut(table, rest, data, target, random, sizes, (valid, 0))
        return train, chosen, held
    return _cut(table, rows, data, target, random, sizes, (valid, test))


def _cut_fold(
    table: Table,
    rows: Rows,
    data: DataConfig,
    target: Target,
    random: np.random.Generator,
    folds: tuple[int, int],
) -> tuple[Rows, Rows]:
    """Return the rows outside of a fold, and those in it."""
    place, count = folds
    if count > len(rows):
        raise DataError(f"{table.place}: data.split.fold: {len(rows)} rows are too few for {count} folds")
    groups = classes = None
    if data.split.group is not None:
        groups = _groups(table, rows, data.split.group, count + 1)
    elif target.labels is not None and data.split.stratify is not False:
        classes = target.encode(table, rows)
    inside = in_fold(rows, place, count, random, classes=classes, groups=groups)
    if classes is not None:
        inside &= np.bincount(classes)[classes] > 1  # training needs the only row of a class
    return rows[~inside], rows[inside]


def _cut(
    table: Table,
    rows: Rows,
    data: DataConfig,
    target: Target,
    random: np.random.Generator,
    sizes: tuple[int, int, int],
    shares: tuple[float, float],
) -> tuple[Rows, Rows, Rows]:
    """Return the rows of each part; a size that is a fraction in `shares` may give up a row."""
    split = data.split
    if split.group is not None:
        groups = _groups(table, rows, split.group, sum(size > 0 for size in sizes))
        return split_rows(rows, sizes, random, groups=groups)
    if target.labels is None:
        return split_rows(rows, sizes, random)
    classes = target.encode(table, rows)
    sizes = room_for_classes(sizes, shares, len(target.classes), table.place)
    parts = split_rows(rows, sizes, random, classes=None if split.stratify is False else classes)
    of_table = np.zeros(table.rows, np.int64)
    of_table[rows] = classes
    return train_on_every_class(parts, of_table, random)


def _groups(table: Table, rows: Rows, name: str, parts: int) -> np.ndarray:
    """Return each row's group, int [n] from 0."""
    column = table[name]
    gaps = rows[missing(column, rows)]
    if len(gaps):
        raise table.fault(name, gaps, "the group is missing", "fill it in")
    _, groups = np.unique(as_text(column).codes[rows], return_inverse=True)
    count = int(groups.max()) + 1
    if count < parts:
        where = f"{table.place}: column {quoted(name)}"
        raise DataError(f"{where}: {count} groups are too few for {parts} parts; make data.split smaller")
    return groups


def _fit_target(table: Table, train: Rows, rows: Rows, data: DataConfig, target: Target) -> Target:
    """The target with its training rows' scale; every class must be among them."""
    if target.labels is None:
        return target if data.scale_target == "none" else target.standardised(table, train)
    codes = target.encode(table, rows)
    absent = ~np.isin(codes, target.encode(table, train))
    if absent.any():
        label = quoted(target.labels.words[codes[absent][0]])
        advice = "leave these rows out, or say another data.split"
        raise table.fault(target.name, rows[absent], f"no row of class {label} fell to training", advice)
    return target.respelled(table, train)


def _part(table: Table, rows: Rows, preprocessing: Preprocessing) -> Part:
    return Part(preprocessing.transform(table, rows), preprocessing.targets(table, rows))
