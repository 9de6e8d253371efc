"""Slurm: a job array of tasks that are queued again until their runs are trained."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from trainrun.errors import UnavailableError, UsageError
from trainrun.machines.machine import STOPPED, Machine, Task
from trainrun.os_errors import explained
from trainrun.text import printable

_ANSWER_SECONDS = 60  # a busy controller takes its time
_STOP_SECONDS = 10  # a command that was asked to stop waits no longer than this
_SECONDS_AHEAD = 60  # of the time limit, to save
_MOST_TASKS = 1001  # Slurm's own default
_OPTIONS = {
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "time": "time",
    "cpus": "cpus-per-task",
    "memory": "mem",
    "gpus": "gpus",  # of the job, which is one task: `gpus-per-task` is refused at some sites
    "constraint": "constraint",
    "nodelist": "nodelist",
    "exclude": "exclude",
}
_SPANS = re.compile(r"(?=\d)(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?")
_CLOCK = r"\d{1,9}|\d{1,9}(?::\d{1,9}){1,2}|\d{1,9}-\d{1,9}(?::\d{1,9}){0,2}|UNLIMITED|INFINITE"
#: What a value must look like, and in words. A blank or a quote would begin another option of sbatch.
_FORMS = {
    "time": (rf"{_CLOCK}|{_SPANS.pattern}", "a time such as 4h, 1h30m or 1-00:00:00"),
    "cpus": (r"[1-9]\d{0,5}", "a whole number from 1"),
    "memory": (r"\d{1,12}[KMGT]?", "an amount of memory such as 8G"),
    "gpus": (r"(?:[\w.-]+:)?\d{1,4}", "a number such as 1, or a kind and a number such as a100:1"),
}
_ANY_FORM = (r"[^\s'\"\\#-][^\s'\"\\]*", "a word without blanks and quotes")
_UNREACHABLE = re.compile(
    r"[Uu]nable to contact slurm controller|[Ss]ocket timed out|[Cc]onnection refused|connection failure|"
    r"[Zz]ero [Bb]ytes were transmitted|[Cc]ould not establish a configuration source|"
    r"[Uu]nable to connect|authentication plugin"
)
_OVER = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE", "BOOT_FAIL"}
# What a job around this command has set would be taken for options of the new one.
_NOT_HANDED_ON = re.compile(
    r"SLURM_(?!CONF$)|SQUEUE_|SCANCEL_|SBATCH_(ARRAY_INX|OUTPUT|SIGNAL|NO_REQUEUE|REQUEUE|WAIT)$"
)
# After a signal or the time limit the task has saved: it is queued again, and after a kill (137) some times.
# A task that was cancelled is not. Where scontrol is missing, a file asks the command in front for it.
_SCRIPT = """\
#!/bin/bash
{options}
exec >> {folder}/"log-$SLURM_ARRAY_TASK_ID.txt" 2>&1
export TRAINRUN_RESUMABLE_EXIT=75
again() {{
  [ -e {folder}/{stopped} ] || scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID" \\
    || touch {folder}/"again-$SLURM_ARRAY_TASK_ID"
}}
srun --ntasks=1 --kill-on-bad-exit=0 {cpus}\\
  {command} --task "$SLURM_ARRAY_TASK_ID"
