"""Suggest the right section for a known key that was written in a wrong one."""

from __future__ import annotations

from trainrun.config.facts import sections
from trainrun.config.keys.choices import INGREDIENTS, OneOf
from trainrun.config.model import Config
from trainrun.config.yaml.tree import Path

_SECTIONS = sections()


def other_section(path: Path, key: str) -> str | None:
    """The place where `key` is known, in words, or None.

    Args:
        path: the mapping in which it was written, where it is not known.
        key: the word.
    """
    choice = INGREDIENTS.get(".".join(map(str, path)))
    if choice and (owners := _owners(choice, key)):
        return f"a setting of {owners}"
    if path and key in Config.model_fields:
        return f"{key}, at the top"
    section = next((name for name, model in _SECTIONS.items() if key in model.model_fields), None)
    if section:
        return f"{section}.{key}"
    found = ((name, _owners(choice, key)) for name, choice in INGREDIENTS.items())
    return next((f"a setting of {name} ({owners})" for name, owners in found if owners), None)


def _owners(choice: OneOf, key: str) -> str:
    return ", ".join(name for name, ingredient in choice.registry.items() if key in ingredient.settings)
