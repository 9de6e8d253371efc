"""Folders on a network: locks that do not reach, caches, servers that are away. A mount is a machine."""

import json
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from command import TRAINRUN, Command, kill, sized
from nets import command
from shared_folder import Switch, is_supported, shared_folder
from test_races import starts

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not is_supported(), reason="the kernel has no FUSE (/dev/fuse)"),
]

SECONDS = 6.0  # of a lease: a busy machine may stop a process for a second or two
LOCKS = {
    "lease": {},  # the kind of file system is not known
    "refused": {"TRAINRUN_LOCKS": "flock"},
    "flock": {"TRAINRUN_LOCKS": "flock"},
}
FLOCK = {"lease": "local", "refused": "ENOLCK", "flock": "forward"}
ELSEWHERE = (
    "unshare",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)  # nothing is known of its processes


@contextmanager
def machines(
    place: Path, locks: str, *words: str, **options: float
) -> Iterator[list[tuple[Command, Switch]]]:
    """A command on two machines that share a folder of runs.

    Args:
        place: a folder.
        locks: what the shared folder does with flock.
        words: of the command line.
        options: of the mounts.
    """
    given = command(place, *words, save_seconds=0.05)
    variables = {**given.variables, **LOCKS[locks], "TRAINRUN_LEASE_SECONDS": str(SECONDS)}
    shared = given.folder / "shared"
    shared.mkdir()
    with ExitStack() as stack:
        found = []
        for name in ("first", "second"):
            folder = given.folder / name
            folder.mkdir()
            for config in given.folder.glob("*.yaml"):
                (folder / config.name).write_text(config.read_text())
            mount = shared_folder(shared, folder / "runs", flock=FLOCK[locks], **options)
            found.append((replace(given, folder=folder, variables=variables), stack.enter_context(mount)))
        yield found


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, warm):
    """What one process leaves."""
    mine = command(tmp_path_factory.mktemp("undisturbed"), "fit", "net.yaml", "--seeds", "2")
    assert mine.run(warm).code == 0
    return mine.left()


@pytest.mark.parametrize("locks", LOCKS)
def test_two_machines_want_the_same_runs(locks, undisturbed, place, table):
    row = table(f"two machines want the same runs: {locks}")
    for trial in range(sized(20, 1)):
        options = {"cache": random.choice([0.0, 1.0, 3.0]), "delay": random.choice([0.0, 0.002])}
        with (
            row.trial((trial, options)),
            machines(place, locks, "fit", "net.yaml", "--seeds", "2", **options) as two,
        ):
            started = []
            for mine, _ in two:
                started.append(mine.start(None, *ELSEWHERE))
                time.sleep(random.random() * random.choice([0.1, 3]))
            codes = [one.wait() for one in started]
            assert set(codes) <= {0, 5}, said(two)
            assert 0 in codes
            assert starts(two[0][0]) == [1, 1]
            row.same(left(two), undisturbed)


@pytest.mark.parametrize("locks", LOCKS)
def test_a_machine_fails(locks, undisturbed, place, table):
    """The other one goes on once the lease has run out; the server takes flock back at once."""
    row = table(f"a machine fails, another goes on: {locks}")
    for trial in range(sized(10, 1)):
        with row.trial(trial), machines(place, locks, "fit", "net.yaml", "--seeds", "2", cache=1.0) as two:
            first = two[0][0].start(None, *ELSEWHERE)
            wait_for(two, "last.ckpt", "result.json")
            time.sleep(random.random() * 0.2)
            kill(first.pid)
            first.wait()
            assert two[1][0].run(None, *ELSEWHERE).code == 0, said(two)
            row.same(left(two), undisturbed)


def test_a_machine_is_cut_off(undisturbed, place, table):
    """The first one cannot reach the folder, another takes its runs over, then it can again."""
    row = table("a machine cannot reach the folder and comes back")
    for trial in range(sized(10, 1)):
        with row.trial(trial), machines(place, "lease", "fit", "net.yaml", "--seeds", "2", cache=1.0) as two:
            (one, switch), (other, _) = two
            first = one.start(None, *ELSEWHERE)
            wait_for(two, "last.ckpt", "result.json")
            switch.away(random.choice(["EIO", "ESTALE", "ETIMEDOUT", "ENOTCONN"]))
            code = first.wait()
            switch.back()
            assert code in (74, 0), said(two)
            assert other.run(None, *ELSEWHERE).code == 0, said(two)
            row.same(left(two), undisturbed)


