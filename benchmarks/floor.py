"""The least time a work can take on a device: `python -m benchmarks.floor cuda` prints the device's rates.

A work needs so much arithmetic, and so many bytes must pass between chip and memory; whichever takes longer
at the rate of one large float32 product, or of one large copy, is the floor. Nothing is granted to caches:
a small net whose weights stay in one may come below the floor of its bytes.

Arithmetic: two operations for each weight and row, forward, for the weights' gradient, and for the input's
gradient of all layers but the first; forward alone in validation. Bytes: each training step reads its rows,
and reads and writes weights and Adam's two moments; a validation reads its rows and the weights.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from benchmarks.works import Work

_NUMBER = 4  # bytes
_ADAM = 6  # weight and two moments, read and written


class Rates(NamedTuple):
    """Of a device, each in a second."""

    operations: float
    bytes: float


class Floor(NamedTuple):
    """The least seconds, and what takes them: `arithmetic` or `bandwidth`."""

    seconds: float
    bound: str


def floor(work: Work, seeds: int, rates: Rates) -> Floor:
    """The floor of training a net for each seed.

    Args:
        work: what is done.
        seeds: how many nets.
        rates: of the device.
    """
    weights = [i * o for i, o in pairwise(work.widths)]
    parameters = sum(weights) + sum(work.widths[1:])
    train, valid = work.rows
    steps = -(-train // work.batch_size)
    operations = 2 * train * (3 * sum(weights) - weights[0]) + 2 * valid * sum(weights)
    moved = (train + valid) * work.inputs + (steps * _ADAM + 1) * parameters
    nets = work.epochs * seeds
    return max(
        Floor(nets * operations / rates.operations, "arithmetic"),
        Floor(nets * moved * _NUMBER / rates.bytes, "bandwidth"),
    )


def measure_rates(device: str) -> Rates:
    """What a device does in one large product and one large copy; a GPU's are larger, to fill it."""
    import torch

    side, numbers = (8192, 2**28) if device != "cpu" else (1024, 2**24)
    one, other = (torch.randn(side, side, device=device) for _ in range(2))
    source = torch.zeros(numbers, device=device)
    product, copy = torch.empty_like(one), torch.empty_like(source)
    return Rates(
        operations=2 * side**3 / _seconds(lambda: torch.mm(one, other, out=product), device),
        bytes=2 * numbers * _NUMBER / _seconds(lambda: copy.copy_(source), device),
    )


def _seconds(call: Callable[[], object], device: str, calls: int = 10) -> float:
    """Of one of some calls, after as many that are not counted."""
    import torch

    for _ in range(2):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        if device != "cpu":
            torch.cuda.synchronize()
    return (time.perf_counter() - start) / calls


if __name__ == "__main__":
    print(json.dumps(measure_rates(sys.argv[1])._asdict()))
