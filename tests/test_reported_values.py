"""What a run reports, held to scikit-learn on what the run predicts: every metric and every loss."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from sklearn import metrics as reference
from torch import nn, tensor

from tables import table
from trainrun import fit, load_run
from trainrun.ingredients import losses, metrics

PARTS = {"train": 29, "valid": 15, "test": 8}  # of 29 rows, batches of 7 and of 4 leave one over
CENTER, SCALE = 200.0, 30.0  # of numbers to predict: far from 0 and 1

CLASS_METRICS = {
    "accuracy": reference.accuracy_score,
    "balanced_accuracy": reference.balanced_accuracy_score,
    "f1_macro": lambda truth, answer: reference.f1_score(truth, answer, average="macro"),
    "error": reference.zero_one_loss,
}
SCORE_METRICS = {"auc": reference.roc_auc_score}
VALUE_METRICS = {
    "rmse": reference.root_mean_squared_error,
    "mae": reference.mean_absolute_error,
    "r2": reference.r2_score,
    "error": reference.root_mean_squared_error,
}
REGRESSION_LOSSES = {
    "mse": nn.MSELoss(),
    "mae": nn.L1Loss(),
    "huber": nn.HuberLoss(),
    "huber 0.3": nn.HuberLoss(delta=0.3),
    "by_task": nn.MSELoss(),
}
LOSSES = {"huber 0.3": {"name": "huber", "delta": 0.3}}
BASE = {"hidden": [6], "epochs": 4, "learning_rate": 0.02, "early_stopping": False, "device": "cpu"}


def rows_of(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three features, and a signal that they tell with some noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3)).round(3)
    return x, x.sum(axis=1) + rng.normal(0, 0.8, count)


def write_parts(folder, targets):
    """Write a table for each part; return the texts of their targets."""
    truth = {}
    for seed, (part, count) in enumerate(PARTS.items()):
        x, signal = rows_of(count, seed)
        truth[part] = targets(signal)
        columns = {f"x{j}": list(x[:, j]) for j in range(3)}
        table(folder / f"{part}.csv", {**columns, "y": list(truth[part])})
    return truth


def fitted(folder, **keys):
    """Fit a run on the parts; return it, its result, and the best epoch's line of its metrics."""
    files = {"path": "train.csv", "valid": "valid.csv", "test": "test.csv", "target": "y"}
    config = folder / "run.yaml"
    config.write_text(yaml.safe_dump({"data": files} | BASE | keys))
    (run,) = fit(config, runs=folder / "runs")
    lines = (run.directory / "metrics.jsonl").read_text().splitlines()
    result = json.loads((run.directory / "result.json").read_text())
    return load_run(run), result, json.loads(lines[result["best_epoch"] - 1])


def named(task: str, classes: int = 0) -> list[str]:
    """The metrics of a task."""
    names = [name for name in metrics if metrics[name].traits["task"] in (None, task)]
    return [name for name in names if classes == 2 or metrics[name].traits["reads"] != "score"]


@pytest.mark.parametrize("batch_size", [4, 7, 1000])
@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize(
    ("weights", "smoothed"),
    [(None, "cross_entropy"), ({"class0": 4.0}, "by_task")],
    ids=["plain", "weighted"],
)
def test_classification_reports_what_scikit_learn_does(tmp_path, classes, batch_size, weights, smoothed):
    def labels(signal):
        place = np.digitize(signal, np.linspace(-1.2, 1.2, classes - 1) if classes > 2 else [0.4])
        return np.array([f"class{c}" for c in place])

    truth, wanted = write_parts(tmp_path, labels), named("classification", classes)
    smoothing = {"name": smoothed, "label_smoothing": 0.1}
    run, result, epoch = fitted(
        tmp_path, metrics=wanted, batch_size=batch_size, class_weight=weights, loss=smoothing
    )
    known = list(run.preprocessing.target.classes)
    assert known == [f"class{c}" for c in range(classes)]
    for part, expected in truth.items():
        predicted = run.predict(tmp_path / f"{part}.csv")
        chances = run.probabilities(tmp_path / f"{part}.csv")
        assert (np.array(known)[chances.argmax(axis=1)] == predicted).all()
        assert list(result[part]) == ["loss", *wanted]
        loss = reference.log_loss(expected, chances, labels=known)
        assert result[part]["loss"] == pytest.approx(loss, rel=1e-5)
        for name in wanted:
            if name in CLASS_METRICS:
                value = CLASS_METRICS[name](expected, predicted)
            else:
                value = SCORE_METRICS[name](expected == "class1", chances[:, 1])
            assert result[part][name] == pytest.approx(value, rel=1e-9), (part, name)
        if part != "train":
            counts = reference.confusion_matrix(expected, predicted, labels=known)
            assert result["confusion"][part] == counts.tolist()
        assert run.evaluate(tmp_path / f"{part}.csv") == pytest.approx(result[part], rel=1e-5)
    assert {name: epoch[f"val_{name}"] for name in result["valid"]} == result["valid"]


@pytest.mark.parametrize("batch_size", [4, 7, 1000])
@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_regression_reports_what_scikit_learn_does(tmp_path, loss, batch_size):
    truth = write_parts(tmp_path, lambda signal: (CENTER + SCALE * signal).round(2))
    wanted = named("regression")
    run, result, epoch = fitted(tmp_path, metrics=wanted, batch_size=batch_size, loss=LOSSES.get(loss, loss))
    center, scale = truth["train"].mean(), truth["train"].std()
    for part, expected in truth.items():
        predicted = run.predict(tmp_path / f"{part}.csv")
        assert list(result[part]) == ["loss", *wanted]
        scaled = [tensor((values - center) / scale) for values in (predicted, expected)]
        assert result[part]["loss"] == pytest.approx(float(REGRESSION_LOSSES[loss](*scaled)), rel=1e-5)
        for name in wanted:
            value = VALUE_METRICS[name](expected, predicted)
            assert result[part][name] == pytest.approx(value, rel=1e-5), (part, name)
        assert run.evaluate(tmp_path / f"{part}.csv") == pytest.approx(result[part], rel=1e-5)
    assert {name: epoch[f"val_{name}"] for name in result["valid"]} == result["valid"]


@pytest.mark.parametrize("batch_size", [1, 4, 7, 1000])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_values_of_an_epoch_of_training_are_those_of_its_rows(tmp_path, task, batch_size):
    """With a learning rate that moves no weight, they are those of the start."""
    write_parts(
        tmp_path,
        lambda signal: np.where(signal > 0.4, "yes", "no") if task == "classification" else signal.round(3),
    )
    still = {"optimizer": "sgd", "learning_rate": 1e-30, "epochs": 1, "batch_size": batch_size}
    _, result, epoch = fitted(tmp_path, metrics=named(task, 2), **still)
    assert {name: epoch[name] for name in result["train"]} == pytest.approx(result["train"], rel=1e-5)


def test_every_metric_and_loss_has_a_reference():
    assert set(metrics) == {*CLASS_METRICS, *SCORE_METRICS, *VALUE_METRICS}
    assert set(losses) == {"cross_entropy", *(name.split()[0] for name in REGRESSION_LOSSES)}
    assert {metrics[name].traits["task"] for name in metrics} == {"classification", "regression", None}
