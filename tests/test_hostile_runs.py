"""Run directories made by someone who means harm: every command refuses them, or shows them harmlessly."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import struct
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save, save_file

from fits import carry
from trainrun.__main__ import _report_bug, main
from trainrun.events import Snapshot
from trainrun.runs.checkpoint import load_checkpoint, save_checkpoints
from trainrun.runs.paths import FILE_NAMES, RunPaths

CONFIG = "data: {path: %s, target: y}\nhidden: [4]\nbatch_size: 16\nepochs: 4\n"
COMMANDS = {
    "list": ["list"],
    "list as CSV": ["list", "--format", "csv"],
    "show": ["show", "net/seed-0"],
    "show all": ["show", "net"],
    "show as JSON": ["show", "net", "--format", "json"],
    "patiences": ["show", "net", "--patience", "1,2"],
    "predict": ["predict", "net/seed-0", "table.csv", "--probabilities"],
    "evaluate": ["evaluate", "net/seed-0", "table.csv"],
    "compare": ["compare", "net", "--no-fit"],
    "report": ["report", "net", "--out", "page.html"],
    "clean": ["clean", "net"],
    "fit": ["fit", "net.yaml", "--seeds", "2", "--progress", "none"],
}
READERS = {
    "config.yaml": ["show", "show as JSON", "patiences", "predict", "compare", "clean", "fit"],
    "preprocessing.json": ["show", "predict", "evaluate", "compare", "report"],
    "metrics.jsonl": ["show", "show as JSON", "patiences", "report", "fit"],
    "log.txt": ["show", "clean", "fit"],
    "result.json": ["list", "list as CSV", "show", "show all", "show as JSON", "compare", "clean", "fit"],
    "best.safetensors": ["predict", "evaluate", "report", "clean"],
    "last.ckpt": ["list", "clean", "fit"],
    "prev.ckpt": ["list", "clean", "fit"],
    "events.jsonl": ["list", "show", "show as JSON", "compare", "clean"],
    ".lock": ["list", "clean", "fit"],
}
OF_SEARCHES = ("candidates.jsonl", "search.yaml", "result.json", "last.ckpt", "prev.ckpt", "net-best.yaml")
SEARCH = ["search", "net.yaml", "--candidates", "4", "--seeds", "2", "--set", "search.dropout.input=[0,0.1]"]
DOCUMENTED = {0, 2, 3, 4, 5, 6, 65, 66, 73, 74}  # 1 is a bug
ESCAPES = "\x1b]52;c;aGFybQ==\x07\x1b[2J\u202e\x9b31m"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a config and its two finished runs, and in `begun` one that is not."""
    folder = tmp_path_factory.mktemp("made")
    rows = "".join(f"{i % 7},{i % 3},{'pqr'[i % 3]},{'uv'[i % 2]}\n" for i in range(60))
    (folder / "table.csv").write_text("a,b,c,y\n" + rows)
    (folder / "net.yaml").write_text(CONFIG % (folder / "table.csv"))
    (folder / "precious").write_text("precious")
    carry(folder / "runs", folder / "net.yaml", seeds=2)
    carry(folder / "begun", folder / "net.yaml", looks=14)
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A copy of it to do harm to."""
    return shutil.copytree(made, tmp_path / "mine")


@pytest.fixture
def begun(folder) -> Path:
    """The copy with the unfinished run alone."""
    shutil.rmtree(folder / "runs")
    shutil.copytree(folder / "begun", folder / "runs")
    return folder


@pytest.fixture(autouse=True)
def bounds() -> Iterator[None]:
    """Nothing waits for a pipe's other end, reads without end or fills the memory."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform == "linux":  # others do not tell how much there is already
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, before[1]))
    handler = signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, handler)
    resource.setrlimit(resource.RLIMIT_AS, before)


def _too_late(*_: object) -> None:
    pytest.fail("it waits, or reads, without end")


def seed_directory(folder: Path) -> Path:
    (group,) = (folder / "runs").iterdir()
    return group / "seed-0"


def is_harmless(text: str) -> bool:
    kinds = {unicodedata.category(character) for character in text if character != "\n"}
    return not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def require_harmless(folder: Path, *commands: str | list[str]) -> set[int]:
    """Have commands, by name or as they are, meet what is in a folder; their exit codes."""
    codes = set()
    for command in commands:
        out, err = StringIO(), StringIO()
        with chdir(folder), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main(COMMANDS[command] if isinstance(command, str) else command)
        codes.add(left.value.code or 0)
        assert codes <= DOCUMENTED, (command, err.getvalue())
        assert is_harmless(err.getvalue()), command
        assert is_harmless(out.getvalue()), command
        assert len(out.getvalue()) < 2**20, command
    assert (folder / "precious").read_text() == "precious"
    return codes


