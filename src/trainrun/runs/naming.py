"""Resolve names of runs: a directory, `last`, `<name>-<id8>`, `<name>` or a config file."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from trainrun.errors import StorageError, UsageError
from trainrun.os_errors import explained
from trainrun.runs.origins import written_groups
from trainrun.runs.paths import RunPaths, group_directory, groups, seed_of, seeds, split_group
from trainrun.runs.reading import LONG_AGO, Run, find_runs
from trainrun.runs.search_names import choices, resolve_search
from trainrun.text import close_names, printable

#: The id8 of a config file: its data are read for it, so whoever resolves names passes it in.
Identify = Callable[[Path], str]


@dataclass(frozen=True)
class Named:
    """Runs that a name on the command line means.

    Attributes:
        text: what the user wrote.
        runs: the runs, by seed; at least one.
        is_directory: whether the user wrote the directory itself.
        reason: why these, where several configs have the name; else empty.
    """

    text: str
    runs: Sequence[Run]
    is_directory: bool = False
    reason: str = ""

    @property
    def sentence(self) -> str | None:
        """The line that says which runs are taken; None where the user wrote their directory."""
        if self.is_directory:
            return None
        first, reason = self.runs[0].directory, f" ({self.reason})" if self.reason else ""
        one = len(self.runs) == 1
        taken = printable(str(first)) if one else f"{printable(str(first.parent))}, {len(self.runs)} seeds"
        return f"{printable(self.text)}: takes {taken}{reason}"

    def one(self) -> Named:
        """The same, narrowed down to the only run that is finished; any where none is.

        Raises:
            UsageError: several are finished.
            StorageError: one may not be read.
        """
        for run in self.runs:
            if closed := run.closed:  # it may be the one that is meant
                raise closed from run.read_error
        finished = [run for run in self.runs if run.result]
        if len(finished) > 1:
            found = ", ".join(run.paths.directory.name for run in finished)
            raise UsageError(
                f"{printable(self.text)}: names {len(finished)} finished runs ({found}); add one of them"
            )
        return replace(self, runs=finished or self.runs[:1])


def resolve(text: str, runs: Path, identify: Identify) -> Named:
    """The runs that `text` names.

    Args:
        text: what the user wrote, with `/seed-<n>` where one seed is meant.
        runs: the folder of runs.
        identify: gives a config file's id8.

    Raises:
        UsageError: nothing is named so, or several configs are, or it is a search; names that fit are in the
            message.
        StorageError: a folder may not be read.
    """
    if search := resolve_search(text, runs):
        raise UsageError(search.refusal)
    with explained(None, "be read"):
        try:
            named = _at_path(Path(text), text, runs, identify) or _by_word(text, runs, identify)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            named = None
    if named is None:
        raise UsageError(_unknown(text, runs))
    return named


def newest(candidates: Iterable[Run]) -> Run | None:
    """Return the run begun last, by its events; any run if none has a time."""
    return max(candidates, key=lambda run: run.begun or LONG_AGO, default=None)


def group_of_name(name: str, everything: Sequence[Path]) -> tuple[Path | None, str]:
    """Return the group of runs that a bare name means: the one last asked for as written in a file.

    Args:
        name: of the config.
        everything: all groups of a folder of runs.

    Returns:
        The group, None if no group has the name, and the reason for the choice. The reason is empty where a
        single group has the name and was fitted as written. If none was fitted as written, the group is the
        only one of that name.

    Raises:
        UsageError: several groups have the name and none was fitted as written.
        StorageError: a folder may not be read.
        OSError: likewise.
    """
    mine = [group for group in everything if split_group(group.name)[0] == name and seeds(group)]
    written = written_groups(name, everything)
    if not written:
        if len(mine) > 1:
            raise UsageError(_ambiguous(name, [[Run(place) for place in seeds(group)] for group in mine]))
        return next(iter(mine), None), "none of this name is recorded as fitted as written in a file"
    chosen = max(written, key=lambda group: (written[group], group.name))
    count = len({*mine, *written})
    reason = f"of {count} configs named {printable(name)} the one last fitted as written in a file"
    return chosen, reason if count > 1 else ""


def _at_path(path: Path, text: str, runs: Path, identify: Identify) -> Named | None:
    if path.is_file():
        return Named(text, _of_config(path, runs, identify))
    if not path.is_dir():
        return None
    inside = [Run(place) for place in seeds(path)]
    # A folder that only has the name of a run is skipped: a run has its preprocessing in it.
    if not inside and RunPaths(path).preprocessing.is_file():
        inside = [Run(path)]
    return Named(text, inside, is_directory=True) if inside else None


def _by_word(text: str, runs: Path, identify: Identify) -> Named | None:
    """Resolve a word, or a config file followed by `/seed-<n>`."""
    word, slash, last = text.rstrip("/").rpartition("/")
    seed = seed_of(last) if slash else None
    word = text if seed is None else word
    if Path(word).is_file():
        found, reason = _of_config(Path(word), runs, identify), ""
    else:
        found, reason = _of_word(word, seed, runs)
    found = found if seed is None else [run for run in found if run.seed == seed]
    return Named(text, found, reason=reason) if found else None


def _of_config(path: Path, runs: Path, identify: Identify) -> list[Run]:
    found = [Run(place) for place in seeds(group_directory(runs, path.stem, identify(path)))]
    if not found:
        raise UsageError(f"{printable(str(path))}: this config has no runs in {printable(str(runs))} yet")
    return found


def _of_word(word: str, seed: int | None, runs: Path) -> tuple[list[Run], str]:
    """The runs that a word names, and why these."""
    if word == "last":
        everything = find_runs(runs)
        for run in everything:
            if run.begun is None and (error := run.closed):  # it may be the last
                raise error
        last = newest(everything)
        if last is None or seed is None:
            return [last] if last else [], ""
        return [Run(place) for place in seeds(last.directory.parent)], ""
    folders = list(groups(runs))
    exact = next((group for group in folders if group.name == word), None)
    of_id = [group for group in folders if split_group(word)[1] and group.name.endswith(word[-9:])]
    if group := exact or next(iter(of_id), None):
        return [Run(place) for place in seeds(group)], ""
    group, reason = group_of_name(word, folders)
    return [Run(place) for place in seeds(group)] if group else [], reason


def _ambiguous(name: str, candidates: Sequence[Sequence[Run]]) -> str:
    """Return the error for a name that could mean several groups of runs, the newest first."""
    last = {id(runs): run.begun or LONG_AGO for runs in candidates if (run := newest(runs))}
    ordered = sorted(candidates, key=lambda runs: last[id(runs)], reverse=True)
    names = [runs[0].directory.parent.name for runs in ordered]
    return (
        f"{printable(name)}: names {len(names)} configs, and none was fitted as written in a file; "
        f"say one of {choices(names)}"
    )


def _unknown(text: str, runs: Path) -> str:
    found: list[Run] = []
    with suppress(OSError, StorageError):
        found = find_runs(runs, closed=lambda _: None)
    if not found:
        return f"{printable(text)}: no such run; there are none in {printable(str(runs))}"
    words = {word for run in found for word in (run.name, run.paths.directory.parent.name, run.paths.label)}
    near = close_names(text, words, most=3)
    hint = (
        f"; did you mean {' or '.join(printable(word) for word in near)}?"
        if near
        else "; see `trainrun list`"
    )
    return f"{printable(text)}: no such run in {printable(str(runs))}{hint}"
