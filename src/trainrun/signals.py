"""Requests to stop: signals and a time limit, looked for between two steps.

It imports nothing heavy, so that a command can listen before it imports what is.
"""

from __future__ import annotations

import math
import mmap
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn, Self

from trainrun.errors import UsageError
from trainrun.text import short

_BEGUN = time.monotonic()  # of the process, but for the interpreter's own start
_RESUMABLE = 75
_TIME_LIMIT = 255  # where a signal's number would stand
_LOOK_SECONDS = 0.05  # from one look for a request to the next, while something else is waited for
# XCPU and USR1 are what schedulers send ahead of a limit; not every system has each.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
REQUESTS = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]

_AMOUNT = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_UNITS = re.compile("".join(rf"(?:({_AMOUNT}){unit})?" for unit in "dhms"))
_CLOCK = re.compile(r"[0-9]{1,9}-[0-9]{1,9}(:[0-9]{1,9}){0,2}|[0-9]{1,9}(:[0-9]{1,9}){1,2}")
_SECONDS = (86400, 3600, 60, 1)  # of a day, an hour, a minute, a second


class StopRequest:
    """Request to stop this process, by a signal or its time limit; active inside `with`.

    The first request counts and repeats change nothing, but for a second INT, which ends the process at once.
    What was ignored when the process began (by nohup) stays so. Processes that are forked inside share the
    answer.

    Args:
        time_limit: how long the process may take from its start, such as `55m`; see `parse_time_limit`.

    Attributes:
        exit_code: of a command that was stopped and is to be run again: 75, or `$TRAINRUN_RESUMABLE_EXIT`.

    Raises:
        UsageError: the time limit or the variable is invalid.
    """

    def __init__(self, time_limit: str | None = None) -> None:
        self.exit_code = _resumable_exit()
        self._deadline = _BEGUN + (parse_time_limit(time_limit) if time_limit is not None else math.inf)
        self._asked = mmap.mmap(-1, 1)  # a byte that forked processes share: 0, or the signal's number
        self._before: dict[int, Any] = {}
        self._abandoned = False  # whether a thread may still be at work

    def __enter__(self) -> Self:
        for number in REQUESTS:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None):  # None: of someone who is not Python
                self._before[number] = before
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        """Undo the handlers; a process that was asked to stop is leaving, and ignores repeats to its end."""
        leaving = self.requested()
        for number, before in self._before.items():
            if not leaving:
                signal.signal(number, before)
            elif number != signal.SIGINT:
                signal.signal(number, signal.SIG_IGN)

    def wait_for(self, work: Callable[[], object]) -> None:
        """Run slow, disposable work in a thread; return at once if a stop is requested.

        An example is an import. An exception out of the signal handler would end it too, but where
        that meets a library's C++ in the middle of its import, the process ends by SIGABRT.

        Args:
            work: the function to call; after a request it is abandoned and the process must end by `leave`.

        Raises:
            BaseException: what `work` raises.
        """
        raised: list[BaseException] = []

        def carry_out() -> None:
            try:
                work()
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=carry_out, daemon=True)
        thread.start()
        while thread.is_alive() and not self.requested():
            thread.join(_LOOK_SECONDS)
        self._abandoned = thread.is_alive()
        if raised:
            raise raised[0]

    def requested(self) -> bool:
        """Return whether to stop; fast enough to call at every step."""
        if not self._asked[0] and time.monotonic() >= self._deadline:
            self._asked[0] = _TIME_LIMIT
        return self._asked[0] != 0

    @property
    def reason(self) -> str | None:
        """Source of the first request: `SIGTERM`, ..., or `time limit`."""
        asked = self._asked[0]
        if not asked:
            return None
        return "time limit" if asked == _TIME_LIMIT else signal.Signals(asked).name

    def end_abandoned(self, code: int) -> None:
        """End this process with a code if a thread of `wait_for` is still at work; else do nothing."""
        if self._abandoned:  # to tidy up under a thread that is at work ends by SIGABRT
            _flush()
            os._exit(code)

    def leave(self) -> NoReturn:
        """End this process as scripts expect of one that was stopped.

        At SIGINT by that signal: an exit code of 130 would not end a shell's loop. Else with `exit_code`.
        """
        _flush()
        code = self.exit_code
        if self.reason == "SIGINT":
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
            code = 130  # where the signal is blocked
        self.end_abandoned(code)
        sys.exit(code)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
        if not self._asked[0]:
            self._asked[0] = number


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # closed, or not read
            stream.flush()


def parse_time_limit(text: str) -> float:
    """Parse `90s`, `55m`, `1h30m`, `2d` or, as in Slurm, `55:00`, `1:30:00`, `1-00:00:00`; return seconds.

    Raises:
        UsageError: the text is invalid or 0.
    """
    if match := _UNITS.fullmatch(text):
        fields = [float(amount or 0) for amount in match.groups()]
    elif _CLOCK.fullmatch(text):
        fields = [float(amount) for amount in _clock_fields(text)]
    else:
        fields = []
    seconds = sum(amount * length for amount, length in zip(fields, _SECONDS, strict=False))
    if seconds == 0:
        raise UsageError(f"--time-limit: must be a time such as 55m, 1h30m or 1-00:00:00, got {short(text)}")
    return seconds


def _clock_fields(text: str) -> list[str]:
    """Days, hours, minutes and seconds. After days come the hours; without, the last field is the seconds."""
    days, dash, clock = text.rpartition("-")
    fields = clock.split(":")
    return [days, *fields, "0", "0"][:4] if dash else ["0", "0", "0", *fields][-4:]


def _resumable_exit() -> int:
    text = os.environ.get("TRAINRUN_RESUMABLE_EXIT") or str(_RESUMABLE)
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= 255:
        raise UsageError(f"TRAINRUN_RESUMABLE_EXIT: must be an exit code from 1 to 255, got {short(text)}")
    return int(text)
