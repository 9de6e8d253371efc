"""The fixed wording of the console and of log.txt."""

from dataclasses import replace

import pytest

from trainrun.events import Diverged, EpochEnded, FitEnded, FitStarted
from trainrun.runs.log_lines import LogLines
from trainrun.text import number

STARTED = FitStarted(member=0, epochs=30, parameters=9, monitor="val_loss", larger_is_better=False)
EPOCH = EpochEnded(
    member=0,
    epoch=1,
    step=36,
    learning_rate=0.01,
    train={"loss": 1.90214, "accuracy": 0.412},
    penalty=0.5,
    valid={"loss": 0.776094, "accuracy": 0.80111},
    monitored=0.776094,
    improved=True,
    kept=True,
    previous_best=float("inf"),
    best=0.776094,
    wait=0,
)
ENDED = FitEnded(
    member=0,
    status="complete",
    stopped_by="early_stopping",
    best_epoch=1,
    epochs=6,
    steps=216,
    parameters=9,
    zero_weights=0,
    train={"loss": 0.5},
    valid=None,
    test=None,
    confusion={},
    weights={},
)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.776094, 5, "0.77609"),
        (0.776094, 4, "0.7761"),
        (0.0, 5, "0.00000"),
        (-0.0, 4, "-0.0000"),
        (0.001, 5, "0.00100"),
        (0.000999, 5, "9.9900e-04"),
        (-0.000999, 4, "-9.9900e-04"),
        (99999.0, 4, "99999.0000"),
        (1e5, 4, "1.0000e+05"),
        (float("inf"), 5, "inf"),
        (float("-inf"), 5, "-inf"),
        (float("nan"), 4, "nan"),
    ],
)
def test_numbers(value, decimals, text):
    assert number(value, decimals) == text


def test_an_epoch_that_improved():
    assert LogLines(STARTED).lines(EPOCH) == [
        "Epoch 1/30 - loss: 1.9021 - accuracy: 0.4120 - val_loss: 0.77609 - val_accuracy: 0.8011"
        " - learning_rate: 1.000e-02",
        "Epoch 1: val_loss improved from inf to 0.77609, saving model to best.safetensors",
    ]


def test_an_epoch_that_did_not_improve():
    worse = replace(EPOCH, epoch=2, improved=False, kept=False, previous_best=0.776094, monitored=0.9, wait=1)
    assert LogLines(STARTED).lines(worse)[1] == "Epoch 2: val_loss did not improve from 0.77609"


def test_an_epoch_that_equals_the_best_and_is_kept():
    same = replace(EPOCH, epoch=2, improved=False, kept=True, previous_best=0.776094, wait=1)
    assert LogLines(STARTED).lines(same)[1] == (
        "Epoch 2: val_loss did not improve from 0.77609 but equals it, saving model to best.safetensors"
    )


def test_where_larger_is_better_the_start_is_minus_infinity():
    started = replace(STARTED, monitor="val_accuracy", larger_is_better=True)
    better = replace(EPOCH, monitored=0.80111, previous_best=float("-inf"), best=0.80111)
    epoch, message = LogLines(started).lines(better)
    assert "val_loss: 0.7761 - val_accuracy: 0.80111 - " in epoch
    assert message == "Epoch 1: val_accuracy improved from -inf to 0.80111, saving model to best.safetensors"


def test_without_a_validation_part_the_loss_is_monitored():
    alone = replace(EPOCH, valid=None, monitored=1.90214, best=1.90214)
    assert LogLines(replace(STARTED, monitor="loss")).lines(alone) == [
        "Epoch 1/30 - loss: 1.90214 - accuracy: 0.4120 - learning_rate: 1.000e-02",
        "Epoch 1: loss improved from inf to 1.90214, saving model to best.safetensors",
    ]


RESTORING = "Restoring model weights from the end of the best epoch: 1."


@pytest.mark.parametrize(
    ("stopped_by", "best_epoch", "lines"),
    [
        ("early_stopping", 1, ["Epoch 6: early stopping", RESTORING]),
        ("epochs", 1, [RESTORING]),
        ("non_finite", 1, [RESTORING]),
        ("non_finite", None, []),
        ("epochs", 0, []),
    ],
)
def test_endings(stopped_by, best_epoch, lines):
    ended = replace(ENDED, stopped_by=stopped_by, best_epoch=best_epoch)
    assert LogLines(STARTED).lines(ended) == lines


@pytest.mark.parametrize(
    ("step", "quantity", "layer", "what", "remedy"),
    [
        (217, "loss", None, "the loss", "a tenth of it"),
        (1, "loss", None, "the loss", "initializer"),
        (1, "weight", 3, "a weight of layer 3", "a tenth of it"),
        (9, "bias", None, "the bias", "a tenth of it"),
    ],
)
def test_a_divergence_says_where_and_what_to_try(step, quantity, layer, what, remedy):
    (line,) = LogLines(STARTED).lines(Diverged(0, 3, step, quantity, layer, learning_rate=10.0))
    start, _, advice = line.partition(": try ")
    assert start.startswith(
        f"Epoch 3: diverged at step {step}, {what} is not finite at learning_rate 1.000e+01: "
    )
    assert remedy in advice


def test_the_start_says_nothing():
    assert LogLines(STARTED).lines(STARTED) == []
