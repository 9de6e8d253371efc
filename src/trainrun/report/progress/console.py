"""The console of a fit: an observer that prints events and can neither change nor stop the training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal, TextIO

from trainrun.events import Diverged, EpochEnded, Event, FitStarted
from trainrun.fitting import Observer
from trainrun.report.progress.safe_bar import SafeBar
from trainrun.report.progress.stack_lines import StackLines
from trainrun.report.progress.stream import BestEffortStream
from trainrun.report.progress.summary import cut_schedule, run_summary, stack_summary
from trainrun.runs.log_lines import LogLines, warning_lines
from trainrun.runs.reading import Run
from trainrun.runs.writing import RunInfo
from trainrun.text import printable
from trainrun.warnings import curve_warnings

if TYPE_CHECKING:
    from trainrun.report.progress.live import LiveBar

Progress = Literal["auto", "rich", "plain", "none"]
_SECONDS_BETWEEN_LINES = 2.0
_MOST_SINGLE = 8  # members of a stack that speak for themselves


class Console(Observer):
    """Prints what happens to the runs of one command.

    Call `expect` with the number of runs; `already` for each that was finished before; for each stack
    `begin`, `handle` with every event, `end`; and `close` whatever happened.

    Args:
        progress: `rich` is plain lines and a live bar (on a terminal, else plain lines); `none` leaves the
            epochs out.
        stream: where to; None (a closed stdout) prints nothing.
        stop: whether the command is to stop; with it, no reader is waited for until `close`.
    """

    def __init__(
        self, progress: Progress, stream: TextIO | None, stop: Callable[[], bool] | None = None
    ) -> None:
        self._sink = BestEffortStream(stream, stop)
        self._epochs_shown = progress != "none"
        self._live = progress in ("auto", "rich") and self._sink.is_terminal
        self._runs = 1
        self._said: set[str] = set()
        self._members: Sequence[RunInfo] = ()
        self._monitored: list[list[float]] = []  # of each epoch so far, by member
        self._log_lines: dict[int, LogLines] = {}
        self._stack = StackLines()
        self._in_one_voice = False  # the members of the stack
        self._bar = SafeBar(self._sink, self._new_bar)
        self._words, self._told = "", 0.0  # about other machines

    @property
    def has_trained(self) -> bool:
        """Whether a stack has begun to train."""
        return bool(self._members)

    def expect(self, runs: int) -> None:
        """Say how many runs the command has: with several, each line names its run."""
        self._runs = runs

    def already(self, run: Run) -> None:
        """Say that a run was finished before."""
        summary = run_summary(run) if self._runs <= _MOST_SINGLE else []
        how = "Diverged before" if run.status == "diverged" else "Already complete"
        self._print([f"{how}: {printable(str(run.paths.directory))}", *summary[:-1]], run.label)

    def begin(self, members: Sequence[RunInfo]) -> None:
        """Say where the members of a stack write, and each thing to note once.

        Args:
            members: the runs, in the order of the events' `member`.
        """
        self._members = members
        self._monitored = [list(member.monitored) for member in members]
        self._log_lines = {}
        self._stack = StackLines([member.monitored for member in members])
        self._in_one_voice = len(members) > _MOST_SINGLE
        for member in members:
            run, group = member.paths.directory.absolute(), member.paths.directory.absolute().parent
            place, label = (group, group.name) if self._in_one_voice else (run, member.paths.label)
            lines = [f"Run directory: {printable(str(place))}", *member.notes, *member.first_lines]
            self._print([line for line in lines if line not in self._said], printable(label))
            self._said.update(lines)

    def handle(self, event: Event) -> None:
        """Print what an event says."""
        if isinstance(event, FitStarted):
            self._log_lines[event.member] = LogLines(event)
        elif isinstance(event, EpochEnded):
            self._monitored[event.member].append(event.monitored)
        log_lines, member = self._log_lines[event.member], self._members[event.member]
        lines = self._prefixed(log_lines.lines(event), member.paths.label)
        together = self._prefixed(self._stack.lines(event), self._stack_label)
        if self._in_one_voice:
            lines = [*(lines if isinstance(event, Diverged) else []), *together]
        if self._epochs_shown:
            self._show(lines, event)

    def end(self) -> None:
        """Sum up the members of the stack that have finished."""
        self._bar.close()
        finished = [
            (run, member, monitored)
            for member, monitored in zip(self._members, self._monitored, strict=True)
            if (run := Run(member.paths.directory)).result
        ]
        if self._in_one_voice and finished:
            self._print(stack_summary([run for run, *_ in finished]), self._stack_label)
        else:
            for run, member, monitored in finished:
                after = warning_lines(curve_warnings(member.config, monitored))
                self._print([*run_summary(run), *cut_schedule(run, member.config), *after], run.label)

    def elsewhere(self, done: float, words: str) -> None:
        """Say now and then how far other machines are."""
        if words != self._words and time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            self._words, self._told = words, time.monotonic()
            self._sink.lines([words])

    def ended_elsewhere(self, runs: Sequence[Run]) -> None:
        """Sum up runs that other machines have trained."""
        for run in runs if self._runs <= _MOST_SINGLE else []:
            self._print(run_summary(run), run.label)
        if self._runs > _MOST_SINGLE:
            self._sink.lines(stack_summary(runs))

    def close(self) -> None:
        """Take the live bar away, if there is one, and let the reader catch up."""
        self._bar.close()
        self._sink.drain()

    @property
    def _stack_label(self) -> str:
        groups = dict.fromkeys(member.paths.directory.parent.name for member in self._members)
        return next(iter(groups)) if len(groups) == 1 else f"{len(self._members)} runs"

    def _prefixed(self, lines: Iterable[str], label: str) -> list[str]:
        start = f"{printable(label)}: " if self._runs > 1 else ""
        return [start + line for line in lines]

    def _print(self, lines: Iterable[str], label: str) -> None:
        self._sink.lines(self._prefixed(lines, label))

    def _show(self, lines: list[str], event: Event) -> None:
        if not self._live:
            self._sink.lines(lines)
        else:
            self._bar.draw(lambda bar: self._draw(bar, lines, event))

    def _new_bar(self, stream: TextIO) -> LiveBar:
        from trainrun.report.progress.live import LiveBar

        epochs = max(log_lines.epochs for log_lines in self._log_lines.values())
        return LiveBar(stream, epochs, done=self._stack.epoch)

    def _draw(self, bar: LiveBar, lines: list[str], event: Event) -> None:
        if isinstance(event, EpochEnded):
            bar.move(self._stack.epoch, *self._state(event))
        bar.lines(lines)

    def _state(self, event: EpochEnded) -> tuple[str, Sequence[float], str]:
        """Return the texts of the bar: before, in and after the spark line."""
        log_lines, course = self._log_lines[event.member], self._stack.course
        if len(self._members) > 1:
            mean = log_lines.value(log_lines.monitor, course[-1]) if course else ""
            return f"{self._stack.counts}  {log_lines.monitor} {mean}", course, ""
        values = {"loss": event.train["loss"], log_lines.monitor: event.monitored}
        told = (f"{name} {log_lines.value(name, value)}" for name, value in values.items())
        patience = self._members[event.member].config.early_stopping.patience
        return "  ".join(told), course, "" if patience is None else f"wait {event.wait}/{patience}"
