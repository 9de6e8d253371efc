"""Record how configs of runs came about: as written in a file, or changed on a command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainrun.errors import TrainrunError
from trainrun.os_errors import explained
from trainrun.runs.files import NOT_A_FILE_OF_OURS, read_bytes
from trainrun.runs.journal import Journal
from trainrun.runs.paths import groups, seeds, split_group
from trainrun.runs.reading import LONG_AGO, Run, zoned_time

if TYPE_CHECKING:
    from trainrun.config import Config

_ASKED = "asked"  # the event of a command that found the run finished
_CHANGING = ("--set", "--vs", "--ablate")  # options that make another config than the file has


def written_groups(name: str, everything: Iterable[Path]) -> dict[Path, datetime]:
    """Return the groups of runs that were asked for under a name, with their config as written in a file.

    Args:
        name: of the config. Its group may bear another name: equal configs share their runs.
        everything: the groups to look at.

    Returns:
        When each was last asked for.

    Raises:
        StorageError: a group of this name may not be read.
        OSError: likewise.
    """
    found: dict[Path, datetime] = {}
    for group in everything:
        own = split_group(group.name)[0] == name
        times: list[datetime] = []
        try:
            for place in seeds(group):
                times += _times_written(Run(place), name, own)
        except (OSError, TrainrunError):
            if own:
                raise
        if times:
            found[group] = max(times)
    return found


def record_request(run: Run, config: Config) -> None:
    """Record that a finished run was asked for as its config is written, unless its name means it already.

    Args:
        run: the finished run.
        config: what was asked for.
    """
    if config.origin != "written":
        return
    group = run.paths.directory.parent
    with suppress(TrainrunError, OSError):  # not needed if the folder is closed
        found = written_groups(config.name, groups(group.parent))
        if max(found, key=found.__getitem__, default=None) != group:
            Journal(run.paths.events).record(_ASKED, name=config.name, origin=config.origin)


def _times_written(run: Run, name: str, own: bool) -> Iterator[datetime]:
    """Yield when a run was asked for under a name as written; `own` says that its directory has the name."""
    with explained(run.paths.events, "be read"):
        try:
            content = read_bytes(run.paths.events)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in NOT_A_FILE_OF_OURS:
                raise
            return
    if not own and json.dumps(name).encode() not in content:
        return  # most runs in a folder
    for event in run.events:
        if event.get("event") in ("start", _ASKED) and _says_written(event, name, own):
            yield zoned_time(event.get("time")) or LONG_AGO


def _says_written(event: Mapping[str, Any], name: str, own: bool) -> bool:
    if "origin" in event:
        return event["origin"] == "written" and event.get("name") == name
    return own and _is_plain(event.get("command"))


def _is_plain(command: Any) -> bool:
    """Return whether a command line changed no config: older releases recorded nothing else."""
    if not isinstance(command, Sequence) or not all(isinstance(word, str) for word in command):
        return False
    words = [word.partition("=")[0] for word in command[1:]]
    return words[:1] in (["fit"], ["compare"]) and not set(_CHANGING) & set(words)
