"""docs/batch.md on a real Slurm: whatever becomes of a job, its runs end as if nothing had.

All jobs are there at once: most of their time they wait, for imports, for their turn, for a limit.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from batch import ENVIRONMENT, has_begun, printed, require_identical, runs_in, undisturbed, write_configs
from cluster import Cluster
from waiting import wait_until

pytestmark = pytest.mark.slurm

EPOCHS = {"a": 160, "b": 140, "long": 1000}
Scenario = Callable[[Cluster, Path], None]


def as_printed(cluster: Cluster, folder: Path) -> None:
    """One task of the array is requeued by hand."""
    array = submit(cluster, folder, ["a", "b"])
    wait_until(lambda: has_begun(folder / "runs"), "the first epochs", 60)
    task = next(fact["ArrayTaskId"] for fact in cluster.facts(array) if fact["JobState"] == "RUNNING")
    cluster.says("scontrol", "requeue", f"{array}_{task}")
    assert restarts(cluster.wait_for(array)) == 1
    assert len(runs_in(folder / "runs")) == 8


def a_preemption(cluster: Cluster, folder: Path) -> None:
    array = submit(cluster, folder, ["a"], "--array=1-2", "--partition=low")
    wait_until(lambda: has_begun(folder / "runs"), "the first epochs", 60)
    cluster.says("sbatch", "--partition=urgent", "--output=/dev/null", "--wrap=sleep 1")
    assert restarts(cluster.wait_for(array)) == 1
    assert reasons(folder / "runs") == {"SIGTERM"}


def a_signal_ahead_of_the_limit(cluster: Cluster, folder: Path) -> None:
    """Slurm looks at limits every half minute: the run is paused in its epochs until the signal is there."""
    path = stub(folder, f"echo $$ >> {folder}/pids")
    options = ("--array=1", "--time=1", "--signal=TERM@60")
    array = submit(cluster, folder, ["long"], *options, more="--seeds 1", path=path)
    wait_until(lambda: has_begun(folder / "runs"), "the first epochs", 60)
    first = int((folder / "pids").read_text().split()[0])
    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: has_got(first, signal.SIGTERM), "the signal ahead of the limit", 60)
    with contextlib.suppress(ProcessLookupError):
        os.kill(first, signal.SIGCONT)
    assert restarts(cluster.wait_for(array)) >= 1
    assert reasons(folder / "runs") == {"SIGTERM"}


def a_signal_before_anyone_listens(cluster: Cluster, folder: Path) -> None:
    """The first trainrun ends as one does that gets the signal while Python starts."""
    path = stub(folder, f"mkdir {folder}/begun && kill -TERM $$")
    array = submit(cluster, folder, ["b"], "--array=1", path=path)
    assert restarts(cluster.wait_for(array)) == 1
    assert reasons(folder / "runs") == set()


def a_time_limit_of_its_own(cluster: Cluster, folder: Path) -> None:
    array = submit(cluster, folder, ["long"], "--array=1", more="--seeds 1 --time-limit 10s")
    assert restarts(cluster.wait_for(array)) >= 1
    assert reasons(folder / "runs") == {"time limit"}


def a_script_that_becomes_trainrun(cluster: Cluster, folder: Path) -> None:
    requeue_a_script(cluster, folder, "exec trainrun fit configs/b.yaml")
    assert reasons(folder / "runs") == {"SIGTERM"}


def a_script_with_trainrun_as_a_child(cluster: Cluster, folder: Path) -> None:
    requeue_a_script(cluster, folder, "trainrun fit configs/b.yaml; exit $?")
    assert reasons(folder / "runs") == set()


SCENARIOS = (
    as_printed,
    a_preemption,
    a_signal_ahead_of_the_limit,
    a_signal_before_anyone_listens,
    a_time_limit_of_its_own,
    a_script_that_becomes_trainrun,
    a_script_with_trainrun_as_a_child,
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    undisturbed(folder, a=EPOCHS["a"], b=EPOCHS["b"])
    return undisturbed(folder, seeds=1, long=EPOCHS["long"])


@pytest.fixture(scope="module")
def endings(tmp_path_factory) -> Iterator[Callable[[Scenario], Path]]:
    """Waits for a scenario's end and gives its folder of runs."""
    folder = tmp_path_factory.mktemp("slurm")
    with Cluster(folder / "cluster", ENVIRONMENT) as cluster, ThreadPoolExecutor(len(SCENARIOS)) as pool:
        going: dict[Scenario, Future[None]] = {}
        for scenario in SCENARIOS:
            going[scenario] = pool.submit(scenario, cluster, folder / scenario.__name__)
        yield lambda scenario: going[scenario].result() or folder / scenario.__name__ / "runs"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_runs_end_as_if_nothing_had_happened(endings, reference, scenario):
    require_identical(endings(scenario), reference)


