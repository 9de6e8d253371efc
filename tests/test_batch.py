"""The scripts of docs/batch.md that need nothing but a shell. Those for Slurm are in test_slurm.py."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batch import (
    ENVIRONMENT,
    HERE,
    has_begun,
    printed,
    require_identical,
    runs_in,
    undisturbed,
    write_configs,
)
from waiting import wait_until

EPOCHS = {"a": 60, "b": 50}


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    return undisturbed(tmp_path_factory.mktemp("undisturbed"), **EPOCHS)


@contextmanager
def in_the_midst(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    """A command whose runs are in the midst of their epochs, and held there; it goes on at the end."""
    process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
    try:
        wait_until(lambda: has_begun(folder / "runs"), "the first epochs")
        os.killpg(process.pid, signal.SIGSTOP)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGCONT)


def test_the_shell_loop_runs_the_command_until_all_is_complete(tmp_path, reference):
    write_configs(tmp_path, **EPOCHS)
    (loop,) = printed("A shell loop")
    with in_the_midst(["bash", "-c", loop], tmp_path, ENVIRONMENT) as shell:
        os.kill(child_of(shell.pid), signal.SIGTERM)
    assert shell.wait(timeout=60) == 0
    assert "SIGTERM" in "".join(path.read_text() for path in tmp_path.glob("runs/*/*/events.jsonl"))
    assert len(runs_in(tmp_path / "runs")) == 8
    require_identical(tmp_path / "runs", reference)


def test_the_shell_loop_ends_at_what_another_try_would_not_change(tmp_path):
    write_configs(tmp_path, a=-1)
    (loop,) = printed("A shell loop")
    done = subprocess.run(
        ["bash", "-c", loop], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.count("epochs: must be") == 1


def test_the_line_for_cron_may_run_at_any_time(tmp_path, reference):
    folder = write_configs(tmp_path / "experiments", **EPOCHS)
    (folder / ".venv").symlink_to(HERE.parent)
    (entry,) = printed("cron", "cron")
    command = ["/bin/sh", "-c", entry.split(maxsplit=5)[5]]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}  # all that cron gives
    with in_the_midst(command, folder, environment) as first:
        assert subprocess.run(command, env=environment).returncode == 5
    assert first.wait(timeout=60) == 0
    assert subprocess.run(command, env=environment).returncode == 0
    assert "another process is training this run" in (folder / "fit.log").read_text()
    require_identical(folder / "runs", reference)


def child_of(process: int) -> int:
    """The one child of a process."""
    return int(subprocess.run(["pgrep", "-P", str(process)], capture_output=True, check=True).stdout)
