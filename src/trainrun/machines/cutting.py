"""Cutting of runs into tasks: few long ones, so that stacks stay worth it and all machines are busy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from trainrun.plan import Cell, make_plan, stacks

_PER_STEP = 2**20  # multiplications that take as long as a step takes besides its products, measured


def cut(cells: Sequence[Cell], tasks: int) -> list[list[int]]:
    """Give each task about the same work; members of a stack stay together where they can.

    Args:
        cells: configs with their data.
        tasks: how many there may be.

    Returns:
        The places of the cells of each task, none empty.
    """
    costs: list[tuple[float, list[int]]] = []
    for members in stacks(cells):
        plan = make_plan([cells[members[0]]])
        products = plan.batch_size * sum(i * o for i, o in pairwise(plan.widths)) * plan.net.shared_members
        steps = plan.steps_per_epoch * cells[members[0]].config.epochs
        costs.append((steps * (_PER_STEP + products * len(members)), members))
    fair = sum(cost for cost, _ in costs) / max(tasks, 1)
    pieces = []
    for cost, members in costs:
        count = min(max(round(cost / fair), 1), len(members))
        size = -(-len(members) // count)
        pieces += [
            (cost * len(members[start : start + size]) / len(members), members[start : start + size])
            for start in range(0, len(members), size)
        ]
    parts: list[tuple[float, list[int]]] = [(0.0, []) for _ in range(tasks)]
    for cost, members in sorted(pieces, key=lambda piece: (-piece[0], piece[1])):
        place = min(range(tasks), key=lambda place: (parts[place][0], place))
        parts[place] = (parts[place][0] + cost, [*parts[place][1], *members])
    return [sorted(members) for _, members in parts if members]
