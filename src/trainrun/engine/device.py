"""Choice of the device and the number of threads that a stack trains on."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch

from trainrun.errors import DeviceError
from trainrun.plan import Plan

# Multiplications from which another processor pays (measured). For another thread: in a layer's product, on
# average. For another process: in a step of its part of the stack.
_WORTH_A_THREAD = 2**22
_WORTH_A_PROCESS = 2**21

_LOAD = Path("/proc/loadavg")  # its fourth word: how many threads run at this moment / exist
_LOOKS = 5


class Processors(NamedTuple):
    """Numbers of processes and threads that a stack uses.

    Attributes:
        parts: number of processes, each of which trains a share of the stack; 1 where no process is forked
            safely (macOS).
        threads: that share each product of a part.
    """

    parts: int
    threads: int


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


def gpu_names() -> list[str]:
    """Return the names of the GPUs that PyTorch can use here."""
    if not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def usable_processors() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def choose_processors(wanted: int | str, plan: Plan, members: int, device: torch.device) -> Processors:
    """Choose how many parts and threads a stack trains with. No bit of a result depends on this choice.

    `auto` takes what is free at this moment, and one thread for small work: there a second one costs more
    than it brings, many times more where something else runs. A number is the threads that share a product.

    Args:
        wanted: `threads` of the config.
        plan: of one member.
        members: of the stack.
        device: where it trains.
    """
    if wanted != "auto":
        return Processors(1, int(wanted))
    products = [plan.batch_size * plan.net.shared_members * i * o for i, o in pairwise(plan.widths)]
    worth_parts = min(members, sum(products) * members // _WORTH_A_PROCESS) if sys.platform == "linux" else 1
    worth_threads = members == 1 and sum(products) / len(products) >= _WORTH_A_THREAD
    if device.type != "cpu" or not (worth_parts > 1 or worth_threads):
        return Processors(1, 1)
    free = free_processors()
    return Processors(1, free) if worth_threads else Processors(min(free, worth_parts), 1)


def free_processors() -> int:
    """Return how many processors this process may use and others do not keep busy now; at least 1."""
    usable = usable_processors()
    with suppress(OSError, ValueError, IndexError):  # only Linux has /proc/loadavg
        busy = [int(_LOAD.read_text().split()[3].partition("/")[0]) - 1 for _ in range(_LOOKS)]
        return max(1, usable - min(busy))
    return usable
