"""The file system calls of a command on its runs, and faults injected at one of them."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from command import Command, Ended
from warm import Warm

_LINE = re.compile(r"(\d+) +([a-z_0-9]+)\((.*)")
_STRACE = ("strace", "-f", "-y", "-s", "0")
_ATTEMPTS = 10
_RANDOM = re.compile(r"\.[0-9a-f]{12}\.tmp")


class Point(NamedTuple):
    """One call of a command on its runs.

    Attributes:
        name: of the system call.
        number: the how-manieth of that name in its thread or process, as strace counts, from 1.
        target: what it is about, without what differs between two commands.
    """

    name: str
    number: int
    target: str


def points(command: Command, warm: Warm) -> list[Point]:
    """Run a command to its end, and note every call on its runs."""
    log = command.folder / "calls"
    ended = command.run(warm, *_STRACE, "-e", "trace=%file,%desc", "-o", str(log))
    assert ended.code == 0, ended
    return [point for point in _calls(log) if point.target]


def inject(make: Callable[[], Command], warm: Warm, point: Point, fault: str) -> tuple[Command, Ended]:
    """Run a command with a fault at one call, and see that it was the one that is meant.

    Args:
        make: a new command like the one whose calls were noted. A slow machine may write lines to a file
            earlier, and so count otherwise: then the next one is tried.
        warm: forks it.
        point: where.
        fault: `signal=KILL` or `error=ENOSPC`.
    """
    name = point.name
    injection = ("-e", f"trace={name}", "-e", f"inject={name}:{fault}:when={point.number}")
    for _ in range(_ATTEMPTS):
        command = make()
        log = command.folder / "calls"
        ended = command.run(warm, *_STRACE, *injection, "-o", str(log))
        met = {call.number: call.target for call in _calls(log) if call.name == name}
        if met.get(point.number) == point.target:
            return command, ended
    raise AssertionError(f"{point} was not met")


def _calls(log: Path) -> list[Point]:
    """The calls of the thread that works on the runs, in order. `git` is a process of its own."""
    lines = log.read_text(errors="replace").splitlines()
    calls = [
        (match[1], match[2], _target(match[3], log.parent)) for match in map(_LINE.match, lines) if match
    ]
    worker = next((thread for thread, _, target in calls if target), None)
    counts: Counter[str] = Counter()
    found = []
    for _, name, target in (call for call in calls if call[0] == worker):
        counts[name] += 1
        found.append(Point(name, counts[name], target))
    return found


def _target(told: str, folder: Path) -> str:
    asked = told.partition(") = ")[0]
    paths = re.findall(re.escape(str(folder)) + r'([^">]*)', asked)
    return " ".join(_RANDOM.sub(".tmp", path) for path in paths if path.startswith("/runs"))
