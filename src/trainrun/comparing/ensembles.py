"""Ensembles of the candidates' seeds, and whether that of a candidate is better than the baseline's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from trainrun.comparing.criterion import Criterion, larger_is_better
from trainrun.comparing.ensemble_log import (
    PARTS,
    Compared,
    EnsembleLog,
    PairValues,
    Values,
    ensemble_key,
    pair_key,
)
from trainrun.comparing.labels import several
from trainrun.comparing.pairing import Pairing, decided, find_pairing, is_comparable, shared_seeds
from trainrun.comparing.standings import Standing
from trainrun.comparing.warnings import other_rows
from trainrun.data import Dataset, Part, Target, dataset_key, digests, load_dataset
from trainrun.errors import TrainrunError, is_out_of_memory
from trainrun.fitting.treatment import check_reading
from trainrun.jackknife import spread_of
from trainrun.predicting import Ensemble, held_out
from trainrun.signals import StopRequest
from trainrun.statistics import Difference, estimated_difference

_LEAST = 2  # members
_REDRAWN = "each seed has a split of its own (data.split.seed: run)"
_SAME = 1e-5  # relative: numbers that were scaled to float32 and back are the same


@dataclass(frozen=True)
class EnsembleValues:
    """The ensemble of a candidate's complete seeds.

    Attributes:
        config: the candidate's label.
        seeds: of the members.
        parts: loss and metrics on `valid` and `test`; None where there is no such part.
    """

    config: str
    seeds: Sequence[int]
    parts: Values


@dataclass(frozen=True)
class Ensembles:
    """The ensembles of a comparison.

    Attributes:
        values: of each candidate with at least two complete seeds.
        pairings: every candidate's ensemble against the baseline's, over the seeds that both have.
        left_out: sentences that say what is missing, and why.
        is_stopped: whether a request to stop came before all was computed.
    """

    values: tuple[EnsembleValues, ...] = ()
    pairings: tuple[Pairing, ...] = ()
    left_out: tuple[str, ...] = ()
    is_stopped: bool = False

    def of(self, label: str) -> EnsembleValues | None:
        """Return the ensemble of a candidate; None where there is none."""
        return next((one for one in self.values if one.config == label), None)

    def pairing(self, label: str, metric: str, part: str) -> Pairing | None:
        """Return a candidate's pairing; None where nothing could be paired."""
        return find_pairing(self.pairings, label, metric, part)


def compare_ensembles(
    standings: Sequence[Standing], criterion: Criterion, folder: Path, stop: StopRequest | None
) -> Ensembles:
    """Compare the ensembles of the candidates' complete seeds; what cannot be computed is left out.

    Args:
        standings: of the candidates, the baseline first.
        criterion: what decides.
        folder: the folder of runs, which remembers what was computed.
        stop: a request to stop, for which nothing more is computed.
    """
    found = _Comparing(standings, criterion, EnsembleLog(folder))
    if found.is_known:
        return found.ensembles()
    if stop is None:
        found.compute()
    elif not stop.requested():
        stop.wait_for(found.compute)
    if stop and stop.requested():
        return Ensembles(left_out=("No ensembles: the command was stopped.",), is_stopped=True)
    return found.ensembles()


@dataclass(frozen=True)
class _Members:
    """Seeds of a candidate that make an ensemble, with the key under which its values are remembered."""

    standing: Standing
    seeds: tuple[int, ...]

    @cached_property
    def key(self) -> str:
        return ensemble_key(self.standing, self.seeds)


