"""What `--on ray` does besides Ray: settings, files that travel, processes that end together."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainrun.errors import RunBusyError, StorageError, UnavailableError, UsageError
from trainrun.machines import Task, choose_machine, leash, parcels
from trainrun.machines.ray import Ray, processors
from trainrun.machines.ray_tasks import HELD, TOKEN, Keeper, Order, Worker, sees
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths
from trainrun.runs.submissions import Submission, SubmittedRun, read_report
from waiting import wait_until

GROUP = "a-12345678"


# Settings


def test_an_address_may_stand_alone():
    assert choose_machine("ray:10.0.0.1:6379,gpus=1").settings == {"address": "10.0.0.1:6379", "gpus": "1"}
    assert choose_machine("ray:ray://head:10001").settings == {"address": "ray://head:10001"}
    assert choose_machine("ray:cpus=2").settings == {"cpus": "2"}
    assert choose_machine("ray").settings == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ray:gpu=1", "unknown setting 'gpu'"),
        ("ray:cpus=many", "cpus: must be a number such as 1 or 0.5, got 'many'"),
        ("ray:gpus=1.5", "gpus: must be a number"),
        ("ray:cpus=nan", "cpus: must be a number"),
        ("ray:shared=perhaps", "shared: must be yes, no or auto"),
        ("ray:auto,late", "'late': must be word=value"),
    ],
)
def test_settings_are_checked(text, words):
    with pytest.raises(UsageError, match=words):
        choose_machine(text)


def test_without_ray_a_sentence_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    task = Task(0, ["true"], tmp_path / "log")
    with pytest.raises(UnavailableError, match=r"pip install 'trainrun\[ray\]'"):
        Ray({}).submit("a", [task], tmp_path)


def test_processors_are_those_of_the_process_alone():
    (one, *_) = os.sched_getaffinity(0)
    code = "from trainrun.machines.ray import processors; print(processors())"
    command = ["taskset", "-c", str(one), sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"
    assert 1 <= processors() <= len(os.sched_getaffinity(0))


def test_work_of_an_earlier_command_that_is_gone_is_not_alive(tmp_path):
    assert Ray({}).alive(f"{tmp_path}:1a2b") == set()
    assert not Ray({}).goes_on(f"{tmp_path}:1a2b")


def test_work_that_another_command_keeps_is_alive(submission):
    with (submission.directory / HELD).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert Ray({}).alive(f"{submission.directory}:1a2b") == {0}


# Files that travel


@pytest.fixture
def submission(tmp_path) -> Submission:
    """A task of two runs: one has not begun, one has a checkpoint."""
    made = one(tmp_path / "runs")
    made.write(["data: digits\n"])
    paths = run(made, 1)
    paths.directory.mkdir(parents=True)
    for path in (paths.config, paths.metrics, paths.log, paths.events, paths.preprocessing, paths.weights):
        path.write_text(f"old {path.name}")
    paths.checkpoint.write_text("old checkpoint")
    paths.previous_checkpoint.write_text("older checkpoint")
    return made


def one(runs: Path) -> Submission:
    task = [SubmittedRun(0, seed, f"{GROUP}/seed-{seed}", "12345678", {}) for seed in (0, 1)]
    return Submission(runs / ".machines" / "aaaa", "ray", [task], ["written"], 1.0)


def run(submission: Submission, seed: int) -> RunPaths:
    return RunPaths(submission.runs / GROUP / f"seed-{seed}")


def test_a_task_takes_its_runs_with_it(submission, tmp_path):
    (submission.runs / "b-87654321").mkdir()
    parcel = parcels.outward(submission, 0)
    assert all(isinstance(content, bytes) for content in parcel.values())
    parcels.unpack(parcel, tmp_path / "there")
    there = one(tmp_path / "there")
    assert there.file.read_bytes() == submission.file.read_bytes()
    assert there.config(0).exists()
    assert run(there, 1).checkpoint.read_text() == "old checkpoint"
    assert not run(there, 1).previous_checkpoint.exists()
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == [".machines", GROUP]


def test_what_has_changed_comes_back_once(submission, tmp_path):
    parcels.unpack(parcels.outward(submission, 0), tmp_path / "there")
    there = one(tmp_path / "there")
    returns = parcels.Returns(there, 0)
    assert returns.collect() == {}
    there.report(0).write_text("{}")
    run(there, 1).metrics.write_text("more")
    assert list(returns.collect()) == [".machines/aaaa/task-0.json"]
    run(there, 1).checkpoint.write_text("new checkpoint")
    found = returns.collect()
    assert found[f"{GROUP}/seed-1/last.ckpt"] == b"new checkpoint"
    assert found[f"{GROUP}/seed-1/metrics.jsonl"] == b"more"
    assert not any("seed-0" in name for name in found)
    assert returns.collect() == {}


def test_a_result_comes_back_with_all_of_its_run(submission, tmp_path):
    parcels.unpack(parcels.outward(submission, 0), tmp_path / "there")
    there = one(tmp_path / "there")
    returns = parcels.Returns(there, 0)
    run(there, 1).checkpoint.unlink()
    run(there, 1).weights.write_text("best")
    run(there, 1).result.write_text("{}")
    parcels.take_in(returns.collect(), submission, 0)
    here = run(submission, 1)
    assert here.weights.read_text() == "best"
    assert here.result.read_text() == "{}"
    assert not here.checkpoint.exists()
    assert not here.previous_checkpoint.exists()


def test_a_checkpoint_that_comes_back_keeps_its_predecessor(submission):
    parcels.take_in(
        {f"{GROUP}/seed-1/best.safetensors": b"w", f"{GROUP}/seed-1/last.ckpt": b"new"}, submission, 0
    )
    here = run(submission, 1)
    assert here.checkpoint.read_bytes() == b"new"
    assert here.previous_checkpoint.read_text() == "old checkpoint"
    assert here.metrics.read_text() == "old metrics.jsonl"


def test_a_run_that_has_begun_elsewhere_begins_here(submission):
    parcels.take_in({f"{GROUP}/seed-0/config.yaml": b"c", f"{GROUP}/config.yaml": b"g"}, submission, 0)
    assert run(submission, 0).config.read_bytes() == b"c"
    assert run(submission, 0).group_config.read_bytes() == b"g"


def test_a_finished_run_is_never_written_again(submission):
    run(submission, 1).result.write_text("mine")
    parcels.take_in(
        {f"{GROUP}/seed-1/best.safetensors": b"w", f"{GROUP}/seed-1/result.json": b"yours"}, submission, 0
    )
    assert run(submission, 1).result.read_text() == "mine"
    assert run(submission, 1).weights.read_text() == "old best.safetensors"


def test_the_last_words_of_a_task_may_come_when_the_record_is_gone(submission):
    submission.remove()
    parcels.take_in({".machines/aaaa/task-0.json": b"{}"}, submission, 0)
    assert not submission.directory.exists()


@pytest.mark.parametrize(
    "parcel",
    [
        b"",
        None,
        [("a", b"")],
        {"../escape": b""},
        {"/etc/passwd": b""},
        {f"{GROUP}/seed-1/../../x": b""},
        {f"{GROUP}/seed-2/result.json": b""},
        {f"{GROUP}/seed-1/other.py": b""},
        {f"{GROUP}/seed-1/.lock": b""},
        {f"{GROUP}/seed-1/prev.ckpt": b""},
        {".machines/aaaa/work.json": b""},
        {".machines/aaaa/task-1.json": b""},
        {f"{GROUP}/seed-1/config.yaml": "text"},
        {f"{GROUP}/seed-1/config.yaml": None},
        {1: b""},
        {f"{GROUP}/seed-1/config.yaml": b"good", "bad": b""},
    ],
)
def test_what_no_task_sends_is_refused_and_writes_nothing(parcel, submission):
    before = contents(submission.runs)
    with pytest.raises(StorageError, match="a machine has sent"):
        parcels.take_in(parcel, submission, 0)
    assert contents(submission.runs) == before


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_that_are_too_large_are_refused(submission, monkeypatch):
    monkeypatch.setattr(parcels, "_LARGEST", 3)
    with pytest.raises(StorageError, match="a machine has sent"):
        parcels.take_in({f"{GROUP}/seed-1/config.yaml": b"long"}, submission, 0)


def test_a_token_tells_whether_a_folder_is_shared(tmp_path):
    assert not sees(str(tmp_path), "a")
    (tmp_path / TOKEN).write_text("a")
    assert sees(str(tmp_path), "a")
    assert not sees(str(tmp_path), "b")
    order = Order(str(tmp_path), {0: ["-c", "pass"]}, 1.0, 0.0, "a", shared=True)
    assert not Worker().begin(order.to_json(), 0, "b")


def test_what_a_killed_command_left_half_written_is_removed_before_its_runs_train_on(submission):
    left = run(submission, 1).directory / f".config.yaml.{'0' * 12}.tmp"
    left.touch()
    keeper = Keeper(Order(str(submission.directory), {0: []}, 1.0, 0.0, "a", shared=False))
    (task,) = keeper._tasks
    assert keeper._lock(task, 0.0)
    assert not left.exists()
    with pytest.raises(RunBusyError):
        RunLock(run(submission, 0))
    keeper._end(task)
    RunLock(run(submission, 0)).release()


def test_runs_that_another_process_keeps_are_reported(submission):
    keeper = Keeper(Order(str(submission.directory), {0: []}, 1.0, 0.0, "a", shared=False))
    (task,) = keeper._tasks
    with RunLock(run(submission, 1)):
        assert not keeper._lock(task, 10.0)
        assert not keeper._lock(task, 69.0)
        assert keeper.alive() == [0]
        assert not keeper._lock(task, 71.0)
    assert keeper.alive() == []
    (outcome,) = read_report(submission.report(0))["outcomes"]
    assert outcome["code"] == 5
    assert "another process is training this run" in outcome["message"]


# Processes that end together


def test_a_tied_process_gets_term_when_its_parent_is_killed(tmp_path):
    child = f"trap 'touch {tmp_path}/saved; exit' TERM; touch {tmp_path}/ready; while :; do sleep 0.05; done"
    code = (
        "import subprocess, time; from trainrun.machines.leash import tied;"
        f" subprocess.Popen(tied(['/bin/sh', '-c', {child!r}])); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    wait_until((tmp_path / "ready").exists, "the child")
    parent.kill()
    parent.wait()
    wait_until((tmp_path / "saved").exists, "its end")


def test_a_tied_process_does_not_outlive_a_parent_that_is_gone(tmp_path):
    words = [sys.executable, "-I", leash.__file__, "tie", "1", "/bin/touch", str(tmp_path / "began")]
    assert subprocess.run(words, check=False).returncode == 75
    assert not (tmp_path / "began").exists()


def test_a_guard_ends_a_group_and_removes_its_folder(tmp_path):
    folder = tmp_path / "ray"
    folder.mkdir()
    group = subprocess.Popen(["sleep", "60"], start_new_session=True)
    guard = subprocess.Popen(leash.guard(group.pid, folder), stdin=subprocess.PIPE)
    time.sleep(0.2)
    assert group.poll() is None
    guard.stdin.close()
    assert guard.wait(30) == 0
    assert group.wait(30) == -signal.SIGKILL
    assert not folder.exists()
