import itertools
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trainrun.statistics import Difference, Interval, decide, difference, holm, mean_of

P_VALUES = st.lists(st.none() | st.floats(0, 1), max_size=6)
SAMPLES = st.lists(st.floats(-1, 1, width=16), min_size=2, max_size=12)


def draw(n: int, shift: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values of a config and of its baseline that share what their seeds have in common."""
    rng = np.random.default_rng([n, seed])
    shared = rng.normal(0.9, 0.1, n)
    return shared + rng.normal(shift, 0.02, n), shared + rng.normal(0.0, 0.02, n)


def changes(*values: float) -> Difference:
    return difference(values, [0.0] * len(values), larger_is_better=True)


def power(effect: float, n: int, error: float, level: float = 0.05) -> float:
    """Of a two-sided t test, where the mean of n pairs has the standard error `error`."""
    critical = stats.t.ppf(1 - level / 2, n - 1)
    below, above = stats.nct.cdf([-critical, critical], n - 1, effect / error)
    return float(below + 1 - above)


# Means and paired differences, beside scipy.stats


@pytest.mark.parametrize("n", [2, 6, 30, 1000])
def test_a_mean_has_the_interval_of_the_t_distribution(n):
    values, _ = draw(n)
    found = mean_of(values)
    assert (found.n, found.value) == (n, pytest.approx(values.mean(), rel=1e-14))
    expected = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert found.interval == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("shift", [0.0, 0.01, -0.05])
@pytest.mark.parametrize("n", [2, 6, 30, 1000])
def test_a_difference_is_the_paired_t_test(n, shift):
    values, baseline = draw(n, shift)
    found = difference(values, baseline, larger_is_better=True)
    expected = stats.ttest_rel(values, baseline)
    assert found.n == n
    assert found.mean == pytest.approx((values - baseline).mean(), rel=1e-12)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-8)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-9)


def test_overlapping_splits_widen_the_variance_by_nadeau_and_bengio():
    values, baseline = draw(10, 0.02)
    plain = difference(values, baseline, larger_is_better=True)
    found = difference(values, baseline, larger_is_better=True, correction=0.25)
    error = np.std(values - baseline, ddof=1) * math.sqrt(1 / 10 + 0.25)
    assert found.interval == pytest.approx(stats.t.interval(0.95, 9, loc=plain.mean, scale=error))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(plain.mean) / error, 9))
    assert found.p_better.value == plain.p_better.value
    assert found.p_better.interval.low < plain.p_better.interval.low
    assert power(found.smallest_difference, 10, error) == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize("correction", [0.0, 0.1, 0.25, 1.0, 5.0])
@pytest.mark.parametrize(("wins", "losses"), [(6, 0), (7, 3), (5, 5), (1, 19)])
def test_p_better_over_overlapping_splits_counts_fewer_pairs(wins, losses, correction):
    """Signs of normal differences that correlate by r: their correlation is that of the orthants."""
    n, r = wins + losses, correction / (1 + correction)
    both_negative = stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf([0, 0])
    pairs = n / (1 + (n - 1) * (4 * both_negative - 1))  # a mean's variance with that correlation
    won, lost = wins / n * pairs, losses / n * pairs
    low = stats.beta.ppf(0.025, won, lost + 1) if wins else 0.0
    high = stats.beta.ppf(0.975, won + 1, lost) if losses else 1.0
    values = [1.0] * wins + [-1.0] * losses
    found = difference(values, [0.0] * n, larger_is_better=True, correction=correction).p_better
    assert found.value == wins / n
    assert found.interval == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize("truth", [0.5, 0.8, 0.95])
def test_p_better_over_overlapping_splits_is_covered_at_least_95_times_in_100(truth):
    n, correction, draws = 10, 0.25, 4000
    r = correction / (1 + correction)
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=(draws, 1)), rng.normal(size=(draws, n))
    gains = r**0.5 * shared + (1 - r) ** 0.5 * own + stats.norm.ppf(truth)
    counts = np.bincount((gains > 0).sum(axis=1), minlength=n + 1)
    intervals = [
        difference([1.0] * w + [-1.0] * (n - w), [0.0] * n, larger_is_better=True, correction=correction)
        for w in range(n + 1)
    ]
    covers = [one.p_better.interval.low <= truth <= one.p_better.interval.high for one in intervals]
    assert counts[covers].sum() / draws >= 0.95


@given(SAMPLES)
def test_the_direction_turns_what_is_said_and_nothing_else(sample):
    up = difference(sample, [0.0] * len(sample), larger_is_better=True)
    down = difference(sample, [0.0] * len(sample), larger_is_better=False)
    turned = {"better": "worse", "worse": "better"}.get(up.verdict, up.verdict)
    low, high = up.p_better.interval
    assert down.p_better.value == pytest.approx(1 - up.p_better.value)
    assert down.p_better.interval == pytest.approx((1 - high, 1 - low))
    assert (up.improvement, down.improvement) == (up.mean, -up.mean)
    assert replace(down, improvement=up.improvement, verdict=turned, p_better=up.p_better) == replace(
        up, verdict=turned
    )


# The share of seeds that are better


@pytest.mark.parametrize("n", [1, 6, 10, 30])
def test_p_better_has_the_exact_interval_and_agrees_with_the_sign_test(n):
    for wins in range(n + 1):
        share = changes(*[0.5] * wins, *[-0.25] * (n - wins)).p_better
        reference = stats.binomtest(wins, n)
        expected = reference.proportion_ci(0.95, method="exact")
        assert share.value == wins / n
        assert share.interval == pytest.approx((expected.low, expected.high), abs=1e-9)
        assert (share.interval.low <= 0.5 <= share.interval.high) == (reference.pvalue >= 0.05)


def test_a_tie_is_half_a_win():
    assert changes(1.0, 0.0, 0.0, -1.0).p_better == changes(1.0, 1.0, -1.0, -1.0).p_better
    assert changes(1.0, 0.0).p_better.value == 0.75


@pytest.mark.parametrize("tied", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("n", [6, 10])
def test_p_better_is_covered_at_least_95_times_in_100_also_with_ties(n, tied):
    counts = [(w, t, n - w - t) for w in range(n + 1) for t in range(n - w + 1)]
    intervals = [changes(*[1.0] * w, *[0.0] * t, *[-1.0] * lost).p_better.interval for w, t, lost in counts]
    for won in np.linspace(0, 1 - tied, 21):
        chance = stats.multinomial.pmf(counts, n, [won, tied, max(0.0, 1 - won - tied)])
        truth = won + tied / 2
        covers = [low - 1e-9 <= truth <= high + 1e-9 for low, high in intervals]
        assert chance[covers].sum() >= 0.95


# Several configs


def test_holm_in_a_small_example():
    # Ranked 0.01, 0.02, 0.03, 0.04: times 4, 3, 2, 1, and never below the one before.
    assert holm([0.04, 0.01, None, 0.03, 0.02]) == pytest.approx([0.06, 0.04, None, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


@given(P_VALUES)
def test_holm_is_bonferroni_on_every_subfamily(p_values):
    adjusted = holm(p_values)
    members = [place for place, p in enumerate(p_values) if p is not None]
    for place, p in enumerate(p_values):
        if p is None:
            assert adjusted[place] is None
            continue
        others = [member for member in members if member != place]
        families = itertools.chain.from_iterable(
            itertools.combinations(others, size) for size in range(len(others) + 1)
        )
        worst = max((len(some) + 1) * min([p, *(p_values[other] for other in some)]) for some in families)
        assert adjusted[place] == pytest.approx(min(1.0, worst))


def with_p(p: float, improvement: float = 0.1, n: int = 10) -> Difference:
    return replace(changes(*[improvement] * n), p=p)


@pytest.mark.parametrize(
    ("improvement", "p", "more_diverged", "verdict"),
    [
        (0.1, 0.0499, 0, "better"),
        (0.1, 0.05, 0, "no difference shown"),
        (-0.1, 0.0499, 0, "worse"),
        (-0.1, 0.05, 0, "no difference shown"),
        (0.1, 0.05, 1, "no difference shown"),
        (0.1, 0.0499, 1, "withheld"),
        (0.0, 0.001, 1, "no difference shown"),
        (-0.1, 0.001, 1, "worse"),
        (0.1, 0.001, -1, "better"),
        (-0.1, 0.05, -1, "no difference shown"),
        (-0.1, 0.001, -1, "withheld"),
    ],
)
def test_verdicts(improvement, p, more_diverged, verdict):
    assert decide([with_p(p, improvement)], [more_diverged])[0].verdict == verdict


def test_a_family_is_judged_by_the_adjusted_p():
    alone = decide([with_p(0.03)], [0])
    family = decide([with_p(0.03), with_p(0.5), with_p(0.001), changes(1.0)], [0, 0, 0, 0])
    assert [one.verdict for one in alone] == ["better"]
    assert [one.p for one in family] == [0.06, 0.5, 0.003, None]
    assert [one.verdict for one in family] == [
        "no difference shown",
        "no difference shown",
        "better",
        "too few seeds",
    ]
    assert [one.interval for one in family[:1]] == [one.interval for one in alone]


def test_too_few_seeds_says_so_and_shows_all_the_same():
    few, enough = changes(0.1, 0.11, 0.1, 0.11, 0.1), changes(0.1, 0.11, 0.1, 0.11, 0.1, 0.11)
    assert (few.verdict, few.more_seeds) == ("too few seeds", 1)
    assert few.interval.low > 0
    assert few.p < 0.05
    assert (enough.verdict, enough.more_seeds) == ("better", None)


def test_a_family_of_nobody_is_empty():
    assert decide([], []) == []


def test_who_diverged_is_told_for_each():
    with pytest.raises(ValueError, match="shorter"):
        decide([with_p(0.5)], [])


# How many seeds


@pytest.mark.parametrize("n", [3, 6, 10, 100])
def test_the_smallest_difference_has_a_power_of_80_percent(n):
    values, baseline = draw(n)
    found = difference(values, baseline, larger_is_better=True)
    error = stats.sem(values - baseline)
    assert power(found.smallest_difference, n, error) == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize(("n", "shift"), [(3, 0.01), (10, 0.01), (10, 0.005), (40, 0.002)])
@pytest.mark.parametrize("correction", [0.0, 1e-4])
def test_so_many_more_seeds_have_a_power_of_80_percent(n, shift, correction):
    values, baseline = draw(n, shift, seed=1)
    found = difference(values, baseline, larger_is_better=True, correction=correction)
    spread, total = np.std(values - baseline, ddof=1), n + found.more_seeds
    reached = power(abs(found.mean), total, spread * math.sqrt(1 / total + correction))
    before = power(abs(found.mean), total - 1, spread * math.sqrt(1 / (total - 1) + correction))
    assert before < 0.8001
    assert reached > 0.7999


def test_where_splits_overlap_no_number_of_seeds_may_do():
    values, baseline = draw(10, 0.005, seed=1)
    assert difference(values, baseline, larger_is_better=True).more_seeds > 0
    assert difference(values, baseline, larger_is_better=True, correction=0.5).more_seeds is None


def test_a_difference_out_of_reach_needs_no_number():
    assert changes(1.0, -1.0, 1.0, -1.0, 1.0, -1.0001).more_seeds is None


def test_open_comparisons_of_a_family_ask_for_more():
    alone = difference(*draw(10, 0.01), larger_is_better=True)
    clear = difference(*draw(10, 0.5), larger_is_better=True)
    unclear = replace(alone, p=0.3)
    pair, triple = decide([unclear, clear], [0, 0]), decide([unclear, unclear, clear], [0, 0, 0])
    assert pair[0].smallest_difference == alone.smallest_difference
    error = alone.spread / math.sqrt(10)
    assert power(triple[0].smallest_difference, 10, error, 0.05 / 2) == pytest.approx(0.8, abs=1e-4)
    assert triple[0].more_seeds > pair[0].more_seeds


@given(st.lists(st.lists(st.floats(-1, 2, width=16), min_size=7, max_size=7), min_size=1, max_size=4))
@settings(max_examples=50)
def test_what_is_not_shown_is_below_what_could_have_been(samples):
    for one in decide([changes(*sample) for sample in samples], [0] * len(samples)):
        assert (one.verdict == "no difference shown") == (one.p >= 0.05)
        if one.p >= 0.05 and one.spread:
            assert abs(one.mean) < one.smallest_difference
            assert one.more_seeds is None or one.more_seeds > 0


# Edges


def test_none_and_one():
    none, one = changes(), changes(0.25)
    assert (none.n, none.interval, none.p, none.p_better, none.more_seeds) == (0, None, None, None, None)
    assert math.isnan(none.mean)
    assert math.isnan(none.improvement)
    assert (one.n, one.mean, one.interval, one.p, one.smallest_difference) == (1, 0.25, None, None, None)
    assert one.p_better.value == 1.0
    assert none.verdict == one.verdict == "too few seeds"
    assert mean_of([3.0]) == (1, 3.0, None)
    assert math.isnan(mean_of([]).value)


@pytest.mark.parametrize("larger_is_better", [True, False])
def test_a_copy_differs_by_exactly_nothing(larger_is_better):
    values = [0.1, 0.2, 0.3, 0.7, 0.9, 0.95]
    found = difference(values, values, larger_is_better=larger_is_better)
    assert (found.mean, found.interval, found.p, found.verdict) == (
        0.0,
        (0.0, 0.0),
        1.0,
        "no difference shown",
    )
    assert math.copysign(1.0, found.improvement) == 1.0
    assert found.p_better.value == 0.5
    assert (found.smallest_difference, found.more_seeds) == (None, None)


@pytest.mark.parametrize(("change", "verdict"), [(0.1, "better"), (-0.1, "worse")])
@pytest.mark.parametrize("n", [6, 49])
def test_differences_that_are_all_equal_are_decided_by_their_mean(change, verdict, n):
    found = changes(*[change] * n)
    assert (found.mean, found.interval, found.p) == (change, (change, change), 0.0)
    assert found.verdict == verdict


def test_what_differs_by_rounding_alone_does_not_differ():
    found = difference([0.1 + 0.2] * 6, [0.3] * 6, larger_is_better=True)
    assert (found.mean, found.p, found.verdict) == (0.0, 1.0, "no difference shown")
    assert difference([1e-17] * 6, [0.0] * 6, larger_is_better=True).verdict == "better"


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e-200, 1e200, 1e300])
def test_scale_changes_no_verdict(scale):
    sample = np.array([3.0, 4.0, 2.0, 5.0, 3.0, 4.0])
    found, plain = changes(*sample * scale), changes(*sample)
    assert found.verdict == "better"
    assert found.p == pytest.approx(plain.p, rel=1e-3, abs=1e-3)  # the least numbers have few digits


def test_many_seeds():
    values, baseline = draw(20_000, 0.001)
    found = difference(values, baseline, larger_is_better=True)
    assert found.p == pytest.approx(stats.ttest_rel(values, baseline).pvalue)
    assert found.verdict == "better"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        mean_of([1.0, bad])
    for values, baseline in [([1.0, bad], [1.0, 1.0]), ([1.0, 1.0], [1.0, bad]), ([1.0, bad], [1.0, bad])]:
        with pytest.raises(ValueError, match="finite"):
            difference(values, baseline, larger_is_better=True)


def test_pairs_are_complete():
    with pytest.raises(ValueError, match="shorter"):
        difference([1.0, 2.0], [1.0], larger_is_better=True)


def test_nothing_heavy_is_loaded():
    script = """
import sys
from trainrun.statistics import difference
difference([1, 2, 3, 4, 5, 7], [1, 3, 2, 2, 1, 0], larger_is_better=True)
assert not {"scipy", "numpy"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", script], check=True)


# How often it is right, by simulation


def covered(intervals: Sequence[Interval], truth: float) -> float:
    return sum(low <= truth <= high for low, high in intervals) / len(intervals)


def within(count: int, of: int, expected: float) -> bool:
    """Whether a count is what Monte Carlo error (three standard errors) allows."""
    return abs(count / of - expected) <= 3 * math.sqrt(expected * (1 - expected) / of)


@pytest.mark.parametrize("n", [6, 10, 30])
def test_a_against_a_is_covered_95_times_in_100_and_called_different_5_times(n):
    repeats = 1000
    found = [difference(*draw(n, seed=seed), larger_is_better=True) for seed in range(repeats)]
    share = covered([one.interval for one in found], 0.0)
    assert 0.93 < share < 0.97
    called = [one.verdict for one in found if one.verdict != "no difference shown"]
    assert within(len(called), repeats, 0.05)
    assert len(called) / repeats == pytest.approx(1 - share)
    assert within(called.count("better"), repeats, 0.025)


def test_a_family_of_equals_has_a_false_alarm_5_times_in_100():
    rng = np.random.default_rng(0)
    repeats, alarms, uncorrected = 300, 0, 0
    for _ in range(repeats):
        baseline, *configs = rng.normal(0.9, 0.1, 10) + rng.normal(0, 0.02, (5, 10))
        alone = [difference(config, baseline, larger_is_better=True) for config in configs]
        uncorrected += any(one.p < 0.05 for one in alone)
        alarms += any(one.p < 0.05 for one in decide(alone, [0] * len(alone)))
    assert alarms / repeats < 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert uncorrected / repeats > 0.1


def test_overlapping_splits_are_covered_with_the_correction_alone():
    rng = np.random.default_rng(0)
    rows, train, test, seeds, repeats = 100, 80, 20, 10, 400
    naive, corrected = [], []
    for _ in range(repeats):
        order = rng.permuted(np.tile(rng.normal(0.15, 1.0, rows), (seeds, 1)), axis=1)
        learned = order[:, :train].mean(axis=1, keepdims=True)
        squared = ((order[:, train:] - learned) ** 2).mean(axis=1), (order[:, train:] ** 2).mean(axis=1)
        naive.append(difference(*squared, larger_is_better=False))
        corrected.append(difference(*squared, larger_is_better=False, correction=test / train))
    truth = 1 / train - 0.15**2  # by how much predicting the training mean is worse than predicting 0
    assert covered([one.interval for one in naive], truth) < 0.85
    assert 0.91 < covered([one.interval for one in corrected], truth) < 0.97
    share = np.mean([one.p_better.value for one in naive])
    assert covered([one.p_better.interval for one in naive], share) < 0.92
    assert covered([one.p_better.interval for one in corrected], share) > 0.95
