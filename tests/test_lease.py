"""Locks on folders where flock is not to be trusted, held and fought for by real processes."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from test_lock import HOLD, RACE
from trainrun.errors import ResumableError, RunBusyError, RunDirectoryError, StorageError, UsageError
from trainrun.runs import holders, lease
from trainrun.runs.files import append
from trainrun.runs.filesystems import mount_of, reach_of_mount
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import LEASES, RunPaths

SECONDS = 6.0  # of a lease: a busy machine may stop a process for a second or two


@pytest.fixture(autouse=True)
def short_leases(monkeypatch):
    monkeypatch.setenv("TRAINRUN_LOCKS", "lease")
    monkeypatch.setenv("TRAINRUN_LEASE_SECONDS", str(SECONDS))
    monkeypatch.setattr(lease, "_seen", {})


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path / "runs" / "net-0123abcd" / "seed-0")


@pytest.fixture
def another_machine(monkeypatch):
    """What other processes hold looks as if they were on another machine."""
    monkeypatch.setattr(holders, "_machine", lambda: "another")


@contextmanager
def holder(paths: RunPaths, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLD, str(paths.directory)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | environment, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def pulses(paths: RunPaths) -> list[Path]:
    folder = paths.directory.parent.parent / LEASES
    return sorted(folder.iterdir()) if folder.exists() else []


def test_a_holder_that_is_alive_is_named(paths, another_machine):
    with holder(paths) as process, pytest.raises(RunBusyError, match=rf"process {process.pid} on "):
        RunLock(paths)


def test_a_lease_leaves_nothing_behind(paths):
    with RunLock(paths):
        assert paths.lock.exists()
        assert len(pulses(paths)) == 1
    assert list(paths.directory.iterdir()) == []
    assert not (paths.directory.parent.parent / LEASES).exists()


def test_a_process_that_was_killed_before_it_had_a_lease_leaves_nothing_for_ever(paths):
    with holder(paths) as process:
        process.kill()
        process.wait()
    paths.lock.unlink()
    assert len(pulses(paths)) == 1
    RunLock(paths).release()
    assert not pulses(paths)


def test_others_may_add_and_read_signs_of_life(paths):
    paths.directory.mkdir(parents=True)
    runs = paths.directory.parent.parent
    runs.chmod(0o1777)
    before = os.umask(0o077)
    try:
        with RunLock(paths):
            assert (runs / LEASES).stat().st_mode & 0o7777 == 0o1777
            assert pulses(paths)[0].stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_many_leases_have_one_pulse(paths):
    runs = [RunPaths(paths.directory.with_name(f"seed-{seed}")) for seed in range(20)]
    with ExitStack() as stack:
        for run in runs:
            stack.enter_context(RunLock(run))
        assert len(pulses(paths)) == 1
    assert not pulses(paths)


def test_a_killed_holder_on_another_machine_is_waited_for(paths, another_machine):
    with holder(paths) as process:
        process.kill()
        process.wait()
        begun = time.monotonic()
        with RunLock(paths):
            assert time.monotonic() - begun >= SECONDS
            assert json.loads(paths.lock.read_bytes())["pid"] == os.getpid()
    assert not pulses(paths)  # the other's neither


def test_many_killed_holders_are_waited_for_at_once(paths, another_machine):
    runs = [RunPaths(paths.directory.with_name(f"seed-{seed}")) for seed in range(3)]
    with ExitStack() as stack:
        for run in runs:
            process = stack.enter_context(holder(run))
            process.kill()
            process.wait()
        begun = time.monotonic()
        for run in runs:
            stack.enter_context(RunLock(run))
        assert time.monotonic() - begun < 2 * SECONDS


def test_a_killed_holder_on_this_machine_is_not_waited_for(paths, monkeypatch):
    monkeypatch.setattr(lease, "_look", lambda *_: pytest.fail("waits"))
    with holder(paths) as process:
        process.kill()
        process.wait()
        RunLock(paths).release()


def test_whoever_waits_is_stopped(paths, another_machine):
    with holder(paths) as process:
        process.kill()
        process.wait()
        with pytest.raises(ResumableError, match="stopped waiting for it") as caught:
            RunLock(paths, lambda: True)
        assert caught.value.exit_code == 75


def test_a_holder_that_was_stopped_too_long_writes_nothing_more(paths, another_machine):
    script = """
import sys
from pathlib import Path
from trainrun.errors import ResumableError
from trainrun.runs.files import append, write_files
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths
paths = RunPaths(Path(sys.argv[1]))
lock = RunLock(paths)
print("held", flush=True)
sys.stdin.readline()
for write in (lambda: append(paths.log, "mine"), lambda: write_files({paths.checkpoint: b"mine"})):
    try:
        write()
    except ResumableError as error:
        print(error, flush=True)
