"""Ensembles in comparisons: their values, differences over seeds and rows, and what is left out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as reference
from scipy import stats

from shell import trainrun_
from test_ensembles import write_config, write_parts
from trainrun import compare, fit, load_run
from trainrun.comparing import CompareRequest, answer
from trainrun.comparing.ensembles import Ensembles, compare_ensembles
from trainrun.fitting import Observer
from trainrun.jackknife import row_groups
from trainrun.signals import StopRequest

CHANGE = "hidden=3"
SEEDS = 3
LABELS = ["no", "yes"]
SPLIT = {"path": "train.csv", "target": "y"}
WRITTEN = "ensembles.jsonl"


def kinds(folder: Path, *, classes: bool) -> None:
    write_parts(folder, lambda s: np.where(s > 0.4, "yes", "no") if classes else (5 + 2 * s).round(2))


def asked(folder: Path, *words: object, code: int = 0) -> dict:
    return json.loads(trainrun_("compare", *words, "--format", "json", cwd=folder, code=code).stdout)


def text_of(folder: Path, *words: object) -> str:
    return " ".join(trainrun_("compare", *words, cwd=folder).stdout.split())


@pytest.fixture(scope="module", params=["classes", "numbers"])
def folder(request, tmp_path_factory):
    """A folder with the runs of a comparison."""
    folder = tmp_path_factory.mktemp(request.param)
    kinds(folder, classes=request.param == "classes")
    write_config(folder, learning_rate=0.1, epochs=6)
    trainrun_("compare", "net.yaml", "--vs", CHANGE, "--seeds", SEEDS, cwd=folder)
    return folder


@pytest.fixture
def found(folder):
    return asked(folder, "net.yaml", "--vs", CHANGE, "--seeds", SEEDS)


@pytest.fixture
def pair(tmp_path):
    """A folder of its own with two configs of two seeds each."""
    kinds(tmp_path, classes=True)
    write_config(tmp_path)
    asked(tmp_path, "net.yaml", "--vs", CHANGE, "--seeds", 2)
    return tmp_path


def names(found: dict) -> list[str]:
    return [f"{Path(one['directory']).relative_to(Path.cwd())}" for one in found["configs"]]


def test_values_are_those_of_evaluate(folder, found, monkeypatch):
    monkeypatch.chdir(folder)
    assert [one["config"] for one in found["ensembles"]] == ["net", f"net + {CHANGE}"]
    for one, name in zip(found["ensembles"], names(found), strict=True):
        told = trainrun_("evaluate", name, "--ensemble", "--format", "json", cwd=folder).stdout
        expected = json.loads(told)["ensemble"]
        assert {key: one[key] for key in ("seeds", "valid", "test")} == expected


def test_differences_have_the_keys_of_those_of_single_seeds(found):
    assert [list(one) for one in found["ensemble_differences"]] == [list(one) for one in found["differences"]]
    named = [
        [(one["part"], one["metric"]) for one in found[key]]
        for key in ("differences", "ensemble_differences")
    ]
    assert named[0] == named[1]
    values = {one["config"]: one for one in found["ensembles"]}
    for one in found["ensemble_differences"]:
        mine, its = (values[one[key]][one["part"]][one["metric"]] for key in ("config", "baseline"))
        assert one["mean"] == mine - its
        assert (one["n"], one["verdict"], one["p_better"]) == (SEEDS, "too few seeds", None)
        assert one["enough"]["more_seeds"] is None


def members(folder: Path, name: str) -> list[np.ndarray]:
    """What each member predicts for the test rows: probabilities [N, labels] or numbers [N]."""
    runs = [load_run(folder / name / f"seed-{seed}") for seed in range(SEEDS)]
    if runs[0].preprocessing.target.task == "classification":
        return [run.probabilities(folder / "test.csv") for run in runs]
    return [run.predict(folder / "test.csv") for run in runs]


def metric(name: str, truth: np.ndarray, mean: np.ndarray) -> float:
    if name == "accuracy":
        return reference.accuracy_score(truth, np.array(LABELS)[mean.argmax(axis=1)])
    if name == "loss":
        return reference.log_loss(truth, mean, labels=LABELS)
    return {"rmse": reference.root_mean_squared_error, "mae": reference.mean_absolute_error,
            "r2": reference.r2_score}[name](truth.astype(float), mean)  # fmt: skip


def test_intervals_are_the_jackknifes_with_all_left_out_by_hand(folder, found, monkeypatch):
    """Each member, each group of rows and each pair of both is left out, with the metrics of scikit-learn."""
    monkeypatch.chdir(folder)
    lines = (folder / "test.csv").read_text().splitlines()[1:]
    truth = np.array([line.rpartition(",")[2] for line in lines])
    baseline, other = (members(folder, name) for name in names(found))
    groups = row_groups(len(truth))
    n, g = SEEDS, groups.max() + 1
    assert g == 20
    checked = 0
    for one in found["ensemble_differences"]:
        if one["part"] != "test" or (
            one["metric"] == "loss" and "accuracy" not in found["ensembles"][0]["test"]
        ):
            continue  # the loss of numbers is in their trained scale

        def left_out(seed: int | None, group: int | None, name: str = one["metric"]) -> float:
            rows = groups != group
            mine, its = (
                np.mean([kept for place, kept in enumerate(of) if place != seed], axis=0)[rows]
                for of in (other, baseline)
            )
            return metric(name, truth[rows], mine) - metric(name, truth[rows], its)

        seeds, parts = range(n), range(g)
        of_seeds = np.array([left_out(seed, None) for seed in seeds])
        of_rows = np.array([left_out(None, group) for group in parts])
        cells = np.array([[left_out(seed, group) for group in parts] for seed in seeds])
        both = cells - cells.mean(axis=0) - cells.mean(axis=1, keepdims=True) + cells.mean()
        variance = (g - 1) * of_rows.var() + max(
            0, (n - 1) * of_seeds.var() - (n - 1) / n * (g - 1) / g * (both**2).sum()
        )
        reach = stats.t.ppf(0.975, n - 1) * variance**0.5
        low, high = one["interval"]
        assert one["mean"] == pytest.approx(left_out(None, None), abs=1e-6)
        assert (high - low) / 2 == pytest.approx(reach, rel=1e-3, abs=1e-6)
        assert one["p"] == pytest.approx(2 * stats.t.sf(abs(one["mean"]) / variance**0.5, n - 1), rel=1e-2)
        checked += 1
    assert checked == 2 + (len(found["ensembles"][0]["test"]) == 4)


def test_the_text_has_a_table_and_a_sentence(folder, found):
    text = text_of(folder, "net.yaml", "--vs", CHANGE, "--seeds", SEEDS)
    value = found["ensembles"][1]["test"]["loss"]
    single = found["configs"][1]["metrics"]["test"]["loss"]["mean"]
    assert f"{value:.4f} ({single:.4f})" in text
    assert (
        f"Too few seeds to tell the ensemble of net + {CHANGE} from the ensemble of net over 3 seeds and "
        "test rows: test loss differs by "
    ) in text


def test_a_copy_differs_by_nothing(pair):
    (pair / "copy.yaml").write_text((pair / "net.yaml").read_text())
    found = asked(pair, "net.yaml", "copy.yaml", "--seeds", 6)
    facts = [
        (one["mean"], one["interval"], one["p"], one["verdict"]) for one in found["ensemble_differences"]
    ]
    assert facts == [(0, [0, 0], 1, "no difference shown")] * 4


def test_six_seeds_have_a_verdict_that_diverged_runs_can_withhold(tmp_path):
    kinds(tmp_path, classes=False)
    write_config(tmp_path, learning_rate=1e-6, metrics=["rmse"])
    words = ("net.yaml", "--vs", "learning_rate=0.05 epochs=30", "--seeds", 7)
    before = asked(tmp_path, *words)
    assert {one["verdict"] for one in before["ensemble_differences"]} == {"better"}
    result = Path(before["configs"][1]["directory"]) / "seed-6" / "result.json"
    result.write_text(result.read_text().replace('"complete"', '"diverged"'))
    found = asked(tmp_path, *words, code=3)
    assert {one["verdict"] for one in found["ensemble_differences"]} == {"withheld"}
    # Each ensemble is of its own seeds, the difference is of the seeds that both have.
    assert [len(one["seeds"]) for one in found["ensembles"]] == [7, 6]
    assert {one["n"] for one in found["ensemble_differences"]} == {6}
    of_both = fit(tmp_path / "net.yaml", seeds=6, runs=tmp_path / "six")
    expected = load_run(of_both[0], ensemble=True).evaluate_parts()["test"]
    (one,) = [
        one for one in found["ensemble_differences"] if (one["part"], one["metric"]) == ("test", "rmse")
    ]
    assert one["mean"] == found["ensembles"][1]["test"]["rmse"] - expected["rmse"]


def test_an_answer_is_remembered_and_needs_no_data(pair):
    found = asked(pair, "net.yaml", "--vs", CHANGE, "--seeds", 2)
    lines = (pair / "runs" / WRITTEN).read_text()
    assert len(lines.splitlines()) == 3  # two ensembles and their pair
    directories = [one["directory"] for one in found["configs"]]
    (pair / "test.csv").unlink()
    again = asked(pair, *directories)
    assert again["ensembles"][0]["test"] == found["ensembles"][0]["test"]
    assert len(again["ensemble_differences"]) == 4
    assert (pair / "runs" / WRITTEN).read_text() == lines


def test_new_weights_are_computed_anew(pair):
    before = asked(pair, "net.yaml", "--vs", CHANGE, "--seeds", 2)
    one = Path(before["configs"][0]["directory"]) / "seed-0" / "best.safetensors"
    shutil.copyfile(one.parent.parent / "seed-1" / one.name, one)
    after = asked(pair, "net.yaml", "--vs", CHANGE, "--seeds", 2)
    assert after["ensembles"][0]["test"] != before["ensembles"][0]["test"]
    assert after["ensembles"][1] == before["ensembles"][1]


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        '{"key": 3, "values": {}}',
        '{"key": "KEY", "values": {"test": {"loss": "a"}}}',
        '{"key": "KEY", "values": {"test": {"\\u001b[31m": 1.0}}}',
        '{"key": "KEY", "values": {"train": {"loss": 1.0}}}',
        '{"key": "KEY", "values": {"test": {"loss": Infinity}}}',
        '{"key": "KEY", "values": {"test": [1]}}',
        '{"key": "KEY", "pair": {"test": {"loss": [1, 1, 1]}}}',
        '{"key": "KEY", "pair": {"test": {"loss": [1, 1, -1, 5]}}}',
        '{"key": "KEY", "pair": {"test": {"loss": [1, 1, 1, 0]}}}',
        '{"key": "KEY", "pair": {"test": {"loss": [1, 1, 1, 1e9]}}}',
        '{"key": "KEY", "pair": {"test": {"loss": 7}}}',
        '{"key": "KEY", "pair": 7}',
        '{"key": "KEY"',
    ],
)
def test_damaged_lines_are_skipped(pair, line):
    words = ("net.yaml", "--vs", CHANGE, "--seeds", 2)
    found = asked(pair, *words)
    log = pair / "runs" / WRITTEN
    keys = [json.loads(row)["key"] for row in log.read_text().splitlines()]
    log.write_text("".join(line.replace("KEY", key) + "\n" for key in keys))
    assert asked(pair, *words) == found
    assert asked(pair, *words) == found


def test_a_log_that_cannot_be_written_is_no_error(pair):
    log = pair / "runs" / WRITTEN
    log.unlink()
    log.mkdir()
    assert len(asked(pair, "net.yaml", "--vs", CHANGE, "--seeds", 2)["ensembles"]) == 2


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda folder: (folder / "test.csv").unlink(), "test.csv: there is no such file."),
        (lambda folder: write_parts(folder, lambda s: np.where(s > 0.9, "yes", "no")),
         "the data is not what it was trained on."),
        (lambda folder: [path.unlink() for path in folder.glob("runs/*/seed-1/best.safetensors")],
         "best.safetensors: cannot be read: "),
        (lambda folder: [path.unlink() for path in folder.glob("runs/*/seed-1/preprocessing.json")],
         "preprocessing.json: cannot be read: No such file or directory."),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_left_out_and_said(pair, harm, reason):
    directories = [
        one["directory"] for one in asked(pair, "net.yaml", "--vs", CHANGE, "--seeds", 2)["configs"]
    ]
    (pair / "runs" / WRITTEN).unlink()
    harm(pair)
    found = asked(pair, *directories)
    assert found["ensembles"] == found["ensemble_differences"] == []
    assert len(found["differences"]) == 4
    text = text_of(pair, *directories)
    assert "No ensembles: " in text or text.count("No ensemble of ") == 2
    assert reason in text.replace("- ", "-")
    assert not (pair / "runs" / WRITTEN).exists()


def test_splits_of_each_seed_have_no_ensemble(tmp_path):
    kinds(tmp_path, classes=True)
    write_config(tmp_path, data=SPLIT | {"split": {"seed": "run"}})
    words = ("net.yaml", "--vs", CHANGE, "--seeds", 2)
    found = asked(tmp_path, *words)
    assert found["ensembles"] == found["ensemble_differences"] == []
    assert "No ensembles: each seed has a split of its own (data.split.seed: run)." in text_of(
        tmp_path, *words
    )


def test_one_seed_has_no_ensemble_and_nothing_is_said(pair):
    words = ("net.yaml", "--vs", CHANGE, "--seeds", 1)
    assert asked(pair, *words)["ensembles"] == []
    assert "nsemble" not in text_of(pair, *words)


def test_one_config_alone_has_an_ensemble_and_no_difference(pair):
    found = asked(pair, "net.yaml", "--seeds", 2)
    assert [one["config"] for one in found["ensembles"]] == ["net"]
    assert found["ensemble_differences"] == []
    assert "Ensembles of all seeds" in text_of(pair, "net.yaml", "--seeds", 2)


def test_other_rows_are_not_compared(tmp_path):
    kinds(tmp_path, classes=True)
    write_config(tmp_path, data=SPLIT)
    words = ("net.yaml", "--vs", "data.split.seed=5", "--vs", "data.scale=minmax", "--seeds", 2)
    found = asked(tmp_path, *words)
    assert len(found["ensembles"]) == 3
    assert {one["config"] for one in found["differences"]} == {
        "net + data.split.seed=5",
        "net + data.scale=minmax",
    }
    assert {one["config"] for one in found["ensemble_differences"]} == {"net + data.scale=minmax"}
    line = "No ensemble of net + data.split.seed=5 is compared with that of net: different splits."
    assert line in text_of(tmp_path, *words)


def test_other_losses_and_target_scales_share_the_other_metrics(tmp_path):
    kinds(tmp_path, classes=False)
    write_config(tmp_path)
    found = asked(tmp_path, "net.yaml", "--vs", "data.scale_target=none", "--vs", "loss=mae", "--seeds", 2)
    metrics = {one["metric"] for one in found["ensemble_differences"]}
    assert metrics == {"rmse", "mae", "r2"}
    assert len({one["config"] for one in found["ensemble_differences"]}) == 2


def test_a_part_that_is_not_there_is_null(tmp_path):
    kinds(tmp_path, classes=True)
    write_config(tmp_path, data=SPLIT | {"split": {"test": 0}})
    found = asked(tmp_path, "net.yaml", "--vs", CHANGE, "--seeds", 2)
    assert [one["test"] for one in found["ensembles"]] == [None, None]
    assert {one["part"] for one in found["ensemble_differences"]} == {"valid"}
    assert "over 2 seeds and validation rows" in found["ensemble_differences"][0]["sentence"]


def test_without_a_held_out_part_there_is_no_ensemble(tmp_path):
    kinds(tmp_path, classes=True)
    write_config(tmp_path, data=SPLIT | {"split": {"valid": 0, "test": 0}}, early_stopping=False)
    assert asked(tmp_path, "net.yaml", "--vs", CHANGE, "--seeds", 2)["ensembles"] == []
    assert "nsemble" not in text_of(tmp_path, "net.yaml", "--vs", CHANGE, "--seeds", 2)


@pytest.mark.parametrize("classes", [True, False])
def test_calibrated_losses_are_said_to_be(tmp_path, classes):
    kinds(tmp_path, classes=classes)
    write_config(tmp_path, calibrate=True)
    said = text_of(tmp_path, "net.yaml", "--vs", CHANGE, "--seeds", 2)
    assert (f"Losses of net, net + {CHANGE} are calibrated here" in said) == classes


def test_a_part_of_one_row_says_nothing_about_others(tmp_path):
    """The reason is the same when the values are read from the file."""
    kinds(tmp_path, classes=True)
    split = {"split": {"valid": 1, "test": 1}}
    write_config(tmp_path, data=SPLIT | split)
    words = ("net.yaml", "--vs", CHANGE, "--seeds", 2)
    for _ in range(2):
        assert len(asked(tmp_path, *words)["ensembles"]) == 2
        line = f"No ensemble of net + {CHANGE} is compared with that of net: too few rows."
        assert line in text_of(tmp_path, *words)


def test_a_config_with_a_single_seed_has_no_ensemble(pair):
    changed = next(one for one in (pair / "runs").glob("net-*") if "hidden: [3]" in _config(one))
    shutil.rmtree(changed / "seed-1")
    words = ("compare", "net.yaml", "--vs", CHANGE, "--seeds", 2, "--no-fit")
    said = trainrun_(*words, cwd=pair, code=4).stdout
    assert "No ensemble of net + hidden=3: fewer than 2 complete seeds." in said


def _config(group: Path) -> str:
    return (group / "seed-0/config.yaml").read_text()


def test_a_request_to_stop_does_not_wait_for_ensembles(pair, monkeypatch):
    monkeypatch.chdir(pair)
    comparison = compare("net.yaml", vs=[CHANGE], seeds=2)
    (Path("runs") / WRITTEN).unlink()

    class Asked(StopRequest):
        def requested(self) -> bool:
            return True

    arguments = (comparison.standings, comparison.criterion, Path("runs"))
    stopped = compare_ensembles(*arguments, Asked())
    assert stopped == Ensembles(left_out=("No ensembles: the command was stopped.",), is_stopped=True)
    request = CompareRequest(["net.yaml"], [CHANGE], [], 2, None, Path("runs"), True, False, Asked())
    assert answer(request, Observer()).exit_code == 75
    assert compare_ensembles(*arguments, StopRequest()) == comparison.ensembles
    assert comparison.ensembles.of("net").seeds == (0, 1)
