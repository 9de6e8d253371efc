"""Choice of the machine that `--on` names, with the settings of a user's or a site's file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from trainrun.errors import UsageError
from trainrun.machines.machine import Machine
from trainrun.text import nearest, printable

#: The name that means this process.
LOCAL = "local"
_GROUP = "trainrun.machines"


def choose_machine(text: str) -> Machine | None:
    """Return the machine that a text names.

    Args:
        text: `local`, `slurm`, `slurm:partition=gpu,time=4h`, or the name of an entry of the machines file.

    Returns:
        The machine; None for `local`.

    Raises:
        UsageError: nothing is named so, or a setting is unknown.
    """
    name, _, rest = text.partition(":")
    entries = _entries()
    settings = dict(entries.get(name, {}))
    kind = settings.pop("on", name)
    if kind == LOCAL:
        if rest or settings:
            raise UsageError("--on local: takes no settings")
        return None
    found = _kinds()
    if kind not in found:
        names = [LOCAL, *found, *entries]
        hint = nearest(name, names) or f"; there are {', '.join(map(printable, names))}"
        raise UsageError(f"--on {printable(name)}: no such machine{hint}")
    machine = found[kind]()
    return machine({**settings, **machine.parse(rest)})


def machines_file() -> Path | None:
    """Return the file with a user's or a site's machines; None where there is none.

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


def _entries() -> dict[str, dict[str, str]]:
    """The entries of the machines file, each with its settings as text."""
    path = machines_file()
    if path is None:
        return {}
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{printable(str(path))}: cannot be read: {printable(str(error))}") from error
    machines = found.get("machines") if isinstance(found, Mapping) else None
    if not isinstance(machines, Mapping) or not all(isinstance(one, Mapping) for one in machines.values()):
        raise UsageError(
            f"{printable(str(path))}: must have a section machines, such as"
            " `machines: {gpu: {on: slurm, partition: gpu}}`"
        )
    return {
        str(name): {str(key): _text(value) for key, value in one.items()} for name, one in machines.items()
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kinds() -> dict[str, Any]:
    """The kinds of machines by name, each with a function that imports its class."""
    from trainrun.machines.ray import Ray
    from trainrun.machines.slurm import Slurm

    others = {point.name: point.load for point in entry_points(group=_GROUP)}
    return {**others, "slurm": lambda: Slurm, "ray": lambda: Ray}
