"""The resolved config as YAML, its id, and how two configs differ."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import CONFIGS, config_of
from trainrun.config import load_config, to_yaml
from trainrun.config.identity import differences, identify
from trainrun.errors import UsageError

DIGESTS = {"path": "ab" * 32}


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS)
def test_the_saved_config_is_the_same_config(tmp_path, text):
    config = config_of(tmp_path, text)
    saved = tmp_path / "elsewhere" / "config.yaml"
    saved.parent.mkdir()
    saved.write_text(to_yaml(config), encoding="utf-8")
    again = load_config(saved)
    assert again == config
    assert to_yaml(again) == to_yaml(config)
    assert identify(again, DIGESTS) == identify(config, DIGESTS)
    assert differences(config, again) == []


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
@settings(max_examples=100)
def test_any_columns_name_survives_being_saved(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("saved")
    config = config_of(folder, "data: {path: t.csv, target: y}\n")
    named = config.model_copy(
        update={"data": config.data.model_copy(update={"target": text, "drop": (text,)})}
    )
    (folder / "config.yaml").write_text(to_yaml(named), encoding="utf-8", newline="")
    assert load_config(folder / "config.yaml") == named


def test_the_saved_config_is_whole(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n")
    config = config_of(tmp_path, "data: {path: t.csv, target: y}\nschedule: cosine\n")
    lines = to_yaml(config).splitlines()
    assert lines[:3] == ["name: a", "data:", "  source: null"]
    assert f"  path: {tmp_path}/t.csv" in lines
    assert "schedule: {name: cosine, decay_over: null, alpha: 0.0}" in lines
    assert "initializer: torch_default" in lines
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == list(
        type(config).model_fields
    )


def id8(folder, text="data: digits\n", *overrides, digests=DIGESTS, name="a.yaml"):
    return identify(config_of(folder, text, *overrides, name=name), digests)


@pytest.mark.parametrize(
    "override",
    ["name=other", "seed=5", "device=cpu", "threads=3", "epochs=100", "hidden=64,64",
     "initializer=torch_default",
     "dropout=0", "optimizer={name: adam, eps: 1e-8}", "early_stopping=10", "early_stopping.mode=min",
     "regularization.weight_decay=0", "data.split.valid=0.2", "loss=auto", "learning_rate=1e-3"],
)  # fmt: skip
def test_what_does_not_change_the_id(tmp_path, override):
    assert id8(tmp_path, "data: digits\n", override) == id8(tmp_path)


@pytest.mark.parametrize(
    "override",
    [
        "epochs=99", "hidden=64", "activation=tanh", "initializer=zeros", "initializer.mode=fan_out",
        "dropout=0.1", "dropout.input=0.1", "optimizer=sgd", "optimizer.eps=1e-7", "early_stopping=9",
        "early_stopping=false", "early_stopping.monitor=val_accuracy", "regularization.weight_decay=0.1",
        "data.split.valid=0.3", "data.split.seed=1", "data.split.seed=run", "data.scale=minmax",
        "data.drop=a", "data=iris", "loss=cross_entropy", "learning_rate=0.002", "warmup=1 steps",
        "class_weight=balanced", "batch_size=31", "metrics=accuracy", "schedule=cosine", "gradient_clip=1",
    ],
)  # fmt: skip
def test_what_changes_the_id(tmp_path, override):
    assert id8(tmp_path, "data: digits\n", override) != id8(tmp_path)


def test_an_id_of_eight_hex_digits_that_stays(tmp_path):
    assert id8(tmp_path) == "79d73c72"
    textbook = "data: {source: digits, scale: standard}\ninitializer: he_normal\n"
    assert id8(tmp_path, textbook) == "47c74ca5"  # the defaults before 0.2.0


def test_paths_do_not_enter_the_id_but_the_bytes_behind_them_do(tmp_path):
    text = "data: {path: t.csv, target: y, valid: v.csv}\n"
    moved = "data: {path: sub/t.csv, target: y, valid: /v.csv}\n"
    assert id8(tmp_path, text) == id8(tmp_path, moved, name="b.yaml")
    assert id8(tmp_path, text) != id8(tmp_path, text, digests={"path": "cd" * 32})
    assert id8(tmp_path, text) != id8(tmp_path, text, digests={"valid": "ab" * 32})
    assert id8(tmp_path, text) != id8(tmp_path, text.replace("target: y", "target: z"))
    labels = "data: {path: i.idx, target: l.idx}\n"
    assert id8(tmp_path, labels) == id8(tmp_path, labels.replace("l.idx", "m.idx"))


def test_what_auto_resolves_to_is_no_difference(tmp_path):
    spanning = "data: digits\nschedule: cosine\n"
    assert id8(tmp_path, spanning) == id8(tmp_path, spanning, "early_stopping=false")
    assert id8(tmp_path, spanning) != id8(tmp_path, spanning, "early_stopping=true")
    selu = "data: digits\nactivation: selu\n"
    assert id8(tmp_path, selu) == id8(tmp_path, selu, "initializer=lecun_normal")
    adamw = "data: digits\noptimizer: adamw\n"
    assert id8(tmp_path, adamw) == id8(tmp_path, adamw, "regularization.weight_decay=0.01")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("name=b", []),
        ("seed=1", []),
        ("device=cpu", []),
        ("epochs=3", [("epochs", 100, 3)]),
        ("hidden=8,8", [("hidden", [64, 64], [8, 8])]),
        ("optimizer.eps=0.1", [("optimizer.eps", 1e-8, 0.1)]),
        ("optimizer=sgd", [("optimizer", "adam", "sgd")]),
        (
            "optimizer={name: sgd, momentum: 0.5}",
            [("optimizer", "adam", {"name": "sgd", "momentum": 0.5})],
        ),
        ("hidden=8", [("hidden", [64, 64], [8])]),
        ("dropout=0.1", [("dropout.hidden", 0.0, 0.1)]),
        ("dropout=0.1,0.2", [("dropout.hidden", 0.0, [0.1, 0.2])]),
        ("warmup=5 epochs", [("warmup", "0 steps", "5 epochs")]),
        ("loss=mse", [("loss", "auto", "mse")]),
        ("early_stopping=false", [("early_stopping.patience", 10, None)]),
        ("data.split.seed=run", [("data.split.seed", 0, "run")]),
        ("data=iris", [("data.source", "digits", "iris")]),
        (
            "activation=tanh",
            [("activation", "relu", "tanh"), ("initializer", "torch_default", "xavier_normal")],
        ),
    ],
)
def test_differences_are_dotted_keys_with_both_values(tmp_path, override, expected):
    old, new = config_of(tmp_path, "data: digits\n"), config_of(tmp_path, "data: digits\n", override)
    assert differences(old, new) == expected


def test_other_paths_are_no_difference(tmp_path):
    old = config_of(tmp_path, "data: {path: a.idx, target: l, valid: [c, d]}\n")
    new = config_of(tmp_path, "data: {path: b.idx, target: m}\n")
    assert differences(old, new) == []


def test_a_config_knows_what_was_written(tmp_path):
    config = config_of(tmp_path, "data: digits\noptimizer: {name: adam}\n", "early_stopping.patience=3")
    written = ("data", "optimizer", "optimizer.name", "early_stopping.patience")
    assert all(config.is_written(key) for key in written)
    assert not any(config.is_written(key) for key in ("seed", "optimizer.eps", "early_stopping.mode"))


def test_with_seed_changes_the_seed_alone(tmp_path):
    config = config_of(tmp_path, "data: digits\n")
    assert config.with_seed(7) == config_of(tmp_path, "data: digits\n", "seed=7")
    assert config.seed == 0
    with pytest.raises(UsageError, match="seeds go from 0 to 18446744073709551615"):
        config.with_seed(2**64)


def test_a_config_cannot_be_changed(tmp_path):
    config = config_of(tmp_path, "data: digits\n")
    with pytest.raises(ValueError, match="frozen"):
        config.epochs = 3
    with pytest.raises(ValueError, match="frozen"):
        config.optimizer.eps = 3
