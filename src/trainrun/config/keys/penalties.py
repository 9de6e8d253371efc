"""The section `regularization`: penalties and weight decay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from trainrun.config.keys.fields import Expected, Follows, Others, Section
from trainrun.quantities import NonNegative


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


def _decay_of_optimizer(value: object, others: Others) -> object:
    """Replace `weight_decay: auto` by the optimizer's own default."""
    if not isinstance(value, Mapping) or value.get("weight_decay", "auto") != "auto":
        return value
    optimizer = others.get("optimizer")
    traits = optimizer.ingredient.traits if optimizer else {}
    return {**value, "weight_decay": traits.get("weight_decay", 0.0)}


Penalties = Annotated[Regularization, Follows(("optimizer",), _decay_of_optimizer, resets=("weight_decay",))]
