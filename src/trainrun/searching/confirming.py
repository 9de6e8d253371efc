"""Confirmation: the finalists and the plain config over seeds that the search never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trainrun.comparing.answers import Comparison, conclude
from trainrun.comparing.candidates import Candidate, CompareRequest
from trainrun.comparing.criterion import choose_criterion, larger_is_better
from trainrun.comparing.pairing import pair_all
from trainrun.comparing.standings import Standing, fit_missing, stand
from trainrun.config import Config
from trainrun.data import digests
from trainrun.fitting import Outcome
from trainrun.runs.paths import group_directory, seed_directory
from trainrun.searching.question import Question
from trainrun.searching.records import Record
from trainrun.searching.request import SearchObserver, SearchRequest


@dataclass(frozen=True)
class Confirmation:
    """The plain config and the finalists over fresh seeds.

    Attributes:
        comparison: the plain config first, then the finalists in the order of the search's ranking; of every
            two, by every metric on every part, all of one metric and part in one family of verdicts.
        records: what the search believed of each finalist.
    """

    comparison: Comparison
    records: tuple[Record, ...]

    @property
    def plain(self) -> Standing:
        """The plain config."""
        return self.comparison.standings[0]

    @property
    def finalists(self) -> tuple[Standing, ...]:
        """The finalists."""
        return self.comparison.standings[1:]

    @cached_property
    def best(self) -> int:
        """The place of the best finalist, by the mean over the fresh seeds on the validation rows."""
        metric = self.comparison.criterion.metric
        sign = -1 if larger_is_better(metric) else 1
        means = [one.mean("valid", metric) for one in self.finalists]
        return min(range(len(means)), key=lambda place: (not means[place].n, sign * means[place].value))

    @property
    def has_diverged(self) -> bool:
        """Return whether the best finalist diverged in any run."""
        return bool(self.finalists[self.best].seeds("diverged"))


def choose_finalists(ranking: Sequence[Record], count: int, plain_id8: str) -> list[Record]:
    """Return the best candidates that are not the plain config itself.

    Args:
        ranking: the candidates, the best first.
        count: how many.
        plain_id8: of the plain config.
    """
    return [one for one in ranking if one.id8 != plain_id8][:count]


def confirm(
    question: Question, finalists: Sequence[Record], request: SearchRequest, observer: SearchObserver
) -> tuple[Confirmation | None, list[Outcome]]:
    """Train the finalists and the plain config over fresh seeds, all that is missing, and compare them.

    Args:
        question: of the search.
        finalists: records of the finalists, the best first; at least one.
        request: says how many seeds, where runs are, and what may stop the training.
        observer: watches.

    Returns:
        The confirmation, None where it was stopped or a run failed; and the outcomes of the runs that were
        trained now.

    Raises:
        TrainrunError: a run's directory holds something else.
    """
    first = question.config.seed + 1
    seeds = range(first, first + request.seeds)
    known = digests(question.config.data)

    def candidate(label: str, config: Config) -> Candidate:
        id8 = question.identify(config)
        group = group_directory(request.runs, config.name, id8)
        directories = {seed: seed_directory(group, seed) for seed in seeds}
        return Candidate(label, config.with_seed(first), Path(request.config), (), id8, known, directories)

    plain = candidate(question.config.name, question.config)
    others = [
        candidate(f"finalist {place}", question.space.candidate(question.space.point(one.settings)))
        for place, one in enumerate(finalists, 1)
    ]
    to_fit = CompareRequest([request.config], runs=request.runs, stop=request.stop, elsewhere=request.front)
    outcomes = fit_missing([plain, *others], to_fit, observer)
    if any(outcome.status in ("interrupted", "failed") for outcome in outcomes):
        return None, outcomes  # some configs have more seeds than others: that is no answer
    standings = [stand(one, outcomes) for one in (plain, *others)]
    criterion = choose_criterion(standings, question.metric)
    comparison = conclude(standings, criterion, tuple(pair_all(standings, criterion)), outcomes, request.runs)
    return Confirmation(comparison, tuple(finalists)), outcomes
