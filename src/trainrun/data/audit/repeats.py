"""Rows that stand in the data more than once, and held-out rows that stand in the training part too."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trainrun.data.dataset import Part
from trainrun.notes import Note

_BLOCK = 1 << 20  # numbers worked on at once
_FEWEST = 2
_SHARE = 0.01  # of a part's rows; fewer make its figures hardly better
_MOST_ROWS = 5000  # different rows whose columns are looked at
_OWN = 0.5  # of the different rows: a column with at least this many values identifies rows
_IMAGE = -30.0  # log10 of the chance that two rows are equal: below it, rows are as varied as images
_BY_CHANCE = 0.03  # of the repeats; where chance explains more of them, they are no copies


@dataclass(frozen=True)
class HashedRows:
    """Training rows with a hash of each, so that equal rows are found quickly.

    Attributes:
        part: the rows.
        hashes: uint64 [n].
    """

    part: Part
    hashes: np.ndarray

    @classmethod
    def of(cls, part: Part) -> HashedRows:
        """Hash the rows of a part."""
        return cls(part, _hashes(part))

    @cached_property
    def different(self) -> np.ndarray:
        """The first of each set of equal rows, int64 [m], ascending."""
        return np.sort(np.unique(self.hashes, return_index=True)[1])

    @property
    def copied(self) -> bool:
        """Return whether enough training rows are copies that copies should count once."""
        repeats = 1 - len(self.different) / len(self.hashes)
        return repeats >= _SHARE and self.are_copies(repeats)

    def holds(self, part: Part) -> np.ndarray:
        """Return which rows of another part are here too, target included, bool [n]."""
        hashes = _hashes(part)
        order = np.argsort(self.hashes, kind="stable")
        at = np.searchsorted(self.hashes, hashes, sorter=order)
        at = order[np.minimum(at, len(order) - 1)]
        found = self.hashes[at] == hashes
        for row in np.flatnonzero(found):  # rows that share no more than their hash are not counted
            twin = at[row]
            same = part.y[row] == self.part.y[twin] and (part.x[row] == self.part.x[twin]).all()
            found[row] = bool(same)
        return np.asarray(found)

    def are_copies(self, share: float) -> bool:
        """Return whether there are more repeated rows than few values in few columns explain.

        There must be a column with at least half as many values as there are different rows. Or the rows must
        be as varied as images. Rows of independent columns must also be equal far less often.

        Args:
            share: of the rows, how many are repeats.
        """
        power, own = self._look
        chance = len(self.different) * 10**power
        return (own or power < _IMAGE) and chance <= _BY_CHANCE * share

    @cached_property
    def _look(self) -> tuple[float, bool]:
        """Look at the columns of different rows.

        Returns:
            The probability that two rows are equal, were their columns independent, as a power of ten; and
            whether some column has at least half as many values as there are rows.
        """
        some = self.different[:_MOST_ROWS]
        rows = self.part.x[some]
        pairs = len(rows) * (len(rows) - 1) + 2
        power, most = 0.0, 0
        for column in (*rows.T, self.part.y[some]):
            _, counts = np.unique(column, return_counts=True)
            # One pair more than is seen: no column is known to have no equal values at all.
            power += math.log10((int(np.sum(counts * (counts - 1))) + 2) / pairs)
            most = max(most, len(counts))
        return power, most >= _OWN * len(rows)


def describe_repeats(where: str, part: Part, train: HashedRows, *, same_file: bool) -> Iterator[Note]:
    """Describe how many rows of a part equal a training row, as a net sees them, target and all.

    Args:
        where: how the part is named.
        part: the held-out rows.
        train: the training rows.
        same_file: whether both were drawn from one file.
    """
    count = int(train.holds(part).sum())
    if not count:
        return
    text = f"{where}: {count} of {len(part.y)} rows stand in the training part too, equal in every column"
    share = count / len(part.y)
    loud = count >= _FEWEST and share >= _SHARE and train.are_copies(share)
    if loud:
        copies = "the repeated rows, or keep them together with data.split.group"
        text += (
            f", so its figures look too good; remove {copies if same_file else f'these rows from {where}'}"
        )
    yield Note("duplicate_rows", text, count=count, loud=loud)


def _hashes(part: Part) -> np.ndarray:
    """Return a hash of each row's numbers and target, uint64 [n].

    Source: Dietzfelbinger 1996; the sum of 32-bit numbers times random odd ones, modulo 2^64.
    """
    width = part.x.shape[1]
    factors = np.random.SFC64(0).random_raw(width + 1) | np.uint64(1)
    y = (part.y + 0).view(np.uint32 if part.y.dtype.itemsize == 4 else np.uint64).astype(np.uint64)
    hashes = y * factors[width]
    size = max(1, _BLOCK // max(1, width))
    for start in range(0, len(hashes), size):
        block = part.x[start : start + size] + np.float32(0)  # so that -0 is 0
        hashes[start : start + size] += block.view(np.uint32).astype(np.uint64) @ factors[:width]
    return np.asarray(hashes)
