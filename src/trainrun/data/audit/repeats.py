"""Held-out rows that stand in the training part too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainrun.data.dataset import Part
from trainrun.notes import Note

_BLOCK = 1 << 20  # numbers worked on at once
_FEWEST = 2
_SHARE = 0.01  # of a part's rows; fewer make its figures hardly better
_MOST_ROWS = 5000  # different rows that are looked at
_RARE = -30  # a power of ten


def describe_repeats(where: str, part: Part, train: Part, *, same_file: bool) -> Iterator[Note]:
    """Describe how many rows of a part equal a training row, as a net sees them, target and all.

    Args:
        where: how the part is named.
        part: the held-out rows.
        train: the training rows.
        same_file: whether both were drawn from one file.
    """
    count = int(_repeated(part, train).sum())
    if not count:
        return
    text = f"{where}: {count} of {len(part.y)} rows stand in the training part too, equal in every column"
    loud = count >= max(_FEWEST, _SHARE * len(part.y)) and _tells_rows_apart(train)
    if loud:
        mend = "the repeated rows, or keep them together with data.split.group" if same_file else "them there"
        text += f", so its figures look too good; remove {mend}"
    yield Note("duplicate_rows", text, count=count, loud=loud)


def _repeated(part: Part, train: Part) -> np.ndarray:
    """Which rows of a part are training rows too, bool [n]."""
    hashes, known = _hashes(part), _hashes(train)
    order = np.argsort(known, kind="stable")
    at = np.searchsorted(known, hashes, sorter=order)
    at = order[np.minimum(at, len(known) - 1)]
    found = known[at] == hashes
    for row in np.flatnonzero(found):  # no accident of the hash is ever counted
        twin = at[row]
        found[row] = part.y[row] == train.y[twin] and bool(np.all(part.x[row] == train.x[twin]))
    return np.asarray(found)


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
    return hashes


def _tells_rows_apart(train: Part) -> bool:
    """Whether equal rows are more than the repeats that a few values in a few columns must give.

    So it is where some column has a value of its own in half of the different rows, or where the columns,
    were they independent, would hardly ever give two equal rows: an image.
    """
    _, first = np.unique(_hashes(train), return_index=True)
    rows = train.x[first[:_MOST_ROWS]]
    chance = 0.0
    for column in rows.T:
        _, counts = np.unique(column, return_counts=True)
        if len(counts) >= len(rows) / 2:
            return True
        chance += np.log10(np.sum((counts / len(rows)) ** 2))
    return bool(chance < _RARE)
