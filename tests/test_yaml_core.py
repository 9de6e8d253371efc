import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainrun.config import load_config
from trainrun.config.yaml.parser import LARGEST, parse
from trainrun.config.yaml.problems import UnreadableError
from trainrun.config.yaml.tree import Source, locate, marks, plain
from trainrun.errors import ConfigError
from trainrun.text import printable

SOURCE = Source("a.yaml", Path())


def read(text):
    content = text if isinstance(text, bytes) else text.encode()
    root, problems = parse(content, SOURCE)
    return plain(root), [str(problem) for problem in problems]


def refusal(text):
    with pytest.raises(UnreadableError, match=r"^a\.yaml:\d+:\d+: ") as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("+12", 12),
        ("-0", 0),
        ("012", 12),
        ("0o14", 12),
        ("0x1F", 31),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("2024-01-31", "2024-01-31"),
        ("~", None),
        ("null", None),
        ("", None),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("inf", "inf"),
        ("nan", "nan"),
        ("1e999", float("inf")),
        ("=", "="),
        ("<<", "<<"),
        ("'1e-3'", "1e-3"),
        ('"no"', "no"),
        ("!!str 012", "012"),
        ("!!float 1", 1.0),
        ("!!int 5", 5),
        ("! 12", "12"),
        ("٣", "٣"),
    ],
)
def test_scalars_mean_what_the_core_schema_says(text, value):
    ((found),) = read(f"a: {text}")[0].values()
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number():
    assert str(read("a: .NaN")[0]["a"]) == "nan"


def test_a_key_given_twice_names_both_lines_and_the_rest_is_read():
    values, problems = read("a: 1\nb: 2\na: 3\n'b': 4\n")
    assert values == {"a": 1, "b": 2}
    assert problems == [
        "a.yaml:3:1: a: given twice, first at line 1: keep one of them",
        "a.yaml:4:1: b: given twice, first at line 2: keep one of them",
    ]


def test_every_key_and_value_knows_its_place():
    root, _ = parse(b"data: digits\nhidden:\n  - 64\n  - 32\nsplit: {valid: 0.1}\n", SOURCE)
    assert {key: str(mark) for key, mark in marks(root)} == {
        "data": "a.yaml:1:1",
        "hidden": "a.yaml:2:1",
        "split": "a.yaml:5:1",
        "split.valid": "a.yaml:5:9",
    }
    assert str(locate(root, ("hidden", 1))[1]) == "a.yaml:4:5"


def test_an_alias_stands_for_its_anchor():
    assert read("a: &x {b: [1, 2]}\nc: *x\n")[0] == {"a": {"b": (1, 2)}, "c": {"b": (1, 2)}}


@pytest.mark.parametrize(
    "text", ["\ufeffa: 1", "a: 1\n...\n", "---\na: 1", "%YAML 1.2\n---\na: 1", "a: 1\r\n"]
)
def test_one_document_in_any_frame(text):
    assert read(text) == ({"a": 1}, [])


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
)

