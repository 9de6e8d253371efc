"""The lock on a run's directory, held and fought for by real processes."""

import fcntl
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from trainrun.errors import ResourceError, RunBusyError, RunDirectoryError
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths

HOLD = """
import sys
from pathlib import Path
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths
lock = RunLock(RunPaths(Path(sys.argv[1])))
print("held", flush=True)
sys.stdin.read()
"""
FORK = """
import os, signal, sys
from pathlib import Path
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths
lock = RunLock(RunPaths(Path(sys.argv[1])))
print("held", flush=True)
if os.fork() == 0:
    print(os.getpid(), flush=True)
signal.pause()
"""
RACE = """
import sys
from pathlib import Path
from trainrun.errors import RunBusyError
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths
runs = [RunPaths(Path(sys.argv[1]) / f"seed-{seed}") for seed in range(30)]
print("ready", flush=True)
sys.stdin.readline()
for paths in runs:
    try:
        with RunLock(paths):
            if not paths.result.exists():
                with (paths.directory / "trained").open("a") as file:
                    file.write("x")
                paths.result.write_text("{}")
    except RunBusyError:
        pass
"""


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path / "net-0123abcd" / "seed-0")


@contextmanager
def holder(paths: RunPaths, script: str = HOLD, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    command = [sys.executable, "-c", script, str(paths.directory)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | environment, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()


def test_a_second_lock_is_refused_until_the_first_is_released(paths):
    with RunLock(paths), pytest.raises(RunBusyError, match=f"process {os.getpid()} on "):
        RunLock(paths)
    RunLock(paths).release()


def test_the_loser_is_told_who_holds_it_and_since_when(paths):
    with holder(paths, SLURM_JOB_ID="42", SLURM_ARRAY_TASK_ID="7") as process:
        told = rf"process {process.pid} on \S+ \(Slurm job 42, task 7\), since 20..-..-..T..:..:..\+00:00$"
        start = re.escape(str(paths.directory)) + ": another process is training this run: "
        with pytest.raises(RunBusyError, match=start + told) as caught:
            RunLock(paths)
        assert caught.value.exit_code == 5


def test_a_killed_holder_holds_nothing(paths):
    with holder(paths) as process:
        process.kill()
        process.wait()
        with RunLock(paths):
            assert json.loads(paths.lock.read_bytes())["pid"] == os.getpid()


def test_a_forked_process_does_not_keep_its_parents_lock(paths):
    with holder(paths, script=FORK) as process:
        child = int(process.stdout.readline())
        process.kill()
        process.wait()
        os.kill(child, 0)  # it lives on
        RunLock(paths).release()
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    "content",
    [b"", b'{"host": "a"', b"[]", b"null", b"\xff", b'{"host": 1}', b"[" * 4096, b'{"pid": 1}' * 1000],
)
def test_content_that_no_holder_writes_is_not_shown(paths, content):
    with RunLock(paths):
        paths.lock.write_bytes(content)
        with pytest.raises(RunBusyError, match=r"another process is training this run$"):
            RunLock(paths)


def test_hostile_content_is_escaped_and_cut(paths):
    with RunLock(paths):
        about = {"host": "\x1b[31m" * 100, "pid": "\u202e", "job": None, "task": None, "start": {"a": "\n"}}
        paths.lock.write_text(json.dumps(about))
        with pytest.raises(RunBusyError, match=r"process \\u202e on \\x1b") as caught:
            RunLock(paths)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < len(str(paths.directory)) + 250


def test_the_file_goes_with_the_result_alone(paths):
    RunLock(paths).release()
    assert paths.lock.exists()
    with RunLock(paths):
        paths.result.write_text("{}")
    assert not paths.lock.exists()


def test_a_lock_on_a_file_without_its_name_does_not_count(paths):
    paths.directory.mkdir(parents=True)
    descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    paths.lock.unlink()
    with RunLock(paths):
        assert paths.lock.stat().st_ino != os.fstat(descriptor).st_ino
    os.close(descriptor)


def test_a_file_that_loses_its_name_while_it_is_locked_is_locked_anew(paths, monkeypatch):
    original, locked = fcntl.flock, []

    def flock(descriptor, how):
        if not locked:  # the last holder removes the file between opening and locking
            paths.lock.unlink()
        locked.append(descriptor)
        original(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with RunLock(paths):
        assert len(locked) == 2
        assert json.loads(paths.lock.read_text())["pid"] == os.getpid()


def test_of_processes_that_race_for_runs_one_each_trains(tmp_path):
    command = [sys.executable, "-c", RACE, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        racers = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(4)]
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            racer.stdin.write("\n")
            racer.stdin.flush()
    assert [racer.returncode for racer in racers] == [0] * 4
    for seed in range(30):
        left = {path.name: path.read_text() for path in (tmp_path / f"seed-{seed}").iterdir()}
        assert left == {"trained": "x", "result.json": "{}"}


def test_a_link_is_not_followed(paths):
    paths.directory.mkdir(parents=True)
    paths.lock.symlink_to(paths.directory / "precious")
    with pytest.raises(RunDirectoryError, match=r"\.lock: cannot be locked: Too many levels"):
        RunLock(paths)
    assert not (paths.directory / "precious").exists()


def test_what_is_no_regular_file_is_not_locked(paths):
    paths.directory.mkdir(parents=True)
    os.mkfifo(paths.lock)
    with pytest.raises(RunDirectoryError, match=r"\.lock: cannot be locked: not a regular file"):
        RunLock(paths)
    paths.lock.unlink()
    paths.lock.mkdir()
    with pytest.raises(RunDirectoryError, match=r"\.lock: cannot be locked: Is a directory") as caught:
        RunLock(paths)
    assert caught.value.exit_code == 73


def test_a_directory_that_cannot_be_made_is_said_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError, match="cannot be created"):
        RunLock(RunPaths(tmp_path / "file" / "seed-0"))


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """A shell that allows few descriptors unless asked for more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = len(list(Path("/dev/fd").iterdir())) + 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, before[1]))
    yield few
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_locks_than_a_shell_allows_descriptors(tmp_path, few_descriptors):
    with ExitStack() as stack:
        for seed in range(few_descriptors):
            stack.enter_context(RunLock(RunPaths(tmp_path / f"seed-{seed}")))


def test_out_of_descriptors_is_not_taken_for_a_lock(tmp_path):
    script = """
import resource, sys
from pathlib import Path
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
try:
    RunLock(RunPaths(Path(sys.argv[1])))
except Exception as error:
    expected = str(error).endswith(".lock: cannot be locked: Too many open files")
    print(type(error).__name__, error.exit_code, expected)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == f"{ResourceError.__name__} 71 True\n"
