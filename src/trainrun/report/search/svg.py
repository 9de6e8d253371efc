"""Places of a chart as coordinates and paths of SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainrun.report.search.charts import Point

_CROSS = 3  # half the size of a cross


@dataclass(frozen=True)
class Frame:
    """The field of a chart in a picture, in the picture's units.

    Attributes:
        left, top: of its corner.
        width, height: of it.
        across: how many of the horizontal unit it is wide: 1, or the number of axes less one.
    """

    left: float
    top: float
    width: float
    height: float
    across: int = 1

    @property
    def right(self) -> float:
        """Its right side."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Its lower side."""
        return self.top + self.height

    def x(self, place: float) -> str:
        """Return the horizontal coordinate of a place from 0 to `across`."""
        return _short(self.left + self.width * place / self.across)

    def y(self, place: float) -> str:
        """Return the vertical coordinate of a place from 0, below, to 1."""
        return _short(self.bottom - self.height * place)

    def dots(self, points: Iterable[Point]) -> str:
        """Return the path of single dots: lines of no length, which have round or square ends."""
        return "".join(f"M{self.x(x)} {self.y(y)}h0" for x, y in points)

    def crosses(self, points: Iterable[Point]) -> str:
        """Return the path of crosses."""
        arm = 2 * _CROSS
        return "".join(
            f"M{self.x(x)} {self.y(y)}m-{_CROSS}-{_CROSS}l{arm} {arm}m-{arm} 0l{arm}-{arm}" for x, y in points
        )

    def line(self, points: Sequence[Point]) -> str:
        """Return the path through points."""
        return "M" + "L".join(f"{self.x(x)} {self.y(y)}" for x, y in points)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
