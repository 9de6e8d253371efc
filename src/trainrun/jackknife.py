"""The jackknife over members of an ensemble and over rows: how far a value of both would move.

Sources: Tukey 1958, Annals of Mathematical Statistics 29 (the jackknife); Efron & Stein 1981, Annals of
Statistics 9 (its variance is not too small on the average); Kott 2001, Journal of Official Statistics 17 (a
group of rows at a time); Cameron, Gelbach & Miller 2011, Journal of Business & Economic Statistics 29 (two
ways at once: what both count is subtracted once).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

GROUPS = 20  # of rows: each is left out once


class Spread(NamedTuple):
    """How far a value would move with other members and other rows.

    Attributes:
        standard_error: of the value.
        degrees: of freedom of the standard error.
    """

    standard_error: float
    degrees: int


def row_groups(rows: int) -> np.ndarray:
    """Return a group for each of `rows` rows, from 0: equal in size, drawn at random, always the same."""
    groups = np.arange(rows) % GROUPS
    return np.random.default_rng(0).permutation(groups)  # files may be sorted, so neighbours are alike


def means_without_each(values_M: np.ndarray) -> np.ndarray:
    """Return the mean of all members, then the mean without each of them: [1 + M, ...] float64.

    Args:
        values_M: [M, ...] float64 of at least two members.
    """
    nothing = np.zeros_like(values_M[:1])
    # Sums of those before and those behind: a difference of sums would lose small probabilities.
    before = np.cumsum(np.concatenate([nothing, values_M[:-1]]), axis=0)
    behind = np.cumsum(np.concatenate([nothing, values_M[:0:-1]]), axis=0)[::-1]
    without = (before + behind) / (len(values_M) - 1)
    return np.concatenate([values_M.mean(axis=0, keepdims=True), without])


def spread_of(values_MG: np.ndarray) -> Spread:
    """Return how far a value would move with other members and other rows.

    What a member does with a row of its own counts in the variance over rows and again in the variance over
    members. So the variance over pairs, one member and one group of rows left out at once, is subtracted.

    Args:
        values_MG: [1 + members, 1 + groups] of at least two each. Row m is the value without member m, row 0
            of all; column g is the value without group g of rows, column 0 of all.
    """
    members, groups = (count - 1 for count in values_MG.shape)
    by_member, by_group, by_both = values_MG[1:, 0], values_MG[0, 1:], values_MG[1:, 1:]
    interaction = by_both - by_both.mean(axis=0) - by_both.mean(axis=1, keepdims=True) + by_both.mean()
    of_members = _variance(by_member)
    of_rows = _variance(by_group)
    of_both = (members - 1) / members * (groups - 1) / groups * float(np.sum(interaction**2))
    variance = of_rows + max(of_members - of_both, 0.0)
    return Spread(variance**0.5, min(members, groups) - 1)


def _variance(values: np.ndarray) -> float:
    """Return the jackknife's variance, of the values that leave out one each."""
    return (len(values) - 1) / len(values) * float(np.sum((values - values.mean()) ** 2))
