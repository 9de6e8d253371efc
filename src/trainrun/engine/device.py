"""Which device and how many threads a stack trains on."""

from __future__ import annotations

import os
from itertools import pairwise

import torch

from trainrun.errors import DeviceError
from trainrun.plan import Plan

#: Multiplications of a layer's product, on average, from which more threads pay even on a busy machine.
_WORTH_A_THREAD = 2**25


def choose_device(wanted: str) -> torch.device:
    """The device a config asks for; `auto` is a GPU where there is one.

    Args:
        wanted: auto, cpu, cuda or cuda:N.

    Raises:
        DeviceError: it is not available here. There is no silent fall-back.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(wanted)
    if device.type != "cuda":
        return device
    if not torch.cuda.is_available():
        built = "has no CUDA device" if torch.version.cuda else "has a PyTorch built without CUDA"
        raise DeviceError(f"device: {wanted} is not available: this machine {built}; say device: cpu or auto")
    count = torch.cuda.device_count()
    if device.index is not None and device.index >= count:
        raise DeviceError(f"device: {wanted} is not available: this machine has cuda:0 to cuda:{count - 1}")
    return device


def choose_threads(wanted: int | str, plan: Plan) -> int:
    """The number of threads for a plan's operations.

    `auto` looks at one member's products alone, never at the size of the stack or the load. On small
    products a second thread costs more than it brings, many times more where something else runs: threads
    wait for each other at every product.
    """
    if wanted != "auto":
        return int(wanted)
    products = [plan.batch_size * i * o for i, o in pairwise(plan.widths)]
    return _processors() if sum(products) / len(products) >= _WORTH_A_THREAD else 1


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
