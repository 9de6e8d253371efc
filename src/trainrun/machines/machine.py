"""Machine: what a scheduler has to be able to do, so that trainrun can train on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from trainrun.errors import UsageError
from trainrun.text import nearest, printable

#: A file of a submission whose command was asked to stop: its tasks are not to be started again.
STOPPED = "stopped"


@dataclass(frozen=True)
class Task:
    """A piece of work: a command that trains some runs, and may be run again at any time.

    Attributes:
        number: from 0.
        command: its words. It exits with 0 or another code of docs/exit-codes.md.
        log: the file for its output.
    """

    number: int
    command: Sequence[str]
    log: Path


class Machine(ABC):
    """A scheduler of tasks.

    A subclass is named in the entry points `trainrun.machines`. It starts tasks and says which of them
    may still be at work. What counts are the files of the runs.

    Args:
        settings: words behind `--on NAME:`, such as `partition=gpu`.

    Attributes:
        settings: what the user has set, all of it known.
        known: the settings that it takes, each with its meaning.
        seconds_between_questions: from one call of `alive` to the next; other people may ask it too.
    """

    name: ClassVar[str]
    known: ClassVar[Mapping[str, str]] = {}
    seconds_between_questions: ClassVar[float] = 10.0

    def __init__(self, settings: Mapping[str, str]) -> None:
        for word in settings:
            if word not in self.known:
                hint = nearest(word, self.known) or f"; it takes {', '.join(self.known)}"
                raise UsageError(f"--on {self.name}: unknown setting {printable(word)}{hint}")
            if not settings[word].isprintable() or not settings[word]:
                raise UsageError(f"--on {self.name}: {word}: must be printable text, and not empty")
        self.settings = dict(settings)

    @classmethod
    def parse(cls, text: str) -> dict[str, str]:
        """Return the settings in the text behind `--on NAME:`, such as `partition=gpu,time=4h`.

        Raises:
            UsageError: a part is no `word=value`.
        """
        settings = {}
        for part in filter(None, text.split(",")):
            word, is_pair, value = part.partition("=")
            if not is_pair:
                raise UsageError(f"--on {cls.name}: {printable(part)}: must be word=value")
            settings[word.strip()] = value.strip()
        return settings

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
