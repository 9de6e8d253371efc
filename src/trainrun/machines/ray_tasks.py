"""Tasks on Ray: a worker on a node trains one of them, a keeper sees to it that all come to their end.

Whoever keeps them owns them: this command's own process, or an actor of the cluster that outlives it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trainrun.errors import RunBusyError, TrainrunError
from trainrun.jsonio import to_json
from trainrun.machines.leash import tied
from trainrun.machines.machine import STOPPED
from trainrun.machines.parcels import Parcel, Returns, outward, take_in, unpack
from trainrun.runs.files import read_bytes, remove_temporaries, write_files
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths
from trainrun.runs.submissions import Submission, read_submission

#: The file by which a machine shows that it sees the folder of a submission.
TOKEN = "ray-token"
#: The file that is locked while the tasks of a submission end with their command.
HELD = "ray-held"
NAMESPACE = "trainrun"
_LOOK_SECONDS = 0.5  # from one look at a worker to the next
_ANSWER_SECONDS = 0.2  # to wait for any worker's answer
_MOST_LOSSES = 5  # of the workers of a task, one after the other, without a checkpoint between them
_SECONDS_FOR_OTHERS = 60.0  # to let go of a run
_LEFT = {75, 143}  # exit codes of a process that was asked to stop, by whatever machine it is on
_TEMPORARY = "trainrun-ray-"


@dataclass(frozen=True)
class Order:
    """Tasks to keep, as plain data.

    Attributes:
        folder: of the submission.
        tasks: by number, the words of each behind the interpreter.
        cpus: processors of each.
        gpus: of each; parts of one are allowed.
        token: what the folder's token file holds.
        shared: whether the machines see the folder.
    """

    folder: str
    tasks: Mapping[int, Sequence[str]]
    cpus: float
    gpus: float
    token: str
    shared: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def sees(folder: str, token: str) -> bool:
    """Return whether this machine sees the folder of a submission."""
    try:
        return read_bytes(Path(folder, TOKEN)).decode() == token
    except (OSError, ValueError):
        return False


class Worker:
    """Trains one task on a node, in a process of its own."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._returns: Returns | None = None
        self._folder: Path | None = None

    def begin(
        self, order: Mapping[str, Any], task: int, token: str | None, parcel: Parcel | None = None
    ) -> bool:
        """Start to train; return whether this machine can.

        Args:
            order: which has the task.
            task: its number.
            token: what the folder must show; None where a parcel is given.
            parcel: what to train, where this machine does not see the folder.
        """
        folder, words = str(order["folder"]), order["tasks"][task]
        if token is not None and not sees(folder, token):
            return False
        place = Path(folder)
        if parcel is not None:
            _remove_what_others_left()
            self._folder = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY}{os.getpid()}-"))
            place = self._folder / place.relative_to(place.parent.parent)
            unpack(parcel, self._folder)
            self._returns = Returns(read_submission(place), task)
        words = [str(place) if word == folder else word for word in words]
        words = [sys.executable, *words, "--task", str(task)]
        with (place / f"log-{task}.txt").open("ab") as log:
            self._process = subprocess.Popen(
                tied(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(order["gpus"])
            )
        return True

    def look(self) -> tuple[int | None, Parcel]:
        """Return the exit code, None while it trains, and the files that have changed."""
        code = self._process.poll() if self._process else 1
        parcel = self._returns.collect() if self._returns else {}
        if code is not None and self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        return code, parcel

    def stop(self) -> None:
        """Ask it to save and leave."""
        if self._process:
            self._process.terminate()


def _environment(gpus: float) -> dict[str, str]:
    """The environment of a process that trains: nothing of Ray's but the choice of GPUs."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    own.pop("TRAINRUN_RESUMABLE_EXIT", None)
    return own if gpus else {**own, "CUDA_VISIBLE_DEVICES": ""}


def _remove_what_others_left() -> None:
    """Remove the folders of workers of this user that have died."""
    for path in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
        number = path.name.removeprefix(_TEMPORARY).partition("-")[0]
        if number.isdecimal() and path.stat().st_uid == os.getuid() and not Path("/proc", number).exists():
            shutil.rmtree(path, ignore_errors=True)


@dataclass
class _Kept:
    """A task, from its keeper's side."""

    number: int
    actor: Any = None
    answer: Any = None
    begun: bool = False
    told: bool = False
    ended: bool = False
    losses: int = 0
    looked: float = 0.0
    waits_since: float | None = None
    locks: ExitStack = field(default_factory=ExitStack)


class Keeper:
    """Keeps tasks until they have ended: what dies is started again, from its last checkpoint.

    Args:
        order: which tasks.
        say: receives lines about what has died.
    """

    def __init__(self, order: Order, say: Any = lambda line: None) -> None:
        self._order, self._say = order, say
        self._folder = Path(order.folder)
        self._tasks = [_Kept(number) for number in order.tasks]
        self._stopping = False
        self._submission: Submission | None = None if order.shared else read_submission(self._folder)

    @property
    def folder(self) -> str:
        """The folder of the submission."""
        return self._order.folder

    def alive(self) -> list[int]:
        """Return the numbers of the tasks that have not ended."""
        return [task.number for task in self._tasks if not task.ended]

    def stop(self) -> None:
        """Ask the tasks to save and leave."""
        self._stopping = True

    def turn(self) -> None:
        """Look after all tasks once; return within a second.

        Raises:
            TrainrunError: what has come back cannot be written.
        """
        import ray

        if self._order.shared and (self._folder / STOPPED).exists():
            self._stopping = True
        now = time.monotonic()
        for task in self._tasks:
            if not task.ended:
                self._go_on(task, now)
        waiting = {task.answer: task for task in self._tasks if task.answer is not None}
        if not waiting:
            time.sleep(_ANSWER_SECONDS)
            return
        ready, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=_ANSWER_SECONDS)
        for answer in ready:
            task = waiting[answer]
            task.answer = None
            try:
                self._take(task, ray.get(answer))
            except ray.exceptions.RayError as error:
                self._lost(task, str(error))

    def _go_on(self, task: _Kept, now: float) -> None:
        if self._stopping and not task.begun:
            self._end(task)
        elif self._stopping and not task.told:
            task.told = True
            task.actor.stop.remote()
        elif task.actor is None:
            self._start(task, now)
        elif task.answer is None and now - task.looked >= _LOOK_SECONDS:
            task.looked = now
            task.answer = task.actor.look.remote()

    def _start(self, task: _Kept, now: float) -> None:
        import ray

        order = self._order
        parcel = None
        if self._submission:
            if not self._lock(task, now):
                return
            parcel = outward(self._submission, task.number)
        resources = {"num_cpus": order.cpus, "num_gpus": order.gpus}
        task.actor = ray.remote(Worker).options(**resources, max_restarts=0).remote()
        token = order.token if order.shared else None
        task.answer = task.actor.begin.remote(order.to_json(), task.number, token, parcel)

    def _lock(self, task: _Kept, now: float) -> bool:
        """Lock the runs of a task, which trains where locks do not reach; return whether they are locked."""
        assert self._submission
        task.locks.close()
        try:
            for run in self._submission.tasks[task.number]:
                paths = RunPaths(self._submission.runs / run.directory)
                task.locks.enter_context(RunLock(paths))
                remove_temporaries(paths.directory)
        except RunBusyError as error:
            task.locks.close()
            task.waits_since = task.waits_since or now
            if now - task.waits_since > _SECONDS_FOR_OTHERS:
                self._report_failure(task, error)
                self._end(task)
            return False
        task.waits_since = None
        return True

    def _report_failure(self, task: _Kept, error: TrainrunError) -> None:
        assert self._submission
        outcome = {"directory": None, "status": "failed", "code": error.exit_code, "message": str(error)}
        content = to_json({"outcomes": [outcome]}).encode()
        write_files({self._submission.report(task.number): content})

    def _take(self, task: _Kept, answer: Any) -> None:
        """Take in what a worker has answered."""
        if not task.begun:
            if answer is not True:
                self._lost(task, "does not see the folder of runs")
            task.begun = answer is True
            return
        code, parcel = answer
        if self._submission and parcel:
            take_in(parcel, self._submission, task.number)
            if any(name.endswith((".ckpt", "result.json")) for name in parcel):
                task.losses = 0
        if code is None:
            return
        if (code in _LEFT or code < 0) and not self._stopping:
            self._lost(task, f"its process has left with exit code {code}")
        else:
            self._end(task)

    def _lost(self, task: _Kept, why: str) -> None:
        self._say(f"task {task.number}: {why}")
        self._let_go(task)
        task.losses += 1
        if self._stopping or task.losses > _MOST_LOSSES:
            self._end(task)

    def _end(self, task: _Kept) -> None:
        self._let_go(task)
        task.locks.close()
        task.ended = True

    def _let_go(self, task: _Kept) -> None:
        if task.actor is not None:
            import ray

            with suppress(Exception):  # it is dead, or Ray is
                ray.kill(task.actor)
        task.actor = task.answer = None
        task.begun = task.told = False


class DetachedKeeper:
    """Keeps tasks in the cluster, whatever becomes of the command; it leaves once all have ended.

    Args:
        order: the tasks, as plain data.
    """

    def __init__(self, order: Mapping[str, Any]) -> None:
        self._keeper = Keeper(Order(**order), lambda line: print(line, flush=True))
        threading.Thread(target=self._keep, daemon=True).start()

    def alive(self) -> list[int]:
        """Return the numbers of the tasks that have not ended."""
        return self._keeper.alive()

    def stop(self) -> None:
        """Ask the tasks to save and leave."""
        self._keeper.stop()

    def _keep(self) -> None:
        import ray

        try:
            while self._keeper.alive():
                self._keeper.turn()
        finally:  # the command would wait for a keeper that keeps nothing
            ray.kill(ray.get_runtime_context().current_actor, no_restart=True)
