"""How much better the best of many looks: beside the expected maximum of normal variables."""

import math

import numpy as np
import pytest

from trainrun.optimism import lead_by_chance

#: Expected maximum of K independent standard normal variables (Harter 1961, Biometrika 48).
EXPECTED = {2: 1 / math.sqrt(math.pi), 3: 3 / (2 * math.sqrt(math.pi)), 5: 1.16296, 10: 1.53875, 20: 1.86748}


def drawn(configs: int, seeds: int, place: int = 0) -> np.ndarray:
    return np.random.default_rng([configs, seeds, place]).standard_normal((configs, seeds))


@pytest.mark.parametrize("configs", EXPECTED)
def test_of_independent_configs_it_is_the_expected_maximum(configs):
    seeds = 4000
    lead = lead_by_chance(3.0 * drawn(configs, seeds) + 7)
    assert lead == pytest.approx(3.0 * EXPECTED[configs] / math.sqrt(seeds), rel=0.03)


@pytest.mark.parametrize(("configs", "seeds"), [(2, 10), (12, 4), (10, 2)])
def test_few_seeds_give_the_right_lead_on_the_average(configs, seeds):
    leads = [lead_by_chance(drawn(configs, seeds, place)) for place in range(300)]
    truth = np.mean([drawn(configs, seeds, place).mean(axis=1).max() for place in range(20_000)])
    assert np.mean(leads) == pytest.approx(truth, rel=0.06)


def test_what_a_seed_does_to_all_alike_does_not_count():
    values = drawn(6, 10)
    shift = 100 * np.random.default_rng(1).standard_normal(10)
    assert lead_by_chance(values + shift) == pytest.approx(lead_by_chance(values))


def test_configs_that_go_together_leave_less_room_for_the_best():
    own, common = drawn(8, 3000), drawn(1, 3000)
    lead = lead_by_chance(0.6 * own + 0.8 * common)
    assert lead == pytest.approx(0.6 * lead_by_chance(own), rel=0.03)


def test_overlapping_splits_make_it_larger():
    values = drawn(6, 10)
    assert lead_by_chance(values, 0.3) == pytest.approx(lead_by_chance(values) * math.sqrt(1 + 10 * 0.3))


def test_larger_or_smaller_is_better_makes_no_difference():
    values = drawn(6, 10)
    assert lead_by_chance(-values) == pytest.approx(lead_by_chance(values))


def test_it_is_the_same_each_time():
    assert lead_by_chance(drawn(6, 10)) == lead_by_chance(drawn(6, 10))


@pytest.mark.parametrize("value", [0.0, 0.1, -3e300])
def test_without_any_spread_there_is_no_lead(value):
    assert lead_by_chance([[value] * 7] * 5) == 0


def test_huge_values_do_not_overflow():
    assert math.isfinite(lead_by_chance(1e300 * drawn(6, 10)))
