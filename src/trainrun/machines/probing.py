"""Probing a machine: a small task says what it is like there, and whether it sees the folder of runs."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainrun.errors import TrainrunError, UnavailableError
from trainrun.jsonio import to_json
from trainrun.machines.machine import Machine, Task
from trainrun.runs.files import make_directory, read_bytes, write_files
from trainrun.runs.journal import process_facts
from trainrun.runs.submissions import FOLDER
from trainrun.text import printable, short

_TOKEN, _ANSWER = "token", "task-0.json"
_PAUSE = 0.2
_SECONDS_BETWEEN_QUESTIONS = 5.0
_LONGEST_WAIT = 300.0  # seconds in the queue
_LARGEST_ANSWER = 2**16


@dataclass(frozen=True)
class Place:
    """Facts about where a process runs.

    Attributes:
        host: its name.
        processor: the kind of CPU.
        processors: how many the process may use.
        gpus: the names of its GPUs.
        versions: of Python and of the packages that a result may depend on.
    """

    host: str
    processor: str
    processors: int
    gpus: tuple[str, ...]
    versions: dict[str, str]


@dataclass(frozen=True)
class Probe:
    """Answer of a machine.

    Attributes:
        place: where its task ran.
        clock: seconds by which its clock is ahead.
        differences: what is other there than here, a sentence each.
    """

    place: Place
    clock: float
    differences: tuple[str, ...]


def this_place() -> Place:
    """Return the facts about this process."""
    from trainrun.engine.device import gpu_names, usable_processors

    facts = process_facts()
    versions = {name: str(version) for name, version in facts["versions"].items()}
    return Place(facts["host"], facts["processor"], usable_processors(), tuple(gpu_names()), versions)


def answer_probe(folder: Path) -> None:
    """Write what this place is like, and the token that is seen here; called on the machine.

    Raises:
        StorageError: the folder is not there, or writing failed.
    """
    token = ""
    with suppress(OSError):
        token = read_bytes(folder / _TOKEN, _LARGEST_ANSWER).decode(errors="replace")
    facts = {**asdict(this_place()), "token": token, "time": time.time()}
    write_files({folder / _ANSWER: to_json(facts).encode()})


def probe(machine: Machine, runs: Path, stopped: Callable[[], bool]) -> Probe | None:
    """Run a small task on a machine.

    Args:
        machine: to be probed.
        runs: the folder of runs, which the task must see.
        stopped: whether to stop waiting.

    Returns:
        Its answer; None where the command was asked to stop.

    Raises:
        UnavailableError: the machine cannot be reached, or its task gives no answer.
        UsageError: it refuses the task.
    """
    folder = runs.absolute() / FOLDER / f"probe-{secrets.token_hex(4)}"
    token = secrets.token_hex(16)
    make_directory(folder)
    try:
        write_files({folder / _TOKEN: token.encode()})
        command = [sys.executable, "-P", "-m", "trainrun", "probe", str(folder)]
        job = machine.submit(folder.name, [Task(0, command, folder / "log-0.txt")], folder)
        try:
            before, found = _wait(machine, job, folder, stopped)
        except BaseException:
            with suppress(TrainrunError):
                machine.stop(job)
            raise
        return _judged(found, token, before) if found else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()
            runs.rmdir()  # it was made for the probe


def _wait(
    machine: Machine, job: str, folder: Path, stopped: Callable[[], bool]
) -> tuple[float, dict[str, Any] | None]:
    """Wait for the answer; return the time at which it was not there yet, and the answer."""
    before = time.time()
    end, asked = time.monotonic() + _LONGEST_WAIT, time.monotonic()
    is_gone = False
    while not stopped():
        now = time.time()
        if found := _answer(folder):
            return before, found
        before = now
        if is_gone:
            raise UnavailableError(f"--on {machine.name}: its task ended without an answer{_log(folder)}")
        if time.monotonic() > end:
            raise UnavailableError(
                f"--on {machine.name}: job {printable(job)} gives no answer within {_LONGEST_WAIT / 60:.0f}"
                " minutes; it was stopped"
            )
        if time.monotonic() - asked >= _SECONDS_BETWEEN_QUESTIONS:
            asked = time.monotonic()
            is_gone = machine.alive(job) == set()
        time.sleep(_PAUSE)
    machine.stop(job)
    return before, None


def _answer(folder: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(read_bytes(folder / _ANSWER, _LARGEST_ANSWER))
        return found if isinstance(found, dict) else None
    return None


def _log(folder: Path) -> str:
    with suppress(OSError):
        text = read_bytes(folder / "log-0.txt").decode(errors="replace").strip()
        if text:
            return f": {short(text.splitlines()[-1])}"
    return f"; perhaps it does not see {printable(str(folder.parent.parent))}"


def _judged(found: dict[str, Any], token: str, before: float) -> Probe:
    """The answer of a task, and what is other there than here."""
    here = this_place()
    said = found.get("versions")
    versions: dict[str, Any] = said if isinstance(said, dict) else {}
    place = Place(
        host=_text(found.get("host")),
        processor=_text(found.get("processor")),
        processors=int(_float(found.get("processors"))),
        gpus=tuple(map(_text, found["gpus"])) if isinstance(found.get("gpus"), list) else (),
        versions={name: _text(versions.get(name)) for name in here.versions},
    )
    clock, now = _float(found.get("time")), time.time()
    ahead = clock - now if clock > now else min(clock - before, 0.0)
    differences = [
        f"{name} is {place.versions[name]} there, and {version} here"
        for name, version in here.versions.items()
        if place.versions[name] != version
    ]
    if found.get("token") != token:
        differences.append("the folder of runs holds other files there")
    if place.processor != here.processor:
        differences.append(f"the CPU is {place.processor} there, and {here.processor} here")
    if abs(ahead) > 1:
        differences.append(f"its clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}")
    return Probe(place, round(ahead, 1), tuple(differences))


def _text(value: object) -> str:
    return short(str(value))


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e12 else 0.0
