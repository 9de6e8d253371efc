import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainrun.stopping import EarlyStopping, Plateau

NAN, INF = math.nan, math.inf


def early_stopping(
    *, patience=INF, min_delta=0.0, start_from_epoch=0, baseline=NAN, larger_is_better=False, members=1
):
    return EarlyStopping(
        patience=np.full(members, patience),
        min_delta=np.full(members, min_delta),
        start_from_epoch=np.full(members, start_from_epoch),
        baseline=np.full(members, baseline),
        larger_is_better=np.full(members, larger_is_better),
    )


def plateau(
    *, reduction=0.5, patience=2, min_delta=0.0, cooldown=0, floor=0.0, larger_is_better=False, members=1
):
    return Plateau(
        reduction=np.full(members, reduction),
        patience=np.full(members, patience),
        min_delta=np.full(members, min_delta),
        cooldown=np.full(members, cooldown),
        floor=np.full(members, floor),
        larger_is_better=np.full(members, larger_is_better),
    )


def stopped_epoch(policy, values):
    """The epoch at which the only member is stopped, None where it never is."""
    for epoch, value in enumerate(values, start=1):
        if policy.observe(epoch, np.array([value])).stop_K[0]:
            return epoch
    return None


# --- the best epoch


@pytest.mark.parametrize(
    ("values", "larger_is_better", "improved", "best_epoch", "best"),
    [
        ([3, 2, 1], False, [True, True, True], 3, 1),
        ([1, 1, 1], False, [True, False, False], 1, 1),  # ties do not improve
        ([1, 2, 0.5], False, [True, False, True], 3, 0.5),
        ([1, 2, 2, 3], True, [True, True, False, True], 4, 3),
        ([NAN, 2, NAN, 1], False, [False, True, False, True], 4, 1),
        ([INF, 5, -INF, 6], False, [False, True, False, False], 2, 5),  # -inf is not finite, so not best
        ([INF, 5, -INF, 6], True, [False, True, False, True], 4, 6),
        ([NAN, INF], False, [False, False], 0, INF),
        ([NAN, -INF], True, [False, False], 0, -INF),
    ],
)
def test_the_best_is_the_best_finite_value(values, larger_is_better, improved, best_epoch, best):
    policy = early_stopping(larger_is_better=larger_is_better)
    seen = [policy.observe(epoch, np.array([value])) for epoch, value in enumerate(values, 1)]
    assert [bool(decision.improved_K[0]) for decision in seen] == improved
    assert (policy.best_epoch[0], policy.best[0]) == (best_epoch, best)


@pytest.mark.parametrize(
    ("values", "kept", "best_epoch"),
    [
        ([3, 2, 2, 4, 2], [True, True, True, False, True], 5),
        ([INF, NAN, 1, 1, INF], [False, False, True, True, False], 4),
    ],
)
def test_of_equal_values_the_last_one_may_count(values, kept, best_epoch):
    """It is the best epoch, and no improvement: patience goes on."""
    policy = early_stopping()
    policy.last_counts = np.array([True])
    told = [policy.observe(epoch, np.array([float(value)])) for epoch, value in enumerate(values, 1)]
    assert [bool(one.kept_K[0]) for one in told] == kept
    assert policy.best_epoch[0] == best_epoch
    plain = early_stopping()
    first = [plain.observe(epoch, np.array([float(value)])) for epoch, value in enumerate(values, 1)]
    assert [bool(one.improved_K[0]) for one in told] == [bool(one.kept_K[0]) for one in first]
    assert policy.wait[0] == plain.wait[0]


def test_the_best_before_is_told_with_each_decision():
    policy = early_stopping()
    previous = [policy.observe(e, np.array([v])).previous_best_K[0] for e, v in enumerate([5, 3, 4], 1)]
    assert previous == [INF, 5, 3]
    assert early_stopping(larger_is_better=True).observe(1, np.array([0.5])).previous_best_K[0] == -INF


