"""How much memory training takes beside what it needs: `python -m benchmarks.memory`.

What it needs: the data; weights, gradients, the optimizer's moments and the best weights; and what one step
passes on (of each hidden layer its sums, outputs, dropped outputs, mask and their gradients; of the net its
input and output). Measured is the peak of a process of one part above what it had after its imports.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from benchmarks.works import MNIST, WORKS, config_file, write

_SEEDS = {"digits": (1, 20, 1000), "mnist": (1, 20), "synthetic": (1, 20)}
_MIB = 2**20


def main() -> None:
    """Measure every work and count of seeds, each in a process of its own."""
    print("| work | seeds | needed [MiB] | peak [MiB] | ratio |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        for work, counts in _SEEDS.items():
            if work == "mnist" and not MNIST.is_dir():
                continue
            _in_a_process(write, WORKS[work], Path(name))
            for seeds in counts:
                _in_a_process(_measure, work, seeds, Path(name))


def _in_a_process(function, *arguments) -> None:
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()


def _measure(name: str, seeds: int, folder: Path) -> None:
    import torch

    from trainrun.config import load_config
    from trainrun.data import load_data
    from trainrun.engine.training import train
    from trainrun.plan import Cell, make_plan

    config = load_config(config_file(WORKS[name], folder), ["epochs=1"])
    before = _status("VmRSS")
    data = load_data(config.data, 0)
    plan = make_plan([Cell(config.with_seed(seed), data) for seed in range(seeds)])
    for _ in train(plan, device=torch.device("cpu")):
        pass
    needed = _needed(plan) / _MIB
    peak = _status("VmHWM") - before
    print(f"| {name} | {seeds} | {needed:.0f} | {peak:.0f} | {peak / needed:.2f} |")
    sys.stdout.flush()


def _needed(plan) -> float:
    members, rows = len(plan.starts), plan.batch_size
    data = sum(part.x.nbytes + part.y.nbytes for part in (plan.dataset.train, plan.dataset.valid))
    weights = sum((i + 1) * o for i, o in pairwise(plan.widths))
    buffers = 3 + len(plan.optimizer.state)  # weights, gradients, best weights; moments
    passed_on = 6 * sum(plan.widths[1:-1]) + plan.widths[0] + 2 * plan.widths[-1]
    return data + 4 * members * (buffers * weights + rows * passed_on)


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(key))) / 1024


if __name__ == "__main__":
    main()
