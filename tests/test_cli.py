"""The command line as a shell sees it: what is printed, where, and with which code."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import trainrun
from shell import CONFIG, SOURCE, shell, trainrun_
from tables import idx, write
from trainrun.ingredients import REGISTRIES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a config and its two runs."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "net.yaml").write_text(CONFIG)
    done = trainrun_("fit", "net.yaml", "--seeds", 2, cwd=folder)
    (folder / "fitted.txt").write_text(done.stdout)
    assert done.stderr == ""
    return folder


def test_fit_prints_plain_lines_of_each_run(folder):
    lines = (folder / "fitted.txt").read_text().splitlines()
    (group,) = (folder / "runs").iterdir()
    assert lines[0] == f"{group.name}/seed-0: Run directory: {group}/seed-0"
    for seed in (0, 1):
        start = f"{group.name}/seed-{seed}: "
        said = [line.removeprefix(start) for line in lines if line.startswith(start)]
        log = (group / f"seed-{seed}" / "log.txt").read_text().splitlines()
        assert said[1 : 1 + len(log)] == log


def test_a_complete_run_is_not_trained_again(folder):
    (group,) = (folder / "runs").iterdir()
    before = {path: path.stat().st_mtime_ns for path in group.rglob("*")}
    done = trainrun_("fit", "net.yaml", cwd=folder)
    assert done.stdout.splitlines()[0] == f"Already complete: {group}/seed-0"
    assert {path: path.stat().st_mtime_ns for path in group.rglob("*")} == before


def test_fit_gives_scripts_json_and_people_the_progress(folder):
    done = trainrun_("fit", "net.yaml", "--seeds", 2, "--format", "json", cwd=folder)
    results = json.loads(done.stdout)
    assert [Path(result["directory"]).name for result in results] == ["seed-0", "seed-1"]
    saved = json.loads((Path(results[1]["directory"]) / "result.json").read_text())
    assert results[1] == saved | {"directory": results[1]["directory"], "notes": []}
    assert "Already complete" in done.stderr


def test_a_shard_is_its_part_of_the_runs(folder):
    done = trainrun_("fit", "net.yaml", "--seeds", 2, "--shard", "2/2", "--format", "json", cwd=folder)
    assert [Path(result["directory"]).name for result in json.loads(done.stdout)] == ["seed-1"]


def test_a_broken_config_is_one_message_whatever_the_format(folder):
    (folder / "broken.yaml").write_text("data: iris\nlr: 0.1\n")
    done = trainrun_("fit", "broken.yaml", "net.yaml", "--format", "json", cwd=folder, code=2)
    assert done.stderr.count("broken.yaml:2:1") == 1
    assert [result["status"] for result in json.loads(done.stdout)] == ["failed", "complete"]


@pytest.mark.parametrize(("options", "code"), [([], 3), (["--allow-diverged"], 0)])
def test_divergence_has_a_code_of_its_own(tmp_path, options, code):
    (tmp_path / "hot.yaml").write_text("data: diabetes\noptimizer: sgd\nlearning_rate: 1e30\nepochs: 2\n")
    done = trainrun_("fit", "hot.yaml", "--format", "json", *options, cwd=tmp_path, code=code)
    assert json.loads(done.stdout)[0]["status"] == "diverged"
    assert "diverged at step" in done.stderr
    again = trainrun_("fit", "hot.yaml", *options, cwd=tmp_path, code=code)
    assert again.stdout.startswith("Diverged before: ")


def test_evaluate_takes_the_labels_of_idx_images_from_their_own_file(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(60, dtype="u1") % 3
    write(
        tmp_path / "x-idx3-ubyte", idx((y[:, None, None] * 80 + rng.integers(0, 20, (60, 2, 2))).astype("u1"))
    )
    write(tmp_path / "y-idx1-ubyte", idx(y))
    (tmp_path / "net.yaml").write_text("data: {path: x-idx3-ubyte, target: y-idx1-ubyte}\nepochs: 3\n")
    trainrun_("fit", "net.yaml", cwd=tmp_path)
    done = trainrun_(
        "evaluate", "last", "x-idx3-ubyte", "--labels", "y-idx1-ubyte", "--format", "json", cwd=tmp_path
    )
    assert set(json.loads(done.stdout)) == {"loss", "accuracy"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit"], "Missing argument 'CONFIG'"),
        (["fit", "net.yaml", "--seeds", "0"], "--seeds"),
        (["fit", "net.yaml", "--shard", "0/2"], "--shard: must be I/N"),
        (["fit", "net.yaml", "--shard", "two"], "--shard: must be I/N"),
        (["fit", "net.yaml", "--shard", "1/" + "9" * 5000], "--shard: must be I/N"),
        (["init", "--target", "price", "--out", "new.yaml"], "--target: is the column of a table"),
        (["fit", "net.yaml", "--progress", "loud"], "--progress"),
        (["fit", "missing.yaml"], "missing.yaml"),
        (["fitt", "net.yaml"], "No such command 'fitt'"),
        (["show", "nett"], "did you mean net"),
        (["predict", "net", "x.csv"], "names 2 finished runs (seed-0, seed-1)"),
        (["list", "optimisers"], "optimizers"),
        (["clean"], "clean: say which runs"),
        (["clean", "--older", "soon"], "--older: must be an age"),
        (["init", "--out", "net.yaml"], "net.yaml: exists already"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_two(folder, arguments, message):
    done = trainrun_(*arguments, cwd=folder, code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_help_is_plain_and_names_every_command(tmp_path):
    text = trainrun_("--help", cwd=tmp_path).stdout
    for command in ("fit", "predict", "evaluate", "list", "show", "clean", "schema", "init", "--version"):
        assert command in text
    assert "\x1b" not in text
    assert "╭" not in text


def test_nothing_to_do_is_answered_with_help(tmp_path):
    done = trainrun_(cwd=tmp_path, code=2)
    assert "Usage:" in done.stdout + done.stderr


def test_the_version_is_the_projects(tmp_path):
    version = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text())["project"]["version"]
    assert trainrun_("--version", cwd=tmp_path).stdout == f"trainrun {version}\n"


def test_list_shows_runs(folder):
    text = trainrun_("list", cwd=folder).stdout
    heading, *rows = text.splitlines()
    assert heading.split() == ["RUN", "SEED", "STATUS", "BEST", "MONITORED", "TEST", "BEGUN"]
    assert [row.split()[1:3] for row in rows] == [["0", "complete"], ["1", "complete"]]
    assert all("val_loss" in row and "accuracy" in row for row in rows)


def test_list_speaks_to_programs_too(folder):
    records = json.loads(trainrun_("list", "--format", "json", cwd=folder).stdout)
    assert [record["seed"] for record in records] == [0, 1]
    page = io.StringIO(trainrun_("list", "runs", "--format", "csv", cwd=folder).stdout)
    rows = list(csv.DictReader(page))
    assert [float(row["test.accuracy"]) for row in rows] == [record["test"]["accuracy"] for record in records]
    assert trainrun_("list", "--format", "markdown", cwd=folder).stdout.count("\n") == 4


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_ingredient_is_listed_with_its_settings(tmp_path, kind):
    records = json.loads(trainrun_("list", kind, "--format", "json", cwd=tmp_path).stdout)
    assert [record["name"] for record in records] == list(REGISTRIES[kind])
    assert all(record["summary"] for record in records)
    text = trainrun_("list", kind, cwd=tmp_path).stdout
    for record in records:
        assert record["name"] in text
        assert all(setting in text for setting in record["settings"])


def test_list_finds_the_folder_of_runs(folder, tmp_path, monkeypatch):
    assert trainrun_("list", cwd=tmp_path).stdout.startswith("No runs in ")
    assert "complete" in trainrun_("list", "--runs", folder / "runs", cwd=tmp_path).stdout
    monkeypatch.setenv("TRAINRUN_RUNS", str(folder / "runs"))
    assert "complete" in trainrun_("list", cwd=tmp_path).stdout


def test_show_tells_all_about_a_run(folder):
    text = trainrun_("show", "net/seed-1", cwd=folder).stdout
    for part in ("seed-1: complete", "hidden: [8]", "learning_rate: 0.01", "valid", "Confusion on test"):
        assert part in text
    record = json.loads(trainrun_("show", "last", "--format", "json", cwd=folder).stdout)
    assert len(record["epochs"]) == 3


def test_show_puts_seeds_side_by_side(folder):
    text = trainrun_("show", "net.yaml", cwd=folder).stdout
    assert "seed-0" in text
    assert "seed-1" in text
    mean = next(line for line in text.splitlines() if line.startswith("mean"))
    records = json.loads(trainrun_("show", "net", "--format", "json", cwd=folder).stdout)
    losses = [record["result"]["test"]["loss"] for record in records]
    assert f"{sum(losses) / 2:.4f}" in mean


def test_predict_and_evaluate(folder):
    header = "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm),target"
    (folder / "new.csv").write_text(f"{header}\n5.1,3.5,1.4,0.2,setosa\n")
    text = trainrun_("predict", "net/seed-0", "new.csv", "--probabilities", cwd=folder).stdout
    (row,) = csv.DictReader(io.StringIO(text))
    assert list(row) == ["prediction", "p_setosa", "p_versicolor", "p_virginica"]
    assert sum(float(row[f"p_{label}"]) for label in ("setosa", "versicolor", "virginica")) == pytest.approx(
        1
    )
    trainrun_("predict", "net/seed-0", "new.csv", "--probabilities", "--out", "out.csv", cwd=folder)
    assert (folder / "out.csv").read_text() == text
    values = json.loads(trainrun_("evaluate", "net/seed-0", "new.csv", "--format", "json", cwd=folder).stdout)
    assert list(values) == ["loss", "accuracy"]


def test_clean_says_first_and_removes_with_yes(folder, tmp_path):
    trainrun_("fit", folder / "net.yaml", "--seeds", 2, cwd=tmp_path)
    said = trainrun_("clean", "net/seed-1", cwd=tmp_path).stdout
    assert said.startswith("Would remove runs/net-")
    assert trainrun_("list", cwd=tmp_path).stdout.count("complete") == 2
    trainrun_("clean", "net/seed-1", "--yes", cwd=tmp_path)
    assert trainrun_("list", cwd=tmp_path).stdout.count("complete") == 1


def test_the_schema_is_json(tmp_path):
    assert "learning_rate" in json.loads(trainrun_("schema", cwd=tmp_path).stdout)["properties"]


def test_init_writes_a_config_that_fits(tmp_path):
    (tmp_path / "data").mkdir()
    rows = "".join(f"{k},{k % 3},{'yes' if k % 2 else 'no'}\n" for k in range(60))
    (tmp_path / "data" / "my table.csv").write_text('"a: b",size,bought\n' + rows)
    said = trainrun_("init", "data/my table.csv", cwd=tmp_path).stdout
    assert "guess: the last column, bought" in said
    text = (tmp_path / "my table.yaml").read_text()
    assert '# Columns: "a: b", size, bought' in text
    assert "target: bought  # a guess" in text
    trainrun_("fit", "my table.yaml", "--set", "epochs=1", cwd=tmp_path)
    trainrun_("init", "data/my table.csv", "--target", "size", "--out", "two.yaml", cwd=tmp_path)
    assert "guess" not in (tmp_path / "two.yaml").read_text()


def test_init_without_a_table_takes_a_bundled_set(tmp_path):
    trainrun_("init", cwd=tmp_path)
    trainrun_("fit", "digits.yaml", "--set", "epochs=1", cwd=tmp_path)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("$T list schedules > /dev/full", 74),
        ("$T list >&-", 74),
        ("($T list schedules; echo code $? >&2) | true", None),
        ("$T fit net.yaml --fresh >&-", 0),
        ("($T fit net.yaml --fresh; echo code $? >&2) | true", None),
        (
            "set -o pipefail; export PYTHONUNBUFFERED=1;"
            " $T schedule net.yaml --format csv --set epochs=9999 | head -1",
            141,
        ),
    ],
)
def test_a_broken_stdout(folder, line, code):
    done = shell(line, folder)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    if code is not None:
        assert (done.returncode, done.stderr) == (code, "")
    else:
        assert done.stderr in ("code 0\n", "code 141\n")


def test_a_folder_that_is_gone_is_said_so(tmp_path):
    done = shell(f"mkdir gone && cd gone && rmdir {tmp_path}/gone && $T list", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "The current folder is gone: change to one that is there\n"


def test_ctrl_c_saves_the_run_and_ends_as_a_shell_expects(tmp_path):
    (tmp_path / "long.yaml").write_text("data: digits\nepochs: 1000000\nearly_stopping: false\n")
    command = [sys.executable, "-m", "trainrun", "fit", "long.yaml"]
    variables = os.environ | {"PYTHONPATH": str(SOURCE.parent)}
    with subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, text=True) as fit:
        next(line for line in fit.stdout if "Epoch 1" in line)
        fit.send_signal(signal.SIGINT)
        fit.communicate()
    assert fit.returncode == -signal.SIGINT
    (run,) = json.loads(trainrun_("list", "--format", "json", cwd=tmp_path).stdout)
    assert run["status"] == "interrupted"
    epochs = json.loads(trainrun_("show", "last", "--format", "json", cwd=tmp_path).stdout)["epochs"]
    assert epochs[0]["epoch"] == 1


def test_a_bare_environment_is_enough(folder):
    done = subprocess.run(
        [sys.executable, "-m", "trainrun", "list"],
        cwd=folder,
        env={"PYTHONPATH": str(SOURCE.parent), "LC_ALL": "C"},
        capture_output=True,
        check=True,
    )
    assert b"complete" in done.stdout


def test_the_package_exports_what_it_says():
    assert trainrun.load_config.__module__.startswith("trainrun.config")
    with pytest.raises(AttributeError, match="has no attribute 'train'"):
        _ = trainrun.train
    assert "fit" in dir(trainrun)
