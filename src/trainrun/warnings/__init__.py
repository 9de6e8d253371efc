"""Warnings: settings that a config may have and that hardly anyone can mean, a sentence or two each.

A warning begins with its key and value. It follows from the resolved config and the data alone, never from
how a file spells them. So equal runs have equal warnings, and `fit`, `check` and `compare` say the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from trainrun.config import Config
from trainrun.data import Dataset
from trainrun.warnings import early_stopping

__all__ = ["key_of", "setting_warnings", "warnings"]


def setting_warnings(config: Config) -> tuple[str, ...]:
    """Return the warnings that the settings alone give, without a look at the data.

    Args:
        config: resolved.
    """
    return tuple(_of_settings(config))


def warnings(config: Config, dataset: Dataset) -> tuple[str, ...]:
    """Return all warnings about a config: those of its settings, then those that its data add.

    Args:
        config: resolved; its plan could be made.
        dataset: its data.
    """
    return (*_of_settings(config), *_of_data(config, dataset))


def key_of(warning: str) -> str:
    """Return the dotted key that a warning is about."""
    return warning.partition(":")[0]


def _of_settings(config: Config) -> Iterator[str]:
    yield from early_stopping.of_settings(config)


def _of_data(config: Config, dataset: Dataset) -> Iterator[str]:
    yield from early_stopping.of_data(config, dataset)
