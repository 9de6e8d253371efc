"""Sentences for what pydantic found: from its kinds of errors to words."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path as FilePath
from typing import Any

from pydantic_core import ErrorDetails

from trainrun.config.messages.expectations import describe, fields_at, number, type_at, words_of
from trainrun.config.messages.misplaced import other_section
from trainrun.config.messages.suggestions import nearest, unknown_key
from trainrun.config.model import Config
from trainrun.config.yaml.problems import Problem
from trainrun.config.yaml.scalars import resolve
from trainrun.config.yaml.tree import Items, Node, Path, Scalar, Table, locate, plain
from trainrun.text import short

_BOUNDS = {
    "greater_than": ("must be above", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be below", "lt"),
    "less_than_equal": ("must be at most", "le"),
}
_MOST = 500  # far more than are shown; a text of thousands of mistakes must not take seconds
_MISSING = "is required"
_BOOLEANS_ELSEWHERE = {"yes", "no", "on", "off"}


def phrase(errors: Iterable[ErrorDetails], root: Table) -> list[Problem]:
    """Say what is wrong, value by value.

    Args:
        errors: of the whole config's validation; a union gives one for each of its parts.
        root: the tree that was validated.
    """
    values = plain(root)
    exact: dict[Path, list[Problem]] = {}
    loose: dict[Path, Problem] = {}
    for error in islice(errors, _MOST):
        path, problem = _problem(error, root, values)
        if problem is not None:
            exact.setdefault(path, []).append(problem)
        else:
            loose[path] = _of_another_kind(path, root, values, error["type"])
    # Drop "wrong type" errors of a union if another member of it reports a more specific error.
    around = {path[:length] for path in (*exact, *loose) for length in range(len(path))}
    kept = [problem for path, problem in loose.items() if path not in exact and path not in around]
    return [problem for problems in exact.values() for problem in problems] + kept


def _problem(error: ErrorDetails, root: Table, values: Any) -> tuple[Path, Problem | None]:
    """The problem and its path; no problem where the value is of another kind than the key takes."""
    context = error.get("ctx", {})
    asked = (*error["loc"], context["at"]) if context.get("at") else error["loc"]
    path, mark, node = locate(root, asked)
    sentence = _sentence(error, path, node, values)
    speaks_of_key = isinstance(node, Table) if context.get("at") else sentence == _MISSING
    if speaks_of_key and path[-1:] != asked[-1:]:
        path = (*path, asked[-1])  # the key that is not there is what it is about
    if sentence is None:
        return path, None
    label, item = _label_of(path)
    return path, Problem(mark, label, item + sentence)


def _sentence(error: ErrorDetails, path: Path, node: Node, values: Any) -> str | None:
    kind = error["type"]
    context: dict[str, Any] = error.get("ctx", {})
    if kind == "missing":
        return None if isinstance(node, Items) else _MISSING  # of a list it is the length that is wrong
    if kind == "extra_forbidden":
        *parent, key = path
        known = fields_at(Config, tuple(parent), values)
        return unknown_key(str(key), known, other_section(tuple(parent), str(key)))
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{words} {number(context[bound])}, got {_shown(node)}"
    if kind == "too_short":
        return f"must not be empty, got {_shown(node)}"
    if kind == "misfit":
        return f"{context['sentence']}, got {_shown(node)}" if context["got"] else str(context["sentence"])
    return f"{context['error']}, got {_shown(node)}" if kind == "value_error" else None


def _of_another_kind(path: Path, root: Table, values: Any, kind: str) -> Problem:
    _, mark, node = locate(root, path)
    kind_there = type_at(Config, path, values)
    words = describe(kind_there)
    if kind == "finite_number":
        words = words.replace("a number", "a finite number", 1)
    label, item = _label_of(path)
    return Problem(mark, label, f"{item}must be {words}, got {_shown(node)}{_hint(node, kind_there)}")


def _label_of(path: Path) -> tuple[str, str]:
    """A path as a dotted key, and which item of the list there is meant."""
    keys = [short(part) or "''" for part in path if isinstance(part, str)]
    places = [part for part in path if isinstance(part, int)]
    return ".".join(keys), f"item {places[-1] + 1}: " if places else ""


def _shown(node: Node) -> str:
    """A value as a message shows it: as written, in quotes where it is text."""
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Table):
        return "a mapping"
    if node.value is None:
        return "null" if node.text else "nothing"
    if not isinstance(node.value, str | FilePath):
        return short(node.text)
    return f"'{short(node.text)}'"


def _hint(node: Node, kind: Any) -> str:
    """The word that was meant, or why what looks like a number or a boolean is text."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return ""
    if node.quoted and not isinstance(resolve(node.text[:100]), str | None):
        return " (text, because it is in quotes)"
    if node.text.lower() in _BOOLEANS_ELSEWHERE and "true or false" in describe(kind):
        return " (text: YAML 1.2 knows only true and false)"
    return nearest(node.text, words_of(kind))
