"""Optimism: how much better the best of many configs looks than it is.

Source: Cawley & Talbot 2010, JMLR 11 (what is chosen by a noisy score has a score that is too good).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_DRAWS = 4000
_ROUNDING = 1e-12  # relative: a lead below it is what is left of rounding


def lead_by_chance(values: Sequence[Sequence[float]], correction: float | None = None) -> float:
    """Return the lead that the best of several equal configs would show, on the average, by chance alone.

    Noise is drawn from the seeds themselves. A contrast of the seeds has weights that sum to 0, with squares
    that sum to 1, so it holds nothing of a config's true mean. For normal values it has the variance of one
    seed, and contrasts of two configs correlate as their values do. So the largest of all configs' contrasts,
    over the square root of the number of seeds, is a draw of the largest error of their means. The average
    over random contrasts is unbiased from two seeds on. What a seed does to all configs alike cancels.

    Args:
        values: of each config, one a seed, finite, all configs over the same seeds; at least two of each.
        correction: n_test/n_train where each seed drew its own split, as in `statistics.difference`.

    Returns:
        The expected largest error of a config's mean, at least 0, in the unit of the values. For independent
        configs it is the expected maximum of normal variables with the standard error of a mean.
    """
    values_KN = np.asarray(values, dtype=np.float64)
    size = np.abs(values_KN).max()
    if size == 0:
        return 0.0
    noise_KN = values_KN / size  # so that nothing overflows
    noise_KN -= noise_KN.mean(axis=1, keepdims=True)
    seeds = noise_KN.shape[1]
    weights_DN = np.random.default_rng(0).standard_normal((_DRAWS, seeds))
    weights_DN -= weights_DN.mean(axis=1, keepdims=True)
    weights_DN /= np.linalg.norm(weights_DN, axis=1, keepdims=True)
    errors_DK = weights_DN @ noise_KN.T
    # A contrast and its negative are equally likely: half of the range is the average of both.
    lead = float((errors_DK.max(axis=1) - errors_DK.min(axis=1)).mean() / 2)
    if lead < _ROUNDING:
        return 0.0
    return lead * float(size) * (1 / seeds + (correction or 0.0)) ** 0.5
