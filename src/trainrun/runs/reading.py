"""Reading run directories. Nothing in them is trusted: whatever a file holds, a listing goes on."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trainrun.errors import StorageError
from trainrun.os_errors import explained
from trainrun.runs.files import read_bytes
from trainrun.runs.paths import RunPaths, groups, seed_of, seeds, split_group
from trainrun.runs.results import read_result
from trainrun.text import printable, short

if TYPE_CHECKING:
    from trainrun.config import Config

Status = Literal["complete", "diverged", "interrupted", "unreadable"]
LONG_AGO = datetime.min.replace(tzinfo=UTC)  # of what does not say when it was
_YEARS = range(1970, 9999)
_LONGEST_EPOCH = 2**13  # bytes of a line of metrics.jsonl
_LONGEST_SENTENCE = 500  # characters of a warning
_LONGEST_WORD = 100  # characters of what is one word


@dataclass(frozen=True)
class Run:
    """One run on disk, read as far as it is asked for.

    Args:
        directory: `<runs>/<name>-<id8>/seed-<n>`, or such a directory moved elsewhere.
    """

    directory: Path

    @cached_property
    def paths(self) -> RunPaths:
        """Its files."""
        return RunPaths(self.directory.absolute())

    @property
    def name(self) -> str:
        """The config's name, from the directory's."""
        return split_group(self.paths.directory.parent.name)[0]

    @property
    def id8(self) -> str:
        """The config's identity; empty where the directory was moved."""
        return split_group(self.paths.directory.parent.name)[1]

    @property
    def seed(self) -> int | None:
        """The run's seed; None where the directory was renamed."""
        return seed_of(self.paths.directory.name)

    @property
    def label(self) -> str:
        """`<name>-<id8>/seed-<n>`, fit for any terminal."""
        return printable(self.paths.label)

    @cached_property
    def config(self) -> Config:
        """The resolved config; raises as `saved_config` does."""
        return saved_config(self.paths.config)

    @property
    def result(self) -> dict[str, Any] | None:
        """Content of result.json; None if it is missing or invalid."""
        return self._result_or_error[0]

    @property
    def read_error(self) -> OSError | ValueError | None:
        """Reason why result.json cannot be read; an OSError if the system failed."""
        return self._result_or_error[1]

    @property
    def closed(self) -> StorageError | None:
        """The error about a run that this user may not read; None where it is open, damaged or not there."""
        if not isinstance(self.read_error, PermissionError):
            return None
        return StorageError(f"{printable(str(self.directory))}: cannot be read: {self.read_error.strerror}")

    @property
    def status(self) -> Status:
        """Status of the run; `unreadable` if result.json is invalid."""
        if self.result:
            return "complete" if self.result["status"] == "complete" else "diverged"
        return "unreadable" if self.read_error else "interrupted"

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The epochs, in order; a last line that a kill tore off is left out.

        Raises:
            StorageError: the file cannot be read, or another line is not JSON, or too long for an epoch.
        """
        path = self.paths.metrics
        with explained(path, "be read"):
            try:
                lines = _whole_lines(path)
            except FileNotFoundError:
                return []
        rows = [_epoch(line) for line in lines]
        if None in rows:
            raise StorageError(f"{printable(str(path))}:{rows.index(None) + 1}: not a line that a run writes")
        return [row for row in rows if row is not None]

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The lines of events.jsonl that can be read."""
        return readable_rows(self.paths.events)

    @property
    def start(self) -> dict[str, Any]:
        """Facts of its last start, such as device, threads and versions; empty if unknown."""
        return self._last("start")

    @property
    def begun(self) -> datetime | None:
        """Time at which it was last begun; None if unknown."""
        return zoned_time(self.start.get("time"))

    @property
    def data_notes(self) -> list[dict[str, Any]]:
        """The notes about its data, as its last start recorded them; empty for runs of older releases."""
        recorded = self.start.get("data_notes")
        return [note for note in recorded if _is_note(note)] if isinstance(recorded, list) else []

    @property
    def warnings(self) -> list[str]:
        """The warnings about its settings, as its last start recorded them; empty for older releases."""
        recorded = self.start.get("warnings")
        return [text for text in recorded if _is_sentence(text)] if isinstance(recorded, list) else []

    @property
    def seconds(self) -> float | None:
        """Seconds of training."""
        seconds = self._last("end").get("seconds")
        return float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 2**63 else None

    @property
    def device(self) -> str | None:
        """The device that it last ran on, such as `cpu`."""
        return _word(self.start.get("device"))

    @property
    def processor(self) -> str | None:
        """The kind of CPU that it last ran on."""
        return _word(self.start.get("processor"))

    @property
    def monitor(self) -> str | None:
        """The name of the monitored value."""
        return _word(self._last("end").get("monitor"))

    @property
    def monitored(self) -> float | None:
        """The monitored value at the best epoch."""
        if not self.result or not self.monitor:
            return None
        part = "valid" if self.monitor.startswith("val_") else "train"
        value: float | None = (self.result[part] or {}).get(self.monitor.removeprefix("val_"))
        return value

    @cached_property
    def _result_or_error(self) -> tuple[dict[str, Any] | None, OSError | ValueError | None]:
        try:
            return read_result(self.paths.result), None
        except (FileNotFoundError, NotADirectoryError):
            return None, None
        except (OSError, ValueError) as error:
            return None, error

    def _last(self, kind: str) -> dict[str, Any]:
        return next((event for event in reversed(self.events) if event.get("event") == kind), {})