def test_gnu_parallel_trains_every_config(tmp_path, reference):
    write_configs(tmp_path, a=EPOCHS["a"], b=EPOCHS["b"])
    (line,) = printed("GNU parallel")
    for _ in range(2):  # the second time there is nothing left to do
        subprocess.run(["bash", "-c", line], cwd=tmp_path, env=ENVIRONMENT, check=True)
    assert len(runs_in(tmp_path / "runs")) == 8
    require_identical(tmp_path / "runs", reference)


def submit(
    cluster: Cluster,
    folder: Path,
    configs: list[str],
    *options: str,
    more: str = "",
    path: Path | None = None,
) -> str:
    """The number of the array that the page's two blocks make.

    Args:
        cluster: takes it.
        folder: where it is submitted.
        configs: of `EPOCHS`.
        options: more of them for sbatch.
        more: options for trainrun.
        path: where commands are looked for first.
    """
    write_configs(folder, **{name: EPOCHS[name] for name in configs})
    script, line = printed("Slurm")
    (folder / "fit.sbatch").write_text(script)
    command = f"{line.strip()} {more}".replace("sbatch", " ".join(["sbatch", *options]), 1)
    first = "" if path is None else f"PATH={path}:$PATH "
    said = cluster.says("bash", "-c", first + command, folder=folder)
    return re.fullmatch(r"Submitted batch job (\d+)", said)[1]


def stub(folder: Path, line: str) -> Path:
    """A folder for the search path, whose `trainrun` runs a line of shell and becomes the real one."""
    command = folder / "bin" / "trainrun"
    command.parent.mkdir(parents=True)
    real = shutil.which("trainrun", path=ENVIRONMENT["PATH"])
    command.write_text(f'#!/bin/sh\n{line}\nexec {real} "$@"\n')
    command.chmod(0o755)
    return command.parent


def has_got(process: int, number: signal.Signals) -> bool:
    """Whether a signal waits for a paused process, or has ended it: Slurm may let it go on first."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return True
    masks = re.findall(r"^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$", status, re.MULTILINE)
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


def requeue_a_script(cluster: Cluster, folder: Path, line: str) -> None:
    """Have a script of one line requeued in the midst of its epochs, and wait for its end."""
    write_configs(folder, b=EPOCHS["b"])
    options = ("--parsable", "--requeue", "--open-mode=append")
    job = cluster.says("sbatch", *options, f"--wrap={line}", folder=folder)
    wait_until(lambda: has_begun(folder / "runs"), "the first epochs", 60)
    cluster.says("scontrol", "requeue", job)
    assert restarts(cluster.wait_for(job)) == 1


def restarts(facts: list[dict[str, str]]) -> int:
    """How often jobs that have all succeeded were requeued."""
    assert {fact["ExitCode"] for fact in facts} == {"0:0"}
    return sum(int(fact["Restarts"]) for fact in facts)


def reasons(runs: Path) -> set[str]:
    """What runs were asked to stop by, as they have it in their events."""
    lines = [line for path in runs.glob("*/*/events.jsonl") for line in path.read_text().splitlines()]
    return {event["reason"] for event in map(json.loads, lines) if "reason" in event}
