"""The section `early_stopping`: when to stop, and which epoch is the best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from trainrun.config.keys.fields import Check, Epochs, Expected, Follows, Others, Section, ShortForm, misfit
from trainrun.config.messages.suggestions import unknown_name
from trainrun.ingredients import metrics
from trainrun.ingredients.learning_rates import depends_on_total
from trainrun.quantities import NonNegative


def _monitor(monitor: str) -> str:
    name = monitor.removeprefix("val_")
    if name == "loss":
        return monitor
    if metrics.canonical(name) in metrics:
        return monitor.removesuffix(name) + metrics.canonical(name)
    raise misfit(f"must be loss or a metric, with or without val_: {unknown_name(metrics, name, ['loss'])}")


class EarlyStopping(Section):
    """Settings of early stopping: when to stop, and which value decides the best epoch."""

    monitor: Annotated[str, AfterValidator(_monitor)] = Field(
        "val_loss", description="the value that is watched"
    )
    mode: Annotated[
        Literal["min", "max"], Expected("min, max or auto"), WithJsonSchema({"enum": ["auto", "min", "max"]})
    ] = Field("min", description="whether smaller or larger is better; auto knows")
    patience: Epochs | None = Field(10, description="epochs without improvement before the stop; null: never")
    min_delta: NonNegative = Field(
        0.0, description="an improvement is larger than this; steers patience only"
    )
    start_from_epoch: Epochs = Field(0, description="number of epochs at the start that are ignored")
    baseline: float | None = Field(None, description="an improvement must beat this to reset the patience")
    ties: Literal["first", "last"] = Field("first", description="which of equally good epochs is the best")


def _patience(value: object) -> dict[str, Any] | None:
    """Return the mapping that a patience, `true` or `false` stands for."""
    if isinstance(value, bool):
        return {} if value else {"patience": None}
    return {"patience": value} if isinstance(value, int) else None


def _fill(value: object, others: Others) -> object:
    """Fill in what `auto` stands for, the monitored value and its mode."""
    data, schedule = others.get("data"), others.get("schedule")
    has_validation = data is None or data.has_validation
    if value == "auto":
        value = _patience(has_validation and not _spans_training(schedule))
    if not isinstance(value, Mapping):
        return value
    section = {"monitor": "val_loss" if has_validation else "loss", **value}
    if section.get("mode", "auto") == "auto":
        section["mode"] = "max" if _grows(section["monitor"]) else "min"
    return section


def _spans_training(schedule: Any) -> bool:
    return bool(schedule) and depends_on_total(schedule.name, schedule.settings)


def _grows(monitor: object) -> bool:
    name = str(monitor).removeprefix("val_")
    return metrics.canonical(name) in metrics and metrics[name].traits["larger_is_better"]


def _is_measured(value: EarlyStopping, others: Others) -> EarlyStopping:
    """Check that training will measure the monitored value."""
    data, reported = others.get("data"), others.get("metrics")
    watched = value.monitor.removeprefix("val_")
    if watched != value.monitor and data and not data.has_validation:
        what = f"there is no validation part (data.split.valid is 0) for {value.monitor}: take {watched}"
        raise misfit(what, at="monitor")
    if reported is not None and watched not in {"loss", *reported}:
        raise misfit(f"{watched} is not among the metrics: add it there", at="monitor")
    return value


Stopping = Annotated[
    EarlyStopping,
    Check(_is_measured, ("data", "metrics")),
    Follows(("data", "schedule"), _fill, resets=("", "mode")),
    ShortForm(_patience, Literal["auto"] | bool | Epochs | EarlyStopping),
    Expected("a patience (a whole number), true, false, auto or a mapping"),
]
