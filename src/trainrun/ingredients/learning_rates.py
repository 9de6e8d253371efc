"""The learning rate of a whole training: a schedule, laid out over its steps, with the warm-up in front."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trainrun.ingredients.lengths import Training
from trainrun.ingredients.schedules import schedules
from trainrun.lazy import numpy as np
from trainrun.quantities import Duration


def lay_out(
    name: str, settings: Mapping[str, Any], learning_rate: float, *, warmup: int, per_epoch: int, total: int
) -> Callable[[np.ndarray], np.ndarray]:
    """The learning rate of a whole training as a pure function of the step.

    Args:
        name: of the schedule.
        settings: the schedule's, durations as `Duration`.
        learning_rate: L, above 0.
        warmup: steps in which the rate rises in a straight line to the schedule's first value.
        per_epoch: steps of one epoch.
        total: steps of the whole training, warm-up included.

    Returns:
        a function from steps already done (int64, any shape) to learning rates (float64, the same shape).

    Raises:
        ValueError: the settings do not fit this training; the sentence begins with the setting's name.
    """
    schedule, training = schedules[name], Training(total, per_epoch, warmup)
    if warmup and schedule.traits.get("rises_itself"):
        raise ValueError(f"warmup: {schedule.name} rises by itself, so leave warmup out")
    for setting, length in _durations(settings):
        if training.steps(length) < 1:
            raise ValueError(f"{setting}: must be at least one step, got {length}")

    def after_warmup(t: np.ndarray) -> np.ndarray:
        # A rate that grows to inf makes the run diverge, and that is where it is said.
        with np.errstate(over="ignore"):
            return schedule.function(t, learning_rate, training, **settings)

    first = float(after_warmup(np.zeros(1, dtype=np.int64))[0])

    def learning_rates(step: np.ndarray) -> np.ndarray:
        rising = first * (step + 1) / max(warmup, 1)
        return np.where(step < warmup, rising, after_warmup(np.maximum(step - warmup, 0)))

    return learning_rates


def depends_on_total(name: str, settings: Mapping[str, Any]) -> bool:
    """Return whether a schedule depends on the length of the training, so that early stopping cuts it.

    Args:
        name: of the schedule.
        settings: the schedule's, durations as `Duration`; those left out have their defaults.
    """
    schedule = schedules[name]
    given = {key: settings.get(key, setting.default) for key, setting in schedule.settings.items()}
    whole = any(value is None for value in given.values())
    percent = any(length.depends_on_total for _, length in _durations(given))
    return whole or percent or bool(schedule.traits.get("spans_training"))


def _durations(settings: Mapping[str, Any]) -> Iterator[tuple[str, Duration]]:
    for name, value in settings.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, Duration):
                yield name, item
