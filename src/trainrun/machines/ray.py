"""Ray: tasks on one machine, or on a cluster that is there already."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, ClassVar

from trainrun.errors import UnavailableError, error_of
from trainrun.machines.machine import Machine, Task
from trainrun.machines.ray_tasks import HELD, TOKEN
from trainrun.runs.files import read_bytes, write_files
from trainrun.runs.submissions import read_submission
from trainrun.text import printable

_JOB = "ray-job"
_ANSWER_SECONDS = 60.0  # to connect, or to start
_LAST_WORDS_SECONDS = 2.0  # to read what a process has said before its end
_MOST_TASKS = 4  # of a command on one machine, unless `--workers` says so


class Ray(Machine):
    """Ray on this machine, started and ended by the command; or, with an address, a cluster."""

    name = "ray"
    longest_wait = 1.0
    known: ClassVar[Mapping[str, str]] = {
        "address": "of a cluster: auto, host:port or ray://host:port; none: this machine",
        "cpus": "processors of a task; without it those that the configs ask for, or 1",
        "gpus": "GPUs of a task; parts such as 0.5 are allowed; without it those that the configs ask for",
        "shared": "whether the machines see the folder of runs: yes, no, or auto to try",
    }

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(settings)
        self._address = self.settings.get("address")
        self._driver: _Driver | None = None
        self._submitted: set[str] = set()

    def check(self, word: str, value: str) -> str | None:
        """Return what the value of a setting must be; None where it is right; see `Machine`."""
        if word == "shared" and value not in ("auto", "yes", "no"):
            return "yes, no or auto"
        if word in ("cpus", "gpus") and not _is_amount(value):
            return "a number such as 1 or 0.5"
        return None

    @classmethod
    def parse(cls, text: str) -> dict[str, str]:
        """Return the settings in a text: an address, pairs, or both; see `Machine`."""
        first, _, rest = text.partition(",")
        if not first or "=" in first:
            return super().parse(text)
        return {"address": first, **super().parse(rest)}

    @property
    def workers(self) -> int:
        """As many as there is room for on this machine, and not more than it is worth."""
        if self._address:
            return super().workers
        if gpus := float(self.settings.get("gpus", "0")):
            from trainrun.engine.device import gpu_names

            return max(1, int(len(gpu_names()) / gpus))
        cpus = float(self.settings.get("cpus", "1"))
        return max(1, min(_MOST_TASKS, int(processors() / max(cpus, 0.01))))

    def submit(self, name: str, tasks: Sequence[Task], folder: Path) -> str:
        """Hand tasks to Ray; see `Machine`. What goes wrong from here on is said by `alive`."""
        token = secrets.token_hex(16)
        ends_here = not self._address or self.settings.get("shared") == "no"
        number = secrets.token_hex(2)
        job = f"{folder}:{number}" if ends_here else f"trainrun-{name}-{number}"
        write_files({folder / TOKEN: token.encode(), folder / _JOB: job.encode()})
        gpus = float(self.settings.get("gpus") or max(task.gpus for task in tasks))
        order = {
            "folder": str(folder),
            "tasks": {task.number: list(task.command[1:]) for task in tasks},
            "cpus": float(self.settings.get("cpus") or max(task.cpus or 1 for task in tasks)),
            "gpus": gpus,
            "token": token,
        }
        self._submitted.add(job)
        self._connected(folder, gpus > 0).send(do="submit", job=job, order=order)
        return job

    def find(self, folder: Path) -> str | None:
        """Return the job of a folder; see `Machine`."""
        with suppress(OSError, ValueError):
            return read_bytes(folder / _JOB).decode()
        return None

    def alive(self, job: str) -> set[int] | None:
        """Return the tasks that have not ended; see `Machine`.

        Raises:
            TrainrunError: Ray cannot be reached, or what came back could not be written.
        """
        if self._driver and self._driver.knows(job):
            return self._driver.alive(job)
        if folder := _folder(job):
            return set() if job in self._submitted else _kept_by_another_command(folder)
        driver = self._connected(None)
        driver.send(do="attach", job=job)
        return driver.wait_for(job)

    def stop(self, job: str) -> None:
        """Ask the tasks to save and leave; see `Machine`."""
        if self._driver and self._driver.knows(job):
            self._driver.send(do="stop", job=job)

    def goes_on(self, job: str) -> bool:
        """Return whether the tasks go on without this command; see `Machine`."""
        if _folder(job):
            return False
        return self._driver is None or self._driver.goes_on(job)

    def _connected(self, folder: Path | None, with_gpus: bool = False) -> _Driver:
        """The driver of this command, which is started if there is none."""
        if self._driver is None or not self._driver.is_running():
            if importlib.util.find_spec("ray") is None:
                raise UnavailableError("--on ray: needs Ray; pip install 'trainrun[ray]'")
            settings = {
                "address": self._address,
                "gpus": with_gpus,
                "shared": self.settings.get("shared", "auto"),
                "processors": processors(),
            }
            self._driver = _Driver(settings, folder and folder / "ray.log")
        return self._driver


class _Driver:
    """The process that talks to Ray, from the command's side.

    Args:
        settings: for `trainrun.machines.ray_driver`.
        log: the file for what Ray says.
    """

    def __init__(self, settings: Mapping[str, Any], log: Path | None) -> None:
        self._alive: dict[str, set[int]] = {}
        self._held: dict[str, bool] = {}
        self._sent: set[str] = set()
        self._error: tuple[int, str] | None = None
        self._is_local = settings["address"] is None
        self._where = "" if self._is_local else f" at {printable(settings['address'])}"
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        reading, writing = os.pipe()
        words = [sys.executable, "-m", "trainrun.machines.ray_driver", str(writing)]
        with Path(log or os.devnull).open("ab") as said:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                pass_fds=[writing],
                start_new_session=True,  # a terminal's Ctrl-C is for the command in front
            )
        os.close(writing)
        self._reader = threading.Thread(target=self._read, args=[os.fdopen(reading)], daemon=True)
        self._reader.start()
        self._write(settings)

    def send(self, *, do: str, job: str, order: Mapping[str, Any] | None = None) -> None:
        """Give an order."""
        self._sent.add(job)
        if order:
            self._alive[job] = set(order["tasks"])
        self._write({"do": do, "job": job, "order": order})

    def knows(self, job: str) -> bool:
        """Return whether this process has an order for a job, and may still answer."""
        return job in self._sent and (self.is_running() or self._is_local or self._error is not None)

    def is_running(self) -> bool:
        """Return whether the process is there."""
        return self._process.poll() is None

    def alive(self, job: str) -> set[int]:
        """Return the tasks of a job that have not ended.

        Raises:
            TrainrunError: as the process has said.
        """
        is_running = self.is_running()
        if not is_running:
            self._reader.join(_LAST_WORDS_SECONDS)
        if self._error:
            code, message = self._error
            raise error_of(code, message)
        return self._alive.get(job, set()) if is_running else set()

    def wait_for(self, job: str) -> set[int]:
        """Return the tasks of a job, once the process has said which.

        Raises:
            UnavailableError: it does not say it in time.
        """
        end = time.monotonic() + _ANSWER_SECONDS
        while job not in self._alive and self.is_running() and time.monotonic() < end:
            self._wait()
        found = self.alive(job)
        if job not in self._alive:
            self._process.kill()
            raise UnavailableError(
                f"--on ray: no Ray{self._where} answers within {_ANSWER_SECONDS:.0f} seconds"
            )
        return found

    def goes_on(self, job: str) -> bool:
        """Return whether the tasks of a job go on without this process, once it has said so."""
        end = time.monotonic() + _ANSWER_SECONDS
        while job not in self._held and self.is_running() and time.monotonic() < end:
            self._wait()
        self.alive(job)
        return not self._held.get(job, True)

    def _wait(self) -> None:
        with suppress(queue.Empty):
            self._news.get(timeout=0.2)

    def _read(self, answers: IO[str]) -> None:
        with answers:
            for line in answers:
                facts = json.loads(line)
                if "error" in facts:
                    self._error = int(facts["code"]), str(facts["error"])
                elif "alive" in facts:
                    self._alive[facts["job"]] = set(facts["alive"])
                elif "held" in facts:
                    self._held[facts["job"]] = facts["held"]
                self._news.put(None)

    def _write(self, facts: Mapping[str, Any]) -> None:
        assert self._process.stdin
        with suppress(OSError):  # it has died, as `alive` will say
            self._process.stdin.write(json.dumps(facts).encode() + b"\n")
            self._process.stdin.flush()


def processors() -> int:
    """Return how many processors this process may use: its share of the machine, not all of it."""
    from trainrun.engine.device import usable_processors

    return max(1, math.floor(min(usable_processors(), _share())))


def _share() -> float:
    """The processors that the control group allows; infinite where there is none."""
    root = Path("/sys/fs/cgroup")
    allowed = math.inf
    with suppress(OSError, ValueError):
        mine = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip().strip("/")
        for place in (root / mine, *(root / mine).parents):
            with suppress(OSError, ValueError):
                quota, period = (place / "cpu.max").read_text().split()
                allowed = min(allowed, int(quota) / int(period))  # "max" is no number
    return allowed


def _is_amount(text: str) -> bool:
    """Whether Ray takes a number as an amount: a whole one, or a part of one."""
    try:
        amount = float(text)
    except ValueError:
        return False
    return 0 <= amount < math.inf and (amount <= 1 or amount == int(amount))


def _folder(job: str) -> Path | None:
    """The folder of a job that ends with its command; None for others."""
    folder = Path(job.rpartition(":")[0])
    return folder if folder.is_absolute() else None


def _kept_by_another_command(folder: Path) -> set[int]:
    """The tasks of a submission, if a command is there that keeps them."""
    import fcntl

    try:
        with (folder / HELD).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return set(range(len(read_submission(folder).tasks)))
    except OSError:
        return set()
    return set()