@dataclass(frozen=True)
class _Computed:
    """What was computed of an ensemble, by part: values as the jackknife takes them, and the truth."""

    tables: Mapping[str, Mapping[str, np.ndarray]]
    truth: Mapping[str, np.ndarray]
    target: Target

    @property
    def values(self) -> Values:
        return {
            part: {name: _finite(table[0, 0]) for name, table in self.tables[part].items()}
            if part in self.tables
            else None
            for part in PARTS
        }

    def against(self, baseline: _Computed) -> PairValues:
        """Compare each metric on each part with the same rows."""
        parts = [part for part in self.tables if part in baseline.tables and self._same_rows(baseline, part)]
        return {part: dict(_compared(self.tables[part], baseline.tables[part])) for part in parts}

    def _same_rows(self, other: _Computed, part: str) -> bool:
        """Return whether two ensembles predict the same, row by row, on a part."""
        if (self.target.task, self.target.classes) != (other.target.task, other.target.classes):
            return False
        if len(self.truth[part]) != len(other.truth[part]):
            return False
        mine, its = (one.target.in_own_units(one.truth[part]) for one in (self, other))
        return bool(np.allclose(mine, its, rtol=_SAME, atol=_SAME * self.target.scale))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _compared(
    mine: Mapping[str, np.ndarray], its: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, Compared]]:
    for name in mine:
        if name in its and mine[name].shape[1] > _LEAST:  # one row says nothing about others
            change = mine[name] - its[name]
            if np.isfinite(change).all():
                values = float(mine[name][0, 0]), float(its[name][0, 0])
                yield name, Compared(*values, *spread_of(change))


