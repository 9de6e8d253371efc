"""The script of a Slurm array and Slurm's commands, with stand-ins for Slurm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from shell import trainrun_
from trainrun.errors import UnavailableError, UsageError
from trainrun.machines.machine import Task
from trainrun.machines.slurm import Slurm

CONFIG = "{data: iris, hidden: [4], epochs: 2}"


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Puts commands of a shell in front of the search path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def write(**commands: str) -> None:
        for name, lines in commands.items():
            (folder / name).write_text(f"#!/bin/bash\n{lines}\n")
            (folder / name).chmod(0o755)

    return write


def tasks(folder: Path, count: int = 2, **keys) -> list[Task]:
    return [Task(number, ["python", "a b"], folder / f"log-{number}.txt", **keys) for number in range(count)]


def test_what_sbatch_refuses_is_2_with_its_words(stand_in, tmp_path):
    stand_in(
        sbatch="echo 'sbatch: error: Batch job submission failed: Job violates accounting policy' >&2; exit 1"
    )
    with pytest.raises(UsageError, match=r"^--on slurm: sbatch refuses the job: Batch job .*policy$"):
        Slurm({}).submit("x", tasks(tmp_path), tmp_path)


def test_an_answer_without_a_number_is_a_refusal(stand_in, tmp_path):
    stand_in(sbatch="true")
    with pytest.raises(UsageError, match="sbatch refuses the job: exit code 0"):
        Slurm({}).submit("x", tasks(tmp_path), tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "sbatch: fatal: Could not establish a configuration source",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
    ],
)
def test_a_controller_that_is_down_is_69(stand_in, tmp_path, words):
    stand_in(sbatch=f"echo '{words}' >&2; exit 1", squeue="exit 1")
    with pytest.raises(UnavailableError, match="--on slurm: cannot be reached"):
        Slurm({}).submit("x", tasks(tmp_path), tmp_path)


def test_a_job_whose_answer_was_lost_is_found(stand_in, tmp_path):
    stand_in(sbatch="echo 'Socket timed out' >&2; exit 1", squeue="echo 41; echo 42; echo 42")
    assert Slurm({}).submit("x", tasks(tmp_path), tmp_path) == "42"


def test_without_slurm_it_is_69(tmp_path, monkeypatch):
    (tmp_path / "net.yaml").write_text(CONFIG)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = trainrun_("fit", "net.yaml", "--on", "slurm", cwd=tmp_path, code=69).stderr
    assert said.endswith("--on slurm: sbatch is not installed here\n")
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("squeue", "alive"),
    [
        ("echo '0 RUNNING'; echo '1 PENDING'; echo '2 COMPLETED'; echo '3 REQUEUE_HOLD'", {0, 1, 3}),
        ("echo '0 CANCELLED'; echo 'N/A x'; echo", set()),
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", set()),
        ("echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1", None),
    ],
)
def test_what_squeue_says_is_read(stand_in, squeue, alive):
    stand_in(squeue=squeue)
    assert Slurm({}).alive("7") == alive


def test_an_array_takes_as_many_tasks_as_its_index_may_name(stand_in):
    assert Slurm({}).most_tasks() == 1001
    stand_in(scontrol="echo 'MaxArraySize            = 51'")
    assert Slurm({}).most_tasks() == 51


def test_what_a_job_around_the_command_has_set_is_not_handed_on(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "100")
    monkeypatch.setenv("SBATCH_ARRAY_INX", "1-9")
    monkeypatch.setenv("SBATCH_ACCOUNT", "physics")
    monkeypatch.setenv("SLURM_CONF", "/x")
    stand_in(sbatch=f"env > {tmp_path}/env; echo 7")
    Slurm({}).submit("x", tasks(tmp_path), tmp_path)
    lines = (tmp_path / "env").read_text().splitlines()
    assert {"SBATCH_ACCOUNT=physics", "SLURM_CONF=/x"} <= set(lines)
    assert not any(line.startswith(("SLURM_MEM", "SBATCH_ARRAY")) for line in lines)


def options(settings: dict[str, str], folder: Path, **keys) -> list[str]:
    lines = Slurm(settings).script("x", tasks(folder, **keys), folder).splitlines()
    return [line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")]


def test_configs_ask_for_processors_and_gpus_unless_settings_do(tmp_path):
    assert {"cpus-per-task=3", "gpus=1"} <= set(options({}, tmp_path, cpus=3, gpus=1))
    assert {"cpus-per-task=2", "gpus=a100:2"} <= set(
        options({"cpus": "2", "gpus": "a100:2"}, tmp_path, cpus=3, gpus=1)
    )
    assert not [line for line in options({"gpus": "0"}, tmp_path, gpus=1) if "gpus" in line]
    assert "time=1-02:30:00" in options({"time": "25h90m"}, tmp_path)


@pytest.mark.parametrize(
    ("code", "variables", "requeued"),
    [
        (0, {}, False),
        (75, {}, True),
        (143, {}, True),
        (137, {}, True),
        (137, {"SLURM_RESTART_COUNT": "3"}, False),
        (65, {}, False),
    ],
)
def test_the_script_queues_a_task_again_that_has_saved_or_was_killed(
    stand_in, tmp_path, code, variables, requeued
):
    folder = tmp_path / "it's a %j folder"
    folder.mkdir()
    stand_in(
        srun=f'echo "$TRAINRUN_RESUMABLE_EXIT: $*"; exit {code}', scontrol=f'echo "$@" >> "{tmp_path}/asked"'
    )
    assert run(folder, **variables) == code
    assert (tmp_path / "asked").exists() == requeued
    if requeued:
        assert (tmp_path / "asked").read_text() == "requeue 9_1\n"
    assert (folder / "log-1.txt").read_text().startswith("75: --ntasks=1 ")
    assert "python a b --task 1" in (folder / "log-1.txt").read_text()


def test_a_task_that_was_stopped_is_not_queued_again(stand_in, tmp_path):
    (tmp_path / "stopped").touch()
    stand_in(srun="exit 75", scontrol=f"touch {tmp_path}/asked")
    run(tmp_path)
    assert not (tmp_path / "asked").exists()


def test_without_scontrol_the_command_in_front_is_asked(stand_in, tmp_path):
    stand_in(srun="exit 75", scontrol="exit 127")
    run(tmp_path)
    assert (tmp_path / "again-1").exists()


def run(folder: Path, **variables: str) -> int:
    """The exit code of the script of a task."""
    (folder / "job.sh").write_text(Slurm({}).script("x", tasks(folder), folder))
    ids = {"SLURM_ARRAY_JOB_ID": "9", "SLURM_ARRAY_TASK_ID": "1"}
    return subprocess.run(["bash", folder / "job.sh"], env=os.environ | ids | variables).returncode


def test_a_dry_run_prints_the_script(stand_in, tmp_path):
    (tmp_path / "net.yaml").write_text(CONFIG.replace("{", "{threads: 2, "))
    stand_in(sbatch=f"touch {tmp_path}/submitted")
    for words in (["fit", "net.yaml"], ["compare", "net.yaml", "--vs", "dropout=0.1"]):
        said = trainrun_(*words, "--seeds", "3", "--on", "slurm:time=4h", "--dry-run", cwd=tmp_path).stdout
        assert said.startswith("#!/bin/bash\n#SBATCH --job-name=trainrun-")
        assert "#SBATCH --time=0-04:00:00\n" in said
        assert "#SBATCH --cpus-per-task=2\n" in said
    assert not (tmp_path / "submitted").exists()
    assert not (tmp_path / "runs").exists()
