"""Settings that cannot be meant: `fit`, `check` and `compare` warn of them, and of nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from builders import blobs, line, plan
from configs import config_of
from documents import CONFIGS, PAGES
from fits import carry, statuses
from shell import trainrun_
from trainrun.config import load_config, to_yaml
from trainrun.data import Dataset, load_data
from trainrun.errors import ConfigError
from trainrun.ingredients import metrics
from trainrun.runs.reading import Run
from trainrun.warnings import curve_warnings, key_of, setting_warnings, warnings

POINTS = "data: {path: points.csv, target: y}\nhidden: [8]\nepochs: 3\n"
PAGE = next(page for page in PAGES if page.name == "before-training.md").read_text()
DOCUMENTED = {
    key for cell in re.findall(r"^\| (`.*?`) \|", PAGE, re.M) for key in re.findall(r"`(\S+)`", cell)
}
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
        (
            "early_stopping: {monitor: val_accuracy, min_delta: 1}",
            "early_stopping.min_delta: 1 lets nothing count as better",
        ),
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
            "schedule.min_delta: 2 lets nothing count as better: val_accuracy gains at most 1",
        ),
        (
            "hidden: [8]\nactivation: identity",
            "activation: identity makes all layers together one linear map",
        ),
        (
            "activation: {name: leaky_relu, negative_slope: 1}",
            "activation: leaky_relu makes all layers togeth",
        ),
        ("hidden: [8, 1, 8]\ndropout: 0.3", "dropout.hidden: 0.3 drops layer 2's only unit"),
        (
            "hidden: [8, 4]\ndropout: 0.8",
            "dropout.hidden: 0.8 leaves a row less than one of layer 2's 4 units",
        ),
        (
            "dropout: 0.9",
            "dropout.hidden: 0.9 drops 90% of layer 1's units. A rate is the part that is dropped",
        ),
        ("hidden: [10]\ndropout: 0.9", "dropout.hidden: 0.9 drops 90% of layer 1's units"),
        ("hidden: []\nregularization: {activity_l1: 0.1}", "regularization.activity_l1: 0.1 does nothing"),
        ("regularization: {l1_method: subgradient}", "regularization.l1_method: subgradient does nothing"),
        (
            "regularization: {weight_decay: 1000}",
            "regularization.weight_decay: 1000 times learning_rate: 0.001",
        ),
        (
            "schedule: {name: piecewise, boundaries: [5 epochs], values: [1, 0.1]}\nlearning_rate: 0.5",
            "learning_rate: 0.5 is not used: piecewise has values of its own",
        ),
        ("schedule: {name: polynomial, end: 0.01}", "schedule.end: 0.01 is not below learning_rate: 0.001"),
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
        "epochs: 1\nearly_stopping: 20",
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
        "hidden: []\nactivation: identity",
        "hidden: [2, 3]\ndropout: 0.5",
        "hidden: [1]\ndropout: 0",
        "hidden: [1]\ndropout: {input: 0.5}",
        "regularization: {l1: 0.1, l1_method: subgradient, activity_l2: 0.1, weight_decay: 0.5}",
        "optimizer: adamw",
        "schedule: {name: piecewise, boundaries: [5 epochs], values: [1, 0.1]}",
        "schedule: {name: piecewise, boundaries: [5 epochs], values: [1, 0.1]}\nlearning_rate: 1",
    ],
)
def test_a_setting_that_can_be_meant_is_not(tmp_path, settings):
    assert said(tmp_path, settings) == []


ROWS = blobs(rows=100)  # 60 to train on, 20 to validate on; 5 inputs, 3 classes
NUMBERS = line(rows=100)
ONE_INPUT = blobs(rows=100, features=1)
FEW = blobs(rows=40)  # 8 to validate on


def said_of(folder: Path, settings: str, dataset: Dataset) -> list[str]:
    """The warnings about a data set with these settings; each has a key of its own."""
    found = warnings(config_of(folder, f"data: digits\n{settings}"), dataset)
    assert len({key_of(text) for text in found}) == len(found)
    return list(found)


@pytest.mark.parametrize(
    ("settings", "dataset", "warning"),
    [
        ("batch_size: 64", ROWS, "batch_size: 64 is more than the 60 training rows"),
        (
            "early_stopping: {min_delta: 1.2}",
            ROWS,
            "early_stopping.min_delta: 1.2 lets nothing count as better",
        ),
        (
            "early_stopping: {min_delta: 3}",
            NUMBERS,
            "early_stopping.min_delta: 3 lets nothing count as better",
        ),
        (
            "early_stopping: {min_delta: 50, monitor: val_rmse}",
            NUMBERS,
            "early_stopping.min_delta: 50 lets nothing count as better: val_rmse gains at most 2.804 on",
        ),
        ("dropout: {input: 0.3}", ONE_INPUT, "dropout.input: 0.3 drops the net's only input"),
        ("", FEW, "data.split.valid: too few validation rows to choose the best epoch: 8"),
        ("class_weight: {'0': 0, '1': 0, '2': 0}", ROWS, "class_weight: 0 for every class"),
        ("learning_rate: 1.0e-12", ROWS, "learning_rate: 1e-12 changes no weight"),
        (
            "schedule: {name: piecewise, boundaries: [300 epochs], values: [0, 0.1]}",
            ROWS,
            "schedule.values: 0 changes no weight",
        ),
        ("warmup: 300 steps", ROWS, "warmup: 300 steps leaves none of the training's 200 steps"),
        (
            "warmup: 101 epochs\nschedule: cosine",
            ROWS,
            "warmup: 101 epochs leaves none of the training's 200",
        ),
        ("warmup: 100%\nschedule: cosine", ROWS, "warmup: 100% leaves none of the training's 200 steps"),
        (
            "schedule: {name: step, every: 100 epochs}",
            ROWS,
            "schedule: step never changes the rate in these 200",
        ),
        ("schedule: {name: step, every: 30 epochs, gamma: 1}", ROWS, "schedule: step never changes the rate"),
        ("schedule: {name: linear, end_factor: 1}", ROWS, "schedule: linear never changes the rate"),
        (
            "schedule: {name: multistep, milestones: [900 steps, 4000 steps]}",
            ROWS,
            "schedule: multistep never changes the rate",
        ),
        (
            "schedule: {name: multistep, milestones: [30 epochs, 60 epochs, 120 epochs]}",
            ROWS,
            "schedule.milestones: 120 epochs comes after the last of 200 steps",
        ),
        (
            "schedule: {name: piecewise, boundaries: [99 epochs, 200 epochs], values: [1, 2, 3]}",
            ROWS,
            "schedule.boundaries: 200 epochs comes after the last of 200 steps",
        ),
        (
            "schedule: {name: multistep, milestones: [30 epochs, 60 epochs]}\nwarmup: 50 epochs",
            ROWS,
            "schedule.milestones: 60 epochs comes after the last of 100 steps",
        ),
        (
            "schedule: {name: cosine_restarts, first_decay: 100 epochs}",
            ROWS,
            "schedule.first_decay: 100 epochs is no shorter than the training",
        ),
    ],
)
def test_a_setting_that_cannot_be_meant_of_this_data_is_warned_of(tmp_path, settings, dataset, warning):
    (found,) = said_of(tmp_path, settings, dataset)
    assert found.startswith(warning)


@pytest.mark.parametrize("dataset", [ROWS, NUMBERS, ONE_INPUT], ids=["rows", "numbers", "one input"])
@pytest.mark.parametrize(
    "settings",
    [
        "",
        "epochs: 1",
        "epochs: 0\nschedule: {name: step, every: 5 epochs}\nwarmup: 5 epochs",
        "batch_size: 60",
        "batch_size: 60\nepochs: 1\nschedule: cosine",
        "hidden: []",
        "warmup: 100%",
        "warmup: 10 epochs\nschedule: cosine",
        "early_stopping: {min_delta: 0.01}",
        "schedule: reduce_on_plateau",
        "schedule: {name: step, every: 99 epochs}",
        "schedule: {name: multistep, milestones: [30%, 60%, 199 steps]}",
        "schedule: {name: piecewise, boundaries: [50 steps, 51 steps], values: [1, 2, 1]}",
        "schedule: {name: cosine_restarts, first_decay: 99 epochs}",
        "schedule: {name: exponential, decay_rate: 1.2, decay_over: 1 epochs}\nlearning_rate: 1.0e-10",
        *(f"schedule: {name}" for name in ("exponential", "inverse_time")),
        *(
            f"schedule: {name}"
            for name in ("cosine", "linear", "one_cycle", "inverse_sqrt", "wsd", "polynomial")
        ),
    ],
)
def test_a_setting_that_can_be_meant_of_this_data_is_not(tmp_path, settings, dataset):
    if settings.endswith(("exponential", "inverse_time")):
        settings = settings.replace(": ", ": {name: ") + ", decay_rate: 0.9}"
    assert said_of(tmp_path, settings, dataset) == []


def test_only_numbers_are_standardised(tmp_path):
    config = config_of(tmp_path, "data: {source: digits, scale_target: standard}\n")
    (found,) = warnings(config, ROWS)
    assert found.startswith("data.scale_target: standard does nothing")
    assert warnings(config, NUMBERS) == ()


@pytest.mark.parametrize(
    ("split", "warning"),
    [
        ("valid: 0.4", "data.split.valid: 0.4 is not used, as data.valid names the rows"),
        ("valid: 20", "data.split.valid: 20 is not used"),
        ("test: 0, seed: run", "data.split.seed: run is not used, as no part is cut"),
        ("test: 0, group: a", "data.split.group: a is not used, as no part is cut"),
        ("valid: 0", None),
        ("seed: run", None),
        ("test: 0.4", None),
    ],
)
def test_a_split_that_cuts_nothing_is_warned_of(tmp_path, split, warning):
    for name in ("points.csv", "more.csv"):
        (tmp_path / name).write_text("a,y\n1,x\n")
    data = f"data: {{path: points.csv, valid: more.csv, target: y, split: {{{split}}}}}\n"
    found = setting_warnings(config_of(tmp_path, data))
    assert len(found) == (warning is not None)
    assert all(text.startswith(warning) for text in found)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_no_config_of_the_project_is_warned_of(path):
    config = load_config(path)
    assert setting_warnings(config) == ()
    if config.data.source:
        assert warnings(config, load_data(config.data, config.seed)) == ()


@pytest.mark.parametrize("source", ["digits", "breast_cancer", "wine", "iris", "diabetes"])
def test_no_default_is_warned_of(tmp_path, source):
    config = config_of(tmp_path, f"data: {source}\n")
    assert warnings(config, load_data(config.data, config.seed)) == ()


def examples() -> Iterator[tuple[str, str]]:
    """The configs in the README and the docs, each with the page that it stands in."""
    for page in PAGES:
        for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
            if "\nmachines:" not in text:  # the file of machines is no config
                yield page.name, text


@pytest.mark.parametrize(("page", "text"), list(examples()))
def test_no_example_of_the_docs_is_warned_of(tmp_path, page, text):
    if not re.search("^data:", text, re.MULTILINE):
        text = f"data: digits\n{text}"
    assert setting_warnings(config_of(tmp_path, text)) == (), page


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("name", [*metrics, "loss"])
@pytest.mark.parametrize("part", ["val_", ""])
def test_only_the_wrong_direction_of_a_metric_is_warned_of(tmp_path, part, name, mode):
    right = "max" if name != "loss" and metrics[name].traits["larger_is_better"] else "min"
    watched = f"metrics: auto\nearly_stopping: {{monitor: {part}{name}, mode: {mode}}}"
    assert len(said(tmp_path, watched)) == (mode != right)


SETTINGS = {
    "early_stopping.monitor": st.sampled_from(["val_accuracy", "val_loss", "loss", "accuracy"]),
    "early_stopping.mode": st.sampled_from(["auto", "min", "max"]),
    "early_stopping.patience": st.sampled_from(["null", 0, 1, 9, 10, 11, 50]),
    "early_stopping.min_delta": st.sampled_from([0, 1e-4, 0.5, 1, 5]),
    "early_stopping.start_from_epoch": st.sampled_from([0, 1, 10, 60]),
    "early_stopping.baseline": st.sampled_from(["null", 0, 0.5, 1, 90]),
    "epochs": st.sampled_from([0, 1, 2, 10, 60]),
    "batch_size": st.sampled_from([1, 32, 60, 61, 10**6]),
    "warmup": st.sampled_from(["0 steps", "1 steps", "10 epochs", "100%"]),
    "schedule": st.sampled_from(
        [
            "constant",
            "cosine",
            "one_cycle",
            "{name: reduce_on_plateau, patience: 10, min_lr: 0.01, min_delta: 1}",
            "{name: step, every: 7 epochs}",
            "{name: multistep, milestones: [5 steps, 20 epochs]}",
            "{name: piecewise, boundaries: [10 epochs], values: [0, 0.1]}",
            "{name: cosine_restarts, first_decay: 10 epochs}",
        ]
    ),
    "learning_rate": st.sampled_from([1e-12, 0.001, 1]),
    "hidden": st.sampled_from(["[]", "[1]", "[8, 2]"]),
    "dropout": st.sampled_from([0, 0.5, 0.95, "{input: 0.9}"]),
    "activation": st.sampled_from(["relu", "identity"]),
    "regularization": st.sampled_from(["{}", "{activity_l1: 1, l1_method: subgradient, weight_decay: 3}"]),
}


@given(
    settings=st.fixed_dictionaries({}, optional=SETTINGS),
    dataset=st.sampled_from([ROWS, ONE_INPUT, FEW]),
)
def test_whatever_is_set_the_saved_config_is_warned_of_alike(tmp_path_factory, settings, dataset):
    folder = tmp_path_factory.getbasetemp()
    try:
        config = config_of(folder, "data: digits\n", *(f"{key}={value}" for key, value in settings.items()))
        plan(dataset, [config])
    except ConfigError:
        reject()
    found = warnings(config, dataset)
    (folder / "saved.yaml").write_text(to_yaml(config))
    assert warnings(load_config(folder / "saved.yaml"), dataset) == found
    assert warnings(config.with_seed(7), dataset) == found
    assert len({key_of(text) for text in found}) == len(found)
    for text in found:
        assert key_of(text) in DOCUMENTED
        assert all(len(sentence.split()) < 20 for sentence in text.split(". "))


@pytest.mark.parametrize(
    ("monitor", "values", "said"),
    [
        ("val_accuracy", [0.5] * 11, "10 of 11 epochs, and the first was kept. Take val_loss, which tells"),
        ("val_accuracy", [0.25, 0.75, 0.75, 0.75, 0.5, *[0.75] * 9], "11 of 14 epochs"),
        ("accuracy", [1.0] * 5, "4 of 5 epochs, and the first was kept. Take loss, which tells"),
        ("val_loss", [0.7] * 11, "10 of 11 epochs, and the first was kept. Does the net learn?"),
        ("val_accuracy", [0.5] * 4, None),  # too few to say
        ("val_accuracy", [0.5, 0.6, 0.7, 0.8, 0.8, 0.9, 0.9, 0.8, 0.9, 0.7], None),
        ("val_accuracy", [0.9, *[0.8] * 10], None),  # a best epoch that stands alone
        ("val_loss", [0.9, 0.8, 0.7, 0.8, 0.9, 1.0], None),
        ("val_loss", [float("nan")] * 8, None),
        ("val_loss", [], None),
    ],
)
def test_a_monitored_value_that_ties_is_warned_of(tmp_path, monitor, values, said):
    config = config_of(tmp_path, f"data: digits\nearly_stopping: {{monitor: {monitor}}}\n")
    found = curve_warnings(config, values)
    assert len(found) == (said is not None)
    assert all(said in text and text.startswith(f"early_stopping.monitor: {monitor} ") for text in found)


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


def test_fit_ends_with_a_warning_of_ties(folder):
    changes = ["--set", "learning_rate=1e-8", "--set", "epochs=8"]
    config = folder / "ties.yaml"
    config.write_text(POINTS + "early_stopping: {monitor: val_accuracy, patience: 5}\n")
    printed = trainrun_("fit", "ties.yaml", *changes, cwd=folder).stdout.splitlines()
    assert printed[-1].startswith(
        "Warning: early_stopping.monitor: val_accuracy equalled its best in 5 of 6 ep"
    )
    assert not any("equalled" in line for line in logs(folder)[0])


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
