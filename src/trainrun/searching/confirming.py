"""Confirmation: the finalists and the plain config over seeds that the search never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trainrun.comparing.candidates import Candidate, CompareRequest
from trainrun.comparing.criterion import Criterion, choose_criterion, larger_is_better
from trainrun.comparing.look_log import earlier_looks, is_new, make_look, record_look
from trainrun.comparing.pairing import Pairing, find_pairing, pair_all, shared_seeds
from trainrun.comparing.standings import Standing, fit_missing, stand
from trainrun.config import Config
from trainrun.data import digests
from trainrun.fitting import Outcome
from trainrun.runs.paths import group_directory, seed_directory
from trainrun.searching.question import Question
from trainrun.searching.records import Record
from trainrun.searching.request import SearchObserver, SearchRequest

#: The label of the plain config in a confirmation.
PLAIN = "plain config"


@dataclass(frozen=True)
class Confirmation:
    """The plain config and the finalists over fresh seeds.

    Attributes:
        plain: the plain config.
        finalists: in the order of the search's ranking.
        records: what the search believed of each finalist.
        criterion: the metric and the part that decide.
        pairings: of every two, by every metric on every part.
        outcomes: of the runs that were trained now.
    """

    plain: Standing
    finalists: tuple[Standing, ...]
    records: tuple[Record, ...]
    criterion: Criterion
    pairings: tuple[Pairing, ...]
    outcomes: tuple[Outcome, ...]

    @cached_property
    def best(self) -> int:
        """The place of the best finalist, by the mean over the fresh seeds on the validation rows."""
        sign = -1 if larger_is_better(self.criterion.metric) else 1
        means = [one.mean("valid", self.criterion.metric) for one in self.finalists]
        return min(range(len(means)), key=lambda place: (not means[place].n, sign * means[place].value))

    @property
    def is_whole(self) -> bool:
        """Return whether no run was left since the search was asked to stop."""
        return not any(outcome.status == "interrupted" for outcome in self.outcomes)

    @property
    def has_diverged(self) -> bool:
        """Return whether the best finalist diverged in any run."""
        return bool(self.finalists[self.best].seeds("diverged"))

    def pairing(self, one: Standing, baseline: Standing) -> Pairing | None:
        """Return the pairing that decides between two; None where nothing could be paired."""
        mine = [pair for pair in self.pairings if pair.baseline == baseline.label]
        return find_pairing(mine, one.label, self.criterion.metric, self.criterion.part)


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
) -> Confirmation:
    """Train the finalists and the plain config over fresh seeds, all that is missing, and compare them.

    Args:
        question: of the search.
        finalists: records of the finalists, the best first; at least one.
        request: says how many seeds, where runs are, and what may stop the training.
        observer: watches.

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

    plain = candidate(PLAIN, question.config)
    others = [
        candidate(f"finalist {place}", question.space.candidate(question.space.point(one.settings)))
        for place, one in enumerate(finalists, 1)
    ]
    to_fit = CompareRequest([request.config], runs=request.runs, stop=request.stop)
    outcomes = fit_missing([plain, *others], to_fit, observer)
    standings = [stand(one, outcomes) for one in (plain, *others)]
    criterion = choose_criterion(standings, question.metric)
    confirmation = Confirmation(
        plain=standings[0],
        finalists=tuple(standings[1:]),
        records=tuple(finalists),
        criterion=criterion,
        pairings=tuple(pair_all(standings, criterion)),
        outcomes=tuple(outcomes),
    )
    if confirmation.is_whole:
        _note_look(standings, criterion, request.runs)
    return confirmation


def _note_look(standings: Sequence[Standing], criterion: Criterion, runs: Path) -> None:
    """Note in the log of comparisons that the test part was looked at."""
    plain, *others = standings
    seeds = {one.candidate.id8: shared_seeds(plain, one) for one in others}
    on_test = criterion.part == "test" and bool(plain.complete)
    look = make_look(plain.candidate, seeds, on_test=on_test)
    if is_new(look, earlier_looks(runs)):
        record_look(runs, look)
