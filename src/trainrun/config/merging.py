"""One config over another: which values meet, and which replaces which."""

from __future__ import annotations

from trainrun.config.choices import INGREDIENTS
from trainrun.config.nodes import Entry, Node, Path, Scalar, Table
from trainrun.config.references import OF_FILES, spread_data

_RIVALS = {"path": {"source"}, "source": set(OF_FILES)}


def merge(base: Table, over: Table, path: Path = ()) -> Table:
    """`over` on top of `base`: mappings merge key by key, anything else replaces what was there.

    A mapping over a short form (`adam`, `dropout: 0.2`, `data: digits`) adds to what that stands for. An
    ingredient with another name replaces the whole ingredient; a bundled set replaces files, a file the set.

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
    if not isinstance(above, Table):
        return above
    below = spread(below, path)
    if not isinstance(below, Table) or _is_another(below, above, path):
        return above
    return merge(below, above, path)


def spread(node: Node, path: Path) -> Node:
    """The mapping that a short form stands for; anything else as it is."""
    key = path[0] if len(path) == 1 else None
    if key == "data":
        return spread_data(node)
    if key == "dropout" and not isinstance(node, Table):
        return _table("hidden", node)
    if key == "early_stopping" and isinstance(node, Scalar):
        return _spread_stopping(node)
    if key in INGREDIENTS and isinstance(node, Scalar):
        return Table(node.mark, {}) if node.value == "auto" else _table("name", node)
    return node


def _spread_stopping(node: Scalar) -> Node:
    if isinstance(node.value, bool):
        return Table(node.mark, {}) if node.value else _table("patience", Scalar(node.mark, None, node.text))
    return _table("patience", node) if isinstance(node.value, int) else node


def _table(key: str, node: Node) -> Table:
    return Table(node.mark, {key: Entry(node.mark, node)})


def _is_another(base: Table, over: Table, path: Path) -> bool:
    choice = INGREDIENTS.get(str(path[0])) if len(path) == 1 else None
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
