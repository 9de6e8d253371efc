"""Finding and reading runs: nothing in a run directory is trusted."""

import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from run_folders import RESULT, make_run
from trainrun.config import Config
from trainrun.errors import DifferentRunError, StorageError, UsageError
from trainrun.runs.matching import require_seed
from trainrun.runs.naming import resolve
from trainrun.runs.origins import record_request, written_groups
from trainrun.runs.paths import group_directory, seed_directory, seed_of, split_group
from trainrun.runs.reading import find_runs


def no_config(path: Path) -> str:
    raise AssertionError(f"{path} is no config")


def test_names_of_directories():
    assert split_group("my-net-0123abcd") == ("my-net", "0123abcd")
    assert split_group("my-net") == ("my-net", "")
    assert [seed_of(name) for name in ("seed-0", "seed-12", "seed-012", "seed-", "x")] == [
        0,
        12,
        None,
        None,
        None,
    ]


def test_a_renamed_group_is_the_same_runs(tmp_path):
    assert seed_directory(group_directory(tmp_path, "a", "0123abcd"), 3) == tmp_path / "a-0123abcd" / "seed-3"
    (tmp_path / "b-0123abcd").mkdir()
    assert group_directory(tmp_path, "a", "0123abcd") == tmp_path / "b-0123abcd"
    (tmp_path / "a-0123abcd").mkdir()
    assert group_directory(tmp_path, "a", "0123abcd") == tmp_path / "a-0123abcd"


def test_a_run_is_read(tmp_path):
    run = make_run(tmp_path, "net-0123abcd/seed-4", "2025-01-02T03:04:05+00:00")
    assert (run.name, run.id8, run.seed, run.label) == ("net", "0123abcd", 4, "net-0123abcd/seed-4")
    assert (run.status, run.result, run.seconds) == ("complete", RESULT, 1.5)
    assert (run.monitor, run.monitored) == ("val_accuracy", 0.8)
    assert run.begun.isoformat() == "2025-01-02T03:04:05+00:00"


def test_runs_are_found_by_name_and_seed(tmp_path):
    for label in (
        "b-0123abcd/seed-10",
        "b-0123abcd/seed-9",
        "b-0123abcd/notes",
        "a-0123abce/seed-0",
        "x/seed-1",
    ):
        make_run(tmp_path, label)
    found = [run.label for run in find_runs(tmp_path)]
    assert found == ["a-0123abce/seed-0", "b-0123abcd/seed-9", "b-0123abcd/seed-10"]
    assert find_runs(tmp_path / "nowhere") == []


BINS = {"rows": [3, 0], "confidence": [0.4, None], "accuracy": [0.5, None]}
CALIBRATED = RESULT | {
    "temperature": 0.5,
    "reliability": {"test": {"uncalibrated": BINS, "calibrated": BINS}},
}
FALSE_RESULTS = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"status": "complete"}',
    json.dumps(RESULT | {"status": ["complete"]}).encode(),
    json.dumps(RESULT | {"status": "\x1b[31m"}).encode(),
    json.dumps(RESULT | {"train": [1, 2]}).encode(),
    json.dumps(RESULT | {"train": {"loss": {}}}).encode(),
    json.dumps(RESULT | {"train": {"loss": 10**400}}).encode(),
    json.dumps(RESULT | {"epochs": math.inf}).encode(),
    json.dumps(RESULT | {"epochs": -1}).encode(),
    json.dumps(RESULT | {"steps": 10**30}).encode(),
    json.dumps(RESULT | {"confusion": 5}).encode(),
    json.dumps(RESULT | {"confusion": {"test": [["x"]]}}).encode(),
    json.dumps(CALIBRATED | {"temperature": 0}).encode(),
    json.dumps({key: value for key, value in CALIBRATED.items() if key != "temperature"}).encode(),
    json.dumps(CALIBRATED | {"reliability": 5}).encode(),
    json.dumps(CALIBRATED | {"reliability": {"test": {"uncalibrated": BINS}}}).encode(),
    *(
        json.dumps(
            CALIBRATED | {"reliability": {"test": {"uncalibrated": BINS | wrong, "calibrated": BINS}}}
        ).encode()
        for wrong in (
            {"rows": [3, -1]},
            {"rows": [3]},
            {"rows": [3, 1]},
            {"accuracy": [2.0, None]},
            {"confidence": ["<b>", None]},
            {"rows": [0] * 101, "confidence": [None] * 101, "accuracy": [None] * 101},
        )
    ),
    b'{"status": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("content", FALSE_RESULTS, ids=lambda content: content[:20].decode(errors="replace"))
