"""Settings that cannot be meant: `fit`, `check` and `compare` warn of them, and of nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from configs import config_of
from test_cli import trainrun_
from test_continuing import carry, statuses
from trainrun.runs.reading import Run
from trainrun.warnings import key_of, setting_warnings

POINTS = "data: {path: points.csv, target: y}\nhidden: [8]\nepochs: 3\n"
WORST = "early_stopping.mode: min keeps the epoch with the lowest val_accuracy, which is the worst"


def said(folder: Path, settings: str) -> list[str]:
    """The warnings about digits with these settings, by the settings alone; each has a key of its own."""
    found = setting_warnings(config_of(folder, f"data: digits\n{settings}"))
    assert len({key_of(text) for text in found}) == len(found)
    return list(found)


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ("early_stopping: {monitor: val_accuracy, mode: min}", WORST),
        (
            "early_stopping: {monitor: loss, mode: max}",
            "early_stopping.mode: max keeps the epoch with the hig",
        ),
        ("early_stopping: {monitor: val_auc, mode: min, patience: null}", "early_stopping.mode: min"),
        ("early_stopping: {monitor: val_rmse, mode: max}\nmetrics: rmse", "early_stopping.mode: max"),
        ("early_stopping: 40\nepochs: 40", "early_stopping.patience: 40 is not below epochs: 40"),
        ("early_stopping: 500", "early_stopping.patience: 500 is not below epochs: 100"),
        (
            "early_stopping: {start_from_epoch: 100}",
            "early_stopping.start_from_epoch: 100 is not below epochs",
        ),
        (
            "early_stopping: {start_from_epoch: 95}",
            "early_stopping.start_from_epoch: 95 and patience: 10 take all",
        ),
        ("early_stopping: {patience: null, min_delta: 0.01}", "early_stopping.min_delta: 0.01 does nothing"),
        ("early_stopping: {patience: null, baseline: 0.5}", "early_stopping.baseline: 0.5 does nothing"),
        (
            "early_stopping: {patience: null, start_from_epoch: 3}",
            "early_stopping.start_from_epoch: 3 does noth",
        ),
        ("early_stopping: {monitor: val_accuracy, min_delta: 1}", "early_stopping.min_delta: 1 is more than"),
        (
            "early_stopping: {monitor: val_accuracy, baseline: 90}",
            "early_stopping.baseline: 90 cannot be beaten",
        ),
        (
            "early_stopping: {monitor: val_accuracy, baseline: 1}",
            "early_stopping.baseline: 1 cannot be beaten",
        ),
        (
            "early_stopping: {baseline: 0}",
            "early_stopping.baseline: 0 cannot be beaten: val_loss is at least 0",
        ),
        (
            "schedule: {name: reduce_on_plateau, patience: 10}",
            "schedule.patience: reduce_on_plateau waits 10 ep",
        ),
        (
            "schedule: reduce_on_plateau\nearly_stopping: 5",
            "schedule.patience: reduce_on_plateau waits 5 epochs",
        ),
        (
            "schedule: {name: reduce_on_plateau, patience: 30}\nearly_stopping: false\nepochs: 30",
            "schedule.patience: 30 is not below epochs: 30",
        ),
        (
            "schedule: {name: reduce_on_plateau, min_lr: 0.01}",
            "schedule.min_lr: 0.01 is not below learning_rate",
        ),
        (
            "schedule: {name: reduce_on_plateau, min_delta: 2}\nearly_stopping: {monitor: val_accuracy}",
            "schedule.min_delta: 2 is more than val_accuracy can gain on guessing: 1",
        ),
    ],
)
def test_a_setting_that_cannot_be_meant_is_warned_of(tmp_path, settings, warning):
    (found,) = said(tmp_path, settings)
    assert found.startswith(warning)


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "epochs: 5",  # below the patience that nobody has written
        "epochs: 0\nearly_stopping: 20",
        "early_stopping: false",
        "early_stopping: {monitor: val_accuracy, mode: max}",
        "early_stopping: {monitor: val_accuracy, mode: auto}",
        "early_stopping: {monitor: val_loss, mode: min, baseline: 0.1}",
        "early_stopping: {monitor: val_accuracy, baseline: 0.99, min_delta: 0.5, start_from_epoch: 20}",
        "early_stopping: 99",
        "schedule: reduce_on_plateau",
        "schedule: {name: reduce_on_plateau, patience: 9}",
        "schedule: {name: reduce_on_plateau, patience: 20}\nearly_stopping: false",
        "schedule: {name: reduce_on_plateau, patience: 10}\nearly_stopping: {start_from_epoch: 5}",
        "schedule: reduce_on_plateau\nepochs: 4",
    ],
)
def test_a_setting_that_can_be_meant_is_not(tmp_path, settings):
    assert said(tmp_path, settings) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of points with two classes, and two configs of it: the one keeps the worst epoch."""
    points = np.random.default_rng(0).normal(size=(100, 2)).round(3)
    rows = [f"{a},{b},{int(a > b)}" for a, b in points]
    (tmp_path / "points.csv").write_text("\n".join(["a,b,y", *rows, ""]))
    (tmp_path / "right.yaml").write_text(POINTS + "early_stopping: {monitor: val_accuracy, patience: 2}\n")
    wrong = "early_stopping: {monitor: val_accuracy, mode: min, patience: 2}\n"
    (tmp_path / "wrong.yaml").write_text(POINTS + wrong)
    return tmp_path


