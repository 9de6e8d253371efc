"""The progress of many runs at once: how many are trained, stopped early, left; and the time left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from trainrun.events import Diverged, EpochEnded, Event, FitEnded, FitStarted
from trainrun.fitting import Observer
from trainrun.report.progress.safe_bar import SafeBar
from trainrun.report.progress.stream import BestEffortStream
from trainrun.runs.log_lines import LogLines, note_lines
from trainrun.runs.matching import DIFFERS
from trainrun.runs.reading import Run
from trainrun.runs.writing import RunInfo
from trainrun.text import printable

if TYPE_CHECKING:
    from trainrun.report.progress.live import LiveBar

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_DRAWINGS = 0.1


class StackProgress(Observer):
    """A live bar over all runs of a command on a terminal; else a plain line now and then.

    Args:
        stream: where to; None (closed from the start) shows nothing.
        stop: whether the command is to stop; with it, no reader is waited for until `close`.
    """

    def __init__(self, stream: TextIO | None, stop: Callable[[], bool] | None = None) -> None:
        self._sink = BestEffortStream(stream, stop)
        self._bar = SafeBar(self._sink, self._new_bar)
        self._runs = 0
        self._before = 0  # finished when the command began
        self._stopped_by: Counter[str] = Counter()  # of the runs that have ended
        self._members: Sequence[RunInfo] = ()
        self._log_lines: dict[int, LogLines] = {}
        self._epochs: dict[int, int] = {}  # done, of the members that train
        self._noted: set[str] = set()
        self._begun = self._shown = time.monotonic()
        self._first: tuple[float, float] | None = None  # when an epoch first ended, and what was done then

    def expect(self, runs: int) -> None:
        """Say how many runs there are."""
        self._runs = runs

    def taken(self, sentence: str) -> None:
        """Say which runs a name means."""
        self._print([sentence])

    def already(self, run: Run) -> None:
        """Count a run that was finished before."""
        self._before += 1

    def begin(self, members: Sequence[RunInfo]) -> None:
        """Say what there is to note about a stack's runs, each thing once."""
        self._members, self._log_lines, self._epochs = members, {}, {}
        # In what the configs differ is said by the comparison itself.
        said = [note for member in members for note in (*member.notes, *note_lines(member.data_notes))]
        notes = dict.fromkeys(note for note in said if not note.startswith(DIFFERS))
        self._print([note for note in notes if note not in self._noted])
        self._noted.update(notes)

    def handle(self, event: Event) -> None:
        """Count what has happened, and show it from time to time."""
        match event:
            case FitStarted():
                self._log_lines[event.member] = LogLines(event)
                self._epochs[event.member] = len(self._members[event.member].monitored)
            case EpochEnded():
                self._epochs[event.member] = event.epoch
                self._first = self._first or (time.monotonic(), self._done)
            case Diverged():
                label = printable(self._members[event.member].paths.label)
                self._print([f"{label}: {line}" for line in self._log_lines[event.member].lines(event)])
            case FitEnded():
                del self._epochs[event.member]
                self._stopped_by[event.stopped_by] += 1
        if time.monotonic() - self._shown >= self._pause:
            self._show()

    def elsewhere(self, done: float, words: str) -> None:
        """Show how far other machines are."""
        self._first = self._first or (time.monotonic(), done)
        if time.monotonic() - self._shown >= self._pause:
            self._shown = time.monotonic()
            self._tell(done, words)

    def ended_elsewhere(self, runs: Sequence[Run]) -> None:
        """Count runs that other machines have trained."""
        self._stopped_by.update(str((run.result or {}).get("stopped_by")) for run in runs)

    def close(self) -> None:
        """Take the bar away and say how it ended."""
        self._bar.close()
        if self._runs > self._before:
            self._sink.lines([f"{self._counts} in {time.monotonic() - self._begun:.1f} seconds"])
        self._sink.drain()

    @property
    def _pause(self) -> float:
        return _SECONDS_BETWEEN_DRAWINGS if self._sink.is_terminal else _SECONDS_BETWEEN_LINES

    @property
    def _ended(self) -> int:
        return self._before + self._stopped_by.total()

    @property
    def _counts(self) -> str:
        """Counts of the runs: trained, stopped early, diverged, complete before."""
        counts = {
            "there before": self._before,
            "stopped early": self._stopped_by["early_stopping"],
            "diverged": self._stopped_by["non_finite"],
        }
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        return f"{self._ended} of {self._runs} trained" + (f" ({told})" if told else "")

    @property
    def _done(self) -> float:
        """Number of runs done; a run in training counts by its share of epochs."""
        epochs = (done / max(self._log_lines[member].epochs, 1) for member, done in self._epochs.items())
        return self._ended + sum(epochs)

    def _show(self) -> None:
        self._shown = time.monotonic()
        done = self._done
        training = len(self._epochs)
        self._tell(done, f"{self._counts}, {training} training, {self._runs - self._ended - training} left")

    def _tell(self, done: float, words: str) -> None:
        """Draw the bar on a terminal; else write a line."""
        if self._sink.is_terminal:
            self._bar.draw(lambda bar: _draw(bar, done, words))
        else:
            self._sink.lines([words + self._time_left(done)])

    def _time_left(self, done: float) -> str:
        begun, before = self._first or (self._shown, done)  # loading and the first steps take longer
        if done <= before:
            return ""
        seconds = (self._shown - begun) * (self._runs - done) / (done - before)
        return (
            f", about {seconds / 60:.0f} minutes to go"
            if seconds >= 100
            else f", about {seconds:.0f} s to go"
        )

    def _new_bar(self, stream: TextIO) -> LiveBar:
        from trainrun.report.progress.live import LiveBar

        return LiveBar(stream, self._runs, percent=True)

    def _print(self, lines: list[str]) -> None:
        if self._bar.is_shown:
            self._bar.draw(lambda bar: bar.lines(lines))
        else:
            self._sink.lines(lines)


def _draw(bar: LiveBar, done: float, words: str) -> None:
    bar.move(done, words)
    bar.lines([])
