"""Values out of range, of the wrong kind, in the wrong place: what a config says about each."""

import time

import pytest

from configs import config_of, problems_of
from trainrun.config import load_config
from trainrun.errors import ConfigError
from trainrun.text import printable

NUMBERS = "must be a number above 0"
SEEDS = "must be a whole number from 0 to 18446744073709551615"

FAULTS = [
    ("learning_rate: .nan", "2:1: learning_rate: must be a finite number above 0, got .nan"),
    ("learning_rate: -.inf", "2:1: learning_rate: must be a finite number above 0, got -.inf"),
    ("learning_rate: 1e999", "2:1: learning_rate: must be a finite number above 0, got 1e999"),
    ("learning_rate: true", f"2:1: learning_rate: {NUMBERS}, got true"),
    ("learning_rate: -1", "2:1: learning_rate: must be above 0, got -1"),
    ("learning_rate: 0", "2:1: learning_rate: must be above 0, got 0"),
    ('learning_rate: "1e-3"', f"2:1: learning_rate: {NUMBERS}, got '1e-3' (text, because it is in quotes)"),
    ("learning_rate:", f"2:1: learning_rate: {NUMBERS}, got nothing"),
    ("learning_rate: null", f"2:1: learning_rate: {NUMBERS}, got null"),
    ("learning_rate: [1]", f"2:1: learning_rate: {NUMBERS}, got a list"),
    ("learning_rate: 1_0", f"2:1: learning_rate: {NUMBERS}, got '1_0'"),
    ("dropout: -0.1", "2:1: dropout: must be at least 0, got -0.1"),
    ("dropout: 1.0", "2:1: dropout: must be below 1, got 1.0"),
    ("dropout: 1.5", "2:1: dropout: must be below 1, got 1.5"),
    (
        "dropout: true",
        "2:1: dropout: must be a rate (at least 0, below 1), a list of rates or a mapping with"
        " input and hidden,"
        " got true",
    ),
    ("dropout: [0.1, 2]", "2:16: dropout: item 2: must be below 1, got 2"),
    ("dropout: [0.1]", "2:1: dropout: must be one rate or 2 of them, one for each hidden layer, got 1"),
    (
        "dropout: {hidden: [0.1, 0.1, 0.1]}",
        "2:11: dropout.hidden: must be one rate or 2 of them, one for each hidden layer, got 3",
    ),
    ("dropout: {input: 1}", "2:11: dropout.input: must be below 1, got 1"),
    ("hidden: []\ndropout: 1.5", "3:1: dropout: must be below 1, got 1.5"),
    ("seed: -1", "2:1: seed: must be at least 0, got -1"),
    ("seed: 1.5", f"2:1: seed: {SEEDS}, got 1.5"),
    ("seed: 1.0", f"2:1: seed: {SEEDS}, got 1.0"),
    ("seed: true", f"2:1: seed: {SEEDS}, got true"),
    (
        "seed: 18446744073709551616",
        "2:1: seed: must be at most 18446744073709551615, got 18446744073709551616",
    ),
    ("hidden: [0]", "2:10: hidden: item 1: must be at least 1, got 0"),
    ("hidden: [8, -1]", "2:13: hidden: item 2: must be at least 1, got -1"),
    ("hidden: [1e9]", "2:10: hidden: item 1: must be a whole number from 1 to 65536, got 1e9"),
    ("hidden: 1000000000", "2:1: hidden: must be at most 65536, got 1000000000"),
    ("hidden: true", "2:1: hidden: must be a list of widths from 1 to 65536 (or one width), got true"),
    ("batch_size: 0", "2:1: batch_size: must be at least 1, got 0"),
    ("epochs: -1", "2:1: epochs: must be at least 0, got -1"),
    ("early_stopping: -1", "2:1: early_stopping: must be at least 0, got -1"),
    ("early_stopping: {patience: -1}", "2:18: early_stopping.patience: must be at least 0, got -1"),
    ("early_stopping: {mode: up}", "2:18: early_stopping.mode: must be min, max or auto, got 'up'"),
    (
        "early_stopping: often",
        "2:1: early_stopping: must be a patience (a whole number), true, false, auto or a"
        " mapping, got 'often'",
    ),
    ("gradient_clip: 0", "2:1: gradient_clip: must be above 0, got 0"),
    ("regularization: {l1: -1}", "2:18: regularization.l1: must be at least 0, got -1"),
    (
        "regularization: {weight_decay: x}",
        "2:18: regularization.weight_decay: must be auto or a number of at least 0, got 'x'",
    ),
    (
        "regularization: {l1_method: proximall}",
        "2:18: regularization.l1_method: must be proximal or subgradient, got 'proximall'; did"
        " you mean proximal?",
    ),
    ("class_weight: {a: -1}", "2:16: class_weight.a: must be at least 0, got -1"),
    (
        "class_weight: balance",
        "2:1: class_weight: must be balanced, a mapping of labels to weights of at least 0, or null,"
        " got 'balance'; did you mean balanced?",
    ),
    ("class_weight: {}", "2:1: class_weight: must not be empty, got a mapping"),
    (
        "warmup: 10",
        "2:1: warmup: must be a duration with its unit, such as '1000 steps', '5 epochs' or '10%', got 10",
    ),
    ("warmup: 110%", "2:1: warmup: must be at most 100%, got '110%'"),
    ("warmup: 1e13 steps", "2:1: warmup: must be at most 1e12, got '1e13 steps'"),
    ("warmup: 1.5 steps", "2:1: warmup: must be a whole number of steps, got '1.5 steps'"),
    ("device: tpu", "2:1: device: must be auto, cpu, cuda or cuda:N, got 'tpu'"),
    ("threads: 0", "2:1: threads: must be at least 1, got 0"),
    ("threads: all", "2:1: threads: must be auto or a whole number from 1 to 4096, got 'all'"),
    ("metrics: [acc]", "2:11: metrics: item 1: unknown metric 'acc'; here it is accuracy"),
    ("metrics: [accuracy, accuracy]", "2:1: metrics: accuracy is given twice"),
    ("metrics: 5", "2:1: metrics: must be auto or a list of metrics, got 5"),
    (
        "optimizer: 5",
        "2:1: optimizer: must be the name of an optimizer or a mapping with its name and settings, got 5",
    ),
    ("optimizer: {name: 5}", "2:13: optimizer.name: must be the name of an optimizer, got 5"),
    (
        "optimizer: {name: sgd, nesterov: yes}",
        "2:24: optimizer.nesterov: must be true or false, got 'yes' (text: YAML 1.2 knows only"
        " true and false)",
    ),
    ("optimizer: {name: sgd, nesterov: true}", "2:24: optimizer.nesterov: needs a momentum above 0"),
    ("optimizer: {betas: [0.9]}", "2:13: optimizer.betas: must be a list of 2, got a list"),
    ("optimizer: {betas: [0.9, 1]}", "2:26: optimizer.betas: item 2: must be below 1, got 1"),
    ("initializer: constant", "2:1: initializer.value: is required"),
    (
        "initializer: {name: he_normal, mode: fan_inn}",
        "2:32: initializer.mode: must be fan_in, fan_out or fan_avg, got 'fan_inn'; did you mean fan_in?",
    ),
    (
        "bias_initializer: orthogonal",
        "2:1: bias_initializer: orthogonal is for weight matrices: take zeros or another for biases",
    ),
    (
        "schedule: {name: piecewise, boundaries: [10], values: [1, 1]}",
        "2:42: schedule.boundaries: item 1: must be a duration with its unit, such as '1000"
        " steps', '5 epochs' or"
        " '10%', got 10",
    ),
    (
        "schedule: one_cycle\nwarmup: 1 epoch",
        "3:1: warmup: does not go with one_cycle, which rises by itself: leave one of them out",
    ),
    (
        "loss: {label_smoothing: 0.1}",
        "2:1: loss: name is required: one of cross_entropy, by_task, mse, mae, huber",
    ),
    (
        "loss: mse\nclass_weight: balanced",
        "3:1: class_weight: is for classification: leave it out, or use the loss cross_entropy",
    ),
    (
        "name: ../../x",
        "2:1: name: must be up to 100 letters, digits, '.', '_' and '-', the first a letter or"
        " digit, got '../../x'",
    ),
    ("name: true", "2:1: name: must be text, got true"),
    ("extends: [a]", "2:1: extends: must be one config file or the name of a recipe"),
]


