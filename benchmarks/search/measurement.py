"""One search in a process of its own: searches, and prints what it found and spent as a line of JSON.

python -m benchmarks.search.measurement CONTENDER SET --repeat N --folder DIR, and --seconds or --candidates
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import tempfile
from contextlib import nullcontext
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.search.contenders import CONTENDERS, Tally
from benchmarks.search.sets import TASKS, Settings, plain
from benchmarks.search.spending import Budget, MemoryWatch

_FIRST_FRESH, _FRESH = 1000, 5  # seeds of the confirmation


def main() -> None:
    """Measure what the command line says."""
    options = _options()
    if options.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    contender = CONTENDERS[options.contender]
    module = importlib.import_module(f"benchmarks.search.contenders.{contender.module}")
    option = f"{contender.option}, {options.sampler}" if options.sampler else contender.option
    budgets: list[Budget] = []

    def make_budget(*, family: bool = False) -> Budget:
        budgets.append(Budget(options.seconds, options.candidates, family=family))
        return budgets[0]

    record: dict[str, Any] = {}
    with MemoryWatch() if options.memory else nullcontext() as watch:
        tally: Tally = module.search(options.set, options.folder, options.repeat, make_budget, option)
    if watch:
        record["peak_mib"] = watch.peak_mib
    record |= {**vars(tally), **budgets[0].spent}
    if options.confirm and tally.settings:
        record |= _confirm(options.set, options.folder, tally.settings)
    print(json.dumps(record), flush=True)


def _confirm(name: str, folder: Path, settings: Settings) -> dict[str, float]:
    """Train the best settings over fresh seeds, by trainrun for every contender; return the mean losses."""
    from trainrun import fit

    overrides = [f"seed={_FIRST_FRESH}", *(f"{key}={json.dumps(value)}" for key, value in settings.items())]
    with tempfile.TemporaryDirectory() as runs:
        found = fit(plain(name, folder), overrides=overrides, seeds=_FRESH, runs=runs)
        results = [run.result or {} for run in found]
    return {f"fresh_{part}": fmean(one[part]["loss"] for one in results) for part in ("valid", "test")}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("set", choices=TASKS)
    parser.add_argument("--repeat", type=int, default=0)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--candidates", type=int)
    parser.add_argument("--sampler")
    parser.add_argument("--cores", type=int)
    parser.add_argument("--confirm", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--folder", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