def test_an_improvement_too_small_for_patience_still_is_the_best():
    policy = early_stopping(min_delta=1.0, patience=2)
    assert stopped_epoch(policy, [10, 9.5, 9.4]) == 3
    assert (policy.best_epoch[0], policy.best[0], policy.reference[0]) == (3, 9.4, 10)


def test_values_are_compared_in_float64():
    policy = early_stopping()
    policy.observe(1, np.array([1.0]))
    assert policy.observe(2, np.array([1.0 - 1e-15])).improved_K[0]


# --- patience


@pytest.mark.parametrize(
    ("settings", "values", "stopped"),
    [
        # patience counts epochs without an improvement; 0 is as 1
        ({"patience": 0}, [3, 2, 1, 1], 4),
        ({"patience": 1}, [3, 2, 1, 1], 4),
        ({"patience": 0}, [3, 2, 2, 1], 3),
        ({"patience": 5}, [1, 2, 2, 2, 2, 2, 2], 6),
        ({"patience": 5}, [1, 2, 2, 2, 2, 0.5, 1, 1, 1, 1, 1], 11),
        ({"patience": INF}, [1] * 50, None),
        # ties do not improve
        ({"patience": 2}, [1, 1, 1, 1], 3),
        # strictly more than min_delta, against the last improvement that counted
        ({"patience": 2, "min_delta": 0.5}, [4, 3.5, 3, 2.5], None),
        ({"patience": 1, "min_delta": 0.5}, [4, 3.5], 2),
        ({"patience": 3, "min_delta": 1.0}, [4, 3.5, 3.0, 2.9, 2.5, 2.4], None),
        ({"patience": 2, "min_delta": 1.0}, [4, 3.5, 3.2, 2.9], 3),
        # larger is better
        ({"patience": 2, "larger_is_better": True}, [1, 2, 3, 3, 2], 5),
        ({"patience": 2, "larger_is_better": True, "min_delta": 0.5}, [1, 1.5, 1.25], 3),
        ({"patience": 2, "larger_is_better": True, "min_delta": 0.5}, [1, 1.5, 1.75, 2, 2.25], 5),
        # a value that is not finite never improves and counts
        ({"patience": 2}, [1, NAN, NAN], 3),
        ({"patience": 2}, [1, NAN, 0.5, INF, -INF], 5),
        ({"patience": 2}, [NAN, 1, 2, NAN], 4),
        # the first epoch never stops, not even without a finite value
        ({"patience": 0}, [NAN, NAN], 2),
        ({"patience": 1}, [NAN, 1, 2], 3),
        # the first start_from_epoch epochs do not count and set no reference
        ({"patience": 1, "start_from_epoch": 3}, [1, 2, 3, 4, 4], 5),
        ({"patience": 2, "start_from_epoch": 3}, [1, 2, 3, 4, 3, 3, 3], 7),
        ({"patience": 0, "start_from_epoch": 1}, [1, NAN], 2),
        ({"patience": 0, "start_from_epoch": 10}, [1] * 10, None),
        # with a baseline only an improvement that beats it resets the wait; another one does not stop either
        ({"patience": 2, "baseline": 1.0}, [5, 4, 3, 2], None),
        ({"patience": 2, "baseline": 1.0}, [5, 4, 3, 3], 4),
        ({"patience": 2, "baseline": 1.0}, [5, 0.5, 0.6, 0.4, 0.7, 0.6], 6),
        ({"patience": 2, "baseline": 1.0}, [1.0, 1.0], 2),  # a tie with the baseline does not beat it
        ({"patience": 2, "baseline": 0.5, "larger_is_better": True}, [0.1, 0.6, 0.5, 0.5], 4),
    ],
)
def test_stops_when_patience_runs_out(settings, values, stopped):
    assert stopped_epoch(early_stopping(**settings), values) == stopped


