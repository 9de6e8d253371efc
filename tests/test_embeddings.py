"""Codes of categories in the data, and what becomes of unseen ones; learned vectors end to end."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import yaml

from builders import blobs, config, ended, epochs, mixed, plan, run
from shell import trainrun_
from tables import NO_SPLIT, table
from trainrun import fit, load_run
from trainrun.config.keys.data import DataConfig
from trainrun.data import Preprocessing, load_data, read_table
from trainrun.engine.buffers import Layout
from trainrun.engine.layers import make_layers

LETTERS = list("abcdefghij")
ONE_HOT = [f"few={word}" for word in ("x", "y", "z", "(missing)")]
ROWS = {
    "few": ["x", "y", "", "x", "z", "y"] * 5,
    "n": list(range(30)),
    "many": [LETTERS[i % 10] for i in range(30)],
    "y": [i % 2 for i in range(30)],
}


def dataset_of(tmp_path, categories, **keys):
    path = table(tmp_path / "t.csv", ROWS)
    return load_data(DataConfig(path=path, target="y", scale="none", split=NO_SPLIT, **keys), 0, categories)


@pytest.mark.parametrize(
    ("rule", "names", "sizes"),
    [
        ("none", ["n", *ONE_HOT, *(f"many={word}" for word in LETTERS)], ()),
        ("auto", ["n", *ONE_HOT, "many"], (11,)),
        (4, ["n", "few", "many"], (5, 11)),
    ],
)  # fmt: skip
def test_columns_become_codes_by_the_rule(tmp_path, rule, names, sizes):
    found = dataset_of(tmp_path, rule)
    assert list(found.preprocessing.feature_names) == names
    assert found.preprocessing.code_sizes == sizes
    saved = json.loads(json.dumps(found.preprocessing.to_json()))
    again = Preprocessing.from_json(saved)
    assert again.feature_names == found.preprocessing.feature_names
    assert again.digest() == found.preprocessing.digest()
    if rule == 4:
        assert found.preprocessing.digest() != dataset_of(tmp_path, "auto").preprocessing.digest()


def test_codes_are_from_1_and_unknown_is_0(tmp_path):
    """A gap that training knows has a code of its own; what it does not know is 0."""
    found = dataset_of(tmp_path, 4)
    np.testing.assert_array_equal(found.train.x[:4], [[0, 1, 1], [1, 2, 2], [2, 4, 3], [3, 1, 4]])
    new = {"few": ["w", "", "z"], "n": [1, 2, 3], "many": ["k", "", "j"]}
    rows = read_table(table(tmp_path / "new.csv", new), found.preprocessing)
    np.testing.assert_array_equal(found.preprocessing.transform(rows), [[1, 0, 0], [2, 4, 0], [3, 3, 10]])


def test_rare_and_unseen_categories_share_a_code(tmp_path):
    found = dataset_of(tmp_path, 4, rare=6)
    assert found.preprocessing.code_sizes == (5, 2)  # unknown, x, y, missing, rare; unknown, rare
    new = {"few": ["w", "z", "x"], "n": [1, 2, 3], "many": ["k", "a", ""]}
    rows = read_table(table(tmp_path / "new.csv", new), found.preprocessing)
    np.testing.assert_array_equal(found.preprocessing.transform(rows), [[1, 4, 1], [2, 4, 1], [3, 1, 0]])


def test_a_fitted_net_answers_rows_with_unseen_categories(tmp_path):
    """Through the command line, and by the loaded model with the codes as its inputs."""
    table(tmp_path / "t.csv", ROWS)
    keys = {"embeddings": {"categories": 3, "numbers": "pbld"}, "epochs": 3, "hidden": [8]}
    (tmp_path / "net.yaml").write_text(yaml.safe_dump({"data": {"path": "t.csv", "target": "y"}, **keys}))
    (fitted,) = fit(tmp_path / "net.yaml", runs=tmp_path / "runs")
    table(tmp_path / "new.csv", {"few": ["x", "unseen", ""], "n": [1, 2, ""], "many": ["a", "zz", "b"]})
    done = trainrun_("predict", "net", "new.csv", "--probabilities", cwd=tmp_path)
    assert len(done.stdout.splitlines()) == 4
    trained = load_run(fitted)
    x = trained.preprocessing.transform(read_table(tmp_path / "new.csv", trained.preprocessing))
    assert x[1].tolist()[-2:] == [0, 0]
    found = trained.probabilities(tmp_path / "new.csv")
    with torch.inference_mode():
        expected = trained.model()(torch.from_numpy(x)).softmax(1).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    key = next(name for name in trained.model().state_dict() if name.endswith("categories.0.weight"))
    assert (trained.model().state_dict()[key][0] == 0).all()  # training has seen no unknown category


def test_a_report_shows_the_layers_behind_the_embeddings(tmp_path):
    table(tmp_path / "t.csv", ROWS)
    keys = {"embeddings": {"categories": 3, "numbers": "periodic"}, "shared_members": 4, "hidden": [8, 5]}
    config = {"data": {"path": "t.csv", "target": "y"}, "epochs": 2, **keys}
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(config))
    fit(tmp_path / "net.yaml", runs=tmp_path / "runs")
    trainrun_("report", "net", "--out", "page.html", cwd=tmp_path)
    page = (tmp_path / "page.html").read_text()
    for shape in ("8 × 30", "5 × 8", "8 × 5"):  # 24 + 2 * 3 inputs; four nets with two outputs each
        assert shape in page


def test_categories_of_other_rows_are_not_learnt_from(tmp_path):
    """Codes come from the training rows alone: a category of the test part is unknown."""
    train, test = table(tmp_path / "t.csv", ROWS), table(tmp_path / "v.csv", ROWS | {"many": ["new"] * 30})
    data = DataConfig(path=train, test=test, target="y", split=NO_SPLIT)
    found = load_data(data, 0, "auto")
    assert found.test is not None
    assert (found.test.x[:, -1] == 0).all()
    assert found.preprocessing.code_sizes == (11,)


def test_bins_are_the_quantiles_of_the_training_rows():
    """Columns of few values have fewer bins and repeat their last edge."""
    dataset = blobs(300)
    dataset.train.x[:, 1] = np.arange(len(dataset.train.x)) % 3 == 0
    made = plan(dataset, [config(embeddings={"numbers": {"name": "piecewise_linear", "bins": 4}})])
    edges = made.starts[0].edges
    assert edges is not None
    expected = np.quantile(dataset.train.x[:, 0].astype(np.float64), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(edges[0], expected, rtol=1e-6)
    assert edges[1].tolist() == [0, 1, 1, 1, 1]
    assert plan(dataset, [config()]).starts[0].edges is None


@pytest.mark.parametrize("keys", [{"shared_members": 3}, {"embeddings": {"categories": 2}}])
def test_all_new_parameters_are_counted_and_saved(keys):
    made = plan(mixed(), [config(**keys, hidden=[4])])
    layout = Layout(make_layers(made.net), 1)
    (events,) = run(mixed(), config(**keys, hidden=[4], epochs=1))
    assert sum(values.size for values in ended(events).weights.values()) == layout.parameters
    assert len(epochs(events)) == 1


def test_a_setting_without_such_columns_is_warned_of(tmp_path):
    table(tmp_path / "t.csv", {"n": ROWS["n"], "y": ROWS["y"]})
    keys = {"data": {"path": "t.csv", "target": "y"}, "epochs": 1, "embeddings": {"categories": 4}}
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(keys))
    done = trainrun_("fit", "net.yaml", cwd=tmp_path)
    assert "embeddings.categories: 4 does nothing without text columns" in done.stderr + done.stdout
