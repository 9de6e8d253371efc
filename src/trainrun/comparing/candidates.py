"""Candidates of a comparison: config files, variants of the first one, and existing runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from trainrun.comparing.grid import combinations
from trainrun.comparing.labels import LONGEST_LABEL, settings_label
from trainrun.config import Config, load_config
from trainrun.config.identity import differences, following, identify
from trainrun.data import digests, identify_file
from trainrun.errors import ConfigError, DataMissingError, UsageError
from trainrun.fitting import Observer
from trainrun.runs.naming import resolve
from trainrun.runs.paths import group_directory, seed_directory
from trainrun.runs.reading import Run
from trainrun.signals import StopRequest
from trainrun.text import printable

#: Default number of seeds for each config.
DEFAULT_SEEDS = 10
_ROOM = 30  # characters that the settings of a label have at least, however long the name is
_SUFFIXES = {".yaml", ".yml"}


@dataclass(frozen=True)
class CompareRequest:
    """Request to compare configs.

    Attributes:
        configs: config files or names of runs; the first is the baseline.
        vs: texts `key=value key=value`: each adds the baseline with these changes; with `key=value|value` it
            adds one for each combination of the values.
        overrides: texts `key=value` that override keys of every config file.
        seeds: how many of each config, from the baseline's own on, and of given runs the lowest that are
            finished; None for 10 of each config and all of given runs; `all` for all existing runs.
        metric: the verdict's; None for the monitored one.
        runs: the folder of runs.
        fit: whether missing runs are trained.
        ablate: whether configs that differ in several keys are taken apart, key by key.
        stop: asks the training to stop.
    """

    configs: Sequence[str | Path]
    vs: Sequence[str] = ()
    overrides: Sequence[str] = ()
    seeds: int | Literal["all"] | None = None
    metric: str | None = None
    runs: Path = Path("runs")
    fit: bool = True
    ablate: bool = False
    stop: StopRequest | None = None

    @property
    def trains(self) -> bool:
        """Return whether anything may be trained; given runs never are."""
        return self.fit and (bool(self.vs) or any(_is_file(str(text)) for text in self.configs))


def _is_file(text: str) -> bool:
    """Return whether a text names a config file, not runs."""
    path = Path(text)
    return path.suffix in _SUFFIXES or path.is_file()


@dataclass(frozen=True)
class Candidate:
    """One config of a comparison, with the runs that speak for it.

    Attributes:
        label: what it is called; no two of a comparison are called the same.
        config: resolved, with the first of its seeds.
        file: where the config was read; a variant's is the baseline's.
        overrides: what was changed on top of the file.
        id8: the runs' identity; equal ones share their runs.
        digests: the data files', by role; None where the data of saved runs are gone.
        directories: of its runs by seed, whether or not they exist.
        saved: whether it was given as runs, to which none is added.
        only: the key in which alone it differs from the baseline, where it stands in to explain another.
    """

    label: str
    config: Config
    file: Path
    overrides: tuple[str, ...]
    id8: str
    digests: Mapping[str, str] | None
    directories: Mapping[int, Path]
    saved: bool = False
    only: str = ""

    def changes(self, other: Candidate) -> list[tuple[str, object, object]]:
        """The keys in which another one differs, with both values; other data are one."""
        found = differences(self.config, other.config)
        mine, its = self.config.data, other.config.data
        if self.digests != other.digests and mine.path and its.path:
            found.insert(0, ("data.path", str(mine.path), str(its.path)))
        return found


class CandidateFactory:
    """Makes candidates of what a request names.

    Args:
        request: what is to be compared.
        observer: receives a sentence about what each name means.

    Attributes:
        seeds: of the baseline.
        candidates: the baseline, the other given ones, then those of `--vs`.
        repeats: sentences about combinations that are left out, because their recipe is there already.

    Raises:
        ConfigError: a config is wrong; if several combinations of `--vs` are, the problems of all.
        UsageError: a name means nothing, or a config insists on other seeds than the baseline.
        DataMissingError: a data file is not there.
    """

    def __init__(self, request: CompareRequest, observer: Observer) -> None:
        self._request = request
        self._observer = observer
        self._digests: dict[str, Mapping[str, str]] = {}
        self._groups: dict[str, Path] = {}
        baseline = self._given(str(request.configs[0]), ())
        self.seeds = tuple(baseline.directories)
        others = [self._given(str(text), self.seeds) for text in request.configs[1:]]
        if request.overrides and baseline.saved and all(other.saved for other in others):
            raise UsageError("--set: changes config files, and these are runs that are there; take --vs")
        variants = self._variants(baseline)
        self.candidates, self.repeats = without_repeats([baseline, *others], variants)

    def variant(self, of: Candidate, changes: Sequence[str], only: str = "") -> Candidate:
        """A candidate with some keys changed.

        Args:
            of: what is changed.
            changes: texts `key=value`.
            only: see `Candidate`.
        """
        below = [f"{key}=auto" for key in following(of.config)] if of.saved else of.overrides
        overrides = (*below, *changes)
        config = load_config(of.file, overrides).with_origin("ablate" if only else "vs")
        _require_seeds(config, self.seeds)
        return self._to_fit(_variant_label(of.label, changes), config, of.file, overrides, self.seeds, only)

    def _variants(self, baseline: Candidate) -> list[tuple[Candidate, str]]:
        """The candidates of all `--vs`; one of a grid has its changes as a text beside it."""
        found: list[tuple[Candidate, str]] = []
        problems: dict[str, str] = {}
        for grid in map(combinations, self._request.vs):
            for changes in grid:
                combination = " ".join(changes) if len(grid) > 1 else ""
                try:
                    found.append((self.variant(baseline, changes), combination))
                except ConfigError as error:
                    if not combination:
                        raise
                    where = f" (with {printable(combination)})" if len(changes) > 1 else ""
                    for problem in error.problems:
                        problems.setdefault(problem, where)
        if problems:
            raise ConfigError(f"{problem}{where}" for problem, where in problems.items())
        return found

    def _given(self, text: str, seeds: Sequence[int]) -> Candidate:
        """A candidate by what the command names; without seeds it is the baseline, which sets them."""
        path = Path(text)
        if not _is_file(text):
            return self._saved(text, seeds)
        overrides = tuple(self._request.overrides)
        config = load_config(text, overrides)
        if seeds:
            _require_seeds(config, seeds)
        return self._to_fit(config.name, config, path, overrides, seeds or self._wanted(text, config))

    def _wanted(self, text: str, config: Config) -> Sequence[int]:
        """The seeds of a baseline: as many as asked for, or from the first to the last that has a run."""
        count = self._request.seeds
        if count == "all":
            found = resolve(text, self._request.runs, lambda _: identify(config, self._digested(config)))
            seeds = [_seed(run) for run in found.runs]
            return range(min(seeds), max(seeds) + 1)
        return range(config.seed, config.seed + (count or DEFAULT_SEEDS))

    def _to_fit(
        self,
        label: str,
        config: Config,
        file: Path,
        overrides: tuple[str, ...],
        seeds: Sequence[int],
        only: str = "",
    ) -> Candidate:
        known = self._digested(config)
        id8 = identify(config, known)
        # Equal recipes under two names are the same runs, wherever the first of them puts them.
        group = self._groups.setdefault(id8, group_directory(self._request.runs, config.name, id8))
        directories = {seed: seed_directory(group, seed) for seed in seeds}
        config = config.with_seed(seeds[0])
        return Candidate(label, config, file, overrides, id8, known, directories, only=only)

    def _saved(self, name: str, seeds: Sequence[int]) -> Candidate:
        """A candidate by the name of its runs.

        Args:
            name: of runs.
            seeds: the baseline's, which are taken before others; none where it is the baseline itself.
        """
        named = resolve(name, self._request.runs, identify_file)
        if isinstance(count := self._request.seeds, int):
            named = replace(named, runs=_lowest(name, named.runs, count, seeds))
        if named.sentence:
            self._observer.taken(named.sentence)
        found = named.runs
        file = found[0].paths.config
        config = found[0].config
        directories = {_seed(run): run.paths.directory for run in found}
        try:
            known = self._digested(config)
        except DataMissingError:
            known = None
        unnamed = identify(config, known) if known else str(found[0].paths.directory)  # it was moved
        id8 = found[0].id8 or unnamed
        return Candidate(found[0].name, config, file, (), id8, known, directories, saved=True)

    def _digested(self, config: Config) -> Mapping[str, str]:
        """The digests of a config's data, which variants share and large files make slow."""
        key = repr(config.data)
        if key not in self._digests:
            self._digests[key] = digests(config.data)
        return self._digests[key]


