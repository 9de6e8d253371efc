"""Recipes: configs that come with trainrun, which `extends` takes by a bare word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Recipe:
    """A config that comes with trainrun.

    Attributes:
        name: its word in `extends`.
        path: its file.
    """

    name: str
    path: Path

    @property
    def summary(self) -> str:
        """One sentence about the net, from the first line of the file."""
        return self._comments[0]

    @property
    def source(self) -> str:
        """Author, year and place of the publication that the settings are from."""
        return self._comments[1].removeprefix("Source: ")

    @property
    def text(self) -> str:
        """The file's text."""
        return self.path.read_text(encoding="utf-8")

    @property
    def _comments(self) -> list[str]:
        return [line.removeprefix("# ") for line in self.text.splitlines() if line.startswith("# ")]


def recipes() -> dict[str, Recipe]:
    """Return all recipes by their names, in alphabetical order."""
    return {path.stem: Recipe(path.stem, path) for path in sorted(Path(__file__).parent.glob("*.yaml"))}


def is_recipe_word(text: str) -> bool:
    """Return whether `extends` takes a text for the name of a recipe: no slash, no suffix of a config."""
    return "/" not in text and not text.lower().endswith(_SUFFIXES)
