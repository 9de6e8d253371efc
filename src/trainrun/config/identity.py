"""Identity of a config: the id of a run directory, and the keys in which configs differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trainrun.config.facts import facts, join
from trainrun.config.first_defaults import first_defaults
from trainrun.config.keys.choices import Choice
from trainrun.config.keys.data import DataConfig
from trainrun.config.keys.fields import Apart, Follows, Section
from trainrun.config.model import Config
from trainrun.config.rendering import plain, written

#: Raised only when a change of trainrun alters the bits of a run.
NUMERICS_VERSION = 1

#: The keys that are left out of the id: with other values the recipe is the same.
APART = frozenset(facts(Apart))
_FOLLOWS = facts(Follows)
# The keys that other keys' defaults depend on.
_DECIDING = tuple(dict.fromkeys(key for fact in _FOLLOWS.values() for key in fact.keys))


def identify(config: Config, digests: Mapping[str, str]) -> str:
    """The eight hex digits that a run directory's name ends with.

    Args:
        config: its keys that differ from their first defaults count; keys that are `Apart` and paths do not.
        digests: the SHA-256 in hex of each data file's bytes, by role: path, valid, test, target.
    """
    first = {key: value(config) if callable(value) else value for key, value in first_defaults().items()}
    defaults = {**dict(_leaves("", _defaults(config))), **first}
    changed = {
        key: value for key, value in _leaves("", config) if key not in defaults or defaults[key] != value
    }
    content = {"config": changed, "data": dict(digests), "numerics": NUMERICS_VERSION}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def differences(old: Config, new: Config) -> list[tuple[str, object, object]]:
    """The dotted keys in which two resolved configs differ, with the old and the new value.

    Name, seed, device, threads and paths are left out; ingredients of one name are compared by setting.
    """
    return list(_compare("", old, new))


def changes(config: Config) -> dict[str, object]:
    """The dotted keys that differ from their defaults, with their values; the same are left out as above."""
    return {key: value for key, _, value in _compare("", _defaults(config), config)}


def following(config: Config) -> list[str]:
    """Return the dotted keys that take `auto` and whose values are the defaults that they follow.

    A saved config spells them out like any other key. Set to `auto`, they follow other keys again.
    """
    changed = changes(config)
    found: list[str] = []
    for key in (join(key, inner) for key, fact in _FOLLOWS.items() for inner in fact.resets):
        is_changed = any(_lies_in(other, key) for other in changed)
        if not is_changed and not any(_lies_in(key, around) for around in found):
            found.append(key)
    return found


def _lies_in(key: str, around: str) -> bool:
    return key == around or key.startswith(f"{around}.")


def _defaults(config: Config) -> Config:
    """Return the config with all keys at their defaults; keys that others depend on are reset last."""
    derived = Config.model_validate({"name": "a", **{key: getattr(config, key) for key in _DECIDING}})
    blank = Config.model_validate({"name": "a", "data": {"source": "digits"}})
    unset = {key: getattr(blank, key) for key in _DECIDING} | {"data": DataConfig.model_construct()}
    return derived.model_copy(update=unset)


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every dotted key that can enter the id; an ingredient's settings only where they were changed."""
    if isinstance(value, Choice):
        yield key, value.name
        yield from ((f"{key}.{setting}", plain(chosen)) for setting, chosen in value.changed.items())
    elif isinstance(value, Section):
        for field in type(value).model_fields:
            yield from _leaves(join(key, field), getattr(value, field))
    elif key not in APART and not isinstance(value, Path):
        yield key, plain(value)


def _compare(key: str, old: Any, new: Any) -> Iterator[tuple[str, object, object]]:
    if isinstance(new, Section) and type(old) is type(new):
        for field in type(new).model_fields:
            yield from _compare(join(key, field), getattr(old, field), getattr(new, field))
    elif key not in APART and not isinstance(old, Path) and not isinstance(new, Path):
        before, after = _shown(key, old), _shown(key, new)
        if before != after:
            yield key, before, after


def _shown(key: str, value: Any) -> object:
    if isinstance(value, Choice):
        changed = plain(value.changed)
        return {"name": value.name, **changed} if changed else value.name
    if key == "dropout.hidden" and len(set(value)) == 1:  # of layers, of which the other may have more
        return value[0]
    return written(key, value)
