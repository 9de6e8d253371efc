"""Slices: stacks of candidates, cut and spread over the processors of this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from trainrun.plan import make_plan, stacks

if TYPE_CHECKING:
    import torch

    from trainrun.engine.device import Processors
    from trainrun.engine.workers import Slice
    from trainrun.searching.trainings import Training

# In multiplications, measured: what a step costs whatever it multiplies, and what makes a process worth its
# start.
_PER_STEP = 2**20
_WORTH_A_PROCESS = 2**27
_SLICE_BYTES = 2**29  # of the members that a process trains at the same time


@dataclass(frozen=True)
class _Stack:
    """Candidates that train together, and what they cost.

    Attributes:
        members: in the order of the slice.
        steps: of each until the end of the slice.
        products: multiplications of one member in one step.
        footprint: bytes of one member in training.
    """

    members: Sequence[Training]
    steps: int
    products: int
    footprint: int

    @property
    def cost(self) -> int:
        return self.steps * (_PER_STEP + self.products * len(self.members))

    def cut(self, pieces: int) -> list[_Stack]:
        """The same in about equal pieces."""
        size = -(-len(self.members) // max(1, min(pieces, len(self.members))))
        return [
            replace(self, members=self.members[start : start + size])
            for start in range(0, len(self.members), size)
        ]

    def within_memory(self) -> list[_Stack]:
        """The same in pieces that a process trains one after the other, since all at once need too much."""
        return self.cut(-(-len(self.members) * self.footprint // _SLICE_BYTES))

    def slice(self) -> Slice:
        from trainrun.engine.workers import Slice

        snapshots = [one.snapshot for one in self.members]
        return Slice(make_plan([one.cell for one in self.members]), [state for state in snapshots if state])


def spread(
    trainings: Sequence[Training], until: int, device: torch.device
) -> tuple[list[list[Slice]], list[Training], Processors]:
    """Cut candidates into slices, and give each processor some of them.

    No bit of a result depends on how they are cut.

    Args:
        trainings: candidates that train.
        until: the epoch to which they are trained.
        device: where they train.

    Returns:
        The slices of each processor, the candidates in the order of their members, and how many processes and
        threads to use.
    """
    from trainrun.engine.device import Processors, choose_processors, free_processors

    found = _stacks(trainings, until)
    threads = trainings[0].cell.config.threads
    if len(found) == 1 or device.type != "cpu" or threads != "auto" or sys.platform != "linux":
        first = found[0].members
        processors = choose_processors(threads, make_plan([first[0].cell]), len(first), device)
        parts = [[piece] for piece in found[0].cut(processors.parts)] if len(found) == 1 else [found]
        processors = Processors(len(parts), processors.threads)
    else:
        total = sum(one.cost for one in found)
        count = max(1, min(free_processors(), total // _WORTH_A_PROCESS))
        parts, processors = _shared(found, count), Processors(count, 1)
    parts = [[small for piece in part for small in piece.within_memory()] for part in parts]
    order = [one for part in parts for piece in part for one in piece.members]
    return [[piece.slice() for piece in part] for part in parts], order, processors


def _stacks(trainings: Sequence[Training], until: int) -> list[_Stack]:
    """Candidates that can train together: of one shape, at the same step; none or all have a state."""
    from trainrun.engine.probe import footprint

    positions: dict[tuple[int, int] | None, list[Training]] = {}
    for one in trainings:
        facts = one.snapshot.facts if one.snapshot else {}
        position = (facts["epoch"], facts["steps"]) if facts else None
        positions.setdefault(position, []).append(one)
    found = []
    for position, together in positions.items():
        epoch = position[0] if position else 1
        for places in stacks([one.cell for one in together]):
            members = [together[place] for place in places]
            plan = make_plan([members[0].cell])
            products = plan.batch_size * sum(i * o for i, o in pairwise(plan.widths))
            steps = plan.steps_per_epoch * (until - epoch + 1)
            found.append(_Stack(members, steps, products * plan.net.shared_members, footprint(plan)))
    return found


def _shared(found: Sequence[_Stack], count: int) -> list[list[_Stack]]:
    """Give each processor about the same work: the largest piece goes to the one that has least."""
    fair = sum(one.cost for one in found) / count
    pieces = [piece for one in found for piece in one.cut(round(one.cost / fair))]
    parts: list[list[_Stack]] = [[] for _ in range(count)]
    for piece in sorted(pieces, key=lambda one: -one.cost):
        min(parts, key=lambda part: sum(one.cost for one in part)).append(piece)
    return [part for part in parts if part]