class _Comparing:
    """Finds out what is remembered, and computes the rest."""

    def __init__(self, standings: Sequence[Standing], criterion: Criterion, log: EnsembleLog) -> None:
        self._standings, self._criterion, self._log = standings, criterion, log
        self._reasons: dict[str, str] = {}  # by key, of what could not be computed
        baseline, *others = standings
        fixed = [one for one in standings if not one.candidate.config.data.redrawn]
        self._all = [_Members(one, tuple(one.complete)) for one in fixed if len(one.complete) >= _LEAST]
        known = {(members.standing.label, members.seeds): members for members in self._all}
        self._pairs: list[tuple[_Members, _Members]] = []
        able = {members.standing.label for members in self._all}
        for one in others:
            seeds = tuple(shared_seeds(baseline, one))
            both = len(seeds) >= _LEAST and {one.label, baseline.label} <= able
            if both and not self._why_not(one):
                mine, its = (
                    known.setdefault((each.label, seeds), _Members(each, seeds)) for each in (one, baseline)
                )
                self._pairs.append((mine, its))

    @property
    def is_known(self) -> bool:
        """Whether nothing is left to compute."""
        return not self._unknown()

    def compute(self) -> None:
        """Compute what is not remembered, and remember it."""
        computed: dict[str, _Computed] = {}
        by_data: dict[str, list[tuple[_Members, Ensemble]]] = {}
        for members in self._unknown().values():
            with self._noting(members):
                ensemble = _ensemble(members)
                by_data.setdefault(dataset_key(ensemble.config), []).append((members, ensemble))
        for group in by_data.values():
            config = group[0][1].config
            with self._noting(*(members for members, _ in group)):
                dataset = load_dataset(config)
                while group:
                    members, ensemble = group.pop()  # its nets leave the memory before those of the next
                    with self._noting(members):
                        computed[members.key] = _compute(ensemble, dataset)
        pairs = {
            _pair_key(one, baseline): computed[one.key].against(computed[baseline.key])
            for one, baseline in self._pairs
            if one.key in computed and baseline.key in computed
        }
        self._log.record({key: one.values for key, one in computed.items()}, pairs)

    def ensembles(self) -> Ensembles:
        """Return all that is known."""
        return Ensembles(tuple(self._values()), tuple(self._pairings()), tuple(self._left_out()))

    def _values(self) -> Iterator[EnsembleValues]:
        for members in self._all:
            parts = self._log.values.get(members.key, {})
            if any(parts.values()):
                yield EnsembleValues(members.standing.label, members.seeds, parts)

    def _unknown(self) -> dict[str, _Members]:
        """By key, the ensembles whose values are not remembered, or which are of a pair that is not."""
        pairs = [pair for pair in self._pairs if _pair_key(*pair) not in self._log.pairs]
        alone = [members for members in self._all if members.key not in self._log.values]
        return {members.key: members for members in (*alone, *(one for pair in pairs for one in pair))}

    def _pairings(self) -> Iterator[Pairing]:
        baseline = self._standings[0]
        found = [
            (one.standing, len(one.seeds), self._log.pairs.get(_pair_key(one, its), {}))
            for one, its in self._pairs
        ]
        for part in PARTS:
            names = dict.fromkeys(name for _, _, parts in found for name in parts.get(part, {}))
            for metric in names:
                family = [
                    (one, _difference(seeds, parts[part][metric], metric))
                    for one, seeds, parts in found
                    if metric in parts.get(part, {}) and is_comparable(one, metric, self._criterion)
                ]
                yield from decided(baseline, family, metric, part, of_ensembles=True)

    def _why_not(self, one: Standing) -> str | None:
        """Return why the rows of a candidate are not those of the baseline."""
        before, after = self._standings[0].candidate, one.candidate
        if "data.target" in (key for key, _, _ in before.changes(after)):
            return "different targets"
        return other_rows(before, after)

    def _left_out(self) -> Iterator[str]:
        """Yield a sentence for each reason, with the labels of the candidates."""
        baseline, *others = self._standings
        alone: dict[str, list[str]] = {}
        for one in self._standings:
            if one.candidate.config.data.redrawn and len(one.complete) >= _LEAST:
                alone.setdefault(_REDRAWN, []).append(one.label)
        for members in self._all:
            if members.key not in self._log.values and (reason := self._reasons.get(members.key)):
                alone.setdefault(reason, []).append(members.standing.label)
        few = [one.label for one in self._standings if len(one.complete) < _LEAST]
        if few and self._all:
            alone[f"fewer than {_LEAST} complete seeds"] = few
        for reason, labels in alone.items():
            every = len(labels) == len(self._standings)
            what = "No ensembles" if every else f"No ensemble of {several(labels)}"
            yield f"{what}: {reason}."
        able = {one.config for one in self._values()}
        failed = {one.standing.label: self._why_unpaired(one, its) for one, its in self._pairs}
        apart: dict[str, list[str]] = {}
        for one in others:
            why = self._why_not(one) or failed.get(one.label)
            if why and {one.label, baseline.label} <= able:
                apart.setdefault(why, []).append(one.label)
        for why, labels in apart.items():
            yield f"No ensemble of {several(labels)} is compared with that of {baseline.label}: {why}."

    def _why_unpaired(self, one: _Members, baseline: _Members) -> str | None:
        """Return why two ensembles were not compared; None if they were."""
        found = self._log.pairs.get(_pair_key(one, baseline))
        if found is None:
            return self._reasons.get(one.key) or self._reasons.get(baseline.key)
        if not found:
            return "different rows"
        return None if any(found.values()) else "too few rows"

    @contextmanager
    def _noting(self, *members: _Members) -> Iterator[None]:
        """Note why ensembles cannot be computed: a comparison of seeds goes on without them."""
        try:
            yield
        except (TrainrunError, OSError, MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not is_out_of_memory(error):
                raise
            reason = "out of memory" if is_out_of_memory(error) else str(error)
            self._reasons |= {one.key: reason for one in members}


def _pair_key(one: _Members, baseline: _Members) -> str:
    return pair_key(one.key, baseline.key)


def _ensemble(members: _Members) -> Ensemble:
    """Return an ensemble whose data files are still those of the training."""
    candidate = members.standing.candidate
    ensemble = Ensemble([members.standing.runs[seed] for seed in members.seeds])
    known = candidate.digests
    ensemble.require_same_data(digests(ensemble.config.data) if known is None else known)
    return ensemble


def _compute(ensemble: Ensemble, dataset: Dataset) -> _Computed:
    check_reading(ensemble.run, dataset.preprocessing)
    parts: dict[str, Part] = {name: part for name, part in held_out(dataset).items() if part}
    tables = {name: ensemble.leave_out(part) for name, part in parts.items()}
    return _Computed(tables, {name: part.y for name, part in parts.items()}, dataset.target)


def _difference(seeds: int, found: Compared, metric: str) -> Difference:
    return estimated_difference(seeds, *found, larger_is_better=larger_is_better(metric))
