"""Fits as the command carries them out, which stop when a test says so."""

from __future__ import annotations

from pathlib import Path

from trainrun.fitting import Observer, Outcome, Request, carry_out
from trainrun.signals import StopRequest

CONFIG = """\
data: digits
hidden: [16]
dropout: 0.2
batch_size: 128
epochs: 6
"""


class StopAfter(StopRequest):
    """Asks a command to stop once it has been asked so often."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._left = looks

    def requested(self) -> bool:
        self._left -= 1
        return self._left < 0

    @property
    def reason(self) -> str:
        return "SIGTERM"


def carry(runs: Path, *configs: Path, looks: int = 10**9, observer: Observer | None = None, **keys) -> list:
    request = Request(configs, runs=runs, stop=StopAfter(looks), **keys)
    return carry_out(request, observer or Observer())


def files(runs: Path) -> dict[str, bytes]:
    """All that two equal commands have in common."""
    found = (path for path in runs.rglob("*") if path.is_file() and path.name != "events.jsonl")
    return {str(path.relative_to(runs)): path.read_bytes() for path in found}


def statuses(outcomes: list[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]
