"""Holders: what a lock file says about the process that wrote it, and whether that process has ended."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from trainrun.text import short

LONGEST_RECORD = 4096  # bytes of a lock file
_SHOWN = ("host", "pid", "job", "task", "start")
_TICKS = 19  # the place of a process's start among the words after its name in /proc/PID/stat


def about_this_process() -> dict[str, Any]:
    """Return what this process writes into its lock files."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "job": os.environ.get("SLURM_JOB_ID"),
        "task": os.environ.get("SLURM_ARRAY_TASK_ID"),
        "start": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "ticks": _ticks(os.getpid()),
    }


def parse_record(content: bytes) -> dict[str, Any] | None:
    """Return what a lock file holds; None where no holder has written that."""
    try:
        about = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return about if isinstance(about, dict) and all(key in about for key in _SHOWN) else None


def holder(content: bytes) -> str:
    """Return what a lock file says about its holder; empty if the content is missing or invalid."""
    about = parse_record(content)
    if not about:
        return ""
    host, pid, job, task, start = (about[key] and short(str(about[key])) for key in _SHOWN)
    slurm = f" (Slurm job {job}{f', task {task}' if task else ''})" if job else ""
    return f": process {pid} on {host}{slurm}, since {start}"


def is_of_this_machine(about: dict[str, Any]) -> bool:
    """Return whether this machine can say what has become of the holder."""
    return _machine() is not None and about.get("machine") == _machine()


def has_ended(about: dict[str, Any]) -> bool:
    """Return whether the holder is known to have ended; False for what runs on other machines."""
    if not is_of_this_machine(about):
        return False
    pid, ticks = about.get("pid"), about.get("ticks")
    return isinstance(pid, int) and isinstance(ticks, int) and _ticks(pid) != ticks


@cache
def _machine() -> str | None:
    """Name this machine since its last start, and the container; None where the system has no name for it."""
    try:
        if Path("/proc/self").readlink() != Path(str(os.getpid())):
            return None  # /proc counts the processes of another container
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _ticks(pid: int) -> int | None:
    """Return when a process began, in the kernel's own count; None where there is no such process."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if words[0] in "ZX" else int(words[_TICKS])
    except (OSError, ValueError, IndexError):
        return None
