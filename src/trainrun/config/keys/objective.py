"""Keys of what is minimized and measured: loss, class weights, metrics."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import AfterValidator, WithJsonSchema

from trainrun.config.keys.choices import INGREDIENTS, Choice
from trainrun.config.keys.fields import Check, DecidedByData, Expected, Others, ShortForm, misfit
from trainrun.config.messages.suggestions import unknown_name
from trainrun.ingredients import metrics
from trainrun.quantities import NonNegative

_METRIC_LIST = {"type": "array", "items": {"enum": metrics.words}}


def _loss_fits(value: Choice | None, others: Others) -> Choice | None:
    """Check that a loss is for the data's task."""
    task = _task(others)
    if value and task and value.ingredient.traits["task"] not in (None, task):
        raise misfit(f"{value.name} is for {value.ingredient.traits['task']}, but data.task is {task}")
    return value


def _weights_fit(value: object, others: Others) -> object:
    """Check that there are classes to weigh."""
    chosen = others.get("loss")
    task = chosen.ingredient.traits["task"] if chosen else _task(others)
    if value is not None and task == "regression":
        raise misfit("is for classification: leave it out, or use the loss cross_entropy")
    return value


def _one_metric(value: object) -> object:
    return (value,) if isinstance(value, str) else None


def _main_name(value: str) -> str:
    """Return the main name of a metric."""
    if metrics.canonical(value) not in metrics:
        raise misfit(unknown_name(metrics, value, ["auto"]))
    return metrics.canonical(value)


def _metrics_fit(value: tuple[str, ...] | None, others: Others) -> tuple[str, ...] | None:
    """Check that each metric is named once, and is for the data's task."""
    task = _task(others)
    for index, word in enumerate(value or ()):
        if word in (value or ())[:index]:
            raise misfit(f"{word} is given twice")
        if task and metrics[word].traits["task"] not in (None, task):
            raise misfit(f"{word} is for {metrics[word].traits['task']}, but data.task is {task}")
    return value


def _task(others: Others) -> str | None:
    data = others.get("data")
    return None if data is None or data.task == "auto" else data.task


Loss = Annotated[Choice | None, INGREDIENTS["loss"], DecidedByData(), Check(_loss_fits, ("data",))]
ClassWeight = Annotated[
    Literal["balanced"] | Annotated[dict[str, NonNegative], MinLen(1)] | None,
    Check(_weights_fit, ("data", "loss")),
    Expected("balanced, a mapping of labels to weights of at least 0, or null"),
]
Metrics = Annotated[
    tuple[Annotated[str, AfterValidator(_main_name)], ...] | None,
    ShortForm(_one_metric),
    DecidedByData(),
    Check(_metrics_fit, ("data",)),
    WithJsonSchema({"anyOf": [{"enum": ["auto", *metrics.words]}, _METRIC_LIST]}),
    Expected("auto or a list of metrics"),
]
