"""Killed at random times, again and again; the same command then ends as if nothing had been."""

import random
import time

import pytest

from command import kill, sized
from nets import command

pytestmark = pytest.mark.faults

COMMANDS = {
    "one run": ("fit", "net.yaml"),
    "three members of a stack": ("fit", "net.yaml", "--seeds", "3"),
    "forked parts": ("fit", "wide.yaml", "--seeds", "4"),
    "compare": ("compare", "net.yaml", "other.yaml", "--seeds", "2"),
}


@pytest.fixture(scope="session", params=COMMANDS)
def undisturbed(request, tmp_path_factory, warm):
    """What a kind of command leaves, and how long it takes, from the interpreter's start and forked."""
    seconds = {}
    for by in (None, warm):
        mine = command(tmp_path_factory.mktemp("undisturbed"), *COMMANDS[request.param])
        begun = time.monotonic()
        assert mine.run(by).code == 0
        seconds[by] = time.monotonic() - begun
    return request.param, mine.left(), seconds


@pytest.mark.parametrize("trial", range(sized(50, 6)))
def test_killed_at_random_times(trial, undisturbed, warm, place, table):
    """Half of them have imported everything before, and so are killed where it matters."""
    kind, expected, seconds = undisturbed
    row = table(f"kill -9 at random times, 1 to 5 in a row: {kind}")
    chance = random.Random(f"{kind} {trial}")
    mine, by = command(place, *COMMANDS[kind]), warm if trial % 2 else None
    with row.trial():
        for _ in range(1 + trial // 2 % 5):
            started = mine.start(by)
            time.sleep(chance.uniform(0, seconds[by]))
            kill(started.pid, group=chance.random() < 0.7)
            started.wait()
        assert mine.run(by).code == 0
        row.same(mine.left(), expected)
