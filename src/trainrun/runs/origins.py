"""How the configs of runs came about: fitted as written in a file, or with changes from a command line."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from trainrun.errors import TrainrunError
from trainrun.runs.files import NOT_A_FILE_OF_OURS, explained, read_bytes
from trainrun.runs.journal import Journal
from trainrun.runs.reading import Run

if TYPE_CHECKING:
    from trainrun.config import Config

_ASKED = "asked"  # the event of a command that found the run finished
_CHANGING = ("--set", "--vs", "--ablate")  # options that make another config than the file has


def is_written(run: Run) -> bool:
    """Return whether a run was ever asked for by its own name, with the config as written in a file.

    Raises:
        StorageError: its events may not be read.
    """
    with explained(run.paths.events, "be read"):
        try:
            read_bytes(run.paths.events)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in NOT_A_FILE_OF_OURS:
                raise
    return any(_says_written(event, run.name) for event in run.events)


def record_request(run: Run, config: Config) -> None:
    """Record that a finished run was asked for as its config is written, unless its events say so.

    Args:
        run: the finished run.
        config: what was asked for.
    """
    if config.origin != "written" or config.name != run.name:
        return
    with suppress(TrainrunError):  # a folder that cannot be written to hinders nobody
        if not is_written(run):
            Journal(run.paths.events).record(_ASKED, name=config.name, origin=config.origin)


def _says_written(event: Mapping[str, Any], name: str) -> bool:
    if event.get("event") not in ("start", _ASKED):
        return False
    if "origin" in event:
        return event["origin"] == "written" and event.get("name") == name
    return _is_plain(event.get("command"))


def _is_plain(command: Any) -> bool:
    """Return whether a command line changed no config: older releases recorded nothing else."""
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        return False
    words = [word.partition("=")[0] for word in command[1:]]
    return words[:1] in (["fit"], ["compare"]) and not set(_CHANGING) & set(words)
