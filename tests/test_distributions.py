"""The distributions beside scipy's."""

import math

import pytest
from scipy import stats

from trainrun.distributions import beta_quantile, noncentrality, t_beyond, t_critical

DEGREES = [1, 2, 3, 5, 9, 29, 99, 999, 10**6]


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("x", [0, 1e-8, 0.1, 1, -2, 5, 30, 500])
def test_both_tails_of_t(df, x):
    assert t_beyond(x, df) == pytest.approx(2 * stats.t.sf(abs(x), df), rel=1e-8, abs=1e-300)


@pytest.mark.parametrize("x", [math.inf, 1e200, -math.inf])
def test_beyond_everything_there_is_nothing(x):
    assert t_beyond(x, 5) == 0


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("level", [0.5, 0.05, 0.01, 0.05 / 40])
def test_critical_values_of_t(df, level):
    assert t_critical(level, df) == pytest.approx(stats.t.isf(level / 2, df), rel=1e-8)


@pytest.mark.parametrize("pairs", [1, 2.5, 6, 10, 30, 1000])
@pytest.mark.parametrize("share", [0.025, 0.5, 0.975])
def test_quantiles_of_beta(pairs, share):
    for won in (0.5, 1, pairs / 2, pairs - 0.25, pairs):
        expected = stats.beta.ppf(share, won, pairs - won + 1)
        assert beta_quantile(share, won, pairs - won + 1) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("level", [0.05, 0.01, 0.05 / 40])
def test_a_noncentral_t_has_the_power_that_was_asked_for(df, level):
    critical = t_critical(level, df)
    found = noncentrality(0.8, df, critical)
    # Where df is large scipy's own noncentral t has fewer digits, and is the normal distribution.
    power = stats.nct.sf(critical, df, found) if df < 1000 else stats.norm.sf(critical - found)
    assert power == pytest.approx(0.8, abs=1e-3 if df == 999 else 1e-5)
