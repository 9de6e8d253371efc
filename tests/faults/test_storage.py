"""Disks that are full, files that may not grow, folders nobody may write to: a line, a code, nothing lost."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from command import Ended, sized
from nets import command

pytestmark = pytest.mark.faults

PAGE = 4096
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")  # root, whom permissions bind
FITS = {
    "one run": ("fit", "small.yaml"),
    "eight members": ("fit", "small.yaml", "--seeds", "8"),
    "forked parts": ("fit", "wide.yaml", "--seeds", "4"),
    "compare": ("compare", "small.yaml", "--vs", "learning_rate=0.01", "--seeds", "3"),
}
ROOM = {"one run": 40, "eight members": 260, "forked parts": 3000, "compare": 220}  # pages that a fit fills


@contextmanager
def filesystem(folder: Path, options: str) -> Iterator[None]:
    """A small file system at a folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def complaint(ended: Ended, place: Path) -> str:
    """What a command has complained of: a line for each run, with its place, and no traceback."""
    lines = ended.stderr.splitlines()
    assert lines
    assert all(str(place) in line and len(line) < 500 for line in lines if "trained" not in line), (
        ended.stderr
    )
    return ended.stderr


@pytest.mark.parametrize("kind", FITS)
def test_a_full_disk(kind, warm, place, table):
    """Of every size up to what is needed; then there is room again."""
    row = table(f"a full disk: {kind}")
    often = 0.05 if kind == "forked parts" else 0
    whole = command(place, *FITS[kind], save_seconds=often)
    assert whole.run(warm).code == 0
    count = sized(24, 2)
    for pages in sorted({1 + n * ROOM[kind] // count for n in range(count)}):
        mine = command(place, *FITS[kind], save_seconds=often)
        with row.trial(f"{pages} pages"), filesystem(mine.runs, f"size={pages * PAGE}"):
            ended = mine.run(warm)
            assert ended.code in (74, 73, 0), ended
            if ended.code:
                complaint(ended, mine.runs)
            subprocess.run(["mount", "-o", "remount,size=100m", mine.runs], check=True)
            assert mine.run(warm).code == 0
            row.same(mine.left(), whole.left())


@pytest.mark.parametrize("kind", ["one run", "eight members"])
def test_no_room_for_another_file(kind, warm, place, table):
    row = table(f"a disk without room for another file: {kind}")
    whole = command(place, *FITS[kind], save_seconds=0)
    assert whole.run(warm).code == 0
    count = 14 if kind == "one run" else 70
    for files in range(2, count, 1 if kind == "one run" else sized(4, 30)):
        mine = command(place, *FITS[kind], save_seconds=0)
        with row.trial(f"{files} files"), filesystem(mine.runs, f"nr_inodes={files}"):
            ended = mine.run(warm)
            assert ended.code in (74, 0), ended
            if ended.code:
                complaint(ended, mine.runs)
            subprocess.run(["mount", "-o", "remount,nr_inodes=10000", mine.runs], check=True)
            assert mine.run(warm).code == 0
            row.same(mine.left(), whole.left())


def test_files_may_not_grow(small, warm, place, table):
    """Each write over the limit is cut short, and the next fails."""
    row = table("a limit on the size of files (short writes)")
    for size in range(0, 2600, sized(50, 700)):
        mine = command(place, "fit", "small.yaml", save_seconds=0)
        with row.trial(f"{size} bytes"):
            forked = mine.fork(warm)
            subprocess.run(["prlimit", "--pid", str(forked.pid), f"--fsize={size}"], check=True)
            forked.let_go()
            assert forked.wait() in (73, 74, 0)  # 73: not even the lock
            assert "Traceback" not in (mine.folder / "stderr").read_text()
            assert mine.run(warm).code == 0
            row.same(mine.left(), small)


@contextmanager
def immutable(folder: Path) -> Iterator[None]:
    """A folder that not even root may write to."""
    subprocess.run(["chattr", "+i", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", folder], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def foreign(folder: Path) -> Iterator[None]:
    """A folder of another user's."""
    os.chown(folder, 65534, 65534)
    yield
    os.chown(folder, 0, 0)


@pytest.mark.parametrize("barrier", [immutable, read_only, foreign])
@pytest.mark.parametrize("depth", ["runs", "group", "run"])
def test_a_folder_that_may_not_be_written(barrier, depth, small, interrupted, place, table):
    row = table("a run directory that may not be written: 73 before training")
    mine = command(place, "fit", "small.yaml", save_seconds=0)
    group = mine.runs / next(interrupted.iterdir()).name
    folder = {"runs": mine.runs, "group": group, "run": group / "seed-0"}[depth]
    folder.mkdir(parents=True)
    with row.trial(f"{barrier.__name__} {depth}"):
        with barrier(folder):
            ended = mine.run(None, *UNPRIVILEGED)
            assert (ended.code, ended.stdout) == (73, ""), ended
            complaint(ended, mine.runs)
        assert mine.run().code == 0
        row.same(mine.left(), small)
