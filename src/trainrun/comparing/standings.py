"""State of a candidate's runs, read from their directories."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

from trainrun.comparing.candidates import Candidate, CompareRequest
from trainrun.data import load_dataset
from trainrun.events import PARTS
from trainrun.fitting import Observer, Outcome, Request, carry_out
from trainrun.fitting.treatment import has_older_reading
from trainrun.ingredients import metrics as known_metrics
from trainrun.runs.files import read_bytes
from trainrun.runs.matching import require_same, require_seed
from trainrun.runs.origins import record_request
from trainrun.runs.reading import Run
from trainrun.statistics import Mean, mean_of
from trainrun.text import printable
from trainrun.warnings import key_of, setting_warnings


@dataclass(frozen=True)
class Standing:
    """A candidate and how each of its runs stands.

    Attributes:
        candidate: whose runs they are.
        runs: by seed.
        statuses: by seed: `complete`, `diverged`, `interrupted`, `failed` or `missing`.
    """

    candidate: Candidate
    runs: Mapping[int, Run]
    statuses: Mapping[int, str]

    @property
    def label(self) -> str:
        """The candidate's."""
        return self.candidate.label

    def seeds(self, status: str) -> list[int]:
        """Return the seeds whose runs have this status."""
        return [seed for seed, found in self.statuses.items() if found == status]

    @cached_property
    def complete(self) -> dict[int, dict[str, Any]]:
        """The results of the complete runs, by seed."""
        return {seed: self.runs[seed].result or {} for seed in self.seeds("complete")}

    @property
    def diverged_share(self) -> float:
        """Share of diverged runs among those that ended; 0 if none ended."""
        diverged = len(self.seeds("diverged"))
        return diverged / max(diverged + len(self.complete), 1)

    @property
    def parts(self) -> list[str]:
        """The parts of the data on which its complete runs were evaluated."""
        return [part for part in PARTS if any(result[part] for result in self.complete.values())]

    def metrics(self, part: str) -> list[str]:
        """Return the names of the metrics on a part, the loss first."""
        rows = (result[part] or {} for result in self.complete.values())
        names = dict.fromkeys(name for row in rows for name in row)
        return [name for name in names if name == "loss" or name in known_metrics]

    def values(self, part: str, metric: str) -> dict[int, float]:
        """A metric's values on a part, by seed; those that are not finite are left out."""
        found = {seed: (result[part] or {}).get(metric) for seed, result in self.complete.items()}
        return {seed: value for seed, value in found.items() if value is not None and isfinite(value)}

    def mean(self, part: str, metric: str) -> Mean:
        """A metric's mean on a part, with its interval."""
        return mean_of(list(self.values(part, metric).values()), self.overlap(part))

    def overlap(self, part: str) -> float | None:
        """Rows of a part over rows of training where each seed draws both anew; None where it is fixed."""
        return self._overlaps.get(part)

    @cached_property
    def _overlaps(self) -> dict[str, float]:
        config, cut = self.candidate.config, self.candidate.config.data.cut_parts
        if not config.data.redrawn:
            return {}
        if all(isinstance(share, float) or share == 0 for share in cut.values()):
            return {part: share / (1 - sum(cut.values())) for part, share in cut.items()}
        dataset = load_dataset(config)
        held = {part: getattr(dataset, part) for part in cut}
        return {part: len(rows.y) / len(dataset.train.y) for part, rows in held.items() if rows}

    @property
    def setting_warnings(self) -> list[str]:
        """The warnings about its settings, and those about its data that its first run recorded."""
        found = {key_of(text): text for run in list(self.runs.values())[:1] for text in run.warnings}
        mine = {key_of(text): text for text in setting_warnings(self.candidate.config)}
        return [printable(text) for text in (found | mine).values()]

    def counts(self, key: str) -> list[float]:
        """A whole number of each complete run's result, such as `epochs`."""
        return [result[key] for result in self.complete.values() if result[key] is not None]

    @property
    def zero_share(self) -> float:
        """The part of its complete runs' parameters that are weights of exactly 0."""
        return sum(self.counts("zero_weights")) / max(sum(self.counts("parameters")), 1)

    @cached_property
    def seconds(self) -> list[float]:
        """Training seconds of the complete runs; runs of one stack share their time."""
        return [seconds for seed in self.complete if (seconds := self.runs[seed].seconds) is not None]

    def target(self, seed: int) -> dict[str, Any]:
        """Target and scale of a run; empty if its preprocessing cannot be read."""
        try:
            saved = json.loads(read_bytes(self.runs[seed].paths.preprocessing))
            return {key: saved[key] for key in ("task", "target_center", "target_scale")}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}


def fit_missing(
    candidates: Sequence[Candidate], request: CompareRequest, observer: Observer
) -> list[Outcome]:
    """Train what is not finished, all of it in as few stacks as it can share.

    Finished runs of an older release are checked: is their data prepared now as it was then?

    Args:
        candidates: those given as runs are left alone.
        request: where runs are, and what may stop the training.
        observer: watches.
    """
    wanting = []
    for one in candidates:
        if one.saved:
            continue
        if _is_finished(one):
            record_request(Run(next(iter(one.directories.values()))), one.config)
        else:
            wanting.append(one)
    if not wanting:
        return []
    configs, seeds = [one.config for one in wanting], tuple(wanting[0].directories)
    return carry_out(
        Request(configs, seeds=seeds, runs=request.runs, stop=request.stop, elsewhere=request.elsewhere),
        observer,
    )


def stand(candidate: Candidate, outcomes: Sequence[Outcome]) -> Standing:
    """Return the state of a candidate's runs after `outcomes`.

    Raises:
        DifferentRunError: its directory holds another config, or the run of another seed.
    """
    first = Run(next(iter(candidate.directories.values())))
    if not candidate.saved:
        require_same(first, candidate.config)
    failed = {outcome.directory for outcome in outcomes if outcome.status == "failed"}
    runs = {seed: Run(directory) for seed, directory in candidate.directories.items()}
    if not candidate.saved:
        for seed, run in runs.items():
            require_seed(run, seed)
    statuses = {seed: _status(run, run.directory in failed) for seed, run in runs.items()}
    return Standing(candidate, runs, statuses)


def _is_finished(candidate: Candidate) -> bool:
    runs = [Run(directory) for directory in candidate.directories.values()]
    return all(run.result and not has_older_reading(run) for run in runs)


def _status(run: Run, failed: bool) -> str:
    if run.result and not failed:
        return run.status
    if failed or run.status == "unreadable":
        return "failed"
    return run.status if run.directory.is_dir() else "missing"
