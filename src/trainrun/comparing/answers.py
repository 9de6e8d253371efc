"""Answer to a request: complete runs, differences over paired seeds, verdicts, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trainrun.comparing.ablation import Ablation, take_apart
from trainrun.comparing.candidates import Candidate, CandidateFactory, CompareRequest, distinct
from trainrun.comparing.criterion import Criterion, choose_criterion, known_metric, require_reported
from trainrun.comparing.ensembles import Ensembles, compare_ensembles
from trainrun.comparing.look_log import earlier_looks, is_new, look_history, make_look, record_look
from trainrun.comparing.pairing import Pairing, find_pairing, pair_seeds, shared_seeds
from trainrun.comparing.standings import Standing, fit_missing, stand
from trainrun.comparing.warnings import best_of_many, cautions, from_searches
from trainrun.errors import (
    DIVERGED,
    INTERRUPTED,
    DifferentRunError,
    RunDirectoryError,
    StorageError,
    TrainrunError,
    exit_code,
)
from trainrun.fitting import Observer, Outcome
from trainrun.os_errors import explained

_NO_ENSEMBLES = Ensembles()


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Attributes:
        standings: of the candidates, the baseline first; those that stand in for an ablation last.
        criterion: the metric and the part that decide.
        pairings: every candidate against the baseline, by every metric they share, on every part.
        ensembles: the same of the averages of their seeds.
        ablations: candidates that were taken apart, key by key.
        over_splits: whether each seed drew a split of its own.
        corrected: whether intervals and p are corrected for splits that overlap.
        scored: how many configs were ever scored on this test part; None where that is not known.
        warnings: what to know before believing it.
        errors: what went wrong with runs.
        exit_code: as in docs/exit-codes.md; no verdict changes it.
    """

    standings: tuple[Standing, ...]
    criterion: Criterion
    pairings: tuple[Pairing, ...]
    ensembles: Ensembles
    ablations: tuple[Ablation, ...]
    over_splits: bool
    corrected: bool
    scored: int | None
    warnings: tuple[str, ...]
    errors: tuple[TrainrunError, ...]
    exit_code: int

    def pairing(self, label: str, metric: str, part: str) -> Pairing | None:
        """A candidate's pairing; None where nothing could be paired."""
        return find_pairing(self.pairings, label, metric, part)

    def decisive(self, label: str) -> Pairing | None:
        """The pairing that says whether a candidate is better."""
        return self.pairing(label, self.criterion.metric, self.criterion.part)


def answer(request: CompareRequest, observer: Observer) -> Comparison:
    """Fit what is missing and compare.

    Args:
        request: what is to be compared.
        observer: watches the training.

    Raises:
        TrainrunError: the request makes no sense; what goes wrong with single runs is part of the answer.
    """
    wanted = known_metric(request.metric) if request.metric else None
    with _folders_of(request):
        factory = CandidateFactory(request, observer)
        candidates, ablations = _candidates(factory, request)
    if wanted:
        require_reported(candidates, wanted)
    outcomes = fit_missing(candidates, request, observer) if request.fit else []
    with _folders_of(request):
        standings = [stand(one, outcomes) for one in candidates]
    criterion = choose_criterion(standings, wanted)
    ensembles = compare_ensembles(standings, criterion, request.runs, request.stop)
    further = [
        *factory.repeats,
        *best_of_many(standings, criterion),
        *from_searches(standings, request.runs),
    ]
    return conclude(
        standings,
        criterion,
        tuple(pair_seeds(standings, criterion)),
        outcomes,
        request.runs,
        ensembles=ensembles,
        ablations=ablations,
        further=further,
    )


def conclude(
    standings: Sequence[Standing],
    criterion: Criterion,
    pairings: Sequence[Pairing],
    outcomes: Sequence[Outcome],
    runs: Path,
    *,
    ensembles: Ensembles = _NO_ENSEMBLES,
    ablations: Sequence[Ablation] = (),
    further: Sequence[str] = (),
) -> Comparison:
    """Return a comparison with its warnings, and note it in the log of comparisons.

    Args:
        standings: of the candidates, the baseline first.
        criterion: what decides.
        pairings: of the candidates.
        outcomes: of the runs that were trained for it.
        runs: the folder of runs.
        ensembles: of the candidates.
        ablations: of candidates that were taken apart.
        further: warnings beside those of every comparison.
    """
    baseline = standings[0]
    seeds = {one.candidate.id8: shared_seeds(baseline, one) for one in standings[1:]}
    on_test = criterion.part == "test" and bool(baseline.complete)
    look, earlier = make_look(baseline.candidate, seeds, on_test=on_test), earlier_looks(runs)
    if is_new(look, earlier):
        record_look(runs, look)
    history = look_history(look, earlier)
    return Comparison(
        standings=tuple(standings),
        criterion=criterion,
        pairings=tuple(pairings),
        ensembles=ensembles,
        ablations=tuple(ablations),
        over_splits=baseline.candidate.config.data.redrawn,
        corrected=baseline.overlap(criterion.part) is not None,
        scored=history.scored,
        warnings=(*cautions(standings, criterion, ablations, history), *further),
        errors=tuple({str(outcome.error): outcome.error for outcome in outcomes if outcome.error}.values()),
        exit_code=_exit_code(standings, outcomes, ensembles),
    )


@contextmanager
def _folders_of(request: CompareRequest) -> Iterator[None]:
    """Say in terms of what the command does that a folder is closed to it: reads, or also trains."""
    try:
        yield
    except (PermissionError, StorageError) as error:
        cause = error if isinstance(error, PermissionError) else error.__cause__
        if not isinstance(cause, PermissionError):
            raise
        kind = RunDirectoryError if request.trains else StorageError
        if isinstance(error, StorageError):
            raise kind(str(error)) from cause
        with explained(None, "be read", kind):
            raise


def _candidates(factory: CandidateFactory, request: CompareRequest) -> tuple[list[Candidate], list[Ablation]]:
    """All candidates; those that only explain others come last, each recipe once."""
    baseline, *others = factory.candidates
    taken = [take_apart(factory, baseline, whole) for whole in others] if request.ablate else []
    taken = [one for one in taken if one.parts and len(one.parts) + len(one.impossible) > 1]
    parts = {part.id8: part for ablation in taken for part in ablation.parts.values()}
    known = {one.id8 for one in factory.candidates}
    candidates = distinct([*factory.candidates, *(part for id8, part in parts.items() if id8 not in known)])
    named = {one.id8: one for one in reversed(candidates)}
    return candidates, [ablation.renamed(named) for ablation in taken]


def _exit_code(standings: Sequence[Standing], outcomes: Sequence[Outcome], ensembles: Ensembles) -> int:
    codes = {outcome.exit_code for outcome in outcomes} | ({INTERRUPTED} if ensembles.is_stopped else set())
    for one in standings:
        if one.seeds("diverged"):
            codes.add(DIVERGED)
        if (
            not one.candidate.saved
            and not outcomes
            and len(one.complete) + len(one.seeds("diverged")) < len(one.runs)
        ):
            codes.add(DifferentRunError.exit_code)
    return exit_code(codes)
