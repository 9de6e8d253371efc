"""Replaying runs with other patiences: the same as training with them, told from the curves alone."""

import csv
import io
import json
import math
from pathlib import Path

import pytest

import trainrun
from run_folders import make_run
from shell import trainrun_
from story import make_config
from trainrun.config import load_config, to_yaml
from trainrun.errors import StorageError
from trainrun.jsonio import to_json
from trainrun.replaying import Replay, Stop, replay
from trainrun.runs.reading import Run

PATIENCES = [0, 1, 2, 4, 8]
OFF = "data: iris\nearly_stopping: {patience: null}\n"


def ended_run(
    runs: Path,
    curve: list[float],
    text: str = OFF,
    seed: int = 0,
    by: str = "epochs",
    monitor: str = "val_loss",
) -> Run:
    """A run whose monitored value went as `curve`."""
    run = make_run(runs, f"net-0123abcd/seed-{seed}", stopped_by=by, epochs=len(curve))
    run.paths.config.write_text(to_yaml(make_config(runs, text)))
    rows = [{"epoch": epoch, "val_loss": value} for epoch, value in enumerate(curve, 1)]
    run.paths.metrics.write_text("".join(f"{to_json(row)}\n" for row in rows))
    return run


def replayed(run: Run, *patiences: int) -> list[Stop | None]:
    """What each patience makes of one run, and last what none does."""
    return [one.stops[0] for one in replay([run], load_config(run.paths.config), patiences)]


@pytest.mark.parametrize(
    "stopping",
    [
        "{}",
        "{min_delta: 0.05}",
        "{start_from_epoch: 6}",
        "{monitor: val_accuracy}",
        "{monitor: val_accuracy, min_delta: 0.02, start_from_epoch: 3, baseline: 0.9}",
        "{monitor: loss, baseline: 0.3}",
    ],
)
def test_a_replay_is_what_training_with_that_patience_gives(tmp_path, stopping):
    text = "data: iris\nhidden: [16]\nlearning_rate: 0.03\nbatch_size: 8\nepochs: 25\ndropout: 0.3\n"
    (tmp_path / "net.yaml").write_text(f"{text}early_stopping: {stopping}\n")
    variants = ["null", *map(str, PATIENCES)]
    configs = [load_config(tmp_path / "net.yaml", [f"early_stopping.patience={p}"]) for p in variants]
    whole, *cut = trainrun.fit(*configs, runs=tmp_path / "runs")
    monitor = configs[0].early_stopping.monitor
    assert len({run.result["epochs"] for run in cut}) > 2, "the patiences must make a difference"
    for run, stop in zip([*cut, whole], replayed(whole, *PATIENCES), strict=True):
        assert (stop.epochs, stop.best_epoch) == (run.result["epochs"], run.result["best_epoch"])
        assert stop.kept == run.metrics[stop.best_epoch - 1][monitor]
        best = whole.metrics[whole.result["best_epoch"] - 1][monitor]
        assert stop.regret == abs(stop.kept - best)


CURVE = [0.9, 0.5, 0.6, 0.7, 0.4, 0.8, 0.8]
FULL = Stop(7, 5, 0.4, 0.0)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("epochs", [Stop(3, 2, 0.5, 0.5 - 0.4), FULL, FULL]),
        ("non_finite", [Stop(3, 2, 0.5, 0.5 - 0.4), FULL, FULL]),  # a longer patience diverges as well
        ("early_stopping", [Stop(3, 2, 0.5, 0.5 - 0.4), None, None]),
    ],
)
def test_a_patience_that_a_stopped_run_cannot_tell_is_unknown(tmp_path, by, expected):
    assert replayed(ended_run(tmp_path, CURVE, by=by), 1, 3) == expected


def test_the_patience_that_stopped_a_run_is_known(tmp_path):
    assert replayed(ended_run(tmp_path, CURVE, by="early_stopping"), 2) == [Stop(4, 2, 0.5, 0.5 - 0.4), None]


@pytest.mark.parametrize("file", ["result.json", "metrics.jsonl"])
def test_what_an_unfinished_run_would_have_done_is_unknown(tmp_path, file):
    run = ended_run(tmp_path, CURVE)
    if file == "result.json":
        run.paths.result.unlink()
    else:
        run.paths.metrics.write_text("".join(run.paths.metrics.read_text().splitlines(True)[:6]))
    assert replayed(Run(run.directory), 1, 3) == [Stop(3, 2, 0.5, 0.5 - 0.4), None, None]


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([], Stop(0, None, None, None)),
        ([math.nan, math.inf], Stop(2, None, None, None)),
        ([math.nan, 0.5, math.nan, 0.25], Stop(3, 2, 0.5, 0.25)),
    ],
)
def test_values_that_are_not_finite_are_never_kept(tmp_path, curve, expected):
    assert replayed(ended_run(tmp_path, curve), 1)[0] == expected


