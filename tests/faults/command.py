"""The command, run as a shell or a scheduler runs it, and what it has left on disk."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from warm import Forked, Warm

TRAINRUN = str(Path(sys.executable).with_name("trainrun"))
_IN_FULL = os.environ.get("FAULTS") != "share"
_MAY_DIFFER = {"events.jsonl", "looks.jsonl", "ensembles.jsonl"}


def sized(full: int, share: int) -> int:
    """How many trials: all of them, or in CI a share."""
    return full if _IN_FULL else share


class Ended(NamedTuple):
    """How a command ended.

    Attributes:
        code: of its exit; negative for a signal.
        stdout: what it has said.
        stderr: what it has complained of.
    """

    code: int
    stdout: str
    stderr: str


class Started(Protocol):
    """A command under way.

    Attributes:
        pid: of its process and its process group.
    """

    pid: int

    def wait(self) -> int:
        """See it end: its exit code; negative for a signal."""


@dataclass(frozen=True)
class Command:
    """A command in a folder of its own.

    Attributes:
        folder: where; its runs are in `runs`, what it says is in `stdout` and `stderr`.
        arguments: of the command line; `--runs` is added.
        variables: of the environment, besides those of this process.
    """

    folder: Path
    arguments: Sequence[str]
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        """The folder of runs, absolute."""
        return self.folder / "runs"

    @property
    def words(self) -> list[str]:
        """All of the command line but the program."""
        return [*self.arguments, "--runs", str(self.runs)]

    def start(self, warm: Warm | None = None, *tools: str) -> Started:
        """Start it in a session, and so a process group, of its own.

        Args:
            warm: forks it; else it begins with the interpreter, as any command.
            tools: words in front of it; of a process that is forked, `strace` with its options.
        """
        if warm:
            forked = self.fork(warm)
            forked.let_go(*tools)
            return forked
        with (self.folder / "stdout").open("w") as out, (self.folder / "stderr").open("w") as err:
            return subprocess.Popen(
                [*tools, TRAINRUN, *self.words],
                cwd=self.folder,
                env=os.environ | self.variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def fork(self, warm: Warm) -> Forked:
        """Have it forked, stopped before its first step."""
        return warm.fork(self.folder, self.words, self.variables)

    def run(self, warm: Warm | None = None, *tools: str) -> Ended:
        """Run it to its end; as `start`."""
        code = self.start(warm, *tools).wait()
        return Ended(code, *((self.folder / name).read_text() for name in ("stdout", "stderr")))

    def left(self) -> dict[str, bytes]:
        """Every file of its runs, but those that may differ between two equal runs."""
        return {
            str(path.relative_to(self.runs)): path.read_bytes()
            for path in sorted(self.runs.rglob("*"))
            if path.is_file() and path.name not in _MAY_DIFFER
        }


def empty(folder: Path) -> None:
    """Remove all that is in a folder: thousands of trials would fill a disk."""
    for path in folder.iterdir():
        shutil.rmtree(path)


def kill(process: int, *, group: bool = True) -> None:
    """Kill -9.

    Args:
        process: that is in a group of its own.
        group: also those that it has forked; else they are left to notice it themselves.
    """
    (os.killpg if group else os.kill)(process, signal.SIGKILL)