def test_wait_counts_the_epochs_without_an_improvement():
    policy = early_stopping(patience=10, start_from_epoch=1)
    waits = []
    for epoch, value in enumerate([1, 5, 5, NAN, 4, 6], 1):
        policy.observe(epoch, np.array([value]))
        waits.append(int(policy.wait[0]))
    assert waits == [0, 0, 1, 2, 0, 1]


# --- members

VALUES = st.sampled_from([NAN, INF, -INF, *np.arange(-2, 3, 0.25)])
STOPPING = st.fixed_dictionaries(
    {
        "patience": st.sampled_from([0, 1, 2, 5, INF]),
        "min_delta": st.sampled_from([0.0, 0.25, 1.0]),
        "start_from_epoch": st.integers(0, 4),
        "baseline": st.sampled_from([NAN, -1.0, 0.0, 1.0]),
        "larger_is_better": st.booleans(),
    }
)
PLATEAU = st.fixed_dictionaries(
    {
        "reduction": st.sampled_from([0.1, 0.5, 1.0]),
        "patience": st.sampled_from([0, 1, 2, 5, INF]),
        "min_delta": st.sampled_from([0.0, 0.25]),
        "cooldown": st.integers(0, 3),
        "floor": st.sampled_from([0.0, 0.2, 2.0]),
        "larger_is_better": st.booleans(),
    }
)


def together(policy, settings):
    return policy(**{key: np.array([one[key] for one in settings]) for key in settings[0]})


def stop_by_the_book(values, *, patience, min_delta, start_from_epoch, baseline, larger_is_better):
    """What is documented, in scalars: (improved, stop, best epoch, wait) of each epoch."""
    best, best_epoch, reference, wait = None, 0, None, 0
    for epoch, value in enumerate(values, 1):
        loss = -value if larger_is_better else value
        to_beat = -baseline if larger_is_better else baseline
        finite = math.isfinite(loss)
        improved = finite and (best is None or loss < best)
        if improved:
            best, best_epoch = loss, epoch
        stop = False
        if epoch > start_from_epoch:
            if finite and (reference is None or loss < reference - min_delta):
                reference = loss
                wait = 0 if math.isnan(baseline) or loss < to_beat else wait + 1
            else:
                wait += 1
                stop = wait >= patience and epoch != 1
        yield improved, stop, best_epoch, wait


@given(st.lists(st.tuples(STOPPING, st.lists(VALUES, min_size=12, max_size=12)), min_size=1, max_size=4))
def test_every_member_of_a_stack_is_stopped_as_documented(members):
    settings, values = zip(*members, strict=True)
    policy = together(EarlyStopping, settings)
    books = [list(stop_by_the_book(v, **s)) for s, v in members]
    for epoch, value_K in enumerate(np.array(values).T, 1):
        improved_K, _, stop_K, _ = policy.observe(epoch, value_K)
        observed = list(zip(improved_K, stop_K, policy.best_epoch, policy.wait, strict=True))
        assert observed == [book[epoch - 1] for book in books]


def reduce_by_the_book(values, *, reduction, patience, min_delta, cooldown, floor, larger_is_better):
    """Keras' steps in scalars: the factor after each epoch."""
    factor, best, wait, resting = 1.0, INF, 0, 0
    for value in values:
        loss = -value if larger_is_better else value
        if resting > 0:
            resting, wait = resting - 1, 0
        if math.isfinite(loss) and loss < best - min_delta:
            best, wait = loss, 0
        elif resting == 0:
            wait += 1
            if wait >= patience and factor > floor:
                factor, resting, wait = max(factor * reduction, floor), cooldown, 0
        yield factor


