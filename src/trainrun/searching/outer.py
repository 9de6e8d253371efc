"""Nested cross-validation: what searching with a space is worth on rows that no search has seen.

Source: Varma and Simon 2006, BMC Bioinformatics 7:91; the interval is corrected for training rows that folds
share, Nadeau and Bengio 2003, Machine Learning 52.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from trainrun.comparing.criterion import larger_is_better
from trainrun.comparing.pairing import Pairing
from trainrun.comparing.standings import Standing
from trainrun.config import Config
from trainrun.errors import UsageError
from trainrun.searching.request import SearchObserver, SearchRequest
from trainrun.searching.space import Settings
from trainrun.statistics import difference

if TYPE_CHECKING:
    from trainrun.searching.answers import Search
    from trainrun.searching.question import Question

#: How the best of each search is called where it is compared with the plain config.
SEARCHED = "the best of the search"


@dataclass(frozen=True)
class OuterFold:
    """One fold, and the search that never saw it.

    Attributes:
        fold: its number, from 1.
        value: the metric on the fold, the mean over fresh seeds, of the search's best settings.
        baseline: the same of the plain config.
        settings: the best ones.
    """

    fold: int
    value: float
    baseline: float
    settings: Settings


@dataclass(frozen=True)
class Outer:
    """The folds of a nested cross-validation.

    Attributes:
        folds: those that have values.
        searches: of all folds, in their order; fewer where the command was stopped.
        pairing: the best of the search minus the plain config over the folds; None without a value.
        left_out: sentences about folds without a value.
    """

    folds: tuple[OuterFold, ...]
    searches: tuple[Search, ...]
    pairing: Pairing | None
    left_out: tuple[str, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the folds as plain data."""
        return [vars(one) for one in self.folds]


def cross_validate(
    request: SearchRequest,
    count: int,
    observer: SearchObserver,
    search: Callable[[SearchRequest, SearchObserver], Search],
) -> Outer:
    """Search once for each fold, on the rows outside of it, and score the best settings on the fold.

    Args:
        request: the search that is judged.
        count: the number of folds, at least 2.
        observer: watches.
        search: answers a request.

    Raises:
        TrainrunError: the request makes no sense, or files cannot be written.
    """
    searches: list[Search] = []
    for place, fold in enumerate(folds(request, count), 1):
        observer.note(f"fold {place} of {count}")
        searches.append(search(fold, observer))
        if request.stopped():
            break
    found = [_score(place, one) for place, one in enumerate(searches, 1)]
    scored = tuple(one for one in found if isinstance(one, OuterFold))
    left_out = tuple(one for one in found if isinstance(one, str))
    return Outer(scored, tuple(searches), _pair(scored, searches, count), left_out)


def folds(request: SearchRequest, count: int) -> Iterator[SearchRequest]:
    """Yield the request of each fold's search, which never sees the fold."""
    for place in range(1, count + 1):
        changes = [*request.overrides, f"data.split.fold={place}/{count}"]
        yield replace(request, overrides=changes, out=None, outer=None)


def require_one_table(config: Config) -> None:
    """Check that folds can be cut from the rows of a config.

    Raises:
        UsageError: its validation or test rows have a file of their own, or it is of one fold already.
    """
    for key in ("valid", "test", "split.fold"):
        if reduce(getattr, key.split("."), config.data) is not None:
            place = config.place(f"data.{key}")
            raise UsageError(f"{place}: data.{key}: --outer cuts folds from data.path: leave this key out")


def _score(place: int, search: Search) -> OuterFold | str:
    """Return a fold with its values, or why there are none."""
    found = search.confirmation
    if found is None:
        return f"fold {place} has no value: {_why_unconfirmed(search)}"
    metric = search.question.metric
    best = found.finalists[found.best]
    value, baseline = (_tested(one, metric) for one in (best, found.plain))
    if value is None or baseline is None:
        one = best if value is None else found.plain
        return f"fold {place} has no value: {one.label} has no complete run over the fresh seeds"
    return OuterFold(place, value, baseline, found.records[found.best].settings)


def _why_unconfirmed(search: Search) -> str:
    if search.is_stopped:
        return "not finished"
    only_plain = "the plain config is the only candidate with a value"
    return only_plain if search.ranking else "no candidate is finite"


def _tested(one: Standing, metric: str) -> float | None:
    mean = one.mean("test", metric)
    return mean.value if mean.n else None


def _pair(scored: Sequence[OuterFold], searches: Sequence[Search], count: int) -> Pairing | None:
    if not scored:
        return None
    question = searches[0].question
    overlap = _overlap(question, count)
    grows = larger_is_better(question.metric)
    values, baselines = [one.value for one in scored], [one.baseline for one in scored]
    found = difference(values, baselines, larger_is_better=grows, correction=overlap)
    return Pairing(SEARCHED, question.config.name, question.metric, "test", found)


def _overlap(question: Question, count: int) -> float:
    """Rows of a fold over rows of training."""
    valid = question.config.data.split.valid
    if isinstance(valid, float):
        return (1 / count) / (1 - 1 / count - valid)
    dataset = question.cell(question.config).dataset
    return len(dataset.test.y) / len(dataset.train.y) if dataset.test else 0.0
