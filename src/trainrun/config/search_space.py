"""The section `search` of a config: keys to search, each with a list of values or a range.

It is no part of the recipe: `fit` trains the file without it, and it enters no id.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainrun.config.identity import APART
from trainrun.config.yaml.problems import Problem
from trainrun.config.yaml.tree import Entry, Items, Mark, Node, Scalar, Table, plain
from trainrun.text import short

SECTION = "search"
_BOUNDS = ("from", "to")
_OF_RANGES = {*_BOUNDS, "log", "step"}
_MEASURED = {"metrics", "early_stopping.monitor", "early_stopping.mode", "extends", SECTION}
# What a table's cells are read as, or which rows there are, decides what is measured; how they are prepared
# for the net does not.
_PREPARATION = {"scale", "scale_target", "missing", "missing_indicator", "rare", "categorical", "drop"}


@dataclass(frozen=True)
class Listed:
    """A key with the values that a search may take.

    Attributes:
        key: dotted.
        nodes: the values as written.
    """

    key: str
    nodes: tuple[Node, ...]

    @property
    def ends(self) -> tuple[Node, ...]:
        """The values that stand for all in a check."""
        return self.nodes


@dataclass(frozen=True)
class Range:
    """A key with the numbers between two ends.

    Attributes:
        key: dotted.
        mark: its place.
        low, high: the ends, both included.
        log: whether equal ratios are equally likely, not equal differences.
        step: between neighbours, counted from `low`; None where all numbers between are meant.
        is_whole: whether only whole numbers are meant.
    """

    key: str
    mark: Mark
    low: float
    high: float
    log: bool = False
    step: float | None = None
    is_whole: bool = False

    def node(self, value: float) -> Scalar:
        """Return one of its numbers as a file would have it."""
        return Scalar(self.mark, value, repr(value))

    @property
    def ends(self) -> tuple[Node, ...]:
        """The values that stand for all in a check."""
        between = () if self.step is None else (self.node(self.low + self.step),)
        return self.node(self.low), *between, self.node(self.high)


Searched = Listed | Range


def flattened(layer: Table) -> tuple[Table, list[Problem]]:
    """Return a config's layer with the keys of its section `search` dotted, and what is given twice.

    So `dropout: {hidden: [0]}` of one file replaces `dropout.hidden: [0.1]` of another.
    """
    section = layer.get(SECTION)
    if not isinstance(section, Table) or not section.entries:
        return layer, []
    entries: dict[str, Entry] = {}
    problems = []
    for key, mark, node in _flat(section):
        if key in entries:
            first = entries[key].mark.line
            sentence = f"given twice, first at line {first}: keep one of them"
            problems.append(Problem(mark, f"{SECTION}.{key}", sentence))
        entries.setdefault(key, Entry(mark, node))
    return layer.put(SECTION, Table(section.mark, entries)), problems


def parse_space(section: Node) -> tuple[list[Searched], list[Problem]]:
    """Return the keys of a section `search`, and what is wrong with it; values are checked elsewhere."""
    if isinstance(section, Scalar) and section.value is None:
        return [], []
    if not isinstance(section, Table) or not section.entries:
        example = "such as `learning_rate: {from: 1e-4, to: 1e-1, log: true}` or `dropout: [0, 0.2]`"
        return [], [Problem(section.mark, SECTION, f"must be a mapping of keys to values, {example}")]
    found: list[Searched] = []
    problems: list[Problem] = []
    for key, mark, node in _flat(section):
        label = f"{SECTION}.{key}"
        if refusal := _why_refused(key):
            problems.append(Problem(mark, label, refusal))
        elif isinstance(node, Items):
            found.append(Listed(key, node.nodes))
            problems += _problems_of_list(node, mark, label)
        elif isinstance(node, Table):
            one, wrong = _range(key, mark, node)
            problems += wrong
            found += [one] if one else []
        else:
            sentence = "must be a list of values, or a range such as {from: 0.1, to: 0.5}"
            problems.append(Problem(mark, label, sentence))
    return found, problems


def _flat(section: Table, prefix: str = "") -> Iterator[tuple[str, Mark, Node]]:
    """Yield dotted keys: `dropout: {hidden: [...]}` is the same as `dropout.hidden: [...]`."""
    for key, entry in section.entries.items():
        node, dotted = entry.node, f"{prefix}{key}"
        if isinstance(node, Table) and node.entries and not _OF_RANGES & node.entries.keys():
            yield from _flat(node, f"{dotted}.")
        else:
            yield dotted, entry.mark, node


def _why_refused(key: str) -> str | None:
    first, _, rest = key.partition(".")
    if key in _MEASURED | APART or (first == "data" and rest.partition(".")[0] not in _PREPARATION):
        return "cannot be searched: it changes what is measured, not the recipe"
    return None


def _problems_of_list(node: Items, mark: Mark, label: str) -> Iterator[Problem]:
    if not node.nodes:
        yield Problem(mark, label, "must have at least one value")
    seen: list[Any] = []
    for item in node.nodes:
        value = plain(item)
        if any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in seen):
            yield Problem(item.mark, label, "has this value twice")
        seen.append(value)


def _range(key: str, mark: Mark, node: Table) -> tuple[Range | None, list[Problem]]:
    """Return the range in a mapping, or what is wrong with it."""
    values = plain(node)
    wrong = dict(_problems_of_words(values)) or dict(_problems_of_ends(values))
    if wrong:
        places = {part: node.entries[part].mark if part in node.entries else mark for part in wrong}
        return None, [Problem(places[part], f"{SECTION}.{key}", wrong[part]) for part in wrong]
    low, high, step = values["from"], values["to"], values.get("step")
    is_whole = step is not None and all(isinstance(value, int) for value in (low, high, step))
    return Range(key, mark, low, high, values.get("log", False), step, is_whole), []


def _problems_of_words(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each word of a range whose value is of the wrong kind, with a sentence."""
    for word in values.keys() - _OF_RANGES:
        yield word, f"unknown word {short(word)} in a range; known are from, to, log, step"
    for word in _BOUNDS:
        if not _is_number(values.get(word)):
            yield word, f"{word} must be a number" if word in values else f"{word} is missing"
    if not isinstance(values.get("log", False), bool):
        yield "log", "log must be true or false"
    if "step" in values and not (_is_number(values["step"]) and values["step"] > 0):
        yield "step", "step must be a number above 0"


def _problems_of_ends(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each word of a range whose number does not go with the others, with a sentence."""
    low, high, log, step = values["from"], values["to"], values.get("log", False), values.get("step")
    if low >= high:
        yield "from", f"from must be below to, got {low} and {high}"
    elif log and low <= 0:
        yield "from", f"from must be above 0 where log is true, got {low}"
    elif log and step is not None:
        yield "step", "step and log do not go together; leave one out, or list the values"
    elif step is not None and step > high - low:
        yield "step", f"step must be at most {high - low}, the length of the range"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
