"""A live bar on a terminal that may go away at any time; the training goes on without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from trainrun.report.progress.stream import BestEffortStream

if TYPE_CHECKING:
    from trainrun.report.progress.live import LiveBar


class SafeBar:
    """Live bar, made when it is first drawn. An error of the terminal closes the stream.

    Args:
        sink: the stream of the terminal.
        make: makes the bar.
    """

    def __init__(self, sink: BestEffortStream, make: Callable[[TextIO], LiveBar]) -> None:
        self._sink, self._make = sink, make
        self._bar: LiveBar | None = None

    @property
    def is_shown(self) -> bool:
        """Whether there is a bar on the terminal."""
        return self._bar is not None

    def draw(self, draw: Callable[[LiveBar], None]) -> None:
        """Draw something, with a new bar where none is shown."""
        try:
            if self._bar is None and self._sink.stream:
                self._bar = self._make(self._sink.stream)
            if self._bar:
                draw(self._bar)
        except (OSError, ValueError):
            self._give_up()

    def close(self) -> None:
        """Take the bar away; the lines above it stay."""
        if self._bar:
            bar, self._bar = self._bar, None
            try:
                bar.close()
            except (OSError, ValueError):
                self._give_up()

    def _give_up(self) -> None:
        self._bar = None
        self._sink.close()