REFUSED = [
    (BOMB, "a.yaml:5:\\d+: more than 10000 values"),
    ("a: &x [*x]", "a.yaml:1:8: \\*x stands inside of what it stands for"),
    ("a: &x {b: {c: *x}}", "a.yaml:1:15: \\*x stands inside"),
    ("a: *x", "a.yaml:1:4: \\*x stands for nothing"),
    ("[" * 200_000, "a.yaml:1:1: too large for a config: more than 64 KiB"),
    ("[" * 60_000, "a.yaml:1:51: nested deeper than 50 levels"),
    ("{a: " * 16_000, "a.yaml:1:201: nested deeper"),
    ("- " * 30_000, "a.yaml:1:101: nested deeper"),
    ("? " * 30_000, "a.yaml:1:101: nested deeper"),
    (
        "\n".join(f"a{i}: &a{i} [{f'*a{i - 1}' if i else ''}]" for i in range(60)),
        "a.yaml:51:12: nested deeper",
    ),
    ("#" * 100_000_000, "a.yaml:1:1: too large"),
    ("[a" + ", a" * 20_000 + "]", "a.yaml:1:29999: more than 10000 values"),
    ("a: " + "1" * 5000, "a.yaml:1:4: a number may have at most 100 characters, this one has 5000"),
    ("a: 0x" + "f" * 5000, "a.yaml:1:4: a number may have"),
    ("a: " + "1" * 5000 + ".5", "a.yaml:1:4: a number may have"),
    (
        "a: !!python/object/apply:os.system [x]",
        "a.yaml:1:4: the tag !!python/object/apply:os.system is not known",
    ),
    ("!!python/name:os.system x", "a.yaml:1:1: the tag"),
    ("a: !x b", "a.yaml:1:4: the tag !x is not known"),
    ("a: !!set {b}", "a.yaml:1:4: the tag !!set is not known"),
    ("a: !!timestamp 2024-01-31", "a.yaml:1:4: the tag !!timestamp"),
    ("a: !!int x", "a.yaml:1:4: not what its tag !!int says"),
    ("a: !!bool 1", "a.yaml:1:4: not what its tag !!bool says"),
    ("a: !e!x b", "a.yaml:1:4: tags are not allowed here"),
    ("\ta: b", "a.yaml:1:1: a tab cannot indent"),
    ("a:\n\tb: 1", "a.yaml:2:1: a tab cannot indent"),
    (b"a: \xe9t\xe9", "a.yaml:1:4: not UTF-8 \\(byte 0xe9\\)"),
    ("é: 1\nb: ".encode() + b"\xff", "a.yaml:2:4: not UTF-8"),
    ("a: 1".encode("utf-16"), "a.yaml:1:1: not UTF-8"),
    ("a: 1\nb: \0", "a.yaml:2:4: a character that YAML text may not hold \\(U\\+0000\\)"),
    ("a: \x1b[31m", "a.yaml:1:4: .*U\\+001B"),
    ("a: b\u2028c: d", "a.yaml:1:5: .*U\\+2028"),
    ('a: "\\0"', "a.yaml:1:4: an escape for a character that no text may hold"),
    ('a: "\\ud800"', "a.yaml:1:4: an escape for"),
    ('a: "\\U00110000"', "a.yaml:1:7: not valid YAML: a number or an escape out of range"),
    ('a: "\\UFFFFFFFF"', "a.yaml:1:7: not valid YAML"),
    ('a: "\\q"', "a.yaml:1:6: unknown escape \\\\q"),
    ("%YAML 1." + "1" * 5000 + "\n---\na: 1", "a.yaml:1:9: not valid YAML"),
    ("%YAML 2.0\n---\na: 1", "a.yaml:1:1: not valid YAML"),
    ("a: 1\n---\nb: 2", "a.yaml:2:1: a second document begins"),
    ("a: 1\n--- 2", "a.yaml:2:1: a second document begins"),
    ("? [a]\n: 1", "a.yaml:1:3: a key must be plain text"),
    ("{{a: 1}: 2}", "a.yaml:1:2: a key must be plain text"),
    ("a: b: c", "a.yaml:1:5: a second `: ` on a line"),
    ("a:\n  b: 1\n c: 2", "a.yaml:3:2: wrong indentation"),
    ("a: 'x", "a.yaml:1:6: a quote that was never closed"),
    ("a: [1, 2", "a.yaml:1:9: a bracket that was never closed"),
    ("a: {b: 1\nc: 2", "a.yaml:2:2: a bracket that was never closed, or a comma that is missing"),
    ("a: ]", "a.yaml:1:4: a value is missing here"),
    ("a: @b", "a.yaml:1:4: a value cannot begin with @"),
    ("a: `b`", "a.yaml:1:4: a value cannot begin with `"),
    ("a: 1\nb\nc: 2", "a.yaml:3:1: a key without `:`"),
    ("'a' 'b'", "a.yaml:1:5: one config ends"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_what_is_refused_is_refused_in_one_line_with_its_place(text, message):
    content = text if isinstance(text, bytes) else text.encode()
    started = time.process_time()
    with pytest.raises(UnreadableError, match=f"^{message}") as caught:
        read(content)
    assert time.process_time() - started < 3  # half a second here; what this would miss is no blow-up
    assert str(caught.value) == printable(str(caught.value))


SLOWEST = {
    "many values": "- a\n" * 9_000,
    "words": "a: " + "b " * (LARGEST // 2 - 2),
    "quoted words": "a: '" + "b " * (LARGEST // 2 - 3) + "'",
    "escapes": 'a: "' + "\\n" * (LARGEST // 2 - 3) + '"',
    "lines": "a: |\n" + " b\n" * (LARGEST // 3 - 2),
    "empty lines": "\n" * (LARGEST - 4) + "a: 1",
    "comments": "#\n" * (LARGEST // 2 - 2) + "a: 1",
    "blanks": "a:" + " " * (LARGEST - 3) + "1",
    "nested": "[" * 50 + "a, " * 9_000 + "]" * 50,
    "long keys": "".join(f"{'k' * 1000}{i}: 1\n" for i in range(60)),
}


@pytest.mark.parametrize("text", SLOWEST.values(), ids=SLOWEST)
def test_the_slowest_texts_within_the_limits_are_answered_soon(text):
    started = time.process_time()
    read(text)
    assert time.process_time() - started < 3  # half a second here; what this would miss is no blow-up


def test_a_huge_file_is_not_read_whole(tmp_path):
    path = tmp_path / "a.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    tracemalloc.start()
    with pytest.raises(ConfigError, match=r"a\.yaml:1:1: too large for a config: more than 64 KiB"):
        load_config(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


YAML_LIKE = st.text(st.sampled_from("ab01.-:,[]{}&*!|>'\"%@`#?~ \n\t\\eEx\u00e9\u2028\x00"), max_size=60)


@given(
    st.one_of(YAML_LIKE, st.text(max_size=60)).map(lambda t: t.encode("utf-8", "surrogatepass"))
    | st.binary(max_size=60)
)
def test_any_text_is_read_or_refused_in_one_line(content):
    message = ""
    try:
        read(content)
    except UnreadableError as error:
        message = str(error)
    assert not message or message.startswith("a.yaml:")
    assert message == printable(message)