def _lowest(name: str, found: Sequence[Run], count: int, seeds: Sequence[int]) -> list[Run]:
    """The finished runs of the lowest seeds, those of the baseline before others."""
    finished = [run for run in found if run.result]
    if len(finished) < count:
        runs = "1 finished run" if len(finished) == 1 else f"{len(finished)} finished runs"
        raise UsageError(
            f"--seeds {count}: {printable(name)} has {runs}; ask for at most as many, "
            "or give its config file, so that more are trained"
        )
    finished.sort(key=lambda run: (_seed(run) not in seeds, _seed(run)))
    return sorted(finished[:count], key=_seed)


def _require_seeds(config: Config, seeds: Sequence[int]) -> None:
    """Check that a config does not set another seed than the baseline's."""
    if config.is_written("seed") and config.seed != seeds[0]:
        raise UsageError(
            f"{config.place('seed')}: seed: is {config.seed}, but the baseline's is {seeds[0]}, and"
            " pairs share their seeds: leave seed out here"
        )


def _variant_label(label: str, changes: Sequence[str]) -> str:
    """Return the label of a variant: its changes, or as many of its settings as have room."""
    full = f"{label} + {' '.join(changes)}"
    if len(full) <= LONGEST_LABEL:
        return full
    pairs = (change.partition("=") for change in changes)
    settings = {key.strip(): value.strip() for key, _, value in pairs}
    return f"{label} + {settings_label(settings, longest=max(LONGEST_LABEL - len(label) - 3, _ROOM))}"


