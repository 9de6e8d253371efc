"""A member has the same bits alone and in any stack, on one thread and on two, and each time."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from multiprocessing import active_children

import pytest

from builders import CPU, blobs, config, ended, epochs, fingerprint, line, run
from trainrun.engine.training import Pauses
from trainrun.engine.workers import Slice, train_parts
from trainrun.errors import ResourceError
from trainrun.ingredients import activations, optimizers
from trainrun.plan import Cell, make_plan, part_plans

BASE = {"hidden": [17, 9], "batch_size": 8, "epochs": 2, "early_stopping": False, "dropout": 0.3}
THREADS = (1, 2, 8)


def seeds(count: int, **keys: object) -> list:
    return [config(**BASE | keys, seed=seed) for seed in range(count)]


def assert_alone_as_in_stack(dataset, members, *, checked=(0, -1), threads=THREADS):
    together = run(dataset, *members)
    for place in checked:
        for count in threads:
            (alone,) = run(dataset, members[place], threads=count)
            assert fingerprint(alone) == fingerprint(together[place])


def test_a_second_training_gives_the_same_bits():
    first, second = (run(blobs(), *seeds(3)) for _ in range(2))
    assert [fingerprint(events) for events in first] == [fingerprint(events) for events in second]
    assert fingerprint(first[0]) != fingerprint(first[1])


@pytest.mark.parametrize("name", activations)
def test_every_activation(name):
    assert_alone_as_in_stack(blobs(), seeds(5, activation=name))


@pytest.mark.parametrize("name", optimizers)
def test_every_optimizer(name):
    assert_alone_as_in_stack(blobs(), seeds(5, optimizer=name, gradient_clip=0.5))


@pytest.mark.parametrize("hidden", [[], [1], [2], [1, 1], [3, 1, 2], [65, 33], [129]])
@pytest.mark.parametrize("dataset", [blobs(features=1, classes=2), blobs(rows=61, features=7), line(rows=62)])
def test_every_width_with_odd_rows(hidden, dataset):
    assert_alone_as_in_stack(dataset, seeds(5, hidden=hidden, batch_size=7, activation="sigmoid"))


@pytest.mark.parametrize("batch_size", [1, 2, 5, 35, 36, 500])
@pytest.mark.parametrize("dataset", [blobs(), line()])
def test_every_batch_size(batch_size, dataset):
    assert_alone_as_in_stack(dataset, seeds(3, batch_size=batch_size, activation="tanh"))


@pytest.mark.parametrize("count", [2, 5, 40])
def test_every_stack_size(count):
    assert_alone_as_in_stack(blobs(), seeds(count, epochs=1))


def test_large_products_on_one_and_two_threads():
    """Wide enough that a library would split sums over threads (an inner dimension of 784 and more)."""
    dataset = blobs(rows=200, features=784)
    members = seeds(3, hidden=[256, 130], batch_size=100, gradient_clip=1.0, activation="mish")
    assert_alone_as_in_stack(dataset, members)


def test_members_that_differ_in_everything_a_stack_allows():
    members = [
        config(**BASE | {"dropout": 0.0}, seed=4),
        config(**BASE | {"epochs": 5}, seed=4, learning_rate=0.03, schedule="cosine", gradient_clip=0.1),
        config(
            **BASE | {"dropout": {"input": 0.2, "hidden": 0.6}},
            initializer="xavier_uniform",
            warmup="3 steps",
        ),
        config(
            **BASE | {"early_stopping": {"patience": 1, "monitor": "val_accuracy"}, "epochs": 7},
            regularization={"l1": 1e-3, "l2": 1e-3, "activity_l2": 0.1, "weight_decay": 0.01},
        ),
        config(**BASE, regularization={"l1": 1e-2, "l1_method": "subgradient", "activity_l1": 0.01}),
        config(
            **BASE | {"epochs": 6}, schedule={"name": "reduce_on_plateau", "patience": 1}, learning_rate=0.1
        ),
    ]
    assert_alone_as_in_stack(blobs(), members, checked=range(len(members)), threads=(1,))


def test_a_diverging_member_leaves_its_neighbours_alone():
    sound = config(**BASE | {"epochs": 4})
    wild = config(**BASE | {"epochs": 4}, learning_rate=1e30, optimizer="sgd", activation="identity")
    calm = config(**BASE | {"epochs": 4}, optimizer="sgd", activation="identity")
    assert_alone_as_in_stack(blobs(), [calm, wild, calm], checked=(0, 1, 2), threads=(1,))
    assert ended(run(blobs(), sound)[0]).status == "complete"


def test_members_that_stop_leave_the_others_alone():
    keys = {"epochs": 30, "learning_rate": 0.02, "early_stopping": 2, "dropout": 0.0}
    members = seeds(6, **keys)
    lengths = [len(epochs(events)) for events in run(blobs(), *members)]
    assert len(set(lengths)) > 2  # they do stop at different epochs
    assert_alone_as_in_stack(blobs(), members, checked=range(6), threads=(1,))


def side_by_side(plans):
    return [[Slice(plan)] for plan in plans]


def told(events):
    """The events of each member."""
    by_member: dict[int, list[object]] = {}
    for event in events:
        by_member.setdefault(event.member, []).append(event)
    return [by_member[member] for member in sorted(by_member)]


HERE = {"device": CPU, "threads": 1}


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_parts_of_a_stack_side_by_side(parts):
    members, dataset = seeds(5, epochs=3), blobs()
    plans = part_plans([Cell(member, dataset) for member in members], parts)
    events = told(train_parts(side_by_side(plans), **HERE))
    assert [fingerprint(one) for one in events] == [fingerprint(one) for one in run(dataset, *members)]


@pytest.mark.parametrize("parts", [1, 2])
def test_slices_to_an_epoch_and_on_from_there(parts):
    """Stacks of two shapes in turn, each up to an epoch; then their members in other slices."""
    dataset = blobs()
    members = [*seeds(3, epochs=5), *seeds(2, epochs=3, hidden=[7])]
    cells = [Cell(member, dataset) for member in members]
    slices = [Slice(make_plan(cells[:3])), Slice(make_plan(cells[3:]))]
    first = told(
        train_parts(
            [slices] if parts == 1 else [[one] for one in slices], pauses=Pauses(last_epoch=2), **HERE
        )
    )
    states = [events[-1].snapshot for events in first]
    assert [state.facts["epoch"] for state in states] == [3] * 5
    alone = [Slice(make_plan([cell]), [state]) for cell, state in zip(cells, states, strict=True)]
    second = told(train_parts([alone] if parts == 1 else [alone[:2], alone[2:]], **HERE))
    whole = [events[:-1] + more[1:] for events, more in zip(first, second, strict=True)]
    expected = [*run(dataset, *members[:3]), *run(dataset, *members[3:])]
    assert [fingerprint(events) for events in whole] == [fingerprint(events) for events in expected]


def test_what_breaks_a_part_is_raised_where_the_events_are_read():
    dataset = blobs()
    plans = part_plans([Cell(member, dataset) for member in seeds(4)], 2)
    broken = replace(plans[1], objective=replace(plans[1].objective, report=None))
    with pytest.raises(TypeError, match="not callable"):
        list(train_parts(side_by_side([plans[0], broken]), **HERE))


def test_a_reader_may_leave_while_parts_train():
    dataset = blobs()
    plans = part_plans([Cell(m, dataset) for m in seeds(4, epochs=10**6)], 2)
    events = train_parts(side_by_side(plans), **HERE)
    assert [next(events).member for _ in range(4)] == [0, 1, 2, 3]
    next(events)
    events.close()


def test_a_part_that_the_system_ends_is_said_to_be_so():
    dataset = blobs()
    plans = part_plans([Cell(m, dataset) for m in seeds(4, epochs=10**6)], 2)
    events = train_parts(side_by_side(plans), **HERE)
    next(events)
    active_children()[0].kill()
    with pytest.raises(ResourceError, match=r"a process that trained 2 runs was ended by the system"):
        list(events)
    assert not active_children()


def test_a_part_that_is_ended_in_the_middle_of_an_event_is_said_to_be_so():
    """It waits for room in its pipe: what it tells at every step is longer than the pipe."""
    dataset = blobs()
    plans = part_plans([Cell(m, dataset) for m in seeds(4, epochs=10**6, hidden=[300, 300])], 2)
    events = train_parts(side_by_side(plans), **HERE, pauses=Pauses(every=0))
    next(events)
    time.sleep(1)
    active_children()[0].kill()
    with pytest.raises(ResourceError, match=r"a process that trained 2 runs was ended by the system"):
        list(events)


def test_parts_end_soon_after_who_reads_them_was_killed():
    """Also one that waits for room in its pipe, which takes a state at every step."""
    dataset, (told, tell) = blobs(), os.pipe()
    reader = os.fork()
    if reader == 0:
        plans = part_plans([Cell(m, dataset) for m in seeds(4, epochs=10**6, hidden=[200])], 2)
        events = train_parts(side_by_side(plans), **HERE, pauses=Pauses(every=0.0))
        next(events)
        os.write(tell, " ".join(str(part.pid) for part in active_children()).encode())
        time.sleep(600)
    parts = [int(word) for word in os.read(told, 100).split()]
    time.sleep(0.5)  # the pipes fill
    os.kill(reader, signal.SIGKILL)
    os.waitpid(reader, 0)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(is_alive, parts)):
        time.sleep(0.01)
    left = [part for part in parts if is_alive(part)]
    for part in left:
        os.kill(part, signal.SIGKILL)
    assert left == []


def is_alive(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False
