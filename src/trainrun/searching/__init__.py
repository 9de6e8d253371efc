"""Searching: the best of many settings that train side by side, confirmed over fresh seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from trainrun.runs.paths import default_runs
from trainrun.searching.answers import Search, answer
from trainrun.searching.request import (
    DEFAULT_FINALISTS,
    DEFAULT_SEEDS,
    SearchObserver,
    SearchRequest,
)

__all__ = ["Search", "SearchObserver", "SearchRequest", "answer", "search"]


def search(
    config: str | Path,
    *,
    candidates: int | None = None,
    finalists: int = DEFAULT_FINALISTS,
    seeds: int = DEFAULT_SEEDS,
    sampler: Literal["auto", "grid", "random", "tpe"] = "auto",
    metric: str | None = None,
    epochs_first: int = 1,
    overrides: Sequence[str] = (),
    runs: str | Path | None = None,
    outer: int | None = None,
) -> Search:
    """Search for the best settings of a config, and confirm them over fresh seeds.

    Args:
        config: a config file with a section `search`.
        candidates: how many settings are tried; 100, or all of a grid, unless given.
        finalists: how many of the best are confirmed.
        seeds: how many fresh seeds a confirmation takes.
        sampler: proposes candidates; `auto` takes a grid where it has few enough combinations, else `tpe`.
        metric: judges them, on the validation rows; the monitored one unless given.
        epochs_first: after which candidates are judged for the first time.
        overrides: texts `key=value` that override keys of the config.
        runs: the folder of runs; `$TRAINRUN_RUNS`, else `./runs`, unless given.
        outer: folds on which the whole search is repeated, to judge searching itself; none unless given.

    Raises:
        TrainrunError: the first thing that went wrong, once all was carried as far as it goes.
    """
    where = default_runs() if runs is None else Path(runs)
    request = SearchRequest(
        config, candidates, finalists, seeds, sampler, metric, epochs_first, overrides, where, outer=outer
    )
    found = answer(request, SearchObserver())
    if found.errors:
        raise found.errors[0]
    return found
