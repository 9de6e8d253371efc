"""TensorBoard's event files: an observer that writes what metrics.jsonl says in TensorBoard's own format.

They are a view of a run, written anew whenever it is begun; trainrun never reads them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from trainrun.errors import TrainrunError, UsageError
from trainrun.events import EpochEnded, Event
from trainrun.fitting import Observer
from trainrun.report.progress.stream import BestEffortStream
from trainrun.runs.reading import Run
from trainrun.runs.writing import RunInfo, metrics_row
from trainrun.text import printable

_NO_CURVES = {"epoch", "step", "improved", "best", "wait"}
_SECONDS_BETWEEN_WRITES = 2.0
_FORMAT = "brain.Event:2"  # what each file begins with


class TensorBoard(Observer):
    """Writes folders `train` and `valid` for each run; TensorBoard lays their curves of one name together.

    Args:
        stream: where it says what cannot be written; the training goes on.

    Raises:
        UsageError: tensorboard is not installed.
    """

    def __init__(self, stream: TextIO | None) -> None:
        try:
            import tensorboard.summary.writer.record_writer  # noqa: F401  # missed before anything is trained
        except ImportError as error:
            how = "pip install 'trainrun[tensorboard]'"
            raise UsageError(f"--tensorboard: tensorboard is not installed: {how}") from error
        self._sink = BestEffortStream(stream)
        self._folders: dict[int, Path] = {}  # of the members whose files can be written
        self._waiting: dict[int, list[Mapping[str, Any]]] = {}
        self._written = time.monotonic()

    def already(self, run: Run) -> None:
        """Write a run that was finished before, unless it has its files."""
        if not run.paths.tensorboard.exists():
            with self._guarded(run.paths.tensorboard):
                _write(run.paths.tensorboard, run.metrics)

    def begin(self, members: Sequence[RunInfo]) -> None:
        """Begin the files anew, with the epochs that were trained before."""
        self._folders, self._waiting = {}, {}
        for place, member in enumerate(members):
            folder = member.paths.tensorboard
            with self._guarded(folder):
                if folder.exists():
                    shutil.rmtree(folder)
                _write(folder, Run(member.paths.directory).metrics)
                self._folders[place] = folder

    def handle(self, event: Event) -> None:
        """Take an epoch in, and write from time to time."""
        if isinstance(event, EpochEnded):
            self._waiting.setdefault(event.member, []).append(metrics_row(event))
        if time.monotonic() - self._written >= _SECONDS_BETWEEN_WRITES:
            self._flush()

    def end(self) -> None:
        """Write what is left."""
        self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for member, rows in waiting.items():
            if folder := self._folders.pop(member, None):
                with self._guarded(folder):
                    _write(folder, rows)
                    self._folders[member] = folder
        self._written = time.monotonic()

    @contextmanager
    def _guarded(self, folder: Path) -> Iterator[None]:
        """Report errors inside without stopping the training."""
        try:
            yield
        except (OSError, TrainrunError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self._sink.lines([f"{printable(str(folder))}: not written for TensorBoard: {reason}"])


def _write(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add epochs to the files of a run."""
    curves: dict[str, list[tuple[int, dict[str, float]]]] = {"train": [], "valid": []}
    for row in rows:
        for part, values in _parts(row).items():
            if values:
                curves[part].append((row["epoch"], values))
    for part, points in curves.items():
        if points:
            _append(folder / part, points)


def _parts(row: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The values of an epoch by part; in both they bear their plain names."""
    parts: dict[str, dict[str, float]] = {"train": {}, "valid": {}}
    for name, value in row.items():
        if name not in _NO_CURVES and isinstance(value, int | float):
            part = "valid" if name.startswith("val_") else "train"
            parts[part][name.removeprefix("val_")] = value
    return parts


def _append(folder: Path, points: Sequence[tuple[int, Mapping[str, float]]]) -> None:
    from tensorboard.compat.proto.event_pb2 import Event as Record
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder.mkdir(parents=True, exist_ok=True)
    now = time.time()
    new = folder / f"events.out.tfevents.{now:.6f}"  # TensorBoard recognizes the file by this name
    path = min(folder.iterdir(), default=new)
    with path.open("ab") as file:
        writer = RecordWriter(file)
        if not file.tell():
            writer.write(Record(wall_time=now, file_version=_FORMAT).SerializeToString())
        for epoch, values in points:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=v) for tag, v in values.items()])
            writer.write(Record(wall_time=now, step=epoch, summary=summary).SerializeToString())
