"""The layers of one config: the file, the files it extends, and what `--set` puts on top."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import reduce
from pathlib import Path

from trainrun.config.first_defaults import first_defaults
from trainrun.config.merging import merge
from trainrun.config.references import absolute, as_saved
from trainrun.config.search_space import flattened
from trainrun.config.yaml.parser import LARGEST, parse
from trainrun.config.yaml.problems import Problem, UnreadableError
from trainrun.config.yaml.tree import Entry, Mark, Node, Scalar, Source, Table
from trainrun.os_errors import why_unreadable
from trainrun.recipes import is_recipe_word, recipes
from trainrun.text import close_names, printable, short

_MOST_FILES = 16
_RUN_FILE = re.compile(r"preprocessing\.json|seed-\d+")  # beside a run's config, or its group's
_ON_TOP = 1000  # the order of `--set`, behind every file

# A comma makes a list of these values only when they are in brackets.
_COMMA_IS_TEXT = {"name", "extends", "data", "data.path", "data.target", "data.delimiter", "data.split.group"}
_DOTTED = re.compile(r"[^.\s]+(\.[^.\s]+){0,9}")


def compose(path: str | Path, overrides: Sequence[str]) -> tuple[Table, list[Problem]]:
    """Read a config with all its layers into one tree.

    Args:
        path: the file, as the user gave it.
        overrides: texts `key=value`.

    Returns:
        The merged tree, and the problems that did not keep the rest from being read.

    Raises:
        UnreadableError: a layer cannot be read at all.
    """
    problems: list[Problem] = []
    on_top = [override(text, place) for place, text in enumerate(overrides)]
    extends = next(
        (layer.entries["extends"] for layer in reversed(on_top) if "extends" in layer.entries), None
    )
    files = _chain(Path(path), str(path), extends, problems)
    layers = []
    for layer, found in map(flattened, [*reversed(files), *on_top]):
        layers.append(layer)
        problems += found
    merged = reduce(merge, layers)
    entries = {key: entry for key, entry in merged.entries.items() if key != "extends"}
    return Table(files[0].mark, entries), problems


def _chain(path: Path, shown: str, extends: Entry | None, problems: list[Problem]) -> list[Table]:
    """The file and those it extends, nearest first; only the first may keep its name."""
    layers: list[Table] = []
    seen: list[str] = []
    mark = None
    while True:
        source = Source(shown, path.absolute().parent, order=len(layers))
        layer, found = _read(path, source, mark)
        problems += found
        layers.append(_nameless(layer) if layers else layer)
        seen.append(os.path.realpath(path))  # Path.resolve fails on a circle of links
        base, extends = extends or layer.entries.get("extends"), None
        if base is None or (isinstance(base.node, Scalar) and base.node.value is None):
            return layers
        mark = base.mark
        path, shown = _base(base, Path(shown).parent)
        if os.path.realpath(path) in seen:
            raise UnreadableError(
                mark, f"{printable(shown)} extends this file in its turn: break the circle", "extends"
            )
        if len(layers) >= _MOST_FILES:
            raise UnreadableError(mark, f"more than {_MOST_FILES} configs extend one another", "extends")


def _base(entry: Entry, beside: Path) -> tuple[Path, str]:
    """The file that an `extends` names, and how to show it: as written, seen from the file that names it."""
    node = entry.node
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise UnreadableError(entry.mark, "must be one config file or the name of a recipe", "extends")
    if is_recipe_word(node.value):
        return _recipe(entry, node.value)
    source = node.mark.source
    return absolute(node.value, source.directory), str(beside / node.value if source.is_file else node.value)


def _recipe(entry: Entry, name: str) -> tuple[Path, str]:
    known = recipes()
    if name not in known:
        near = close_names(name, known)
        advice = f"did you mean {near[0]}" if near else f"the recipes are {', '.join(known)}"
        what = f"no recipe is named '{short(name)}'; {advice}? A file needs ./ in front or .yaml at its end"
        raise UnreadableError(entry.mark, what.replace("? A", ". A") if not near else what, "extends")
    return known[name].path, f"recipe {name}"


def _read(path: Path, source: Source, mark: Mark | None) -> tuple[Table, list[Problem]]:
    """One file's mapping.

    Args:
        path: where it is.
        source: how it is named.
        mark: where another config names it; None for the first.
    """
    try:
        if mark and (path.is_fifo() or path.is_char_device()):  # reading would wait forever
            raise OSError("not a regular file")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = why_unreadable(error) if isinstance(error, OSError) else f"cannot be read: {error}"
        if mark:
            raise UnreadableError(mark, f"{printable(source.shown)}: {reason}", "extends") from error
        whole = Source(source.shown, source.directory, is_file=False)  # there is no line to point at
        raise UnreadableError(Mark(whole, 1, 1), reason) from error
    root, problems = parse(content, source)
    if isinstance(root, Table):
        return (_as_saved(root) if _is_saved(path) else root), problems
    empty = isinstance(root, Scalar) and root.value is None
    what = "the file is empty" if empty else "not a mapping"
    raise UnreadableError(root.mark, f"{what}: a config has lines `key: value`, such as `data: digits`")


def _is_saved(path: Path) -> bool:
    """Return whether a run has written this config. Its folder then holds other files of runs too."""
    if path.name != "config.yaml":
        return False
    with suppress(OSError):
        return any(_RUN_FILE.fullmatch(entry.name) for entry in path.parent.iterdir())
    return False


def _as_saved(root: Table) -> Table:
    """Return a run's config with what an older release means by it: keys that it lacks, and `data.na`."""
    data = root.get("data")
    root = root.put("data", as_saved(data)) if isinstance(data, Table) else root
    return merge(_oldest(root.mark), root)


def _oldest(mark: Mark) -> Table:
    """Return the first defaults as a mapping; those that follow other keys are left to follow them."""
    found = Table(mark, {})
    for key, value in first_defaults().items():
        if not callable(value):
            node, _ = parse(json.dumps(value).encode(), mark.source)
            found = merge(found, nested(key, node, mark))
    return found


def _nameless(layer: Table) -> Table:
    return Table(layer.mark, {key: entry for key, entry in layer.entries.items() if key != "name"})


def override(text: str, place: int = 0) -> Table:
    """`key=value` as a mapping of its own.

    Args:
        text: of a `--set`.
        place: among the texts of one command.

    Raises:
        UnreadableError: the text is not of this form, or its value is no YAML.
    """
    key, equals, value = text.partition("=")
    source = Source(f"--set {key.strip()}", Path.cwd(), _ON_TOP + place, is_file=False)
    mark = Mark(source, 1, 1)
    if not equals or not _DOTTED.fullmatch(key.strip()):
        raise UnreadableError(mark, "must be KEY=VALUE, such as learning_rate=0.01 or data.split.seed=1")
    return nested(key.strip(), _value(key.strip(), value, source), mark)


def nested(key: str, node: Node, mark: Mark) -> Table:
    """Return the mapping in which only a dotted key is set."""
    first, *deeper = key.split(".")
    for part in reversed(deeper):
        node = Table(mark, {part: Entry(mark, node)})
    return Table(mark, {first: Entry(mark, node)})


def _value(key: str, text: str, source: Source) -> Node:
    encoded = text.encode("utf-8", "surrogateescape")
    node, problems = parse(encoded, source)
    is_bare_list = isinstance(node, Scalar) and not node.quoted and "," in node.text
    if is_bare_list and key not in _COMMA_IS_TEXT:
        node, problems = parse(b"[" + encoded + b"]", source)
    if problems:
        raise UnreadableError(problems[0].mark, problems[0].sentence, problems[0].label)
    return node
