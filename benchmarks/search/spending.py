"""What a search has spent: processors' seconds and memory, of a process and all that it started (Linux)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_SECONDS_BETWEEN_LOOKS = 0.25


def cpu_seconds(root: int | None = None) -> float:
    """Return user and system seconds of a process and all below it, those that have ended included.

    Args:
        root: the process; this one unless given.
    """
    return sum(fields[2] for fields in _family(root or os.getpid())) / _TICK


class MemoryWatch:
    """The most memory that this process and all below it have had together; what they share counts once."""

    def __init__(self) -> None:
        self.peak_mib, self._ended = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_LOOKS / 2):
            used = sum(_memory_kib(process) for process, *_ in _family(os.getpid()))
            self.peak_mib = max(self.peak_mib, used / 1024)


def _memory_kib(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


class Budget:
    """What a search may spend; the clock starts when this is made.

    Args:
        seconds: of the processors; None without a limit.
        candidates: that are tried; None without a limit.
        family: whether other processes of this one work, too, so that they are looked at, now and then.
    """

    def __init__(self, seconds: float | None, candidates: int | None, *, family: bool = False) -> None:
        self.seconds, self.candidates = seconds, candidates
        self._read = cpu_seconds if family else time.process_time
        self._pause = _SECONDS_BETWEEN_LOOKS if family else 0.0
        self._begun, self._looked, self._over = self._read(), time.monotonic(), False
        self._started = cpu_seconds(), time.perf_counter()
        self.spent: dict[str, float] = {}

    def requested(self) -> bool:
        """Return whether the seconds are used up: the word of trainrun for a request to stop."""
        if self.seconds is None or self._over or time.monotonic() - self._looked < self._pause:
            return self._over
        self._looked = time.monotonic()
        self._over = self._read() - self._begun >= self.seconds
        return self._over

    def end(self) -> None:
        """Stop the clock, while all processes that have worked are still there or waited for."""
        cpu, wall = cpu_seconds(), time.perf_counter()
        self.spent = {
            "cpu_seconds": cpu - self._started[0],
            "process_cpu_seconds": cpu,
            "wall_seconds": wall - self._started[1],
        }


def _family(root: int) -> Iterator[tuple[int, int, int]]:
    """Yield (process, parent, ticks) of a process and all below it."""
    found = {fields[0]: fields for fields in map(_fields, Path("/proc").glob("[0-9]*/stat")) if fields}
    below: dict[int, list[int]] = {}
    for process, parent, _ in found.values():
        below.setdefault(parent, []).append(process)
    waiting = [root]
    while waiting:
        process = waiting.pop()
        if process in found:
            yield found[process]
        waiting += below.get(process, [])


def _fields(stat: Path) -> tuple[int, int, int] | None:
    try:
        text = stat.read_text()
    except OSError:  # it has ended
        return None
    after = text.rpartition(")")[2].split()  # a program's name may have any character
    return int(text.split(maxsplit=1)[0]), int(after[1]), sum(int(ticks) for ticks in after[11:15])
