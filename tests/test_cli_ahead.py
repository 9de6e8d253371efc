"""`trainrun check`, `schedule` and `find-lr` as a shell sees them."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

from shell import trainrun_

NET = "data: iris\nhidden: [8, 8]\nepochs: 20\n"
COMMANDS = [["check"], ["schedule"], ["find-lr", "--steps", "5", "--seeds", "2", "--low", "1e-3"]]
FORMATS = [
    *((command, form) for command in COMMANDS for form in ([], ["--format", "json"])),
    (COMMANDS[1], ["--format", "csv"]),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "net.yaml").write_text(NET)
    (tmp_path / "flat.yaml").write_text(NET + "initializer: zeros\n")
    (tmp_path / "wrong.yaml").write_text("data: iris\nlr: 0.1\n")
    return tmp_path


@pytest.mark.parametrize(("command", "form"), FORMATS, ids=str)
def test_looking_ahead_leaves_nothing_behind(command, form, folder):
    before = sorted(folder.iterdir())
    name, *options = command
    done = trainrun_(name, "net.yaml", *options, *form, cwd=folder)
    assert done.stdout.endswith("\n")
    assert done.stderr == ""
    assert sorted(folder.iterdir()) == before
    if "json" in form:
        json.loads(done.stdout)
    elif not form:  # plain lines that fit where 80 columns are
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert "\x1b" not in done.stdout


def test_check_draws_the_layers_and_says_that_all_is_well(folder):
    done = trainrun_("check", "net.yaml", cwd=folder)
    lines = done.stdout.splitlines()
    assert lines[0] == "net: 4 - (2 x 8) - 3, PyTorch with ReLU"
    assert lines[1].startswith("139 parameters, 90 training rows; about 0.1 MB and ")
    head = next(i for i, line in enumerate(lines) if line.split()[:1] == ["layer"])
    assert [line.split()[:2] for line in lines[head : head + 4]] == [
        ["layer", "units"],
        ["input", "4"],
        ["1", "8"],
        ["2", "8"],
    ]
    assert "✓ Ready to train: the signal comes through (2^" in done.stdout
    assert "guessing gives 1.0986 (ln 3)." in " ".join(done.stdout.split())


def test_check_carries_on_and_says_by_its_code_what_is_wrong(folder):
    files = ("net.yaml", "flat.yaml", "wrong.yaml")
    done = trainrun_("check", *files, cwd=folder, code=2)
    assert "wrong.yaml:2:1" in done.stderr
    assert "✗ zeros makes all units of layer 1 one and the same unit" in done.stdout
    assert "With He initialization this does not happen. Try initializer: he_normal." in " ".join(
        done.stdout.split()
    )
    assert "✓ Ready to train" in done.stdout
    trainrun_("check", *files[:2], cwd=folder)
    trainrun_("check", *files[:2], "--strict", cwd=folder, code=3)
    trainrun_("check", "net.yaml", "--strict", cwd=folder)


def test_check_gives_scripts_every_figure(folder):
    done = trainrun_("check", "net.yaml", "flat.yaml", "wrong.yaml", "--format", "json", cwd=folder, code=2)
    net, flat, wrong = json.loads(done.stdout)
    assert (net["ok"], flat["ok"], wrong["ok"]) == (True, False, False)
    assert [layer["layer"] for layer in net["layers"]] == [1, 2]
    assert sum(net["layers"][0]["histogram"]["counts"]) == 90 * 8
    assert net["loss"]["guessing"] == pytest.approx(math.log(3))
    assert net["parameters"] == 139
    assert flat["findings"][0]["kind"] == "alike"
    assert flat["layers"][0]["size_power"] is None  # nothing of it is left
    assert "lr" in wrong["error"]
    assert [(found["notes"], found["warnings"]) for found in (net, flat)] == [([], []), ([], [])]
    assert wrong["notes"] == []


def test_check_of_values_that_overflow(folder):
    done = trainrun_(
        "check", "net.yaml", "--set", "initializer={name: normal, std: 1e30}", "--strict", cwd=folder, code=3
    )
    assert "✗ normal (std 1e+30) with ReLU: values overflow before the first step" in done.stdout


def test_check_draws_some_layers_of_a_deep_net(folder):
    done = trainrun_("check", "net.yaml", "--set", f"hidden={[4] * 40}", cwd=folder)
    numbers = [int(line.split()[0]) for line in done.stdout.splitlines() if line[:6].strip().isdecimal()]
    assert (len(numbers), numbers[0], numbers[-1]) == (16, 1, 40)


def test_schedule_is_the_closed_form_at_every_step(folder):
    steps = 20 * 3
    done = trainrun_("schedule", "net.yaml", "--set", "schedule=cosine", "--format", "json", cwd=folder)
    found = json.loads(done.stdout)
    assert found["step"] == list(range(steps))
    t = np.arange(steps)
    np.testing.assert_allclose(
        found["learning_rate"], 0.001 * (1 + np.cos(np.pi * t / steps)) / 2, rtol=1e-12
    )
    as_csv = trainrun_("schedule", "net.yaml", "--set", "schedule=cosine", "--format", "csv", cwd=folder)
    rows = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert [int(row["step"]) for row in rows] == found["step"]
    assert [float(row["learning_rate"]) for row in rows] == found["learning_rate"]


def test_schedule_is_what_a_fit_takes(folder):
    options = ("--set", "schedule=one_cycle", "--format", "json")
    planned = json.loads(trainrun_("schedule", "net.yaml", *options, cwd=folder).stdout)["learning_rate"]
    (fitted,) = json.loads(trainrun_("fit", "net.yaml", *options, cwd=folder).stdout)
    log = Path(fitted["directory"], "metrics.jsonl").read_text()
    epochs = [json.loads(line) for line in log.splitlines()]
    assert [epoch["learning_rate"] for epoch in epochs] == [planned[epoch["step"] - 1] for epoch in epochs]


def test_schedule_says_that_a_plateau_is_shown_unreduced(folder):
    plateau = ("--set", "schedule=reduce_on_plateau")
    table = trainrun_("schedule", "net.yaml", *plateau, cwd=folder)
    assert "reduce_on_plateau is shown unreduced" in table.stdout
    data = trainrun_("schedule", "net.yaml", *plateau, "--format", "json", cwd=folder)
    assert set(json.loads(data.stdout)["learning_rate"]) == {0.001}
    assert "unreduced" in data.stderr


def test_schedule_draws_a_curve_over_epochs_and_steps(folder):
    done = trainrun_("schedule", "net.yaml", "--set", "schedule=linear", cwd=folder)
    lines = done.stdout.splitlines()
    assert lines[0] == "net: linear, learning_rate 0.001, 20 epochs of 3 steps"
    assert lines[2].startswith("  0.001 ┤")
    assert any(line.split() == ["0", "5", "10", "15", "20", "epochs"] for line in lines)
    assert any(line.split() == ["0", "15", "30", "45", "60", "steps"] for line in lines)
    assert "0     1      1.000000e-03" in lines
    assert "59    20     1.666667e-05" in lines


def test_a_schedule_of_no_steps_is_empty(folder):
    none = ("--set", "epochs=0")
    assert "0 epochs" in trainrun_("schedule", "net.yaml", *none, cwd=folder).stdout
    done = trainrun_("schedule", "net.yaml", *none, "--format", "json", cwd=folder)
    assert json.loads(done.stdout) == {"step": [], "learning_rate": []}


def test_find_lr_suggests_in_words_and_in_json(folder):
    options = (
        "--set",
        "optimizer=sgd",
        "--set",
        "initializer=he_normal",
        "--low",
        "1e-4",
        "--high",
        "1e4",
        "--steps",
        "60",
    )
    done = trainrun_("find-lr", "net.yaml", *options, cwd=folder)
    found = json.loads(trainrun_("find-lr", "net.yaml", *options, "--format", "json", cwd=folder).stdout)
    low, high = found["learns"]
    assert low <= found["suggestion"] <= found["best"] <= high < found["diverges"]
    said = " ".join(done.stdout.split())
    assert f"Learns from {low:g} to {high:g}" in said
    assert f"Diverges from {found['diverges']:g} on" in said
    assert f"Suggestion: learning_rate: {found['suggestion']:g}" in said
    assert [len(trial["losses"]) for trial in found["rates"]] == [3] * 25
    assert found["rates"][-1]["median"] is None  # not finite


def test_find_lr_says_where_nothing_learns(folder):
    options = ("--low", "1e-9", "--high", "1e-8", "--seeds", "1", "--steps", "3")
    done = trainrun_("find-lr", "net.yaml", *options, cwd=folder)
    assert "None of them learns within 3 steps" in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_wrong_config_is_one_message(command, folder):
    name, *options = command
    done = trainrun_(name, "wrong.yaml", *options, cwd=folder, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("wrong.yaml:2:1: lr:")


def test_limits_of_learning_rates_are_checked(folder):
    done = trainrun_("find-lr", "net.yaml", "--low", "1", "--high", "0.1", cwd=folder, code=2)
    assert "must rise from above 0 to at most 1e+30, got 1 to 0.1" in done.stderr


@pytest.mark.parametrize(
    ("low", "high", "why"),
    [("1e3", "1e5", "Try lower ones with --low"), ("1e-12", "1e-11", "Try higher ones")],
)
def test_why_no_learning_rate_learns(low, high, why, folder):
    words = ("find-lr", "net.yaml", "--low", low, "--high", high, "--seeds", "1", "--steps", "20")
    done = trainrun_(*words, "--set", "optimizer=sgd", cwd=folder)
    assert why in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "initializer: auto took torch_default for each layer, as nets of up to 4 hidden layers"),
        ("hidden: [8, 8, 8, 8, 8]\n", "auto took he_normal for each layer, as it keeps the signal's size"),
        (
            "activation: tanh\noutput_initializer: zeros\n",
            "for each hidden layer, zeros for the last, as",
        ),
        ("initializer: he_normal\n", None),
    ],
)
def test_check_says_what_auto_took_for_the_initializer(tmp_path, text, said):
    (tmp_path / "a.yaml").write_text(f"data: iris\n{text}")
    printed = " ".join(trainrun_("check", "a.yaml", cwd=tmp_path).stdout.split())
    assert said in printed if said else "auto took" not in printed
