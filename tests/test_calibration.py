"""Temperatures and calibration errors, against scipy and by hand, and what a run reports of them."""

import json
from itertools import pairwise

import numpy as np
import pytest
import sklearn.metrics as reference
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from configs import config_of
from shell import trainrun_
from trainrun import fit, load_run
from trainrun.calibration import calibration_error, fit_temperature, log_loss, reliability_bins, softmax

CONFIG = """\
data: iris
hidden: [16]
epochs: 12
learning_rate: 0.01
calibrate: true
loss: {name: by_task, label_smoothing: 0.3}
"""


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_the_temperature_minimizes_the_log_loss(classes, sharpness):
    rng = np.random.default_rng(classes)
    truth = rng.integers(0, classes, 300)
    logits = sharpness * (rng.normal(size=(300, classes)) + np.eye(classes)[truth])

    def loss(log_temperature):
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[np.arange(300), truth].mean()

    best = np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-10}).x)
    found = fit_temperature(logits, truth)
    assert found == pytest.approx(best, rel=1e-4)
    assert log_loss(logits / found, truth) == pytest.approx(loss(np.log(best)), rel=1e-9)


def test_a_temperature_has_bounds():
    """Rows that are all right ask for a temperature of 0, rows that are all wrong for an infinite one."""
    logits, right = np.eye(3), np.arange(3)
    assert log_loss(logits / fit_temperature(logits, right), right) < 1e-9
    assert fit_temperature(logits, (right + 1) % 3) == pytest.approx(100.0)


def test_the_calibration_error_by_hand():
    # Two rows at 0.9, one of them right; two at 0.55, both right.
    probabilities = np.array([[0.9, 0.1], [0.1, 0.9], [0.55, 0.45], [0.45, 0.55]])
    assert calibration_error(probabilities, np.array([0, 0, 0, 1])) == pytest.approx(
        (2 * abs(0.9 - 0.5) + 2 * abs(0.55 - 1.0)) / 4
    )
    assert calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0.0


@pytest.mark.parametrize("classes", [2, 5])
def test_the_bins_are_those_of_brute_force_and_give_the_error(classes):
    rng = np.random.default_rng(classes)
    probabilities = np.concatenate([rng.dirichlet(np.ones(classes), 400), np.eye(classes)])
    truth = rng.integers(0, classes, len(probabilities))
    bins, edges = reliability_bins(probabilities, truth), np.linspace(0, 1, 16)
    for place, (low, high) in enumerate(pairwise(edges)):
        inside = [
            (row.max(), row.argmax() == true)
            for row, true in zip(probabilities, truth, strict=True)
            if low <= row.max() < high or row.max() == high == 1
        ]
        assert bins.rows[place] == len(inside)
        if inside:
            assert (bins.confidence[place], bins.accuracy[place]) == pytest.approx(np.mean(inside, axis=0))
        else:
            assert np.isnan([bins.confidence[place], bins.accuracy[place]]).all()
    apart = np.nansum(bins.rows * np.abs(bins.confidence - bins.accuracy))
    assert calibration_error(probabilities, truth) == pytest.approx(apart / len(truth))


def test_softmax_overflows_for_no_logits():
    assert softmax(np.array([[1e4, 0.0], [0.0, -1e4]])).tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_a_run_reports_what_its_probabilities_are(tmp_path):
    (tmp_path / "net.yaml").write_text(CONFIG)
    runs = fit(tmp_path / "net.yaml", seeds=3, runs=tmp_path / "runs")
    for run in runs:
        result, trained = json.loads(run.paths.result.read_text()), load_run(run)
        assert result["temperature"] < 1  # smoothed labels make a net doubt too much
        assert result["valid"]["calibrated_loss"] < result["valid"]["loss"]
        assert result["valid"]["calibrated_ece"] < result["valid"]["ece"]
        assert trained.evaluate_parts()["test"]["loss"] == pytest.approx(
            result["test"]["calibrated_loss"], rel=1e-5
        )

        for part in ("valid", "test"):
            rows, truth = (result["reliability"][part], np.sum(result["confusion"][part]))
            for kind, error in (("uncalibrated", "ece"), ("calibrated", "calibrated_ece")):
                counts, confidence, accuracy = (np.array(values, float) for values in rows[kind].values())
                assert counts.sum() == truth
                assert np.nansum(counts * accuracy) == pytest.approx(np.trace(result["confusion"][part]))
                apart = np.nansum(counts * np.abs(confidence - accuracy)) / truth
                assert result[part][error] == pytest.approx(apart)

    (tmp_path / "alone.yaml").write_text(CONFIG + "seed: 2\n")
    (alone,) = fit(tmp_path / "alone.yaml", runs=tmp_path / "other")
    assert json.loads(alone.paths.result.read_text()) == json.loads(runs[2].paths.result.read_text())


def test_probabilities_and_predictions_use_the_temperature(tmp_path):
    (tmp_path / "net.yaml").write_text(CONFIG)
    (run,) = fit(tmp_path / "net.yaml", runs=tmp_path / "runs")
    (tmp_path / "plain.yaml").write_text(CONFIG.replace("calibrate: true", "calibrate: false"))
    (plain,) = fit(tmp_path / "plain.yaml", runs=tmp_path / "runs")
    temperature = json.loads(run.paths.result.read_text())["temperature"]
    rows = np.random.default_rng(0).normal([5.8, 3, 3.8, 1.2], 1, (20, 4))
    logits = np.log(load_run(plain).probabilities(rows))
    calibrated = load_run(run).probabilities(rows)
    np.testing.assert_allclose(calibrated, softmax(logits / temperature), rtol=1e-4, atol=1e-12)
    assert run.paths.weights.read_bytes() == plain.paths.weights.read_bytes()
    assert not {"temperature", "reliability"} & json.loads(plain.paths.result.read_text()).keys()


def test_numbers_have_no_temperature_and_classes_need_validation_rows(tmp_path):
    (tmp_path / "net.yaml").write_text("data: diabetes\ncalibrate: true\nepochs: 1\n")
    trainrun_("fit", "net.yaml", cwd=tmp_path)
    (tmp_path / "bare.yaml").write_text(
        "data: {source: iris, split: {valid: 0}}\ncalibrate: true\nepochs: 1\n"
    )
    done = trainrun_("fit", "bare.yaml", cwd=tmp_path, code=2)
    assert "bare.yaml:2:1: calibrate: needs a validation part" in done.stderr


def test_the_default_is_none(tmp_path):
    assert config_of(tmp_path, "data: iris\n").calibrate is False


def test_log_loss_is_scikit_learns():
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(size=(50, 4)), np.arange(50) % 4
    assert log_loss(logits, truth) == pytest.approx(reference.log_loss(truth, softmax(logits)))
