"""A run's epochs, kept in its checkpoint to the bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from story import epoch
from trainrun.events import EpochEnded, FitStarted, Snapshot
from trainrun.runs.history import History

STARTED = FitStarted(member=3, epochs=9, parameters=6, monitor="val_loss", larger_is_better=False)
NAMES = st.lists(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), min_size=1, max_size=3, unique=True)


@st.composite
def epochs(draw: st.DrawFn) -> list[EpochEnded]:
    """Epochs with the same metrics and any numbers at all."""
    kinds = {"train": draw(NAMES), "valid": draw(st.none() | NAMES)}
    told = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        one = {
            name: draw(st.floats())
            for name in ("learning_rate", "penalty", "monitored", "previous_best", "best")
        }
        one |= {name: draw(st.integers(0, 2**50)) for name in ("step", "wait")}
        one |= {kind: names and {name: draw(st.floats()) for name in names} for kind, names in kinds.items()}
        improved, kept = draw(st.sampled_from([(False, False), (True, True), (False, True)]))
        told.append(EpochEnded(member=3, epoch=number, improved=improved, kept=kept, **one))
    return told


@given(epochs())
def test_every_number_comes_back(told):
    history = History(STARTED)
    for one in told:
        history.add(one)
    again = History.from_snapshot(history.to_snapshot())
    assert again.started == STARTED
    assert [repr(one) for one in again.epochs()] == [repr(one) for one in told]


def test_a_run_that_has_only_started_has_no_epochs():
    assert list(History.from_snapshot(History(STARTED).to_snapshot()).epochs()) == []


def test_a_history_that_goes_on_is_the_same_as_one_that_was_not_saved():
    whole, cut = History(STARTED), History(STARTED)
    for number in (1, 2, 3):
        whole.add(epoch(number, [0.5] * number))
        cut = History.from_snapshot(cut.to_snapshot())
        cut.add(epoch(number, [0.5] * number))
    assert list(cut.epochs()) == list(whole.epochs())


def test_an_epoch_takes_little_memory():
    history = History(STARTED)
    history.add(epoch(1, [0.5]))
    assert history.to_snapshot().arrays["epochs"].nbytes <= 13 * 8


def broken(**facts: object) -> Snapshot:
    history = History(STARTED)
    history.add(replace(epoch(1, [0.5]), valid=None))
    good = history.to_snapshot()
    return Snapshot({**good.facts, **facts}, good.arrays)


@pytest.mark.parametrize(
    ("snapshot", "message"),
    [
        (Snapshot({}, {}), "epochs"),
        (Snapshot({}, {"epochs": np.zeros((0, 9))}), "started"),
        (broken(started={}), "missing 5 required positional arguments"),
        (broken(train=1), "has no len"),
        (broken(train=["loss"]), "another width"),
        (Snapshot(broken().facts, {"epochs": np.zeros((1, 11), np.float32)}), "another width or kind"),
        (Snapshot(broken().facts, {"epochs": np.zeros(11)}), "another width"),
        (broken(train=["loss", "\x1b[31m"]), "names that no metric has"),
        (broken(started=vars(STARTED) | {"epochs": "9"}), "a start of another kind"),
    ],
)
def test_what_is_no_history(snapshot, message):
    with pytest.raises((ValueError, KeyError, TypeError), match=message):
        History.from_snapshot(snapshot)
