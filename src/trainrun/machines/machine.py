"""Machine: what a scheduler has to be able to do, so that trainrun can train on it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from trainrun.errors import UsageError
from trainrun.runs.submissions import STOPPED
from trainrun.text import nearest, quoted

__all__ = ["STOPPED", "Machine", "SettingError", "Task"]

_NEXT_SETTING = re.compile(r",(?=\s*\w+\s*=)")
_OUT_OF_MEMORY = re.compile(r"oom[-_ ]?kill|out[ _]of[ _]memory", re.IGNORECASE)


@dataclass(frozen=True)
class Task:
    """A piece of work: a command that trains some runs, and may be run again at any time.

    Attributes:
        number: from 0.
        command: its words. It exits with 0 or another code of docs/exit-codes.md.
        log: the file for its output.
        cpus: the processors that its configs ask for; None where they do not say.
        gpus: the GPUs that its configs ask for.
    """

    number: int
    command: Sequence[str]
    log: Path
    cpus: int | None = None
    gpus: int = 0


class SettingError(UsageError):
    """A setting of a machine that is unknown or wrong.

    Args:
        machine: the machine's name.
        word: the setting.
        sentence: what is wrong with it.
    """

    def __init__(self, machine: str, word: str, sentence: str) -> None:
        self.word, self.sentence = word, sentence
        super().__init__(f"--on {machine}: {sentence}")


class Machine(ABC):
    """A scheduler of tasks.

    A subclass is named in the entry points `trainrun.machines`. It starts tasks and says which of them
    may still be at work. What counts are the files of the runs.

    Args:
        settings: words behind `--on NAME:`, such as `partition=gpu`.

    Attributes:
        settings: what the user has set, all of it known.
        known: the settings that it takes, each with its meaning.
        longest_wait: seconds between two calls of `alive`, which other people may ask too.
    """

    name: ClassVar[str]
    known: ClassVar[Mapping[str, str]] = {}
    longest_wait: ClassVar[float] = 10.0

    def __init__(self, settings: Mapping[str, str]) -> None:
        for word, value in settings.items():
            if word not in self.known:
                takes = f"it takes {', '.join(self.known)}" if self.known else "it takes none"
                hint = nearest(word, self.known) or f"; {takes}"
                raise SettingError(self.name, word, f"unknown setting {quoted(word)}{hint}")
            wrong = self.check(word, value) if value.isprintable() and value else "printable text"
            if wrong:
                raise SettingError(self.name, word, f"{word}: must be {wrong}, got {quoted(value)}")
        self.settings = dict(settings)

    @classmethod
    def parse(cls, text: str) -> dict[str, str]:
        """Return the settings in the text behind `--on NAME:`, such as `partition=gpu,time=4h`.

        A comma that no `word=` follows belongs to the value: `nodelist=n1,n2,time=4h` has two settings.

        Raises:
            UsageError: a part is no `word=value`, or a word is there twice.
        """
        settings: dict[str, str] = {}
        for part in filter(None, _NEXT_SETTING.split(text)):
            word, is_pair, value = (piece.strip() for piece in part.partition("="))
            if not is_pair:
                raise UsageError(f"--on {cls.name}: {quoted(part)}: must be word=value")
            if word in settings:
                raise UsageError(f"--on {cls.name}: {quoted(word)} is there twice")
            settings[word] = value
        return settings

    def check(self, word: str, value: str) -> str | None:
        """Return what the value of a setting must be; None where it is right."""
        return None

    def most_tasks(self) -> int | None:
        """Return how many tasks can be handed over at once; None for any number."""
        return None

    def find(self, folder: Path) -> str | None:
        """Return what the machine calls the tasks of a folder that were handed over; None if unknown.

        It is asked where a command was killed before it could note that.
        """
        return None

    def has_run_out_of_memory(self, log: str) -> bool:
        """Return whether the end of a task's log says that the task was killed for its memory."""
        return bool(_OUT_OF_MEMORY.search(log))

    @property
    def workers(self) -> int:
        """How many tasks a command is cut into unless `--workers` says so."""
        return 4

    @abstractmethod
    def submit(self, name: str, tasks: Sequence[Task], folder: Path) -> str:
        """Hand tasks over.

        Args:
            name: of the submission, for people.
            tasks: to start; each may be started again if its machine fails.
            folder: for files of the submission.

        Returns:
            What the machine calls them, which the other methods are given.

        Raises:
            UnavailableError: the scheduler cannot be reached.
            UsageError: it refuses the request; its own words are in the message.
        """

    @abstractmethod
    def alive(self, job: str) -> set[int] | None:
        """Return the numbers of the tasks that wait or run; None where the scheduler does not answer."""

    @abstractmethod
    def stop(self, job: str) -> None:
        """Ask the tasks to save and leave; return at once."""

    def goes_on(self, job: str) -> bool:
        """Return whether the tasks go on without the command that has submitted them."""
        return True

    def script(self, name: str, tasks: Sequence[Task], folder: Path) -> str | None:
        """Return the text that `--dry-run` prints; None where there is none."""
        return None
