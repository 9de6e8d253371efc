"""The machine that was measured on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.floor import Rates

PACKAGES = (
    *("trainrun", "torch", "numpy", "scikit-learn", "optuna", "ray"),
    *("skorch", "lightning", "keras", "jax", "optax"),
)


def describe_machine(device: str) -> dict[str, Any]:
    """Processor, memory, load, and the versions of all that takes part."""
    return {
        "processor": _processor(),
        "gpu": _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
        if device != "cpu"
        else None,
        "rates": _rates(device) if device != "cpu" else None,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_before": os.getloadavg(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _output("git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        fields = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
        return f"{fields['model name'].strip()}, model {fields['model'].strip()}"
    except (OSError, KeyError):  # not Linux on x86
        return platform.processor() or platform.machine()


def _rates(device: str) -> Rates:
    """In a process of its own, as every measurement."""
    command = [sys.executable, "-m", "benchmarks.floor", device]
    return Rates(**json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _output(*command: str) -> str | None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
