"""Promises seen from outside, where the parts meet: each test is a way in which one was once broken."""

import json
import os
import shutil

import numpy as np
import pytest

from shell import CONFIG, shell, trainrun_
from trainrun import fit, load_model, load_run
from trainrun.errors import DataError
from trainrun.runs.reading import Run


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A folder with a config of a table of its own, and two seeds of it."""
    folder = tmp_path_factory.mktemp("promises")
    rows = "".join(f"{i % 7},{i % 3},{'pq'[i % 2]}\n" for i in range(40))
    (folder / "table.csv").write_text("a,b,y\n" + rows)
    (folder / "net.yaml").write_text(CONFIG.replace("iris", "{path: table.csv, target: y}"))
    trainrun_("fit", "net.yaml", "--seeds", 2, cwd=folder)
    return folder


@pytest.fixture
def mine(fitted, tmp_path):
    """A copy of it that a test may damage."""
    return shutil.copytree(fitted, tmp_path / "mine")


def seed_directory(folder, seed=0):
    (group,) = (folder / "runs").iterdir()
    return group / f"seed-{seed}"


def test_a_table_without_any_column_of_training_is_bad_data(fitted):
    (fitted / "other.csv").write_text("p,q,r\n1,2,3\n")
    with pytest.raises(DataError, match=r"other\.csv: has no column 'a'"):
        load_run(seed_directory(fitted)).predict(fitted / "other.csv")


def test_what_fit_returns_can_be_loaded(fitted):
    run = Run(seed_directory(fitted))
    by_name = load_run(run.directory).predict({"a": [1, 2], "b": [0, 1]})
    np.testing.assert_array_equal(load_run(run).predict({"a": [1, 2], "b": [0, 1]}), by_name)
    assert len(load_model(run)) == 3


def test_fit_returns_runs_that_load(mine):
    (run,) = fit(mine / "net.yaml", runs=mine / "runs")
    assert load_run(run).run.label.endswith("/seed-0")


def test_the_seed_of_a_config_file_is_named_as_any_other(fitted):
    done = trainrun_("predict", "net.yaml", "table.csv", cwd=fitted, code=2)
    assert "names 2 finished runs (seed-0, seed-1); add one of them" in done.stderr
    assert trainrun_("predict", "net.yaml/seed-1", "table.csv", cwd=fitted).stdout.startswith("prediction\n")
    assert "no such run" in trainrun_("predict", "net.yaml/seed-2", "table.csv", cwd=fitted, code=2).stderr


def test_a_run_seen_from_inside_has_its_seed(fitted):
    done = trainrun_("show", ".", "--format", "json", cwd=seed_directory(fitted, 1))
    assert json.loads(done.stdout)["seed"] == 1


@pytest.mark.parametrize("fresh", [[], ["--fresh"]])
def test_a_file_in_the_place_of_a_run_is_73(mine, fresh):
    shutil.rmtree(seed_directory(mine))
    seed_directory(mine).touch()
    done = trainrun_("fit", "net.yaml", *fresh, cwd=mine, code=73)
    assert "seed-0: cannot be created" in done.stderr


def test_a_pipe_in_the_place_of_a_config_keeps_nobody_waiting(mine):
    config = seed_directory(mine) / "config.yaml"
    config.unlink()
    os.mkfifo(config)
    done = trainrun_("fit", "net.yaml", cwd=mine, code=4)
    assert "config.yaml: cannot be read: not a regular file" in done.stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("$T fit none.yaml 2> /dev/full", 2),
        ("$T fit none.yaml 2>&-", 2),
        ("$T show none 2> /dev/full", 2),
        ("$T show none 2>&-", 2),
        ("$T --help | true; exit ${PIPESTATUS[0]}", 141),
    ],
)
def test_a_broken_stderr_or_help_keeps_its_code(fitted, line, code):
    done = shell(line, fitted)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_json_stands_alone_on_stdout_where_stderr_is_closed(fitted):
    done = shell("$T fit none.yaml --format json 2>&-", fitted)
    assert done.returncode == 2
    assert json.loads(done.stdout)[0]["status"] == "failed"


def test_a_run_of_another_seed_is_no_run_of_this_one(mine):
    shutil.rmtree(seed_directory(mine, 1))
    shutil.copytree(seed_directory(mine), seed_directory(mine, 1))
    for command in (["fit", "net.yaml"], ["compare", "net.yaml", "--no-fit"]):
        done = trainrun_(*command, "--seeds", 2, cwd=mine, code=4)
        assert "seed-1: holds the run of seed 0, not 1; move it away" in done.stderr


@pytest.mark.parametrize(
    "words",
    [["show"], ["clean"], ["report"], ["compare", "--no-fit"], ["init", "--out"], ["list", "--runs"]],
)
def test_names_that_are_too_long(fitted, words):
    done = trainrun_(*words, "n" * 300, cwd=fitted, code=2 if words[0] != "list" else 0)
    assert "Traceback" not in done.stderr


def test_a_missing_cell_of_a_single_column_is_a_row_where_it_is_quoted(tmp_path):
    """As Python's csv and pandas write it; a line with nothing in it, such as the last, is none."""
    (tmp_path / "x.csv").write_text("x,y\n" + "".join(f"{i},{'pq'[i % 2]}\n" for i in range(40)))
    (tmp_path / "one.yaml").write_text(
        "data: {path: x.csv, target: y, missing: mean}\nhidden: 4\nepochs: 1\n"
    )
    trainrun_("fit", "one.yaml", cwd=tmp_path)
    (tmp_path / "new.csv").write_text('x\n1\n""\n3\n\n')
    assert len(trainrun_("predict", "one", "new.csv", cwd=tmp_path).stdout.splitlines()) == 4


def test_a_label_without_bytes_in_utf8_is_predicted_into_a_file(tmp_path):
    x, y = np.arange(40.0).reshape(20, 2), np.array(["a", "\ud800"] * 10)
    np.savez(tmp_path / "s.npz", X=x, y=y)
    (tmp_path / "s.yaml").write_text("data: {path: s.npz, target: y}\nhidden: 4\nepochs: 1\n")
    trainrun_("fit", "s.yaml", cwd=tmp_path)
    trainrun_("predict", "s", "s.npz", "--out", "p.csv", cwd=tmp_path)
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 21


def test_labels_that_floats_cannot_tell_apart_are_refused(tmp_path):
    rows = "".join(f"{i},{2**64 + i % 3 if i % 4 else 5}\n" for i in range(30))
    (tmp_path / "t.csv").write_text("a,y\n" + rows)
    text = "data: {path: t.csv, target: y, task: classification}\nhidden: 4\nepochs: 1\n"
    (tmp_path / "t.yaml").write_text(text)
    done = trainrun_("fit", "t.yaml", cwd=tmp_path, code=65)
    assert "labels so large cannot be told apart" in done.stderr


def test_a_setting_without_effect_trains(tmp_path):
    """An activity penalty has nothing to penalize in a linear model, which a warning says."""
    (tmp_path / "linear.yaml").write_text(
        "data: iris\nhidden: []\nepochs: 1\nregularization: {activity_l1: 0.1}\n"
    )
    assert "does nothing without a hidden layer" in trainrun_("fit", "linear.yaml", cwd=tmp_path).stdout