@pytest.mark.parametrize(("text", "problem"), FAULTS, ids=[text for text, _ in FAULTS])
def test_a_wrong_value_names_its_place_and_what_is_allowed(tmp_path, text, problem):
    assert problems_of(tmp_path, f"data: digits\n{text}\n") == [f"a.yaml:{problem}"]


DATA_FAULTS = [
    (
        "data: {path: a.csv, target: b, split: {valid: 0.8}}\n",
        "1:32: data.split: valid and test take all rows (0.8 + 0.2): leave some to train on",
    ),
    ("", "1:1: the file is empty: a config has lines `key: value`, such as `data: digits`"),
    ("# nothing\n", "1:1: the file is empty: a config has lines `key: value`, such as `data: digits`"),
    ("- a\n", "1:1: not a mapping: a config has lines `key: value`, such as `data: digits`"),
    ("epochs: 3\n", "1:1: data: is required"),
    ("data:\n", "1:1: data: must be a bundled set, a file or a mapping, got nothing"),
    ("data: {}\n", "1:1: data.path: is required: a file, or `source` with a bundled set"),
    (
        "data: digit\n",
        "1:7: data.source: must be a bundled set (digits, breast_cancer, wine, iris, diabetes;"
        " a file goes by its"
        " path), got 'digit'; did you mean digits?",
    ),
    (
        "data: {source: digits, target: x}\n",
        "1:24: data.target: does not go with the bundled set digits, which brings its own",
    ),
    (
        "data: {source: digits, path: x.csv}\n",
        "1:24: data.path: does not go with the bundled set digits, which brings its own",
    ),
    (
        "data: table.csv\n",
        "1:1: data.target: is required: the column to predict; the columns are age, income, job",
    ),
    ("data: missing.csv\n", "1:1: data.target: is required: the column to predict"),
    ("data: x.npz\n", "1:1: data.target: is required: the array to predict"),
    ("data: images-idx3-ubyte.gz\n", "1:1: data.target: is required: the labels' file"),
    (
        "data: {path: i.idx, target: l.idx, valid: v.idx}\n",
        "1:36: data.valid: must be [images, labels]: IDX files hold one of the two",
    ),
    (
        "data: {path: a.csv, target: b, test: [c, d]}\n",
        "1:32: data.test: takes one file: [images, labels] is for IDX files",
    ),
    ("data: {path: 5, target: b}\n", "1:8: data.path: must be a file, got 5"),
    ("data: {path: a.csv, target: b, drop: [null]}\n", "1:39: data.drop: item 1: must be text, got null"),
    (
        "data: {source: iris, scale: standart}\n",
        "1:22: data.scale: must be standard, minmax, quantile, robust or none, got 'standart'; did you"
        " mean standard?",
    ),
    ("data: {source: iris, split: {valid: 1.0}}\n", "1:30: data.split.valid: must be below 1, got 1.0"),
    ("data: {source: iris, split: {valid: -1}}\n", "1:30: data.split.valid: must be at least 0, got -1"),
    (
        "data: {source: iris, split: {valid: x}}\n",
        "1:30: data.split.valid: must be a part of all rows (at least 0, below 1) or a number"
        " of rows, got 'x'",
    ),
    (
        "data: {source: iris, split: {valid: 0.5, test: 0.5}}\n",
        "1:22: data.split: valid and test take all rows (0.5 + 0.5): leave some to train on",
    ),
    (
        "data: {source: iris, split: {seed: 1.5}}\n",
        "1:30: data.split.seed: must be a whole number from 0 to 18446744073709551615 or run, got 1.5",
    ),
    (
        "data: {source: iris, task: regression}\nloss: cross_entropy\n",
        "2:1: loss: cross_entropy is for classification, but data.task is regression",
    ),
    (
        "data: {source: iris, task: classification}\nmetrics: [rmse]\n",
        "2:1: metrics: rmse is for regression, but data.task is classification",
    ),
    (
        "data: {source: iris, split: {valid: 0}}\nearly_stopping: {monitor: val_accuracy, patience: 3}\n",
        "2:18: early_stopping.monitor: there is no validation part (data.split.valid is 0) for"
        " val_accuracy: take"
        " accuracy",
    ),
    (
        "data: iris\nmetrics: [accuracy]\nearly_stopping: {monitor: val_f1_macro}\n",
        "3:18: early_stopping.monitor: f1_macro is not among the metrics: add it there",
    ),
    (
        "data: iris\nearly_stopping: {monitor: val_acc}\n",
        "2:18: early_stopping.monitor: must be loss or a metric, with or without val_: unknown"
        " metric 'acc'; here it"
        " is accuracy",
    ),
]