@given(st.lists(st.tuples(PLATEAU, st.lists(VALUES, min_size=12, max_size=12)), min_size=1, max_size=4))
def test_every_member_of_a_stack_is_slowed_down_as_in_keras(members):
    settings, values = zip(*members, strict=True)
    policy = together(Plateau, settings)
    books = [list(reduce_by_the_book(v, **s)) for s, v in members]
    for epoch, value_K in enumerate(np.array(values).T):
        policy.observe(value_K)
        assert policy.factor.tolist() == [book[epoch] for book in books]


@pytest.mark.parametrize("index", [np.array([2, 0]), np.array([True, False, True])])
def test_members_that_stay_keep_their_state(index):
    rng = np.random.default_rng(0)
    value_EK = rng.normal(size=(12, 3))
    stopping = together(
        EarlyStopping,
        [
            {
                "patience": p,
                "min_delta": 0.1,
                "start_from_epoch": p,
                "baseline": NAN,
                "larger_is_better": p > 1,
            }
            for p in range(3)
        ],
    )
    slowing = plateau(members=3)
    for epoch in range(6):
        stopping.observe(epoch + 1, value_EK[epoch])
        slowing.observe(value_EK[epoch])
    few, few_slowing = stopping.select(index), slowing.select(index)
    for epoch in range(6, 12):
        expected, decided = (
            stopping.observe(epoch + 1, value_EK[epoch]),
            few.observe(epoch + 1, value_EK[epoch, index]),
        )
        assert [part[index].tolist() for part in expected] == [part.tolist() for part in decided]
        slowing.observe(value_EK[epoch])
        few_slowing.observe(value_EK[epoch, index])
        assert few_slowing.factor.tolist() == slowing.factor[index].tolist()


# --- reduce_on_plateau


def factors(policy, values):
    seen = []
    for value in values:
        policy.observe(np.array([value]))
        seen.append(float(policy.factor[0]))
    return seen


@pytest.mark.parametrize(
    ("settings", "values", "expected"),
    [
        ({"patience": 2}, [1, 1, 1, 1, 1], [1, 1, 0.5, 0.5, 0.25]),
        ({"patience": 2}, [3, 2, 1, 1, 0.5, 0.5], [1] * 6),
        ({"patience": 0}, [1, 1, 1], [1, 0.5, 0.25]),
        ({"patience": 1}, [1, 1, 1], [1, 0.5, 0.25]),
        ({"patience": 2, "min_delta": 1.0}, [4, 3.5, 3], [1, 1, 0.5]),
        ({"patience": 2, "min_delta": 1.0}, [4, 3.5, 2.9], [1, 1, 1]),
        ({"patience": 1, "cooldown": 1}, [1, 1, 1, 1], [1, 0.5, 0.25, 0.125]),
        ({"patience": 1, "cooldown": 3}, [1, 1, 1, 1, 1], [1, 0.5, 0.5, 0.5, 0.25]),
        ({"patience": 1, "floor": 0.3}, [1, 1, 1, 1], [1, 0.5, 0.3, 0.3]),
        ({"patience": 1, "floor": 2.0}, [1, 1, 1], [1, 1, 1]),  # learning_rate begins below min_lr
        ({"patience": 2}, [1, NAN, INF, NAN, -INF], [1, 1, 0.5, 0.5, 0.25]),
        ({"patience": 2, "larger_is_better": True}, [1, 2, 3, 3, 2], [1, 1, 1, 1, 0.5]),
        ({"patience": 1, "reduction": 1.0}, [1, 1, 1], [1, 1, 1]),
    ],
)
def test_reduces_when_a_plateau_lasts(settings, values, expected):
    assert factors(plateau(**settings), values) == expected


def test_the_factor_applies_to_the_learning_rates_of_its_member():
    policy = plateau(patience=1, members=2)
    for value_K in ([1.0, 2.0], [1.0, 1.0]):
        policy.observe(np.array(value_K))
    rates_TK = np.array([[0.1, 0.1], [0.2, 0.4]])
    assert policy.apply(rates_TK).tolist() == [[0.05, 0.1], [0.1, 0.4]]