def without_repeats(
    given: Sequence[Candidate], variants: Sequence[tuple[Candidate, str]]
) -> tuple[list[Candidate], list[str]]:
    """Leave out the combinations of a grid whose recipe is there already.

    Args:
        given: candidates that stay, the baseline first.
        variants: further candidates, each with its combination as a text, which is empty outside a grid.

    Returns:
        The candidates that are kept, and a sentence for each recipe that combinations repeat.
    """
    kept = list(given)
    alone = [one for one, combination in variants if not combination]
    places = {one.id8: one.label for one in reversed([*given, *alone])}
    repeats: dict[str, list[str]] = {}
    for one, combination in variants:
        if not combination:
            kept.append(one)
        elif one.id8 in places:
            repeats.setdefault(places[one.id8], []).append(combination)
        else:
            places[one.id8] = one.label
            kept.append(one)
    return kept, [_repeated(label, found) for label, found in repeats.items()]


def _repeated(label: str, found: Sequence[str]) -> str:
    """Return a sentence about combinations that give a recipe again."""
    if len(found) == 1:
        which = f"{found[0]} is"
    else:
        which = f"{found[0]} and {len(found) - 1} more of the combinations of --vs are"
    return printable(f"{which} the same recipe as {label}, which is shown once")


def distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the same candidates, each with a unique label."""
    return [replace(one, label=label) for one, label in zip(candidates, _labels(candidates), strict=True)]


def _labels(candidates: Sequence[Candidate]) -> Iterator[str]:
    ids: dict[str, set[str]] = {}
    for one in candidates:
        ids.setdefault(one.label, set()).add(one.id8)
    used: Counter[str] = Counter()
    for one in candidates:
        label = f"{one.label}-{one.id8}" if len(ids[one.label]) > 1 else one.label
        used[label] += 1
        yield printable(label if used[label] == 1 else f"{label} ({used[label]})")


def _seed(run: Run) -> int:
    """A run's seed; one whose directory was renamed still says it in its config."""
    return run.config.seed if run.seed is None else run.seed
