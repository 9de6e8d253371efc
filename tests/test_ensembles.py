"""Ensembles of seeds: averages of probabilities or predictions, against scikit-learn and by hand."""

import json

import numpy as np
import pytest
import sklearn.metrics as reference
import yaml

from shell import trainrun_
from tables import table
from trainrun import fit, load_run
from trainrun.errors import DataError, UsageError
from trainrun.predicting import Ensemble

SEEDS = 3
BASE = {"hidden": [6], "epochs": 3, "learning_rate": 0.02, "early_stopping": False, "device": "cpu"}


def write_parts(folder, labels):
    rng = np.random.default_rng(0)
    for part, rows in (("train", 60), ("valid", 30), ("test", 40)):
        x = rng.normal(size=(rows, 3)).round(3)
        y = labels(x.sum(axis=1) + rng.normal(0, 0.8, rows))
        table(folder / f"{part}.csv", {**{f"x{j}": list(x[:, j]) for j in range(3)}, "y": list(y)})


def write_config(folder, **keys):
    files = {"path": "train.csv", "valid": "valid.csv", "test": "test.csv", "target": "y"}
    (folder / "net.yaml").write_text(yaml.safe_dump({"data": files} | BASE | keys))
    return folder / "net.yaml"


@pytest.fixture(scope="module", params=["classes", "numbers"])
def trained(request, tmp_path_factory):
    """A folder with the runs of a config's seeds, and the runs themselves."""
    folder = tmp_path_factory.mktemp(request.param)
    classes = request.param == "classes"
    write_parts(folder, lambda s: np.where(s > 0.4, "yes", "no") if classes else (5 + 2 * s).round(2))
    return folder, classes, fit(write_config(folder), seeds=SEEDS, runs=folder / "runs")


def test_it_averages_what_its_members_say(trained):
    folder, classes, runs = trained
    ensemble, members = load_run(runs[0], ensemble=True), [load_run(run) for run in runs]
    assert ensemble.seeds == [0, 1, 2]
    if classes:
        mean = np.mean([one.probabilities(folder / "test.csv") for one in members], axis=0)
        np.testing.assert_allclose(ensemble.probabilities(folder / "test.csv"), mean, rtol=1e-5)
        expected = np.array(["no", "yes"])[mean.argmax(axis=1)]
        assert ensemble.predict(folder / "test.csv").tolist() == expected.tolist()
    else:
        mean = np.mean([one.predict(folder / "test.csv") for one in members], axis=0)
        np.testing.assert_allclose(ensemble.predict(folder / "test.csv"), mean, rtol=1e-5)


def test_its_metrics_are_scikit_learns(trained):
    folder, classes, runs = trained
    ensemble = load_run(runs[0], ensemble=True)
    lines = (folder / "test.csv").read_text().splitlines()[1:]
    truth = [line.rpartition(",")[2] for line in lines]
    values = ensemble.evaluate(folder / "test.csv")
    predicted = ensemble.predict(folder / "test.csv")
    if classes:
        assert values["accuracy"] == reference.accuracy_score(truth, predicted)
        loss = reference.log_loss(truth, ensemble.probabilities(folder / "test.csv"))
        assert values["loss"] == pytest.approx(loss, rel=1e-5)
    else:
        rmse = reference.root_mean_squared_error(np.array(truth, float), predicted)
        assert values["rmse"] == pytest.approx(rmse, rel=1e-5)
    assert ensemble.evaluate_parts()["test"] == pytest.approx(values, rel=1e-6)


def test_the_command_line_uses_it(trained):
    folder, classes, _ = trained
    done = trainrun_("evaluate", "net", "--ensemble", "--format", "json", cwd=folder)
    found = json.loads(done.stdout)["ensemble"]
    expected = load_run("net", folder / "runs", ensemble=True).evaluate_parts()
    assert found == {"seeds": [0, 1, 2], **expected}
    shown = trainrun_("evaluate", "net", "--ensemble", cwd=folder).stdout.splitlines()
    assert shown[0].split() == ["METRIC", "VALID", "TEST"]
    words = ("--probabilities",) if classes else ()
    printed = trainrun_("predict", "net", "test.csv", "--ensemble", *words, cwd=folder).stdout.splitlines()
    assert len(printed) == 41
    assert printed[0] == ("prediction,p_no,p_yes" if classes else "prediction")
    of_file = json.loads(
        trainrun_("evaluate", "net", "test.csv", "--ensemble", "--format", "json", cwd=folder).stdout
    )
    assert of_file["loss"] == pytest.approx(found["test"]["loss"], rel=1e-6)


def test_fit_prints_it_where_it_has_trained(tmp_path):
    write_parts(tmp_path, lambda s: np.where(s > 0.4, "yes", "no"))
    write_config(tmp_path)
    again = [trainrun_("fit", "net.yaml", "--seeds", 2, cwd=tmp_path).stdout for _ in range(2)]
    expected = load_run("net", tmp_path / "runs", ensemble=True).evaluate_parts()["test"]
    (line,) = [line for line in again[0].splitlines() if line.startswith("Ensemble")]
    assert line.startswith(f"Ensemble of 2 seeds: test: loss {expected['loss']:.4f}, accuracy")
    assert "Ensemble" not in again[1]


def test_what_is_no_ensemble(tmp_path):
    write_parts(tmp_path, lambda s: np.where(s > 0.4, "yes", "no"))
    config = write_config(tmp_path)
    (single,) = fit(config, runs=tmp_path / "runs")
    with pytest.raises(UsageError, match="at least 2 complete seeds, and here is 1"):
        load_run(single, ensemble=True)
    with pytest.raises(UsageError, match="of the seeds of one config"):
        Ensemble([single, *fit(config, overrides=["epochs=2"], runs=tmp_path / "runs")])
    redrawn = write_config(tmp_path, data={"path": "train.csv", "target": "y", "split": {"seed": "run"}})
    with pytest.raises(UsageError, match=r"no ensemble with data\.split\.seed: run"):
        Ensemble(fit(redrawn, seeds=2, runs=tmp_path / "runs"))


def test_data_that_has_changed_is_refused(tmp_path):
    write_parts(tmp_path, lambda s: np.where(s > 0.4, "yes", "no"))
    runs = fit(write_config(tmp_path), seeds=2, runs=tmp_path / "runs")
    write_parts(tmp_path, lambda s: np.where(s > 0.9, "yes", "no"))
    with pytest.raises(DataError, match="not what it was trained on"):
        load_run(runs[0], ensemble=True).evaluate_parts()


def test_a_file_needs_no_training_data(tmp_path):
    write_parts(tmp_path, lambda s: np.where(s > 0.4, "yes", "no"))
    fit(write_config(tmp_path), seeds=2, runs=tmp_path / "runs")
    for part in ("train", "valid"):
        (tmp_path / f"{part}.csv").unlink()
    folder = next((tmp_path / "runs").glob("net-*"))
    words = ("evaluate", f"{folder}/seed-0", "test.csv", "--ensemble", "--format", "json")
    found = json.loads(trainrun_(*words, cwd=tmp_path).stdout)
    assert found["ensemble"] == {"seeds": [0, 1], "valid": None, "test": None}
    assert found["accuracy"] > 0
    trainrun_("evaluate", f"{folder}/seed-0", "--ensemble", cwd=tmp_path, code=66)
