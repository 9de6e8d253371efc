"""Warnings about the rows: parts and the target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trainrun.config import Config
from trainrun.config.keys.data import Split

if TYPE_CHECKING:
    from trainrun.data import Dataset

_FEW_ROWS = 10  # with fewer, a single row moves accuracy by more than 10 %
_DEFAULTS = Split()


def of_settings(config: Config) -> Iterator[str]:
    """Yield the warnings that the settings alone give.

    Args:
        config: resolved.
    """
    data = config.data
    for part in ("valid", "test"):
        size = getattr(data.split, part)
        if part not in data.cut_parts and size not in (0, getattr(_DEFAULTS, part)):
            yield f"data.split.{part}: {size:g} is not used, as data.{part} names the rows. Leave it out."
    if data.split.fold is not None and data.split.test not in (0, _DEFAULTS.test):
        yield f"data.split.test: {data.split.test:g} is not used, as data.split.fold cuts it. Leave it out."
    if not any(data.cut_parts.values()):
        told = {"seed": data.split.seed == "run", "group": data.split.group is not None}
        for key in (key for key, is_set in told.items() if is_set):
            value = getattr(data.split, key)
            yield f"data.split.{key}: {value} is not used, as no part is cut. Leave it out."


def of_data(config: Config, dataset: Dataset) -> Iterator[str]:
    """Yield the warnings that the data add.

    Args:
        config: resolved.
        dataset: its data.
    """
    yield from _few_rows(config, dataset)
    target, weights = dataset.target, config.class_weight
    if isinstance(weights, dict) and not any(weights.get(label, 1) for label in target.classes):
        yield "class_weight: 0 for every class leaves nothing to learn. Take a weight above 0."
    if target.labels and config.data.scale_target == "standard":
        yield "data.scale_target: standard does nothing, as the target has classes. Leave it out."


def _few_rows(config: Config, dataset: Dataset) -> Iterator[str]:
    chooses = config.epochs > 1 and config.early_stopping.monitor.startswith("val_")
    if dataset.valid and chooses and (rows := len(dataset.valid.y)) < _FEW_ROWS:
        key = "data.valid" if config.data.valid else "data.split.valid"
        what = f"too few validation rows to choose the best epoch: {rows}"
        yield f"{key}: {what}. Take at least {_FEW_ROWS}."
