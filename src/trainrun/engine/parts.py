"""Parts of a stack side by side: members are independent, so each processor may take some of them.

Each part trains in a process forked from this one, which shares the data and imports nothing again. Threads
would wait for each other: those that share a product at its end, and those that share an interpreter at
every operation of a small net.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

import torch

from trainrun.engine.training import train
from trainrun.errors import ResourceError
from trainrun.events import Event
from trainrun.plan import Plan


def train_parts(plans: Sequence[Plan], *, device: torch.device, threads: int) -> Iterator[Event]:
    """Train plans side by side, each in a process of its own, as if they were one stack.

    Args:
        plans: the parts; members are numbered through all of them. One alone trains in this process.
        device: where everything lives; the CPU where there are several.
        threads: for the operations of each part.

    Yields:
        Each member's events in order; those of different parts in any order, once all have started.

    Raises:
        ResourceError: the system has ended a part.
    """
    if len(plans) == 1:
        yield from train(plans[0], device=device, threads=threads)
        return
    offsets = [0, *accumulate(len(plan.cells) for plan in plans)]
    parts = [_Part(plan, offset, threads) for plan, offset in zip(plans, offsets, strict=False)]
    try:
        for part in parts:
            yield from islice(part, len(part.plan.cells))
        running = list(parts)
        while running:
            ready = wait([part.pipe for part in running])
            for part in [part for part in running if part.pipe in ready]:
                event = next(part, None)
                if event is None:
                    running.remove(part)
                else:
                    yield event
    finally:
        for part in parts:
            part.end()


class _Part(Iterator[Event]):
    """A part that trains in a process of its own: its events, numbered in the stack."""

    def __init__(self, plan: Plan, offset: int, threads: int) -> None:
        self.plan, self._offset = plan, offset
        self.pipe, theirs = get_context("fork").Pipe(duplex=False)
        self._process = get_context("fork").Process(
            target=_work, args=(plan, threads, theirs, os.getpid()), daemon=True
        )
        self._process.start()
        theirs.close()  # so that the pipe ends when the process does

    def __next__(self) -> Event:
        try:
            item = self.pipe.recv()
        except EOFError:
            self._process.join()
            raise ResourceError(
                f"out of memory: a process that trained {len(self.plan.cells)} runs was ended by the system"
                f" (exit code {self._process.exitcode})"
            ) from None
        if item is None:
            raise StopIteration
        if isinstance(item, BaseException):
            raise item
        return replace(item, member=item.member + self._offset)

    def end(self) -> None:
        """End the process, where it has not ended by itself."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _work(plan: Plan, threads: int, pipe: Connection, parent: int) -> None:
    """What a part's process does: send every event, then None; or what went wrong."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # they are sent to the group; the parent decides what they mean
    try:
        for event in train(plan, device=torch.device("cpu"), threads=threads):
            pipe.send(event)
            if os.getppid() != parent:
                return
        pipe.send(None)
    except BrokenPipeError:  # the parent was killed
        pass
    except BaseException as error:  # raised where the events are read
        error.add_note(traceback.format_exc())
        pipe.send(error)
