"""Descriptions of the values that a key takes, read from its type."""

from __future__ import annotations

from functools import reduce
from pathlib import Path as FilePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel

from trainrun.config.keys.choices import OneOf, choice_model
from trainrun.config.keys.fields import Expected
from trainrun.config.yaml.tree import Path
from trainrun.quantities import DURATION_FORM, Duration

_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    FilePath: "a file",
    NoneType: "null",
    Duration: DURATION_FORM,
}
_BOUNDS = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt"}
_BOUND_WORDS = {"ge": "of at least", "gt": "above", "le": "of at most", "lt": "below"}


def describe(annotation: Any) -> str:
    """Describe the values that a type takes: `a number above 0`, `true or false or auto`, `a list`."""
    kind, facts = _opened(annotation)
    for fact in facts:
        if isinstance(fact, Expected | OneOf):
            return fact.words
    if get_origin(kind) in {Union, UnionType}:
        return " or ".join(dict.fromkeys(describe(part) for part in get_args(kind)))
    if get_origin(kind) is Literal:
        *first, last = (str(word) for word in get_args(kind))
        return f"{', '.join(first)} or {last}" if first else last
    if get_origin(kind) is tuple:
        return _list(get_args(kind))
    return _WORDS.get(kind, "a mapping") + _range(facts)


def words_of(annotation: Any) -> list[str]:
    """The fixed words that a type takes."""
    kinds = _alternatives(annotation, None)
    return [str(word) for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]


def type_at(annotation: Any, path: Path, values: Any) -> Any:
    """The type of what stands at `path` inside of a type.

    Args:
        annotation: the type at the path's begin.
        path: keys of mappings and places in lists.
        values: what the config has there, by which an ingredient is known.
    """
    for part in path:
        inner = (_inner(kind, part) for kind in _alternatives(annotation, values))
        annotation = next((kind for kind in inner if kind is not None), Any)
        values = _value(values, part)
    return annotation


def fields_at(annotation: Any, path: Path, values: Any) -> list[str]:
    """The keys that are known at `path`; arguments as of `type_at`."""
    there = reduce(_value, path, values)
    models = [kind for kind in _alternatives(type_at(annotation, path, values), there) if _is_model(kind)]
    return [field for model in models for field in model.model_fields]


def _value(values: Any, part: str | int) -> Any:
    return values.get(part) if isinstance(values, dict) else None


def _opened(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(annotation) is Annotated:
        kind, *facts = get_args(annotation)
        return kind, tuple(facts)
    return annotation, ()


def _alternatives(annotation: Any, values: Any) -> list[Any]:
    kind, facts = _opened(annotation)
    chooser = next((fact for fact in facts if isinstance(fact, OneOf)), None)
    if chooser:
        return _chosen(chooser, values)
    if get_origin(kind) in {Union, UnionType}:
        return [found for part in get_args(kind) for found in _alternatives(part, values)]
    return [kind]


def _chosen(chooser: OneOf, values: Any) -> list[Any]:
    name = values.get("name", chooser.default) if isinstance(values, dict) else values
    if not isinstance(name, str) or chooser.registry.canonical(name) not in chooser.registry:
        return []
    return [choice_model(chooser.registry[name])]


def _inner(kind: Any, part: str | int) -> Any:
    if _is_model(kind) and part in kind.model_fields:
        field = kind.model_fields[part]
        return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    arguments = get_args(kind)
    if get_origin(kind) is tuple and isinstance(part, int):
        return arguments[0] if arguments[-1] is ... else arguments[min(part, len(arguments) - 1)]
    return arguments[1] if get_origin(kind) is dict else None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _list(arguments: tuple[Any, ...]) -> str:
    return f"a list, each {describe(arguments[0])}" if arguments[-1] is ... else f"a list of {len(arguments)}"


def _range(facts: tuple[Any, ...]) -> str:
    """` from 1 to 5`, ` above 0`, or nothing."""
    bounds = {
        key: number(getattr(fact, key))
        for kind, key in _BOUNDS.items()
        for fact in facts
        if isinstance(fact, kind)
    }
    if {"ge", "le"} <= set(bounds):
        return f" from {bounds['ge']} to {bounds['le']}"
    words = " and ".join(f"{_BOUND_WORDS[key]} {bound}" for key, bound in bounds.items())
    return f" {words}" if words else ""


def number(value: float) -> str:
    """A bound as a reader writes it: without a needless `.0`."""
    return str(int(value)) if float(value).is_integer() else str(value)