@pytest.mark.parametrize(("text", "problem"), DATA_FAULTS, ids=[text or "empty" for text, _ in DATA_FAULTS])
def test_wrong_data_sections(tmp_path, text, problem):
    (tmp_path / "table.csv").write_text("age;income;job\r\n1;2;x\n")
    assert problems_of(tmp_path, text) == [f"a.yaml:{problem}"]


def test_all_problems_come_at_once_in_the_order_of_the_file(tmp_path):
    text = (
        "seed: -1\nlr: 0.1\nseed: 3\ndata: {source: digits, scale: no}\n"
        "hidden:\n  - 64\n  - 0\n  - x\nepochs: 1.5\n"
    )
    assert problems_of(tmp_path, text) == [
        "a.yaml:1:1: seed: must be at least 0, got -1",
        "a.yaml:2:1: lr: unknown key; here it is learning_rate",
        "a.yaml:3:1: seed: given twice, first at line 1: keep one of them",
        "a.yaml:4:24: data.scale: must be standard, minmax, quantile, robust or none, got 'no'",
        "a.yaml:7:5: hidden: item 2: must be at least 1, got 0",
        "a.yaml:8:5: hidden: item 3: must be a whole number from 1 to 65536, got 'x'",
        "a.yaml:9:1: epochs: must be a whole number from 0 to 1000000000, got 1.5",
    ]


