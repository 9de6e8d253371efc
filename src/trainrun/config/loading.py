"""Loading of a config file: a valid config, or all of its problems at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from trainrun.config.identity import APART
from trainrun.config.merging import merge, spread
from trainrun.config.messages.phrasing import phrase
from trainrun.config.model import Config
from trainrun.config.references import refer
from trainrun.config.rendering import written
from trainrun.config.search_space import SECTION, Range, Searched, parse_space
from trainrun.config.sources import compose, nested, override
from trainrun.config.yaml.problems import Problem, UnreadableError, config_error
from trainrun.config.yaml.tree import Node, Scalar, Table, locate, marks, plain
from trainrun.config.yaml.tree import Path as KeyPath
from trainrun.errors import ConfigError

_DECIDING_ROWS = {"data.missing", "data.drop"}  # where rows with gaps are dropped
_NOTHING: Mapping[str, Node] = MappingProxyType({})


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read, merge, validate and resolve a config; its data are not looked at.

    Args:
        path: the YAML file; messages name it as it is given here.
        overrides: texts `key=value` that go on top, keys dotted, values YAML.

    Raises:
        ConfigError: with every problem that was found, each with its place; its cause is an OSError where
            that kept a file from being read.
    """
    draft = Draft(path, overrides)
    config = draft.config()
    draft.check_space()
    return config


class Draft:
    """A config as it is written: variants of it are made without reading files again.

    Args:
        path: the YAML file; messages name it as it is given here.
        overrides: texts `key=value` that go on top, keys dotted, values YAML.

    Attributes:
        space: the keys of the section `search`, in their order; empty without the section.

    Raises:
        ConfigError: a file cannot be read, or the section `search` is invalid as such.
    """

    def __init__(self, path: str | Path, overrides: Sequence[str] = ()) -> None:
        self._path, self._overrides = Path(path), _override_tables(overrides)
        self._tree, self._problems = _compose(path, overrides)
        self._files = _compose(path, ())[0] if overrides else self._tree
        self.space: tuple[Searched, ...] = ()
        if SECTION in self._tree.entries:
            found, problems = parse_space(self._tree.entries[SECTION].node)
            self._tree = self._tree.without((SECTION,))
            self._problems += problems
            self.space = () if problems else tuple(found)
        changed = {text.partition("=")[0].strip() for text in overrides} - APART - {SECTION}
        self._is_changed = any(not key.startswith(f"{SECTION}.") for key in changed)

    @property
    def files(self) -> set[str]:
        """The real paths of the files that it is made of, but for those whose keys others replace."""
        sources = {mark.source for _, mark in marks(self._files) if mark.source.is_file}
        paths = {source.directory / Path(source.shown).name for source in sources}
        return {os.path.realpath(path) for path in (self._path, *paths)}

    def config(self, settings: Mapping[str, Node] = _NOTHING) -> Config:
        """Return the config with some keys set, as `--set` would.

        Args:
            settings: values by dotted key.

        Raises:
            ConfigError: with every problem that was found, each with its place.
        """
        tree = reduce(merge, _layers(settings), self._tree)
        config = _valid(_complete(tree, self._path), self._problems)
        if settings:
            return config.with_origin("search")
        return config.with_origin("set") if self._is_changed else config

    def on_top(self, settings: Mapping[str, Node]) -> dict[str, Any]:
        """Return the mapping that a config needs which extends this one, to have these settings.

        What `--set` changed is in it, with absolute paths.

        Args:
            settings: values by dotted key.
        """
        changed = reduce(merge, [*self._overrides, *_layers(settings)], Table(self._tree.mark, {}))
        values: dict[str, Any] = {}
        for key, entry in changed.entries.items():
            if key == "data":
                data = spread(entry.node, ("data",))
                values[key] = _writable(plain(refer(data) if isinstance(data, Table) else data))
            elif self._means_the_same(key, changed, settings):
                values[key] = _writable(plain(entry.node))
            else:
                values[key] = written(key, getattr(self.config(settings), key))
        return values

    def _means_the_same(self, key: str, changed: Table, settings: Mapping[str, Node]) -> bool:
        """Return whether all changes of a key at once give what they give one after the other.

        They may not: whether `momentum` stays depends on the name that the optimizer has in between.
        """
        one_by_one = reduce(merge, _layers(settings), self._tree)
        return plain(merge(self._files, changed))[key] == plain(one_by_one)[key]

    def check_space(self) -> None:
        """Check each value of the section `search` alone, in the config without the other keys.

        A range of a key that takes whole numbers only becomes one of whole numbers.

        Raises:
            ConfigError: with every value that the config does not take, each with its place.
        """
        base = self.config()
        monitor = base.early_stopping.monitor
        problems: list[str] = []
        found = []
        for one in self.space:
            told: dict[str, str] = {}  # an unknown key has one problem, not one for each of its values
            for node in one.ends:
                try:
                    tried = self.config({one.key: node})
                except ConfigError as error:
                    for problem in error.problems:
                        told.setdefault(problem.removeprefix(str(node.mark)), f"{problem} (in {SECTION})")
                    continue
                if tried.early_stopping.monitor != monitor:
                    sentence = f"every value must monitor {monitor}, this one monitors"
                    problems.append(
                        f"{node.mark}: {SECTION}.{one.key}: {sentence} {tried.early_stopping.monitor}"
                    )
                if one.key in _DECIDING_ROWS and "drop" in (base.data.missing, tried.data.missing):
                    sentence = "cannot be searched with data.missing: drop, which leaves out other rows then"
                    told.setdefault("rows", f"{node.mark}: {SECTION}.{one.key}: {sentence}")
            problems += told.values()
            found.append(self._in_whole_numbers(one) if isinstance(one, Range) and not problems else one)
        if problems:
            raise ConfigError(dict.fromkeys(problems))
        self.space = tuple(found)

    def _in_whole_numbers(self, one: Range) -> Range:
        """Return the same range, of whole numbers where its key takes no others."""
        if one.step is not None or not (isinstance(one.low, int) and isinstance(one.high, int)):
            return one
        try:
            self.config({one.key: one.node(one.low + 0.5)})
        except ConfigError:
            return replace(one, is_whole=True)
        return one


