"""Strict YAML 1.2 core: from text to a tree in which every key and value knows its place.

PyYAML's scanner and parser (the pure Python ones: the C ones overflow the stack on deep nesting) give events;
the tree is built from them without recursion and within limits, so that any text is answered in one breath.
No Python object is ever made from a tag.
"""

from __future__ import annotations

import re

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from trainrun.config.yaml.composer import Composer
from trainrun.config.yaml.problems import Problem, UnreadableError
from trainrun.config.yaml.tree import Mark, Node, Source
from trainrun.text import printable

#: The largest text that is read; a config has some hundred bytes. PyYAML takes half a second for this much.
LARGEST = 64 * 1024

# Control characters, and the three that only YAML 1.1 takes for line breaks: lines would be miscounted.
_FORBIDDEN = re.compile(Reader.NON_PRINTABLE.pattern + "|[\x85\u2028\u2029]")

_SENTENCES = (
    (r"found character '\\t'", "a tab cannot indent or separate here: use spaces"),
    (r"found character '(.)'", "a value cannot begin with {0}: put it in quotes"),
    (
        r"mapping values are not allowed here",
        "a second `: ` on a line, or wrong indentation: put text in quotes",
    ),
    (r"could not find expected ':'", "a key without `:`, or a quote or bracket that was never closed"),
    (r"found unexpected end of stream", "a quote that was never closed"),
    (r"expected ',' or '([\]}])'", "a bracket that was never closed, or a comma that is missing before this"),
    (r"expected the node content", "a value is missing here, or a bracket was never closed"),
    (r"expected <block end>", "wrong indentation: this line belongs to no key above"),
    (
        r"expected '<document start>'",
        "one config ends and something else follows: wrong indentation, or two documents",
    ),
    (
        r"found unknown escape character '(.)'",
        "unknown escape \\{0} in double quotes: single quotes take it as it is",
    ),
    (r"found undefined tag handle", "tags are not allowed here: write the value alone"),
)


def parse(content: bytes, source: Source) -> tuple[Node, list[Problem]]:
    """Read one YAML document.

    Args:
        content: UTF-8, with or without a byte order mark.
        source: where it is from; places name it.

    Returns:
        The tree, and the problems that do not keep the rest from being read (keys given twice).

    Raises:
        UnreadableError: it is not one document of YAML 1.2 core, or beyond the limits.
    """
    text = _decode(content, source)
    composer = Composer(source)
    loader = _Events(text)
    try:
        while loader.check_event():
            composer.take(loader.get_event())  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        raise UnreadableError(_mark(error, source), _sentence(error)) from None
    except (ValueError, OverflowError):  # an escape beyond Unicode, or a directive with an endless number
        mark = Mark(source, loader.line + 1, loader.column + 1)
        raise UnreadableError(mark, "not valid YAML: a number or an escape out of range") from None
    return composer.result(), composer.problems


class _Events(Reader, Scanner, Parser):
    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


def _decode(content: bytes, source: Source) -> str:
    if len(content) > LARGEST:
        raise UnreadableError(Mark(source, 1, 1), f"too large for a config: more than {LARGEST // 1024} KiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = _at(content[: error.start].decode("utf-8-sig"), source)
        what = f"not UTF-8 (byte 0x{content[error.start]:02x}): save the file as UTF-8"
        raise UnreadableError(mark, what) from None
    if found := _FORBIDDEN.search(text):
        what = f"a character that YAML text may not hold (U+{ord(found[0]):04X})"
        raise UnreadableError(_at(text[: found.start()], source), what)
    return text


def _at(before: str, source: Source) -> Mark:
    lines = re.split(r"\r\n?|\n", before)
    return Mark(source, len(lines), len(lines[-1]) + 1)


def _mark(error: yaml.MarkedYAMLError, source: Source) -> Mark:
    mark = error.problem_mark or error.context_mark
    return Mark(source, mark.line + 1, mark.column + 1) if mark else Mark(source, 1, 1)


def _sentence(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "not readable"
    for form, sentence in _SENTENCES:
        if found := re.search(form, problem):
            return printable(sentence.format(*found.groups()))
    return printable(f"not valid YAML: {problem}")
