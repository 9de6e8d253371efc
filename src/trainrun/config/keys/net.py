"""Keys of the net: its layers, how its weights start, and dropout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator, Field, WithJsonSchema

from trainrun.config.keys.choices import INGREDIENTS, Choice
from trainrun.config.keys.fields import Check, Expected, Follows, Others, Section, ShortForm, Width, misfit
from trainrun.quantities import Rate

_INITIALIZERS = {
    **dict.fromkeys(("sigmoid", "tanh", "softsign"), "xavier_normal"),
    "selu": "lecun_normal",
}
_FEW_LAYERS = 4
_RATE = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}


class Embeddings(Section):
    """Learned vectors in the place of a column's inputs."""

    categories: Annotated[
        Literal["none", "auto"] | Annotated[int, Ge(1), Le(1024)],
        Expected("none, auto or a width (from 1 to 1024)"),
    ] = Field(
        "none",
        description="of text columns; auto: 8 numbers for a column of more than 8 categories; or a width",
    )
    numbers: Annotated[Choice, INGREDIENTS["embeddings.numbers"]] = Field(
        "none", validate_default=True, description="of number columns"
    )


class Dropout(Section):
    """Dropout rates of the input features and of each hidden layer's outputs."""

    input: Rate = Field(0.0, description="the part of the input features that is dropped")
    hidden: Annotated[
        tuple[Rate, ...],
        Expected("a rate (at least 0, below 1), or a list with one for each hidden layer"),
        WithJsonSchema({"anyOf": [_RATE, {"type": "array", "items": _RATE}]}),
    ] = Field((), description="the part of each hidden layer's outputs that is dropped; one rate is for all")


def textbook_initializer(activation: str) -> str:
    """Return the name of the initializer that keeps a signal's size behind an activation, by its name."""
    return _INITIALIZERS.get(activation, "he_normal")


def suited_initializer(activation: str, hidden: int) -> str:
    """Return the name of the initializer that `auto` means.

    He initialization keeps the signal's size through many ReLU layers, which a deep net needs. Nets of few
    layers end at lower errors on tables if they start smaller. PyTorch's own start has a sixth of He's
    variance.

    Args:
        activation: its name.
        hidden: number of hidden layers.
    """
    if activation in _INITIALIZERS or hidden > _FEW_LAYERS:
        return textbook_initializer(activation)
    return "torch_default"


def why_initializer(activation: str, hidden: int) -> str:
    """Return why `auto` means what it means, as a clause.

    Args:
        activation: its name.
        hidden: number of hidden layers.
    """
    if activation in _INITIALIZERS:
        return f"it keeps the signal's size behind {activation}"
    if hidden > _FEW_LAYERS:
        return f"it keeps the signal's size through {hidden} hidden layers"
    return f"nets of up to {_FEW_LAYERS} hidden layers end at lower errors on tables if they start small"


def _one_width(value: object) -> object:
    return (value,) if isinstance(value, int) and not isinstance(value, bool) else None


def _suit_activation(value: object, others: Others) -> object:
    """Replace `auto` by the initializer that suits activation and depth; settings are the textbook one's."""
    chosen = others.get("activation")
    activation = chosen.name if chosen else ""
    if value == "auto":
        return suited_initializer(activation, len(others.get("hidden", ())))
    if isinstance(value, Mapping) and value.get("name", "auto") == "auto":
        return {**value, "name": textbook_initializer(activation)}
    return value


def _biases(value: Choice) -> Choice:
    """Check that the initializer can make biases: some make matrices only."""
    if value.ingredient.traits.get("matrix"):
        raise misfit(f"{value.name} is for weight matrices: take zeros or another for biases")
    return value


def _hidden_rates(value: object) -> object:
    return None if isinstance(value, Mapping | Section) else {"hidden": value}


def _rate_each(value: object, others: Others) -> object:
    """Give each hidden layer a rate: one rate is for all, a list has one for each."""
    if not isinstance(value, Mapping):
        return value
    rates = value.get("hidden", 0.0)
    layers = len(others.get("hidden", ()))
    if isinstance(rates, tuple) and "hidden" in others and len(rates) != layers:
        raise misfit(
            f"must be one rate or {layers} of them, one for each hidden layer, got {len(rates)}", at="hidden"
        )
    if isinstance(rates, int | float):
        return {**value, "hidden": (rates,) * max(layers, 1)}  # also without a layer the rate is checked
    return value


def _rates_of_layers(value: Dropout, others: Others) -> Dropout:
    """Leave out the rates of hidden layers that the net does not have."""
    layers = len(others.get("hidden", value.hidden))
    return value.model_copy(update={"hidden": value.hidden[:layers]})


Hidden = Annotated[
    tuple[Width, ...],
    ShortForm(_one_width, Width | list[Width]),
    Expected("a list of widths from 1 to 65536 (or one width)"),
]
Normalization = Literal["none", "layer", "batch"]
Parametrization = Literal["standard", "ntk"]
Activation = Annotated[Choice, INGREDIENTS["activation"]]
Initializer = Annotated[
    Choice, INGREDIENTS["initializer"], Follows(("hidden", "activation"), _suit_activation)
]
OutputInitializer = Annotated[Choice | None, INGREDIENTS["output_initializer"]]
BiasInitializer = Annotated[Choice, INGREDIENTS["bias_initializer"], AfterValidator(_biases)]
Rates = Annotated[
    Dropout,
    Check(_rates_of_layers, ("hidden",)),
    Follows(("hidden",), _rate_each, resets=()),
    ShortForm(_hidden_rates, Rate | list[Rate] | Dropout),
    Expected("a rate (at least 0, below 1), a list of rates or a mapping with input and hidden"),
]
