"""Warnings: settings that a config may have and that hardly anyone can mean, a sentence or two each.

A warning begins with its key and value. It follows from the resolved config and the data alone, never from
how a file spells them. So equal runs have equal warnings, and `fit`, `check` and `compare` say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainrun.config import Config
from trainrun.warnings import data, early_stopping, net, optimization

if TYPE_CHECKING:
    from trainrun.data import Dataset

_SUBJECTS = (data, net, optimization, early_stopping)

__all__ = ["curve_warnings", "key_of", "setting_warnings", "warnings"]


def setting_warnings(config: Config) -> tuple[str, ...]:
    """Return the warnings that the settings alone give, without a look at the data.

    Args:
        config: resolved.
    """
    return tuple(text for subject in _SUBJECTS for text in subject.of_settings(config))


def warnings(config: Config, dataset: Dataset) -> tuple[str, ...]:
    """Return all warnings about a config: those of its settings, then those that its data add.

    Args:
        config: resolved; its plan could be made.
        dataset: its data.
    """
    of_data = (text for subject in _SUBJECTS for text in subject.of_data(config, dataset))
    return (*setting_warnings(config), *of_data)


def curve_warnings(config: Config, values: Sequence[float]) -> tuple[str, ...]:
    """Return the warnings that only a finished run gives.

    Args:
        config: resolved.
        values: the monitored value of each epoch.
    """
    return tuple(early_stopping.of_curve(config, values))


def key_of(warning: str) -> str:
    """Return the dotted key that a warning is about."""
    return warning.partition(":")[0]