def load_saved(path: str | Path) -> tuple[Config, list[str]]:
    """Read the config that a run has saved, perhaps with another release.

    Args:
        path: its config.yaml.

    Returns:
        The config, and the dotted keys that were ignored because this release does not know them.

    Raises:
        ConfigError: as `load_config` does, but not about unknown keys.
    """
    written, problems = _compose(path, ())
    tree = _complete(written, Path(path))
    unknown = list(_unknown_keys(tree))
    for key in unknown:
        tree = tree.without(key)
    return _valid(tree, problems), [".".join(map(str, key)) for key in unknown]


def _override_tables(overrides: Sequence[str]) -> list[Table]:
    """Return what `--set` changes in the recipe itself."""
    try:
        tables = [override(text) for text in overrides]
    except UnreadableError as error:
        raise config_error([error.problem]) from error.__cause__
    return [one for one in tables if not one.entries.keys() & {"name", "extends", SECTION}]


def _layers(settings: Mapping[str, Node]) -> list[Table]:
    """Settings as layers, what lies in another one on top of that: `dropout.hidden` on `dropout`."""
    by_depth = sorted(settings.items(), key=lambda pair: pair[0].count("."))
    return [nested(key, node, node.mark) for key, node in by_depth]


def _writable(value: Any) -> Any:
    """A value of a tree as YAML can write it."""
    if isinstance(value, Mapping):
        return {key: _writable(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_writable(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _compose(path: str | Path, overrides: Sequence[str]) -> tuple[Table, list[Problem]]:
    try:
        return compose(path, overrides)
    except UnreadableError as error:
        raise config_error([error.problem]) from error.__cause__


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
