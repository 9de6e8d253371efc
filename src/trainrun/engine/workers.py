"""Parts of a work side by side: members are independent, so each processor may take some of them.

Each part trains in a process forked from this one, which shares the data and imports nothing again. Threads
would wait for each other: those that share a product at its end, and those that share an interpreter at
every operation of a small net.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Slice:
    """Members of one stack, and where they go on.

    Attributes:
        plan: of these members.
        snapshots: of each member, all after the same step; none where they begin.
    """

    plan: Plan
    snapshots: Sequence[Snapshot] = ()

    @property
    def size(self) -> int:
        """The number of members."""
        return len(self.plan.starts)


def train_parts(
    parts: Sequence[Sequence[Slice]],
    *,
    device: torch.device,
    threads: int,
    pauses: Pauses | None = None,
) -> Iterator[Event]:
    """Train parts side by side, each in a process of its own, as if they were one stack.

    Args:
        parts: each trains its slices in turn; members are numbered through all of them. One part alone trains
            in this process.
        device: where everything lives; the CPU where there are several parts.
        threads: for the operations of each part.
        pauses: when to yield the members' state, and when to end there; never unless given.

    Yields:
        Each member's events in order; those of different parts in any order, once the first slice of all
        parts has started.

    Raises:
        ResourceError: the system has ended a part.
    """
    pauses = pauses or Pauses()
    work = [partial(_train_in_turn, slices, device=device, threads=threads) for slices in parts]
    if len(parts) == 1:
        yield from work[0](pauses=pauses)
        return
    offsets = [0, *accumulate(sum(one.size for one in slices) for slices in parts)]
    begun: list[_Part] = []
    try:
        for train_one, (start, stop) in zip(work, pairwise(offsets), strict=True):
            begun.append(_Part(train_one, pauses, range(start, stop), [part.pipe for part in begun]))
        for part, slices in zip(begun, parts, strict=True):
            yield from islice(part, slices[0].size)
        running = list(begun)
        while running:
            ready = wait([part.pipe for part in running])
            for part in [part for part in running if part.pipe in ready]:
                event = next(part, None)
                if event is None:
                    running.remove(part)
                else:
                    yield event
    finally:
        for part in begun:
            part.end()


def _train_in_turn(
    slices: Sequence[Slice], *, device: torch.device, threads: int, pauses: Pauses
) -> Iterator[Event]:
    """Train slices one after the other, until asked to stop; members are numbered through all of them."""
    offsets = accumulate((one.size for one in slices), initial=0)
    for one, offset in zip(slices, offsets, strict=False):
        if offset and pauses.stop():
            return
        events = train(one.plan, device=device, threads=threads, pauses=pauses, snapshots=one.snapshots)
        yield from (_moved(event, offset) for event in events) if offset else events


def _moved(event: Event, offset: int) -> Event:
    return replace(event, member=event.member + offset)


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
        return _moved(item, self.members.start)

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
