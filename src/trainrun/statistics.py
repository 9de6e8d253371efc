"""Means, paired differences, their intervals and p-values, and verdicts.

Everything is a number or a sequence of numbers, one for each seed; nothing here knows of runs or files. Means
are exact (the standard library's `statistics`), so that values that are all equal have a spread of exactly 0.

Sources: Bouthillier et al. 2021, arXiv:2103.03098 (P(better)); Nadeau & Bengio 2003, Machine Learning
52, section 5 (overlapping splits); Demsar 2006, JMLR 7, section 3.2 (many configs, one baseline).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import mean
from typing import NamedTuple

from trainrun.distributions import beta_quantile, noncentrality, t_beyond, t_critical

LEVEL = 0.05
POWER = 0.8
FEWEST_SEEDS = 6
MOST_SEEDS = 1_000_000  # more seeds than anyone can train
ROUNDING = 1e-15  # relative: what is closer than about four units in the last place is the same number


class Interval(NamedTuple):
    """95 % confidence interval of a value, both ends included."""

    low: float
    high: float


class Mean(NamedTuple):
    """The mean of n values (nan of none), with its interval from two values on."""

    n: int
    value: float
    interval: Interval | None


class Share(NamedTuple):
    """A share in [0, 1] and its interval."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Difference:
    """Difference between a config and the baseline over n pairs.

    Attributes:
        n: pairs.
        mean: of config minus baseline; nan without pairs.
        interval: of the mean, nominal 95 %; None below two pairs.
        improvement: the mean with the sign by which larger is better.
        p: of the paired t test, two-sided; adjusted by Holm's method once `decide` has seen the family.
        p_better: P(better), (wins + ties/2)/n; None without pairs, and where values are not of single seeds.
        verdict: "better", "worse", "withheld", "no difference shown" or "too few seeds".
        smallest_difference: the true difference that n seeds would have shown with 80 % power, two-sided at
            5 % (shared out by Holm among the comparisons still open); None where there is no spread.
        more_seeds: about how many more seeds would show the mean seen, with that power and at the present
            spread; None where it is shown, where the mean is 0, where not even a million would do, or
            where more seeds alone narrow the interval too little to tell.
        standard_error: of the mean; None below two pairs.
        degrees: of freedom of the standard error.
        spread: the standard deviation of the differences; None below two pairs, and where values are not of
            single seeds.
        correction: n_test/n_train where the pairs share overlapping random splits, else 0.
    """

    n: int
    mean: float
    interval: Interval | None
    improvement: float
    p: float | None
    p_better: Share | None
    verdict: str
    smallest_difference: float | None
    more_seeds: int | None
    standard_error: float | None = None
    degrees: int = 0
    spread: float | None = None
    correction: float = 0.0


def mean_of(values: Sequence[float], correction: float | None = None) -> Mean:
    """The mean with its 95 % interval by the t distribution.

    Args:
        values: one a seed, finite.
        correction: as of `difference`.

    Returns:
        Their number, their mean, and from two values on its interval.

    Raises:
        ValueError: a value is not finite.
    """
    center, spread = _moments(values)
    n = len(values)
    error = None if spread is None else _standard_error(spread, n, correction or 0.0)
    return Mean(n, center, None if error is None else _interval(center, error, n - 1))


def difference(
    values: Sequence[float],
    baseline: Sequence[float],
    *,
    larger_is_better: bool,
    correction: float | None = None,
) -> Difference:
    """Compare a config with the baseline, seed by seed, as a family of one.

    Args:
        values: the config's, one a seed, finite.
        baseline: the baseline's, of the same seeds in the same order.
        larger_is_better: the metric's direction.
        correction: n_test/n_train where each seed drew its own split of the same rows: the pairs are then not
            independent, and the variance of their mean is s²(1/n + correction).

    Returns:
        Values minus baseline, with the interval and p of a paired t test.

    Raises:
        ValueError: the numbers of values differ, or one is not finite.

    Source: Student 1908, Biometrika 6; the correction: Nadeau & Bengio 2003.
    """
    changes = [_change(value, other) for value, other in zip(values, baseline, strict=True)]
    n, overlap = len(changes), correction or 0.0
    center, spread = _moments(changes)
    error = None if spread is None else _standard_error(spread, n, overlap)
    gains = changes if larger_is_better else [-change for change in changes]
    won = _share_won(gains, overlap) if gains else None
    alone = replace(
        _undecided(n, center, error, n - 1, larger_is_better), p_better=won, spread=spread, correction=overlap
    )
    return decide([alone], [0])[0]


