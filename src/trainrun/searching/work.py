"""The work of a search: its generations, as far as they are trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic

from trainrun.config import Config
from trainrun.config.rendering import yaml_text
from trainrun.errors import TrainrunError
from trainrun.os_errors import explained
from trainrun.runs.checkpoint import discard_checkpoints
from trainrun.runs.files import make_directory, remove_temporaries, write_files
from trainrun.runs.paths import SearchPaths
from trainrun.searching.filling import ShapeFilling
from trainrun.searching.generation import Generation
from trainrun.searching.halving import FACTOR, brackets, rungs
from trainrun.searching.question import GENERATION, Question
from trainrun.searching.records import Record, points, read_records, write_records
from trainrun.searching.request import SearchObserver, SearchRequest
from trainrun.searching.sampling import Seen, proposals
from trainrun.searching.space import Point
from trainrun.searching.trainings import Candidate, Training

_SECONDS_BETWEEN_NEWS = 0.1
_MOST_SKIPPED = 50  # proposals in a row, after which the combinations that are left are taken in their order


@dataclass(frozen=True)
class _Proposal:
    """A candidate before it trains.

    Attributes:
        point: in the space.
        config: the whole config.
        id8: of its runs.
        skipped: how many proposals before it were left out.
    """

    point: Point
    config: Config
    id8: str
    skipped: int


class Work:
    """The generations of a search.

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

    def carry_out(self) -> tuple[list[Record], bool]:
        """Train what is missing; return the records of all candidates, and whether none is missing."""
        generations, is_whole = self._generations()
        if is_whole:
            self._discard()
        return [one for generation in generations for one in generation], is_whole

    def _generations(self) -> tuple[list[list[Record]], bool]:
        self._begin()
        found, is_own = self._known()
        sizes = list(self._question.sizes)
        # A generation with fewer candidates ends a space that is used up, or a file that was cut.
        short = found.pop() if found and len(found[-1]) != sizes[len(found) - 1] else []
        if found and not is_own:
            write_records(self._paths.candidates, found)
        for number in range(len(found), len(sizes)):
            if self._request.stopped():
                return found, False
            chosen = self._propose(number, sizes[number], found)
            trainings = self._trainings(number, chosen)
            if short and [one.id8 for one in short] == [one.candidate.id8 for one in trainings]:
                return [*found, short], True
            if trainings:
                is_whole = self._train(number, trainings)
                skipped = [one.skipped for one in chosen]
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
        if is_archive(self._paths):
            return
        make_directory(self._paths.directory)
        remove_temporaries(self._paths.directory)
        if not self._paths.question.exists():
            asked = {"config": str(self._request.config), "set": list(self._request.overrides)}
            options = {**asked, "seed": self._question.config.seed, **self._question.options}
            write_files({self._paths.question: yaml_text(options).encode()})

    def _known(self) -> tuple[list[list[Record]], bool]:
        """The generations that are on disk: of this search, else the whole ones of one that it extends.

        Returns:
            Their records, and whether they are in this search's own file.
        """
        mine = self._question.sizes.rest
        wanted = len(list(self._question.sizes))
        best, is_own = self._read(mine)[:wanted], True
        for rest in (rest for rest in range(GENERATION) if rest != mine):
            if len(best) == wanted:
                break
            whole = [one for one in self._read(rest) if len(one) == GENERATION][:wanted]
            if len(whole) > len(best):
                best, is_own = whole, False
        return best, is_own

    def _read(self, rest: int) -> list[list[Record]]:
        """The generations of the same search with `rest` candidates in its last one."""
        name = f"{self._question.config.name}-{self._question.id8(rest)}"
        paths = SearchPaths(self._paths.directory.with_name(name))
        with explained(paths.candidates, "be read"):
            return read_records(paths.candidates, self._question.space, GENERATION)

    def _propose(self, number: int, size: int, earlier: Sequence[Sequence[Record]]) -> list[_Proposal]:
        """The candidates of a generation."""
        question = self._question
        before = [one for generation in earlier for one in generation]
        known = {one.id8 for one in before}
        seen = [
            Seen(point, one.value, one.epochs, one.status == "complete")
            for point, one in zip(points(before, question.space), before, strict=True)
        ]
        proposed = proposals(
            question.space,
            question.sampler,
            seed=question.config.seed,
            generation=number,
            size=GENERATION,
            seen=seen,
            larger_is_better=question.larger_is_better,
        )
        filling = ShapeFilling([] if question.sampler == "grid" else question.shaping_keys)
        proposed = map(filling.fitted, proposed)
        rest = iter(question.space.grid() if question.space.is_countable else ())
        in_rest = False
        chosen: list[_Proposal] = []
        skipped = 0
        while len(chosen) < size and (point := next(rest if in_rest else proposed, None)):
            config = question.can_train(point)
            id8 = question.identify(config) if config else ""
            if config and id8 not in known:
                known.add(id8)
                filling.count(point)
                chosen.append(_Proposal(point, config, id8, skipped))
                skipped = 0
            elif not config or not in_rest:
                skipped += 1
            # A grid has an end by itself.
            in_rest = in_rest or (skipped >= _MOST_SKIPPED and question.sampler != "grid")
        if skipped and chosen:  # behind the last candidate of a space that is used up
            last = chosen.pop()
            chosen.append(replace(last, skipped=last.skipped + skipped))
        return chosen

    def _trainings(self, number: int, chosen: Sequence[_Proposal]) -> list[Training]:
        question = self._question
        longest = max((one.config.epochs for one in chosen), default=0)
        places = brackets(len(chosen), rungs(question.epochs_first, longest))
        return [
            Training(
                Candidate(
                    number=number * GENERATION + place,
                    generation=number,
                    bracket=places[place],
                    point=one.point,
                    settings=question.space.settings(one.point),
                    config=one.config,
                    id8=one.id8,
                ),
                question.cell(one.config),
                question.metric,
            )
            for place, one in enumerate(chosen)
        ]

    def _train(self, number: int, trainings: Sequence[Training]) -> bool:
        longest = max(one.cell.config.epochs for one in trainings)
        judged_after = rungs(self._question.epochs_first, longest)
        progress = _Progress(self._observer, number, len(list(self._question.sizes)), trainings, judged_after)
        generation = Generation(
            number=number,
            trainings=trainings,
            judged_after=judged_after,
            larger_is_better=self._question.larger_is_better,
            paths=self._paths,
            runs=self._request.runs,
            stopped=self._request.stopped,
            save_seconds=self._request.save_seconds,
            progress=progress.told,
            front=self._request.front,
        )
        if note := generation.restore():
            self._observer.note(note)
        is_whole = generation.train()
        self.errors += generation.busy
        return is_whole


