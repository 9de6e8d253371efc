"""Warnings about early stopping, and about reduce_on_plateau, which watches the same value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from trainrun.config import Config
from trainrun.config.keys.stopping import EarlyStopping
from trainrun.ingredients import metrics

if TYPE_CHECKING:
    from trainrun.data import Dataset

_FEWEST_EPOCHS = 5  # of which some may be alike
_NEARLY_ALL = 0.75
_DEFAULTS = EarlyStopping()
_PLATEAU = "reduce_on_plateau"


def of_settings(config: Config) -> Iterator[str]:
    """Yield the warnings that the settings alone give.

    Args:
        config: resolved.
    """
    yield from _mode(config)
    if config.early_stopping.patience is None:
        yield from _idle(config)
    elif config.epochs:  # with none, nothing is trained that could stop
        yield from _never(config)
        yield from _baseline(config)
    if config.schedule.name == _PLATEAU:
        yield from _plateau(config)
    yield from _large_min_delta(config, _largest_gain(config))


def of_data(config: Config, dataset: Dataset) -> Iterator[str]:
    """Yield the warnings that the data add.

    Args:
        config: resolved.
        dataset: its data.
    """
    if _largest_gain(config) is None:
        yield from _large_min_delta(config, _largest_gain_on(config, dataset))


def of_curve(config: Config, values: Sequence[float]) -> Iterator[str]:
    """Yield the warnings of a finished run: its best epoch is one of many that were equally good.

    Args:
        config: resolved.
        values: the monitored value of each epoch.
    """
    monitor, better = config.early_stopping.monitor, max if config.early_stopping.mode == "max" else min
    best_so_far = accumulate(values, better)
    ties = sum(value == best for value, best in zip(values[1:], best_so_far, strict=False))
    may_tie = monitor.removeprefix("val_") == "error"  # of recipes: for classes it is a share of few rows
    if not may_tie and len(values) >= _FEWEST_EPOCHS and ties >= _NEARLY_ALL * (len(values) - 1):
        what = f"equalled its best in {ties} of {len(values)} epochs, and the first was kept"
        name = monitor.removeprefix("val_")
        of_classes = name != "loss" and metrics[name].traits["task"] == "classification"
        loss = monitor.removesuffix(name) + "loss"
        advice = (
            f"Take {loss}, which tells epochs apart"
            if of_classes
            else "Does the net learn? Try trainrun check"
        )
        yield f"early_stopping.monitor: {monitor} {what}. {advice}."


def _mode(config: Config) -> Iterator[str]:
    stopping = config.early_stopping
    if stopping.mode != _right_mode(stopping.monitor):
        which = "lowest" if stopping.mode == "min" else "highest"
        what = f"keeps the epoch with the {which} {stopping.monitor}, which is the worst"
        yield f"early_stopping.mode: {stopping.mode} {what}. Leave mode out."


def _right_mode(monitor: str) -> str:
    name = monitor.removeprefix("val_")
    return "max" if name != "loss" and metrics[name].traits["larger_is_better"] else "min"


def _idle(config: Config) -> Iterator[str]:
    """Yield warnings about settings that only affect a patience, where the config has no patience."""
    for key in ("min_delta", "start_from_epoch", "baseline"):
        value = getattr(config.early_stopping, key)
        if value != getattr(_DEFAULTS, key):
            what = f"{key}: {value:g} does nothing without a patience"
            yield f"early_stopping.{what}. Set patience, or leave it out."


def _never(config: Config) -> Iterator[str]:
    stopping, epochs = config.early_stopping, config.epochs
    patience, start = stopping.patience or 0, stopping.start_from_epoch
    if start >= epochs:
        what = f"start_from_epoch: {start} is not below epochs: {epochs}, so no run stops early"
        yield f"early_stopping.{what}. Take a smaller one."
    elif start and start + patience >= epochs:
        what = f"start_from_epoch: {start} and patience: {patience} take all {epochs} epochs"
        yield f"early_stopping.{what}, so no run stops early. Take smaller ones."
    elif patience >= epochs > 1 and patience != _DEFAULTS.patience:  # one epoch is a trial
        what = f"patience: {patience} is not below epochs: {epochs}, so no run stops early"
        yield f"early_stopping.{what}. Take a smaller one, or early_stopping: false."


def _baseline(config: Config) -> Iterator[str]:
    stopping = config.early_stopping
    baseline, best = stopping.baseline, _best_value(stopping.monitor)
    if baseline is None or stopping.mode != _right_mode(stopping.monitor):
        return
    if stopping.mode == "max" and baseline >= best:
        advice = f"Write a share, such as {baseline / 100:g}" if 1 < baseline < 100 else "Take a smaller one"
        what = f"cannot be beaten: {stopping.monitor} is at most 1"
        yield f"early_stopping.baseline: {baseline:g} {what}. {advice}."
    elif stopping.mode == "min" and baseline <= best:
        what = f"cannot be beaten: {stopping.monitor} is at least 0"
        yield f"early_stopping.baseline: {baseline:g} {what}. Take a larger one."


def _best_value(monitor: str) -> float:
    return 1.0 if _right_mode(monitor) == "max" else 0.0


def _plateau(config: Config) -> Iterator[str]:
    schedule, stopping = config.schedule, config.early_stopping
    waits, least = schedule.settings["patience"], schedule.settings["min_lr"]
    if stopping.patience is not None and waits >= stopping.patience + stopping.start_from_epoch:
        what = f"{_PLATEAU} waits {waits} epochs, early stopping only {stopping.patience}"
        advice = "Training may stop before the learning rate is reduced: take a smaller one"
        yield f"schedule.patience: {what}. {advice}."
    elif 0 < config.epochs <= waits and "patience" in schedule.changed:
        what = f"{waits} is not below epochs: {config.epochs}, so {_PLATEAU} reduces nothing"
        yield f"schedule.patience: {what}. Take a smaller one."
    if least >= config.learning_rate:
        what = (
            f"{least:g} is not below learning_rate: {config.learning_rate:g}, so {_PLATEAU} reduces nothing"
        )
        yield f"schedule.min_lr: {what}. Take a smaller one."


def _large_min_delta(config: Config, largest: float | None) -> Iterator[str]:
    """Yield warnings about a `min_delta` that no improvement can exceed."""
    if largest is None:
        return
    deltas = {}
    if config.early_stopping.patience is not None:
        deltas["early_stopping"] = config.early_stopping.min_delta
    if config.schedule.name == _PLATEAU:
        deltas["schedule"] = config.schedule.settings["min_delta"]
    for section, delta in deltas.items():
        if delta >= largest > 0:
            what = f"{config.early_stopping.monitor} gains at most {largest:.4g} on guessing"
            advice = f"Take a smaller one, such as {largest / 1000:.1g}"
            yield f"{section}.min_delta: {delta:g} lets nothing count as better: {what}. {advice}."


def _largest_gain(config: Config) -> float | None:
    """Return the largest possible gain on guessing; None where it depends on the data."""
    return 1.0 if _right_mode(config.early_stopping.monitor) == "max" else None


def _largest_gain_on(config: Config, dataset: Dataset) -> float:
    """Return the largest possible gain on guessing for a value whose best is 0.

    Guessing predicts the mean, or each class with the same probability.
    """
    target, name = dataset.target, config.early_stopping.monitor.removeprefix("val_")
    if target.task == "classification":
        return math.log(len(target.classes))
    spread = float(dataset.train.y.std(dtype="float64"))
    if name != "loss":
        return spread * target.scale  # of rmse; mae is no larger
    loss = config.loss.name if config.loss else "mse"
    return {"mae": spread, "huber": spread**2 / 2}.get(loss, spread**2)
