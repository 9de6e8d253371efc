"""References in a config: files, relative to the text that names them, and columns, by their names."""

from __future__ import annotations

import csv
import gzip
import os
import re
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from trainrun.config.yaml.tree import Entry, Items, Node, Scalar, Table
from trainrun.text import short

#: The keys of `data` that go with files and not with a bundled set.
OF_FILES = ("path", "valid", "test", "target")

_IDX_NAME = re.compile(r"[-.]idx\d*(-ubyte)?(\.gz)?$", re.IGNORECASE)
#: Kinds of data files, by suffix (`.gz` aside); `data/readers/sources.py` has a reader for each kind.
FILE_KINDS = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".data"), "text"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    ".npz": "npz",
}
_IDX_TYPES = {0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E}
_LONGEST_HEADER = 64 * 1024
_MOST_NAMES = 30


def refer(data: Table) -> Table:
    """The section `data` with its paths absolute and its columns' names as texts.

    A column named 2020 is written without quotes like any other: what counts is the text.
    """
    for key in ("path", "valid", "test"):
        data = _change(data, key, _as_path)
    path = data.get("path")
    is_labels = isinstance(path, Scalar) and isinstance(path.value, Path) and is_idx(path.value)
    data = _change(data, "target", _as_path if is_labels else _as_text)
    for key in ("drop", "categorical"):
        data = _change(data, key, _as_text)
    data = _change(data, "na", _words)
    return _change(data, "split", _split)


def file_kind(path: Path) -> str | None:
    """Return the kind of a data file, by its name or else (IDX) by its first bytes; None if unknown."""
    if _IDX_NAME.search(path.name):
        return "idx"
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    if suffixes and suffixes[-1] in FILE_KINDS:
        return FILE_KINDS[suffixes[-1]]
    magic = _beginning(path, 4)
    is_idx = len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in _IDX_TYPES and 1 <= magic[3] <= 8
    return "idx" if is_idx else None


def is_idx(path: Path) -> bool:
    """Return whether a file holds IDX arrays."""
    return file_kind(path) == "idx"


def column_names(path: Path, delimiter: str) -> list[str]:
    """Return the columns that a text file's header names, made printable; empty where that is not cheap."""
    if file_kind(path) != "text":
        return []
    start = _beginning(path, _LONGEST_HEADER)
    encoding = "utf-16" if start[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8-sig"
    line = next(filter(_may_be_header, start.decode(encoding, "replace").splitlines()), "")
    if delimiter == "auto":
        delimiter = max(",\t;|", key=line.count)
    if len(delimiter) != 1 or not line or {"\0", "\ufffd"} & set(line):  # no text, or in another encoding
        return []
    names = [short(name) for name in next(csv.reader([line], delimiter=delimiter), [])]
    return names if len(names) <= _MOST_NAMES else [*names[:_MOST_NAMES], "..."]


def _may_be_header(line: str) -> bool:
    """Return whether a line is not blank, not a comment and not the hint `sep=;`."""
    return (
        bool(line.strip()) and not line.startswith(("#", "%")) and not re.fullmatch(r"(?i)\"?sep=.\"?", line)
    )


def absolute(text: str, directory: Path) -> Path:
    """A path from a config, seen from the directory of the text that names it."""
    home = os.path.expanduser(text)  # noqa: PTH111  # Path.expanduser fails where there is no HOME
    path = Path(directory, home)
    if ".." in path.parts:  # through a linked folder `..` leads elsewhere than the text says
        return Path(os.path.realpath(path.parent), path.name)
    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.resolve would follow a link to a file without suffix


def _beginning(path: Path, size: int) -> bytes:
    try:
        if not path.is_file():
            return b""
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            return file.read(size)
    except (OSError, EOFError, ValueError, zlib.error):  # whether it can be read is asked when it has to be
        return b""


def _change(table: Table, key: str, change: Callable[[Node], Node]) -> Table:
    node = table.get(key)
    return table if node is None else table.put(key, change(node))


def _split(node: Node) -> Node:
    return _change(node, "group", _as_text) if isinstance(node, Table) else node


def _as_path(node: Node) -> Node:
    if isinstance(node, Items):
        return replace(node, nodes=tuple(_as_path(item) for item in node.nodes))
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return replace(node, value=absolute(node.value, node.mark.source.directory))
    return node


def _as_text(node: Node) -> Node:
    """Return a value as its text; null stays null."""
    if isinstance(node, Items):
        return replace(node, nodes=tuple(_as_text(item) for item in node.nodes))
    return replace(node, value=node.text) if isinstance(node, Scalar) and node.value is not None else node


def _words(node: Node) -> Node:
    return _change(node, "only", _as_written) if isinstance(node, Table) else _as_written(node)


def as_saved(data: Table) -> Table:
    """Return the section of a run's config: in those of older runs, a list of words is all there are."""
    words = data.get("na")
    if words is None or isinstance(words, Table):
        return data
    return data.put("na", Table(words.mark, {"only": Entry(words.mark, words)}))


def _as_written(node: Node) -> Node:
    """The texts of a list, `null` in it being a text as well."""
    if isinstance(node, Items):
        texts = (replace(n, value=n.text) if isinstance(n, Scalar) else n for n in node.nodes)
        return replace(node, nodes=tuple(texts))
    return _as_text(node)
