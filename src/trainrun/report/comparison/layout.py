"""A comparison's blocks laid out: for a terminal or a log, in Markdown, in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import TextWrapper, fill

from trainrun.comparing import Comparison
from trainrun.report.comparison.block import Block
from trainrun.report.comparison.blocks import Format, blocks
from trainrun.report.comparison.records import as_csv, as_json
from trainrun.report.page_width import page_width
from trainrun.report.progress.colours import BOLD, GREEN, RED, YELLOW, painted, wants_colour
from trainrun.report.tables import markdown_table, text_table
from trainrun.text import printable

_GAP = 2  # characters between columns
_HEADING = 16  # characters, beyond which a heading is folded
_FIGURES = 24  # characters, up to which a cell is not folded
_NAMES = 11  # characters, to which a column of names is folded before a table is split
_LEAST = 40
_COLOURS = {"better": GREEN, "worse": RED, "too few seeds": YELLOW, "warning": YELLOW}
_LATEX = {
    **{character: rf"\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"$\sim$",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": "$<$",
    ">": "$>$",
}


class _Folder(TextWrapper):
    """Folds the names of configs and changes where their parts end, else anywhere: all of a name is shown."""

    wordsep_re = re.compile(r"(?<=[ =_/-])|(?<=\.)(?=[A-Za-z])")


def render(comparison: Comparison, form: Format) -> str:
    """A comparison in one of the formats, for stdout."""
    data = {"json": as_json, "csv": as_csv}
    if form in data:
        return data[form](comparison)
    text = {"markdown": as_markdown, "latex": as_latex}.get(form, as_text)
    return text(blocks(comparison))


def as_text(parts: Sequence[Block]) -> str:
    """Aligned tables and wrapped sentences, no wider than the terminal (80 characters in a file)."""
    colour = wants_colour()
    width = page_width(_LEAST)
    return "\n".join("".join(_text_block(block, width, colour)) for block in parts)


def as_markdown(parts: Sequence[Block]) -> str:
    """Headings, tables and lists."""
    return "\n".join("".join(_markdown_block(block)).rstrip("\n") + "\n" for block in parts)


def as_latex(parts: Sequence[Block]) -> str:
    """Tabulars and sentences, for a document that loads booktabs."""
    return "\n".join("".join(_latex_block(block)).rstrip("\n") + "\n" for block in parts)


def _text_block(block: Block, width: int, colour: bool) -> Iterator[str]:
    if block.title:
        yield painted(fill(block.title, width), BOLD, colour) + "\n"
    yield from (f"  {printable(line)}\n" for line in block.lines)
    tables = (
        _aligned(headings, rows, width - 2, block.folding) for headings, rows in _pieces(block, width - 2)
    )
    yield "\n".join("".join(f"  {line}\n" for line in table.splitlines()) for table in tables)
    for kind, sentence in block.sentences:
        bullet = "- " if kind == "warning" else "  "
        lines = fill(sentence, width, initial_indent=bullet, subsequent_indent="  ", break_on_hyphens=False)
        yield painted(lines, _COLOURS.get(kind, ""), colour) + "\n"


def _aligned(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int, folding: int | None) -> str:
    """A table in which no figure is cut or folded; where room is short, headings and configs' values are."""
    columns = list(zip(headings, *rows, strict=True))
    rooms = _rooms(columns, folding)
    if _total(rooms) > width:
        rooms = _rooms(columns, folding, narrowest=True)
    if _total([max(map(len, column)) for column in columns]) > width:
        headings = [_Folder(room).fill(text) for text, room in zip(headings, rooms, strict=True)]
    figures = [place for place, column in enumerate(columns) if place == 0 or _longest(column) <= _FIGURES]
    firm = [place for place in figures if place != folding]
    return text_table(headings, rows, width=width, firm=firm if _total(rooms) <= width else ())


def _pieces(block: Block, width: int) -> Iterator[tuple[Sequence[str], Sequence[Sequence[str]]]]:
    """A table of one column a config as tables that fit, each with the leading columns again."""
    if not block.rows:
        return
    columns = list(zip(block.headings, *block.rows, strict=True))
    rooms = _rooms(columns, block.folding)
    lead = list(range(block.lead))
    pieces = [lead]
    for place in range(block.lead, len(columns)):
        full = _total([rooms[other] for other in (*pieces[-1], place)]) > width
        if full and block.lead > 1 and pieces[-1] != lead:
            pieces.append(lead)
        pieces[-1] = [*pieces[-1], place]
    for shown in pieces:
        yield _chosen(block.headings, shown), [_chosen(row, shown) for row in block.rows]


def _total(rooms: Sequence[int]) -> int:
    return sum(rooms) + _GAP * (len(rooms) - 1)


def _rooms(columns: Sequence[Sequence[str]], folding: int | None, *, narrowest: bool = False) -> list[int]:
    """The characters that each column cannot do without; `narrowest`: where headings fold at each part."""
    rooms = [_room(column, place, narrowest) for place, column in enumerate(columns)]
    return [min(room, _NAMES) if place == folding else room for place, room in enumerate(rooms)]


def _room(column: Sequence[str], place: int, narrowest: bool) -> int:
    """The characters of a column of a heading and cells; the cells of the first one are not folded."""
    cells = _longest(column) if place == 0 else min(_longest(column), _FIGURES)
    parts = map(str.rstrip, _Folder.wordsep_re.split(column[0]))
    return max(cells, max(map(len, parts)) if narrowest else min(len(column[0]), _HEADING))


def _longest(column: Sequence[str]) -> int:
    """Characters of the longest cell below the heading."""
    return max(map(len, column[1:]))


def _chosen(row: Sequence[str], columns: Sequence[int]) -> list[str]:
    return [row[column] for column in columns]


def _markdown_block(block: Block) -> Iterator[str]:
    if block.title:
        yield f"## {block.title}\n\n"
    if block.rows:
        yield markdown_table(block.headings, block.rows) + "\n"
    for kind, sentence in block.sentences:
        yield f"- {sentence}\n" if kind == "warning" else f"{sentence}\n"


def _latex_block(block: Block) -> Iterator[str]:
    if block.title:
        yield rf"\paragraph{{{_latex(block.title)}}}" + "\n\n"
    if block.rows:
        yield rf"\begin{{tabular}}{{{'l' * len(block.headings)}}}" + "\n\\toprule\n"
        yield _latex_row(block.headings) + "\\midrule\n"
        yield "".join(map(_latex_row, block.rows)) + "\\bottomrule\n\\end{tabular}\n\n"
    yield "".join(f"{_latex(sentence)}\n\n" for _, sentence in block.sentences)


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(_latex, cells)) + r" \\" + "\n"


def _latex(text: str) -> str:
    return re.sub(r"[\\~^±<>&%$#_{}]", lambda match: _LATEX[match[0]], text)
