"""The command in front: hands runs to a machine, watches their files, and gathers the outcomes.

What counts is on disk: a run is trained when its result is there. What the scheduler says is a hint only.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainrun.config.rendering import to_yaml
from trainrun.data import digests
from trainrun.errors import ResourceError, TrainrunError, UsageError, error_of
from trainrun.fitting import Observer, Request
from trainrun.fitting.jobs import Outcomes, PreparedRun
from trainrun.machines.cutting import cut
from trainrun.machines.machine import STOPPED, Machine, Task
from trainrun.runs.files import write_files
from trainrun.runs.reading import Run
from trainrun.runs.submissions import (
    FOLDER,
    Submission,
    SubmittedRun,
    read_report,
    read_submission,
    require_unsubmitted,
    submissions,
)
from trainrun.text import printable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0  # seconds from one look at the files to the next
_MOST_TRIES = 3  # of a task that ends without its runs


class DetachedError(TrainrunError):
    """The work goes on without this command."""

    exit_code = 75


@dataclass
class Front:
    """Trains runs on a machine; see `trainrun.fitting.request.Elsewhere`.

    Attributes:
        machine: where.
        on: how the user named it.
        workers: the number of tasks; None for what the machine suggests.
        detach: whether to return once the work is submitted.
        say: receives sentences for the user.
    """

    machine: Machine
    on: str
    workers: int | None = None
    detach: bool = False
    say: Callable[[str], None] = lambda sentence: None

    def train(
        self, runs: Sequence[PreparedRun], request: Request, observer: Observer, outcomes: Outcomes
    ) -> None:
        """Train runs, each to its outcome."""
        found = self._submission(runs, request.runs)
        directory = found.directory if found else request.runs.absolute() / FOLDER / _name(runs)
        free = []
        for one in runs:
            with outcomes.carrying(one.job):
                require_unsubmitted(one.job.directory.absolute(), directory.name)
                free.append(one)
        if len(free) < len(runs):
            return  # some of them belong to another command: it has all, or none
        watch = _Watch(self, directory, runs, request, observer, outcomes)
        watch.attach_or_submit()
        if self.detach:
            watch.require_going_on()
            error = DetachedError(f"submitted to {printable(self.on)}: the same command says how far it is")
            for one in runs:
                outcomes.end(one.job, "interrupted")
            self.say(str(error))
            return
        watch.until_the_end()

    def _submission(self, runs: Sequence[PreparedRun], folder: Path) -> Submission | None:
        """The submission to the same machine that has all of these runs; None if there is none."""
        wanted = {one.job.paths.label for one in runs}
        for one in submissions(folder.absolute()):
            if one.on == self.on and wanted <= {run.directory for task in one.tasks for run in task}:
                return one
        return None

    def preview(self, runs: Sequence[PreparedRun], folder: Path) -> str | None:
        """Return what `--dry-run` prints; None where the machine has nothing to show."""
        directory = folder.absolute() / FOLDER / _name(runs)
        parts = cut([one.cell for one in runs], self.workers or self.machine.workers)
        tasks = [_task(directory, number) for number in range(len(parts))]
        return self.machine.script(directory.name, tasks, directory)


class _Watch:
    """One submission, from the command's side."""

    def __init__(
        self,
        front: Front,
        directory: Path,
        runs: Sequence[PreparedRun],
        request: Request,
        observer: Observer,
        outcomes: Outcomes,
    ) -> None:
        self._front, self._machine = front, front.machine
        self._directory, self._request = directory, request
        self._observer, self._outcomes = observer, outcomes
        self._jobs = {one.job.paths.label: one for one in runs}
        self._submission: Submission | None = None
        self._job = ""
        self._tries = 0
        self._asked = 0.0

    def attach_or_submit(self) -> None:
        """Find the work that an earlier command has submitted; submit it where there is none."""
        with suppress(TrainrunError):
            self._submission = read_submission(self._directory)
        if self._submission and (job := self._submission.job):
            self._job = job
            if self._alive():
                self._front.say(f"Attached to {printable(self._front.on)}, job {printable(job)}")
                return
        self._submit()

    def require_going_on(self) -> None:
        """Check that the work goes on without this command.

        Raises:
            UsageError: it would end.
        """
        if not self._machine.goes_on(self._job):
            self._stop()
            on = printable(self._front.on)
            raise UsageError(f"--detach: the work of --on {on} ends with this command; leave --detach out")

    def _submit(self) -> None:
        runs = list(self._jobs.values())
        configs: dict[str, int] = {}
        texts: list[str] = []
        origins: list[str] = []
        described = []
        for one in runs:
            config = one.job.config
            if one.job.id8 not in configs:
                configs[one.job.id8] = len(texts)
                texts.append(to_yaml(config))
                origins.append(config.origin)
            described.append(
                SubmittedRun(
                    config=configs[one.job.id8],
                    seed=config.seed,
                    directory=one.job.paths.label,
                    id8=one.job.id8,
                    digests=digests(config.data),
                )
            )
        parts = cut([one.cell for one in runs], self._front.workers or self._machine.workers)
        self._submission = Submission(
            directory=self._directory,
            on=self._front.on,
            tasks=[[described[place] for place in part] for part in parts],
            origins=origins,
            save_seconds=self._request.save_seconds,
        )
        with suppress(OSError):
            (self._directory / STOPPED).unlink()
        for number in range(len(parts)):
            with suppress(OSError):
                self._submission.report(number).unlink()
        self._submission.write(texts)
        tasks = [_task(self._directory, number) for number in range(len(parts))]
        try:
            self._job = self._machine.submit(self._directory.name, tasks, self._directory)
        except TrainrunError:
            self._submission.remove()
            raise
        self._submission.submitted(self._job)
        many = "1 task" if len(tasks) == 1 else f"{len(tasks)} tasks"
        self._front.say(f"Submitted to {printable(self._front.on)}: job {printable(self._job)}, {many}")

    def until_the_end(self) -> None:
        """Watch until every run has an outcome, or the command is asked to stop."""
        pause = _FIRST_PAUSE
        while self._left() and not self._request.stopped():
            self._look()
            if self._left():
                self._wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        if self._left():
            self._stop()
        elif self._submission:
            self._submission.remove()

    def _left(self) -> list[PreparedRun]:
        return [one for one in self._jobs.values() if self._outcomes.missing(one.job)]

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._request.stopped():
            time.sleep(0.05)

    def _look(self) -> None:
        """Take in what the tasks have reported, and start tasks again that have ended without their runs."""
        assert self._submission
        reports = [read_report(self._submission.report(task)) for task in range(len(self._submission.tasks))]
        finished = []
        for task, report in enumerate(reports):
            finished += self._gather(task, report)
        if finished:
            self._observer.ended_elsewhere(finished)
        done = sum(_number(report.get("done")) for report in reports)
        ended, training = (int(sum(_number(r.get(key)) for r in reports)) for key in ("ended", "training"))
        hosts = {
            str(report["host"]) for report in reports if report.get("host") and report.get("outcomes") is None
        }
        left = len(self._jobs) - ended - training
        where = f" on {len(hosts)} machine{'s' * (len(hosts) != 1)}" if training else ""
        words = f"{ended} of {len(self._jobs)} trained, {training} training{where}, {max(left, 0)} left"
        self._observer.elsewhere(done, words)
        if time.monotonic() - self._asked >= self._machine.seconds_between_questions:
            self._look_after_tasks()

    def _gather(self, task: int, report: dict[str, Any]) -> list[Run]:
        """Set the outcomes of a task that has ended; return its runs that are finished now."""
        assert self._submission
        ended = report.get("outcomes")
        if not isinstance(ended, list):
            return []
        said = {one.get("directory"): one for one in ended if isinstance(one, dict)}
        failure = next((one for one in said.values() if one.get("directory") is None), None)
        found = []
        for run in self._submission.tasks[task]:
            one = self._jobs.get(run.directory)
            if one is None or not self._outcomes.missing(one.job):
                continue
            told = said.get(run.directory) or failure
            on_disk = Run(one.job.directory)
            if on_disk.result:
                self._outcomes.end(one.job, "diverged" if on_disk.status == "diverged" else "complete")
                found.append(on_disk)
            elif told and told.get("status") == "failed":
                error = error_of(int(_number(told.get("code"))) or 1, str(told.get("message")))
                self._outcomes.end(one.job, "failed", error)
        return found

    def _look_after_tasks(self) -> None:
        """Start the rest again where the scheduler knows of no task that could still train it."""
        alive = self._alive()
        if alive is None or alive:
            return
        time.sleep(_FIRST_PAUSE)  # what a task has just written may not be seen yet
        assert self._submission
        for task in range(len(self._submission.tasks)):
            self._gather(task, read_report(self._submission.report(task)))
        for one in self._left():
            if Run(one.job.directory).result:
                self._outcomes.end(one.job, "complete")
        if left := self._left():
            self._tries += 1
            if self._tries > _MOST_TRIES:
                for one in left:
                    sentence = f"{one.job.config.name}: its tasks end without it; see {self._directory}"
                    self._outcomes.end(one.job, "failed", ResourceError(sentence))
                return
            self._jobs = {one.job.paths.label: one for one in left}
            self._submit()

    def _alive(self) -> set[int] | None:
        self._asked = time.monotonic()
        return self._machine.alive(self._job)

    def _stop(self) -> None:
        """Hand a request to stop on; the tasks save and leave by themselves."""
        with suppress(TrainrunError):
            write_files({self._directory / STOPPED: b""})
        with suppress(TrainrunError):
            self._machine.stop(self._job)


def _name(runs: Sequence[PreparedRun]) -> str:
    """The name of a submission: the same runs have the same, whatever else the command says."""
    places = sorted(one.job.paths.label for one in runs)
    return hashlib.sha256("\n".join(places).encode()).hexdigest()[:8]


def _task(directory: Path, number: int) -> Task:
    command = [sys.executable, "-m", "trainrun", "work", str(directory)]
    return Task(number, command, directory / f"log-{number}.txt")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
