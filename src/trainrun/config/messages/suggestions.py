"""Suggest known words for an unknown key or name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trainrun.config.messages.synonyms import KEYS, NAMES, REMARKS, bare
from trainrun.text import close_names, short

if TYPE_CHECKING:
    from trainrun.registry import Registry


def unknown_key(key: str, siblings: Iterable[str], other_section: str | None) -> str:
    """The sentence about a key that is not known where it stands.

    Args:
        key: as the config has it.
        siblings: the keys that are known there.
        other_section: where else the same word is a key, if it is.
    """
    word, known = bare(key), list(siblings)
    if remark := REMARKS.get(word):
        return f"unknown key; {remark}"
    if ours := other_section or KEYS.get(word):
        return f"unknown key; here it is {ours}"
    if near := nearest(key, known):
        return f"unknown key{near}"
    return f"unknown key; known here: {', '.join(known)}" if known else "unknown key; nothing can be set here"


def unknown_name(registry: Registry[Any], name: str, also: Iterable[str] = ()) -> str:
    """The sentence about a name that a registry does not have; `also` is known beside its words."""
    known = [*registry.words, *also]
    ours = NAMES.get(registry.kind, {}).get(bare(name))
    answer = f"; here it is {ours}" if ours else nearest(name, known)
    return f"unknown {registry.kind} '{short(name)}'" + (answer or f"; known are {', '.join(known)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` with the known word closest to `word`, or nothing where none is close."""
    spelled = {bare(candidate): candidate for candidate in known}
    close = close_names(bare(word), spelled, cutoff=0.7)
    return f"; did you mean {spelled[close[0]]}?" if close else ""
