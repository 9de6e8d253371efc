"""Points that fill a cube more evenly than random ones do."""

from __future__ import annotations

import numpy as np
import torch


def sobol(count: int, dimensions: int, seed: int) -> np.ndarray:
    """Return the first points of a scrambled Sobol sequence.

    Args:
        count: how many.
        dimensions: of the cube.
        seed: of the scrambling, 0 to 2^64 - 1.

    Returns:
        [count, dimensions], from 0 to 1 (excluded).

    Source: Sobol 1967, USSR Computational Mathematics and Mathematical Physics 7; scrambled as by Owen 1995.
    """
    engine = torch.quasirandom.SobolEngine(dimensions, scramble=True, seed=seed)
    return engine.draw(count, dtype=torch.float64).numpy()
