"""Random streams: each a pure function of (seed, purpose, place), never a global generator.

Two runs of one seed draw the same numbers whatever else trains beside them, and a run that continues in the
middle of an epoch needs no saved generator state: the stream is made anew from its key.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """Purpose of a stream. The numbers are part of a run's bits: never renumber, only append."""

    SPLIT = 0
    WEIGHTS = 1
    BIASES = 2
    ORDER = 3
    DROPOUT = 4
    PROJECTIONS = 5
    EMBEDDINGS = 6
    ADAPTERS = 7


def bits(seed: int, purpose: Purpose, *place: int) -> np.random.SFC64:
    """The raw bit generator of a stream.

    Args:
        seed: the run's (or the split's) seed, 0 to 2^64 - 1.
        purpose: what the draws are for.
        place: where: the layer, the epoch.
    """
    return np.random.SFC64([seed, int(purpose), *place])


def stream(seed: int, purpose: Purpose, *place: int) -> np.random.Generator:
    """A generator of the numbers that belong to (seed, purpose, place)."""
    return np.random.Generator(bits(seed, purpose, *place))
