"""Notes about a run's data: the same words on the console, in log.txt and in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from test_cli import trainrun_
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
