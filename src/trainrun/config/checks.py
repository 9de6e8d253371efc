"""What has to fit together: validators that run once a field's type is right, and see the keys before it."""

from __future__ import annotations

import re

from pydantic import ValidationInfo

from trainrun.config.choices import Choice
from trainrun.config.fields import misfit
from trainrun.config.sections import Dropout, EarlyStopping
from trainrun.config.vocabulary import unknown_name
from trainrun.ingredients import metrics
from trainrun.quantities import Duration

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DEVICE = re.compile(r"auto|cpu|cuda|cuda:[0-9]{1,3}")


def name(value: str) -> str:
    """A name is a folder's name: nothing in it may lead elsewhere."""
    if not _NAME.fullmatch(value):
        raise misfit(
            "must be up to 100 letters, digits, '.', '_' and '-', the first a letter or digit", got=True
        )
    return value


def device(value: str) -> str:
    """A device is named as PyTorch names it; whether it is here is asked when it is needed."""
    if not _DEVICE.fullmatch(value):
        raise misfit("must be auto, cpu, cuda or cuda:N", got=True)
    return value


def dropout(value: Dropout, info: ValidationInfo) -> Dropout:
    """Without a hidden layer there is no rate of one."""
    layers = len(info.data.get("hidden", value.hidden))
    return value.model_copy(update={"hidden": value.hidden[:layers]})


def bias_initializer(value: Choice) -> Choice:
    """Some initializers make matrices only."""
    if value.ingredient.traits.get("matrix"):
        raise misfit(f"{value.name} is for weight matrices: take zeros or another for biases")
    return value


def optimizer(value: Choice) -> Choice:
    """An optimizer says itself which of its settings do not go together."""
    try:
        value.function()
    except ValueError as error:
        setting, _, sentence = str(error).partition(": ")
        raise misfit(sentence, at=setting) from None
    return value


def warmup(value: Duration, info: ValidationInfo) -> Duration:
    """A schedule that rises by itself takes no warm-up in front."""
    schedule = info.data.get("schedule")
    if value.amount and schedule and schedule.ingredient.traits.get("rises_itself"):
        raise misfit(f"does not go with {schedule.name}, which rises by itself: leave one of them out")
    return value


def loss(value: Choice | None, info: ValidationInfo) -> Choice | None:
    """A loss is for classes or for numbers."""
    task = _task(info)
    if value and task and value.ingredient.traits["task"] != task:
        raise misfit(f"{value.name} is for {value.ingredient.traits['task']}, but data.task is {task}")
    return value


def class_weight(value: object, info: ValidationInfo) -> object:
    """Only classes have weights."""
    chosen = info.data.get("loss")
    task = chosen.ingredient.traits["task"] if chosen else _task(info)
    if value is not None and task == "regression":
        raise misfit("is for classification: leave it out, or use the loss cross_entropy")
    return value


def metric(value: str) -> str:
    """A metric by its main name."""
    if metrics.canonical(value) not in metrics:
        raise misfit(unknown_name(metrics, value, ["auto"]))
    return metrics.canonical(value)


def metric_names(value: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
    """Each metric once, and for the task."""
    task = _task(info)
    for place, word in enumerate(value or ()):
        if word in (value or ())[:place]:
            raise misfit(f"{word} is given twice")
        if task and metrics[word].traits["task"] != task:
            raise misfit(f"{word} is for {metrics[word].traits['task']}, but data.task is {task}")
    return value


def early_stopping(value: EarlyStopping, info: ValidationInfo) -> EarlyStopping:
    """The monitored value must be one that there will be."""
    data, reported = info.data.get("data"), info.data.get("metrics")
    watched = value.monitor.removeprefix("val_")
    if watched != value.monitor and data and not data.has_validation:
        what = f"there is no validation part (data.split.valid is 0) for {value.monitor}: take {watched}"
        raise misfit(what, at="monitor")
    if reported is not None and watched not in {"loss", *reported}:
        raise misfit(f"{watched} is not among the metrics: add it there", at="monitor")
    return value


def _task(info: ValidationInfo) -> str | None:
    data = info.data.get("data")
    return None if data is None or data.task == "auto" else data.task
