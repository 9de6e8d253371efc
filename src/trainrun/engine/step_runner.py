"""Runners of steps: one step after the other on a CPU, many steps from a recording on a CUDA device.

A step of a small net is some sixty short operations, and starting each of them from Python takes a GPU
longer than running it. A recording starts them all at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainrun.engine.masks import HashMasks, LayerMasks, StreamMasks

Block = Callable[..., Iterator[Any]]  # of tensors; each item is the output of one step


class StepRunner(ABC):
    """A way to take the steps of a block.

    Attributes:
        longest: steps of a block.
        numbers: about how many numbers a block's masks and outputs may hold.
        masks: where the bits of dropout come from.
    """

    longest: int
    numbers: int
    masks: type[LayerMasks]

    @abstractmethod
    def run(self, block: Block, *inputs: Tensor) -> Iterator[list[Any]]:
        """Yield the outputs of the steps in lists. A list is valid until the next call."""


class Direct(StepRunner):
    """Runner that takes each step by itself, when its output is asked for."""

    longest, numbers = 256, 2**19
    masks = StreamMasks

    def run(self, block: Block, *inputs: Tensor) -> Iterator[list[Any]]:
        return ([item] for item in block(*inputs))


class CudaGraphs(StepRunner):
    """Replays of a block's operations on a CUDA device, recorded once for each shape of the inputs.

    A step may read and change only its inputs and tensors whose memory stays in place. It never looks at a
    number.
    """

    longest, numbers = 16, 2**24
    masks = HashMasks

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        self._recordings: dict[tuple[torch.Size, ...], _Recording | None] = {}
        self._ended: torch.cuda.Event | None = None

    def run(self, block: Block, *inputs: Tensor) -> Iterator[list[Any]]:
        shapes = tuple(x.shape for x in inputs)
        if shapes not in self._recordings:  # libraries set up what they need outside of a recording
            self._recordings[shapes] = None
            outputs = _run_aside(block, inputs)
        else:
            recording = self._recordings[shapes] or self._record(block, inputs)
            self._recordings[shapes] = recording
            outputs = recording.replay(inputs)
        self._stay_close(inputs[0].device)
        yield outputs

    def _record(self, block: Block, inputs: tuple[Tensor, ...]) -> _Recording:
        fixed, graph = [x.clone() for x in inputs], torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=_aside(inputs[0].device)):
            outputs = list(block(*fixed))
        return _Recording(graph, fixed, outputs)

    def _stay_close(self, device: torch.device) -> None:
        """Stay one block ahead of the device, so that it always has work and stops soon when asked to."""
        before, self._ended = self._ended, torch.cuda.Event()
        self._ended.record(torch.cuda.current_stream(device))
        if before is not None:
            before.synchronize()


class _Recording(NamedTuple):
    """A recording, the tensors that it reads its inputs from, and those that it writes its outputs to."""

    graph: torch.cuda.CUDAGraph
    fixed: list[Tensor]
    outputs: list[Any]

    def replay(self, inputs: tuple[Tensor, ...]) -> list[Any]:
        for place, x in zip(self.fixed, inputs, strict=True):
            place.copy_(x)
        self.graph.replay()
        return self.outputs


def _run_aside(block: Block, inputs: tuple[Tensor, ...]) -> list[Any]:
    """Take steps on the stream that recordings are made on."""
    aside, current = _aside(inputs[0].device), torch.cuda.current_stream(inputs[0].device)
    aside.wait_stream(current)
    with torch.cuda.stream(aside):
        outputs = list(block(*inputs))
    current.wait_stream(aside)
    return outputs


@cache
def _aside(device: torch.device) -> torch.cuda.Stream:
    # One for all: the libraries keep working memory for each stream that they have seen.
    return torch.cuda.Stream(device)


ROUTES: dict[str, type[StepRunner]] = {"cuda": CudaGraphs}  # all other devices: Direct
