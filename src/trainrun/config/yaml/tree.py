"""Nodes of a YAML text, each with its place: the tree between the parser and the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

Path = tuple[str | int, ...]  # the way to a value: keys of mappings, places in lists


@dataclass(frozen=True)
class Source:
    """Source of a text: a file, or a `--set` of the command line.

    Attributes:
        shown: how messages name it: the file as the user gave it, or `--set learning_rate`.
        directory: what relative paths in it are relative to.
        order: its place among the sources of one config, by which messages are sorted.
        is_file: whether lines and columns mean something to the reader.
    """

    shown: str
    directory: FilePath
    order: int = 0
    is_file: bool = True


@dataclass(frozen=True)
class Mark:
    """A place in a source; lines and columns count from 1."""

    source: Source
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source.shown}:{self.line}:{self.column}" if self.source.is_file else self.source.shown


@dataclass(frozen=True)
class Scalar:
    """One value.

    Attributes:
        value: what it means (None, bool, int, float, str; a path once it is known to be one).
        text: how it is written, without quotes.
        quoted: whether it is in quotes (or a block), and so text whatever it looks like.
    """

    mark: Mark
    value: Any
    text: str
    quoted: bool = False


@dataclass(frozen=True)
class Items:
    """A list."""

    mark: Mark
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Entry:
    """One key of a mapping: where the key is written, and its value."""

    mark: Mark
    node: Node


@dataclass(frozen=True)
class Table:
    """A mapping; keys are texts as they are written."""

    mark: Mark
    entries: Mapping[str, Entry]

    def get(self, key: str) -> Node | None:
        """Return the value under `key`; None if the key is missing."""
        entry = self.entries.get(key)
        return entry.node if entry else None

    def put(self, key: str, node: Node) -> Table:
        """The same mapping with `key` set; a key that was there keeps its place."""
        mark = self.entries[key].mark if key in self.entries else node.mark
        return Table(self.mark, {**self.entries, key: Entry(mark, node)})

    def without(self, path: Path) -> Table:
        """Return the same mapping without the key at a path through mappings; all of the path exists."""
        key, *deeper = path
        entry = self.entries[str(key)]
        others = {other: kept for other, kept in self.entries.items() if other != key}
        if not deeper or not isinstance(entry.node, Table):
            return Table(self.mark, others)
        return self.put(str(key), entry.node.without(tuple(deeper)))


Node = Scalar | Items | Table


def plain(node: Node) -> Any:
    """The tree as dicts, tuples and values."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return tuple(plain(item) for item in node.nodes)
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def locate(root: Node, path: Path) -> tuple[Path, Mark, Node]:
    """Follow `path` as far as it is written.

    Missing keys are skipped: pydantic may report a field that the user wrote only as a short form.

    Returns:
        The written part of the path, its place (a mapping's key or a list's item), and the node there.
    """
    found: list[str | int] = []
    mark, node = root.mark, root
    for part in path:
        if isinstance(node, Table) and (entry := node.entries.get(str(part))):
            mark, node = entry.mark, entry.node
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node.nodes):
            node = node.nodes[part]
            mark = node.mark
        else:
            continue
        found.append(part)
    return tuple(found), mark, node


def marks(node: Node, prefix: str = "") -> Iterator[tuple[str, Mark]]:
    """Every dotted key with the place where it is written."""
    if isinstance(node, Table):
        for key, entry in node.entries.items():
            yield prefix + key, entry.mark
            yield from marks(entry.node, f"{prefix}{key}.")
