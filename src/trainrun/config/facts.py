"""Facts about the keys of a config, read from the definition of each key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from trainrun.config.keys.choices import Choice
from trainrun.config.keys.fields import Section
from trainrun.config.model import Config

F = TypeVar("F")


def facts(kind: type[F]) -> dict[str, F]:
    """Return the facts of one kind, such as `Follows`, by dotted key, top keys first.

    Args:
        kind: a class whose objects stand in the `Annotated` of keys.
    """
    return {key: fact for key, found in _annotations() for fact in found if isinstance(fact, kind)}


def sections() -> dict[str, type[Section]]:
    """Return the models of all sections by dotted key, such as `data` and then `data.split`."""
    return dict(_sections("", Config))


def join(*keys: str) -> str:
    """Return a dotted key from its parts, of which some may be empty."""
    return ".".join(filter(None, keys))


def _annotations() -> Iterator[tuple[str, list[Any]]]:
    models: dict[str, type[Section]] = {"": Config, **sections()}
    for prefix, model in models.items():
        for key, field in model.model_fields.items():
            yield join(prefix, key), field.metadata


def _sections(prefix: str, model: type[Section]) -> Iterator[tuple[str, type[Section]]]:
    for key, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section) and kind is not Choice:
            yield join(prefix, key), kind
            yield from _sections(join(prefix, key), kind)
