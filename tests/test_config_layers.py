"""`extends` and `--set`: what meets what, and where each value says it is from."""

import os
from pathlib import Path

import pytest

from configs import config_of, problems_of
from trainrun.config import load_config
from trainrun.errors import ConfigError
from trainrun.quantities import Duration


def write(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)


def test_mappings_merge_and_everything_else_replaces(tmp_path):
    write(
        tmp_path,
        base="name: base\ndata: digits\nhidden: [8, 8, 8]\nepochs: 7\n"
        "regularization: {l1: 0.1, l2: 0.2}\nearly_stopping: {patience: 3, monitor: val_accuracy}\n",
    )
    config = config_of(
        tmp_path,
        "extends: base.yaml\nhidden: [4]\nregularization: {l2: 0.5}\nearly_stopping: 9\ndata:"
        " {scale: minmax}\n",
    )
    assert config.name == "a"
    assert (config.hidden, config.epochs) == ((4,), 7)
    assert (config.regularization.l1, config.regularization.l2) == (0.1, 0.5)
    assert (config.early_stopping.patience, config.early_stopping.monitor) == (9, "val_loss")
    assert (config.data.source, config.data.scale) == ("digits", "minmax")


@pytest.mark.parametrize(
    ("below", "above", "name", "changed"),
    [
        ("{name: sgd, momentum: 0.9}", "adam", "adam", {}),
        ("{name: sgd, momentum: 0.9}", "sgd", "sgd", {}),
        ("{name: sgd, momentum: 0.9}", "{name: adam, eps: 0.1}", "adam", {"eps": 0.1}),
        (
            "{name: sgd, momentum: 0.9}",
            "{name: sgd, nesterov: true}",
            "sgd",
            {"momentum": 0.9, "nesterov": True},
        ),
        ("{name: sgd, momentum: 0.9}", "{nesterov: true}", "sgd", {"momentum": 0.9, "nesterov": True}),
        ("adamw", "{eps: 0.1}", "adamw", {"eps": 0.1}),
        ("{eps: 0.1}", "{name: adam, betas: [0.5, 0.5]}", "adam", {"eps": 0.1, "betas": (0.5, 0.5)}),
        ("{eps: 0.1}", "{name: nadam}", "nadam", {}),
    ],
)
def test_an_ingredient_with_another_name_replaces(tmp_path, below, above, name, changed):
    write(tmp_path, base=f"data: digits\noptimizer: {below}\n")
    optimizer = config_of(tmp_path, f"extends: base.yaml\noptimizer: {above}\n").optimizer
    assert (optimizer.name, optimizer.changed) == (name, changed)


def test_an_alias_is_the_same_name(tmp_path):
    write(tmp_path, base="data: digits\ninitializer: {name: glorot_normal, gain: 2}\n")
    initializer = config_of(
        tmp_path, "extends: base.yaml\ninitializer: {name: xavier_normal, mode: fan_in}\n"
    ).initializer
    assert (initializer.name, initializer.gain, initializer.mode) == ("xavier_normal", 2, "fan_in")


def test_configs_extend_in_turn_and_paths_belong_to_the_file_that_wrote_them(tmp_path):
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
    (tmp_path / "three" / "c.yaml").write_text(
        "data: {path: t.csv, target: y, test: sub/test.csv}\nepochs: 1\nseed: 3\n"
    )
    (tmp_path / "two" / "b.yaml").write_text("extends: ../three/c.yaml\ndata: {valid: v.csv}\nepochs: 2\n")
    (tmp_path / "one" / "a.yaml").write_text("extends: ../two/b.yaml\nbatch_size: 5\n")
    config = load_config(tmp_path / "one" / "a.yaml")
    assert (config.epochs, config.seed, config.batch_size) == (2, 3, 5)
    assert config.data.path == tmp_path / "three" / "t.csv"
    assert config.data.test == tmp_path / "three" / "sub" / "test.csv"
    assert config.data.valid == tmp_path / "two" / "v.csv"
    assert config.place("seed") == f"{tmp_path}/one/../two/../three/c.yaml:3:1"


def test_problems_name_the_file_that_wrote_the_value(tmp_path):
    write(tmp_path, base="data: digits\nepochs: -1\nlr: 1\n")
    assert problems_of(tmp_path, "seed: x\nextends: base.yaml\n", "batch_size=0") == [
        "a.yaml:1:1: seed: must be a whole number from 0 to 18446744073709551615, got 'x'",
        "base.yaml:2:1: epochs: must be at least 0, got -1",
        "base.yaml:3:1: lr: unknown key; here it is learning_rate",
        "--set batch_size: must be at least 1, got 0",
    ]


