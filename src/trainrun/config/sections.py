"""The smaller sections of a config: dropout, regularization, early stopping."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from trainrun.config.fields import Epochs, Expected, Section, misfit
from trainrun.config.vocabulary import unknown_name
from trainrun.ingredients import metrics
from trainrun.quantities import NonNegative, Rate

_RATE = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}


class Dropout(Section):
    """Which part of the features and of each hidden layer's outputs is dropped."""

    input: Rate = Field(0.0, description="the part of the input features that is dropped")
    hidden: Annotated[
        tuple[Rate, ...],
        Expected("a rate (at least 0, below 1), or a list with one for each hidden layer"),
        WithJsonSchema({"anyOf": [_RATE, {"type": "array", "items": _RATE}]}),
    ] = Field((), description="the part of each hidden layer's outputs that is dropped; one rate is for all")


class Regularization(Section):
    """Penalties of weights and activations; biases are left alone."""

    l1: NonNegative = Field(0.0, description="times the sum of |w|")
    l2: NonNegative = Field(0.0, description="times the sum of w^2 (no half)")
    activity_l1: NonNegative = Field(0.0, description="times the sum of |output| of the hidden layers, a row")
    activity_l2: NonNegative = Field(0.0, description="times the sum of output^2 of the hidden layers, a row")
    weight_decay: Annotated[
        NonNegative,
        Expected("auto or a number of at least 0"),
        WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "number", "minimum": 0}], "default": "auto"}),
    ] = Field(0.0, description="decoupled; auto is 0.01 for adamw, else 0")
    l1_method: Literal["proximal", "subgradient"] = Field(
        "proximal", description="proximal makes weights exactly 0; subgradient does as Keras does"
    )


def _monitor(monitor: str) -> str:
    name = monitor.removeprefix("val_")
    if name == "loss":
        return monitor
    if metrics.canonical(name) in metrics:
        return monitor.removesuffix(name) + metrics.canonical(name)
    raise misfit(f"must be loss or a metric, with or without val_: {unknown_name(metrics, name, ['loss'])}")


class EarlyStopping(Section):
    """When to stop, and by which value the best epoch is known."""

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
