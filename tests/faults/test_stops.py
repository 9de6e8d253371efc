"""Asked to stop at any moment: saved and left with 75 at once, and continued to the same files."""

import os
import random
import signal
import time
from dataclasses import replace

import pytest

from command import sized
from nets import command

pytestmark = pytest.mark.faults

TERM, INT, USR1, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP
LONGEST = 2.0  # seconds, of 99 in 100
# Before the handlers are there, a signal ends the process as any other; after the last step, it is too late.
BEFORE_OR_AFTER = {0, -TERM}


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """What a fit leaves, and how long it takes."""
    mine = command(tmp_path_factory.mktemp("undisturbed"), "fit", "net.yaml")
    begun = time.monotonic()
    assert mine.run().code == 0
    return mine.left(), time.monotonic() - begun


def test_asked_to_stop_at_random_moments(undisturbed, place, table):
    """From the interpreter's start on: while it imports, reads, trains, validates, saves and ends."""
    expected, seconds = undisturbed
    row = table("SIGTERM at a random moment")
    chance, took = random.Random(0), []
    for trial in range(sized(50, 4)):
        with row.trial(trial):
            mine = command(place, "fit", "net.yaml")
            started = mine.start()
            time.sleep(chance.uniform(0, seconds))
            asked = time.monotonic()
            os.kill(started.pid, TERM)
            code = started.wait()
            took.append(time.monotonic() - asked)
            assert code in {75} | BEFORE_OR_AFTER
            assert mine.run().code == 0
            row.same(mine.left(), expected)
    took.sort()
    print(f"SIGTERM to exit: median {took[len(took) // 2]:.2f} s, longest {took[-1]:.2f} s")
    # Where other things run too, all takes longer: an undisturbed fit takes two to three seconds.
    assert took[int(0.99 * len(took))] < max(LONGEST, seconds / 2)


@pytest.mark.parametrize(
    ("first", "second", "codes"),
    [
        (TERM, TERM, {75, 0}),
        (USR1, TERM, {75, 0}),
        (HUP, INT, {75, 0}),
        (INT, TERM, {-INT, 0}),
        (INT, INT, {-INT, 0}),
    ],
)
def test_two_signals_one_after_the_other(first, second, codes, warm, undisturbed, place, table):
    row = table("two signals 1 to 50 ms apart")
    chance = random.Random(f"{first} {second}")
    for trial in range(sized(10, 2)):
        with row.trial(f"{first.name} {second.name} {trial}"):
            mine = command(place, "fit", "net.yaml")
            started = mine.start(warm)
            time.sleep(0.2 + chance.uniform(0, 0.5))
            for number in (first, second):
                os.kill(started.pid, number)
                time.sleep(chance.uniform(0.001, 0.05))
            assert started.wait() in codes
            assert mine.run(warm).code == 0
            row.same(mine.left(), undisturbed[0])


def test_halted_and_let_go_on(warm, undisturbed, place, table):
    row = table("SIGSTOP, then SIGCONT")
    for trial in range(sized(20, 2)):
        with row.trial(trial):
            mine = command(place, "fit", "net.yaml")
            started = mine.start(warm)
            for _ in range(3):
                time.sleep(0.1)
                os.kill(started.pid, signal.SIGSTOP)
                time.sleep(0.05)
                os.kill(started.pid, signal.SIGCONT)
            assert started.wait() == 0
            row.same(mine.left(), undisturbed[0])


@pytest.mark.parametrize(
    "arguments", [("fit", "wide.yaml", "--seeds", "4"), ("compare", "net.yaml", "other.yaml", "--seeds", "2")]
)
def test_a_time_limit(arguments, place, table):
    row = table("a time limit, again and again")
    expected = command(place, *arguments)
    assert expected.run().code == 0
    with row.trial(arguments):
        mine = command(place, *arguments)
        codes = [
            replace(mine, arguments=(*arguments, "--time-limit", f"{2 + n / 2}s")).run().code
            for n in range(3)
        ]
        assert set(codes) <= {75, 0}
        assert mine.run().code == 0
        row.same(mine.left(), expected.left())
