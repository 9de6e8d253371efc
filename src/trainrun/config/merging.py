"""One config over another: which values meet, and which replaces which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from trainrun.config.facts import facts
from trainrun.config.keys.choices import INGREDIENTS, OneOf
from trainrun.config.keys.fields import ShortForm
from trainrun.config.references import OF_FILES
from trainrun.config.yaml.tree import Entry, Node, Path, Scalar, Table, plain

_EXPAND: dict[str, Callable[[object], object]] = {
    **{key: form.expand for key, form in facts(ShortForm).items()},
    **{key: choice.expand for key, choice in facts(OneOf).items()},
}
_RIVALS = {"path": {"source"}, "source": set(OF_FILES)}


def merge(base: Table, over: Table, path: Path = ()) -> Table:
    """`over` on top of `base`: mappings merge key by key, anything else replaces what was there.

    A mapping over a short form (`adam`, `dropout: 0.2`, `data: digits`) adds to what that stands for. The
    short form of `data` is one of its keys, so the others stay. An ingredient with another name replaces the
    whole ingredient; a bundled set replaces files, a file the set.

    Args:
        base: what is below.
        over: what is above.
        path: where both stand.
    """
    kept = {key: entry for key, entry in base.entries.items() if key not in _rivals(over, path)}
    for key, entry in over.entries.items():
        node = _meet(kept[key].node, entry.node, (*path, key)) if key in kept else entry.node
        kept[key] = Entry(entry.mark, node)
    return Table(over.mark, kept)


def _meet(below: Node, above: Node, path: Path) -> Node:
    if path[:1] == ("search",) and len(path) > 1:
        return above  # a range is a whole: its log says nothing about other ends
    if path == ("data",):
        above = spread(above, path)  # other data leave how rows are prepared as it is
    if not isinstance(above, Table):
        return above
    below = spread(below, path)
    if not isinstance(below, Table) or _is_another(below, above, path):
        return above
    return merge(below, above, path)


def spread(node: Node, path: Path) -> Node:
    """Return the mapping that a short form stands for; return any other node unchanged."""
    expand = _EXPAND.get(".".join(map(str, path)))
    value = plain(node)
    full = expand(value) if expand else None
    if isinstance(node, Table) or not isinstance(full, Mapping):
        return node
    entries = {key: Entry(node.mark, _inner(node, value, inner)) for key, inner in full.items()}
    return Table(node.mark, entries)


def _inner(node: Node, value: object, inner: object) -> Node:
    """Return the node of a value inside of a short form: mostly that of the short form itself."""
    return replace(node, value=inner) if isinstance(node, Scalar) and inner is not value else node


def _is_another(base: Table, over: Table, path: Path) -> bool:
    choice = INGREDIENTS.get(".".join(map(str, path)))
    name = over.get("name")
    if choice is None or not isinstance(name, Scalar):
        return False
    below = base.get("name")
    named = below.value if isinstance(below, Scalar) else choice.default
    return choice.registry.canonical(str(name.value)) != choice.registry.canonical(str(named))


def _rivals(over: Table, path: Path) -> set[str]:
    if path != ("data",):
        return set()
    return {rival for key in over.entries for rival in _RIVALS.get(key, ())}