def zoned_time(text: Any) -> datetime | None:
    """Return a time of events.jsonl; None where it is no time, or one that cannot be put in order."""
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    # Times without a zone cannot be compared with times that have one. Times at the ends of the calendar may
    # not exist in another zone.
    return time if time.tzinfo and time.year in _YEARS else None


def saved_config(path: Path) -> Config:
    """The config that a run has saved.

    Raises:
        StorageError: it is a link, a pipe or a folder, or may not be read.
        ConfigError: it is not there or not valid; keys of another release are ignored, and logged.
    """
    from trainrun.config import load_saved

    require_plain(path)
    config, ignored = load_saved(path)
    if ignored:
        _log_ignored(path.parent.parent, tuple(ignored))
    return config


def require_plain(path: Path) -> None:
    """Check that a file can be read without following a link or waiting for a pipe, or that it is missing.

    Raises:
        StorageError: it is a link, a pipe or a folder, or may not be read.
    """
    with explained(path, "be read"), suppress(FileNotFoundError):
        read_bytes(path)


@cache
def _log_ignored(group: Path, keys: Sequence[str]) -> None:
    """Log one line for all runs of a config; without a handler, Python prints it to stderr."""
    shown = f"{printable(str(group))}: ignored keys that this release does not know: {short(', '.join(keys))}"
    logging.getLogger(__name__).warning(shown)


def find_runs(runs: Path, closed: Callable[[StorageError], None] | None = None) -> list[Run]:
    """All runs in a folder of runs, by name and seed; none where the folder does not exist.

    Args:
        runs: the folder.
        closed: receives the error of each `<name>-<id8>` that cannot be read. Without it, the first error
            ends the search.

    Raises:
        StorageError: the folder cannot be read, or without `closed` one inside.
    """
    found: list[Run] = []
    with explained(None, "be read"):
        everything = list(groups(runs))
    for group in everything:
        try:
            with explained(None, "be read"):
                found += map(Run, seeds(group))
        except StorageError as error:
            if closed is None:
                raise
            closed(error)
    return found


def by_group(runs: Iterable[Run]) -> list[list[Run]]:
    """The runs of each config, in the order in which the configs come first."""
    found: dict[Path, list[Run]] = {}
    for run in runs:
        found.setdefault(run.paths.directory.parent, []).append(run)
    return list(found.values())


def readable_rows(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a JSON Lines file that hold a mapping; empty if the file cannot be read."""
    try:
        return [row for line in _whole_lines(path) if (row := _row(line))]
    except OSError:
        return []


def _whole_lines(path: Path) -> list[bytes]:
    # Split on \n alone: U+2028 and its like are letters to JSON.
    return read_bytes(path).split(b"\n")[:-1]


def _epoch(line: bytes) -> dict[str, Any] | None:
    return _row(line) if len(line) <= _LONGEST_EPOCH else None


def _is_note(value: Any) -> bool:
    """Return whether a value from events.jsonl is a valid note."""
    return (
        isinstance(value, dict)
        and list(value) == ["kind", "column", "count", "text"]
        and isinstance(value["kind"], str)
        and isinstance(value["column"], str | None)
        and isinstance(value["count"], int | None)
        and isinstance(value["text"], str)
    )


def _is_sentence(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_SENTENCE


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= _LONGEST_WORD else None


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
