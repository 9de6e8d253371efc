"""The search of trainrun without its confirmation; `one by one`: the same with one net at a time.

One by one, the proposals, the halving, the engine and every bit of the results are the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import optuna  # noqa: F401  # imported late by the search: let it count as an import
import torch._dynamo  # noqa: F401  # the same for what PyTorch imports when first used

import trainrun.engine.training  # noqa: F401
from benchmarks.search.contenders import Tally
from benchmarks.search.sets import searched
from benchmarks.search.spending import Budget
from trainrun.engine.device import Processors
from trainrun.engine.workers import Slice
from trainrun.plan import make_plan
from trainrun.runs.paths import SEARCHES, SearchPaths
from trainrun.searching import SearchObserver, SearchRequest
from trainrun.searching.question import Question
from trainrun.searching.trainings import Training
from trainrun.searching.work import Work

_ENDLESS = 100_000  # candidates, of which a limit of seconds lets some train


def search(name: str, folder: Path, repeat: int, make_budget: Callable[..., Budget], option: str) -> Tally:
    """Search a set; `option` may add a sampler, as in `together, random`."""
    how, _, sampler = option.partition(", ")
    with tempfile.TemporaryDirectory(dir=folder) as runs:
        if how == "one by one":
            with mock.patch("trainrun.searching.generation.spread", _one_by_one):
                return _search(searched(name, folder), Path(runs), repeat, make_budget(), sampler or "auto")
        return _search(searched(name, folder), Path(runs), repeat, make_budget(), sampler or "auto")


def _search(config: Path, runs: Path, repeat: int, budget: Budget, sampler: Any) -> Tally:
    request = SearchRequest(
        config,
        candidates=budget.candidates or _ENDLESS,
        sampler=sampler,
        overrides=[f"seed={repeat}"],
        runs=runs,
        stop=budget,  # type: ignore[arg-type]  # it is asked nothing but `requested`
    )
    question = Question(request)
    paths = SearchPaths(runs / SEARCHES / f"{question.config.name}-{question.id8()}")
    records, _ = Work(question, paths, request, SearchObserver()).carry_out()
    budget.end()
    tally = Tally(len(records), sum(one.epochs for one in records))
    for one in records:
        if one.value is not None and one.status != "diverged":
            tally.take(one.settings, one.value)
    return tally


def _one_by_one(
    going: Sequence[Training], until: int, device: Any
) -> tuple[list[list[Slice]], list[Training], Processors]:
    """Each candidate is a stack of its own; all train in turn."""
    slices = [Slice(make_plan([one.cell]), [one.snapshot] if one.snapshot else []) for one in going]
    return [slices], list(going), Processors(1, 1)
