"""One problem of a config, and all of them as one error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainrun.config.yaml.tree import Mark
from trainrun.errors import ConfigError
from trainrun.text import printable

_MOST = 50  # lines; more would not help a reader


@dataclass(frozen=True)
class Problem:
    """A mistake in a config: its place and a sentence about it.

    Attributes:
        mark: the place.
        label: the dotted key it is about; empty for the text as a whole.
        sentence: what is wrong and how to correct it.
    """

    mark: Mark
    label: str
    sentence: str

    def __str__(self) -> str:
        place = printable(str(self.mark))
        named = not self.mark.source.is_file and self.label in {"", *self.mark.source.shown.split()[1:]}
        return (
            f"{place}: {self.sentence}"
            if named or not self.label
            else f"{place}: {self.label}: {self.sentence}"
        )


class UnreadableError(Exception):
    """A text that cannot be parsed any further, and why."""

    def __init__(self, mark: Mark, sentence: str, label: str = "") -> None:
        self.problem = Problem(mark, label, sentence)
        super().__init__(str(self.problem))


def config_error(problems: Iterable[Problem]) -> ConfigError:
    """All problems as one error: sorted by place, each once."""
    ordered = sorted(problems, key=lambda p: (p.mark.source.order, p.mark.line, p.mark.column))
    lines = list(dict.fromkeys(str(problem) for problem in ordered))
    more = ["... and more: correct these first"] if len(lines) > _MOST else []
    return ConfigError([*lines[:_MOST], *more])
