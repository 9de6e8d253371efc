"""The files that a config names: their digests, and the tables in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trainrun.config import Config, load_config
from trainrun.config.identity import identify
from trainrun.config.keys.data import DataConfig
from trainrun.data.files import place_of, sha256
from trainrun.data.layout import KnownLayout, TrainingLayout
from trainrun.data.readers.bundled import TARGET, bundled_files, read_bundled
from trainrun.data.readers.sources import LABELS, read_file, read_idx_pair
from trainrun.data.table import Table


def identify_config(config: Config) -> str:
    """The id8 of a config, with its data files as they are now.

    Raises:
        DataMissingError: a file is not there.
    """
    return identify(config, digests(config.data))


def identify_file(path: Path) -> str:
    """The id8 of a config file.

    Raises:
        ConfigError: it is wrong.
        DataMissingError: a data file is not there.
    """
    return identify_config(load_config(path))


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


def target_name(data: DataConfig) -> str:
    """The name of the target's column."""
    if data.source is not None:
        return TARGET
    return data.target if isinstance(data.target, str) else LABELS


def read_training_file(data: DataConfig) -> Table:
    """The rows of `path`, or of a bundled set."""
    if data.source is not None:
        return read_bundled(data.source)
    assert data.path is not None  # the config's own check: one of the two is given
    layout = TrainingLayout(
        na=data.na,
        header=data.header,
        delimiter=data.delimiter,
        target=target_name(data),
        skip=frozenset(data.drop) - {target_name(data), data.split.group},
        texts=frozenset(() if data.categorical == "auto" else data.categorical),
        asis=frozenset(() if data.split.group is None else (data.split.group,)),
        task=data.task,
        decimal=data.decimal,
    )
    place = place_of("data.path", data.path)
    if isinstance(data.target, Path):
        places = place, place_of("data.target", data.target)
        return read_idx_pair((data.path, data.target), places, layout)
    return read_file(data.path, place, layout)


def read_part_file(data: DataConfig, key: str, layout: KnownLayout) -> Table | None:
    """The rows of a validation or test file; None where the config names none.

    Args:
        data: the config's section.
        key: `valid` or `test`.
        layout: what training knows of the columns.
    """
    layout = replace(layout, part=True)
    value = getattr(data, key)
    if isinstance(value, tuple):
        places = place_of(f"data.{key}", value[0]), place_of(f"data.{key}", value[1])
        return read_idx_pair(value, places, layout)
    return None if value is None else read_file(value, place_of(f"data.{key}", value), layout)
