"""The progress of a search: its candidates, then the runs of the confirmation."""

from __future__ import annotations

import time

from trainrun.report.progress.stack_progress import StackProgress
from trainrun.searching import SearchObserver


class SearchProgress(StackProgress, SearchObserver):
    """A live bar on a terminal; else a plain line now and then."""

    _is_searching = False
    _to_confirm = 0  # runs, of all confirmations so far

    def note(self, sentence: str) -> None:
        """Say what is worth knowing."""
        self._print([sentence])

    def search(self, done: float, words: str) -> None:
        """Show how far the candidates are."""
        self._is_searching, self._runs = True, 1
        self._first = self._first or (time.monotonic(), done)
        if time.monotonic() - self._shown >= self._pause:
            self._shown = time.monotonic()
            self._tell(done, words)

    def expect(self, runs: int) -> None:
        """Say how many runs the confirmation has."""
        self._end_search()
        self._to_confirm += runs
        super().expect(self._to_confirm)

    def close(self) -> None:
        """Take the bar away and say how it ended."""
        self._end_search()
        super().close()

    def _end_search(self) -> None:
        if self._is_searching:
            self._bar.close()
            self._is_searching, self._runs, self._first = False, self._to_confirm, None