def estimated_difference(
    n: int, value: float, baseline: float, standard_error: float, degrees: int, *, larger_is_better: bool
) -> Difference:
    """Compare two values of which each sums up all seeds, as a family of one.

    Args:
        n: the number of seeds.
        value: the config's, finite.
        baseline: the baseline's, finite.
        standard_error: of value minus baseline.
        degrees: of freedom of the standard error, at least 1.
        larger_is_better: the metric's direction.

    Returns:
        Value minus baseline, with the interval and p of a t test.
    """
    center = _change(value, baseline)
    return decide([_undecided(n, center, standard_error, degrees, larger_is_better)], [0])[0]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust the p-values of a family by Holm's step-down method.

    Args:
        p_values: in [0, 1]; None is no member of the family.

    Returns:
        In the same order, in [0, 1], None where there was none.

    Source: Holm 1979, Scandinavian Journal of Statistics 6.
    """
    ranked = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(ranked):
        largest = max(largest, min(1.0, p * (len(ranked) - rank)))
        adjusted[place] = largest
    return adjusted


def decide(differences: Sequence[Difference], more_diverged: Sequence[int]) -> list[Difference]:
    """Return the differences of a family with adjusted p-values and verdicts.

    Args:
        differences: one (metric, part), each config against the same baseline, as `difference` gave them.
        more_diverged: for each, above 0 if the config diverged more often than the baseline, below 0 if less
            often. A "better" that diverged more often, or a "worse" that diverged less often, is "withheld":
            the surviving seeds make a config that lost some look better than it is.

    Returns:
        The differences in their order, with adjusted p, verdict, and what more seeds would show.
    """
    adjusted = holm([one.p for one in differences])
    still_open = sum(p is not None and p >= LEVEL for p in adjusted)
    level = LEVEL / max(1, still_open)  # at which Holm would test the next of them
    return [
        replace(
            one,
            p=p,
            verdict=_verdict(one, p, diverged),
            smallest_difference=_smallest_difference(one, level),
            more_seeds=_more_seeds(one, p, level),
        )
        for one, p, diverged in zip(differences, adjusted, more_diverged, strict=True)
    ]


def _change(value: float, other: float) -> float:
    change = float(value) - float(other)
    return 0.0 if abs(change) < ROUNDING * max(abs(value), abs(other)) else change


def _moments(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and standard deviation; what would overflow or vanish when squared does no harm."""
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("only finite values can be compared")
    center = mean(numbers) if numbers else math.nan
    if len(numbers) < 2:
        return center, None
    return center, math.hypot(*(number - center for number in numbers)) / math.sqrt(len(numbers) - 1)


def _standard_error(spread: float, n: int, correction: float) -> float:
    return spread * math.sqrt(1 / n + correction)


def _undecided(
    n: int, center: float, error: float | None, degrees: int, larger_is_better: bool
) -> Difference:
    """A difference by its mean and standard error, before `decide` has seen it."""
    return Difference(
        n=n,
        mean=center,
        interval=None if error is None else _interval(center, error, degrees),
        improvement=center if larger_is_better else 0.0 - center,  # so that nothing is not -0.0
        p=None if error is None else _p_value(center, error, degrees),
        p_better=None,
        verdict="too few seeds",
        smallest_difference=None,
        more_seeds=None,
        standard_error=error,
        degrees=degrees,
    )


def _interval(center: float, error: float, degrees: int) -> Interval:
    reach = t_critical(LEVEL, degrees) * error
    return Interval(center - reach, center + reach)


def _p_value(center: float, error: float, degrees: int) -> float:
    if error == 0:
        return 1.0 if center == 0 else 0.0
    return t_beyond(center / error, degrees)


def _share_won(gains: Sequence[float], correction: float) -> Share:
    """P(better) with the interval of Clopper and Pearson (Biometrika 26, 1934), a tie as half a win.

    It covers at least 95 % of the time for every share and every n. Wilson's and Jeffreys' do so on the
    average over shares, but with 6 to 30 pairs fall to 83-90 % just where it matters, at shares near 0 and 1.
    Without ties it leaves out 1/2 exactly where the sign test is significant.
    """
    share = mean([1.0 if gain > 0 else 0.5 if gain == 0 else 0.0 for gain in gains])
    # Overlapping splits count as fewer pairs: where differences correlate by r = c/(1 + c), as Nadeau and
    # Bengio take it, their signs correlate by 2 asin(r)/pi (Sheppard 1899).
    alike = 2 / math.pi * math.asin(correction / (1 + correction))
    pairs = len(gains) / (1 + (len(gains) - 1) * alike)
    won, lost = share * pairs, (1 - share) * pairs
    low = beta_quantile(LEVEL / 2, won, lost + 1) if won else 0.0
    high = beta_quantile(1 - LEVEL / 2, won + 1, lost) if lost else 1.0
    return Share(share, Interval(low, high))


def _verdict(one: Difference, p: float | None, more_diverged: int) -> str:
    if one.n < FEWEST_SEEDS or p is None:
        return "too few seeds"
    if p >= LEVEL or one.improvement == 0:
        return "no difference shown"
    if one.improvement * more_diverged > 0:
        return "withheld"
    return "better" if one.improvement > 0 else "worse"


@cache
def _needed_errors(degrees: int, level: float) -> float:
    """The true difference that a t test shows with 80 % power, in standard errors."""
    # The other tail is left out: its share is below 1e-5.
    return noncentrality(POWER, degrees, t_critical(level, degrees))


def _smallest_difference(one: Difference, level: float) -> float | None:
    return _needed_errors(one.degrees, level) * one.standard_error if one.standard_error else None


def _more_seeds(one: Difference, p: float | None, level: float) -> int | None:
    shown = p is not None and p < LEVEL and one.n >= FEWEST_SEEDS
    if one.spread is None or one.mean == 0 or shown:
        return None
    counts = range(FEWEST_SEEDS, MOST_SEEDS + 1)
    spread, overlap = one.spread, one.correction

    def suffice(n: int) -> bool:
        return _needed_errors(n - 1, level) * _standard_error(spread, n, overlap) <= abs(one.mean)

    place = bisect_left(counts, True, key=suffice)
    return counts[place] - one.n if place < len(counts) else None
