"""What a search has spent: processors' seconds and memory, of a process and all that it started (Linux)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")
_SECONDS_BETWEEN_LOOKS = 0.1


class Budget:
    """What a search may spend; the clock starts when this is made.

    Args:
        seconds: of the processors; None without a limit.
        candidates: that are tried; None without a limit.
        family: whether processes that this one does not wait for work, too, so that they are looked at, now
            and then.
    """

    def __init__(self, seconds: float | None, candidates: int | None, *, family: bool = False) -> None:
        self.seconds, self.candidates = seconds, candidates
        self._watch = FamilyWatch() if family else None
        self._read = self._watch.seconds if self._watch else _own_seconds
        self._cpu, self._wall = self._read(), time.perf_counter()
        self.spent: dict[str, float] = {}

    def requested(self) -> bool:
        """Return whether the seconds are used up: the word of trainrun for a request to stop."""
        return self.seconds is not None and self._read() - self._cpu >= self.seconds

    def end(self) -> None:
        """Stop the clock, while all processes that have worked are still there or waited for."""
        cpu, wall = self._read(), time.perf_counter()
        self.spent = {
            "cpu_seconds": cpu - self._cpu,
            "process_cpu_seconds": cpu,
            "wall_seconds": wall - self._wall,
        }


class FamilyWatch:
    """Processors' seconds of this process and of all below it, by looking at them again and again.

    A parent that waits for no child has no count of what they took. So each is noted as long as it lives;
    what it takes after the last look before its end is lost.
    """

    def __init__(self) -> None:
        self._ticks: dict[tuple[int, int], int] = {}
        self._looking = 0.0  # seconds that the looks have taken themselves
        self._look()
        threading.Thread(target=self._look_always, daemon=True).start()

    def seconds(self) -> float:
        """Return the user and system seconds that were seen so far."""
        others = sum(ticks for (process, _), ticks in self._ticks.items() if process != os.getpid())
        return time.process_time() - self._looking + others / _TICK

    def _look_always(self) -> None:
        while True:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            self._look()
            self._looking = time.thread_time()

    def _look(self) -> None:
        self._ticks = self._ticks | {(one.process, one.start): one.ticks for one in _family(os.getpid())}


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
        while not self._ended.wait(_SECONDS_BETWEEN_LOOKS):
            used = sum(_memory_kib(one.process) for one in _family(os.getpid()))
            self.peak_mib = max(self.peak_mib, used / 1024)


def _own_seconds() -> float:
    """User and system seconds of this process and of the children that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class _Process(NamedTuple):
    """A process: its number, its parent's, when it started, and its own user and system ticks."""

    process: int
    parent: int
    start: int
    ticks: int


def _family(root: int) -> Iterator[_Process]:
    """Yield a process and all below it."""
    found = {one.process: one for one in map(_look_at, Path("/proc").glob("[0-9]*/stat")) if one}
    below: dict[int, list[int]] = {}
    for one in found.values():
        below.setdefault(one.parent, []).append(one.process)
    waiting = [root]
    while waiting:
        process = waiting.pop()
        if process in found:
            yield found[process]
        waiting += below.get(process, [])


def _look_at(stat: Path) -> _Process | None:
    try:
        text = stat.read_text()
    except OSError:  # it has ended
        return None
    after = text.rpartition(")")[2].split()  # a program's name may have any character
    ticks = int(after[11]) + int(after[12])
    return _Process(int(text.split(maxsplit=1)[0]), int(after[1]), int(after[19]), ticks)


def _memory_kib(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