def test_a_false_result_is_no_result(tmp_path, content):
    run = make_run(tmp_path, "net-0123abcd/seed-0")
    run.paths.result.write_bytes(content)
    assert (run.status, run.result, run.monitored) == ("unreadable", None, None)


def test_a_calibrated_result_is_a_result(tmp_path):
    run = make_run(tmp_path, "net-0123abcd/seed-0", **CALIBRATED)
    assert run.result["reliability"] == CALIBRATED["reliability"]


def test_a_run_without_a_result_was_interrupted(tmp_path):
    run = make_run(tmp_path, "net-0123abcd/seed-0")
    run.paths.result.unlink()
    assert (run.status, run.result, run.begun, run.seconds) == ("interrupted", None, None, None)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[1]",
        '{"event": "start", "time": 5}',
        '{"event": "start", "time": "2025-01-01"}',
        '{"event": []}',
    ],
)
def test_events_of_any_kind_are_no_trouble(tmp_path, line):
    run = make_run(tmp_path, "net-0123abcd/seed-0")
    run.paths.events.write_text(line + "\n")
    assert run.begun is None
    assert run.seconds is None


@pytest.mark.parametrize("cut", range(1, 40))
def test_an_unterminated_last_line_is_dropped(tmp_path, cut):
    run = make_run(tmp_path, "net-0123abcd/seed-0")
    rows = [{"epoch": 1, "a\u2028b": 1.5}, {"epoch": 2, "c": None}]
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    last = len(content.splitlines(keepends=True)[-1])
    run.paths.metrics.write_bytes(content[: -min(cut, last)])
    assert run.metrics == rows[:1]


def test_a_damaged_line_is_an_error_with_its_place(tmp_path):
    run = make_run(tmp_path, "net-0123abcd/seed-0")
    run.paths.metrics.write_text('{"epoch": 1}\n{"epo\n{"epoch": 3}\n')
    with pytest.raises(StorageError, match=r"metrics\.jsonl:2: "):
        _ = run.metrics


@pytest.fixture
def runs(tmp_path):
    make_run(tmp_path, "net-00000001/seed-0", "2025-01-01T00:00:00+00:00")
    make_run(tmp_path, "net-00000001/seed-1", "2025-01-04T00:00:00+00:00")
    make_run(tmp_path, "net-00000002/seed-0", "2025-01-02T00:00:00+00:00")
    make_run(tmp_path, "other-00000003/seed-5", "2025-01-03T00:00:00+00:00")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("last", ["net-00000001/seed-1"]),
        ("last/seed-0", ["net-00000001/seed-0"]),
        ("net", ["net-00000001/seed-0", "net-00000001/seed-1"]),
        ("net/seed-1", ["net-00000001/seed-1"]),
        ("net-00000002", ["net-00000002/seed-0"]),
        ("net-00000002/seed-0", ["net-00000002/seed-0"]),
        ("renamed-00000002", ["net-00000002/seed-0"]),
        ("other", ["other-00000003/seed-5"]),
        ("{runs}/net-00000001", ["net-00000001/seed-0", "net-00000001/seed-1"]),
        ("{runs}/net-00000001/", ["net-00000001/seed-0", "net-00000001/seed-1"]),
        ("{runs}/other-00000003/seed-5", ["other-00000003/seed-5"]),
    ],
)
def test_how_a_run_is_named(runs, text, labels):
    assert [run.label for run in resolve(text.format(runs=runs), runs, no_config).runs] == labels


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("nett", "did you mean net"),
        ("net/seed-7", "net-00000001/seed-"),
        ("qqqqqqqq", "trainrun list"),
        ("\x1b[31m", "x1b"),
    ],
)
def test_an_unknown_run_is_a_usage_error_with_near_names(runs, text, hint):
    with pytest.raises(UsageError, match="no such run in ") as caught:
        resolve(text, runs, no_config)
    assert hint in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_folder_that_bears_a_runs_name_is_no_run(runs, monkeypatch):
    monkeypatch.chdir(runs.parent)
    (runs.parent / "net").mkdir()
    assert [run.label for run in resolve("net/seed-1", runs, no_config).runs] == ["net-00000001/seed-1"]
    assert len(resolve("net", runs, no_config).runs) == 2


