"""How long the commands take that train little or nothing."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rounds import timed, trainrun_command
from benchmarks.works import WORKS, config_file, write

DIGITS = Path(__file__).parents[1] / "configs" / "digits.yaml"
RUNS = "{folder}/runs"


@dataclass(frozen=True)
class Command:
    """A command and what is expected of it.

    Attributes:
        title: for the table.
        words: of the command; `{folder}` and `{round}` are filled in.
        aim: seconds, over importing torch where `over_torch`.
        exit_code: the expected one.
    """

    title: str
    words: tuple[str, ...]
    aim: float | None = None
    over_torch: bool = False
    exit_code: int = 0
    python: bool = False


COMMANDS = (
    Command('`python -c "pass"`', ("-c", "pass"), python=True),
    Command('`python -c "import torch"`', ("-c", "import torch"), python=True),
    Command("`trainrun --help`", ("--help",), aim=0.35),
    Command("`trainrun list`", ("list", "--runs", RUNS), aim=0.35),
    Command("`trainrun list schedules`", ("list", "schedules"), aim=0.35),
    Command("`trainrun show last`", ("show", "last", "--runs", RUNS), aim=0.35),
    Command(
        "`trainrun compare`, all runs finished",
        ("compare", "{folder}/short.yaml", "--vs", "dropout=0", "--seeds", "10", "--runs", RUNS),
        aim=0.5,
    ),
    Command("a config error", ("fit", "{folder}/wrong.yaml"), aim=0.35, exit_code=2),
    Command(
        "`trainrun fit configs/digits.yaml`",
        ("fit", str(DIGITS), "--runs", "{folder}/fit-{round}"),
        aim=1.2,
        over_torch=True,
    ),
    Command(
        "`trainrun compare`, 2 configs x 20 seeds of digits 64-64, 30 epochs",
        (
            "compare",
            "{folder}/digits.yaml",
            "--vs",
            "dropout=0",
            "--seeds",
            "20",
            "--runs",
            "{folder}/cold-{round}",
        ),
    ),
)


def prepare(folder: Path) -> None:
    """Finished runs to show and compare, and a config with a mistake; every module compiled to byte code."""
    (folder / "wrong.yaml").write_text("data: digits\ndropuot: 0.2\n", encoding="utf-8")
    (folder / "short.yaml").write_text("data: digits\ndropout: 0.2\nepochs: 1\n", encoding="utf-8")
    if not config_file(WORKS["digits"], folder).exists():
        write(WORKS["digits"], folder)
    timed([*trainrun_command(), "fit", str(DIGITS), "--set", "epochs=1", "--runs", f"{folder}/runs"])
    finished = next(command for command in COMMANDS if "short.yaml" in " ".join(command.words))
    timed([*trainrun_command(), *(word.format(folder=folder) for word in finished.words)])


def measure(command: Command, folder: Path, number: int) -> dict[str, Any]:
    """Run a command once."""
    words = [word.format(folder=folder, round=number) for word in command.words]
    seconds, result = timed([sys.executable, *words] if command.python else [*trainrun_command(), *words])
    record: dict[str, Any] = {"command": command.title, "round": number}
    if result.returncode != command.exit_code:
        return record | {"failed": (result.stderr.strip().splitlines() or ["?"])[-1]}
    return record | {"seconds": seconds}
