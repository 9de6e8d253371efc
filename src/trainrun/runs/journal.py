"""events.jsonl: what happened to a run, when and where; the one file in which two equal runs may differ."""

from __future__ import annotations

import functools
import os
import platform
import socket
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from trainrun.runs.files import append, to_json

_PACKAGES = ("torch", "numpy", "trainrun")


class Journal:
    """Appends facts to a run's events.jsonl.

    Args:
        path: the file; created with the first record.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, kind: str, **facts: Any) -> None:
        """Write one line: the time, what happened, and the facts of it."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        append(self._path, to_json({"time": now, "event": kind, **facts}) + "\n")


@functools.cache
def process_facts() -> dict[str, Any]:
    """Return facts about this process; they are the same for every run that it trains."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "processor": _processor(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "git_commit": git_commit(Path.cwd()),
        "folder": str(Path.cwd()),
        "command": sys.argv,
    }


def hardware_and_versions() -> dict[str, str | None]:
    """Return what a run's bits may depend on besides its config, data and device."""
    facts = process_facts()
    return {"processor": facts["processor"], "torch": facts["versions"]["torch"]}


def git_commit(folder: Path) -> str | None:
    """The commit checked out around `folder`, read from git's own files; None where there is none."""
    try:
        found = next(place / ".git" for place in (folder, *folder.parents) if (place / ".git").exists())
        if found.is_file():  # a linked work tree: `gitdir: <where its HEAD is>`
            found = folder / found.read_text().partition("gitdir:")[2].strip()
        head = (found / "HEAD").read_text().strip()
        reference = head.partition("ref: ")[2]
        return _commit_of(found, reference) if reference else head
    except (StopIteration, OSError, UnicodeDecodeError):
        return None


def _commit_of(git: Path, reference: str) -> str | None:
    shared = git / "commondir"
    common = git / shared.read_text().strip() if shared.is_file() else git
    loose = common / reference
    if loose.is_file():
        return loose.read_text().strip()
    packed = (line.split(" ") for line in (common / "packed-refs").read_text().splitlines())
    return next((words[0] for words in packed if words[1:] == [reference]), None)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, UnicodeDecodeError, StopIteration):  # only Linux tells, and not on every machine
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
