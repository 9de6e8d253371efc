"""What the engine promises besides its numbers: exact zeros, dropout, divergence, the best epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from builders import blobs, config, ended, epochs, line, plan, run, start_weights
from trainrun.engine.buffers import member_sum
from trainrun.events import Diverged

BASE = {"hidden": [8], "batch_size": 8, "epochs": 5, "early_stopping": False}


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "adagrad", "nadam"])
def test_proximal_l1_makes_exact_zeros_and_the_others_do_not(optimizer):
    keys = BASE | {"optimizer": optimizer, "learning_rate": 0.01, "epochs": 20}
    strong = {"l1": 0.05}
    proximal = config(**keys, regularization=strong)
    subgradient = config(**keys, regularization=strong | {"l1_method": "subgradient"})
    squares = config(**keys, regularization={"l2": 0.5, "weight_decay": 0.1})
    zeros = [ended(events).zero_weights for events in run(blobs(), proximal, subgradient, squares)]
    assert zeros[0] > 0
    assert zeros[1:] == [0, 0]


def test_proximal_sgd_step_is_a_soft_threshold():
    """One step from known weights: w - lr * g, then shrunk by lr * l1."""
    dataset = blobs()
    keys = {"hidden": [], "batch_size": 1000, "epochs": 1, "optimizer": "sgd", "learning_rate": 0.1}
    plain = ended(run(dataset, config(**keys))[0]).weights["0.weight"]
    shrunk = ended(run(dataset, config(**keys, regularization={"l1": 0.5}))[0]).weights["0.weight"]
    expected = np.sign(plain) * np.maximum(np.abs(plain) - 0.05, 0)
    np.testing.assert_allclose(shrunk, expected, atol=1e-7)
    assert (shrunk == 0).any()


def test_decoupled_weight_decay_spares_biases():
    dataset = blobs()
    keys = {"hidden": [], "batch_size": 1000, "epochs": 1, "optimizer": "sgd", "learning_rate": 0.1}
    keys["bias_initializer"] = {"name": "constant", "value": 1.0}
    plain = ended(run(dataset, config(**keys))[0]).weights
    decayed = ended(run(dataset, config(**keys, regularization={"weight_decay": 0.5}))[0]).weights
    start = start_weights(plan(dataset, [config(**keys)]))[0][0].T
    np.testing.assert_allclose(decayed["0.weight"], plain["0.weight"] - 0.05 * start, atol=1e-6)
    assert np.array_equal(decayed["0.bias"], plain["0.bias"])


def test_dropout_is_off_in_evaluation():
    """With weights that do not move, training values suffer from dropout and validation values do not."""
    keys = BASE | {"epochs": 1, "learning_rate": 1e-300}
    plain, dropped = (epochs(run(blobs(), config(**keys, dropout=rate))[0])[0] for rate in (0.0, 0.6))
    assert dropped.valid == plain.valid
    assert dropped.train["loss"] != plain.train["loss"]


def test_divergence_ends_a_member_at_the_exact_step_and_keeps_its_best():
    keys = BASE | {"epochs": 6, "optimizer": "sgd", "activation": "identity", "hidden": [8, 8]}
    schedule = {"name": "piecewise", "boundaries": ["12 steps"], "values": [0.01, 1e18]}
    events = run(blobs(), config(**keys, schedule=schedule))[0]
    (diverged,) = [event for event in events if isinstance(event, Diverged)]
    end = ended(events)
    assert (end.status, end.stopped_by) == ("diverged", "non_finite")
    assert diverged.learning_rate == 1e18
    assert 14 <= diverged.step == end.steps <= 20
    assert diverged.epoch == (diverged.step - 1) // 5 + 1
    assert end.epochs == len(epochs(events)) == diverged.epoch - 1
    assert all(np.isfinite(array).all() for array in end.weights.values())
    assert end.best_epoch >= 1
    assert np.isfinite(end.valid["loss"])


def test_without_a_finite_epoch_the_start_weights_are_kept():
    c = config(**BASE, optimizer="sgd", learning_rate=1e30)
    events = run(blobs(), c)[0]
    end = ended(events)
    assert end.best_epoch is None
    assert not epochs(events)
    start = start_weights(plan(blobs(), [c]))[0][0].T.astype(np.float32)
    assert np.array_equal(end.weights["0.weight"], start)


def test_no_epochs_evaluate_the_start_weights():
    events = run(blobs(), config(**BASE | {"epochs": 0}))[0]
    end = ended(events)
    assert (end.status, end.stopped_by, end.best_epoch, end.epochs, end.steps) == (
        "complete",
        "epochs",
        0,
        0,
        0,
    )
    assert end.test["loss"] > 0


def test_the_best_epoch_is_the_one_with_the_best_monitored_value():
    c = config(**BASE | {"epochs": 40, "learning_rate": 0.05})
    events = run(blobs(), c)[0]
    values = [event.valid["loss"] for event in epochs(events)]
    end = ended(events)
    assert end.best_epoch == int(np.argmin(values)) + 1 < len(values)
    assert end.valid["loss"] == min(values)
    assert [event.improved for event in epochs(events)] == [
        v < min([np.inf, *values[:i]]) for i, v in enumerate(values)
    ]


def test_early_stopping_counts_the_epochs_that_wait():
    c = config(**BASE | {"epochs": 200, "learning_rate": 0.05, "early_stopping": 3})
    events = run(blobs(), c)[0]
    end = ended(events)
    assert end.stopped_by == "early_stopping"
    assert end.epochs == end.best_epoch + 3 == len(epochs(events))
    assert epochs(events)[-1].wait == 3


def test_a_plateau_lowers_the_learning_rate_of_the_next_epoch():
    schedule = {"name": "reduce_on_plateau", "patience": 1, "factor": 0.1, "min_delta": 1e9}
    rates = [e.learning_rate for e in epochs(run(blobs(), config(**BASE, schedule=schedule))[0])]
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 1e-4, 1e-5, 1e-6])


def test_without_validation_the_training_loss_is_monitored():
    from dataclasses import replace

    dataset = replace(blobs(), valid=None)
    c = config(**BASE, data={"source": "digits", "split": {"valid": 0}})
    events = run(dataset, c)[0]
    assert all(event.valid is None and event.monitored == event.train["loss"] for event in epochs(events))
    assert ended(events).valid is None


def test_confusion_counts_every_row():
    end = ended(run(blobs(), config(**BASE))[0])
    assert end.confusion["test"].sum() == len(blobs().test.y)
    assert np.trace(end.confusion["test"]) == round(end.test["accuracy"] * len(blobs().test.y))
    assert ended(run(line(), config(**BASE))[0]).confusion == {}


def test_paired_configs_start_from_the_same_draws():
    he, lecun = (plan(blobs(), [config(**BASE, initializer=name)]) for name in ("he_normal", "lecun_normal"))
    np.testing.assert_allclose(start_weights(he)[0][0], start_weights(lecun)[0][0] * 2**0.5)


def test_parameters_are_counted_without_padding():
    assert ended(run(line(features=1), config(**BASE | {"hidden": [1]}))[0]).parameters == 4


@pytest.mark.parametrize("size", [256, 512, 256 * 300, 256 * 70_000])
def test_a_members_sum_is_the_sum_of_its_numbers(size):
    x = torch.rand(2, size, dtype=torch.float64)
    torch.testing.assert_close(member_sum(x), x.sum(1))


def test_no_metrics_means_the_loss_alone():
    (epoch,) = epochs(run(blobs(), config(**BASE | {"epochs": 1}, metrics=[]))[0])
    assert list(epoch.train) == list(epoch.valid) == ["loss"]
