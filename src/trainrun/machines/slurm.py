"""Slurm: a job array of tasks that are queued again until their runs are trained."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from trainrun.errors import UnavailableError, UsageError
from trainrun.machines.machine import STOPPED, Machine, Task
from trainrun.text import printable

_ANSWER_SECONDS = 60  # a busy controller takes its time
_SECONDS_AHEAD = 60  # of the time limit, to save
_OPTIONS = {
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "time": "time",
    "cpus": "cpus-per-task",
    "memory": "mem",
    "gpus": "gpus-per-task",
    "constraint": "constraint",
    "nodelist": "nodelist",
    "exclude": "exclude",
}
_HOURS = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
# After a signal or the time limit the task has saved: it is queued again. A task that was cancelled is not.
_SCRIPT = """\
#!/bin/bash
{options}
export TRAINRUN_RESUMABLE_EXIT=75
srun --ntasks=1 --kill-on-bad-exit=0 {cpus}{command} --task "$SLURM_ARRAY_TASK_ID"
code=$?
case $code in
  75 | 143) [ -e {stopped} ] || scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID" ;;
esac
exit "$code"
"""


class Slurm(Machine):
    """A Slurm cluster whose machines see the folder of runs."""

    name = "slurm"
    known: ClassVar[Mapping[str, str]] = {
        "partition": "the partition",
        "account": "the account",
        "qos": "the quality of service",
        "time": "the time limit of a task, such as 4h or 1-00:00:00",
        "cpus": "processors of a task",
        "memory": "memory of a task, such as 8G",
        "gpus": "GPUs of a task",
        "constraint": "features of the node",
        "nodelist": "nodes to use",
        "exclude": "nodes to leave out",
    }

    def submit(self, name: str, tasks: Sequence[Task], folder: Path) -> str:
        """Submit a job array; see `Machine`."""
        script = folder / "job.sh"
        script.write_text(self.script(name, tasks, folder))
        done = self._ask(["sbatch", "--parsable", str(script)])
        job = done.stdout.strip().partition(";")[0]
        if done.returncode != 0 or not job.isdecimal():
            raise UsageError(f"--on slurm: sbatch refuses the job: {_words(done)}")
        return job

    def alive(self, job: str) -> set[int] | None:
        """Return the tasks that squeue knows; see `Machine`."""
        try:
            done = self._ask(["squeue", "--noheader", "--array", f"--jobs={job}", "--format=%K %T"])
        except UnavailableError:
            return None
        if done.returncode != 0:
            return set() if "Invalid job id" in done.stderr else None
        found = (line.split() for line in done.stdout.splitlines())
        over = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
        return {
            int(words[0])
            for words in found
            if len(words) == 2 and words[0].isdecimal() and words[1] not in over
        }

    def stop(self, job: str) -> None:
        """Cancel the array, which sends TERM to its tasks; see `Machine`."""
        self._ask(["scancel", job])

    def script(self, name: str, tasks: Sequence[Task], folder: Path) -> str:
        """Return the script of the array; see `Machine`."""
        numbers = ",".join(str(task.number) for task in tasks)
        options = {
            "job-name": f"trainrun-{name}",
            "array": numbers,
            "requeue": None,
            "open-mode": "append",
            "output": str(folder / "log-%a.txt"),
            "signal": f"TERM@{_SECONDS_AHEAD}",
            **{_OPTIONS[word]: _value(word, value) for word, value in self.settings.items()},
        }
        lines = [
            f"#SBATCH --{key}" + ("" if value is None else f"={value}") for key, value in options.items()
        ]
        cpus = f"--cpus-per-task={self.settings['cpus']} " if "cpus" in self.settings else ""
        return _SCRIPT.format(
            options="\n".join(lines),
            cpus=cpus,
            command=shlex.join(tasks[0].command),
            stopped=shlex.quote(str(folder / STOPPED)),
        )

    def _ask(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError:
            raise UnavailableError(f"--on slurm: {command[0]} is not installed here") from None
        except subprocess.TimeoutExpired:
            raise UnavailableError(
                f"--on slurm: {command[0]} gives no answer within {_ANSWER_SECONDS} seconds"
            ) from None


def _value(word: str, value: str) -> str:
    """Return a setting as sbatch takes it: `4h` is `04:00:00`."""
    if word != "time":
        return value
    if not (match := _HOURS.fullmatch(value)) or not any(match.groups()):
        return value
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return f"{days}-{hours:02}:{minutes:02}:{seconds:02}"


def _words(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command of Slurm says, in a line."""
    said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
    return printable(said[-1].removeprefix("sbatch: ").removeprefix("error: "))