def is_archive(paths: SearchPaths) -> bool:
    """Return whether a search has a result, and a folder in which this process may not write."""
    return paths.result.exists() and not os.access(paths.directory, os.W_OK)


class _Progress:
    """How much of a search is done, by the epochs that halving leaves of each generation.

    Args:
        observer: is told.
        number: of the generation that trains, from 0.
        generations: of the search.
        trainings: of the generation.
        judged_after: the epochs after which they are judged.
    """

    def __init__(
        self,
        observer: SearchObserver,
        number: int,
        generations: int,
        trainings: Sequence[Training],
        judged_after: Sequence[int],
    ) -> None:
        self._observer, self._trainings = observer, trainings
        self._number, self._generations = number, generations
        self._last = monotonic()
        self._expected = max(_epochs_of_halving(trainings, judged_after), 1.0)

    def told(self, until: int) -> None:
        """Pass on, now and then, how far the candidates are, which train until the end of an epoch."""
        if monotonic() - self._last < _SECONDS_BETWEEN_NEWS:
            return
        self._last = monotonic()
        done = sum(one.epochs for one in self._trainings) / self._expected
        training = sum(one.trains for one in self._trainings)
        before = sum(one.status == "dropped" for one in self._trainings)
        which = f"generation {self._number + 1} of {self._generations}: " if self._generations > 1 else ""
        words = f"{which}{training} candidates train to epoch {until}, {before} dropped"
        self._observer.search((self._number + min(done, 1.0)) / self._generations, words)


def _epochs_of_halving(trainings: Sequence[Training], judged_after: Sequence[int]) -> float:
    """The epochs of a generation in which no candidate stops by itself."""
    epochs = 0.0
    for one in trainings:
        ends = [*judged_after[one.candidate.bracket :], one.cell.config.epochs]
        share, before = 1.0, 0
        for end in ends:
            epochs += share * (end - before)
            share, before = share / FACTOR, end
    return epochs