def test_a_run_moved_elsewhere_is_read(runs):
    shutil.copytree(runs / "other-00000003" / "seed-5", runs / "copied")
    (run,) = resolve(str(runs / "copied"), runs, no_config).runs
    assert (run.status, run.seed) == ("complete", None)


def test_a_config_file_names_its_runs(runs):
    config = runs / "other.yaml"
    config.touch()
    assert [run.seed for run in resolve(str(config), runs, lambda path: "00000003").runs] == [5]
    with pytest.raises(UsageError, match=r"other\.yaml: this config has no runs in .* yet"):
        resolve(str(config), runs, lambda path: "00000009")


def test_nothing_to_find(tmp_path):
    with pytest.raises(UsageError, match="last: no such run; there are none in "):
        resolve("last", tmp_path / "nowhere", no_config)


def test_directories_nobody_may_read_are_passed_over(runs):
    os.mkfifo(runs / "net-00000001" / "seed-9")
    (runs / "pipe-00000009").touch()
    assert len(find_runs(runs)) == 4


@contextmanager
def closed(folder: Path, mode: int) -> Iterator[None]:
    """A folder with other permissions, and this process as a user whom they concern."""
    user = os.geteuid()
    before = folder.stat().st_mode
    folder.chmod(mode)
    try:
        os.seteuid(user or 65534)  # root may enter anything
        yield
    finally:
        os.seteuid(user)
        folder.chmod(before)


@pytest.fixture
def open_place():
    with tempfile.TemporaryDirectory() as place:  # which others may reach, unlike tmp_path
        Path(place).chmod(0o755)
        yield Path(place)


@pytest.mark.parametrize("mode", [0o000, 0o111, 0o444])
def test_a_closed_group_is_told_of_and_the_others_are_found(open_place, mode):
    group = make_run(open_place, "net-0123abcd/seed-0").directory.parent
    other = make_run(open_place, "other-0123abcd/seed-0")
    errors: list[StorageError] = []
    with closed(group, mode):
        found = find_runs(open_place, errors.append)
        statuses = [run.status for run in found if run.directory.parent == group]
    # A folder that may be listed but not entered shows its runs, and nothing of them.
    assert (len(errors), statuses) in [(1, []), (0, ["unreadable"])]
    assert other in found
    assert all(str(error).startswith(f"{group}: cannot be read: ") for error in errors)


@pytest.mark.parametrize("name", ["last", "net", "net-0123abcd", "net/seed-0", "{place}/net-0123abcd"])
@pytest.mark.parametrize("which", [".", "net-0123abcd"])
def test_a_name_in_a_closed_folder_is_no_unknown_name(open_place, name, which):
    make_run(open_place, "net-0123abcd/seed-0", "2025-01-01T00:00:00+00:00")
    folder = (open_place / which).resolve()
    with (
        closed(folder, 0o000),
        pytest.raises(StorageError, match=f"^{folder}[^:]*: cannot be read: Permission denied"),
    ):
        resolve(name.format(place=open_place), open_place, no_config)


def test_a_bare_name_never_means_a_variant(runs):
    """The newest config as written in a file, whatever was begun later."""
    make_run(runs, "net-00000007/seed-0", "2025-02-01T00:00:00+00:00", origin="vs")
    make_run(runs, "net-00000008/seed-0", "2025-02-02T00:00:00+00:00", origin="ablate")
    make_run(runs, "net-00000009/seed-0", "2025-02-03T00:00:00+00:00", origin="set")
    named = resolve("net/seed-0", runs, no_config)
    assert [run.label for run in named.runs] == ["net-00000001/seed-0"]
    assert "of 5 configs named net" in named.sentence
    assert "written in a file" in named.sentence


