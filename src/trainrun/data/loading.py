"""From a config's `data` to the arrays that a net trains on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainrun.config.data_section import DataConfig
from trainrun.data.bundled import TARGET, bundled_files, read_bundled
from trainrun.data.dataset import Dataset, Part
from trainrun.data.files import listed, nearest, place_of, quoted, sha256
from trainrun.data.layout import Layout
from trainrun.data.notes import describe_rows
from trainrun.data.preprocessing import Preprocessing, feature_columns, fit_preprocessing, refuse_missing
from trainrun.data.sources import LABELS, read_file, read_idx_pair
from trainrun.data.splits import part_sizes, split_rows
from trainrun.data.table import Rows, Table, complete_rows, missing
from trainrun.data.targets import Target
from trainrun.data.vocabulary import as_text
from trainrun.errors import DataError
from trainrun.streams import Purpose, stream

Source = tuple[Table, Rows]  # a table and those of its rows that are used


def load_data(data: DataConfig, seed: int) -> Dataset:
    """Read, split and preprocess the data of a config.

    Args:
        data: the config's section.
        seed: the run's, which draws the split where `split.seed` is `run`.

    Raises:
        DataError: the data cannot be used as it is.
        DataMissingError: a file is not there.
    """
    table = _read_training_file(data)
    name = _target_name(data)
    features = _check_columns(table, data, name)
    rows = _usable(table, (*features, name), data)
    target = Target.of(table, name, data.task, rows)
    parts = _split(table, rows, data, target, seed)
    target = _fit_target(table, parts[0], rows, data, target)
    preprocessing = fit_preprocessing(table, parts[0], data, target)
    sources: dict[str, Source] = dict(
        zip(("train", "valid", "test"), ((table, part) for part in parts), strict=True)
    )
    for key in ("valid", "test"):
        if getattr(data, key) is not None:
            other = _read_other_file(data, key, preprocessing)
            sources[key] = other, _usable(other, (*features, name), data)
    arrays = {key: _part(source, preprocessing) for key, source in sources.items()}
    assert arrays["train"] is not None
    return Dataset(
        arrays["train"],
        arrays["valid"],
        arrays["test"],
        task=target.task,
        labels=preprocessing.labels,
        target_center=target.center,
        target_scale=target.scale,
        preprocessing=preprocessing,
        notes=_notes(data, (table, rows), sources, preprocessing),
    )


def _notes(
    data: DataConfig, training: Source, sources: dict[str, Source], preprocessing: Preprocessing
) -> tuple[str, ...]:
    files = {"data": training}
    files |= {f"data.{key}": sources[key] for key in ("valid", "test") if getattr(data, key) is not None}
    return tuple(note for key, source in files.items() for note in describe_rows(key, *source, preprocessing))


def digests(data: DataConfig) -> dict[str, str]:
    """SHA-256 of every data file's bytes, by role: `path`, `target`, `valid`, `valid_target`, `test`, ...

    Raises:
        DataMissingError: a file is not there.
    """
    return {role: sha256(place_of(f"data.{key}", path), path) for role, (key, path) in _files(data).items()}


def _files(data: DataConfig) -> dict[str, tuple[str, Path]]:
    """Every data file by its role, with the key that names it."""
    if data.source is not None:
        return {role: ("source", path) for role, path in bundled_files(data.source).items()}
    files: dict[str, tuple[str, Path]] = {}
    for key in ("path", "target", "valid", "test"):
        value = getattr(data, key)
        if isinstance(value, Path):
            files[key] = key, value
        elif isinstance(value, tuple):
            files[key], files[f"{key}_target"] = (key, value[0]), (key, value[1])
    return files


def _target_name(data: DataConfig) -> str:
    if data.source is not None:
        return TARGET
    return data.target if isinstance(data.target, str) else LABELS


def _read_training_file(data: DataConfig) -> Table:
    if data.source is not None:
        return read_bundled(data.source)
    assert data.path is not None  # the config's own check: one of the two is given
    keep = {_target_name(data), data.split.group}
    layout = Layout(
        na=data.na,
        header=data.header,
        delimiter=data.delimiter,
        target=_target_name(data),
        skip=frozenset(data.drop) - keep,
        texts=frozenset(() if data.categorical == "auto" else data.categorical),
    )
    place = place_of("data.path", data.path)
    if isinstance(data.target, Path):
        places = place, place_of("data.target", data.target)
        return read_idx_pair((data.path, data.target), places, layout)
    return read_file(data.path, place, layout)


def _read_other_file(data: DataConfig, key: str, preprocessing: Preprocessing) -> Table:
    value = getattr(data, key)
    if isinstance(value, tuple):
        places = (place_of(f"data.{key}", value[0]), place_of(f"data.{key}", value[1]))
        return read_idx_pair(value, places, preprocessing.layout)
    return read_file(value, place_of(f"data.{key}", value), preprocessing.layout)


def _check_columns(table: Table, data: DataConfig, target: str) -> tuple[str, ...]:
    """The features, once every column that the config names is found to be there."""
    categorical = () if data.categorical == "auto" else data.categorical
    named = {
        "target": (target,),
        "drop": data.drop,
        "categorical": categorical,
        "split.group": (data.split.group,),
    }
    known = (*table.header, *table.names)
    for key, names in named.items():
        for name in names:
            if name is not None and name not in known:
                near = nearest(name, known) or f"; it has {listed(table.header)}"
                raise DataError(f"data.{key}: {table.place} has no column {quoted(name)}{near}")
    if target in data.drop:
        raise DataError(f"data.drop: {quoted(target)} is the target, which cannot be left out")
    features = feature_columns(table, data, target)
    if not features:
        raise DataError(f"{table.place}: has no column to learn from beside the target {quoted(target)}")
    return features


def _usable(table: Table, names: tuple[str, ...], data: DataConfig) -> Rows:
    """The rows that are used: all, or with `missing: drop` the complete ones."""
    rows = table.every_row()
    there = tuple(name for name in names if name in table.names)  # what is not there is said by who needs it
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
    sizes = part_sizes(
        len(rows),
        0 if data.valid is not None else split.valid,
        0 if data.test is not None else split.test,
        table.place,
    )
    random = stream(seed if split.seed == "run" else split.seed, Purpose.SPLIT)
    groups = _groups(table, rows, split.group, sizes) if split.group is not None else None
    if split.stratify is True and (groups is not None or target.labels is None):
        why = "groups are kept whole" if groups is not None else "the target is a number"
        raise DataError(f"data.split.stratify: cannot be true where {why}; say auto")
    stratified = target.labels is not None and split.stratify is not False
    classes = target.encode(table, rows) if stratified else None
    return split_rows(rows, sizes, random, classes=classes, groups=groups)


def _groups(table: Table, rows: Rows, name: str, sizes: tuple[int, int, int]) -> np.ndarray:
    column = table[name]
    gaps = rows[missing(column, rows)]
    if len(gaps):
        raise table.fault(name, gaps, "the group is missing", "fill it in")
    _, groups = np.unique(as_text(column).codes[rows], return_inverse=True)
    wanted = sum(size > 0 for size in sizes)
    if groups.max() + 1 < wanted:
        raise DataError(
            f"{table.place}: column {quoted(name)}: has {groups.max() + 1} groups, too few for {wanted} parts"
        )
    return groups


def _fit_target(table: Table, train: Rows, rows: Rows, data: DataConfig, target: Target) -> Target:
    """The target with its training rows' scale; every class must be among them."""
    if target.labels is None:
        return target if data.scale_target == "none" else target.standardised(table, train)
    codes = target.encode(table, rows)
    absent = ~np.isin(codes, target.encode(table, train))
    if absent.any():
        label = quoted(target.labels.words[codes[absent][0]])
        mend = "leave these rows out, or say another data.split"
        raise table.fault(target.name, rows[absent], f"no row of class {label} fell to training", mend)
    return target


def _part(source: Source, preprocessing: Preprocessing) -> Part | None:
    table, rows = source
    if not len(rows):
        return None
    return Part(preprocessing.transform(table, rows), preprocessing.targets(table, rows))
