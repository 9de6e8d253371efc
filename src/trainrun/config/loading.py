"""Loading of a config file: a valid config, or all of its problems at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from trainrun.config.identity import APART
from trainrun.config.merging import spread
from trainrun.config.messages.phrasing import phrase
from trainrun.config.model import Config
from trainrun.config.references import refer
from trainrun.config.sources import compose
from trainrun.config.yaml.problems import Problem, UnreadableError, config_error
from trainrun.config.yaml.tree import Path as KeyPath
from trainrun.config.yaml.tree import Scalar, Table, locate, marks, plain


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read, merge, validate and resolve a config; its data are not looked at.

    Args:
        path: the YAML file; messages name it as it is given here.
        overrides: texts `key=value` that go on top, keys dotted, values YAML.

    Raises:
        ConfigError: with every problem that was found, each with its place; its cause is an OSError where
            that kept a file from being read.
    """
    tree, problems = _read(path, overrides)
    config = _valid(tree, problems)
    changed = {text.partition("=")[0].strip() for text in overrides} - APART
    return config.with_origin("set") if changed else config


def load_saved(path: str | Path) -> tuple[Config, list[str]]:
    """Read the config that a run has saved, perhaps with another release.

    Args:
        path: its config.yaml.

    Returns:
        The config, and the dotted keys that were ignored because this release does not know them.

    Raises:
        ConfigError: as `load_config` does, but not about unknown keys.
    """
    tree, problems = _read(path, ())
    unknown = list(_unknown_keys(tree))
    for key in unknown:
        tree = tree.without(key)
    return _valid(tree, problems), [".".join(map(str, key)) for key in unknown]


def _read(path: str | Path, overrides: Sequence[str]) -> tuple[Table, list[Problem]]:
    try:
        written, problems = compose(path, overrides)
    except UnreadableError as error:
        raise config_error([error.problem]) from error.__cause__
    return _complete(written, Path(path)), problems


def _valid(tree: Table, problems: Sequence[Problem]) -> Config:
    """Return the config of a tree; `problems` were found before."""
    try:
        config = Config.model_validate(plain(tree))
    except ValidationError as error:
        raise config_error([*problems, *phrase(error.errors(include_url=False), tree)]) from None
    if problems:
        raise config_error(problems)
    places = {key: str(mark) for key, mark in marks(tree)}
    return config.placed({"": tree.mark.source.shown, **places})


def _unknown_keys(tree: Table) -> Iterator[KeyPath]:
    try:
        Config.model_validate(plain(tree))
    except ValidationError as error:
        for found in error.errors(include_url=False):
            if found["type"] == "extra_forbidden":
                yield locate(tree, found["loc"])[0]


def _complete(tree: Table, path: Path) -> Table:
    """The tree with its name, its files found and its columns read as text."""
    name = tree.get("name") or Scalar(tree.mark, _name(path), path.stem)
    if isinstance(name, Scalar) and isinstance(name.value, int | float) and not isinstance(name.value, bool):
        name = replace(name, value=name.text)
    tree = tree.put("name", name)
    data = tree.get("data")
    if data is None:
        return tree
    data = spread(data, ("data",))
    return tree.put("data", refer(data) if isinstance(data, Table) else data)


def _name(path: Path) -> str:
    """A name from the file's: its stem, with `-` for what a name may not hold."""
    allowed = re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).lstrip("._-")
    return allowed[:100] or "config"
