import math
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from trainrun.ingredients import schedules
from trainrun.ingredients.learning_rates import depends_on_total, lay_out
from trainrun.ingredients.lengths import cycles
from trainrun.quantities import Duration

L, PER_EPOCH, TOTAL = 0.3, 10, 120
ALL = np.arange(TOTAL)


def steps(amount):
    return Duration.parse(f"{amount} steps")


def epochs(amount):
    return Duration.parse(f"{amount} epochs")


def percent(amount):
    return Duration.parse(f"{amount}%")


REQUIRED = {
    "exponential": {"decay_rate": 0.5},
    "inverse_time": {"decay_rate": 0.5},
    "piecewise": {"boundaries": [percent(25), percent(50), percent(80)], "values": [0.4, 0.3, 0.2, 0.1]},
    "step": {"every": steps(7)},
    "multistep": {"milestones": [percent(20), percent(50)]},
    "cosine_restarts": {"first_decay": steps(9), "t_mul": 1.5, "m_mul": 0.9, "alpha": 0.1},
}


WITH_WARMUP = [name for name in schedules if not schedules[name].traits.get("rises_itself")]


def rates(name, settings=None, *, t=ALL, warmup=0, total=TOTAL, learning_rate=L):
    laid_out = lay_out(name, settings or {}, learning_rate, warmup=warmup, per_epoch=PER_EPOCH, total=total)
    return laid_out(np.asarray(t))


