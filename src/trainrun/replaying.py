"""Replays of runs with other patiences, computed from the curves of runs that went on for longer.

Early stopping changes nothing in a training but its length. So the same policy with another patience, put
before a run's monitored values, stops where a training with that patience would, and keeps the same epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from trainrun.config import Config
from trainrun.plan import early_stopping
from trainrun.runs.reading import Run
from trainrun.statistics import Mean, mean_of


@dataclass(frozen=True)
class Stop:
    """Epoch at which a patience ends a run.

    Attributes:
        epochs: trained until then.
        best_epoch: of these, from 1; None where none had a finite value.
        kept: the monitored value of the best epoch.
        regret: by how much the best value of the run's whole curve is better, from 0.
    """

    epochs: int
    best_epoch: int | None
    kept: float | None
    regret: float | None


@dataclass(frozen=True)
class Replay:
    """Effect of one patience on the runs of one config.

    Attributes:
        patience: epochs without an improvement before the stop; None never stops.
        stops: one a run; None where the run ended too early for this patience.
    """

    patience: int | None
    stops: tuple[Stop | None, ...]

    @property
    def unknown(self) -> int:
        """Number of runs that ended too early for this patience."""
        return self.stops.count(None)

    def mean(self, what: Literal["epochs", "kept", "regret"]) -> Mean | None:
        """The mean over the runs; None unless every run has a value.

        A mean over only the runs with a value would be biased: these are the runs that stop early.
        """
        values = [getattr(stop, what) for stop in self.stops if stop and stop.kept is not None]
        return mean_of(values) if len(values) == len(self.stops) else None


def replay(runs: Sequence[Run], config: Config, patiences: Iterable[int]) -> list[Replay]:
    """Replay runs with each patience and, last, without early stopping.

    Args:
        runs: seeds of one config, at least one.
        config: theirs; all of its early stopping but the patience counts as it is.
        patiences: from 0, in epochs.

    Raises:
        StorageError: a run's metrics.jsonl is damaged.
    """
    asked = [*sorted(set(patiences)), None]
    variants = [_with_patience(config, patience) for patience in asked]
    by_patience = zip(*(_stops(run, variants) for run in runs), strict=True)
    return [Replay(patience, stops) for patience, stops in zip(asked, by_patience, strict=True)]


def _with_patience(config: Config, patience: int | None) -> Config:
    section = config.early_stopping.model_copy(update={"patience": patience})
    return config.model_copy(update={"early_stopping": section})


def _stops(run: Run, variants: Sequence[Config]) -> list[Stop | None]:
    """Return where the run ends with each variant of its config; the variants are members of one policy."""
    monitor = variants[0].early_stopping.monitor
    curve = [_number(row.get(monitor)) for row in run.metrics]
    policy = early_stopping(variants)
    ends: dict[int, tuple[int, int]] = {}  # by member: the epochs until it stops, and the best of these
    for epoch, value in enumerate(curve, 1):
        decision = policy.observe(epoch, np.full(len(variants), value))
        for member in np.flatnonzero(decision.stop_K).tolist():
            ends.setdefault(member, (epoch, int(policy.best_epoch[member])))
    best = int(policy.best_epoch[0])  # of the whole curve, whatever the patience
    if _came_to_its_end(run, len(curve)):
        ends = dict.fromkeys(range(len(variants)), (len(curve), best)) | ends
    return [_stop(curve, *ends[member], best) if member in ends else None for member in range(len(variants))]


def _stop(curve: Sequence[float], epochs: int, kept: int, best: int) -> Stop:
    if not kept:
        return Stop(epochs, None, None, None)
    return Stop(epochs, kept, curve[kept - 1], abs(curve[kept - 1] - curve[best - 1]))


def _came_to_its_end(run: Run, epochs: int) -> bool:
    """Return whether a longer patience would change nothing: all epochs are done, or the run diverged."""
    result = run.result
    return result is not None and result["stopped_by"] != "early_stopping" and result["epochs"] == epochs


def _number(value: Any) -> float:
    """Return a value of metrics.jsonl, which is not trusted; null stands for a value that was not finite."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
