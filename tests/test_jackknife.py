"""The jackknife over members and rows, beside closed forms and simulations with a known truth."""

import numpy as np
import pytest
from scipy import stats

from trainrun.jackknife import GROUPS, means_without_each, row_groups, spread_of
from trainrun.statistics import estimated_difference

REPEATS = 400
SEEDS = 8


def test_means_without_each_are_means_without_each():
    values = np.random.default_rng(0).normal(size=(5, 4, 3))
    found = means_without_each(values)
    np.testing.assert_array_equal(found[0], values.mean(axis=0))
    for place in range(5):
        np.testing.assert_allclose(found[1 + place], np.delete(values, place, axis=0).mean(axis=0))


def test_a_small_probability_beside_a_large_one_is_not_lost():
    found = means_without_each(np.array([[1.0], [1e-30], [3e-30]]))
    np.testing.assert_allclose(found[1], [2e-30])


@pytest.mark.parametrize("rows", [1, 7, 20, 999])
def test_groups_of_rows_are_equal_and_always_the_same(rows):
    groups = row_groups(rows)
    counts = np.bincount(groups)
    assert len(counts) == min(rows, GROUPS)
    assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(groups, row_groups(rows))


def table(cells: np.ndarray) -> np.ndarray:
    """The mean of cells [members, groups], also without each member and each group."""
    by_member = means_without_each(cells)
    return means_without_each(by_member.T).T


def test_of_members_or_rows_alone_it_is_the_standard_error_of_the_mean():
    rng = np.random.default_rng(1)
    of_members, of_rows = rng.normal(size=(6, 1)), rng.normal(size=(1, 20))
    assert spread_of(table(of_members + np.zeros((6, 20)))) == (pytest.approx(stats.sem(of_members[:, 0])), 5)
    assert spread_of(table(of_rows + np.zeros((6, 20)))) == (pytest.approx(stats.sem(of_rows[0])), 5)
    assert spread_of(np.ones((7, 21))).standard_error == 0


def test_what_a_member_does_to_a_row_counts_once():
    """The mean of independent cells has the variance 1/(members groups), which a sum would count twice."""
    rng = np.random.default_rng(2)
    found = [spread_of(table(rng.normal(size=(10, 20)))).standard_error ** 2 for _ in range(REPEATS)]
    assert 1.0 < np.mean(found) * 10 * 20 < 1.35  # the part that is cut off at 0 makes it careful


def recipe(rng: np.random.Generator, truth: np.ndarray, shift: float) -> np.ndarray:
    """The probability of the true class by each member, [members, rows]."""
    of_rows, of_seeds = rng.normal(0, 0.4, len(truth)), rng.normal(0, 0.1, (SEEDS, 1))
    return 1 / (1 + np.exp(-(truth + shift + of_rows + of_seeds + rng.normal(0, 1, (SEEDS, len(truth))))))


def intervals(rows: int, shift: float) -> dict[str, np.ndarray]:
    """Simulated comparisons of two recipes: the difference, and the ends of its interval."""
    rng, found = np.random.default_rng(rows), {"accuracy": [], "loss": []}
    metrics = {"accuracy": lambda share: share > 0.5, "loss": lambda share: -np.log(share)}
    groups = row_groups(rows)
    for _ in range(REPEATS):
        truth = rng.normal(1.5, 2, rows)
        means = [means_without_each(recipe(rng, truth, moved)) for moved in (shift, 0)]
        for name, metric in metrics.items():
            change = metric(means[0]).astype(float) - metric(means[1])
            columns = [change.mean(axis=1), *(change[:, groups != g].mean(axis=1) for g in range(GROUPS))]
            spread = spread_of(np.stack(columns, axis=1))
            one = estimated_difference(SEEDS, change[0].mean(), 0, *spread, larger_is_better=True)
            found[name].append((one.mean, *one.interval))
    return {name: np.array(of_one) for name, of_one in found.items()}


@pytest.mark.parametrize("rows", [200, 1000])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_interval_covers_the_difference_over_seeds_and_rows(rows, shift):
    """The truth is the mean over all simulated comparisons; the bounds are loose, and the draws are fixed."""
    for found in intervals(rows, shift).values():
        truth = found[:, 0].mean() if shift else 0.0
        covered = np.mean((found[:, 1] <= truth) & (truth <= found[:, 2]))
        assert 0.92 <= covered <= 0.995
        assert np.mean(found[:, 2] - found[:, 1]) < 2 * 1.96 * 1.5 * found[:, 0].std()


def test_a_difference_of_estimates_is_a_t_test():
    found = estimated_difference(9, 0.75, 0.5, 0.1, 8, larger_is_better=False)
    assert found.mean == 0.25
    assert found.improvement == -0.25
    assert found.p == pytest.approx(2 * stats.t.sf(2.5, 8))
    assert found.interval == pytest.approx(stats.t(8, 0.25, 0.1).interval(0.95))
    assert (found.verdict, found.p_better, found.more_seeds) == ("worse", None, None)
    needed = estimated_difference(9, 0.1, 0, 0.1, 8, larger_is_better=True).smallest_difference
    assert stats.nct.sf(stats.t.ppf(0.975, 8), 8, needed / 0.1) == pytest.approx(0.8)