def test_a_circle_is_an_error(tmp_path):
    write(tmp_path, b="extends: a.yaml\n")
    assert problems_of(tmp_path, "data: digits\nextends: b.yaml\n") == [
        "b.yaml:1:1: extends: a.yaml extends this file in its turn: break the circle"
    ]
    assert problems_of(tmp_path, "extends: ./a.yaml\n") == [
        "a.yaml:1:1: extends: a.yaml extends this file in its turn: break the circle"
    ]


def test_a_long_chain_is_an_error(tmp_path):
    for i in range(20):
        (tmp_path / f"b{i}.yaml").write_text(f"extends: b{i + 1}.yaml\n")
    assert problems_of(tmp_path, "extends: b0.yaml\n") == [
        "b14.yaml:1:1: extends: more than 16 configs extend one another"
    ]


@pytest.mark.parametrize(
    ("base", "problem"),
    [
        (None, "a.yaml:2:1: extends: base.yaml: there is no such file"),
        ("", "base.yaml:1:1: the file is empty: a config has lines `key: value`, such as `data: digits`"),
        ("a: [", "base.yaml:1:5: a value is missing here, or a bracket was never closed"),
    ],
)
def test_an_unreadable_base(tmp_path, base, problem):
    if base is not None:
        write(tmp_path, base=base)
    assert problems_of(tmp_path, "data: digits\nextends: base.yaml\n") == [problem]


def test_a_base_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "base.yaml")
    assert problems_of(tmp_path, "data: digits\nextends: base.yaml\n") == [
        "a.yaml:2:1: extends: base.yaml: cannot be read: not a regular file"
    ]


def test_a_base_that_is_a_circle_of_links(tmp_path):
    (tmp_path / "base.yaml").symlink_to(tmp_path / "base.yaml")
    (problem,) = problems_of(tmp_path, "data: digits\nextends: base.yaml\n")
    assert problem.startswith("a.yaml:2:1: extends: base.yaml: cannot be read: ")


def test_extends_null_is_none(tmp_path):
    assert config_of(tmp_path, "data: digits\nextends: null\n").seed == 0


def test_a_bundled_set_replaces_files_and_a_file_the_set(tmp_path):
    write(tmp_path, files="data: {path: t.csv, target: y, valid: v.csv, scale: minmax}\n", set="data: iris\n")
    data = config_of(tmp_path, "extends: files.yaml\ndata: {source: wine}\n").data
    assert (data.source, data.path, data.valid, data.scale) == ("wine", None, None, "minmax")
    data = config_of(tmp_path, "extends: set.yaml\n", "data.path=t.csv", "data.target=y").data
    assert (data.source, data.path, data.target) == (None, Path.cwd() / "t.csv", "y")


SET = [
    ("learning_rate=1e-2", "learning_rate", 0.01),
    ("hidden=128,64", "hidden", (128, 64)),
    ("hidden=[128, 64]", "hidden", (128, 64)),
    ("hidden=128", "hidden", (128,)),
    ("hidden=[]", "hidden", ()),
    ("dropout=0.1,0.2", "dropout.hidden", (0.1, 0.2)),
    ("dropout.input=0.3", "dropout.input", 0.3),
    ("dropout.input=0.3", "dropout.hidden", (0.5, 0.5)),
    ("optimizer.eps=0.1", "optimizer.eps", 0.1),
    ("optimizer.eps=0.1", "optimizer.name", "adamw"),
    ("optimizer.betas=0.5,0.6", "optimizer.betas", (0.5, 0.6)),
    ("optimizer={name: sgd, momentum: 0.9}", "optimizer.momentum", 0.9),
    ("optimizer.name=sgd", "optimizer.name", "sgd"),
    ("schedule.name=cosine", "schedule.name", "cosine"),
    ("initializer.mode=fan_out", "initializer.mode", "fan_out"),
    ("activation=tanh", "initializer.name", "xavier_normal"),
    ("early_stopping.monitor=val_accuracy", "early_stopping.patience", 5),
    ("early_stopping.monitor=val_accuracy", "early_stopping.mode", "max"),
    ("early_stopping=false", "early_stopping.patience", None),
    ("metrics=accuracy,auc", "metrics", ("accuracy", "auc")),
    ("metrics=auc", "metrics", ("auc",)),
    ("data.split.seed=run", "data.split.seed", "run"),
    ("data.split={valid: 0.3}", "data.split.valid", 0.3),
    ("data.drop=a,b", "data.drop", ("a", "b")),
    ("data.drop=a", "data.drop", ("a",)),
    ("data.delimiter=','", "data.delimiter", ","),
    ("data=wine", "data.source", "wine"),
    ("warmup=5 epochs", "warmup", Duration(5, "epochs")),
    ("class_weight.no=2", "class_weight", {"no": 2.0}),
    ("gradient_clip=null", "gradient_clip", None),
    ("name=other", "name", "other"),
    ("device=cuda:1", "device", "cuda:1"),
    ("extends=base.yaml", "epochs", 77),
]


