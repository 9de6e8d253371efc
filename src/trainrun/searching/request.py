"""Requests to search, and observers of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trainrun.fitting import Observer
from trainrun.fitting.request import seconds_between_saves
from trainrun.signals import StopRequest

if TYPE_CHECKING:
    from trainrun.machines import Front

#: Default number of candidates: one generation.
DEFAULT_CANDIDATES = 100
#: Default number of finalists that are confirmed.
DEFAULT_FINALISTS = 3
#: Default number of seeds of a confirmation.
DEFAULT_SEEDS = 10


@dataclass(frozen=True)
class SearchRequest:
    """Request to search for the best settings of a config.

    Attributes:
        config: the config file, which has a section `search`.
        candidates: how many settings are tried; None for the default, and for all of a grid.
        finalists: how many of the best are confirmed.
        seeds: how many fresh seeds a confirmation takes.
        sampler: proposes candidates; `auto` takes a grid where that has few enough combinations, else `tpe`.
        metric: judges them, on the validation rows; None for the monitored one.
        epochs_first: after which candidates are judged for the first time.
        overrides: texts `key=value` that override keys of the config file.
        runs: the folder of runs.
        out: where a copy of the config with the best settings goes; None for none.
        outer: the folds of a nested cross-validation; None for none.
        stop: asks the search to stop; the same request goes on.
        front: trains on other machines; None trains here.
        save_seconds: from one checkpoint to the next.
    """

    config: str | Path
    candidates: int | None = None
    finalists: int = DEFAULT_FINALISTS
    seeds: int = DEFAULT_SEEDS
    sampler: Literal["auto", "grid", "random", "tpe"] = "auto"
    metric: str | None = None
    epochs_first: int = 1
    overrides: Sequence[str] = ()
    runs: Path = Path("runs")
    out: Path | None = None
    outer: int | None = None
    stop: StopRequest | None = None
    front: Front | None = None
    save_seconds: float = field(default_factory=seconds_between_saves)

    def stopped(self) -> bool:
        """Return whether the search was asked to stop."""
        return self.stop is not None and self.stop.requested()


class SearchObserver(Observer):
    """Watches a search and its confirmation, and can change nothing; this one says nothing."""

    def note(self, sentence: str) -> None:
        """Something is worth knowing before the candidates train."""

    def search(self, done: float, words: str) -> None:
        """Candidates are in training.

        Args:
            done: the share of the search that is done, from 0 to 1.
            words: how far it is.
        """
