"""Damaged checkpoints: never taken for whole. The one before is taken, and said; the end is the same."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import Command, empty, sized
from nets import command

pytestmark = pytest.mark.faults

BLOCK = 512
PARTS = range(4)


def flip(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def overwrite(content: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(content))
    content[place] ^= chance.randrange(1, 256)


def cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def zero(content: bytearray, chance: random.Random) -> None:
    start = chance.randrange(0, len(content), BLOCK)
    stop = min(start + BLOCK, len(content))
    content[start:stop] = bytes(stop - start)


def lengthen(content: bytearray, chance: random.Random) -> None:
    content += chance.randbytes(chance.randrange(1, 100))


def swap(content: bytearray, chance: random.Random) -> None:
    """Two blocks that were written in each other's place."""
    first, second = content[:BLOCK], content[BLOCK : 2 * BLOCK]
    content[: 2 * BLOCK] = second + first


DAMAGES = (flip, overwrite, cut, zero, lengthen, swap)


def damage(path: Path, chance: random.Random) -> None:
    """Damage a file in one of many ways."""
    content = bytearray(path.read_bytes())
    chance.choice(DAMAGES)(content, chance)
    assert content != path.read_bytes()
    path.write_bytes(content)


@pytest.fixture
def trials(interrupted, place, request) -> Iterator[tuple[Command, Path]]:
    """Runs that were interrupted, one after another, and the directory of each."""

    def one_after_another() -> Iterator[tuple[Command, Path]]:
        while True:
            mine = command(place, "fit", "small.yaml", save_seconds=0)
            shutil.copytree(interrupted, mine.runs)
            (run,) = mine.runs.glob("*/seed-0")
            yield mine, run
            empty(place)

    return one_after_another()


@pytest.mark.parametrize("part", PARTS)
def test_the_last_one(part, trials, small, warm, table):
    row = table("a damaged checkpoint: the one before is taken, and said")
    for trial in range(sized(200, 6)):
        chance, (mine, run) = random.Random(f"{part} {trial}"), next(trials)
        damage(run / "last.ckpt", chance)
        with row.trial(trial):
            ended = mine.run(warm)
            assert (ended.code, ended.stderr) == (0, "")
            assert "last.ckpt " in ended.stdout, "silent"
            assert ": continuing from prev.ckpt\n" in ended.stdout
            row.same(mine.left(), small)


@pytest.mark.parametrize("part", PARTS)
def test_the_one_before(part, trials, small, warm, table):
    row = table("a damaged checkpoint before the last: nobody needs it")
    for trial in range(sized(25, 1)):
        chance, (mine, run) = random.Random(f"{part} {trial}"), next(trials)
        damage(run / "prev.ckpt", chance)
        with row.trial(trial):
            assert mine.run(warm).code == 0
            row.same(mine.left(), small)


@pytest.mark.parametrize("part", PARTS)
def test_both(part, trials, small, warm, table):
    row = table("both checkpoints damaged: 6, everything left as it is; --fresh starts over")
    for trial in range(sized(75, 3)):
        chance, (mine, run) = random.Random(f"{part} {trial}"), next(trials)
        damage(run / "last.ckpt", chance)
        damage(run / "prev.ckpt", chance)
        before = {path.name: path.read_bytes() for path in run.glob("[a-z]*")}
        with row.trial(trial):
            ended = mine.run(warm)
            assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (6, "", 1)
            assert "--fresh starts over" in ended.stderr
            assert {path.name: path.read_bytes() for path in run.glob("[a-z]*")} == before
            assert Command(mine.folder, [*mine.arguments, "--fresh"], mine.variables).run(warm).code == 0
            row.same(mine.left(), small)


def test_none(trials, small, warm, table):
    row = table("no checkpoint: the run starts over")
    mine, run = next(trials)
    (run / "last.ckpt").unlink()
    (run / "prev.ckpt").unlink()
    with row.trial():
        assert mine.run(warm).code == 0
        row.same(mine.left(), small)