def logs(folder: Path, runs: str = "runs") -> list[list[str]]:
    places = sorted(folder.glob(f"{runs}/*/seed-*"))
    return [Run(place).paths.log.read_text().splitlines() for place in places]


def test_fit_warns_on_the_console_and_in_the_log(folder):
    printed = trainrun_("fit", "wrong.yaml", "--seeds", "2", cwd=folder).stdout
    first, second = logs(folder)
    for log in (first, second):
        assert log[0].startswith(f"Warning: {WORST}")
        assert log[1].startswith("Epoch 1/")
    assert printed.count(WORST) == 1
    trainrun_("fit", "right.yaml", "--runs", "other", cwd=folder)
    assert logs(folder, "other")[0][0].startswith("Epoch 1/")


def test_the_same_config_gives_the_same_log(folder):
    trainrun_("fit", "wrong.yaml", cwd=folder)
    trainrun_("fit", str(folder / "wrong.yaml"), "--runs", "other", "--progress", "none", cwd=folder.parent)
    (first,), (second,) = logs(folder), logs(folder.parent, "other")
    assert first == second


def test_a_run_that_continues_has_its_warning_once_in_the_log(folder):
    config = folder / "wrong.yaml"
    carry(folder / "whole", config)
    assert "interrupted" in statuses(carry(folder / "runs", config, looks=6))
    assert statuses(carry(folder / "runs", config)) == ["complete"]
    assert logs(folder) == logs(folder, "whole")


def test_with_json_the_warning_is_on_stderr(folder):
    done = trainrun_("fit", "wrong.yaml", "--format", "json", cwd=folder)
    assert WORST in done.stderr
    assert json.loads(done.stdout)[0]["notes"] == []


def test_check_warns_and_is_still_content(folder):
    done = trainrun_(
        "check", "wrong.yaml", "right.yaml", "--format", "json", "--strict", cwd=folder
    )  # leaves with 0
    wrong, right = json.loads(done.stdout)
    assert (len(wrong["warnings"]), right["warnings"]) == (1, [])
    assert wrong["warnings"][0].startswith(WORST)


def test_compare_names_the_config_that_is_warned_of(folder):
    done = trainrun_("compare", "right.yaml", "wrong.yaml", "--seeds", "2", "--format", "json", cwd=folder)
    warned = [text for text in json.loads(done.stdout)["warnings"] if WORST in text]
    assert [text.partition(": early_stopping")[0] for text in warned] == ["wrong"]
    assert WORST not in done.stderr
    again = trainrun_("compare", "right", "wrong", "--format", "json", cwd=folder)
    assert warned == [text for text in json.loads(again.stdout)["warnings"] if WORST in text]


def test_compare_says_once_what_all_configs_share(folder):
    changes = ["--vs", "hidden=4", "--seeds", "2", "--format", "json"]
    done = trainrun_("compare", "wrong.yaml", *changes, cwd=folder)
    (shared,) = (text for text in json.loads(done.stdout)["warnings"] if WORST in text)
    assert shared.startswith(WORST)
