"""Measure searches of trainrun and of its peers. What is measured already, under the same name, is kept."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.rounds import interleaved
from benchmarks.search import cases
from benchmarks.search.cases import EQUAL_SETS, SAMPLER_SETS, Case, Record
from benchmarks.search.contenders import CONTENDERS
from benchmarks.search.report import report
from benchmarks.search.sets import TASKS, available

RESULTS = Path(__file__).parents[1] / "results"


def main(words: Sequence[str] | None = None) -> None:
    """Measure what the words of a command line ask for, those of this process unless given."""
    options = _options(words)
    names = [name for name in options.contenders if _is_here(name)]
    wanted = _cases(options, names)
    path = RESULTS / options.name
    machines, records = _read(path)
    known = [cases.key_of(record) for record in records]
    todo = [
        (repeat - 1, case)
        for repeat, case in interleaved(options.repeats, wanted)
        if {**asdict(case), "repeat": repeat - 1} not in known
    ]
    if not todo:
        print(f"all of it is in {path.with_suffix('.json')}")
        return
    machines.append(describe_machine("cpu"))
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        sets = dict.fromkeys(case.set for _, case in todo)
        command = [sys.executable, "-m", "benchmarks.search.sets", folder, *sets]
        subprocess.run(command, check=True)
        for place, (repeat, case) in enumerate(todo, 1):
            record = cases.measure(case, repeat, Path(folder))
            records.append(record | {"machine": len(machines) - 1})
            print(f"{place} of {len(todo)}: {_told(record)}", flush=True)
            _write(path, machines, records)
    print(f"\n{path.with_suffix('.md').read_text(encoding='utf-8')}")


def _cases(options: argparse.Namespace, contenders: Sequence[str]) -> list[Case]:
    def sets(of_part: Sequence[str]) -> list[str]:
        return available([name for name in of_part if name in (options.sets or of_part)])

    parts = {
        "cost": lambda: cases.cost(contenders),
        "memory": cases.memory,
        "equal": lambda: cases.equal(contenders, sets(EQUAL_SETS), options.seconds),
        "samplers": lambda: cases.samplers(sets(SAMPLER_SETS), options.candidates),
    }
    return [case for part in options.parts for case in parts[part]()]


def _is_here(name: str) -> bool:
    package = CONTENDERS[name].package
    if package is None or find_spec(package):
        return True
    print(f"{CONTENDERS[name].title}: left out, {package} is not installed")
    return False


def _read(path: Path) -> tuple[list[Record], list[Record]]:
    """The machines and measurements that are there; failed ones are measured again."""
    try:
        found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return [], []
    return found["machines"], [one for one in found["measurements"] if "failed" not in one]


def _write(path: Path, machines: Sequence[Record], records: Sequence[Record]) -> None:
    content = {"machines": machines, "measurements": records}
    path.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(report(machines, records), encoding="utf-8")


def _told(record: Record) -> str:
    what = f"{record['part']}, {record['set']}, {CONTENDERS[record['contender']].title}"
    if "failed" in record:
        return f"{what}: failed: {record['failed']}"
    spent = f"{record['cpu_seconds']:.1f} s of CPU"
    return f"{what}: {record['candidates']} candidates, {spent}, best {record['best']:.4f}"


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parts = ("cost", "memory", "equal", "samplers")
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--sets", nargs="+", choices=TASKS, help="default: those of each part")
    parser.add_argument("--seconds", nargs="+", type=float, default=[15, 60], help="of equal time")
    parser.add_argument("--candidates", nargs="+", type=int, default=[300], help="of the samplers")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--name", default="search", help="of the files in benchmarks/results")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
