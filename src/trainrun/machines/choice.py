"""Choice of the machine that `--on` names, with the settings of a user's or a site's file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from trainrun.errors import UnavailableError, UsageError
from trainrun.machines.machine import Machine, SettingError
from trainrun.text import nearest, printable, quoted

if TYPE_CHECKING:
    from trainrun.config.yaml.problems import Problem
    from trainrun.config.yaml.tree import Entry, Table

#: The name that means this process.
LOCAL = "local"
_GROUP = "trainrun.machines"
_SECTION = "machines"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_EXAMPLE = "such as `machines: {gpu: {on: slurm, partition: gpu}}`"


@dataclass(frozen=True)
class _Entry:
    """An entry of the machines file.

    Attributes:
        place: of its name in the file.
        settings: its settings as they are written.
        places: of the settings.
    """

    place: str
    settings: Mapping[str, str]
    places: Mapping[str, str]


def choose_machine(text: str) -> Machine | None:
    """Return the machine that a text names.

    Args:
        text: `local`, `slurm`, `slurm:partition=gpu,time=4h`, or the name of an entry of the machines file.

    Returns:
        The machine; None for `local`.

    Raises:
        UsageError: nothing is named so, or a setting is unknown or wrong.
        ConfigError: the machines file is invalid.
        UnavailableError: its package cannot be imported.
    """
    name, _, rest = text.partition(":")
    if name == LOCAL:
        if rest:
            raise UsageError("--on local: takes no settings")
        return None
    entries = _entries()
    entry = entries.get(name, _Entry("", {}, {}))
    settings = dict(entry.settings)
    kind = settings.pop("on", name)
    found = _kinds()
    if kind not in found:
        raise UsageError(_unknown(name, kind, entry, [*found, *entries]))
    machine = _load(kind, found[kind])
    behind = machine.parse(rest)
    try:
        return machine({**settings, **behind})
    except SettingError as error:
        if error.word in behind or error.word not in entry.places:
            raise
        raise UsageError(f"{entry.places[error.word]}: {error.sentence}") from None


def names() -> list[str]:
    """Return what `--on` may name.

    Raises:
        ConfigError: the machines file is invalid.
    """
    return list(dict.fromkeys([LOCAL, *sorted(_kinds()), *_entries()]))


def machines_file() -> Path | None:
    """Return the file with a user's or a site's machines, if there is one.

    `$TRAINRUN_MACHINES` comes first, then the user's settings, then the site's.
    """
    if named := os.environ.get("TRAINRUN_MACHINES"):
        return Path(named)
    places = [Path("/etc/trainrun/machines.yaml")]
    if home := os.environ.get("HOME"):
        places.insert(0, Path(home, ".config", "trainrun", "machines.yaml"))
    if folder := os.environ.get("XDG_CONFIG_HOME"):
        places.insert(0, Path(folder, "trainrun", "machines.yaml"))
    return next((place for place in places if place.is_file()), None)


def _unknown(name: str, kind: str, entry: _Entry, others: list[str]) -> str:
    """Return the sentence about a machine that there is not."""
    hint = nearest(kind, [LOCAL, *others]) or f"; there are {', '.join(map(printable, [LOCAL, *others]))}"
    if not entry.place:
        return f"--on {quoted(name)}: no such machine{hint}"
    if kind == name:
        return f"{entry.place}: {printable(name)}: must say what it is, such as `on: slurm`"
    return f"{entry.places['on']}: on: no such machine {quoted(kind)}{hint}"


def _entries() -> dict[str, _Entry]:
    """The entries of the machines file."""
    path = machines_file()
    if path is None:
        return {}
    from trainrun.config.yaml.parser import parse
    from trainrun.config.yaml.problems import Problem, UnreadableError, config_error
    from trainrun.config.yaml.tree import Source, Table
    from trainrun.os_errors import why_unreadable
    from trainrun.runs.files import read_bytes

    try:
        root, problems = parse(read_bytes(path.resolve()), Source(str(path), path.parent))
    except OSError as error:
        raise UsageError(f"{printable(str(path))}: {why_unreadable(error)}") from None
    except UnreadableError as error:
        raise config_error([error.problem]) from None
    section = root.entries.get(_SECTION) if isinstance(root, Table) else None
    if not isinstance(root, Table) or section is None or not isinstance(section.node, Table):
        place = section.mark if section else root.mark
        raise config_error([Problem(place, "", f"must have a section machines, {_EXAMPLE}")])
    problems += [
        Problem(entry.mark, key, "unknown key: the file holds the section machines alone")
        for key, entry in root.entries.items()
        if key != _SECTION
    ]
    problems += _problems(section.node)
    if problems:
        raise config_error(problems)
    return {name: _entry(found) for name, found in section.node.entries.items()}


def _problems(section: Table) -> list[Problem]:
    """Return the problems of entries that no machine would take."""
    from trainrun.config.yaml.problems import Problem
    from trainrun.config.yaml.tree import Scalar, Table

    found = []
    for name, entry in section.entries.items():
        if name == LOCAL or not _NAME.fullmatch(name):
            found.append(Problem(entry.mark, name, "must be another name: letters, digits, ., - and _"))
        if not isinstance(entry.node, Table):
            found.append(Problem(entry.mark, name, "must be settings, such as `{on: slurm, partition: gpu}`"))
            continue
        for word, setting in entry.node.entries.items():
            if not isinstance(setting.node, Scalar) or setting.node.value is None:
                found.append(Problem(setting.mark, f"{name}.{word}", "must be one value"))
    return found


def _entry(found: Entry) -> _Entry:
    settings = {word: one.node.text for word, one in found.node.entries.items()}  # type: ignore[union-attr]
    places = {word: printable(str(one.mark)) for word, one in found.node.entries.items()}  # type: ignore[union-attr]
    return _Entry(printable(str(found.mark)), settings, places)


def _kinds() -> dict[str, Callable[[], object]]:
    """The kinds of machines by name, each with a function that imports its class."""
    others = {point.name: point.load for point in entry_points(group=_GROUP)}
    return {**others, "ray": _ray, "slurm": _slurm}


def _ray() -> type[Machine]:
    from trainrun.machines.ray import Ray

    return Ray


def _slurm() -> type[Machine]:
    from trainrun.machines.slurm import Slurm

    return Slurm


def _load(kind: str, load: Callable[[], object]) -> type[Machine]:
    """The class of a machine, which another package may bring along."""
    try:
        found = load()
    except (ImportError, AttributeError) as error:
        raise UnavailableError(f"--on {printable(kind)}: cannot be loaded: {printable(str(error))}") from None
    if not (isinstance(found, type) and issubclass(found, Machine)):
        raise UsageError(f"--on {printable(kind)}: {printable(repr(found))} is no subclass of Machine")
    return found
