"""The command in front: finds the submission of its runs or makes it, and watches it to the end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from trainrun.config import Config
from trainrun.config.rendering import to_yaml
from trainrun.data import digests
from trainrun.errors import RunBusyError
from trainrun.fitting import Observer, Request
from trainrun.fitting.jobs import Outcomes, PreparedRun
from trainrun.machines.cutting import cut
from trainrun.machines.machine import STOPPED, Machine
from trainrun.machines.tasks import make_tasks
from trainrun.machines.watching import Watch
from trainrun.runs.cleaning import clear
from trainrun.runs.lock import RunLock
from trainrun.runs.matching import require_same_group
from trainrun.runs.paths import RunPaths
from trainrun.runs.reading import Run
from trainrun.runs.submissions import (
    FOLDER,
    HandedOver,
    Submission,
    SubmittedRun,
    registry_lock,
    require_unsubmitted,
    submissions,
    submitted_runs,
)
from trainrun.text import printable

_SECONDS_FOR_OTHERS = 60.0  # that submit, or save and let go of a run
_PAUSE = 0.2


class DryRun(Exception):  # noqa: N818 - it is no error
    """Ends a command that was asked what it would submit; the text is what it prints."""


@dataclass
class Front:
    """Trains runs on a machine; see `trainrun.fitting.request.Elsewhere`.

    Attributes:
        machine: where.
        on: how the user named it.
        workers: the number of tasks; None for what the machine suggests.
        detach: whether to return once the work is submitted.
        say: receives sentences for the user.
        dry_run: whether to say what would be submitted, and submit nothing.
    """

    machine: Machine
    on: str
    workers: int | None = None
    detach: bool = False
    say: Callable[[str], None] = lambda sentence: None
    dry_run: bool = False

    def train(
        self, runs: Sequence[PreparedRun], request: Request, observer: Observer, outcomes: Outcomes
    ) -> None:
        """Train runs, each to its outcome.

        Raises:
            DryRun: that is what was asked for.
            UnavailableError: the machine cannot be reached.
            UsageError: it refuses the request.
        """
        if self.dry_run:
            raise DryRun(self.preview(runs, request.runs))
        with _registry(request) as is_locked:
            if not is_locked:
                return  # asked to stop while another command submitted
            found = self._submission(runs, request.runs)
            is_new = found is None
            if is_new and (runs := self._free(runs, request, outcomes)):
                found = self._submit(runs, request)
        if found is None:
            return
        watch = Watch(self.machine, found, runs, request, observer, outcomes, self.say)
        if not is_new:
            self.say(f"Attached to {printable(self.on)}{_job(found)}")
            watch.catch_up()
        if self.detach:
            watch.leave()
        else:
            watch.until_the_end()

    def preview(self, runs: Sequence[PreparedRun], folder: Path) -> str:
        """Return what `--dry-run` prints."""
        directory = self._new_directory(runs, folder)
        parts = self._parts(runs)
        tasks = make_tasks(directory, _configs(parts))
        sizes = ", ".join(str(len(part)) for part in parts)
        text = self.machine.script(directory.name, tasks, directory)
        return text or f"{len(parts)} tasks of {sizes} runs: {' '.join(map(printable, tasks[0].command))}\n"

    def _submission(self, runs: Sequence[PreparedRun], folder: Path) -> Submission | None:
        """The submission to the same machine that has all of these runs; None if there is none."""
        wanted = {one.job.paths.label for one in runs}
        for one in submissions(folder.absolute()):
            if one.on == self.on and wanted <= {run.directory for task in one.tasks for run in task}:
                return one
        return None

    def _free(self, runs: Sequence[PreparedRun], request: Request, outcomes: Outcomes) -> list[PreparedRun]:
        """The runs that no other command trains; those that it trains have an outcome afterwards."""
        submitted = submitted_runs(request.runs)
        end = time.monotonic() + (_SECONDS_FOR_OTHERS if _has_stopped(request.runs) else 0)
        free = []
        for one in runs:
            with outcomes.carrying(one.job):
                paths = RunPaths(one.job.directory.absolute())
                require_unsubmitted(paths, submitted, None)
                if paths.lock.exists() or request.fresh:
                    _require_unlocked(one, request, end)
                free.append(one)
        return free

    def _submit(self, runs: Sequence[PreparedRun], request: Request) -> Submission:
        directory = self._new_directory(runs, request.runs)
        parts = self._parts(runs)
        tasks = make_tasks(directory, _configs(parts))
        described, texts, origins = _described(runs)
        submission = Submission(
            directory=directory,
            on=self.on,
            tasks=[[described[one.job.paths.label] for one in part] for part in parts],
            origins=origins,
            save_seconds=request.save_seconds,
            gpus=self.machine.settings.get("gpus", str(tasks[0].gpus)) != "0",
        )
        submission.write(texts)
        try:
            job = self.machine.submit(directory.name, tasks, directory)
        except BaseException:
            submission.remove()
            raise
        submission.note(HandedOver((job,), {}))
        many = "1 task" if len(tasks) == 1 else f"{len(tasks)} tasks"
        self.say(f"Submitted to {printable(self.on)}: job {printable(job)}, {many}")
        return submission

    def _parts(self, runs: Sequence[PreparedRun]) -> list[list[PreparedRun]]:
        most = self.machine.most_tasks() or len(runs)
        parts = cut([one.cell for one in runs], min(self.workers or self.machine.workers, most))
        return [[runs[place] for place in part] for part in parts]

    def _new_directory(self, runs: Sequence[PreparedRun], folder: Path) -> Path:
        """A directory that no submission has; one that was stopped keeps its own."""
        text = "\n".join([self.on, *sorted(one.job.paths.label for one in runs)])
        name = hashlib.sha256(text.encode()).hexdigest()[:8]
        number, place = 1, folder.absolute() / FOLDER / name
        while place.exists():
            number += 1
            place = place.with_name(f"{name}-{number}")
        return place


def _configs(parts: Sequence[Sequence[PreparedRun]]) -> dict[int, list[Config]]:
    return {number: [one.job.config for one in part] for number, part in enumerate(parts)}


def _described(runs: Sequence[PreparedRun]) -> tuple[dict[str, SubmittedRun], list[str], list[str]]:
    """Runs as a submission has them by their labels, the text of each config, and its origin."""
    places: dict[str, int] = {}
    found: dict[str, SubmittedRun] = {}
    texts: list[str] = []
    origins: list[str] = []
    data: list[dict[str, str]] = []
    for one in runs:
        config, id8 = one.job.config, one.job.id8
        if id8 not in places:
            places[id8] = len(texts)
            texts.append(to_yaml(config))
            origins.append(config.origin)
            data.append(digests(config.data))
        label = one.job.paths.label
        found[label] = SubmittedRun(places[id8], config.seed, label, id8, data[places[id8]])
    return found, texts, origins


@contextmanager
def _registry(request: Request) -> Iterator[bool]:
    """Hold the lock of the submissions; yield whether it is held, which it is unless asked to stop."""
    end = time.monotonic() + _SECONDS_FOR_OTHERS * 2
    while not request.stopped():
        try:
            lock = registry_lock(request.runs)
        except RunBusyError:
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE)
            continue
        with lock:
            yield True
        return
    yield False


def _require_unlocked(one: PreparedRun, request: Request, end: float) -> None:
    """Check that no process trains a run; clear it where it is to start over.

    Args:
        one: the run.
        request: of the command.
        end: until when to wait for a worker that saves.

    Raises:
        RunBusyError: a process trains it.
    """
    while True:
        try:
            with RunLock(one.job.paths):
                if request.fresh:
                    require_same_group(Run(one.job.directory), one.job.config)  # before anything is lost
                    clear(Run(one.job.directory))
            return
        except RunBusyError:
            if time.monotonic() > end or request.stopped():
                raise
            time.sleep(_PAUSE)


def _has_stopped(folder: Path) -> bool:
    """Return whether a submission was stopped, whose workers may still save."""
    with suppress(OSError):
        return any(place.joinpath(STOPPED).exists() for place in (folder / FOLDER).iterdir())
    return False


def _job(submission: Submission) -> str:
    jobs = submission.handed_over.jobs
    return f", job {printable(jobs[-1])}" if jobs else ""
