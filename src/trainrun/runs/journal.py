"""events.jsonl: what happened to a run, when and where; the one file in which two equal runs may differ."""

from __future__ import annotations

import functools
import os
import platform
import socket
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from trainrun.jsonio import to_json
from trainrun.runs.files import append

_PACKAGES = ("torch", "numpy", "trainrun")
_GIT_SECONDS = 2  # the longest that a run waits for git, which takes milliseconds


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
    """Return the commit that is checked out around `folder`.

    None where git has no answer: without git, a repository or a commit, and in a repository of another user
    that git's `safe.directory` does not name. Inside a git hook, variables such as GIT_DIR name the hook's
    repository; they are ignored.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "HEAD"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, UnicodeDecodeError, StopIteration):  # only Linux has it, and not on every machine
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