lock.release()
"""
    command = [sys.executable, "-c", script, str(paths.directory)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGSTOP)
        with RunLock(paths):
            process.send_signal(signal.SIGCONT)
            said, _ = process.communicate("go on\n")
            assert said.count("lost the lock: another process has taken it; run the same command") == 2
            assert {path.name for path in paths.directory.iterdir()} == {paths.lock.name}
            append(paths.log, "mine")  # of the one that holds it now


def test_a_lease_that_could_not_be_renewed_is_lost_for_good(paths):
    lock = RunLock(paths)
    [pulse] = pulses(paths)
    pulse.rename(pulse.with_suffix(".away"))  # as if the server were away
    time.sleep(SECONDS / 2 + 0.5)
    pulse.with_suffix(".away").rename(pulse)
    with pytest.raises(ResumableError, match=r"could not be renewed for 2\.4 s"):
        append(paths.log, "mine")
    assert not paths.log.exists()
    lock.release()
    RunLock(paths).release()  # whoever asks again has a new one


def test_a_folder_that_is_gone_is_a_broken_disk(paths):
    with RunLock(paths):
        paths.directory.rename(paths.directory.with_name("elsewhere"))
        with pytest.raises(StorageError, match="the folder is gone") as caught:
            append(paths.log, "mine")
        assert caught.value.exit_code == 74


def test_without_a_lease_nothing_is_checked(paths, monkeypatch):
    monkeypatch.setenv("TRAINRUN_LOCKS", "auto")
    monkeypatch.setattr(lease, "_read", lambda *_: pytest.fail("reads"))
    with RunLock(paths):
        append(paths.log, "mine")


def test_a_lock_that_the_server_has_forgotten_is_noticed(paths, monkeypatch):
    monkeypatch.setenv("TRAINRUN_LOCKS", "flock")
    with RunLock(paths):
        append(paths.log, "mine")
        paths.lock.write_bytes(paths.lock.read_bytes().replace(b'"pid": ', b'"pid": 1'))
        with pytest.raises(ResumableError, match=r"lost the lock: process 1\d+ on "):
            append(paths.log, "mine")


@pytest.mark.parametrize("refusal", [errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS])
def test_where_flock_is_refused_there_is_a_lease(paths, monkeypatch, refusal):
    def refuse(*_):
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setenv("TRAINRUN_LOCKS", "auto")
    monkeypatch.setattr(fcntl, "flock", refuse)
    with RunLock(paths):
        assert lease.is_lease(paths.lock.read_bytes())
        with pytest.raises(RunBusyError):
            RunLock(paths)


def test_a_lease_counts_where_flock_works(paths, monkeypatch):
    with holder(paths):
        monkeypatch.setenv("TRAINRUN_LOCKS", "auto")
        with pytest.raises(RunBusyError):
            RunLock(paths)


def test_a_flock_of_another_machine_is_refused_in_words(paths, monkeypatch, another_machine):
    with holder(paths, TRAINRUN_LOCKS="flock") as process:
        words = rf"process {process.pid} .*; it uses flock, which does not reach .* remove .*/\.lock"
        with pytest.raises(RunDirectoryError, match=words) as caught:
            RunLock(paths)
        assert caught.value.exit_code == 73


def test_a_flock_of_this_machine_is_known_to_be_held_or_not(paths):
    with holder(paths, TRAINRUN_LOCKS="flock") as process:
        with pytest.raises(RunBusyError, match=f"process {process.pid}"):
            RunLock(paths)
        process.kill()
        process.wait()
        RunLock(paths).release()


def test_a_flock_that_was_released_is_free(paths, monkeypatch, another_machine):
    monkeypatch.setenv("TRAINRUN_LOCKS", "flock")
    RunLock(paths).release()
    assert paths.lock.read_bytes() == b""
    monkeypatch.setenv("TRAINRUN_LOCKS", "lease")
    RunLock(paths).release()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 4096, b'{"pulse": "../../x", "lease": 9}'])
def test_content_that_no_holder_writes_is_replaced(paths, content):
    paths.directory.mkdir(parents=True)
    paths.lock.write_bytes(content)
    with RunLock(paths):
        assert lease.is_lease(paths.lock.read_bytes())


def test_a_claim_whose_owner_was_killed_is_claimed_in_turn(paths, another_machine):
    """The second of two holders was killed between its claim and the moment at which it counts."""
    with holder(paths) as first:
        first.kill()
        first.wait()
        old = paths.lock.read_bytes()
    paths.lock.unlink()
    with holder(paths) as second:
        second.kill()
        second.wait()
    claim = f"..lock.{json.loads(old)['token']}.tmp"
    paths.lock.rename(paths.directory / claim)
    paths.lock.write_bytes(old)
    with RunLock(paths):
        assert json.loads(paths.lock.read_bytes())["pid"] == os.getpid()


def test_a_claim_that_comes_too_late_is_withdrawn(paths, monkeypatch, another_machine):
    with holder(paths) as dead:
        dead.kill()
        dead.wait()
    original, others = lease._place, []

    def place(path, content):
        if not others:  # another was faster, and has tidied up
            monkeypatch.setattr(lease, "_place", original)
            paths.lock.unlink()
            others.append(RunLock(paths))
        return original(path, content)

    monkeypatch.setattr(lease, "_place", place)
    with pytest.raises(RunBusyError, match=f"process {os.getpid()}"):
        RunLock(paths)
    others[0].release()
    assert list(paths.directory.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_of_processes_that_race_for_runs_one_each_trains(tmp_path, links):
    script = (
        RACE
        if links
        else f"import os\ndef link(*_, **__):\n    raise PermissionError(1, '')\nos.link = link\n{RACE}"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "runs" / "net-0123abcd")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        racers = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(4)]
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            racer.stdin.write("\n")
            racer.stdin.flush()
    assert [racer.returncode for racer in racers] == [0] * 4
    trained = {
        run.name: (run / "trained").read_text() for run in (tmp_path / "runs" / "net-0123abcd").iterdir()
    }
    assert trained == {f"seed-{seed}": "x" for seed in range(30)}


def test_commands_that_race_for_a_dead_holders_runs_train_each_once(tmp_path):
    """Those that wait have other clocks, and none can ask whether the first one is alive."""
    away = "from trainrun.runs import holders\nholders._machine = lambda: None\n"
    runs = [RunPaths(tmp_path / "runs" / "net-0123abcd" / f"seed-{seed}") for seed in range(3)]
    for run in runs:
        with holder(run) as process:
            process.kill()
    command = [sys.executable, "-c", away + RACE, str(runs[0].directory.parent)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        racers = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(4)]
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            racer.stdin.write("\n")
            racer.stdin.flush()
    assert [racer.returncode for racer in racers] == [0] * 4
    assert [(run.directory / "trained").read_text() for run in runs] == ["x"] * 3


@pytest.mark.parametrize("name", ["TRAINRUN_LOCKS", "TRAINRUN_LEASE_SECONDS"])
def test_variables_are_checked(paths, monkeypatch, name):
    monkeypatch.setenv(name, "0")
    with pytest.raises(UsageError, match=f"^{name}: must be .*, got 0$"):
        RunLock(paths)


@pytest.mark.parametrize(
    ("kind", "options", "reach"),
    [
        ("ext4", "rw", "local"),
        ("tmpfs", "rw", "local"),
        ("", "", "local"),
        ("nfs4", "rw,vers=4.2,local_lock=none", "shared"),
        ("nfs", "rw,vers=3,local_lock=none", "shared"),
        ("nfs", "rw,vers=3,nolock,local_lock=all", "unknown"),
        ("nfs", "rw,vers=3,local_lock=flock", "unknown"),
        ("nfs", "rw,vers=3,local_lock=posix", "shared"),
        ("lustre", "rw,flock", "shared"),
        ("lustre", "rw,localflock", "unknown"),
        ("lustre", "rw", "unknown"),
        ("ceph", "rw", "shared"),
        ("gfs2", "rw,localflocks", "unknown"),
        ("beegfs", "rw", "unknown"),
        ("cifs", "rw", "unknown"),
        ("fuse.sshfs", "rw", "unknown"),
        ("9p", "rw", "unknown"),
    ],
)
def test_the_mount_tells_how_far_flock_reaches(kind, options, reach):
    assert reach_of_mount(kind, set(options.split(","))) == reach


def test_the_innermost_mount_counts(monkeypatch, tmp_path):
    place = tmp_path.resolve() / "a b"
    (place / "runs").mkdir(parents=True)
    mounts = tmp_path / "mountinfo"
    escaped = str(place).replace(" ", r"\040")
    mounts.write_text(
        "1 0 8:1 / / rw shared:1 - ext4 /dev/a rw\n"
        f"2 1 0:9 / {escaped} rw - ext4 /dev/b rw\n"
        f"3 1 0:9 / {escaped} ro,noatime shared:2 - nfs host:/x rw,nolock\n"
        f"4 1 0:9 / {escaped}/run rw - tmpfs none rw\n"
    )
    monkeypatch.setattr("trainrun.runs.filesystems._MOUNTS", mounts)
    assert mount_of(place / "runs") == ("nfs", {"ro", "noatime", "rw", "nolock"})
    assert mount_of(tmp_path)[0] == "ext4"


def test_a_system_without_mountinfo_is_taken_as_local(monkeypatch, tmp_path):
    monkeypatch.setattr("trainrun.runs.filesystems._MOUNTS", tmp_path / "none")
    assert mount_of(tmp_path) == ("", set())


def test_a_forked_process_has_no_lease(paths):
    with RunLock(paths):
        if os.fork() == 0:
            os._exit(bool(lease._Pulse._mine))
        assert os.wait()[1] == 0
