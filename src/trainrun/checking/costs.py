"""Cost of a training: memory by calculation, time measured over the first steps."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from trainrun.engine.device import choose_processors
from trainrun.engine.probe import footprint
from trainrun.engine.training import Pauses, train
from trainrun.events import PARTS, EpochEnded, Paused
from trainrun.plan import Plan

if TYPE_CHECKING:
    import torch

_SECONDS = 0.5


def memory(plan: Plan) -> int:
    """Bytes that a fit of one member takes, beyond the program itself: its net, its steps, and the data."""
    parts = [part for name in PARTS if (part := getattr(plan.dataset, name))]
    return footprint(plan) + sum(part.x.nbytes + part.y.nbytes for part in parts)


def seconds_per_epoch(plan: Plan, device: torch.device, threads: int | str) -> float | None:
    """Measure the seconds of an epoch by training for half a second; None if there is nothing to train.

    Nothing of it is kept.
    """
    watch = _Watch()
    processors = choose_processors(threads, plan, 1, device)
    for event in train(plan, device=device, threads=processors.threads, pauses=Pauses(watch.is_over)):
        if isinstance(event, EpochEnded | Paused):
            watch.steps, watch.seconds = event.step, watch.elapsed()
    return watch.seconds / watch.steps * plan.steps_per_epoch if watch.steps else None


class _Watch:
    """Runs from the first time it is looked at, which is before the first step."""

    def __init__(self) -> None:
        self._begun: float | None = None
        self.steps, self.seconds = 0, 0.0

    def elapsed(self) -> float:
        """Seconds since it was first looked at."""
        now = monotonic()
        self._begun = self._begun or now
        return now - self._begun

    def is_over(self) -> bool:
        """Return whether the measurement was long enough."""
        return self.elapsed() >= _SECONDS
