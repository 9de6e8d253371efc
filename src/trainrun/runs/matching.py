"""Check that a directory holds the config to train, and list differences from the run before."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from trainrun.config import Config, load_config
from trainrun.config.identity import differences
from trainrun.config.rendering import brief
from trainrun.errors import DifferentRunError, TrainrunError
from trainrun.os_errors import explained
from trainrun.runs.files import NOT_A_FILE_OF_OURS, read_bytes
from trainrun.runs.naming import group_of_name, newest
from trainrun.runs.paths import groups, seeds, split_group
from trainrun.runs.reading import Run, require_plain
from trainrun.text import printable

DIFFERS = "Differs from"  # how the note on a new config begins


def require_same(run: Run, config: Config) -> None:
    """Check that a run directory, if it exists, belongs to this config.

    Raises:
        DifferentRunError: it holds another config, an invalid one, or a result that no run wrote.
        StorageError: the system cannot read them.
    """
    if closed := run.closed:
        raise closed from run.read_error
    require_same_group(run, config)
    _require_config(run, run.paths.config, config)
    require_seed(run, config.seed)
    if read_error := run.read_error:
        shown, name = printable(str(run.directory)), run.paths.result.name
        _blame_the_system(read_error, run.paths.result)
        raise DifferentRunError(f"{shown}: its {name} is not one that a run writes; move it away")


def require_same_group(run: Run, config: Config) -> None:
    """Check that the folder of a config's runs, if it exists, belongs to this config.

    Raises:
        DifferentRunError: it holds another config, or an invalid one.
        StorageError: the system cannot read it.
    """
    _require_config(run, run.paths.group_config, config)


def require_seed(run: Run, seed: int) -> None:
    """Check that the saved config of a run, if it names a seed, names this one. Fast: comparisons read many.

    Raises:
        DifferentRunError: the run is of another seed, for example a copied directory.
    """
    with suppress(OSError):
        found = re.search(rb"^seed: ([0-9]{1,20})$", read_bytes(run.paths.config), re.MULTILINE)
        if found and int(found[1]) != seed:
            other, shown = int(found[1]), printable(str(run.directory))
            raise DifferentRunError(f"{shown}: holds the run of seed {other}, not {seed}; move it away")


def difference_note(runs: Path, config: Config, id8: str) -> str | None:
    """`Differs from <dir>: key: old -> new`: how a new config differs from what its name meant so far.

    Args:
        runs: the folder of runs.
        config: the config to be fitted.
        id8: its identity; runs that bear it are the same config.

    Returns:
        The line, or None where this config has runs already or is the first of its name.
    """
    everything = [(group, *split_group(group.name)) for group in groups(runs)]
    if any(other == id8 for _, _, other in everything):
        return None
    try:
        before, _ = group_of_name(config.name, [group for group, *_ in everything])
        last = newest(map(Run, seeds(before))) if before else None
        if last is None:
            return None
        found = differences(last.config, config)
    except (TrainrunError, OSError):
        return None  # an unreadable directory does not prevent training
    return f"{DIFFERS} {printable(str(before))}: {_changes(found) or 'the data'}"


def _require_config(run: Run, place: Path, config: Config) -> None:
    if not os.path.lexists(place):
        return
    shown = printable(str(run.directory))
    try:
        require_plain(place)
        found = differences(load_config(place), config)  # to train on, all keys must be known
    except TrainrunError as error:
        _blame_the_system(error, place)
        raise DifferentRunError(f"{shown}: its config cannot be read: {error}") from error
    if found:
        raise DifferentRunError(
            f"{shown}: holds another config than this command would write ({_changes(found)});"
            " move it away or use another --runs"
        )


def _blame_the_system(error: Exception, path: Path) -> None:
    """Raise a StorageError where a file could not be read by no fault of its own."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError) and cause.errno not in NOT_A_FILE_OF_OURS:
        with explained(path, "be read"):
            raise cause


def _changes(found: list[tuple[str, object, object]]) -> str:
    return printable(", ".join(f"{key}: {brief(old)} -> {brief(new)}" for key, old, new in found))
