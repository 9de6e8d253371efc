"""What `auto` and the short forms stand for, given the keys before them; all that needs no data.

Each function is a validator that runs before its field's type is checked, so it meets anything that YAML can
say: what it does not know it returns as it is, for the type to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationInfo

from trainrun.config.fields import misfit
from trainrun.ingredients import metrics
from trainrun.ingredients.learning_rates import depends_on_total

_INITIALIZERS = {
    **dict.fromkeys(("sigmoid", "tanh", "softsign"), "xavier_normal"),
    "selu": "lecun_normal",
}


def suited_initializer(activation: str) -> str:
    """The initializer that is meant for an activation, by their names."""
    return _INITIALIZERS.get(activation, "he_normal")


def widths(value: object) -> object:
    """One width is a list of one."""
    return (value,) if isinstance(value, int) and not isinstance(value, bool) else value


def initializer(value: object, info: ValidationInfo) -> object:
    """`auto` is the initializer that suits the activation."""
    activation = info.data.get("activation")
    name = suited_initializer(activation.name if activation else "")
    if value == "auto":
        return name
    if isinstance(value, Mapping) and value.get("name", "auto") == "auto":
        return {**value, "name": name}
    return value


def dropout(value: object, info: ValidationInfo) -> object:
    """One rate is every hidden layer's, a list has one for each."""
    section = value if isinstance(value, Mapping) else {"hidden": value}
    rates = section.get("hidden", 0.0)
    layers = len(info.data.get("hidden", ()))
    if isinstance(rates, tuple):
        if "hidden" in info.data and len(rates) != layers:
            at = "hidden" if isinstance(value, Mapping) else ""
            raise misfit(
                f"must be one rate or {layers} of them, one for each hidden layer, got {len(rates)}", at=at
            )
        return section
    if isinstance(rates, int | float):
        return {**section, "hidden": (rates,) * max(layers, 1)}  # without a layer it is checked all the same
    return value


def regularization(value: object, info: ValidationInfo) -> object:
    """`weight_decay: auto` is the optimizer's own."""
    if not isinstance(value, Mapping) or value.get("weight_decay", "auto") != "auto":
        return value
    optimizer = info.data.get("optimizer")
    traits = optimizer.ingredient.traits if optimizer else {}
    return {**value, "weight_decay": traits.get("weight_decay", 0.0)}


def metric_names(value: object) -> object:
    """Return metric names as a list; `auto` is None, and the task of the data decides later."""
    if value == "auto":
        return None
    return (value,) if isinstance(value, str) else value


def early_stopping(value: object, info: ValidationInfo) -> object:
    """A patience, `true`, `false` or `auto` as a mapping, with the monitored value and its mode."""
    data, schedule = info.data.get("data"), info.data.get("schedule")
    has_validation = data is None or data.has_validation
    by_itself = has_validation and not (schedule and depends_on_total(schedule.name, schedule.settings))
    section = _stopping(value, by_itself)
    if section is None:
        return value
    monitor = section.setdefault("monitor", "val_loss" if has_validation else "loss")
    if section.get("mode", "auto") == "auto":
        section["mode"] = "max" if _grows(monitor) else "min"
    return section


def _stopping(value: object, by_itself: bool) -> dict[str, Any] | None:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bool) or value == "auto":
        stops = by_itself if value == "auto" else value
        return {} if stops else {"patience": None}
    return {"patience": value} if isinstance(value, int) else None


def _grows(monitor: object) -> bool:
    name = str(monitor).removeprefix("val_")
    return metrics.canonical(name) in metrics and metrics[name].traits["larger_is_better"]
