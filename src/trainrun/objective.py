"""The objective: which loss and metrics a config means for a kind of target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainrun.config import Choice, Config
from trainrun.config.keys.choices import choice_model
from trainrun.data import Target
from trainrun.errors import ConfigError
from trainrun.ingredients import losses, metrics

_DEFAULT_METRICS = {"classification": ("accuracy",), "regression": ("rmse", "mae", "r2")}
_DEFAULT_LOSS = {"classification": "cross_entropy", "regression": "mse"}


@dataclass(frozen=True)
class Metric:
    """A metric as the engine computes it.

    Attributes:
        name: its plain name.
        reads: `class`, `score` or `value`: which answer of the net it looks at.
        function: of (answer [K, N], truth, classes) -> [K].
    """

    name: str
    reads: str
    function: Callable[[np.ndarray, np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class Objective:
    """Loss that is trained and metrics that are reported.

    Attributes:
        rows, derivative: the training loss of each row and its derivative by the net's output.
        report: the plain loss of each row, for validation and test.
        metrics: what is reported beside the loss.
    """

    rows: Callable[..., Any]
    derivative: Callable[..., Any]
    report: Callable[..., Any]
    metrics: tuple[Metric, ...]


def make_objective(config: Config, target: Target) -> Objective:
    """Return the loss and metrics of a config for a kind of target.

    Raises:
        ConfigError: the loss or a metric is for another kind.
    """
    loss = _loss(config, target.task)
    for_task = loss.ingredient.traits["task"]
    if for_task != target.task:
        raise misfit(config, "loss", f"{loss.name} is for {for_task}", target)
    names = _metric_names(config, _DEFAULT_METRICS[target.task])
    return Objective(
        rows=loss.function,
        derivative=loss.derivative,
        report=reported_loss(config, target.task).function,
        metrics=tuple(_metric(name, config, target) for name in names),
    )


def reported_loss(config: Config, task: str) -> Choice:
    """The loss that validation and test report: the one trained on, without label smoothing.

    Args:
        config: names it, or leaves it to the task.
        task: of the data: `classification` or `regression`.
    """
    loss = _loss(config, task)
    return loss.model_copy(update=loss.ingredient.traits.get("plain", {}))


def reportable(config: Config) -> list[str]:
    """The metrics, by their main names, that a config may report, whatever its data are."""
    return list(_metric_names(config, [name for names in _DEFAULT_METRICS.values() for name in names]))


def _metric_names(config: Config, by_default: Sequence[str]) -> Sequence[str]:
    """Return the metrics of a config; the default ones include the monitored `error`."""
    if config.metrics is not None:
        return [metrics.canonical(name) for name in config.metrics]
    monitored = config.early_stopping.monitor.removeprefix("val_")
    return [*by_default, "error"] if monitored == "error" else by_default


def misfit(config: Config, key: str, what: str, target: Target) -> ConfigError:
    """The error about a setting that does not go with the data's task.

    Args:
        config: whose setting it is.
        key: its dotted key.
        what: what the setting is for.
        target: the data's kind of target.
    """
    having = f"{len(target.classes)} classes" if target.task == "classification" else "numbers to predict"
    return ConfigError([f"{config.place(key)}: {key}: {what}, but this data has {having}"])


def _loss(config: Config, task: str) -> Choice:
    """Return the loss of a config; `auto` and `by_task` leave it to the task."""
    if config.loss and config.loss.name != "by_task":
        return config.loss
    default = losses[_DEFAULT_LOSS[task]]
    settings = config.loss.settings if config.loss else {}
    shared = {key: value for key, value in settings.items() if key in default.settings}
    return choice_model(default)(name=default.name, **shared)


def _metric(name: str, config: Config, target: Target) -> Metric:
    ingredient = metrics[name]
    if ingredient.traits["task"] not in (None, target.task):
        raise misfit(config, "metrics", f"{name} is for {ingredient.traits['task']}", target)
    if ingredient.traits["reads"] == "score" and len(target.classes) != 2:
        raise misfit(config, "metrics", f"{name} is for two classes", target)
    reads = ingredient.traits["reads"]
    if reads == "answer":
        reads = "class" if target.task == "classification" else "value"
    return Metric(ingredient.name, reads, ingredient.function)