def torch_rates(make, total=TOTAL):
    """The learning rate of each step that a scheduler of PyTorch gives, in float64."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=L)
    scheduler = make(optimizer)
    seen = [optimizer.param_groups[0]["lr"]]
    for _ in range(total - 1):
        optimizer.step()
        scheduler.step()
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


# --- every schedule


@pytest.mark.parametrize(
    ("name", "warmup"), [*((name, 0) for name in schedules), *((name, 13) for name in WITH_WARMUP)]
)
def test_a_steps_value_does_not_depend_on_the_other_steps(name, warmup):
    laid_out = lay_out(name, REQUIRED.get(name, {}), L, warmup=warmup, per_epoch=PER_EPOCH, total=TOTAL)
    at_once = laid_out(ALL)
    assert at_once.dtype == np.float64
    assert np.isfinite(at_once).all()
    assert (at_once >= 0).all()
    one_by_one = np.concatenate([laid_out(ALL[t : t + 1]) for t in ALL])
    by_sevens = np.concatenate([laid_out(ALL[t : t + 7]) for t in range(0, TOTAL, 7)])
    backwards = laid_out(ALL[::-1])[::-1]
    assert at_once.tobytes() == one_by_one.tobytes() == by_sevens.tobytes() == backwards.tobytes()


@pytest.mark.parametrize("name", WITH_WARMUP)
def test_the_first_batch_sees_the_learning_rate_itself(name):
    expected = 0.4 if name == "piecewise" else L
    assert rates(name, REQUIRED.get(name), t=[0]).tolist() == [expected]


@pytest.mark.parametrize("name", WITH_WARMUP)
def test_a_warmup_rises_to_the_first_value_and_then_comes_the_schedule(name):
    settings = REQUIRED.get(name, {})
    warm = rates(name, settings, warmup=20)
    first = rates(name, settings, t=[0])[0]
    np.testing.assert_allclose(warm[:20], first * np.arange(1, 21) / 20, rtol=1e-15)
    assert warm[19] == warm[20] == first
    if not depends_on_total(name, settings):
        assert warm[20:].tolist() == rates(name, settings)[:-20].tolist()


@pytest.mark.parametrize("total", [0, 1, 2, 3])
@pytest.mark.parametrize("name", schedules)
def test_the_shortest_trainings_have_learning_rates(name, total):
    laid_out = rates(name, REQUIRED.get(name), t=np.arange(total), total=total)
    assert laid_out.shape == (total,)
    assert np.isfinite(laid_out).all()


@pytest.mark.parametrize("name", schedules)
def test_every_schedule_can_be_listed(name):
    assert schedules[name].summary.endswith(".")


# --- against PyTorch


@pytest.mark.parametrize(
    ("name", "settings", "make"),
    [
        ("constant", {}, lambda o: lr_scheduler.LambdaLR(o, lambda t: 1.0)),
        (
            "exponential",
            {"decay_rate": 0.97, "decay_over": steps(1)},
            lambda o: lr_scheduler.ExponentialLR(o, 0.97),
        ),
        ("linear", {}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, TOTAL)),
        ("linear", {"end_factor": 0.25}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, TOTAL)),
        (
            "polynomial",
            {"decay_over": steps(50), "power": 2.0},
            lambda o: lr_scheduler.PolynomialLR(o, 50, 2.0),
        ),
        ("step", {"every": steps(7)}, lambda o: lr_scheduler.StepLR(o, 7)),
        ("step", {"every": epochs(2), "gamma": 0.5}, lambda o: lr_scheduler.StepLR(o, 20, 0.5)),
        (
            "multistep",
            {"milestones": [steps(20), epochs(5), percent(70)]},
            lambda o: lr_scheduler.MultiStepLR(o, [20, 50, 84]),
        ),
        ("cosine", {}, lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL)),
        ("cosine", {"alpha": 0.1}, lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL, 0.1 * L)),
        (
            "cosine_restarts",
            {"first_decay": steps(7), "t_mul": 1.0},
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 7),
        ),
        (
            "cosine_restarts",
            {"first_decay": steps(7), "alpha": 0.1},
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 7, 2, 0.1 * L),
        ),
    ],
)
def test_equals_pytorchs_schedule(name, settings, make):
    np.testing.assert_allclose(rates(name, settings), torch_rates(make), rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("total", [10, 100, 120, 1350])
@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, {}),
        ({"rise": percent(50)}, {"pct_start": 0.5}),
        ({"rise": percent(100)}, {"pct_start": 1.0}),
        ({"start_divisor": 10.0, "end_divisor": 100.0}, {"div_factor": 10.0, "final_div_factor": 100.0}),
    ],
)
def test_one_cycle_equals_pytorchs(settings, options, total):
    def make(optimizer):
        return lr_scheduler.OneCycleLR(optimizer, L, total, cycle_momentum=False, **options)

    ours = rates("one_cycle", settings, t=np.arange(total), total=total)
    np.testing.assert_allclose(ours, torch_rates(make, total), rtol=1e-10)


def test_one_cycle_peaks_at_the_learning_rate():
    ours = rates("one_cycle", {"rise": epochs(4)})
    assert (ours.argmax(), ours.max()) == (39, L)
    assert ours[0] == pytest.approx(L / 25)
    assert ours[-1] == pytest.approx(L / 25 / 1e4)


def test_a_rise_of_one_step_begins_at_the_peak():
    assert rates("one_cycle", {"rise": steps(1)})[0] == L


# --- against closed forms


def exponent(t, length, whole):
    return t // length if whole else t / length


@pytest.mark.parametrize("staircase", [False, True])
def test_exponential_and_inverse_time_are_their_formulas(staircase):
    settings = {"decay_rate": 0.5, "decay_over": steps(30), "staircase": staircase}
    powers = [L * 0.5 ** exponent(t, 30, staircase) for t in range(TOTAL)]
    np.testing.assert_allclose(rates("exponential", settings), powers, rtol=1e-14)
    inverses = [L / (1 + 0.5 * exponent(t, 30, staircase)) for t in range(TOTAL)]
    np.testing.assert_allclose(rates("inverse_time", settings), inverses, rtol=1e-14)


def test_polynomial_ends_at_an_absolute_rate_and_stays_there():
    ours = rates("polynomial", {"decay_over": steps(60), "end": 0.1, "power": 0.5})
    expected = [(L - 0.1) * (1 - min(t, 60) / 60) ** 0.5 + 0.1 for t in range(TOTAL)]
    np.testing.assert_allclose(ours, expected, rtol=1e-14)


def test_polynomial_cycles_are_stretched_when_they_are_over():
    ours = rates("polynomial", {"decay_over": steps(25), "end": 0.1, "power": 2.0, "cycle": True})
    lengths = [25 * max(1, math.ceil(Fraction(t, 25))) for t in range(TOTAL)]
    expected = [(L - 0.1) * (1 - t / length) ** 2 + 0.1 for t, length in enumerate(lengths)]
    np.testing.assert_allclose(ours, expected, rtol=1e-14)
    assert ours[[25, 50, 75]].tolist() == [0.1] * 3  # the last step of each cycle


def test_cosine_stays_at_its_floor():
    ours = rates("cosine", {"decay_over": steps(40), "alpha": 0.2})
    assert ours[20] == pytest.approx(L * 0.6)
    assert ours[40:] == pytest.approx(np.full(80, L * 0.2))


def test_piecewise_has_the_old_value_at_a_boundary():
    settings = {"boundaries": [steps(30), epochs(6), percent(80)], "values": [0.4, 0.3, 0.2, 0.1]}
    ours = rates("piecewise", settings, t=[0, 30, 31, 60, 61, 96, 97, 119])
    assert ours.tolist() == [0.4, 0.4, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1]


def test_inverse_sqrt_is_halved_after_three_times_the_shift():
    ours = rates("inverse_sqrt", {"shift": steps(10)}, t=[0, 30, 990])
    assert ours == pytest.approx([L, L / 2, L / 10])
    assert rates("inverse_sqrt", t=[3000]) == pytest.approx([L / 2])


def test_wsd_is_stable_and_then_falls_in_a_line_to_0():
    ours = rates("wsd")
    assert (ours[:97] == L).all()
    np.testing.assert_allclose(ours[96:], L * np.arange(24, 0, -1) / 24)
    all_of_it = rates("wsd", {"decay_over": percent(90)}, warmup=60)
    np.testing.assert_allclose(all_of_it[60:], L * np.arange(60, 0, -1) / 60)


def test_reduce_on_plateau_by_itself_is_constant():
    assert (rates("reduce_on_plateau", {"factor": 0.5}) == L).all()


def test_the_whole_training_is_what_is_left_after_the_warmup():
    np.testing.assert_array_equal(
        rates("linear", warmup=20)[20:], rates("linear", t=np.arange(100), total=100)
    )
    np.testing.assert_array_equal(
        rates("cosine", warmup=20)[20:], rates("cosine", t=np.arange(100), total=100)
    )
    # A percentage is of all steps, the warm-up included.
    assert rates("cosine", {"decay_over": percent(50)}, warmup=20)[79:81] == pytest.approx([0, 0], abs=1e-3)


def test_a_rate_may_grow_beyond_all_numbers():
    assert np.isinf(rates("exponential", {"decay_rate": 1e300, "decay_over": steps(1)})[-1])


# --- restarts


def cycle_by_the_book(t, first, growth):
    """The cycle that step t is in and how far, exactly."""
    number, begin, length = 0, Fraction(0), Fraction(first)
    while t >= begin + length:
        number, begin, length = number + 1, begin + length, length * growth
    return number, (t - begin) / length


@pytest.mark.parametrize("growth", ["1", "1.1", "1.5", "2", "3"])
@pytest.mark.parametrize("first", [1, 7, 10])
def test_restarts_are_their_formula(first, growth):
    settings = {"first_decay": steps(first), "t_mul": float(growth), "m_mul": 0.9, "alpha": 0.1}
    t = np.arange(300)
    expected = []
    for step in t.tolist():
        number, progress = cycle_by_the_book(step, first, Fraction(growth))
        expected.append(L * (0.9 * 0.9**number * (1 + math.cos(math.pi * progress)) / 2 + 0.1))
    np.testing.assert_allclose(rates("cosine_restarts", settings, t=t, total=300), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("growth", "firsts"), [(1.0, [1, 3, 7]), (1.5, range(2, 1024, 2)), (2.0, range(1, 400))]
)
def test_a_boundary_is_the_restart_always(growth, firsts):
    boundaries = 0
    for first in firsts:
        begin, length, starts = Fraction(0), Fraction(first), []
        while begin < 20_000:
            starts.append(begin)
            begin, length = begin + length, length * Fraction(growth)
        t = np.array([int(start) for start in starts if start.denominator == 1])
        settings = {"first_decay": steps(first), "t_mul": growth}
        assert (rates("cosine_restarts", settings, t=t, total=20_000) == L).all()
        before = t[1:] - 1
        if first > 1:
            assert (rates("cosine_restarts", settings, t=before, total=20_000) < L).all()
        boundaries += len(t)
    assert boundaries > 2000


def test_the_floor_is_not_scaled_by_m_mul():
    settings = {"first_decay": steps(10), "t_mul": 1.0, "m_mul": 0.5, "alpha": 0.2}
    ours = rates("cosine_restarts", settings, t=[0, 10, 20, 100])
    assert ours == pytest.approx([L * (0.8 * 0.5**i + 0.2) for i in (0, 1, 2, 10)])


def test_a_growth_means_what_was_written():
    assert cycles(10, 1.1, 22).start.tolist() == [0, 10, 21]  # 10 + 10 * 1.1 is 21, not a hair more


def test_many_slowly_growing_cycles_are_laid_out_in_no_time():
    begun = time.perf_counter()
    settings = {"first_decay": steps(34), "t_mul": 1.001}
    rates("cosine_restarts", settings, t=[10**6 - 1], total=10**6)
    assert time.perf_counter() - begun < 5


# --- settings that do not fit


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        (
            "piecewise",
            {"boundaries": [steps(5)], "values": [1.0]},
            "values: must be one more than boundaries, got 1 for 1",
        ),
        (
            "piecewise",
            {"boundaries": [epochs(2), steps(15)], "values": [1.0, 0.5, 0.1]},
            r"boundaries: must increase, got 2 epochs \(step 20\) before 15 steps \(step 15\)",
        ),
        ("multistep", {"milestones": [steps(5), steps(5)]}, "milestones: must increase, got 5 steps"),
        ("multistep", {"milestones": [steps(0)]}, "milestones: must be at least one step, got 0 steps"),
        ("cosine", {"decay_over": steps(0)}, "decay_over: must be at least one step, got 0 steps"),
        ("step", {"every": epochs(0.01)}, "every: must be at least one step, got 0.01 epochs"),
        (
            "one_cycle",
            {"rise": epochs(13)},
            "rise: must not be longer than the training of 120 steps, got 13",
        ),
    ],
)
def test_settings_that_do_not_fit_the_training_are_refused_with_their_name(name, settings, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        rates(name, settings)


def test_a_length_may_be_longer_than_any_training():
    assert rates("cosine", {"decay_over": steps("1e12")}) == pytest.approx(np.full(TOTAL, L))
    with pytest.raises(ValueError, match="must be at most 1e12"):
        steps("1e13")


def test_one_cycle_takes_no_warmup():
    with pytest.raises(ValueError, match=r"^warmup: one_cycle rises by itself"):
        rates("one_cycle", warmup=5)


@pytest.mark.parametrize(
    ("name", "settings", "depends"),
    [
        ("constant", {}, False),
        ("reduce_on_plateau", {}, False),
        ("inverse_sqrt", {}, False),
        ("inverse_sqrt", {"shift": percent(10)}, True),
        ("linear", {}, True),
        ("one_cycle", {}, True),
        ("one_cycle", {"rise": steps(5)}, True),
        ("wsd", {"decay_over": steps(5)}, True),
        ("cosine", {}, True),
        ("cosine", {"decay_over": None}, True),
        ("cosine", {"decay_over": epochs(5)}, False),
        ("cosine", {"decay_over": percent(50)}, True),
        ("exponential", {"decay_rate": 0.5}, True),
        ("polynomial", {"decay_over": steps(5)}, False),
        ("step", {"every": epochs(5)}, False),
        ("step", {"every": percent(5)}, True),
        ("multistep", {"milestones": [steps(5), epochs(1)]}, False),
        ("multistep", {"milestones": [steps(5), percent(50)]}, True),
        ("piecewise", {"boundaries": [percent(50)], "values": [1.0, 0.5]}, True),
        ("cosine_restarts", {"first_decay": steps(5)}, False),
    ],
)
def test_what_depends_on_the_length_of_the_training(name, settings, depends):
    assert depends_on_total(name, settings) is depends
