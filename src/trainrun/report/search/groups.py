"""Candidates in groups by how far they were trained, each with a look of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainrun.searching.finished import FinishedSearch
from trainrun.searching.records import Record
from trainrun.text import counted

_LEVELS = 4  # sizes of the marks of dropped candidates
WHOLE, LOST = "whole", "lost"


@dataclass(frozen=True)
class Group:
    """Candidates that look alike.

    Attributes:
        name: what they have in common.
        look: `dropped-0` to `dropped-3`, `whole` or `lost`.
        members: the number of each candidate with what became of it.
    """

    name: str
    look: str
    members: Sequence[tuple[int, Record]]


def groups_of(search: FinishedSearch) -> list[Group]:
    """Return the groups of all candidates, the least trained first, without empty ones."""
    everything = list(enumerate(search.records))
    lost = [pair for pair in everything if not pair[1].is_ranked]
    whole = [pair for pair in everything if pair[1].is_ranked and pair[1].status == "complete"]
    dropped = [pair for pair in everything if pair[1].is_ranked and pair[1].status != "complete"]
    ends = _levels(sorted({one.epochs for _, one in dropped}))
    found = [
        Group(
            f"dropped after {_span(epochs)}",
            f"dropped-{_LEVELS - len(ends) + place}",
            [pair for pair in dropped if pair[1].epochs in epochs],
        )
        for place, epochs in enumerate(ends)
    ]
    found += [Group("trained to the end", WHOLE, whole), Group("no finite value", LOST, lost)]
    return [group for group in found if group.members]


def _levels(epochs: Sequence[int]) -> list[list[int]]:
    """Numbers of epochs, put together where there are more than sizes: the fewest epochs share one."""
    first = max(len(epochs) - _LEVELS + 1, 1)
    return [list(epochs[:first]), *([one] for one in epochs[first:])] if epochs else []


def _span(epochs: Sequence[int]) -> str:
    if len(epochs) > 1:
        return f"{epochs[0]:,} to {epochs[-1]:,} epochs"
    return counted(epochs[0], "epoch")
