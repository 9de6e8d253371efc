"""Parts of a stack side by side: members are independent, so each processor may take some of them.

Each part trains in a process forked from this one, which shares the data and imports nothing again. Threads
would wait for each other: those that share a product at its end, and those that share an interpreter at
every operation of a small net.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, islice, pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

import torch

from trainrun.engine.training import Pauses, train
from trainrun.errors import ResourceError
from trainrun.events import Event, Snapshot
from trainrun.plan import Plan
from trainrun.signals import REQUESTS


def train_parts(
    plans: Sequence[Plan],
    *,
    device: torch.device,
    threads: int,
    pauses: Pauses | None = None,
    snapshots: Sequence[Snapshot] = (),
) -> Iterator[Event]:
    """Train plans side by side, each in a process of its own, as if they were one stack.

    Args:
        plans: the parts; members are numbered through all of them. One alone trains in this process.
        device: where everything lives; the CPU where there are several.
        threads: for the operations of each part.
        pauses: when to yield the members' state, and when to end there; never unless given.
        snapshots: of each member, where they continue; all after the same step.

    Yields:
        Each member's events in order; those of different parts in any order, once all have started.

    Raises:
        ResourceError: the system has ended a part.
    """
    pauses = pauses or Pauses()
    train_one = partial(train, device=device, threads=threads)
    if len(plans) == 1:
        yield from train_one(plans[0], pauses=pauses, snapshots=snapshots)
        return
    offsets = [0, *accumulate(len(plan.starts) for plan in plans)]
    parts: list[_Part] = []
    try:
        for plan, (start, stop) in zip(plans, pairwise(offsets), strict=True):
            work = partial(train_one, plan, snapshots=snapshots[start:stop])
            parts.append(_Part(work, pauses, range(start, stop), [part.pipe for part in parts]))
        for part in parts:
            yield from islice(part, len(part.members))
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
    """A part that trains in a process of its own: its events, numbered in the stack.

    Args:
        work: trains it.
        pauses: of the whole stack.
        members: its part of the stack.
        others: the pipes from which this process reads the parts before.
    """

    def __init__(
        self,
        work: Callable[..., Iterator[Event]],
        pauses: Pauses,
        members: range,
        others: Sequence[Connection],
    ) -> None:
        self.members = members
        self.pipe, theirs = get_context("fork").Pipe(duplex=False)
        arguments = (work, pauses, theirs, [*others, self.pipe], os.getpid())
        self._process = get_context("fork").Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        theirs.close()  # so that the pipe ends when the process does

    def __next__(self) -> Event:
        try:
            item = self.pipe.recv()
        except (EOFError, OSError):  # at the end of an event, or in its middle
            self._process.join()
            code = self._process.exitcode
            why = "out of memory: " if code == -signal.SIGKILL else ""
            raise ResourceError(
                f"{why}a process that trained {len(self.members)} runs was ended by the system"
                f" (exit code {code})"
            ) from None
        if item is None:
            raise StopIteration
        if isinstance(item, BaseException):
            raise item
        return replace(item, member=item.member + self.members.start)

    def end(self) -> None:
        """End the process, where it has not ended by itself."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _work(
    work: Callable[..., Iterator[Event]],
    pauses: Pauses,
    pipe: Connection,
    inherited: Sequence[Connection],
    parent: int,
) -> None:
    """Train a part in its process: send every event and then None, or the error that ended the training."""
    for reader in inherited:
        reader.close()  # else a part that waits for room in its pipe would outlive its reader, for ever
    for number in REQUESTS:  # they are sent to the whole group; the parent decides what they mean
        signal.signal(number, signal.SIG_IGN)
    stop = pauses.stop
    pauses.stop = lambda: stop() or os.getppid() != parent  # after the parent's end the results would be lost
    try:
        for event in work(pauses=pauses):
            pipe.send(event)
        pipe.send(None)
    except BrokenPipeError:  # the parent was killed
        pass
    except BaseException as error:  # raised where the events are read
        error.add_note(traceback.format_exc())
        pipe.send(error)
