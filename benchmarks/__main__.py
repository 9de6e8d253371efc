"""Time trainrun beside its peers: `python -m benchmarks --help`.

Searches are a command of their own: `python -m benchmarks search --help`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import keeping, rounds, startup
from benchmarks.contenders import CONTENDERS
from benchmarks.machine import describe_machine
from benchmarks.report import write_results
from benchmarks.search import __main__ as searches
from benchmarks.works import MNIST, WORKS, Work

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure what the command line asks for and write the tables."""
    if sys.argv[1:2] == ["search"]:
        searches.main(sys.argv[2:])
        return
    options = _options()
    if options.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    works = _available(options.works, options.epochs)
    contenders = [
        name
        for name, contender in CONTENDERS.items()
        if name in options.contenders and (options.device == "cpu" or contender.cuda)
    ]
    machine = describe_machine(options.device)
    tasks = [(work, count) for work in works for count in options.seeds or work.seeds]
    records: list[dict[str, Any]] = []
    starts: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        setting = rounds.Setting(folder, options.device, options.epochs, options.default_threads)
        _write_data(works, folder)
        steps = [("fit", case) for case in rounds.cases(works, contenders, options.seeds)]
        if options.startup:
            startup.prepare(folder)
            steps += [("start", command) for command in startup.COMMANDS]
            steps += [("keep", case) for case in keeping.CASES]
        for number, (kind, item) in rounds.interleaved(options.rounds, steps):
            if kind == "fit":
                told = {"round": number, **rounds.measure(item, setting)}
            else:
                told = (startup if kind == "start" else keeping).measure(item, folder, number)
            {"fit": records, "start": starts, "keep": kept}[kind].append(told)
            _say(number, told)
            write_results(RESULTS / options.name, machine, tasks, contenders, records, starts, kept)
    print(f"\n{(RESULTS / options.name).with_suffix('.md').read_text(encoding='utf-8')}")


def _available(names: list[str], epochs: int | None) -> list[Work]:
    """The works whose data is here; says which is not."""
    if "mnist" in names and not MNIST.is_dir():
        print(f"mnist is left out: there is no {MNIST}; name its folder in the environment variable MNIST")
        names = [name for name in names if name != "mnist"]
    return [replace(WORKS[name], epochs=epochs or WORKS[name].epochs) for name in names]


def _write_data(works: list[Work], folder: Path) -> None:
    """In a process of its own: this one stays small, its memory would count as its children's."""
    names = [work.name for work in works]
    subprocess.run([sys.executable, "-m", "benchmarks.works", str(folder), *names], check=True)


def _say(number: int, record: dict[str, Any]) -> None:
    named = record.get("command") or record.get("case")
    what = named or f"{record['work']} {record['contender']} x{record['seeds']}"
    took = record.get("failed") or record.get("seconds") or record.get("training") or record["fit_seconds"]
    text = (
        took
        if isinstance(took, str)
        else " ".join(f"{s:.2f}" for s in (took if isinstance(took, list) else [took]))
    )
    print(f"round {number}: {what}: {text}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument(
        "--seeds", nargs="+", type=int, help="how many seeds; default: each work's own counts"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="instead of each work's own; for a quick look")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; cuda leaves out who cannot train there")
    parser.add_argument("--cores", type=int, help="use only so many cores (Linux)")
    parser.add_argument(
        "--default-threads",
        action="store_true",
        help="leave the threads to each library, also where one is best",
    )
    parser.add_argument("--no-startup", dest="startup", action="store_false", help="leave the commands out")
    parser.add_argument("--name", default="latest", help="of the files in benchmarks/results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
