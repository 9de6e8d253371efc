"""Lines of the console and of log.txt for each event, word for word the same."""

from __future__ import annotations

from collections.abc import Iterable

from trainrun.events import Diverged, EpochEnded, Event, FitEnded, FitStarted
from trainrun.notes import Note
from trainrun.runs.paths import FILE_NAMES
from trainrun.text import number, printable


def note_lines(notes: Iterable[Note]) -> list[str]:
    """Return a line for each note about the data.

    Column names and cells come from a file and may hold anything, so control characters are escaped.
    """
    return [printable(note.text) for note in notes]


def warning_lines(warnings: Iterable[str]) -> list[str]:
    """Return a line for each warning about the settings."""
    return [f"Warning: {printable(warning)}" for warning in warnings]


class LogLines:
    """Puts one member's events into words.

    Args:
        started: the event with which the member began.
    """

    def __init__(self, started: FitStarted) -> None:
        self.epochs = started.epochs
        self.monitor = started.monitor

    def lines(self, event: Event) -> list[str]:
        """The lines an event stands for; none for one that says nothing."""
        match event:
            case EpochEnded():
                return [self._epoch(event), self._message(event)]
            case Diverged():
                return [_divergence(event)]
            case FitEnded():
                return _ending(event)
        return []

    def value(self, name: str, value: float) -> str:
        """A metric's value; the monitored one has a decimal more."""
        return number(value, 5 if name == self.monitor else 4)

    def _epoch(self, event: EpochEnded) -> str:
        values = dict(event.train) | {f"val_{name}": value for name, value in (event.valid or {}).items()}
        parts = [f"{name}: {self.value(name, value)}" for name, value in values.items()]
        rate = f"learning_rate: {event.learning_rate:.3e}"
        return " - ".join([f"Epoch {event.epoch}/{self.epochs}", *parts, rate])

    def _message(self, event: EpochEnded) -> str:
        start = f"Epoch {event.epoch}: {self.monitor}"
        if not event.improved:
            same = f" but equals it, saving model to {FILE_NAMES['weights']}" if event.kept else ""
            return f"{start} did not improve from {number(event.best, 5)}{same}"
        change = f"from {number(event.previous_best, 5)} to {number(event.best, 5)}"
        return f"{start} improved {change}, saving model to {FILE_NAMES['weights']}"


def _divergence(event: Diverged) -> str:
    # Before the first update no learning rate can be to blame: what came in or the start weights are.
    if event.step <= 1 and event.quantity == "loss":
        remedy = "the start weights are too large for this depth or data: try another initializer"
    else:
        remedy = "it is likely too large: try a tenth of it"
    what = f"a weight of layer {event.layer}" if event.layer else f"the {event.quantity}"
    return (
        f"Epoch {event.epoch}: diverged at step {event.step}, {what} is not finite"
        f" at learning_rate {event.learning_rate:.3e}: {remedy}"
    )


def _ending(event: FitEnded) -> list[str]:
    lines = []
    if event.stopped_by == "early_stopping":
        lines.append(f"Epoch {event.epochs}: early stopping")
    if event.best_epoch:
        lines.append(f"Restoring model weights from the end of the best epoch: {event.best_epoch}.")
    return lines
