"""Many processes at once: one trains a run, the others leave at once; different runs are in nobody's way."""

import json

import pytest

from command import Command, sized
from nets import command
from warm import Warm

pytestmark = pytest.mark.faults

RACERS = 8
NEIGHBOURS = 32
# Two that want some of the same runs, in another order.
OVERLAPPING = (
    ("fit", "net.yaml", "other.yaml", "--seeds", "2"),
    ("fit", "other.yaml", "net.yaml", "--seeds", "3"),
)


def race(commands: list[Command], warm: Warm) -> list[int]:
    """Start all at the same moment; their exit codes."""
    forked = [mine.fork(warm) for mine in commands]
    for one in forked:
        one.let_go()
    return [one.wait() for one in forked]


def starts(mine: Command) -> list[int]:
    """How often each run was begun."""
    journals = [path.read_text().splitlines() for path in mine.runs.rglob("events.jsonl")]
    return [sum(json.loads(line)["event"] == "start" for line in lines) for lines in journals]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, warm):
    """What one process leaves."""
    mine = command(tmp_path_factory.mktemp("undisturbed"), "fit", "small.yaml")
    assert mine.run(warm).code == 0
    return mine.left()


@pytest.mark.parametrize("options", [(), ("--fresh",)])
@pytest.mark.parametrize("part", range(5))
def test_the_same_run(part, options, warm, undisturbed, place, table):
    row = table(f"{RACERS} processes start the same run: {' '.join(options) or 'fit'}")
    for trial in range(sized(10, 1)):
        with row.trial(trial):
            mine = command(place, "fit", "small.yaml", *options, save_seconds=0)
            codes = race([mine] * RACERS, warm)
            assert set(codes) <= {0, 5}
            assert 0 in codes
            assert starts(mine) == [1]
            row.same(mine.left(), undisturbed)


def test_cold_starts_of_the_same_run(undisturbed, place, table):
    row = table(f"{RACERS} processes start the same run, with their imports")
    for trial in range(sized(10, 1)):
        with row.trial(trial):
            mine = command(place, "fit", "small.yaml", save_seconds=0)
            started = [mine.start() for _ in range(RACERS)]
            codes = [one.wait() for one in started]
            assert set(codes) <= {0, 5}
            assert 0 in codes
            assert starts(mine) == [1]
            row.same(mine.left(), undisturbed)


def test_some_of_the_same_runs(warm, place, table):
    row = table("two commands want some of the same runs")
    alone = command(place, *OVERLAPPING[1])
    assert alone.run(warm).code == 0
    for trial in range(sized(20, 2)):
        with row.trial(trial):
            mine = command(place)
            codes = race([Command(mine.folder, words, mine.variables) for words in OVERLAPPING], warm)
            assert set(codes) <= {0, 5}
            assert set(starts(mine)) == {1}
            again = Command(mine.folder, OVERLAPPING[1], mine.variables)
            assert again.run(warm).code == 0
            row.same(mine.left(), alone.left())


def test_neighbours(warm, place, table):
    row = table(f"{NEIGHBOURS} different runs in one folder of runs")
    together = command(place, "fit", "small.yaml", "--seeds", str(NEIGHBOURS))
    assert together.run(warm).code == 0
    for trial in range(sized(5, 1)):
        with row.trial(trial):
            mine = command(place)
            seeds = [("fit", "small.yaml", "--set", f"seed={seed}") for seed in range(NEIGHBOURS)]
            codes = race([Command(mine.folder, words, mine.variables) for words in seeds], warm)
            assert set(codes) == {0}
            row.same(mine.left(), together.left())