def test_a_machine_stands_still(undisturbed, place, table):
    """Longer than its lease: it must not write into what is another's by then."""
    row = table("a machine stands still, another takes over")
    for trial in range(sized(10, 1)):
        with row.trial(trial), machines(place, "lease", "fit", "net.yaml", "--seeds", "2", cache=1.0) as two:
            first = two[0][0].start(None, *ELSEWHERE)
            wait_for(two, "last.ckpt", "result.json")
            stop(first.pid, "-STOP")
            second = two[1][0].start(None, *ELSEWHERE)
            time.sleep(SECONDS + random.random() * 3)
            stop(first.pid, "-CONT")
            codes = first.wait(), second.wait()
            assert codes in ((75, 0), (0, 5), (0, 0)), said(two)
            row.same(left(two), undisturbed)


def test_a_quota_that_fills(undisturbed, place, table):
    row = table("a quota on a shared folder")
    for trial in range(sized(10, 1)):
        with row.trial(trial), machines(place, "lease", "fit", "net.yaml", "--seeds", "2") as two:
            (mine, switch), _ = two
            first = mine.start(None, *ELSEWHERE)
            wait_for(two, "last.ckpt", "result.json")
            switch.away("EDQUOT", for_changes=True)
            code = first.wait()
            switch.back()
            assert code in (74, 0), said(two)
            if code:
                assert "Disk quota exceeded" in (mine.folder / "stderr").read_text()
            assert two[1][0].run(None, *ELSEWHERE).code == 0, said(two)
            row.same(left(two), undisturbed)


@pytest.mark.parametrize("locks", LOCKS)
def test_a_result_that_is_not_seen_yet(locks, place, table):
    """The second machine has looked for the result before, and goes on believing that there is none."""
    row = table(f"a result that a cache hides: {locks}")
    with row.trial(), machines(place, locks, "fit", "small.yaml", cache=20.0) as two:
        (one, _), (other, _) = two
        assert one.run().code == 0, said(two)
        [result] = (one.folder.parent / "shared").rglob("result.json")
        there = other.runs / result.relative_to(one.folder.parent / "shared")
        content = result.read_bytes()
        result.unlink()
        assert not there.exists()
        result.write_bytes(content)
        assert not there.exists()  # the cache
        assert other.run().code == 0, said(two)
        assert starts(one) == [1]


def test_removing_a_run_with_open_files(place, table):
    row = table("removing runs where open files live on")
    with row.trial(), machines(place, "flock", "fit", "small.yaml", "--seeds", "2") as two:
        mine = two[0][0]
        assert mine.run().code == 0
        [group] = [path for path in mine.runs.iterdir() if path.is_dir()]
        with (group / "seed-0" / "log.txt").open():
            (group / "seed-0" / "log.txt").unlink()
            assert any(path.name.startswith(".nfs") for path in (group / "seed-0").iterdir())
            words = [TRAINRUN, "list", "--runs", str(mine.runs)]
            listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            assert "nfs" not in listed
        words = [TRAINRUN, "clean", group.name, "--yes", "--runs", str(mine.runs)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        assert not group.exists()


def wait_for(two: list[tuple[Command, Switch]], *names: str) -> None:
    """Wait until a run has one of these files."""
    behind = two[0][0].folder.parent / "shared"
    end = time.monotonic() + 300
    while not any(list(behind.rglob(name)) for name in names):
        assert time.monotonic() < end, said(two)
        time.sleep(0.02)


def stop(process: int, how: str) -> None:
    """Send a signal to a command, not to the tool in front of it."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                group = (folder / "stat").read_text().rpartition(")")[2].split()[2]
            except OSError:
                continue
            if group == str(process):
                subprocess.run(["kill", how, folder.name], check=False)


def left(two: list[tuple[Command, Switch]]) -> dict[str, bytes]:
    """Every file behind the mounts, but those that may differ; nothing hidden may be among them."""
    behind = two[0][0].folder.parent / "shared"
    return {
        str(path.relative_to(behind)): path.read_bytes()
        for path in behind.rglob("*")
        if path.is_file() and path.name != "events.jsonl"
    }


def said(two: list[tuple[Command, Switch]]) -> str:
    """What the commands have complained of."""
    complaints = [mine.folder / "stderr" for mine, _ in two]
    return json.dumps([path.read_text() for path in complaints if path.exists()])
