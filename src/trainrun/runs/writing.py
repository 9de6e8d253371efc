"""Writing a run's directory while it trains: an observer that turns events into files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainrun.config import Config, to_yaml
from trainrun.events import EpochEnded, Event, FitStarted, Snapshot
from trainrun.jsonio import to_json, to_json_file
from trainrun.notes import Note
from trainrun.runs.files import append, make_directory, write_files
from trainrun.runs.history import History
from trainrun.runs.journal import Journal, hardware_and_versions, process_facts
from trainrun.runs.log_lines import LogLines, note_lines, warning_lines
from trainrun.runs.paths import RunPaths
from trainrun.text import short

TREATMENT = "preprocessing"  # the facts of a snapshot by which the preprocessing is recognized
_FLUSH_SECONDS = 0.5


@dataclass(frozen=True)
class RunInfo:
    """Facts about a run that begins to train, for those who watch.

    Attributes:
        paths: the run's files.
        config: the run's resolved config, with its seed.
        notes: sentences about this call, such as where the run continues.
        data_notes: facts about the run's data that `fit` says.
        first_lines: what log.txt begins with: warnings about settings, notes about data.
        monitored: the monitored value of each epoch before the one in which the run continues.
    """

    paths: RunPaths
    config: Config
    notes: tuple[str, ...]
    data_notes: tuple[Note, ...]
    first_lines: tuple[str, ...]
    monitored: tuple[float, ...]


class RunWriter:
    """Writes one run's files: call `begin`, hand it every event of the member, and say how it ended.

    Args:
        paths: where.
        config: the run's resolved config, with its seed.
        notes: sentences for the console about this call, such as where the run continues.
        data_notes: facts about the run's data; the loud ones begin its log.txt, below the warnings.
        warnings: about the run's settings; they begin its log.txt.
    """

    def __init__(
        self,
        paths: RunPaths,
        config: Config,
        notes: Sequence[str] = (),
        data_notes: Iterable[Note] = (),
        warnings: Sequence[str] = (),
    ) -> None:
        self.paths = paths
        self.config = config
        self.notes = tuple(notes)
        self.data_notes = tuple(note for note in data_notes if note.loud)
        self.warnings = tuple(warnings)
        self._treatment: Mapping[str, Any] | None = None
        self._journal = Journal(paths.events)
        self._log_lines: LogLines | None = None
        self._history: History | None = None
        self._metrics: list[str] = []
        self._lines: list[str] = []
        self._begun = self._flushed = time.monotonic()
        self._made_with: dict[str, str | None] = {}

    def begin(
        self,
        preprocessing: Mapping[str, Any],
        *,
        device: str,
        threads: int,
        parts: int = 1,
        snapshot: Snapshot | None = None,
        treatment: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the directory and write what is known before training; a run that had begun starts over.

        A run that continues has its files written anew, up to the epoch from which it does: what came later
        is trained again, to the same bits.

        Args:
            preprocessing: what was fitted on the training rows.
            device: the device chosen, such as `cpu`.
            threads: the number of threads that share an operation.
            parts: number of processes in which the stack trains.
            snapshot: what `snapshot` gave when the run was saved, where it continues.
            treatment: facts for the run's checkpoints, which recognize the preprocessing.

        Raises:
            RunDirectoryError: the directory cannot be created or written to.
            StorageError: writing failed.
            ValueError, KeyError, TypeError, OverflowError: the snapshot is invalid.
        """
        self._begun = self._flushed = time.monotonic()
        self._made_with = {"device": device.partition(":")[0], **hardware_and_versions()}
        self._treatment = treatment
        self._lines += self._first_lines
        if snapshot:
            self._resume(snapshot)
        make_directory(self.paths.directory)
        contents = {
            self.paths.config: to_yaml(self.config).encode(),
            self.paths.preprocessing: to_json_file(preprocessing),
            self.paths.metrics: _take(self._metrics).encode(),
            self.paths.log: _take(self._lines).encode(),
        }
        if not self.paths.group_config.exists():  # its seed is the default, whichever seed came first
            contents[self.paths.group_config] = to_yaml(self.config.with_seed(0)).encode()
        write_files(contents, staging=self.paths.directory)  # no other process writes there
        self._journal.record("start", **process_facts(), **self._facts(device, threads, parts))

    def handle(self, event: Event) -> None:
        """Take an event in, and write what has gathered; `saving` makes it last.

        Raises:
            StorageError: writing failed.
        """
        if isinstance(event, FitStarted):
            self._log_lines = LogLines(event)
            self._history = self._history or History(event)
        elif isinstance(event, EpochEnded) and self._history:
            self._history.add(event)
        self._tell(event)
        if time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self.flush()

    @property
    def info(self) -> RunInfo:
        """The facts about the run as it begins."""
        epochs = self._history.epochs() if self._history else ()
        monitored = tuple(epoch.monitored for epoch in epochs)
        first = tuple(self._first_lines)
        return RunInfo(self.paths, self.config, self.notes, self.data_notes, first, monitored)

    @property
    def _first_lines(self) -> list[str]:
        return [*warning_lines(self.warnings), *note_lines(self.data_notes)]

    def snapshot(self) -> Snapshot:
        """Return the state from which the run's files can be rewritten, for its checkpoint."""
        assert self._history, "FitStarted comes first"
        history = self._history.to_snapshot()
        facts = {
            **history.facts,
            "run": self.paths.identity,
            "seconds": self._seconds(),
            "made_with": self._made_with,
        }
        if self._treatment:
            facts[TREATMENT] = dict(self._treatment)
        return Snapshot(facts, history.arrays)

    def record_end(self, status: str) -> None:
        """Record in the journal how the run ended."""
        monitor = self._log_lines.monitor if self._log_lines else None
        self._journal.record("end", status=status, seconds=self._seconds(), monitor=monitor)

    def break_off(self, status: str, reason: str | None = None) -> None:
        """Write what is still in memory and how the run was left.

        Args:
            status: `interrupted` or `failed`.
            reason: what asked for it: a signal's name or `time limit`.
        """
        self.flush()
        self._journal.record("end", status=status, reason=reason, seconds=self._seconds())

    def _resume(self, snapshot: Snapshot) -> None:
        if snapshot.facts["run"] != self.paths.identity:
            raise ValueError("another run's")
        self._history = History.from_snapshot(snapshot)
        self._begun -= float(snapshot.facts["seconds"])
        self._log_lines = LogLines(self._history.started)
        for epoch in self._history.epochs():
            self._tell(epoch)
        moved = [
            f"{what}: {short(str(before))} -> {now}"
            for what, now in self._made_with.items()
            if (before := snapshot.facts["made_with"][what]) != now
        ]
        if moved:
            self.notes += (
                f"Continuing on a different setup ({', '.join(moved)}): results may differ in the last bits",
            )

    def _tell(self, event: Event) -> None:
        if self._log_lines:
            self._lines += self._log_lines.lines(event)
        if isinstance(event, EpochEnded):
            self._metrics.append(to_json(metrics_row(event)))

    def flush(self) -> None:
        """Write what is in memory."""
        for path, pending in ((self.paths.metrics, self._metrics), (self.paths.log, self._lines)):
            if pending:
                append(path, _take(pending))
        self._flushed = time.monotonic()

    def _facts(self, device: str, threads: int, parts: int) -> dict[str, Any]:
        data = self.config.data
        files = {"path": data.path, "valid": data.valid, "test": data.test}
        return {
            "directory": self.paths.directory.absolute(),
            "name": self.config.name,
            "origin": self.config.origin,
            "data": data.source or {role: place for role, place in files.items() if place},
            "device": device,
            "threads": threads,
            "parts": parts,
            "notes": self.notes,
            "warnings": self.warnings,
            "data_notes": [note.to_json() for note in self.data_notes],
        }

    def _seconds(self) -> float:
        return round(time.monotonic() - self._begun, 3)


def metrics_row(event: EpochEnded) -> dict[str, Any]:
    """An epoch as a line of metrics.jsonl has it."""
    train = dict(event.train)
    row = {"epoch": event.epoch, "step": event.step, "learning_rate": event.learning_rate}
    row |= {"loss": train.pop("loss"), "penalty": event.penalty} | train
    row |= {f"val_{name}": value for name, value in (event.valid or {}).items()}
    return row | {"improved": event.improved, "best": event.best, "wait": event.wait}


def _take(pending: list[str]) -> str:
    """Lines as text, taken out of their list."""
    text = "".join(f"{line}\n" for line in pending)
    pending.clear()
    return text
