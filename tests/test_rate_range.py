"""The learning-rate range test: trials that are trainings of their own, and what is read from them."""

import math

import numpy as np
import pytest

from builders import config, ended, epochs, run
from trainrun import rate_range
from trainrun.data import load_data
from trainrun.errors import UsageError
from trainrun.rate_range import RateRange, Trial, find_range

DIVERGED = (math.inf, math.inf)


def range_of(losses, guess=2.0):
    """A range of learning rates 1, 10, 100, ... that have come to these losses."""
    trials = tuple(Trial(10.0**place, values) for place, values in enumerate(losses))
    return RateRange(config(), "val_loss", 100, guess, trials)


def rates(trials):
    return [trial.rate for trial in trials]


def test_a_trial_is_a_training_at_that_rate_alone():
    given = config(data="iris", schedule="cosine", warmup="10%", dropout=0.2, hidden=[8], seed=3)
    found = find_range(given, limits=(1e-3, 1e-1), seeds=2, steps=10)
    assert rates(found.trials) == [0.001, 0.0022, 0.0046, 0.01, 0.022, 0.046, 0.1]
    assert (found.measure, found.steps) == ("val_loss", 12)
    assert found.guess == pytest.approx(math.log(3))
    keys = {"data": "iris", "dropout": 0.2, "hidden": [8], "learning_rate": 0.022, "epochs": 4}
    data = load_data(given.data, 3)
    for place, seed in enumerate((3, 4)):
        (alone,) = run(data, config(seed=seed, **keys))
        assert found.trials[4].losses[place] == epochs(alone)[-1].valid["loss"]


def test_of_larger_data_only_as_many_rows_are_used_as_the_steps_take():
    found = find_range(config(batch_size=16), limits=(1e-3, 1e-2), seeds=1, steps=7)
    assert found.steps == 7


def test_without_a_validation_part_the_training_loss_is_compared():
    keys = {"data": {"source": "iris", "split": {"valid": 0}}, "early_stopping": False, "hidden": [8]}
    assert find_range(config(**keys), limits=(1e-3, 1e-2), seeds=1, steps=5).measure == "loss"


def test_a_rate_that_overflows_is_infinitely_bad():
    given = config(data="diabetes", optimizer="sgd", hidden=[8])
    found = find_range(given, limits=(1e-2, 1e30), seeds=2, steps=10)
    assert found.trials[-1].losses == DIVERGED
    assert found.learning
    assert found.learning[-1].rate < found.diverging.rate < 1e3


def test_members_that_do_not_fit_together_come_to_the_same(monkeypatch):
    def losses():
        found = find_range(config(data="iris", hidden=[8]), limits=(1e-3, 1e-2), seeds=2, steps=5)
        return [trial.losses for trial in found.trials]

    together = losses()
    monkeypatch.setattr(rate_range, "_STACK_BYTES", 1)
    assert losses() == together


@pytest.mark.parametrize(
    "limits", [(1e-2, 1e-3), (0, 1), (-1, 1), (1, 1), (math.nan, 1), (1, math.inf), (1, 1.79e308)]
)
def test_limits_that_are_none(limits):
    with pytest.raises(UsageError, match="must rise from above 0"):
        find_range(config(data="iris"), limits=limits, seeds=1, steps=1)


@pytest.mark.parametrize(
    ("losses", "learning", "best", "suggestion", "diverging"),
    [
        # too low, learns, best, learns, too high, diverges
        ([(2, 2), (1.5, 1.5), (0.5, 0.5), (1, 1), (2.1, 2.1), DIVERGED], [10, 100, 1000], 100, 100, 1e5),
        # one seed of a rate that does not learn is enough, and so is one that diverges
        ([(0.5, 0.5), (0.6, 2.5), (0.5, 5)], [1], 1, 1, 100),
        # as good as the best, to within a standard error
        ([(0.9, 0.9), (0.5, 0.5), (0.3, 0.6), (0.4, 0.42)], [1, 10, 100, 1000], 1000, 1000, None),
        ([(0.9, 0.9), (0.5, 0.5), (0.3, 0.6)], [1, 10, 100], 100, 10, None),
        # a range is one piece: what learns again beyond a gap is not part of it
        ([(0.5, 0.5), (2.5, 2.5), (0.6, 0.6)], [1], 1, 1, None),
        # below the best a gap is one seed's bad luck, and what lies under it learns as well
        ([(0.9, 0.9), (0.4, 3), (0.2, 0.2)], [1, 100], 100, 100, None),
        # nothing learns
        ([(2, 2), (1.995, 1.995), (4.5, 4.5)], [], None, None, 100),
        ([DIVERGED, DIVERGED], [], None, None, 1),
    ],
)
def test_what_is_read_from_trials(losses, learning, best, suggestion, diverging):
    found = range_of(losses)
    assert rates(found.learning) == learning
    for trial, expected in ((found.best, best), (found.suggestion, suggestion), (found.diverging, diverging)):
        assert (trial and trial.rate) == expected


def test_the_suggestion_trains_better_than_a_rate_that_is_too_low():
    keys = {"data": "digits", "hidden": [16], "optimizer": "sgd", "epochs": 4}
    low = config(**keys)
    found = find_range(low, limits=(1e-4, 10), seeds=2, steps=100)
    assert found.suggestion.rate > 10 * low.learning_rate
    suggested = config(**keys, learning_rate=found.suggestion.rate)
    before, after = (ended(one).valid["loss"] for one in run(load_data(low.data, 0), low, suggested))
    assert after < 0.3 * before


def test_a_trial_of_one_seed_has_no_error():
    assert (Trial(0.1, (2.0,)).error, Trial(0.1, (2.0,)).median) == (0, 2)
    assert Trial(0.1, (1.0, 2.0, 4.0)).error == pytest.approx(np.std([1, 2, 4], ddof=1) / 3**0.5)
