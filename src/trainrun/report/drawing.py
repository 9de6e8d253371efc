"""Pictures made of characters: histograms of a line, and charts with axes.

They are plain text, the same in a terminal and a pipe. Where the output's encoding has no blocks and dots,
ASCII stands in.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np

_BLOCKS, _ASCII_BLOCKS = " ▁▂▃▄▅▆▇█", " ..::+*##"
_BRAILLE = 0x2800
_DOTS = np.array(
    [[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]]
)  # of a cell: left and right, from below
_ACROSS, _UP = _DOTS.shape


def has_unicode() -> bool:
    """Return whether the encoding of the output has blocks, dots and signs."""
    try:
        "█⣿✓".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def histogram(values: np.ndarray, limits: tuple[float, float], columns: int) -> str:
    """A histogram as a line of characters, its highest bar full.

    Args:
        values: finite numbers of any shape; those beyond the range count where it ends.
        limits: the range, low and high; they must differ.
        columns: characters, and bars.
    """
    counts, _ = np.histogram(np.clip(values, *limits), bins=columns, range=limits)
    blocks = _BLOCKS if has_unicode() else _ASCII_BLOCKS
    heights = np.round(counts / max(counts.max(), 1) * (len(blocks) - 1))
    return "".join(blocks[int(height)] for height in heights)


class Chart:
    """A field of dots with axes.

    Args:
        columns, lines: characters of the field.
        x, y: the ranges that it shows, low and high; they must differ.
    """

    def __init__(self, columns: int, lines: int, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._x, self._y = x, y
        self._columns, self._lines = columns, lines
        self._field = np.zeros((lines * _UP, columns * _ACROSS), dtype=bool)  # rows from below

    def line(self, xs: np.ndarray, ys: np.ndarray) -> None:
        """Draw a line through points, from left to right."""
        width = self._field.shape[1]
        if len(xs) < 4 * width:  # so that every column of dots has some
            dense = np.linspace(xs[0], xs[-1], 8 * width)
            xs, ys = dense, np.interp(dense, xs, ys)
        across, up = self._places(xs, ys)
        previous = None
        for column in np.unique(across):
            here = up[across == column]
            reached = here if previous is None else np.append(here, previous)
            self._field[reached.min() : reached.max() + 1, column] = True
            previous = here[-1]

    def points(self, xs: np.ndarray, ys: np.ndarray) -> None:
        """Draw single points."""
        across, up = self._places(xs, ys)
        self._field[up, across] = True

    def level(self, y: float) -> None:
        """Draw a dotted line across, at a height."""
        (_, (up,)) = self._places(np.array(self._x[:1]), np.array([y]))
        self._field[up, ::4] = True

    def render(self, y_labels: Mapping[float, str], below: Sequence[str]) -> list[str]:
        """The lines of the chart.

        Args:
            y_labels: by height.
            below: lines under the axis, such as `ticks` gives them, as wide as the field.
        """
        heights, labels = list(y_labels), list(y_labels.values())
        _, up = self._places(np.full(len(heights), self._x[0]), np.array(heights))
        at = {self._lines - 1 - int(row) // _UP: label for row, label in zip(up, labels, strict=True)}
        margin = max(map(len, labels))
        side, tick, corner, floor = "│┤└─" if has_unicode() else "||+-"
        rows = [
            f"{at.get(number, ''):>{margin}} {tick if number in at else side}{row}".rstrip()
            for number, row in enumerate(self._rows())
        ]
        rows.append(f"{'':>{margin}} {corner}{floor * self._columns}")
        return [*rows, *(f"{'':>{margin}}  {line}".rstrip() for line in below)]

    def ticks(self, labels: Mapping[float, str]) -> str:
        """A line of labels, each centred under its place on the axis; one that finds no room is left out."""
        row = [" "] * self._columns
        end = 0
        for x, label in labels.items():
            start = min(max(self.column(x) - len(label) // 2, 0), self._columns - len(label))
            if start >= end:
                row[start : start + len(label)] = label
                end = start + len(label) + 1
        return "".join(row)

    def column(self, x: float) -> int:
        """The character under which a place on the axis lies."""
        across, _ = self._places(np.array([x]), np.array(self._y[:1]))
        return int(across[0]) // _ACROSS

    def _places(self, xs: np.ndarray, ys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Dots, from the left and from below; what lies outside is drawn at the border."""
        height, width = self._field.shape

        def scaled(values: np.ndarray, limits: tuple[float, float], dots: int) -> np.ndarray:
            low, high = limits
            share = (np.clip(values, low, high) - low) / (high - low)
            return np.minimum((share * dots).astype(int), dots - 1)

        return scaled(xs, self._x, width), scaled(ys, self._y, height)

    def _rows(self) -> list[str]:
        """The field as characters, from the top."""
        cells = self._field.reshape(self._lines, _UP, self._columns, _ACROSS)
        codes = np.einsum("lucd,du->lc", cells, _DOTS)
        if has_unicode():
            return ["".join(chr(_BRAILLE + code) if code else " " for code in row) for row in codes[::-1]]
        return ["".join("*" if code else " " for code in row) for row in codes[::-1]]