@pytest.mark.parametrize(("override", "key", "value"), SET)
def test_set_overrides_any_key(tmp_path, monkeypatch, override, key, value):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, base="epochs: 77\n")
    text = "data: digits\ndropout: 0.5\noptimizer: adamw\nearly_stopping: 5\n"
    found = config_of(tmp_path, text, override)
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


def test_set_paths_are_relative_to_where_the_user_is(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    config = config_of(tmp_path, "data: {path: t.csv, target: y}\n", "data.valid=v.csv")
    assert (config.data.path, config.data.valid) == (tmp_path / "t.csv", tmp_path / "here" / "v.csv")


def test_later_sets_go_on_top_of_earlier_ones(tmp_path):
    config = config_of(
        tmp_path, "data: digits\n", "optimizer=sgd", "optimizer.momentum=0.5", "seed=1", "seed=2"
    )
    assert (config.optimizer.name, config.optimizer.momentum, config.seed) == ("sgd", 0.5, 2)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        (
            "learning_rate",
            "--set learning_rate: must be KEY=VALUE, such as learning_rate=0.01 or data.split.seed=1",
        ),
        ("=3", "--set : must be KEY=VALUE, such as learning_rate=0.01 or data.split.seed=1"),
        ("a..b=3", "--set a..b: must be KEY=VALUE, such as learning_rate=0.01 or data.split.seed=1"),
        (".".join("a" * 5000) + "=1", "--set a.a.a"),
        (
            "hidden=[1",
            "--set hidden: a bracket that was never closed, or a comma that is missing before this",
        ),
        ("hidden=128,0", "--set hidden: item 2: must be at least 1, got 0"),
        ("lr=1", "--set lr: unknown key; here it is learning_rate"),
        ("optimizer.lr=1", "--set optimizer.lr: unknown key; here it is learning_rate"),
        ("data.split={valid: 2.5}", "--set data.split: data.split.valid: must be below 1, got 2.5"),
        ("learning_rate=", "--set learning_rate: must be a number above 0, got nothing"),
        ("hidden.0=5", "--set hidden.0: hidden: must be a list of widths"),
        (
            "regularization={l1: 1, l1: 2}",
            "--set regularization: l1: given twice, first at line 1: keep one of them",
        ),
    ],
)
def test_a_wrong_set(tmp_path, override, problem):
    (found,) = problems_of(tmp_path, "data: digits\n", override)
    assert found.startswith(problem)


def test_undecodable_arguments_are_an_error(tmp_path):
    argument = os.fsdecode(b"data.path=\xff.csv")
    assert problems_of(tmp_path, "data: digits\n", argument) == [
        "--set data.path: not UTF-8 (byte 0xff): save the file as UTF-8"
    ]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("digits.yaml", "digits"),
        ("my net (2).yaml", "my-net--2-"),
        ("a.b.yaml", "a.b"),
        ("_x.yaml", "x"),
        ("...yaml", "config"),
        ("été.yaml", "t-"),
        ("n" * 200 + ".yaml", "n" * 100),
    ],
)
def test_the_name_is_the_files_stem(tmp_path, file, name):
    assert config_of(tmp_path, "data: digits\n", name=file).name == name


def test_a_path_through_a_linked_folder_is_the_one_the_system_finds(tmp_path):
    (tmp_path / "real" / "configs").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "configs")
    (tmp_path / "real" / "t.csv").write_text("x,y\n1,2\n")
    config = config_of(tmp_path / "link", "data: {path: ../t.csv, target: y}\n")
    assert config.data.path.read_text() == "x,y\n1,2\n"


def test_a_link_to_data_keeps_its_own_name(tmp_path):
    (tmp_path / "a1b2c3").write_text("x,y\n1,2\n")
    (tmp_path / "t.csv").symlink_to(tmp_path / "a1b2c3")
    assert config_of(tmp_path, "data: {path: t.csv, target: y}\n").data.path.name == "t.csv"


def test_an_unreadable_layer_stops_the_reading(tmp_path):
    write(tmp_path, bad="a: b: c\n")
    with pytest.raises(ConfigError, match=r"bad\.yaml:1:5: a second"):
        load_config(tmp_path / "bad.yaml")
