"""`--on slurm` on a real Slurm: whatever becomes of tasks, nodes and commands, the runs are those of here.

`make slurm` runs a share; `make machines` does each thing at ten random moments.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batch import ENVIRONMENT, has_begun, require_identical, runs_in
from cluster import Cluster
from shell import SOURCE
from trainrun.runs.submissions import FOLDER
from waiting import wait_until

pytestmark = pytest.mark.slurm

ROUNDS = int(os.environ.get("MACHINES", "1"))
CONFIG = "{data: digits, hidden: [32, 32], dropout: 0.2, early_stopping: false, epochs: 150}\n"
SEEDS = 4
VARIABLES = ENVIRONMENT | {"PYTHONPATH": str(SOURCE.parent), "TRAINRUN_SAVE_SECONDS": "0.5"}
FIT = ("fit", "net.yaml", "--seeds", str(SEEDS), "--progress", "none")


class Site:
    """A folder with a config, on a cluster.

    Args:
        cluster: where tasks run.
        folder: of the config and the runs.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder, self.runs = cluster, folder, folder / "runs"
        folder.mkdir(exist_ok=True)
        (folder / "net.yaml").write_text(CONFIG)

    def start(self, *words: str, on: str = "slurm:cpus=1", workers: int = 2) -> subprocess.Popen[str]:
        """A command in front that goes on."""
        command = ["trainrun", *FIT, "--on", on, "--workers", str(workers), *words]
        environment = VARIABLES | self.cluster.environment
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        return subprocess.Popen(command, cwd=self.folder, env=environment, text=True, **pipes)

    def finish(self, front: subprocess.Popen[str] | None = None, code: int = 0, **keys) -> str:
        """What a command says on stderr; a new one if none is given."""
        front = front or self.start(**keys)
        out, err = front.communicate(timeout=400)
        assert front.returncode == code, out + err
        return err

    def wait_for_epochs(self) -> None:
        """Wait until a run is in the midst of its epochs, and then for a random moment."""
        wait_until(lambda: has_begun(self.runs), "the first epochs", 120)
        time.sleep(random.uniform(0, 1.5))

    def jobs(self) -> list[str]:
        """The tasks in the queue, as Slurm names them."""
        said = self.cluster.says("squeue", "--noheader", "--array", "--format=%F_%K %Z")
        lines = (line.split(" ", 1) for line in said.splitlines())
        return [job for job, place in lines if Path(place) == self.folder]

    def processes(self) -> list[int]:
        """The processes of the tasks that are at work."""
        found = []
        for path in self.runs.glob(f"{FOLDER}/*/task-*.json"):
            report = json.loads(path.read_text())
            if report["outcomes"] is None:
                found.append(report["process"])
        return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("slurm") / "cluster", VARIABLES) as found:
        yield found


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("here")
    (folder / "net.yaml").write_text(CONFIG)
    subprocess.run(["trainrun", *FIT], cwd=folder, env=VARIABLES, check=True, capture_output=True)
    return folder / "runs"


def of_a_task(site: Site) -> None:
    """Kill a worker by -9; the command in front, or the script, starts it again."""
    front = site.start()
    site.wait_for_epochs()
    kill(site.processes()[:1])
    site.finish(front)


def of_the_front(site: Site) -> None:
    """Kill the command in front; the same command finds the work."""
    front = site.start()
    time.sleep(random.uniform(0.5, 6))
    front.kill()
    front.communicate()
    site.finish()


def by_requeue(site: Site) -> None:
    front = site.start()
    site.wait_for_epochs()
    for job in site.jobs()[:1]:
        site.cluster.says("scontrol", "requeue", job)
    site.finish(front)


def by_scancel(site: Site) -> None:
    front = site.start()
    site.wait_for_epochs()
    for job in site.jobs()[:1]:
        site.cluster.says("scancel", job)
    site.finish(front)


def by_preemption(site: Site) -> None:
    front = site.start(on="slurm:partition=low", workers=1)
    site.wait_for_epochs()
    site.cluster.says("sbatch", "--partition=urgent", "--output=/dev/null", "--wrap=sleep 1")
    site.finish(front)


def by_a_stop_of_the_front(site: Site) -> None:
    """Ctrl-C: all is saved, nothing is queued again, and the same command continues."""
    front = site.start()
    site.wait_for_epochs()
    front.send_signal(signal.SIGINT)
    assert "Stopped by SIGINT" in site.finish(front, code=-signal.SIGINT)
    wait_until(lambda: not site.jobs(), "the tasks to leave", 60)
    site.finish()


def of_a_node(site: Site) -> None:
    """Kill a node's daemon and its tasks, and start it again."""
    front = site.start()
    site.wait_for_epochs()
    site.cluster.kill_node("many")
    kill(site.processes())
    site.cluster.start_node("many")
    site.finish(front)


SHARE: tuple[Callable[[Site], None], ...] = (of_a_task, of_the_front, by_requeue)
MORE = (by_scancel, by_preemption, by_a_stop_of_the_front, of_a_node) if ROUNDS > 1 else ()


@pytest.mark.parametrize("moment", range(ROUNDS))
@pytest.mark.parametrize("disturb", SHARE + MORE, ids=lambda one: one.__name__)
def test_a_disturbance_changes_no_bit(cluster, tmp_path, reference, disturb, moment):
    site = Site(cluster, tmp_path / f"site {moment}")
    disturb(site)
    require_identical(site.runs, reference)
    assert len(runs_in(site.runs)) == SEEDS
    assert not (site.runs / FOLDER).exists()
    ends = [line for path in site.runs.rglob("events.jsonl") for line in path.read_text().splitlines()]
    assert sum(json.loads(line).get("status") == "complete" for line in ends) == SEEDS


@pytest.mark.skipif(ROUNDS == 1, reason="Slurm looks at limits every half minute: only `make machines`")
def test_a_time_limit_changes_no_bit(cluster, tmp_path, reference):
    site = Site(cluster, tmp_path / "limit")
    (site.folder / "net.yaml").write_text(CONFIG.replace("150", "1500"))
    here = ["trainrun", *FIT, "--runs", "here"]
    subprocess.run(here, cwd=site.folder, env=VARIABLES, check=True, capture_output=True)
    site.finish(on="slurm:time=1m", workers=1)
    require_identical(site.runs, site.folder / "here")


def test_a_refused_request_is_2_with_slurms_words(cluster, tmp_path):
    site = Site(cluster, tmp_path / "refused")
    said = site.finish(on="slurm:partition=nope", code=2)
    assert "sbatch refuses the job: Batch job submission failed: Invalid partition" in said
    assert not site.runs.joinpath(FOLDER).exists()


def test_it_detaches_and_others_get_5(cluster, tmp_path, reference):
    site = Site(cluster, tmp_path / "detached")
    assert "Submitted to slurm:cpus=1" in site.finish(site.start("--detach"), code=75)
    assert "Attached to slurm:cpus=1" in site.finish(site.start("--detach"), code=75)
    assert len(site.jobs()) == 2
    done = subprocess.run(
        ["trainrun", *FIT], cwd=site.folder, env=VARIABLES, capture_output=True, check=False
    )
    assert done.returncode == 5
    site.finish()
    require_identical(site.runs, reference)


def test_a_probe_comes_through(cluster, tmp_path):
    site = Site(cluster, tmp_path / "probe")
    done = subprocess.run(
        ["trainrun", "machines", "--on", "slurm", "--format", "json"],
        cwd=site.folder,
        env=VARIABLES | cluster.environment,
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["differences"] == []


def kill(processes: list[int]) -> None:
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
