"""A fit that is stopped between any two steps and continued has the same bits as one that was not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from builders import CPU, After, blobs, config, ended, fingerprint, line, plan, run, stop_and_go
from trainrun.config import Config
from trainrun.data import Dataset
from trainrun.engine import epoch
from trainrun.engine.training import Pauses, train
from trainrun.events import Diverged, EpochEnded, Event, Paused, Snapshot
from trainrun.ingredients import optimizers

# 36 training rows: 5 steps an epoch, the last of them short.
BASE = {"hidden": [17, 9], "batch_size": 8, "epochs": 4, "early_stopping": False, "dropout": 0.3}


def assert_same(dataset: Dataset, members: Sequence[Config], stops: Sequence[int]) -> None:
    found, expected = stop_and_go(dataset, members, stops), run(dataset, *members)
    assert [fingerprint(events) for events in found] == [fingerprint(events) for events in expected]


@pytest.mark.parametrize("steps", range(20))
def test_stopped_after_any_step(steps):
    assert_same(blobs(), [config(**BASE, seed=seed) for seed in range(3)], [steps])


@pytest.mark.parametrize("name", optimizers)
def test_stopped_again_and_again_with_every_optimizer(name):
    keys = {"regularization": {"l1": 1e-3, "activity_l2": 1e-3}, "optimizer": name}
    assert_same(blobs(), [config(**BASE, **keys, seed=seed) for seed in range(2)], [3, 0, 1, 4, 7])


def test_stopped_while_members_leave_and_learning_rates_fall():
    keys = {"epochs": 25, "learning_rate": 0.03, "early_stopping": {"patience": 3, "min_delta": 0.02}}
    slower = {"schedule": {"name": "reduce_on_plateau", "patience": 1, "factor": 0.5, "cooldown": 1}}
    members = [config(**BASE | keys | slower, seed=seed) for seed in range(4)]
    lengths = {ended(events).epochs for events in run(blobs(), *members)}
    assert len(lengths) > 1
    assert_same(blobs(), members, [11] * 8)


def test_regression_and_metrics_are_continued():
    assert_same(line(), [config(**BASE, gradient_clip=0.5, seed=seed) for seed in range(2)], [7, 6])


def test_a_member_that_has_diverged_in_the_epoch_is_remembered():
    wild = config(**BASE, optimizer="sgd", learning_rate=1e30, seed=1)
    members = [config(**BASE, optimizer="sgd"), wild]
    for stop in (2, 3, 4):
        assert_same(blobs(), members, [stop])


LATE = {"name": "piecewise", "boundaries": ["12 steps"], "values": [0.01, 1e18]}


def late() -> Config:
    """A config that diverges in the middle of its third epoch."""
    keys = BASE | {"dropout": 0, "activation": "identity"}
    return config(**keys, optimizer="sgd", schedule=LATE)


def test_a_member_that_diverges_after_a_pause_in_the_epoch_is_told_with_its_step():
    (diverged,) = [event for event in run(blobs(), late())[0] if isinstance(event, Diverged)]
    assert diverged.step in (13, 14, 15)
    for stop in (11, 12):  # of the third epoch, one or two steps are done
        assert_same(blobs(), [late()], [stop])


def test_a_member_that_diverges_after_other_looks_in_the_epoch_is_told_with_its_step(monkeypatch):
    expected = fingerprint(run(blobs(), late())[0])
    monkeypatch.setattr(epoch, "_LOOK_SECONDS", 0.0)
    assert fingerprint(run(blobs(), late())[0]) == expected


def test_a_member_continues_alone():
    members = [config(**BASE, seed=seed) for seed in range(3)]
    snapshots = [
        event.snapshot
        for event in train(plan(blobs(), members), device=CPU, pauses=Pauses(After(8)))
        if isinstance(event, Paused)
    ]
    expected = run(blobs(), *members)
    for member, snapshot, whole in zip(members, snapshots, expected, strict=True):
        events = [*train(plan(blobs(), [member]), device=CPU, snapshots=[snapshot])]
        rest = [event for event in whole if not isinstance(event, EpochEnded) or event.epoch > 1]
        assert fingerprint(events) == fingerprint([replace(event, member=0) for event in rest])


def test_telling_the_state_before_every_step_changes_nothing():
    members = [config(**BASE, seed=seed) for seed in range(2)]
    told: list[list[Event]] = [[] for _ in members]
    pauses = 0
    for event in train(plan(blobs(), members), device=CPU, pauses=Pauses(every=0.0)):
        pauses += isinstance(event, Paused)
        if not isinstance(event, Paused):
            told[event.member].append(event)
    assert pauses == 2 * 4 * 5  # members, epochs, steps
    assert [fingerprint(e) for e in told] == [fingerprint(e) for e in run(blobs(), *members)]


# Best in epoch 20, stopped in epoch 32, the learning rate lowered twice between; in the first of these
# pauses the plateau policy rests, in the second it counts.
PLATEAU = config(
    **BASE
    | {
        "epochs": 40,
        "learning_rate": 0.03,
        "early_stopping": {"patience": 12, "min_delta": 0.01},
        "schedule": {"name": "reduce_on_plateau", "patience": 2, "factor": 0.5, "cooldown": 3},
        "regularization": {"activity_l2": 1e-3},
        "initializer": "he_normal",
    }
)
PLATEAU_PAUSES = (23 * 5 + 2, 25 * 5 + 2)
UNTOUCHED = {"bad_step", "quantity", "layer"}  # of members that diverged, tested above


def plateau_snapshot(steps: int) -> Snapshot:
    stream = train(plan(blobs(), [PLATEAU]), device=CPU, pauses=Pauses(After(steps)))
    (paused,) = [event for event in stream if isinstance(event, Paused)]
    return paused.snapshot


def parts_of_the_state() -> Iterator[tuple[str, ...]]:
    """Each place in a snapshot that holds something."""
    snapshot = plateau_snapshot(PLATEAU_PAUSES[0])
    yield from (("arrays", name) for name in snapshot.arrays)
    for name, fact in snapshot.facts.items():
        if isinstance(fact, dict):
            yield from (("facts", name, key) for key in fact if key not in UNTOUCHED)
        else:
            yield "facts", name


@pytest.mark.parametrize("place", list(parts_of_the_state()), ids="-".join)
def test_no_part_of_the_state_can_be_left_out(place):
    assert any(is_noticed(plateau_snapshot(steps), place) for steps in PLATEAU_PAUSES)


def is_noticed(snapshot: Snapshot, place: tuple[str, ...]) -> bool:
    whole = [*train(plan(blobs(), [PLATEAU]), device=CPU, snapshots=[snapshot])]
    try:
        spoilt = [*train(plan(blobs(), [PLATEAU]), device=CPU, snapshots=[without(snapshot, place)])]
    except (IndexError, RuntimeError, ValueError):
        return True
    return fingerprint(spoilt) != fingerprint(whole)


def without(snapshot: Snapshot, place: tuple[str, ...]) -> Snapshot:
    """The snapshot with one thing as a new fit would have it."""
    start = {"best": np.inf, "reference": np.inf, "factor": 1.0, "epoch": 1}
    kind, name, *key = place
    if kind == "arrays":
        zeros = np.zeros_like(snapshot.arrays[name])
        return Snapshot(snapshot.facts, {**snapshot.arrays, name: zeros})
    facts = {**snapshot.facts}
    facts[name] = {**facts[name], key[0]: start.get(key[0], 0)} if key else start.get(name, 0)
    return Snapshot(facts, snapshot.arrays)
