"""How a run is named on the command line: a directory, `last`, `<name>-<id8>`, `<name>` or a config file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from trainrun.errors import UsageError, printable
from trainrun.runs.paths import RunPaths, group_directory, groups, seed_of, seeds, split_group
from trainrun.runs.reading import Run, find_runs

#: The id8 of a config file: its data are read for it, so whoever resolves names passes it in.
Identify = Callable[[Path], str]
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def resolve(text: str, runs: Path, identify: Identify) -> list[Run]:
    """The runs that `text` names, by seed.

    Args:
        text: what the user wrote, with `/seed-<n>` where one seed is meant.
        runs: the folder of runs.
        identify: gives a config file's id8.

    Raises:
        UsageError: nothing is named so; the nearest names are in the message.
    """
    found = _at_path(Path(text), runs, identify)
    if not found:
        word, slash, last = text.rstrip("/").rpartition("/")
        seed = seed_of(last) if slash else None
        word = text if seed is None else word
        every = _of_config(Path(word), runs, identify) if Path(word).is_file() else _of_word(word, seed, runs)
        found = every if seed is None else [run for run in every if run.seed == seed]
    if not found:
        raise UsageError(_unknown(text, runs))
    return found


def newest(candidates: Iterable[Run]) -> Run | None:
    """The run begun last, by its events; of those that say nothing, any."""
    return max(candidates, key=lambda run: run.begun or _LONG_AGO, default=None)


def _at_path(path: Path, runs: Path, identify: Identify) -> list[Run]:
    if path.is_file():
        return _of_config(path, runs, identify)
    if not path.is_dir():
        return []
    inside = seeds(path)
    if inside:
        return [Run(place) for place in inside]
    # A folder that only happens to bear a run's name is none: a run has its preprocessing in it.
    return [Run(path)] if RunPaths(path).preprocessing.is_file() else []


def _of_config(path: Path, runs: Path, identify: Identify) -> list[Run]:
    found = [Run(place) for place in seeds(group_directory(runs, path.stem, identify(path)))]
    if not found:
        raise UsageError(f"{printable(str(path))}: this config has no runs in {printable(str(runs))} yet")
    return found


def _of_word(word: str, seed: int | None, runs: Path) -> list[Run]:
    if word == "last":
        last = newest(find_runs(runs))
        if last is None or seed is None:
            return [last] if last else []
        group: Path | None = last.directory.parent
    else:
        group = _group(word, runs)
    return [Run(place) for place in seeds(group)] if group else []


def _group(word: str, runs: Path) -> Path | None:
    everything = list(groups(runs))
    exact = next((group for group in everything if group.name == word), None)
    of_id = [group for group in everything if split_group(word)[1] and group.name.endswith(word[-9:])]
    of_name = [group for group in everything if split_group(group.name)[0] == word]
    return exact or next(iter(of_id), None) or _newest_group(of_name)


def _newest_group(candidates: Sequence[Path]) -> Path | None:
    run = newest(Run(place) for group in candidates for place in seeds(group))
    return run.directory.parent if run else None


def _unknown(text: str, runs: Path) -> str:
    found = find_runs(runs)
    if not found:
        return f"{printable(text)}: no such run; there are none in {printable(str(runs))}"
    words = {word for run in found for word in (run.name, run.paths.directory.parent.name, run.paths.label)}
    near = difflib.get_close_matches(text, words, n=3)
    hint = (
        f"; did you mean {' or '.join(printable(word) for word in near)}?"
        if near
        else "; see `trainrun list`"
    )
    return f"{printable(text)}: no such run in {printable(str(runs))}{hint}"
