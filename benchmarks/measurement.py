"""One measurement in a process of its own: trains, and prints what it took as a line of JSON.

python -m benchmarks.measurement CONTENDER WORK --seeds N --folder DIR
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import works
from benchmarks.contenders import CONTENDERS, Trained


def main() -> None:
    """Measure what the command line says."""
    options = _options()
    work = works.WORKS[options.work]
    work = replace(work, epochs=options.epochs or work.epochs, device=options.device)
    contender = importlib.import_module(f"benchmarks.contenders.{CONTENDERS[options.contender].module}")
    load = getattr(contender, "load", works.load)
    if options.device != "cpu":  # a GPU's first use sets up much that is not fitting
        short = replace(work, epochs=1)
        list(_fits(contender, short, load(short, options.folder), range(options.seeds)))
    data = load(work, options.folder)
    loaded_mib = _peak_mib(options.device)
    seconds, compiling, accuracies = [], [], []
    for took, trained in _fits(contender, work, data, range(options.seeds)):
        seconds.append(took - trained.compile_seconds)
        compiling.append(trained.compile_seconds)
        accuracies += trained.accuracies
    record = {
        "fit_seconds": seconds,
        "compile_seconds": compiling,
        "accuracy": sum(accuracies) / len(accuracies) if accuracies else None,
        "loaded_mib": loaded_mib,
        "peak_mib": _peak_mib(options.device),
    }
    print(json.dumps(record), flush=True)


def _fits(
    contender: Any, work: works.Work, data: Any, seeds: Sequence[int]
) -> Iterator[tuple[float, Trained]]:
    """One timed fit for all seeds, or one for each."""
    if hasattr(contender, "train_together"):
        yield _timed(lambda: contender.train_together(work, data, seeds))
    else:
        for seed in seeds:
            yield _timed(lambda seed=seed: contender.train(work, data, seed))


def _timed(fit: Callable[[], Trained]) -> tuple[float, Trained]:
    start = time.perf_counter()
    trained = fit()
    return time.perf_counter() - start, trained


def _peak_mib(device: str) -> float:
    """The most memory this process has had in use, of a GPU where it trains there."""
    if device != "cpu":
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("work", choices=works.WORKS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
