"""The tree of a YAML document, built from its events one by one: without recursion, and within limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from trainrun.config.yaml.problems import Problem, UnreadableError
from trainrun.config.yaml.scalars import Value, resolve
from trainrun.config.yaml.tree import Entry, Items, Mark, Node, Scalar, Source, Table
from trainrun.text import short

DEEPEST = 50
MOST_NODES = 10_000  # with each alias counted as what it stands for

_CORE = "tag:yaml.org,2002:"
_KINDS: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
}


@dataclass(frozen=True)
class _Sized:
    """A finished node with its extent: how many nodes it holds and how deep they go."""

    node: Node
    nodes: int = 1
    height: int = 0


@dataclass
class _Frame:
    """A list or a mapping that is still open."""

    mark: Mark
    anchor: str | None
    is_table: bool
    spent: int  # nodes before this one
    height: int = 0
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    key: Scalar | None = None


class Composer:
    """Takes the events of one document and gives its tree.

    Attributes:
        problems: keys that were given twice; the first value counts.
    """

    def __init__(self, source: Source) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._frames: list[_Frame] = []
        self._anchors: dict[str, _Sized | None] = {}  # None while what it names is still open
        self._count = 0
        self._root: Node | None = None
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Add one event of the parser.

        Raises:
            UnreadableError: the document uses what a config may not, or is beyond the limits.
        """
        start = event.start_mark
        mark = Mark(self._source, start.line + 1, start.column + 1) if start else Mark(self._source, 1, 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise UnreadableError(mark, "a second document begins: a config is one document")
        elif isinstance(event, yaml.ScalarEvent):
            self._spend(1, mark)
            self._add(_Sized(_scalar(event, mark)), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._aliased(str(event.anchor), mark), None)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event, mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()

    def result(self) -> Node:
        """The finished tree; an empty text is null."""
        return self._root or Scalar(Mark(self._source, 1, 1), None, "")

    def _open(self, event: yaml.CollectionStartEvent, mark: Mark) -> None:
        if event.tag not in {None, "!", f"{_CORE}map", f"{_CORE}seq"}:
            raise _unknown_tag(event.tag, mark)
        if len(self._frames) >= DEEPEST:
            raise UnreadableError(mark, f"nested deeper than {DEEPEST} levels")
        if event.anchor:
            self._anchors[event.anchor] = None
        is_table = isinstance(event, yaml.MappingStartEvent)
        self._frames.append(_Frame(mark, event.anchor, is_table, self._count))
        self._spend(1, mark)

    def _close(self) -> None:
        frame = self._frames.pop()
        node = Table(frame.mark, frame.entries) if frame.is_table else Items(frame.mark, tuple(frame.items))
        self._add(_Sized(node, self._count - frame.spent, frame.height), frame.anchor)

    def _spend(self, nodes: int, mark: Mark) -> None:
        self._count += nodes
        if self._count > MOST_NODES:
            what = f"more than {MOST_NODES} values (each alias counts as what it stands for)"
            raise UnreadableError(mark, what)

    def _aliased(self, anchor: str, mark: Mark) -> _Sized:
        if anchor not in self._anchors:
            name = short(anchor)
            raise UnreadableError(mark, f"*{name} stands for nothing: there is no &{name} above")
        target = self._anchors[anchor]
        if target is None:
            raise UnreadableError(mark, f"*{short(anchor)} stands inside of what it stands for")
        if len(self._frames) + target.height > DEEPEST:
            raise UnreadableError(mark, f"nested deeper than {DEEPEST} levels")
        self._spend(target.nodes, mark)
        return target

    def _add(self, sized: _Sized, anchor: str | None) -> None:
        node = sized.node
        if anchor:
            self._anchors[anchor] = sized
        if not self._frames:
            self._root = node
            return
        frame = self._frames[-1]
        frame.height = max(frame.height, sized.height + 1)
        if not frame.is_table:
            frame.items.append(node)
        elif frame.key is None:
            frame.key = self._as_key(node)
        else:
            frame.entries.setdefault(frame.key.text, Entry(frame.key.mark, node))
            frame.key = None

    def _as_key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            raise UnreadableError(node.mark, "a key must be plain text, not a list or a mapping")
        if first := self._frames[-1].entries.get(node.text):
            sentence = f"given twice, first at line {first.mark.line}: keep one of them"
            self.problems.append(Problem(node.mark, short(node.text), sentence))
        return node


def _scalar(event: yaml.ScalarEvent, mark: Mark) -> Scalar:
    text = event.value
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
        raise UnreadableError(mark, "an escape for a character that no text may hold")
    if event.tag in {"!", f"{_CORE}str"}:
        return Scalar(mark, text, text, quoted=True)
    if event.tag is None and not event.implicit[0]:
        return Scalar(mark, text, text, quoted=True)
    try:
        value = resolve(text)
    except ValueError as error:
        raise UnreadableError(mark, str(error)) from None
    return Scalar(mark, value if event.tag is None else _tagged(event.tag, value, mark), text)


def _tagged(tag: str, value: Value, mark: Mark) -> Value:
    kinds = _KINDS.get(tag.removeprefix(_CORE)) if tag.startswith(_CORE) else None
    if kinds is None:
        raise _unknown_tag(tag, mark)
    if type(value) not in kinds:
        raise UnreadableError(mark, f"not what its tag !!{tag.removeprefix(_CORE)} says: leave the tag out")
    return float(value) if kinds[0] is float and isinstance(value, int) else value


def _unknown_tag(tag: Any, mark: Mark) -> UnreadableError:
    shown = short(str(tag).replace(_CORE, "!!"))
    return UnreadableError(mark, f"the tag {shown} is not known here: leave it out")