@pytest.mark.parametrize(
    "text",
    ["".join(f"learning_rat{i}: 1\n" for i in range(3000)), f"hidden: [{'x, ' * 9900}]"],
    ids=["keys", "items"],
)
def test_of_very_many_problems_some_are_shown_at_once(tmp_path, text):
    started = time.process_time()
    problems = problems_of(tmp_path, f"data: digits\n{text}")
    assert time.process_time() - started < 1
    assert len(problems) == 51
    assert problems[-1] == "... and more: correct these first"


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[31mred", "a\u202eb", "]52;c;x\x07", "[/red]", "\u2066x", "a\nb", "x" * 900, "\u200bx", ""],
)
def test_a_users_text_in_a_message_is_one_short_plain_line(tmp_path, hostile):
    written = '"' + "".join(f"\\U{ord(c):08X}" for c in hostile) + '"'
    if len(hostile) > 100:
        written = f'"{hostile}"'
    key = f"? {written}\n: 1\n"
    text = f"data: digits\n{key}activation: {written}\nname: {written}\nloss: {{name: mse, {written}: 1}}\n"
    problems = problems_of(tmp_path, text)
    assert len(problems) >= 4
    assert all(problem == printable(problem) and len(problem) < 500 for problem in problems)


def test_a_config_that_cannot_be_opened(tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    for name, reason in (
        ("none.yaml", "there is no such file"),
        ("folder.yaml", "is a folder; name a file in it"),
    ):
        with pytest.raises(ConfigError, match=f"^{tmp_path / name}: {reason}$") as caught:
            load_config(tmp_path / name)
        assert caught.value.exit_code == 2
    with pytest.raises(ConfigError, match=r"cannot be read: "):
        load_config("a\0b.yaml")


WORDS = ("", "NA", "NaN", "?", "null", "-999")  # the default words, and those of the list


def test_names_of_columns_are_what_is_written(tmp_path):
    text = (
        "data: {path: t.csv, target: 2020, drop: [1, 2.50, no], na: [null, -999, NaN], split: {group: 012}}\n"
    )
    data = config_of(tmp_path, text).data
    assert (data.target, data.drop, data.na) == ("2020", ("1", "2.50", "no"), WORDS)
    assert data.split.group == "012"


def test_labels_are_what_is_written(tmp_path):
    config = config_of(tmp_path, "data: digits\nclass_weight: {0: 2, no: 1.5, 01: 1}\n")
    assert config.class_weight == {"0": 2.0, "no": 1.5, "01": 1.0}