def test_a_name_of_variants_alone_is_refused_with_the_choices(tmp_path):
    make_run(tmp_path, "net-00000001/seed-0", "2025-02-01T00:00:00+00:00", origin="set")
    assert resolve("net", tmp_path, no_config).runs  # the only one
    make_run(tmp_path, "net-00000002/seed-0", "2025-02-02T00:00:00+00:00", origin="set")
    with pytest.raises(UsageError, match=r"net: names 2 configs.*say one of net-00000002, net-00000001$"):
        resolve("net", tmp_path, no_config)


def test_an_equal_config_of_another_name_writes_no_name(tmp_path):
    """`other.yaml` may equal a variant of `net`, whose directory it then shares."""
    make_run(tmp_path, "net-00000001/seed-0", "2025-01-01T00:00:00+00:00")
    variant = make_run(tmp_path, "net-00000002/seed-0", "2025-02-02T00:00:00+00:00", origin="vs")
    with variant.paths.events.open("a") as file:
        file.write('{"event": "asked", "name": "other", "origin": "written"}\n')
    assert resolve("net", tmp_path, no_config).runs[0].id8 == "00000001"
    assert resolve("other", tmp_path, no_config).runs[0].id8 == "00000002"


def test_the_config_that_was_asked_for_last_has_the_name(tmp_path):
    """Edited there and back: each time the finished runs are asked for by the same name."""
    one = make_run(tmp_path, "net-00000001/seed-0", "2025-01-01T00:00:00+00:00")
    two = make_run(tmp_path, "other-00000002/seed-0", "2025-02-02T00:00:00+00:00")
    config = Config.model_validate({"name": "net", "data": {"source": "iris"}})
    for run in (one, two, one, one, two):
        before = run.paths.events.read_text()
        record_request(run, config.with_origin("vs"))
        assert run.paths.events.read_text() == before
        record_request(run, config)
        assert resolve("net", tmp_path, no_config).runs == [run]
        again = run.paths.events.read_text()
        record_request(run, config)
        assert run.paths.events.read_text() == again
        time.sleep(0.002)  # times are kept in milliseconds


@pytest.mark.parametrize(
    ("command", "written"),
    [
        (["/bin/trainrun", "fit", "net.yaml"], True),
        (["/bin/trainrun", "compare", "net.yaml", "b.yaml"], True),
        (["/bin/trainrun", "fit", "net.yaml", "--set=epochs=1"], False),
        (["/bin/trainrun", "compare", "net.yaml", "--vs", "epochs=1"], False),
        (["script.py"], False),
        ("fit", False),
        (None, False),
    ],
)
def test_runs_of_older_releases_are_told_by_their_command(tmp_path, command, written):
    run = make_run(tmp_path, "net-00000001/seed-0")
    run.paths.events.write_text(json.dumps({"event": "start", "command": command}) + "\n")
    assert (run.directory.parent in written_groups("net", [run.directory.parent])) == written


def test_a_run_that_names_another_seed_is_refused(tmp_path):
    run = make_run(tmp_path, "net-0123abcd/seed-1")
    run.paths.config.write_text("seed: 1\n")
    require_seed(run, 1)
    run.paths.config.write_text("hidden: [2]\nseed: 10\n")
    with pytest.raises(DifferentRunError, match="holds the run of seed 10, not 1"):
        require_seed(run, 1)


def test_a_line_longer_than_any_epoch_is_refused(tmp_path):
    run = make_run(tmp_path, "net-0123abcd/seed-1")
    epoch = {"epoch": 1, "learning_rate": 0.1}
    run.paths.metrics.write_text(json.dumps(epoch) + "\n" + json.dumps(epoch | {"x": "a" * 8192}) + "\n")
    with pytest.raises(StorageError, match=r"metrics\.jsonl:2: not a line that a run writes"):
        _ = run.metrics
