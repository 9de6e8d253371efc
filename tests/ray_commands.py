"""Commands with `--on ray`, and what becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from batch import has_begun
from ray_cluster import find
from waiting import wait_until

CONFIG = """\
data: digits
hidden: [128, 128]
dropout: 0.2
epochs: {epochs}
early_stopping: false
"""


class Command:
    """A command that trains on Ray.

    Args:
        folder: where it runs; its runs are in `runs` there.
        words: of the command.
        environment: of the process.
    """

    def __init__(self, folder: Path, *words: str, environment: Mapping[str, str] = os.environ) -> None:
        self.runs = folder / "runs"
        self._submissions: set[str] = set()
        self._errors = folder / "errors.txt"
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "trainrun", *words],
                cwd=folder,
                env={**environment, "TRAINRUN_SAVE_SECONDS": "0.5", "TRAINRUN_RUNS": "runs"},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def has_begun(self) -> None:
        """Wait until a checkpoint of a run is there."""
        wait_until(lambda: has_begun(self.runs) and self._checkpoints(), f"runs: {self.said()}", 120)

    def _checkpoints(self) -> list[Path]:
        return list(self.runs.glob("*/seed-*/last.ckpt"))

    def ends(self) -> int:
        """Wait for its end; return its exit code."""
        self.output, _ = self.process.communicate(timeout=240)
        return self.process.returncode

    def said(self) -> str:
        """What it has said on stderr, all commands of the folder together."""
        logs = [*self.runs.glob(".machines/*/ray.log"), *self.runs.glob(".machines/*/log-*.txt")]
        return "\n".join(path.read_text() for path in (self._errors, *logs))

    def driver(self) -> int:
        """The process between it and Ray."""
        (found,) = find("trainrun.machines.ray_driver", parent=self.process.pid)
        return found

    def trainers(self) -> list[int]:
        """The processes that train for it: in its folder, or in one of their own."""
        self._submissions |= {place.name for place in self.runs.glob(".machines/*")}
        theirs = {process for name in self._submissions for process in self._elsewhere(name)}
        return sorted({*find("trainrun work", f"{self.runs}/"), *theirs})

    def _elsewhere(self, name: str) -> list[int]:
        return find("trainrun work", "/trainrun-ray-", f"/.machines/{name} ")


def kill(*processes: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
