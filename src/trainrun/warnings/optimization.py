"""Warnings about the steps: batches, learning rate, schedule, warm-up, decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trainrun.config import Config
from trainrun.ingredients.learning_rates import lay_out
from trainrun.ingredients.lengths import Training
from trainrun.lazy import numpy as np
from trainrun.quantities import Duration

if TYPE_CHECKING:
    from trainrun.data import Dataset

_SMALLEST = 1e-9  # float32 loses a smaller step beside a weight of 0.1
_MOST_STEPS = 4096  # looked at, besides those around each length of a schedule
_WITHOUT_STEPS = {"constant", "reduce_on_plateau"}  # as functions of the step they are constant


def of_settings(config: Config) -> Iterator[str]:
    """Yield the warnings that the settings alone give.

    Args:
        config: resolved.
    """
    schedule, rate = config.schedule, config.learning_rate
    decay = config.regularization.weight_decay
    if schedule.name == "piecewise":
        default = Config.model_fields["learning_rate"].default
        if rate not in (default, *schedule.settings["values"]):
            yield f"learning_rate: {rate:g} is not used: piecewise has values of its own. Leave it out."
    elif decay * rate >= 1:
        what = f"{decay:g} times learning_rate: {rate:g} is at least 1, so each step wipes out the weights"
        yield f"regularization.weight_decay: {what}. Take a smaller one."
    if schedule.name == "polynomial" and (end := schedule.settings["end"]) >= rate:
        what = f"{end:g} is not below learning_rate: {rate:g}, so the rate never falls"
        yield f"schedule.end: {what}. Take a smaller one."


def of_data(config: Config, dataset: Dataset) -> Iterator[str]:
    """Yield the warnings that need the data, which decide the number of steps in an epoch.

    Args:
        config: resolved; its plan could be made.
        dataset: its data.
    """
    rows, size = len(dataset.train.y), config.batch_size
    if size > rows and size != Config.model_fields["batch_size"].default:
        what = f"{size} is more than the {rows} training rows, so a step takes them all"
        yield f"batch_size: {what}. Take at most {rows}."
    training = _training(config, dataset)
    if training.total:
        yield from _of_rates(config, training)


def _of_rates(config: Config, training: Training) -> Iterator[str]:
    follows = config.schedule.name not in _WITHOUT_STEPS
    longest = training.total - follows  # to rise from the first step to the last may be meant
    if training.warmup > longest:
        what = f"leaves none of the training's {training.total} steps to the schedule"
        yield f"warmup: {config.warmup} {what}. Take a shorter one."
        return
    rates = _rates(config, training)
    if rates.max() < _SMALLEST and "none" not in (config.data.scale, config.data.scale_target):
        piecewise = config.schedule.name == "piecewise"
        what = (
            f"schedule.values: {rates.max():g}" if piecewise else f"learning_rate: {config.learning_rate:g}"
        )
        yield f"{what} changes no weight. Try trainrun find-lr."
    elif follows and training.span > 1 and (rates == rates[0]).all():
        what = f"{config.schedule.name} never changes the rate in these {training.span} steps"
        yield f"schedule: {what}. Change its settings, or take constant."
    else:
        yield from _beyond(config, training)


def _training(config: Config, dataset: Dataset) -> Training:
    per_epoch = -(-len(dataset.train.y) // config.batch_size)
    total = config.epochs * per_epoch
    return Training(total, per_epoch, config.warmup.steps(per_epoch=per_epoch, total=total))


def _rates(config: Config, training: Training) -> np.ndarray:
    """Learning rates after the warm-up, float64, of steps that show each change of a schedule."""
    schedule = config.schedule
    lengths = [training.steps(length) for _, length in _lengths(config)]
    spread = np.linspace(0, training.span - 1, min(training.span, _MOST_STEPS)).astype(np.int64)
    around = [length + shift for length in lengths for shift in (-1, 0, 1)]
    inside = [step for step in around if 0 <= step < training.span]
    steps = np.concatenate([spread, np.array(inside, dtype=np.int64)])
    rate_at = lay_out(
        schedule.name,
        schedule.settings,
        config.learning_rate,
        warmup=training.warmup,
        per_epoch=training.per_epoch,
        total=training.total,
    )
    return rate_at(steps + training.warmup)


def _lengths(config: Config) -> Iterator[tuple[str, Duration]]:
    """The lengths that a schedule is given, with their keys."""
    for key, value in config.schedule.settings.items():
        for item in value if isinstance(value, tuple) else [value]:
            if isinstance(item, Duration):
                yield key, item


def _beyond(config: Config, training: Training) -> Iterator[str]:
    """Yield warnings about a change of the rate that would come after the end of the training."""
    if config.schedule.name == "cosine_restarts":
        first = config.schedule.settings["first_decay"]
        if training.steps(first) >= training.span:
            what = f"{first} is no shorter than the training, so nothing restarts"
            yield f"schedule.first_decay: {what}. Take a shorter one, or cosine."
            return
    for key, length in _lengths(config):
        if key in ("milestones", "boundaries") and training.steps(length) >= training.span:
            what = f"{length} comes after the last of {training.span} steps"
            yield f"schedule.{key}: {what}. Leave it out, or train longer."
            return
