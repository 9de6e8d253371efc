"""Reading run directories. Nothing in them is trusted: whatever a file holds, a listing goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from trainrun.errors import StorageError, printable
from trainrun.events import PARTS
from trainrun.runs.files import read_bytes
from trainrun.runs.paths import RunPaths, groups, seed_of, seeds, split_group

Status = Literal["complete", "diverged", "interrupted", "unreadable"]
_COUNTS = ("best_epoch", "epochs", "steps", "parameters", "zero_weights")


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
    def result(self) -> dict[str, Any] | None:
        """What came out, as in result.json; None while there is none that can be read."""
        try:
            return _checked(json.loads(read_bytes(self.paths.result)))
        except (OSError, ValueError, TypeError, OverflowError, KeyError, RecursionError):
            return None

    @property
    def status(self) -> Status:
        """How far it came; `unreadable` where result.json is not what a run writes."""
        if self.result:
            return "complete" if self.result["status"] == "complete" else "diverged"
        return "unreadable" if self.paths.result.exists() else "interrupted"

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The epochs, in order; a last line that a kill tore off is left out.

        Raises:
            StorageError: the file cannot be read, or another line is not JSON.
        """
        path = self.paths.metrics
        try:
            lines = _whole_lines(path)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{printable(str(path))}: cannot be read: {error.strerror}") from error
        rows = [_row(line) for line in lines]
        if None in rows:
            raise StorageError(f"{printable(str(path))}:{rows.index(None) + 1}: not a line that a run writes")
        return [row for row in rows if row is not None]

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The lines of events.jsonl that can be read."""
        return readable_rows(self.paths.events)

    @property
    def begun(self) -> datetime | None:
        """When it was last begun."""
        try:
            time = datetime.fromisoformat(str(self._last("start").get("time")))
        except ValueError:
            return None
        return time if time.tzinfo else None  # times without a zone cannot be put in order with ours

    @property
    def seconds(self) -> float | None:
        """How long it trained."""
        seconds = self._last("end").get("seconds")
        return float(seconds) if isinstance(seconds, int | float) and abs(seconds) < math.inf else None

    @property
    def device(self) -> str | None:
        """What it was last begun on, such as `cpu` or `cuda:0`."""
        device = self._last("start").get("device")
        return device if isinstance(device, str) else None

    @property
    def monitor(self) -> str | None:
        """The name of the monitored value."""
        monitor = self._last("end").get("monitor")
        return monitor if isinstance(monitor, str) else None

    @property
    def monitored(self) -> float | None:
        """The monitored value at the best epoch."""
        if not self.result or not self.monitor:
            return None
        part = "valid" if self.monitor.startswith("val_") else "train"
        value: float | None = (self.result[part] or {}).get(self.monitor.removeprefix("val_"))
        return value

    def _last(self, kind: str) -> dict[str, Any]:
        return next((event for event in reversed(self.events) if event.get("event") == kind), {})


def find_runs(runs: Path) -> list[Run]:
    """All runs in a folder of runs, by name and seed; none where the folder does not exist."""
    return [Run(directory) for group in sorted(groups(runs)) for directory in seeds(group)]


def by_group(runs: Iterable[Run]) -> list[list[Run]]:
    """The runs of each config, in the order in which the configs come first."""
    found: dict[Path, list[Run]] = {}
    for run in runs:
        found.setdefault(run.paths.directory.parent, []).append(run)
    return list(found.values())


def readable_rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a JSON Lines file that hold a mapping; none where there is no such file."""
    try:
        return [row for line in _whole_lines(path) if (row := _row(line))]
    except OSError:
        return []


def _whole_lines(path: Path) -> list[bytes]:
    # Split on \n alone: U+2028 and its like are letters to JSON.
    return read_bytes(path).split(b"\n")[:-1]


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _checked(result: Any) -> dict[str, Any]:
    if result["status"] not in ("complete", "diverged") or not isinstance(result["stopped_by"], str):
        raise ValueError("no such status")
    counts = {key: None if result[key] is None else int(result[key]) for key in _COUNTS}
    if any(count is not None and not 0 <= count < 2**63 for count in counts.values()):
        raise ValueError("a count out of range")
    parts = {part: _checked_values(result[part]) for part in PARTS}
    confusion = {"confusion": _checked_confusion(result["confusion"])} if "confusion" in result else {}
    return {"status": result["status"], "stopped_by": result["stopped_by"]} | counts | parts | confusion


def _checked_values(values: Any) -> dict[str, float | None] | None:
    if values is None:
        return None
    return {str(name): None if value is None else float(value) for name, value in dict(values).items()}


def _checked_confusion(matrices: Any) -> dict[str, list[list[int]]]:
    return {
        part: [[int(count) for count in row] for row in matrices[part]] for part in PARTS if part in matrices
    }
