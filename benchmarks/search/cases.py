"""What is measured: the parts of the benchmark, each a list of searches that are processes of their own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.rounds import timed

Record = dict[str, Any]

EQUAL_SETS = ("digits", "phoneme", "kin8nm")
SAMPLER_SETS = ("digits", "phoneme", "kin8nm", "satimage", "spambase", "abalone", "energy")


@dataclass(frozen=True)
class Case:
    """A search.

    Attributes:
        part: of the benchmark.
        set: that is searched on.
        contender: who searches.
        seconds: of the processors that it may use; None without a limit.
        candidates: that it tries; None without a limit.
        cores: that it may use.
        sampler: of trainrun, instead of its default.
        confirm: whether the best settings are trained over fresh seeds.
    """

    part: str
    set: str
    contender: str
    seconds: float | None = None
    candidates: int | None = None
    cores: int = 1
    sampler: str | None = None
    confirm: bool = False


def cost(contenders: Sequence[str]) -> list[Case]:
    """What a number of candidates costs on digits."""
    cases = [Case("cost", "digits", name, candidates=200) for name in contenders]
    return [*cases, Case("cost", "digits", "trainrun", candidates=1000, cores=2)]


def memory() -> list[Case]:
    """How much memory so many candidates take."""
    sizes = ((100, 1), (1000, 1), (1000, 2))
    return [Case("memory", "digits", "trainrun", candidates=count, cores=cores) for count, cores in sizes]


def equal(contenders: Sequence[str], sets: Sequence[str], seconds: Sequence[float]) -> list[Case]:
    """What is found in equal time."""
    return [
        Case("equal", one, name, seconds=limit, confirm=True)
        for limit in seconds
        for one in sets
        for name in contenders
    ]


def samplers(sets: Sequence[str], counts: Sequence[int] = (300,)) -> list[Case]:
    """What the samplers of trainrun find with equally many candidates."""
    return [
        Case("samplers", one, "trainrun", candidates=count, sampler=sampler, confirm=True)
        for one in sets
        for count in counts
        for sampler in ("tpe", "random")
    ]


def measure(case: Case, repeat: int, folder: Path) -> Record:
    """Run a case in a fresh process; what it found and spent, or why it failed."""
    command = [sys.executable, "-m", "benchmarks.search.measurement", case.contender, case.set]
    command += ["--repeat", str(repeat), "--folder", str(folder), "--cores", str(case.cores)]
    for name in ("seconds", "candidates", "sampler"):
        if (value := getattr(case, name)) is not None:
            command += [f"--{name}", str(value)]
    command += ["--confirm"] * case.confirm + ["--memory"] * (case.part == "memory")
    record = {**asdict(case), "repeat": repeat, "load_before": os.getloadavg()[0]}
    _, result = timed(command, {"OMP_NUM_THREADS": "1"})
    if result.returncode:
        return record | {"failed": (result.stderr.strip().splitlines() or ["?"])[-1]}
    return record | json.loads(result.stdout.splitlines()[-1])


def key_of(record: Record) -> Record:
    """What tells a measurement from others: its case and its repeat."""
    return {name: record.get(name) for name in (*(field.name for field in fields(Case)), "repeat")}
