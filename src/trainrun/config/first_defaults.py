"""First defaults: what a key meant in the releases before it was there, or before its default changed.

A key stays out of a config's id where it equals its first default. So a new key leaves old ids as they are,
and a changed default enters the ids of the configs that it changes. A saved config of an older release lacks
newer keys; they are read as their first defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trainrun.config.keys.net import textbook_initializer

if TYPE_CHECKING:
    from trainrun.config.model import Config

#: A first default: a plain value, or a function of the config where the default follows other keys.
FirstDefault = bool | int | float | str | list[Any] | None | Callable[["Config"], Any]

#: First defaults by the release that added the key or changed its default, each as dotted keys, such as
#: `{"0.2.0": {"data.rare": 0, "normalization": "none"}}`. A key stands here once, and stays.
FIRST_DEFAULTS: dict[str, dict[str, FirstDefault]] = {
    "0.2.0": {
        "data.scale": "standard",
        "initializer": lambda config: textbook_initializer(config.activation.name),
    },
}


def first_defaults() -> dict[str, FirstDefault]:
    """Return the first default of each key in the table; all other keys have today's default."""
    return {key: value for added in FIRST_DEFAULTS.values() for key, value in added.items()}
