"""The question of a search: what is searched, how candidates are judged, and the id of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trainrun.comparing.criterion import known_metric
from trainrun.config import Config
from trainrun.config.identity import identify
from trainrun.config.search_space import SECTION, Searched
from trainrun.data import Dataset, dataset_key, digests, load_dataset
from trainrun.errors import ConfigError, UsageError
from trainrun.ingredients import metrics
from trainrun.objective import make_objective, reported_loss
from trainrun.plan import Cell, make_plan, stacks
from trainrun.searching.request import DEFAULT_CANDIDATES, SearchRequest
from trainrun.searching.sampling import Sampler
from trainrun.searching.space import Point, Space

#: Candidates of a whole generation.
GENERATION = 100
#: Raised when a change of trainrun makes the same search propose or keep other candidates.
_VERSION = 1
_LOSS_SCALES = {"data.scale_target"}
_INSTEAD = {"classification": "accuracy", "regression": "rmse"}  # of losses that cannot be compared


@dataclass(frozen=True)
class Sizes:
    """Numbers of candidates in the generations of a search.

    Attributes:
        whole: generations of `GENERATION` candidates.
        rest: candidates of a smaller last generation; 0 without one.
    """

    whole: int
    rest: int

    @property
    def total(self) -> int:
        """The number of all candidates."""
        return self.whole * GENERATION + self.rest

    def __iter__(self) -> Iterator[int]:
        yield from [GENERATION] * self.whole
        if self.rest:
            yield self.rest


class Question:
    """What a search asks: pure data, from which every candidate follows.

    Args:
        request: of the user.

    Attributes:
        space: what is searched.
        config: the plain config.
        sampler: the sampler, never `auto`.
        sizes: of the generations.
        epochs_first: after which candidates are judged for the first time.

    Raises:
        ConfigError: the config is invalid, or values of its section `search` conflict.
        UsageError: an option does not go with the config.
        DataError, DataMissingError: the data cannot be used.
    """

    def __init__(self, request: SearchRequest) -> None:
        self.space = Space(request.config, request.overrides)
        self.config = self.space.config
        if self.config.data.split.seed == "run":
            place = self.config.place("data.split.seed")
            raise UsageError(
                f"{place}: data.split.seed: a search needs the same validation rows for every seed, got run"
            )
        self.epochs_first = request.epochs_first
        self.sampler, self.sizes = _sampler(request, self.space)
        self._digests = digests(self.config.data)
        self._metric = known_metric(request.metric) if request.metric else None
        self._datasets: dict[str, Dataset] = {}

    def cell(self, config: Config) -> Cell:
        """Return a config with its data, which configs share."""
        key = dataset_key(config)
        if key not in self._datasets:
            self._datasets[key] = load_dataset(config)
        return Cell(config, self._datasets[key])

    def identify(self, config: Config) -> str:
        """Return the id8 of a config on these data."""
        return identify(config, self._digests)

    def check(self) -> None:
        """Check, before anything trains, that the plain config and each value alone can train on these data.

        Raises:
            ConfigError: one cannot, or two values conflict.
            UsageError: there are no validation rows, or the metric is not reported.
        """
        plain = self.cell(self.config)
        make_plan([plain])
        if plain.dataset.valid is None:
            place = self.config.place("data.split.valid")
            raise UsageError(f"{place}: data.split.valid: a search needs validation rows, such as 0.2; got 0")
        problems = list(self.space.conflicts())
        singles = list(self.space.single())
        for config in (self.config, *singles):
            if config.epochs == 0:
                raise UsageError(f"{config.place('epochs')}: epochs: a search needs at least 1, got 0")
        for config in singles:
            try:
                make_plan([self.cell(config)])
            except ConfigError as error:
                problems += [f"{problem} (in {SECTION})" for problem in error.problems]
        if problems:
            raise ConfigError(dict.fromkeys(problems))
        names = ["loss", *(one.name for one in make_objective(self.config, plain.dataset.target).metrics)]
        if self.metric not in names:
            asked = "--metric: " if self._metric else f"{self.config.place('metrics')}: metrics: "
            raise UsageError(f"{asked}this config reports {', '.join(names)}, not {self.metric}")

    @cached_property
    def shaping_keys(self) -> list[Searched]:
        """The searched keys whose values decide which candidates can share a stack."""
        found = []
        for one in self.space.keys:
            cells = [self.cell(config) for config in (self.config, *self.space.single(one))]
            if len(stacks(cells)) > 1:
                found.append(one)
        return found

    @cached_property
    def other_losses(self) -> bool:
        """Whether candidates have losses that cannot be compared with each other."""
        if not any(one.key.split(".")[0] == "loss" or one.key in _LOSS_SCALES for one in self.space.keys):
            return False  # without a look at the data, which may take a while
        target = self.cell(self.config).dataset.target
        losses = {
            (repr(reported_loss(one, target.task)), one.data.scale_target)
            for one in (self.config, *self.space.single())
        }
        return len(losses) > 1

    @cached_property
    def metric(self) -> str:
        """The metric that judges candidates on the validation rows, by its main name."""
        if self._metric:
            return self._metric
        if self.judged_instead:
            return _INSTEAD[self.cell(self.config).dataset.target.task]
        return self._monitored

    @property
    def judged_instead(self) -> bool:
        """Whether another metric than the monitored loss judges, since losses cannot be compared."""
        return not self._metric and self._monitored == "loss" and self.other_losses

    @property
    def _monitored(self) -> str:
        return self.config.early_stopping.monitor.removeprefix("val_")

    @property
    def larger_is_better(self) -> bool:
        """The direction of the metric."""
        return self.metric != "loss" and bool(metrics[self.metric].traits["larger_is_better"])

    def id8(self, rest: int | None = None) -> str:
        """Return the id of the search.

        Args:
            rest: candidates of a smaller last generation; those of this question unless given.
        """
        content = {
            "config": self.identify(self.config),
            "seed": self.config.seed,
            "rest": self.sizes.rest if rest is None else rest,
            **self.options,
            "version": _VERSION,
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:8]

    @property
    def options(self) -> dict[str, Any]:
        """What else than the plain config decides which candidates there are, and which go on."""
        return {
            "space": self.space.to_json(),
            "sampler": self.sampler,
            "metric": self.metric,
            "epochs_first": self.epochs_first,
        }

    def can_train(self, point: Point) -> Config | None:
        """Return the config of a candidate; None where its values conflict with each other or the data."""
        try:
            config = self.space.candidate(point)
            make_plan([self.cell(config)])
        except ConfigError:
            return None
        return config


def _sampler(request: SearchRequest, space: Space) -> tuple[Sampler, Sizes]:
    """Return the sampler, and how many candidates it proposes."""
    wanted = request.candidates or DEFAULT_CANDIDATES
    combinations = space.combinations
    sampler = request.sampler
    if sampler == "auto":
        sampler = "grid" if combinations is not None and combinations <= wanted else "tpe"
    if sampler == "grid":
        count = len(space.grid())
        if request.candidates and request.candidates < count:
            raise UsageError(
                f"--sampler grid: tries all {count} combinations, more than --candidates"
                f" {request.candidates}; leave --candidates out, or take another sampler"
            )
    else:
        count = wanted if combinations is None else min(wanted, combinations)
    return sampler, Sizes(*divmod(count, GENERATION))
