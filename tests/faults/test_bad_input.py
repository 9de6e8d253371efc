"""Configs of every kind, and text that would steer a terminal, a page or a reader's eye."""

import csv
import sys
import unicodedata
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from command import Command, sized
from nets import command

sys.path.append(str(Path(__file__).parents[1]))  # the strategies of the quick tests
from random_configs import CONFIGS, load_or_explain

pytestmark = pytest.mark.faults

CHECKS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # Unicode's categories
HOSTILE = [
    *("../../x", "..", "/etc/passwd", "~root", "C:\\x", "CON", "-rf", "--runs=/", "a b", "'; rm -rf /"),
    *("$(touch x)", "`touch x`", "%s%n", "{0.__class__}", "{{ 7*7 }}", "${HOME}", "$x^2$", "\\input{x}"),
    *("[/red]", "[bold red]x", "[link=http://x]y[/link]", "<script>alert(1)</script>", "</script>", "<!--"),
    *(
        "<img src=x onerror=alert(1)>",
        '"><b>',
        "&lt;b&gt;",
        "]]>",
        "javascript:alert(1)",
        "=1+1",
        "| a | b |",
    ),
    *(
        "\x1b[31mred",
        "\x1b]52;c;eA==\x07",
        "\x1b]0;title\x1b\\",
        "\x9b31m",
        "a\x08\x08b",
        "\x7f",
        "\r0",
        "\tt",
    ),
    *("\u202eevil", "\u2066x\u2069", "\u200b", "a\u2028b", "\ufeffx", "\U000e0041", "\ue000"),
]
TABLES = [
    ("fit", "odd.yaml", "--progress", "plain"),
    ("show", "last"),
    ("show", "last", "--patience", "1"),
    ("list",),
    ("evaluate", "last", "table.csv"),
    ("compare", "odd.yaml", "--vs", "hidden=3", "--seeds", "1"),
    ("compare", "odd.yaml", "--vs", "hidden=3", "--seeds", "1", "--format", "markdown"),
    ("compare", "odd.yaml", "--vs", "hidden=3", "--seeds", "1", "--format", "latex"),
    ("report", "odd.yaml", "--out", "page.html"),
]


def test_generated_configs(tmp_path, table):
    row = table("a generated config, read in this process: a config or lines that say why not")

    @settings(max_examples=sized(20_000, 150), deadline=None, database=None, suppress_health_check=CHECKS)
    @given(CONFIGS)
    def read(tree):
        path = tmp_path / "a.yaml"
        path.write_text(yaml.safe_dump(tree, allow_unicode=True))
        with row.trial(tree):
            load_or_explain(path)

    read()


def test_generated_configs_through_the_command(warm, place, table):
    row = table("a generated config, given to the command: its code and no traceback")
    codes = set()

    @settings(max_examples=sized(200, 10), deadline=None, database=None, suppress_health_check=CHECKS)
    @given(CONFIGS)
    def ask(tree):
        text = yaml.safe_dump(tree, allow_unicode=True)
        # Of its one run the second half: it is read and named, and nothing is trained.
        mine = command(place, "fit", "odd.yaml", "--shard", "2/2", odd=text)
        with row.trial(text):
            ended = mine.run(warm)
            codes.add(ended.code)
            assert ended.code in {0, 2, 65, 66}, ended.stderr
            assert "Traceback" not in ended.stderr

    ask()
    assert codes >= {0, 2} or len(codes) == 1


@pytest.mark.parametrize("text", HOSTILE[:: sized(1, 20)], ids=ascii)
def test_hostile_text_at_every_sink(text, warm, place, table):
    row = table("hostile text where it is shown or kept: none steers")
    mine = command(place, "fit", "odd.yaml", odd=_config(text))
    _write_table(mine.folder / "table.csv", text)
    for words in TABLES:
        with row.trial((text, words)):
            ended = Command(mine.folder, words, mine.variables).run(warm)
            assert ended.code == 0, ended.stderr
            assert steering(ended.stdout + ended.stderr) == set()
    (mine.folder / "odd.yaml").write_text(yaml.safe_dump({"data": "iris", "name": text, text: text}))
    for words in [("fit", "odd.yaml"), ("fit", "--", text), ("fit", "small.yaml", "--set", f"{text}={text}"),
                  ("show", "--", text), ("predict", "--", "last", text), ("list", "--", text)]:  # fmt: skip
        with row.trial((text, words)):
            ended = Command(mine.folder, words, mine.variables).run(warm)
            assert ended.code in {2, 65, 66}, (ended.code, ended.stderr)
            assert steering(ended.stdout + ended.stderr) == set()
            assert "Traceback" not in ended.stderr
    own = {character for character in text if unicodedata.category(character) in STEERING}
    for path in [mine.folder / "page.html", *mine.runs.rglob("*.json*"), *mine.runs.rglob("log.txt")]:
        with row.trial((text, path.name)):
            assert own & set(path.read_bytes().decode()) <= {"\n"}
            assert path.suffix != ".html" or "<script>alert" not in path.read_text()


def steering(text: str) -> set[str]:
    """Characters that would steer a terminal or a reader's eye."""
    return {c for c in text if unicodedata.category(c) in STEERING} - {"\n"}


def _config(text: str) -> str:
    return yaml.safe_dump(
        {"data": {"path": "table.csv", "target": f"y{text}"}, "epochs": 1, "hidden": 2}, allow_unicode=False
    )


def _write_table(path: Path, text: str) -> None:
    """A table whose column, category and class are the text."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(["a", f"c{text}", f"y{text}"])
        writer.writerows([i, text if i % 3 else "plain", text if i % 2 else "other"] for i in range(60))
