"""Rounds of measurements: every case once a round, so that a slow minute of the machine meets all alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS
from benchmarks.works import WORKS, Work, config_file

#: So many seeds a contender without a stack trains in one process; the last stands for all further ones.
ONE_AFTER_THE_OTHER = 2


@dataclass(frozen=True)
class Case:
    """What one process does.

    Attributes:
        seeds: how many it trains.
    """

    work: str
    contender: str
    seeds: int


@dataclass(frozen=True)
class Setting:
    """What is the same for all cases.

    Attributes:
        folder: where `works.write` put the data.
        epochs: instead of each work's own.
        default_threads: every library chooses its threads itself, also where fewer are quicker.
    """

    folder: Path
    device: str = "cpu"
    epochs: int | None = None
    default_threads: bool = False


def seeds_trained(contender: str, seeds: int) -> int:
    """How many seeds a process of this contender trains, where so many are asked for."""
    return seeds if CONTENDERS[contender].together else min(seeds, ONE_AFTER_THE_OTHER)


def cases(works: Sequence[Work], contenders: Sequence[str], seeds: Sequence[int] | None) -> list[Case]:
    """All that has to be measured, each once, the contenders of one work and count side by side."""
    wanted = [
        Case(work.name, contender, seeds_trained(contender, count))
        for work in works
        for count in seeds or work.seeds
        for contender in contenders
    ]
    return list(dict.fromkeys(wanted))


def measure(case: Case, setting: Setting) -> dict[str, Any]:
    """Run a case in a fresh process; what it took, or why it failed."""
    command = [sys.executable, "-m", "benchmarks.measurement", case.contender, case.work]
    command += ["--seeds", str(case.seeds), "--folder", str(setting.folder), "--device", setting.device]
    command += ["--epochs", str(setting.epochs or WORKS[case.work].epochs)]
    load = os.getloadavg()[0]
    seconds, result = timed(command, {} if setting.default_threads else _limits(case))
    record = {"work": case.work, "contender": case.contender, "seeds": case.seeds, "load_before": load}
    if result.returncode:
        return record | {"failed": (result.stderr.strip().splitlines() or ["?"])[-1]}
    record |= json.loads(result.stdout.splitlines()[-1])
    if setting.device != "cpu" or case.contender.startswith("products"):
        return record  # a process that uses a GPU rehearses first: it tells nothing as a whole
    if case.contender == "trainrun":
        seconds = _command_seconds(case, setting)
    return record | {"whole_seconds": seconds}


def trainrun_command() -> list[str]:
    """The `trainrun` that belongs to this interpreter."""
    script = Path(sys.executable).with_name("trainrun")
    return [str(script)] if script.exists() else [sys.executable, "-m", "trainrun"]


def timed(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run a command to its end; the seconds that passed for who started it."""
    start = time.perf_counter()
    result = subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    return time.perf_counter() - start, result


def _limits(case: Case) -> dict[str, str]:
    """The environment in which PyTorch, MKL and OpenBLAS use as many threads as they should."""
    threads = {"work": WORKS[case.work].threads, "one": 1, "all": None}[CONTENDERS[case.contender].threads]
    return {"OMP_NUM_THREADS": str(threads)} if threads else {}


def _command_seconds(case: Case, setting: Setting) -> float | None:
    """How long the command takes that does the same and writes run directories; None where it fails."""
    command = [*trainrun_command(), "fit", str(config_file(WORKS[case.work], setting.folder))]
    command += ["--seeds", str(case.seeds), "--progress", "none", "--set", f"device={setting.device}"]
    command += ["--set", f"epochs={setting.epochs}"] if setting.epochs else []
    with tempfile.TemporaryDirectory() as runs:
        seconds, result = timed([*command, "--runs", runs])
    return None if result.returncode else seconds


def interleaved(rounds: int, items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """All items once a round; every second round goes backwards."""
    for number in range(rounds):
        for item in items if number % 2 == 0 else reversed(items):
            yield number + 1, item
