"""Resolve names of searches: a directory, or `searches/<name>[-<id8>]` below a folder of runs."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainrun.errors import UsageError
from trainrun.os_errors import explained
from trainrun.runs.files import read_bytes
from trainrun.runs.paths import SEARCHES, RunPaths, SearchPaths, groups, seed_of, split_group
from trainrun.text import close_names, printable

_MOST_CHOICES = 8
_CONFIG_SUFFIXES = {".yaml", ".yml"}


@dataclass(frozen=True)
class NamedSearch:
    """Search that a name on the command line means.

    Attributes:
        text: what the user wrote.
        paths: of the search.
        is_directory: whether the user wrote the directory itself.
    """

    text: str
    paths: SearchPaths
    is_directory: bool = False

    @property
    def sentence(self) -> str | None:
        """The line that says which search is taken; None where the user wrote its directory."""
        if self.is_directory:
            return None
        return f"{printable(self.text)}: takes {printable(str(self.paths.directory))}"

    @property
    def refusal(self) -> str:
        """The sentence for a command that takes runs alone."""
        start = f"{printable(self.text)}: is a search, not runs"
        if not self.paths.result.exists():
            return f"{start}, and has no result yet: the same `trainrun search` command goes on"
        is_there = self.paths.best.is_file()
        best = f", and its best settings are the config {printable(str(self.paths.best))}" if is_there else ""
        return f"{start}: `trainrun report` draws it{best}"


def resolve_search(text: str, runs: Path) -> NamedSearch | None:
    """Return the search that `text` names: by its directory, or as `searches/<name>[-<id8>]`.

    Args:
        text: what the user wrote.
        runs: the folder of runs.

    Returns:
        The search; None where the words mean runs or a config file.

    Raises:
        UsageError: several searches have the name, or there is no such search.
        StorageError: a folder may not be read.
    """
    with explained(None, "be read"):
        try:
            return _search_at_path(text) or _search_by_word(text, runs)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            return None


def _search_at_path(text: str) -> NamedSearch | None:
    paths = SearchPaths(Path(text))
    if not paths.directory.is_dir() or RunPaths(paths.directory).preprocessing.is_file():
        return None
    is_search = paths.question.is_file() or paths.candidates.is_file()
    return NamedSearch(text, paths, is_directory=True) if is_search else None


def _search_by_word(text: str, runs: Path) -> NamedSearch | None:
    folder, _, name = text.rstrip("/").partition("/")
    if folder != SEARCHES or not name or "/" in name or Path(text).is_file():
        return None
    searches = list(groups(runs / SEARCHES))
    found = [one for one in searches if one.name == name]
    found = found or [one for one in searches if split_group(one.name)[0] == name]
    found = [one for one in found if not _is_of_fold(one)] or found
    if len(found) > 1:
        shown = choices([f"{SEARCHES}/{one.name}" for one in found])
        raise UsageError(f"{printable(text)}: names {len(found)} searches; say one of {shown}")
    if found:
        return NamedSearch(text, SearchPaths(found[0]))
    if seed_of(name) is not None or Path(name).suffix in _CONFIG_SUFFIXES:
        return None  # a run of a config that is called so, or a config file in a folder of that name
    raise UsageError(_unknown_search(text, name, runs, [one.name for one in searches]))


def _is_of_fold(directory: Path) -> bool:
    """Return whether a search is one of those that `--outer` repeats on folds."""
    try:
        return b"data.split.fold=" in read_bytes(SearchPaths(directory).question)
    except OSError:
        return False


def _unknown_search(text: str, name: str, runs: Path, searches: Sequence[str]) -> str:
    where = printable(str(runs / SEARCHES))
    if not searches:
        return f"{printable(text)}: no such search; there are none in {where}"
    near = close_names(name, {word for one in searches for word in (one, split_group(one)[0])}, most=3)
    shown = choices([f"{SEARCHES}/{one}" for one in near or searches])
    start = "did you mean" if near else "there are"
    return f"{printable(text)}: no such search in {where}; {start} {shown}{'?' if near else ''}"


def choices(names: Sequence[str]) -> str:
    """Return the first of some names that fit, and how many more there are."""
    more = f" or {len(names) - _MOST_CHOICES} more" if len(names) > _MOST_CHOICES else ""
    return ", ".join(map(printable, names[:_MOST_CHOICES])) + more
