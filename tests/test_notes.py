"""Notes about a run's data: the same words on the console, in log.txt and in JSON."""

from __future__ import annotations

import csv
import datetime
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from shell import trainrun_
from trainrun.runs.reading import Run

HOSTILE = "a\x1b]0;x\u202e"
SAFE = r"a\x1b]0;x\u202e"
CONFIG = "data: {path: t.csv, target: y}\nhidden: [4]\nepochs: 2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table with gaps, in a column with a hostile name and in another, and its config."""
    rows = [
        f"{'' if row % 5 == 0 else row},{'' if row % 9 == 0 else row / 4},{'xy'[row % 2]}"
        for row in range(60)
    ]
    (tmp_path / "t.csv").write_text("\n".join([f"{HOSTILE},b,y", *rows, ""]))
    (tmp_path / "net.yaml").write_text(CONFIG)
    return tmp_path


def run_in(folder: Path) -> Run:
    (place,) = folder.glob("runs/*/seed-0")
    return Run(place)


def is_harmless(text: str) -> bool:
    return "\x1b" not in text and "\u202e" not in text


def test_fit_says_its_notes_before_the_first_epoch_and_in_the_log(folder):
    lines = trainrun_("fit", "net.yaml", cwd=folder).stdout.splitlines()
    log = run_in(folder).paths.log.read_text().splitlines()
    first = next(place for place, line in enumerate(log) if line.startswith("Epoch 1/"))
    assert first >= 1
    assert lines[1 : 1 + len(log)] == log
    assert any(f"{SAFE} 12 " in line for line in log[:first])
    assert is_harmless("".join(lines))


def test_fit_gives_its_notes_to_scripts_whether_it_trained_or_not(folder):
    trained = trainrun_("fit", "net.yaml", "--format", "json", cwd=folder)
    (found,) = json.loads(trained.stdout)
    (again,) = json.loads(trainrun_("fit", "net.yaml", "--format", "json", cwd=folder).stdout)
    assert again["notes"] == found["notes"] != []
    for note in found["notes"]:
        assert list(note) == ["kind", "column", "count", "text"]
        assert note["text"] in trained.stderr
    assert ("filled", 12 + 7) in [(note["kind"], note["count"]) for note in found["notes"]]
    assert is_harmless(trained.stdout + trained.stderr)
    assert "notes" not in json.loads(run_in(folder).paths.result.read_text())


@pytest.mark.parametrize(
    "recorded", ["absent", [], 7, [7], [{}], [{"kind": 1, "column": None, "count": 0, "text": ""}], None]
)
def test_a_run_that_records_no_notes_has_none(folder, recorded):
    trainrun_("fit", "net.yaml", cwd=folder)
    events = run_in(folder).paths.events
    rows = [json.loads(line) for line in events.read_text().splitlines()]
    if recorded == "absent":
        del rows[0]["data_notes"]
    else:
        rows[0]["data_notes"] = recorded
    events.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (found,) = json.loads(trainrun_("fit", "net.yaml", "--format", "json", cwd=folder).stdout)
    assert found["notes"] == []


def test_an_interrupted_run_has_the_notes_of_its_data_and_continues_with_them(folder):
    whole = trainrun_("fit", "net.yaml", "--runs", "whole", cwd=folder)
    changes = ["--format", "json", "--time-limit", "0.000001s"]
    (found,) = json.loads(trainrun_("fit", "net.yaml", *changes, cwd=folder, code=75).stdout)
    assert found["status"] == "interrupted"
    assert isinstance(found["notes"], list)
    trainrun_("fit", "net.yaml", cwd=folder)
    (place,) = folder.glob("whole/*/seed-0/log.txt")
    assert run_in(folder).paths.log.read_bytes() == place.read_bytes()
    assert "filled" in whole.stdout


def test_a_note_that_all_runs_share_is_said_once(folder):
    out = trainrun_("fit", "net.yaml", "--seeds", "3", cwd=folder).stdout
    assert out.count("missing values: ") == 1
    logs = [path.read_text().splitlines()[0] for path in folder.glob("runs/*/*/log.txt")]
    assert len(logs) == 3
    assert len(set(logs)) == 1
    out = trainrun_("compare", "net.yaml", "--vs", "epochs=1", "--seeds", "2", cwd=folder)
    assert (out.stdout + out.stderr).count("missing values: ") == 1


def test_check_says_notes_and_warnings_apart(folder):
    changes = ["--set", "activation=identity"]
    (found,) = json.loads(trainrun_("check", "net.yaml", *changes, "--format", "json", cwd=folder).stdout)
    assert "filled" in [note["kind"] for note in found["notes"]]
    assert any("identity" in warning for warning in found["warnings"])
    text = trainrun_("check", "net.yaml", *changes, cwd=folder).stdout
    assert "identity" in text
    assert "filled 19 missing values" in " ".join(text.split())
    assert is_harmless(text)


@pytest.fixture(scope="module")
def keeping(tmp_path_factory):
    """A folder with a run and new rows that have columns beside the features."""
    folder = tmp_path_factory.mktemp("keeping")
    rows = [f" {i:04d} ,{i / 7:.3f},{'pq'[i % 2]}" for i in range(40)]
    (folder / "t.csv").write_text("\n".join(["id,a,y", *rows]) + "\n")
    (folder / "t.yaml").write_text("data: {path: t.csv, target: y, drop: [id]}\nepochs: 1\n")
    trainrun_("fit", "t.yaml", cwd=folder)
    (folder / "new.csv").write_text('"na,me",id,prediction,a\n" é ""x""",007,1,0.5\n,1e3,2,\n')
    return folder


@pytest.mark.parametrize(
    ("keep", "head"),
    [
        ("id", [["id", "prediction"], ["007"], ["1e3"]]),
        ("a, id,a", [["a", "id", "prediction"], ["0.5", "007"], ["", "1e3"]]),
        ('"na,me",id', [["na,me", "id", "prediction"], [' é "x"', "007"], ["", "1e3"]]),
    ],
)
def test_kept_columns_stand_first_as_they_are_written(keeping, keep, head):
    lines = list(
        csv.reader(trainrun_("predict", "t", "new.csv", "--keep", keep, cwd=keeping).stdout.splitlines())
    )
    assert lines[0] == head[0]
    assert [line[:-1] for line in lines[1:]] == head[1:]
    alone = trainrun_("predict", "t", "new.csv", cwd=keeping).stdout.splitlines()
    assert [line[-1] for line in lines] == alone


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--keep", "idd"], "--keep: new.csv has no column 'idd'; did you mean 'id'?"),
        (["--keep", "prediction"], "--keep: prediction is also the name of a column of predictions"),
    ],
)
def test_a_kept_column_must_be_there_and_have_a_name_of_its_own(keeping, arguments, said):
    assert said in trainrun_("predict", "t", "new.csv", *arguments, cwd=keeping, code=2).stderr


def test_typed_cells_are_kept_as_text(keeping):
    day = [datetime.date(2020, 1, 31), None]
    table = {"id": [1, 2], "day": day, "a": [0.5, 2.0], "flag": [True, None]}
    parquet.write_table(pa.table(table), keeping / "new.parquet")
    done = trainrun_("predict", "t", "new.parquet", "--keep", "id,day,a,flag", cwd=keeping)
    lines = [line.rpartition(",")[0] for line in done.stdout.splitlines()]
    assert lines == ["id,day,a,flag", "1,2020-01-31,0.5,true", "2,,2.0,"]
