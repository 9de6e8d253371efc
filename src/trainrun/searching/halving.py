"""Successive halving: which candidates go on after which epochs of their own training.

Several brackets make it fair to slow starters: those of the first one are judged after the first epochs,
those of later ones only after three and nine times as many. Each bracket is judged for itself.

Source: Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar 2018 (Hyperband), JMLR 18, arXiv:1603.06560.
"""

from __future__ import annotations

from collections.abc import Sequence

#: One of this many candidates of a bracket goes on.
FACTOR = 3
#: In turn, the brackets of candidates: each bracket has a third of the candidates of the one before.
_TURNS = {1: (0,), 2: (0, 0, 1, 0), 3: (0, 0, 1, 0, 0, 0, 1, 0, 2, 0, 0, 1, 0)}


def rungs(first: int, longest: int) -> list[int]:
    """Return the epochs after which candidates are judged, before the end of the longest training.

    Args:
        first: the first of them, from 1.
        longest: the epochs of the longest training.

    >>> rungs(1, 81)
    [1, 3, 9, 27]
    """
    found = []
    while first < longest:
        found.append(first)
        first *= FACTOR
    return found


def brackets(count: int, judged: Sequence[int]) -> list[int]:
    """Return the bracket of each candidate of a generation, from 0.

    Args:
        count: the number of candidates.
        judged: the epochs after which candidates are judged; bracket b leaves out the first b of them.
    """
    turns = _TURNS[min(max(len(judged), 1), max(_TURNS))]
    return [turns[place % len(turns)] for place in range(count)]


def survivors(values: Sequence[float | None], *, larger_is_better: bool) -> set[int]:
    """Return the places of the candidates of a bracket that go on: the best third, rounded up.

    Args:
        values: of each candidate so far; None for one that has none, which never goes on.
        larger_is_better: the direction of the values. Of equal ones the earlier place is better.
    """
    sign = -1 if larger_is_better else 1
    ranked = sorted((sign * value, place) for place, value in enumerate(values) if value is not None)
    return {place for _, place in ranked[: -(-len(values) // FACTOR)]}
