"""Answer to a request to search: candidates in generations, then the confirmation of the best of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import monotonic

from trainrun.errors import DIVERGED, INTERRUPTED, TrainrunError, UsageError, exit_code
from trainrun.jsonio import to_json_file
from trainrun.os_errors import explained
from trainrun.runs.files import read_bytes, write_files, write_out
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import SEARCHES, SearchPaths
from trainrun.searching.best import best_yaml
from trainrun.searching.confirming import Confirmation, choose_finalists, confirm
from trainrun.searching.importance import Importance, importances
from trainrun.searching.outer import Outer, cross_validate, folds, require_one_table
from trainrun.searching.question import Question
from trainrun.searching.records import Record, ranked
from trainrun.searching.request import SearchObserver, SearchRequest
from trainrun.searching.results import read_importance, result_json
from trainrun.searching.work import Work, is_archive
from trainrun.text import printable


@dataclass(frozen=True)
class Search:
    """Result of a search.

    Attributes:
        question: what was asked.
        paths: of its files.
        records: of all candidates, in their order.
        confirmation: of the finalists; None where it or the search was stopped, a run of it failed, or no
            candidate is finite.
        importance: of the searched keys, the largest first; empty where too little is known.
        best_file: the config file with the best settings; None without a confirmation.
        is_stopped: whether it has not come to its end, so that the same request goes on: it was asked to
            stop, or a run of the confirmation failed.
        errors: what went wrong with runs.
        seconds: that this answer took.
        exit_code: as in docs/exit-codes.md; no candidate changes it.
        outer: the same search on folds; None where that was not asked for, or the search was stopped.
    """

    question: Question
    paths: SearchPaths
    records: tuple[Record, ...]
    confirmation: Confirmation | None
    importance: tuple[Importance, ...]
    best_file: Path | None
    is_stopped: bool
    errors: tuple[TrainrunError, ...]
    seconds: float
    exit_code: int
    outer: Outer | None = None

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
    begun = monotonic()
    if request.outer:
        _check_folds(request, request.outer)
    found = _search(request, observer)
    if not request.outer:
        return found
    outer = None if request.stopped() else cross_validate(request, request.outer, observer, _search)
    searches = outer.searches if outer else ()
    errors = {str(error): error for one in (found, *searches) for error in one.errors}
    is_stopped = len(searches) < request.outer or any(one.is_stopped for one in (found, *searches))
    codes = {fold.exit_code for fold in searches} - {DIVERGED} | {found.exit_code}
    codes |= {INTERRUPTED} if len(searches) < request.outer else set()
    return replace(
        found,
        outer=outer,
        is_stopped=is_stopped,
        errors=tuple(errors.values()),
        seconds=monotonic() - begun,
        exit_code=exit_code(codes),
    )


def _check_folds(request: SearchRequest, count: int) -> None:
    """Check the searches on all folds, before anything trains."""
    require_one_table(Question(request).config)
    for fold in folds(request, count):
        _question(fold)


def _question(request: SearchRequest) -> tuple[Question, SearchPaths]:
    """Return what is asked, checked where nothing of it is trained yet, and where its files are."""
    question = Question(request)
    if request.out:
        _check_out(request.out, question)
    paths = SearchPaths(request.runs / SEARCHES / f"{question.config.name}-{question.id8()}")
    if not paths.candidates.exists():
        question.check()
    return question, paths


def _check_out(out: Path, question: Question) -> None:
    """Check, before hours of training, that a file can be written and overwrites nothing of the question.

    Raises:
        UsageError: it is a file of the searched config.
        StorageError: it is a folder, or its own folder is not there.
    """
    if question.space.is_made_of(out):
        raise UsageError(f"--out {printable(str(out))}: is a file of the searched config; name another one")
    with explained(out):
        if out.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        next(out.parent.iterdir(), None)


def _search(request: SearchRequest, observer: SearchObserver) -> Search:
    """Answer a request, without its outer folds."""
    question, paths = _question(request)
    with _locked(paths, request):
        return _conclude(question, paths, request, observer, Work(question, paths, request, observer))


def _locked(paths: SearchPaths, request: SearchRequest) -> AbstractContextManager[object]:
    """Lock a search; one that is an archive answers without a lock."""
    return nullcontext() if is_archive(paths) else RunLock(paths, request.stopped)


def _conclude(
    question: Question,
    paths: SearchPaths,
    request: SearchRequest,
    observer: SearchObserver,
    work: Work,
) -> Search:
    """Carry the search out, confirm its best candidates, and write what was found."""
    begun = monotonic()
    records, is_whole = work.carry_out()
    ranking = ranked(records, larger_is_better=question.larger_is_better)
    finalists = choose_finalists(ranking, request.finalists, question.identify(question.config))
    errors, codes = list(work.errors), set()
    confirmation, is_stopped = None, not is_whole
    if not is_whole:
        codes.add(INTERRUPTED)
    elif not ranking:
        codes.add(DIVERGED)
    elif finalists:
        confirmation, outcomes = confirm(question, finalists, request, observer)
        errors += [outcome.error for outcome in outcomes if outcome.error]
        codes |= {outcome.exit_code for outcome in outcomes} - {DIVERGED}
        is_stopped = confirmation is None
        if confirmation and confirmation.has_diverged:
            codes.add(DIVERGED)
    codes |= {error.exit_code for error in errors}
    importance = [] if is_stopped else _importance(question, paths, records)
    best_file = None
    if not is_stopped:
        best_file = _write(question, paths, request, confirmation, records, importance)
    return Search(
        question=question,
        paths=paths,
        records=tuple(records),
        confirmation=confirmation,
        importance=tuple(importance),
        best_file=best_file,
        is_stopped=is_stopped,
        errors=tuple({str(error): error for error in errors}.values()),
        seconds=monotonic() - begun,
        exit_code=exit_code(codes),
    )


def _importance(question: Question, paths: SearchPaths, records: Sequence[Record]) -> list[Importance]:
    known = read_importance(paths.result, len(records))
    if known is not None:
        return known
    return importances(records, question.space, larger_is_better=question.larger_is_better)


def _write(
    question: Question,
    paths: SearchPaths,
    request: SearchRequest,
    confirmation: Confirmation | None,
    records: Sequence[Record],
    importance: Sequence[Importance],
) -> Path | None:
    """Write the result and, if there is a best one, its config file; return the path of the latter."""
    result = result_json(question, records, importance, confirmation, request.runs)
    contents = {paths.result: to_json_file(result)}
    best_file = None
    if confirmation:
        settings = confirmation.records[confirmation.best].settings
        head = [f"The best of {len(records)} candidates of {Path(request.config).name}, by trainrun search."]

        def best(place: Path) -> bytes:
            return best_yaml(question.space, settings, request.config, place, head).encode()

        contents[paths.best] = best(paths.best)
        best_file = request.out or paths.best
    write_files({path: content for path, content in contents.items() if not _holds(path, content)})
    if confirmation and request.out:
        write_out(request.out, best(request.out))
    return best_file


def _holds(path: Path, content: bytes) -> bool:
    """Return whether a file has this content already: a search that is asked again changes nothing."""
    try:
        return read_bytes(path) == content
    except OSError:
        return False
