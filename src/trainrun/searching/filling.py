"""Filling of stacks: a generation has few shapes of nets, so that many candidates train in each stack."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainrun.config.search_space import Listed, Searched
from trainrun.searching.space import Point

#: Shapes in a generation. More of them leave a few candidates in each stack, which is slow.
MOST_SHAPES = 12

_Shape = tuple[int | float, ...]


class ShapeFilling:
    """The shapes of one generation.

    The first proposals decide which shapes there are. Later ones that would bring one more take the nearest
    of these; of equally near ones the shape that has fewest candidates. All other values stay as proposed.

    Args:
        keys: that decide the shape of a net or of its batches.
        most: shapes.
    """

    def __init__(self, keys: Sequence[Searched], most: int = MOST_SHAPES) -> None:
        self._keys, self._most = keys, most
        self._counts: dict[_Shape, int] = {}

    def fitted(self, point: Point) -> Point:
        """Return the candidate, with a shape that the generation has or may have."""
        shape = self._shape(point)
        if shape in self._counts or len(self._counts) < self._most:
            return point
        nearest = min(self._counts, key=lambda other: (self._distance(shape, other), self._counts[other]))
        return {**point, **dict(zip((one.key for one in self._keys), nearest, strict=True))}

    def count(self, point: Point) -> None:
        """Note that a candidate is in the generation."""
        shape = self._shape(point)
        self._counts[shape] = self._counts.get(shape, 0) + 1

    def _shape(self, point: Point) -> _Shape:
        return tuple(point[one.key] for one in self._keys)

    def _distance(self, shape: _Shape, other: _Shape) -> float:
        return sum(_apart(*three) for three in zip(self._keys, shape, other, strict=True))


def _apart(one: Searched, value: float, other: float) -> float:
    """The distance of two values of a key, 0 to 1; other values of a list are all equally far."""
    if isinstance(one, Listed):
        return float(value != other)
    if one.log:
        return abs(math.log(value / other)) / math.log(one.high / one.low)
    return abs(value - other) / (one.high - one.low)
