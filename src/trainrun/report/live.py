"""The live bar below the lines of a training, on a terminal."""

from __future__ import annotations

import time
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_REFRESH_SECONDS = 0.1


class LiveBar:
    """What is done (epochs, or runs), time left and the newest values, drawn anew a few times a second.

    Args:
        stream: the terminal.
        total: how much there is to do.
        percent: whether what is done is shown as a share of it; else as a count.
    """

    def __init__(self, stream: TextIO, total: int, *, percent: bool = False) -> None:
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=True)
        self._progress = Progress(
            TaskProgressColumn() if percent else MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TimeRemainingColumn(),
            TextColumn("{task.fields[values]}", markup=False),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=total, values="")
        self._pending: list[str] = []
        self._drawn = 0.0
        self._progress.start()

    def move(self, done: float, values: str) -> None:
        """Set how much is done, and what stands at the bar's right."""
        self._progress.update(self._task, completed=done, values=values)

    def lines(self, lines: list[str]) -> None:
        """Print lines above the bar; they wait for the next drawing, since epochs may take milliseconds."""
        self._pending += lines
        if time.monotonic() - self._drawn >= _REFRESH_SECONDS:
            self._draw()

    def close(self) -> None:
        """Take the bar away; the lines stay."""
        self._draw()
        self._progress.stop()

    def _draw(self) -> None:
        if self._pending:
            self._console.print(Text("\n".join(self._pending)))
            self._pending.clear()
        self._progress.refresh()
        self._drawn = time.monotonic()
