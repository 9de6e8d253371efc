"""What looking for leaks and the like costs: `python -m benchmarks.audit FOLDER` fits with and without it.

FOLDER is that of the real data: `tables/sets.json`, `tables/<set>/s0/*.csv.gz` and `adult/*.csv.gz`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from trainrun import fit

AIM = 0.05


def sets(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The names of the sets, and `data` of their configs."""
    for name, facts in json.loads((folder / "tables" / "sets.json").read_text()).items():
        roles = {"path": "train", "valid": "valid", "test": "test"}
        files = {key: str(folder / "tables" / name / "s0" / f"{part}.csv.gz") for key, part in roles.items()}
        yield name, files | {"target": "y", "task": facts["task"]}
    files = {
        key: str(folder / "adult" / f"adult_{part}.csv.gz")
        for key, part in (("path", "train"), ("test", "test"))
    }
    yield "Adult", files | {"target": "income"}


def seconds(data: Mapping[str, Any], *, audited: bool) -> float:
    """Fit the default config once, in processor time: other work on the machine hardly changes it."""
    off = mock.patch("trainrun.data.loading.audit", return_value=())
    with tempfile.TemporaryDirectory() as folder, nullcontext() if audited else off:
        path = Path(folder) / "net.yaml"
        path.write_text(json.dumps({"data": data}))
        start = sum(os.times()[:4])
        fit(path, runs=Path(folder) / "runs")
        return sum(os.times()[:4]) - start


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rows = []
    print("| set | s without | s with |\n|---|---|---|")
    for name, data in sets(given.folder):
        seconds(data, audited=True)  # imports, caches
        rounds = [[seconds(data, audited=on) for on in (False, True)] for _ in range(given.rounds)]
        rows.append([median(times) for times in zip(*rounds, strict=True)])
        print(f"| {name} | {rows[-1][0]:.3f} | {rows[-1][1]:.3f} |", flush=True)
    without, within = (sum(times) for times in zip(*rows, strict=True))
    print(f"| all | {without:.3f} | {within:.3f} |\n\n{within / without - 1:+.1%}; the aim is {AIM:+.0%}")


if __name__ == "__main__":
    main()
