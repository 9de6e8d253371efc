"""What it costs that runs are kept: files written and synced, checkpoints made.

A process runs the command with clocks around what is done for the disk alone. It trains in one part, so that
nothing is hidden behind another processor's work, and saves every few seconds as always.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.works import WORKS, config_file, write

Record = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A command and how much of its training time keeping the runs may take.

    Attributes:
        title: for the table.
        words: of the command, after the config.
        aim: the largest share.
    """

    title: str
    command: str
    words: tuple[str, ...]
    aim: float


_LONG = ("--set", "epochs=50", "--set", "threads=1")
CASES = (
    Case("a fit of digits 64-64, 50 epochs", "fit", (*_LONG, "--progress", "none"), 0.05),
    Case("a comparison of 2 x 20 such runs", "compare", (*_LONG, "--vs", "dropout=0", "--seeds", "20"), 0.10),
)


def measure(case: Case, folder: Path, number: int) -> Record:
    """Run a case in a process of its own; the seconds that it trained, and those of them for the disk."""
    config = config_file(WORKS["digits"], folder)
    if not config.exists():
        write(WORKS["digits"], folder)
    with tempfile.TemporaryDirectory(dir=folder) as runs:
        words = [case.command, str(config), *case.words, "--runs", runs]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.keeping", *words], capture_output=True, text=True, check=False
        )
    record = {"case": case.title, "round": number}
    if done.returncode:
        return record | {"failed": (done.stderr.strip().splitlines() or ["?"])[-1]}
    return record | json.loads(done.stdout.splitlines()[-1])


def _main() -> None:
    from trainrun.__main__ import main
    from trainrun.engine.training import Pauses
    from trainrun.fitting import stacks as training
    from trainrun.runs.writing import RunWriter

    clock = dict.fromkeys(("training", "begun", "saved", "finished"), 0.0)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                clock[name] += time.perf_counter() - start

        return call

    def took(pauses: Pauses, seconds: float, function: Callable[..., None] = Pauses.took) -> None:
        clock["saved"] += seconds  # telling the state and writing it
        function(pauses, seconds)

    training.train_stack = timed("training", training.train_stack)
    training.finish = timed("finished", training.finish)
    RunWriter.begin = timed("begun", RunWriter.begin)
    Pauses.took = took
    try:
        main(sys.argv[1:])
    except SystemExit as leaving:
        if leaving.code:
            raise
    print(json.dumps(clock))


if __name__ == "__main__":
    _main()
