"""Help pages and messages in plain English: complete, and without the words that only this project used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from trainrun.cli import app

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "trainrun"
MODULES = sorted(
    path
    for path in SOURCE.rglob("*")
    if path.suffix in (".py", ".jinja", ".js") and path.parent.name != "uplot"
)
#: Rooms in which docstrings of public functions start with a verb or a noun.
ROOMS = ("checking", "comparing", "data", "fitting", "report", "runs", "searching", "warnings")
WORDED = [path for path in MODULES if path.suffix == ".py" and path.relative_to(SOURCE).parts[0] in ROOMS]
QUESTION = re.compile(r"(What|Whether|How|That|Where|Which|Why|Of|Those) ")
WRITTEN = [page for page in (ROOT / "docs").glob("*.md") if page.stem not in ("index", "commands")]  # by hand
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(WRITTEN)]
COMMANDS = typer.main.get_command(app).commands
PARAMETERS = [
    pytest.param(parameter, id=f"{name}-{parameter.name}")
    for name, command in COMMANDS.items()
    for parameter in command.params
]

#: Summaries of commands start with one of these verbs. A new command may add one.
VERBS = {
    "Check",
    "Compare",
    "Compute",
    "Draw",
    "Find",
    "List",
    "Predict",
    "Print",
    "Remove",
    "Search",
    "Show",
    "Train",
    "Write",
}
#: Words with no meaning for a reader who has not seen the code; CONTRIBUTING.md gives plain ones.
PRIVATE = re.compile(
    r"\b[Ss]o (?:many|long)\s\w|\bof ours\b|(?<!there )\bis none\b|\b[Mm]end|\b(?:[Nn]o|[Aa]ny)body\b"
)


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_each_option_and_argument_has_help(parameter):
    assert len(parameter.help.split()) >= 3, parameter.help
    assert parameter.help[0].isupper()
    assert parameter.help.endswith(".")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_each_summary_starts_with_a_verb(command):
    words = command.help.split()
    assert words[0].strip(",;.:") in VERBS
    assert len(words) >= 3


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_help_uses_no_private_words(command):
    texts = [command.help, *(parameter.help for parameter in command.params)]
    assert list(private(texts)) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_messages_docstrings_and_comments_use_no_private_words(path):
    assert list(private([path.read_text()])) == []


@pytest.mark.parametrize("path", WORDED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_docstrings_of_public_functions_start_with_no_question_word(path):
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    texts = [ast.get_docstring(one) or "" for one in functions if not one.name.startswith("_")]
    properties = {
        ast.get_docstring(one) for one in functions if one.decorator_list
    }  # "Whether ..." is a noun
    assert [text for text in texts if text not in properties and QUESTION.match(text)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_docs_use_no_private_words(path):
    unquoted = re.sub(r"`[^`]*`|\"[^\"]*\"", "", path.read_text())
    assert list(private([unquoted])) == []


@pytest.mark.parametrize(
    "text", ["so many seeds", "a key of ours", "this is none", "how to mend it", "Nobody waits"]
)
def test_private_words_are_found(text):
    assert list(private([text]))


def private(texts: list[str] | Iterator[str]) -> Iterator[str]:
    """Yield each private word with the text around it."""
    for text in texts:
        for match in PRIVATE.finditer(text):
            yield text[max(0, match.start() - 40) : match.end() + 40]
