"""The live bar below the lines of a training, on a terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
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
_WIDE = 100  # characters of a terminal
_BAR = 20  # characters
_LEVELS = "▁▂▃▄▅▆▇█"
_LONGEST_COURSE = 30  # epochs that a spark line shows
_OTHERS = len("00:00 left") + len("  ") * 2 + 3  # characters beside counts, bar, words and the spark line


class LiveBar:
    """Progress bar: epochs or runs done, time left and the newest values.

    Args:
        stream: the terminal.
        total: how much there is to do.
        done: how much of it was done before.
        percent: whether what is done is shown as a share of it; else as a count.
    """

    def __init__(self, stream: TextIO, total: int, *, done: int = 0, percent: bool = False) -> None:
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=True)
        wide = self._console.width >= _WIDE  # where it is not, the words have the bar's room
        counts = len("100%" if percent else f"{total}/{total}")
        self._room = self._console.width - counts - (_BAR + 1 if wide else 0) - _OTHERS
        self._progress = Progress(
            TaskProgressColumn() if percent else MofNCompleteColumn(),
            *([BarColumn(_BAR)] if wide else []),
            TimeRemainingColumn(compact=True),
            "left",
            TextColumn("{task.fields[values]}", markup=False),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=total, completed=done, values="")
        self._pending: list[str] = []
        self._drawn = 0.0
        self._progress.start()

    def move(self, done: float, words: str, course: Sequence[float] = (), more: str = "") -> None:
        """Set how much is done, and what stands at the bar's right.

        Args:
            done: of the total.
            words: first.
            course: drawn next, as far as there is room; its newest values are at the right.
            more: last.
        """
        room = min(self._room - len(words) - len(more), _LONGEST_COURSE)
        course = course[-room:] if room > 0 and self._console.encoding.startswith("utf") else ()
        shown = filter(None, (words, spark(course), more))
        self._progress.update(self._task, completed=done, values="  ".join(shown))

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


def spark(values: Sequence[float]) -> str:
    """A line of one character a value, from the least to the largest; a gap for one that is not finite.

    >>> spark([3.0, 2.0, math.nan, 1.0])
    '█▅ ▁'
    """
    finite = [value for value in values if math.isfinite(value)]
    least, most = min(finite, default=0.0), max(finite, default=0.0)
    steps = (len(_LEVELS) - 1) / (most - least or 1.0)
    return "".join(_LEVELS[round((v - least) * steps)] if math.isfinite(v) else " " for v in values)
