"""Watching a submission: its files say what is trained, and its machine who may still be at work.

What counts is on disk: a run is trained when its result is there. What the scheduler says is a hint only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import Any

from trainrun.errors import (
    ResourceError,
    RunBusyError,
    RunDirectoryError,
    StorageError,
    TrainrunError,
    UnavailableError,
    UsageError,
    error_of,
)
from trainrun.fitting import Observer, Request
from trainrun.fitting.jobs import Outcomes, PreparedRun
from trainrun.machines.machine import Machine
from trainrun.machines.tasks import make_tasks
from trainrun.runs.paths import RunPaths
from trainrun.runs.reading import Run
from trainrun.runs.submissions import HandedOver, Submission, read_report, registry_lock
from trainrun.text import printable, short

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0  # seconds from one look at the files to the next
_FIRST_WAIT = 2.0  # seconds to the first question to the scheduler
_MOST_TRIES = 3  # of a task that ends without its runs
_PASSING = (RunBusyError, StorageError)  # another process lets go, a folder comes back
_LOG_END = 4096  # bytes of a log that are looked at
_LONGEST_MESSAGE = 2000  # characters of what a worker says


class Watch:
    """One submission, from the side of a command that waits for some of its runs.

    Args:
        machine: where the tasks are.
        submission: all runs are in it.
        runs: those of the command.
        request: of the command.
        observer: hears how far they are.
        outcomes: receive those of the runs.
        say: receives sentences for the user.
    """

    def __init__(
        self,
        machine: Machine,
        submission: Submission,
        runs: Sequence[PreparedRun],
        request: Request,
        observer: Observer,
        outcomes: Outcomes,
        say: Callable[[str], None],
    ) -> None:
        self._machine, self._submission, self._request = machine, submission, request
        self._observer, self._outcomes, self._say = observer, outcomes, say
        self._runs = len(runs)
        self._mine = {one.job.paths.label for one in runs}
        self._left = {one.job.paths.label: one for one in runs}
        self._tasks = [
            number
            for number, task in enumerate(submission.tasks)
            if any(run.directory in self._left for run in task)
        ]
        self._handed = submission.handed_over
        self._seen: dict[int, object] = {}
        self._question: _Question | None = None
        self._asked, self._wait_to_ask = time.monotonic(), _FIRST_WAIT
        self._is_silent = False
        self._troubles = 0

    def catch_up(self) -> None:
        """Take in what has happened before this command came, and start lost tasks again."""
        for task in self._tasks:
            self._gather(task, look=True)
        if self._left:
            self._handed = self._submission.handed_over
            self._ask()
            while self._question and not self._request.stopped():
                self._take_answer()
                time.sleep(0.01)

    def until_the_end(self) -> None:
        """Watch until every run has an outcome, or the command is asked to stop."""
        pause = _FIRST_PAUSE
        while self._left and not self._request.stopped():
            self._look()
            if not self._left or self._is_over():
                break
            self._wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if not self._left:
            self._close()
        elif self._request.stopped():
            self._stop()

    def leave(self) -> None:
        """Leave the work to its machine; what is finished has its outcome.

        Raises:
            UsageError: the work would end with this command.
        """
        if not self._left:
            self._close()
            return
        if not all(map(self._machine.goes_on, self._handed.jobs)):
            self._stop()
            on = printable(self._submission.on)
            raise UsageError(f"--on {on}: its work ends with this command; leave --detach out")
        for one in self._left.values():
            self._outcomes.end(one.job, "interrupted")
        where = printable(self._submission.on)
        self._say(
            f"{len(self._left)} of {self._runs} runs are with {where}: the same command attaches to them"
        )

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._request.stopped():
            time.sleep(0.05)

    def _look(self) -> None:
        """Take in what the tasks have reported, and start tasks again that have ended without their runs."""
        reports = [self._gather(task) for task in self._tasks]
        self._tell(reports)
        self._take_answer()
        if not self._question and time.monotonic() - self._asked >= self._wait_to_ask:
            self._ask()

    def _tell(self, reports: Sequence[Mapping[str, Any]]) -> None:
        working = [report for report in reports if not isinstance(report.get("outcomes"), list)]
        training = int(sum(_number(report.get("training")) for report in working))
        hosts = {str(report.get("host")) for report in working if report.get("training")}
        ended = self._runs - len(self._left)
        where = f" on {len(hosts)} machine{'s' * (len(hosts) != 1)}" if training else ""
        waiting = max(len(self._left) - training, 0)
        words = f"{ended} of {self._runs} trained, {training} training{where}, {waiting} left"
        done = sum(_number(report.get("partly")) for report in working)
        self._observer.elsewhere(min(ended + done, self._runs), words)

    def _gather(self, task: int, *, look: bool = False) -> dict[str, Any]:
        """Set the outcomes of a task's runs that have ended; return its report.

        Args:
            task: its number.
            look: whether to look at every run, whatever the report says.
        """
        report = read_report(self._submission.report(task))
        told = _failures(report)
        news = (report.get("ended"), report.get("process"), told is not None)
        if news == self._seen.get(task) and not look:
            return report
        self._seen[task] = news
        found = []
        for run in self._submission.tasks[task]:
            one = self._left.get(run.directory)
            if one is None:
                continue
            on_disk = Run(one.job.directory)
            if on_disk.result:
                status = "diverged" if on_disk.status == "diverged" else "complete"
                self._end(one, status)
                found.append(on_disk)
            elif told and (error := told.get(run.directory) or told.get(None)):
                self._fail(one, error)
        if found:
            self._observer.ended_elsewhere(found)
        return report

    def _end(self, one: PreparedRun, status: Any, error: TrainrunError | None = None) -> None:
        del self._left[one.job.paths.label]
        self._outcomes.end(one.job, status, error)

    def _fail(self, one: PreparedRun, error: TrainrunError) -> None:
        """Set a failure, unless another try may help."""
        if not isinstance(error, _PASSING):
            self._end(one, "failed", error)

    def _ask(self) -> None:
        self._wait_to_ask = min(2 * self._wait_to_ask, self._machine.longest_wait)
        self._question = _Question(self._machine, self._submission, self._handed.jobs)

    def _take_answer(self) -> None:
        """Start tasks again that neither wait nor run, once the machine has said which do."""
        if not self._question or not self._question.is_answered:
            return
        question, self._question = self._question, None
        alive, self._asked = question.alive, time.monotonic()
        if alive is None:
            if not self._is_silent:
                self._say(f"{printable(self._submission.on)} does not answer: looking at the files alone")
            self._is_silent = True
            return
        self._is_silent = False
        if question.jobs != self._handed.jobs:
            self._handed = HandedOver(question.jobs, self._handed.tries)
        lost = [task for task in self._with_runs(self._tasks) if task not in alive]
        for task in lost:
            self._gather(task, look=True)  # it may have ended since
        if (lost := self._with_runs(lost)) and not self._is_over():
            self._start_again(lost)

    def _with_runs(self, tasks: Sequence[int]) -> list[int]:
        """Those of the tasks that have runs without an outcome."""
        return [
            task for task in tasks if any(run.directory in self._left for run in self._submission.tasks[task])
        ]

    def _start_again(self, lost: Sequence[int]) -> None:
        """Hand lost tasks over again, unless another command has just done so."""
        try:
            with registry_lock(self._submission.runs):
                now = self._submission.handed_over
                if now.jobs != self._handed.jobs and now.jobs:
                    self._handed = now
                    return
                if again := [task for task in lost if self._may_try(task)]:
                    self._hand_over(again)
        except (RunBusyError, UnavailableError):
            return  # later
        except TrainrunError as error:  # refused, or the folder is gone
            self._troubles += 1
            if not isinstance(error, StorageError | RunDirectoryError) or self._troubles > _MOST_TRIES:
                for task in lost:
                    self._give_up(task, error)

    def _may_try(self, task: int) -> bool:
        """Return whether a task is to be started again; else its runs fail."""
        if self._submission.again(task).exists():  # it has saved, and asks for it
            return True
        log, tries = self._log_end(task), self._handed.tries.get(task, 0)
        told = _failures(read_report(self._submission.report(task))) or {}
        passing = next((error for error in told.values() if isinstance(error, _PASSING)), None)
        if self._machine.has_run_out_of_memory(log):
            self._give_up(task, ResourceError(f"task {task}: out of memory: {_last_line(log)}"))
        elif tries >= _MOST_TRIES:
            place = printable(str(self._submission.log(task)))
            last = f", the last time with: {_last_line(log)}" if log.strip() else ""
            vanished = f"task {task} ended {tries + 1} times without its runs{last} ({place})"
            self._give_up(task, passing or ResourceError(vanished))
        else:
            return True
        return False

    def _give_up(self, task: int, error: TrainrunError) -> None:
        for run in self._submission.tasks[task]:
            if one := self._left.get(run.directory):
                self._end(one, "failed", error)

    def _hand_over(self, again: Sequence[int]) -> None:
        """Submit tasks of the submission a further time; the registry is locked."""
        tries = dict(self._handed.tries)
        configs = {
            number: [
                one.job.config
                for run in self._submission.tasks[number]
                if (one := self._left.get(run.directory))
            ]
            for number in again
        }
        for number in again:
            if self._submission.again(number).exists():
                self._submission.again(number).unlink(missing_ok=True)
            else:
                tries[number] = tries.get(number, 0) + 1
            self._submission.report(number).unlink(missing_ok=True)
            self._seen.pop(number, None)
        directory = self._submission.directory
        job = self._machine.submit(directory.name, make_tasks(directory, configs), directory)
        self._handed = HandedOver((*self._handed.jobs, job), tries)
        self._submission.note(self._handed)
        which = "task" if len(again) == 1 else "tasks"
        numbers = ", ".join(map(str, again))
        self._say(f"Started {which} {numbers} again, which ended without all runs: job {printable(job)}")

    def _log_end(self, task: int) -> str:
        with suppress(OSError), self._submission.log(task).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - _LOG_END, 0))
            return file.read().decode(errors="replace")
        return ""

    def _is_over(self) -> bool:
        """Return whether another command has stopped the work, or removed its record."""
        is_there = self._submission.file.exists() or not self._submission.runs.is_dir()
        if is_there and not self._submission.is_stopped:
            return False
        for task in self._tasks:
            self._gather(task, look=True)
        if self._left:
            self._say("The work was stopped by another command: the same command continues")
        return True

    def _close(self) -> None:
        """Remove the record; where runs have failed it stays for its logs, and holds no run."""
        if self._submission.is_finished():
            self._submission.remove()
        elif not self._has_others():
            with suppress(TrainrunError):
                self._submission.stop()

    def _has_others(self) -> bool:
        """Return whether runs that this command did not ask for are still to be trained."""
        others = (run.directory for task in self._submission.tasks for run in task)
        return any(
            not RunPaths(self._submission.runs / directory).result.exists()
            for directory in others
            if directory not in self._mine
        )

    def _stop(self) -> None:
        """Hand a request to stop on; the tasks save and leave by themselves."""
        with suppress(TrainrunError):
            self._submission.stop()
        for job in self._handed.jobs:
            try:
                self._machine.stop(job)
            except TrainrunError as error:
                self._say(f"{error}; its tasks may go on: stop job {printable(job)} by hand")


class _Question:
    """A question to a machine, which may take its time: which tasks wait or run.

    Args:
        machine: is asked.
        submission: whose tasks.
        jobs: what the machine calls them; none where a command was killed before it noted that.
    """

    def __init__(self, machine: Machine, submission: Submission, jobs: tuple[str, ...]) -> None:
        self.jobs = jobs
        self.alive: set[int] | None = None
        self._error: BaseException | None = None
        self._thread = Thread(target=self._ask, args=(machine, submission), daemon=True)
        self._thread.start()

    @property
    def is_answered(self) -> bool:
        """Whether there is an answer."""
        if not self._thread.is_alive() and self._error:
            raise self._error
        return not self._thread.is_alive()

    def _ask(self, machine: Machine, submission: Submission) -> None:
        try:
            if not self.jobs and (found := machine.find(submission.directory)):
                self.jobs = (found,)
            answers = [machine.alive(job) for job in self.jobs]
            known = [answer for answer in answers if answer is not None]
            self.alive = set().union(*known) if len(known) == len(answers) else None
        except BaseException as error:
            self._error = error


def _failures(report: Mapping[str, Any]) -> dict[str | None, TrainrunError] | None:
    """Return the errors of a task that has ended, by run; under None that of all; None while it works."""
    ended = report.get("outcomes")
    if not isinstance(ended, list):
        return None
    found: dict[str | None, TrainrunError] = {}
    for one in ended:
        if isinstance(one, dict) and one.get("status") == "failed":
            directory, code = one.get("directory"), one.get("code")
            lines = str(one.get("message"))[:_LONGEST_MESSAGE].splitlines()
            error = error_of(code if isinstance(code, int) else 1, "\n".join(map(printable, lines)))
            found[directory if isinstance(directory, str) else None] = error
    return found


def _last_line(log: str) -> str:
    return short((log.strip().splitlines() or ["nothing in its log"])[-1])


def _number(value: object) -> float:
    """Return a number of a report; 0 for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e12:
        return 0.0
    return float(value) if math.isfinite(value) else 0.0