@pytest.mark.parametrize("value", ['"\\u001b[31m"', "[1]", "true", "1" + "0" * 400, "{}"])
def test_whatever_stands_for_a_value_it_is_replayed(tmp_path, value):
    run = ended_run(tmp_path, [0.5, 0.25])
    run.paths.metrics.write_text(f'{{"val_loss": 0.5}}\n{{"val_loss": {value}}}\n')
    assert replayed(run, 9)[0].epochs == 2


def test_a_damaged_line_is_said(tmp_path):
    run = ended_run(tmp_path, [0.5])
    run.paths.metrics.write_text("nonsense\n")
    with pytest.raises(StorageError, match=r"metrics\.jsonl:1: "):
        replayed(run, 1)


def test_means_are_over_all_runs_or_none():
    one, two = Stop(2, 1, 0.5, 0.25), Stop(4, 3, 0.75, 0.0)
    mean = Replay(1, (one, two)).mean("epochs")
    # The t distribution's 97.5 % quantile with one degree of freedom is 12.706.
    assert (mean.n, mean.value) == (2, 3.0)
    assert mean.interval.high - 3 == pytest.approx(12.706, abs=1e-3)
    assert Replay(1, (one, None)).mean("kept") is None
    assert Replay(1, (one, Stop(3, None, None, None))).mean("epochs") is None


# --- the command


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two seeds of one config; the second was stopped by its own patience."""
    ended_run(tmp_path / "runs", CURVE)
    ended_run(tmp_path / "runs", CURVE[:4], seed=1, by="early_stopping")
    return tmp_path


def test_text_says_what_is_unknown_and_how_to_know_it(folder):
    text = trainrun_("show", "net", "--patience", "2, 1,1,3", cwd=folder).stdout
    heading, table, note = text.split("\n\n")
    assert heading == f"{folder}/runs/net-0123abcd, by val_loss (smaller is better):"
    head, one, _, three, none = [" ".join(line.split()) for line in table.splitlines()]
    assert head == "PATIENCE RUNS EPOCHS KEPT REGRET"
    assert one == "1 2 3.0 ± 0.0 0.50000 ± 0.00000 0.05000 ± 0.63531"
    assert three == "3 1 of 2 unknown"
    assert none == "none 1 of 2 unknown"
    assert "early_stopping: false" in note


def test_json_and_csv_hold_every_run(folder):
    show = ("show", "net", "net/seed-1", "--patience", "3")
    known, unknown = json.loads(trainrun_(*show, "--format", "json", cwd=folder).stdout)[0]["runs"]
    assert known == {
        "seed": 0,
        "epochs": 7,
        "best_epoch": 5,
        "kept": 0.4,
        "regret": 0.0,
        "directory": f"{folder}/runs/net-0123abcd/seed-0",
    }
    assert (unknown["seed"], unknown["epochs"], unknown["kept"]) == (1, None, None)
    rows = list(csv.DictReader(io.StringIO(trainrun_(*show, "--format", "csv", cwd=folder).stdout)))
    assert [(row["patience"], row["seed"], row["epochs"]) for row in rows] == [
        ("3", "0", "7"),
        ("3", "1", ""),
        ("", "0", "7"),
        ("", "1", ""),
    ]


def test_each_config_has_a_table_of_its_own(folder):
    text = OFF + "learning_rate: 0.5\n"
    other = ended_run(folder / "other", CURVE, text)
    done = trainrun_("show", "net", other.directory, "--patience", "1", cwd=folder)
    assert done.stdout.count("PATIENCE") == 2
    shown = trainrun_("show", "net", other.directory, cwd=folder).stdout
    assert shown.startswith("2 runs in ")
    assert "learning_rate: 0.5" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--patience", "1,x"], "--patience: must be whole numbers such as 1,2,5,10, got 1,x"),
        (["--patience", "-1"], "--patience: must be whole numbers"),
        (["--patience", ""], "--patience: must be whole numbers"),
        (["--format", "csv"], "show: --format csv goes with --patience"),
    ],
)
def test_what_cannot_be_meant_is_refused(folder, arguments, message):
    assert message in trainrun_("show", "net", *arguments, cwd=folder, code=2).stderr