code=$?
case $code in
  75 | 143) again ;;
  137) [ "${{SLURM_RESTART_COUNT:-0}}" -ge 3 ] || again ;;
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

    def check(self, word: str, value: str) -> str | None:
        """Return what the value of a setting must be; see `Machine`."""
        form, sentence = _FORMS.get(word, _ANY_FORM)
        return None if re.fullmatch(form, value) else sentence

    def most_tasks(self) -> int:
        """Return how many tasks an array takes: `MaxArraySize` caps its largest index."""
        with suppress(UnavailableError):
            said = self._ask(["scontrol", "show", "config"]).stdout
            if found := re.search(r"^MaxArraySize\s*=\s*(\d{1,9})\s*$", said, re.MULTILINE):
                return max(int(found[1]), 1)
        return _MOST_TASKS

    def submit(self, name: str, tasks: Sequence[Task], folder: Path) -> str:
        """Submit a job array; see `Machine`."""
        script = folder / "job.sh"
        with explained(script):
            script.write_text(self.script(name, tasks, folder))
        done = self._ask(["sbatch", "--parsable", str(script)])
        job = done.stdout.strip().partition(";")[0]
        if done.returncode == 0 and job.isdecimal():
            return job
        if not _UNREACHABLE.search(done.stderr):
            raise UsageError(f"--on slurm: sbatch refuses the job: {_words(done)}")
        if found := self.find(folder):  # the answer was lost, not the job
            return found
        raise UnavailableError(f"--on slurm: cannot be reached: {_words(done)}")

    def find(self, folder: Path) -> str | None:
        """Return the array of a folder, which its name tells; see `Machine`."""
        with suppress(UnavailableError):
            done = self._ask(["squeue", "--noheader", f"--name={_job_name(folder)}", "--format=%F"])
            found = [word for word in done.stdout.split() if word.isdecimal()]
            return max(found, key=int, default=None) if done.returncode == 0 else None
        return None

    def alive(self, job: str) -> set[int] | None:
        """Return the tasks that squeue knows; see `Machine`."""
        try:
            done = self._ask(["squeue", "--noheader", "--array", f"--jobs={job}", "--format=%K %T"])
        except UnavailableError:
            return None
        if done.returncode != 0:
            return set() if "Invalid job id" in done.stderr else None
        found = (line.split() for line in done.stdout.splitlines())
        return {
            int(words[0])
            for words in found
            if len(words) == 2 and words[0].isdecimal() and words[1] not in _OVER
        }

    def stop(self, job: str) -> None:
        """Cancel the array, which sends TERM to its tasks; see `Machine`."""
        done = self._ask(["scancel", job], _STOP_SECONDS)
        if done.returncode != 0:
            raise UnavailableError(f"--on slurm: scancel {job} fails: {_words(done)}")

    def script(self, name: str, tasks: Sequence[Task], folder: Path) -> str:
        """Return the script of the array; see `Machine`."""
        settings = self._with_defaults(tasks)
        options = {
            "job-name": _job_name(folder),
            "array": ",".join(str(task.number) for task in tasks),
            "ntasks": "1",
            "requeue": None,
            "output": "/dev/null",  # the script writes its log itself: any path is right there
            "signal": f"TERM@{_SECONDS_AHEAD}",
            **{_OPTIONS[word]: _value(word, value) for word, value in settings.items()},
        }
        lines = [
            f"#SBATCH --{key}" + ("" if value is None else f"={value}") for key, value in options.items()
        ]
        return _SCRIPT.format(
            options="\n".join(lines),
            cpus=f"--cpus-per-task={settings['cpus']} " if "cpus" in settings else "",
            command=shlex.join(tasks[0].command),
            folder=shlex.quote(str(folder)),
            stopped=STOPPED,
        )

    def _with_defaults(self, tasks: Sequence[Task]) -> dict[str, str]:
        """The settings, and what the configs ask for where they do not say."""
        cpus, gpus = max(task.cpus or 0 for task in tasks), max(task.gpus for task in tasks)
        asked = {"cpus": str(cpus)} if cpus else {}
        asked |= {"gpus": str(gpus)} if gpus else {}
        settings = {**asked, **self.settings}
        return {word: value for word, value in settings.items() if (word, value) != ("gpus", "0")}

    def _ask(
        self, command: Sequence[str], seconds: float = _ANSWER_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of Slurm; a Ctrl-C of the terminal does not reach it."""
        environment = {name: value for name, value in os.environ.items() if not _NOT_HANDED_ON.match(name)}
        try:
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except OSError:
            raise UnavailableError(f"--on slurm: {command[0]} is not installed here") from None
        except subprocess.TimeoutExpired:
            raise UnavailableError(
                f"--on slurm: {command[0]} gives no answer within {seconds} seconds"
            ) from None


def _job_name(folder: Path) -> str:
    """Return a job's name, by which a command finds the job of a folder again."""
    return f"trainrun-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"


def _value(word: str, value: str) -> str:
    """Return a setting as sbatch takes it: `4h` is `0-04:00:00`."""
    match = _SPANS.fullmatch(value) if word == "time" else None
    if not match:
        return value
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    minutes, seconds = minutes + seconds // 60, seconds % 60
    hours, minutes = hours + minutes // 60, minutes % 60
    days, hours = days + hours // 24, hours % 24
    return f"{days}-{hours:02}:{minutes:02}:{seconds:02}"


def _words(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command of Slurm says, in a line."""
    said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
    return printable(re.sub(r"^\w+: (error: )?", "", said[-1]))
