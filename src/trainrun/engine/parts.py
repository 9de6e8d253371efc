"""Parts of a stack side by side: members are independent, so each processor may take some of them.

Threads that share one product wait for each other at its end; threads that have members of their own never
wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread

import torch

from trainrun.engine.training import train
from trainrun.events import Event
from trainrun.plan import Plan

_Item = Event | BaseException | None  # an event, what broke a part, or its end


def train_parts(plans: Sequence[Plan], *, device: torch.device, threads: int) -> Iterator[Event]:
    """Train plans side by side, each in a thread of its own, as if they were one stack.

    Args:
        plans: the parts; members are numbered through all of them.
        device: where everything lives.
        threads: for the operations of each part.

    Yields:
        Each member's events in order; those of different parts in any order, once all have started.
    """
    offsets = [0, *accumulate(len(plan.cells) for plan in plans)][: len(plans)]
    streams = [train(plan, device=device, threads=threads) for plan in plans]
    for plan, stream, offset in zip(plans, streams, offsets, strict=True):
        for _ in plan.cells:
            yield _moved(next(stream), offset)
    if len(plans) == 1:
        yield from streams[0]
        return
    yield from _merged(streams, offsets)


def _merged(streams: Sequence[Iterator[Event]], offsets: Sequence[int]) -> Iterator[Event]:
    queue: SimpleQueue[_Item] = SimpleQueue()
    unwanted = Flag()
    workers = [
        Thread(target=_work, args=(stream, offset, queue, unwanted))
        for stream, offset in zip(streams, offsets, strict=True)
    ]
    for worker in workers:
        worker.start()
    try:
        running = len(workers)
        while running:
            item = queue.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                running -= 1
            else:
                yield item
    finally:
        unwanted.set()
        for worker in workers:
            worker.join()


def _work(stream: Iterator[Event], offset: int, queue: SimpleQueue[_Item], unwanted: Flag) -> None:
    try:
        for event in stream:
            queue.put(_moved(event, offset))
            if unwanted.is_set():
                return
        queue.put(None)
    except BaseException as error:  # raised where the events are read
        queue.put(error)


def _moved(event: Event, offset: int) -> Event:
    return replace(event, member=event.member + offset)
