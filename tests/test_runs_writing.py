"""A run's directory, written from events."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from story import ended, epoch, make_config, story, take
from trainrun.config import load_config
from trainrun.errors import DifferentRunError, RunDirectoryError
from trainrun.events import FitStarted, Snapshot
from trainrun.notes import Note
from trainrun.runs import journal
from trainrun.runs.checkpoint import load_checkpoint, save_checkpoints
from trainrun.runs.journal import git_commit
from trainrun.runs.matching import difference_note, require_same
from trainrun.runs.paths import RunPaths
from trainrun.runs.reading import Run
from trainrun.runs.writing import RunWriter


def write_run(runs: Path, text: str = "data: digits\n", name: str = "net", id8: str = "0123abcd") -> RunPaths:
    runs.mkdir(exist_ok=True)
    config = make_config(runs, text, name)
    paths = RunPaths(runs / f"{name}-{id8}" / f"seed-{config.seed}")
    writer = RunWriter(paths, config, ["Only on the console"], NOTES)
    writer.begin({"columns": ["a", "b"]}, device="cpu", threads=2)
    for event in story():
        take(writer, event)
    return paths


LEAK = Note("leak", "column 'alive' alone predicts the target", "alive", 9)
NOTES = [Note("converted", "column 'b': text", "b", 3, loud=False), LEAK]
FILES = ["config.yaml", "preprocessing.json", "metrics.jsonl", "log.txt", "result.json", "best.safetensors"]
FILES += ["events.jsonl"]


def test_two_runs_of_the_same_thing_differ_in_events_alone(tmp_path):
    first, second = (write_run(tmp_path / name).directory for name in ("a", "b"))
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(FILES)
    for name in set(names) - {"events.jsonl"}:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_metrics_have_their_keys_in_order(tmp_path):
    first, second, _ = write_run(tmp_path).metrics.read_text().splitlines()
    assert first == (
        '{"epoch": 1, "step": 36, "learning_rate": 0.001, "loss": 0.45, "penalty": 0.25, "accuracy": 0.5,'
        ' "val_loss": 0.9, "val_accuracy": 0.75, "improved": true, "best": 0.9, "wait": 0}'
    )
    assert json.loads(second)["best"] == 0.4


def test_without_a_validation_part_there_are_no_validation_columns(tmp_path):
    writer = RunWriter(RunPaths(tmp_path / "net-0123abcd" / "seed-0"), make_config(tmp_path))
    writer.begin({}, device="cpu", threads=1)
    for event in (next(story()), replace(epoch(1, [0.5]), valid=None, best=float("inf")), ended(0, [0.5])):
        take(writer, event)
    (row,) = Run(writer.paths.directory).metrics
    assert list(row) == [
        "epoch",
        "step",
        "learning_rate",
        "loss",
        "penalty",
        "accuracy",
        "improved",
        "best",
        "wait",
    ]
    assert row["best"] is None


def test_the_result_has_its_keys_in_order(tmp_path):
    text = write_run(tmp_path).result.read_text()
    assert json.loads(text) == {
        "status": "complete",
        "stopped_by": "early_stopping",
        "best_epoch": 2,
        "epochs": 3,
        "steps": 108,
        "parameters": 6,
        "zero_weights": 2,
        "train": {"loss": 0.25, "accuracy": 0.75},
        "valid": {"loss": 0.4, "accuracy": 0.5},
        "test": {"loss": 0.625, "accuracy": 0.875},
        "confusion": {"test": [[3, 1], [0, 4]]},
    }
    keys = [line.split('"')[1] for line in text.splitlines()[1:-1]]
    assert keys[:3] == ["status", "stopped_by", "best_epoch"]
    assert keys[-4:] == ["train", "valid", "test", "confusion"]


@pytest.mark.parametrize(("classes", "kept"), [(50, True), (51, False), (0, False)])
def test_a_confusion_matrix_is_kept_up_to_fifty_classes(tmp_path, classes, kept):
    writer = RunWriter(RunPaths(tmp_path / "net-0123abcd" / "seed-0"), make_config(tmp_path))
    writer.begin({}, device="cpu", threads=1)
    confusion = {"test": np.zeros((classes, classes), int)} if classes else {}
    for event in (next(story()), replace(ended(0, [0.5]), confusion=confusion)):
        take(writer, event)
    assert ("confusion" in json.loads(writer.paths.result.read_text())) is kept
    assert writer.paths.metrics.read_text() == ""


def test_weights_are_as_the_event_has_them(tmp_path):
    weights = load_file(write_run(tmp_path).weights)
    assert {name: array.tolist() for name, array in weights.items()} == {
        "0.weight": [[1.0, 1.0], [1.0, 1.0]],
        "0.bias": [0.0, 0.0],
    }


def test_the_log_holds_the_lines_and_nothing_that_varies(tmp_path):
    lines = write_run(tmp_path).log.read_text().splitlines()
    assert lines[0] == LEAK.text
    assert lines[2:3] + lines[-2:] == [
        "Epoch 1: val_loss improved from inf to 0.90000, saving model to best.safetensors",
        "Epoch 3: early stopping",
        "Restoring model weights from the end of the best epoch: 2.",
    ]
    assert len(lines) == 9


def test_the_saved_config_fits_the_same_run_again(tmp_path):
    paths = write_run(tmp_path, "data: digits\nseed: 7\nlearning_rate: 0.5\n")
    saved = load_config(paths.config)
    assert (saved.name, saved.seed, saved.learning_rate) == ("net", 7, 0.5)
    assert load_config(paths.group_config) == saved.with_seed(0)


def test_events_say_when_where_and_with_what(tmp_path):
    run = Run(write_run(tmp_path).directory)
    start, end = run.events
    assert {"time", "host", "pid", "device", "threads", "versions", "git_commit", "command"} <= start.keys()
    assert set(start["versions"]) == {"python", "torch", "numpy", "trainrun"}
    assert (end["status"], end["monitor"]) == ("complete", "val_loss")
    assert (run.status, run.monitored) == ("complete", 0.4)
    assert run.seconds >= 0
    assert start["notes"] == ["Only on the console"]
    assert run.data_notes == [LEAK.to_json()]


def test_a_run_that_breaks_off_keeps_its_epochs(tmp_path):
    writer = RunWriter(RunPaths(tmp_path / "net-0123abcd" / "seed-0"), make_config(tmp_path))
    writer.begin({}, device="cpu", threads=1)
    for event in islice(story(), 3):
        take(writer, event)
    writer.break_off("interrupted")
    run = Run(writer.paths.directory)
    assert (run.status, len(run.metrics)) == ("interrupted", 2)
    assert run.events[-1]["status"] == "interrupted"


@pytest.mark.parametrize("saved", range(1, 5))
@pytest.mark.parametrize("told", [0, 1])
def test_a_run_that_continues_has_the_files_of_one_that_was_not_stopped(tmp_path, saved, told):
    whole = write_run(tmp_path / "whole").directory
    (tmp_path / "cut").mkdir()
    config = make_config(tmp_path / "cut")
    paths = RunPaths(tmp_path / "cut" / "net-0123abcd" / "seed-0")
    first, events = RunWriter(paths, config, data_notes=NOTES), list(story())
    first.begin({"columns": ["a", "b"]}, device="cpu", threads=2)
    for event in events[:saved]:
        take(first, event)
    save_checkpoints({paths: first.snapshot()})
    for event in events[:-1][saved : saved + told]:  # told since, and so known to the files alone
        take(first, event)
    first.break_off("interrupted", "SIGTERM")

    second = RunWriter(paths, config, ["Continuing"], NOTES)
    snapshot = load_checkpoint(paths).snapshot
    second.begin({"columns": ["a", "b"]}, device="cpu", threads=2, snapshot=snapshot)
    for event in (events[0], *events[saved:]):
        take(second, event)
    assert {path.name for path in paths.directory.iterdir()} == set(FILES)
    for name in set(FILES) - {"events.jsonl"}:
        assert (whole / name).read_bytes() == (paths.directory / name).read_bytes(), name
    assert Run(paths.directory).events[1]["reason"] == "SIGTERM"


def test_time_that_was_spent_before_counts(tmp_path):
    writer = RunWriter(RunPaths(tmp_path / "net-0123abcd" / "seed-0"), make_config(tmp_path))
    writer.begin({}, device="cpu", threads=1)
    take(writer, next(story()))
    before = writer.snapshot()
    writer = RunWriter(writer.paths, writer.config)
    longer = Snapshot({**before.facts, "seconds": 3600.0}, before.arrays)
    writer.begin({}, device="cpu", threads=1, snapshot=longer)
    writer.break_off("interrupted")
    assert Run(writer.paths.directory).seconds >= 3600


def test_nothing_of_a_checkpoint_outlives_the_result(tmp_path):
    writer = RunWriter(RunPaths(tmp_path / "net-0123abcd" / "seed-0"), make_config(tmp_path))
    writer.begin({}, device="cpu", threads=1)
    for event in story():
        if not isinstance(event, FitStarted):
            save_checkpoints({writer.paths: writer.snapshot()})
        take(writer, event)
    assert {path.name for path in writer.paths.directory.iterdir()} == set(FILES)


def test_a_run_begun_again_starts_over_but_remembers(tmp_path):
    write_run(tmp_path)
    paths = write_run(tmp_path)
    assert len(paths.metrics.read_text().splitlines()) == 3
    assert [event["event"] for event in Run(paths.directory).events] == ["start", "end", "start", "end"]


def test_a_place_that_is_taken_is_said_before_training(tmp_path):
    (tmp_path / "net-0123abcd").touch()
    with pytest.raises(RunDirectoryError, match="net-0123abcd/seed-0: cannot be created"):
        write_run(tmp_path)


def test_the_same_config_may_go_on(tmp_path):
    paths = write_run(tmp_path)
    require_same(Run(paths.directory), make_config(tmp_path))
    require_same(Run(tmp_path / "net-0123abcd" / "seed-5"), make_config(tmp_path).with_seed(5))
    require_same(Run(tmp_path / "nothing" / "seed-5"), make_config(tmp_path))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.yaml", "data: digits\nlearning_rate: 0.5\n", r"learning_rate: 0\.5 -> 0\.001"),
        ("config.yaml", "data: [", "its config cannot be read"),
        ("../config.yaml", "data: iris\n", "data"),
        ("result.json", "[]", r"its result\.json is not one that a run writes"),
    ],
)
def test_a_directory_of_something_else_is_left_alone(tmp_path, file, content, message):
    paths = write_run(tmp_path)
    (paths.directory / file).write_text(content)
    with pytest.raises(DifferentRunError, match=message):
        require_same(Run(paths.directory), make_config(tmp_path))


def test_what_differs_from_the_run_before_is_said_once(tmp_path):
    assert difference_note(tmp_path, make_config(tmp_path), "00000001") is None
    write_run(tmp_path, id8="00000001")
    write_run(tmp_path, name="other", id8="00000009")
    changed = make_config(tmp_path, "data: digits\nlearning_rate: 0.5\ndropout: 0.25\n")
    note = difference_note(tmp_path, changed, "00000002")
    assert note.startswith(f"Differs from {tmp_path}/net-00000001: ")
    assert "learning_rate: 0.001 -> 0.5" in note
    assert difference_note(tmp_path, changed, "00000001") is None


def git(folder: Path, *words: str) -> str:
    """Run git as someone with a name and without a config; return what it prints."""
    someone = ["-c", "user.name=Someone", "-c", "user.email=someone@example.com"]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    alone |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", str(folder), *someone, *words]
    return subprocess.run(command, env=alone, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "first")
    return folder


def test_the_commit_of_a_repository(repository):
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "inside").mkdir()
    assert len(commit) == 40
    assert git_commit(repository) == git_commit(repository / "inside") == commit
    git(repository, "pack-refs", "--all")
    assert git_commit(repository) == commit
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "second")
    assert git_commit(repository) == git(repository, "rev-parse", "HEAD") != commit
    git(repository, "checkout", "--quiet", "--detach", commit)
    assert git_commit(repository) == commit


def test_the_commit_of_a_linked_work_tree(repository, tmp_path):
    git(repository, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    git(tmp_path / "linked", "commit", "--quiet", "--allow-empty", "-m", "second")
    commit = git_commit(tmp_path / "linked")
    assert commit == git(tmp_path / "linked", "rev-parse", "HEAD")
    assert commit != git_commit(repository)


def test_a_hooks_variables_do_not_change_the_commit(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert git_commit(repository) == git(repository, "rev-parse", "HEAD")


def test_no_commit_without_a_repository_a_commit_or_a_folder(repository, tmp_path):
    (tmp_path / "empty").mkdir()
    assert git_commit(tmp_path / "empty") is None
    git(tmp_path / "empty", "init", "--quiet")
    assert git_commit(tmp_path / "empty") is None
    assert git_commit(tmp_path / "missing") is None


@pytest.mark.parametrize("script", [None, "exec /bin/sleep 60", "exit 3", "kill -9 $$"])
def test_no_commit_without_a_git_that_works(script, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(journal, "_GIT_SECONDS", 0.5)
    if script:
        (tmp_path / "git").write_text(f"#!/bin/sh\necho 0123456789\necho failed >&2\n{script}\n")
        (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(tmp_path) is None
    assert capfd.readouterr() == ("", "")
