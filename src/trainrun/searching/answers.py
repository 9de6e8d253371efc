"""Answer to a request to search: candidates in generations, then the confirmation of the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trainrun.errors import DIVERGED, INTERRUPTED, TrainrunError, UsageError, exit_code
from trainrun.os_errors import explained
from trainrun.runs.checkpoint import discard_checkpoints
from trainrun.runs.files import make_directory, remove_temporaries, write_files
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import SEARCHES, SearchPaths
from trainrun.searching.best import best_yaml
from trainrun.searching.confirming import Confirmation, choose_finalists, confirm
from trainrun.searching.generation import Generation
from trainrun.searching.halving import brackets, rungs
from trainrun.searching.question import GENERATION, Question
from trainrun.searching.records import Record, points, ranked, read_records, write_records
from trainrun.searching.request import SearchObserver, SearchRequest
from trainrun.searching.sampling import Seen, proposals
from trainrun.searching.space import Point
from trainrun.searching.trainings import Candidate, Training

_MOST_SKIPPED = 50  # proposals in a row, after which a space is taken to be used up


@dataclass(frozen=True)
class Search:
    """Result of a search.

    Attributes:
        question: what was asked.
        paths: of its files.
        records: of all candidates, in their order.
        confirmation: of the finalists; None where it or the search was stopped, or no candidate is finite.
        best_file: the config file with the best settings; None without a confirmation.
        warnings: what to know before believing it.
        errors: what went wrong with runs.
        exit_code: as in docs/exit-codes.md; no candidate changes it.
    """

    question: Question
    paths: SearchPaths
    records: tuple[Record, ...]
    confirmation: Confirmation | None
    best_file: Path | None
    warnings: tuple[str, ...]
    errors: tuple[TrainrunError, ...]
    exit_code: int

    @cached_property
    def ranking(self) -> list[Record]:
        """The candidates that have a value, the best first."""
        return ranked(self.records, larger_is_better=self.question.larger_is_better)


def answer(request: SearchRequest, observer: SearchObserver) -> Search:
    """Search, and confirm the best candidates over fresh seeds.

    Args:
        request: what is to be searched.
        observer: watches.

    Raises:
        TrainrunError: the request makes no sense, or files cannot be written; what goes wrong with single
            runs is part of the answer.
    """
    if any(text.partition("=")[0].strip() == "extends" for text in request.overrides):
        raise UsageError("--set extends: a search extends its own config file: write it there")
    question = Question(request)
    paths = SearchPaths(request.runs / SEARCHES / f"{question.config.name}-{question.id8()}")
    if not paths.candidates.exists():
        question.check()  # before anything is written
    with RunLock(paths):
        work = _Work(question, paths, request, observer)
        generations, is_whole = work.carry_out()
        records = [one for generation in generations for one in generation]
        return _conclude(question, paths, request, observer, records, is_whole, work.errors)


def _conclude(
    question: Question,
    paths: SearchPaths,
    request: SearchRequest,
    observer: SearchObserver,
    records: Sequence[Record],
    is_whole: bool,
    errors: Sequence[TrainrunError],
) -> Search:
    """Confirm the best candidates of a search that came to its end."""
    codes = {error.exit_code for error in errors}
    confirmation, best_file = None, None
    ranking = ranked(records, larger_is_better=question.larger_is_better)
    finalists = choose_finalists(ranking, request.finalists, question.identify(question.config))
    if not is_whole:
        codes.add(INTERRUPTED)
    elif not ranking:
        codes.add(DIVERGED)
    elif finalists:
        confirmation = confirm(question, finalists, request, observer)
        errors = [*errors, *(outcome.error for outcome in confirmation.outcomes if outcome.error)]
        codes |= {outcome.exit_code for outcome in confirmation.outcomes} - {DIVERGED}
        if not confirmation.is_whole:
            confirmation = None  # some have more seeds than others: that is no answer
        else:
            if confirmation.has_diverged:
                codes.add(DIVERGED)
            best_file = _write_best(question, paths, request, confirmation, len(records))
    return Search(
        question=question,
        paths=paths,
        records=tuple(records),
        confirmation=confirmation,
        best_file=best_file,
        warnings=(),
        errors=tuple({str(error): error for error in errors}.values()),
        exit_code=exit_code(codes),
    )


def _write_best(
    question: Question,
    paths: SearchPaths,
    request: SearchRequest,
    confirmation: Confirmation,
    candidates: int,
) -> Path:
    """Write the config file with the best settings, and return its path."""
    record = confirmation.records[confirmation.best]
    head = [f"The best of {candidates} candidates, by `trainrun search {request.config}`."]
    text = best_yaml(question.space, record.settings, request.config, paths.best, head)
    write_files({paths.best: text.encode()})
    return paths.best


class _Work:
    """The generations of a search, as far as they are trained.

    Args:
        question: of the search.
        paths: of its files; its lock is held.
        request: of the user.
        observer: watches.

    Attributes:
        errors: what went wrong with single runs.
    """

    def __init__(
        self, question: Question, paths: SearchPaths, request: SearchRequest, observer: SearchObserver
    ) -> None:
        self._question, self._paths = question, paths
        self._request, self._observer = request, observer
        self.errors: list[TrainrunError] = []
        self._epochs = 0

    def carry_out(self) -> tuple[list[list[Record]], bool]:
        """Train what is missing; return the records of each generation, and whether all are whole."""
        found, is_whole = self._candidates()
        if is_whole:
            self._discard()
        return found, is_whole

    def _candidates(self) -> tuple[list[list[Record]], bool]:
        self._begin()
        found, is_written = self._known()
        sizes = list(self._question.sizes)
        # A generation with fewer candidates ends a space that is used up, or a file that was cut.
        short = found.pop() if found and len(found[-1]) != sizes[len(found) - 1] else []
        if found and not is_written:
            write_records(self._paths.candidates, found)
        for number in range(len(found), len(sizes)):
            if self._request.stopped():
                return found, False
            trainings, skipped = self._propose(number, sizes[number], found)
            if short and [one.id8 for one in short] == [one.candidate.id8 for one in trainings]:
                return [*found, short], True
            if trainings:
                is_whole = self._train(number, trainings)
                found.append([Record.of(*pair) for pair in zip(trainings, skipped, strict=True)])
                if not is_whole:
                    return found, False
                write_records(self._paths.candidates, found)
                self._discard()
            if len(trainings) < sizes[number]:
                break  # the space is used up
        return found, True

    def _discard(self) -> None:
        """Remove the checkpoints of a generation whose records are written."""
        with suppress(TrainrunError):  # what is left of them is of an earlier generation than the next one
            discard_checkpoints(self._paths)

    def _begin(self) -> None:
        make_directory(self._paths.directory)
        remove_temporaries(self._paths.directory)
        if not self._paths.question.exists():
            from trainrun.config.rendering import yaml_text

            asked = {"config": str(self._request.config), "set": list(self._request.overrides)}
            options = {**asked, "seed": self._question.config.seed, **self._question.options}
            write_files({self._paths.question: yaml_text(options).encode()})

    def _known(self) -> tuple[list[list[Record]], bool]:
        """The generations that are on disk: of this search, else the whole ones of one that it extends.

        Returns:
            Their records, and whether they are in this search's own file.
        """
        question = self._question
        sizes = list(question.sizes)
        best: list[list[Record]] = []
        is_own = True
        for rest in (question.sizes.rest, *range(GENERATION)):
            paths = SearchPaths(
                self._paths.directory.with_name(f"{question.config.name}-{question.id8(rest)}")
            )
            with explained(paths.candidates, "be read"):
                found = read_records(paths.candidates, question.space, GENERATION)
            if rest != question.sizes.rest:
                found = [one for one in found if len(one) == GENERATION]
            found = found[: len(sizes)]
            if len(found) > len(best):
                best, is_own = found, rest == question.sizes.rest
            if len(best) == len(sizes):
                break
        return best, is_own

    def _propose(
        self, number: int, size: int, earlier: Sequence[Sequence[Record]]
    ) -> tuple[list[Training], list[int]]:
        """The candidates of a generation, and how many proposals were left out before each."""
        question = self._question
        before = [one for generation in earlier for one in generation]
        known = {one.id8 for one in before}
        seen = [
            Seen(point, one.value, one.epochs, one.status == "complete")
            for point, one in zip(points(before, question.space), before, strict=True)
        ]
        chosen: list[tuple[Point, int]] = []
        configs = []
        skipped = 0
        for point in proposals(
            question.space,
            question.sampler,
            seed=question.config.seed,
            generation=number,
            size=GENERATION,
            seen=seen,
            larger_is_better=question.larger_is_better,
        ):
            config = question.can_train(point)
            id8 = question.identify(config) if config else ""
            if not config or id8 in known:
                skipped += 1
                if skipped >= _MOST_SKIPPED and question.sampler != "grid":
                    break  # those of a grid have an end
                continue
            known.add(id8)
            configs.append((config, id8))
            chosen.append((point, skipped))
            skipped = 0
            if len(chosen) == size:
                break
        if skipped and chosen:  # behind the last candidate of a space that is used up
            point, before_it = chosen.pop()
            chosen.append((point, before_it + skipped))
        longest = max((config.epochs for config, _ in configs), default=0)
        places = brackets(len(configs), rungs(question.epochs_first, longest))
        trainings = [
            Training(
                Candidate(
                    number=number * GENERATION + place,
                    generation=number,
                    bracket=bracket,
                    point=point,
                    settings=question.space.settings(point),
                    config=config,
                    id8=id8,
                ),
                question.cell(config),
                question.metric,
            )
            for place, ((config, id8), (point, _), bracket) in enumerate(
                zip(configs, chosen, places, strict=True)
            )
        ]
        return trainings, [left_out for _, left_out in chosen]

    def _train(self, number: int, trainings: Sequence[Training]) -> bool:
        longest = max(one.cell.config.epochs for one in trainings)
        generation = Generation(
            number=number,
            trainings=trainings,
            judged_after=rungs(self._question.epochs_first, longest),
            larger_is_better=self._question.larger_is_better,
            paths=self._paths,
            runs=self._request.runs,
            stopped=self._request.stopped,
            save_seconds=self._request.save_seconds,
            progress=self._progress,
        )
        if note := generation.restore():
            self._observer.note(note)
        is_whole = generation.train()
        self.errors += generation.busy
        return is_whole

    def _progress(self, epochs: int) -> None:
        self._epochs += epochs