# --- anything in the place of any file ----------------------------------------------------------------------


def a_link(path: Path) -> None:
    path.symlink_to("../../../precious")


def an_endless_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_gigabyte(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**30)


def nonsense(path: Path) -> None:
    path.write_text(f"{ESCAPES}: {ESCAPES}\n{'[' * 2**18}\n" * 2)


KINDS = (a_link, an_endless_link, a_pipe, a_folder, a_gigabyte, nonsense)


def replace(path: Path, kind: Callable[[Path], None]) -> None:
    path.unlink(missing_ok=True)
    kind(path)


def test_every_file_has_its_readers():
    assert READERS.keys() | set(OF_SEARCHES) == set(FILE_NAMES.values()) | {"net-best.yaml"}
    assert {name for names in READERS.values() for name in names} == set(COMMANDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", READERS)
def test_whatever_stands_in_the_place_of_a_finished_runs_file(folder, name, kind):
    replace(seed_directory(folder) / name, kind)
    require_harmless(folder, *READERS[name])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", READERS)
def test_whatever_stands_in_the_place_of_an_unfinished_runs_file(begun, name, kind):
    replace(seed_directory(begun) / name, kind)
    require_harmless(begun, "list", "show", "fit")


@pytest.fixture(scope="module")
def searched(made, tmp_path_factory) -> Path:
    """A folder with a finished search of two candidates."""
    folder = shutil.copytree(made, tmp_path_factory.mktemp("searched") / "mine")
    require_harmless(folder, SEARCH)
    return folder


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", OF_SEARCHES)
def test_whatever_stands_in_the_place_of_a_searchs_file(searched, tmp_path, name, kind):
    folder = shutil.copytree(searched, tmp_path / "mine")
    (place,) = (folder / "runs" / "searches").iterdir()
    replace(place / name, kind)
    assert require_harmless(folder, ["report", "searches/net"], ["show", "searches/net"]) <= {0, 2, 74}
    found = require_harmless(folder, "list", "compare", SEARCH, [*SEARCH, "--candidates", "200"])
    assert found <= {0, 4, 73, 74}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_whatever_stands_in_the_place_of_the_groups_config(folder, kind):
    replace(seed_directory(folder).parent / "config.yaml", kind)
    assert 4 in require_harmless(folder, "list", "show", "fit")


# --- false values in files of the right form ----------------------------------------------------------------

VALUES = (
    None,
    -1,
    0.5,
    10**18,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    ESCAPES,
    "x" * 2**18,
    [],
    [[1]],
    {},
    {"a": {"b": 1}},
    "0001-01-01T00:00:00+23:59",
)


def places(value: object, path: tuple = ()) -> Iterator[tuple]:
    """Every place in a JSON value; of a list its ends."""
    yield path
    ends = {0, len(value) - 1} if isinstance(value, list) and value else ()
    for key in value if isinstance(value, dict) else ends:
        yield from places(value[key], (*path, key))


def changed(value: object, path: tuple, new: object) -> object:
    """A JSON value with another value in one place."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("name", ["result.json", "preprocessing.json", "events.jsonl", "metrics.jsonl"])
def test_no_value_of_a_file_is_trusted(folder, name):
    path, rng = seed_directory(folder) / name, np.random.default_rng(0)
    text = path.read_text()
    good = [json.loads(row) for row in (text.splitlines() if name.endswith(".jsonl") else [text])]
    for place in places(good):
        bad = changed(good, place, VALUES[rng.integers(len(VALUES))])
        path.write_text("".join(json.dumps(row) + "\n" for row in (bad if isinstance(bad, list) else [bad])))
        require_harmless(folder, str(rng.choice(READERS[name])))


FALSE_CONFIGS = {
    "endless data": "data: {path: /dev/zero, target: y}",
    "endless table": "data: {path: zero.csv, target: y}",
    "a pipe of data": "data: {path: pipe.csv, target: y}",
    "endless text": "data: digits\nextends: /dev/zero",
    "a pipe": "data: digits\nextends: pipe.csv",
    "other data": "data: digits",
    "an enormous net": "data: digits\nhidden: [1000000000, 1000000000]",
    "endless training": "data: digits\nepochs: 1000000000",
    "a path for a name": "data: digits\nname: ../../precious",
    "escapes": 'data: {path: "\\e[31m\\u202e", target: "\\e[31m"}',
    "an object": "data: !!python/object/apply:os.system [touch precious]",
}


@pytest.mark.parametrize("text", FALSE_CONFIGS.values(), ids=FALSE_CONFIGS)
def test_no_config_is_trusted(folder, text):
    run = seed_directory(folder)
    (run / "zero.csv").symlink_to("/dev/zero")
    os.mkfifo(run / "pipe.csv")
    (run / "config.yaml").write_text(text + "\n")
    require_harmless(folder, *READERS["config.yaml"], "report", "list")


def test_values_too_large_to_add_have_a_mean(folder):
    for path in folder.glob("runs/*/*/result.json"):
        result = json.loads(path.read_text())
        path.write_text(json.dumps(result | {"test": {"loss": 1.7e308}}))
    assert require_harmless(folder, "show all", "compare", "report", "fit") == {0}


# --- weights and checkpoints that are whole, and false ------------------------------------------------------


def header(text: bytes, length: int | None = None) -> bytes:
    """What safetensors begins with."""
    return struct.pack("<Q", len(text) if length is None else length) + text


FALSE_WEIGHTS = {
    "an endless header": header(b"{}", 2**63),
    "a deep header": header(b"[" * 2**18),
    "a lie": header(b'{"0.weight":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}}') + bytes(4),
    "an overflow": header(
        b'{"0.weight":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'
    ),
    "none": save({}),
    "escapes": save({ESCAPES: np.ones(3, np.float32)}),
    "a type of its own": header(b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}') + bytes(2),
}


@pytest.mark.parametrize("content", FALSE_WEIGHTS.values(), ids=FALSE_WEIGHTS)
def test_false_weights_are_refused(folder, content):
    (seed_directory(folder) / "best.safetensors").write_bytes(content)
    assert require_harmless(folder, "predict", "evaluate") == {74}
    require_harmless(folder, "report")


@pytest.mark.parametrize(
    "harm",
    [
        lambda weight: weight[:-1],
        lambda weight: weight.T,
        lambda weight: weight[..., None],
        lambda weight: weight.astype(np.float64),
    ],
    ids=["fewer rows", "turned", "deeper", "another type"],
)
def test_weights_of_another_net_are_refused(folder, harm):
    path = seed_directory(folder) / "best.safetensors"
    weights = load_file(path)
    save_file(weights | {"0.weight": np.ascontiguousarray(harm(weights["0.weight"]))}, path)
    assert require_harmless(folder, "predict", "evaluate") == {74}


def false_snapshots(good: Snapshot) -> Iterator[Snapshot]:
    """With each fact of a snapshot changed in turn, and each array."""
    facts, rng = json.loads(json.dumps(good.facts)), np.random.default_rng(0)
    for place in places(facts):
        false = changed(facts, place, VALUES[rng.integers(len(VALUES))])
        yield Snapshot(false if isinstance(false, dict) else {}, good.arrays)
    for name, array in good.arrays.items():
        other = (array[:-1], array[None], array.astype(np.float16))[rng.integers(3)]
        yield Snapshot(good.facts, {**good.arrays, name: other})
        yield Snapshot(good.facts, {key: kept for key, kept in good.arrays.items() if key != name})
    yield Snapshot(good.facts, {**good.arrays, "epochs": good.arrays["epochs"] * np.nan})


def test_no_value_of_a_checkpoint_is_trusted(begun):
    good = load_checkpoint(RunPaths(seed_directory(begun))).snapshot
    codes = []
    for false in false_snapshots(good):
        save_checkpoints({RunPaths(seed_directory(begun)): false})
        codes += require_harmless(begun, "fit")
        assert is_harmless((seed_directory(begun) / "log.txt").read_text())
        shutil.rmtree(begun / "runs")
        shutil.copytree(begun / "begun", begun / "runs")
    assert codes.count(6) > len(codes) / 2  # others are true as well, or stay as they are


# --- names and folders --------------------------------------------------------------------------------------

NAMES = [ESCAPES, "[/red]", "<script>alert(1)</script>", "$(touch precious)", "-rf", "a b'c\"d", "%s{0}"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_trusted(folder, name):
    label = f"{name}-0123abcd".replace("/", "\\")
    shutil.copytree(seed_directory(folder).parent, folder / "runs" / label)
    (folder / "runs" / label / "seed-0" / name.replace("/", "\\")).touch()
    require_harmless(folder, "list", "show", "compare", "report", "fit")
    run = f"{label}/seed-0"
    require_harmless(
        folder, ["show", "--", run], ["predict", "--", run, "table.csv"], ["compare", "--no-fit", "--", run]
    )
    assert require_harmless(folder, ["clean", "--yes", "--", run]) == {2}


def test_a_report_of_a_bug_is_harmless():
    try:
        raise ValueError(f"{ESCAPES} is none")
    except ValueError:
        with redirect_stderr(err := StringIO()), pytest.raises(SystemExit) as left:
            _report_bug()
    assert left.value.code == 1
    assert "is none" in err.getvalue()
    assert is_harmless(err.getvalue())
