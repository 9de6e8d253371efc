"""Warnings about the net: activation, dropout and penalties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trainrun.config import Config
from trainrun.config.keys.penalties import Regularization

if TYPE_CHECKING:
    from trainrun.data import Dataset

_MOST_DROPPED = 0.9  # from here on it is likely the part that should be kept
_DEFAULTS = Regularization()


def of_settings(config: Config) -> Iterator[str]:
    """Yield the warnings that the settings alone give.

    Args:
        config: resolved.
    """
    activation = config.activation
    if config.hidden and (activation.name == "identity" or activation.settings.get("negative_slope") == 1):
        yield (
            f"activation: {activation.name} makes all layers together one linear map."
            " Take another, or hidden: [] for the same map."
        )
    layers = zip(config.dropout.hidden, config.hidden, strict=True)
    found = (_dropout("hidden", rate, units, f"layer {n}'s") for n, (rate, units) in enumerate(layers, 1))
    yield from [text for text in found if text][:1]
    yield from _penalties(config)


def of_data(config: Config, dataset: Dataset) -> Iterator[str]:
    """Yield the warnings that the data add.

    Args:
        config: resolved.
        dataset: its data.
    """
    if found := _dropout("input", config.dropout.input, dataset.train.x.shape[1], "the net's"):
        yield found
    learned, preprocessing = config.embeddings, dataset.preprocessing
    if isinstance(learned.categories, int) and not preprocessing.categories:
        yield f"embeddings.categories: {learned.categories} does nothing without text columns. Leave it out."
    if learned.numbers.name != "none" and not preprocessing.numbers.names:
        yield f"embeddings.numbers: {learned.numbers.name} does nothing without number columns. Leave it out."


def _dropout(key: str, rate: float, units: int, whose: str) -> str | None:
    """The warning about a rate that leaves next to nothing; None where it leaves enough."""
    what = "input" if key == "input" else "unit"
    if rate and units == 1:
        return f"dropout.{key}: {rate:g} drops {whose} only {what}, and nothing of the row is left. Take 0."
    if round(units * (1 - rate), 9) < 1:  # 10 * (1 - 0.9) is a little less
        left = f"leaves a row less than one of {whose} {units} {what}s on average"
        return f"dropout.{key}: {rate:g} {left}. Take a lower rate."
    if rate >= _MOST_DROPPED:
        drops = f"drops {rate:.0%} of {whose} {what}s"
        return f"dropout.{key}: {rate:g} {drops}. A rate is the part that is dropped, not kept."
    return None


def _penalties(config: Config) -> Iterator[str]:
    penalties = config.regularization
    for key in ("activity_l1", "activity_l2"):
        if (strength := getattr(penalties, key)) and not config.hidden:
            yield f"regularization.{key}: {strength:g} does nothing without a hidden layer. Leave it out."
    if penalties.l1_method != _DEFAULTS.l1_method and not penalties.l1:
        what = f"l1_method: {penalties.l1_method} does nothing without l1"
        yield f"regularization.{what}. Set l1 too, or leave it out."
