"""What `auto` and the short forms stand for, without data."""

import gzip
import struct

import pytest

from configs import config_of
from trainrun.config import Config
from trainrun.ingredients import activations
from trainrun.quantities import Duration

INITIALIZERS = {
    "sigmoid": "xavier_normal",
    "tanh": "xavier_normal",
    "softsign": "xavier_normal",
    "selu": "lecun_normal",
}


def test_the_defaults(tmp_path):
    config = config_of(tmp_path, "data: digits\n")
    assert list(Config.model_fields) == [
        "name", "data", "hidden", "activation", "initializer", "bias_initializer", "output_initializer",
        "parametrization", "normalization", "embeddings", "residual", "shared_members", "feature_scale",
        "dropout", "optimizer",
        "learning_rate", "averaging", "schedule", "warmup", "regularization", "gradient_clip", "loss",
        "class_weight", "calibrate", "metrics", "early_stopping", "epochs", "batch_size", "seed", "device",
        "threads",
    ]  # fmt: skip
    assert (config.name, config.data.source, config.hidden) == ("a", "digits", (64, 64))
    assert (config.activation.name, config.optimizer.name, config.schedule.name) == (
        "relu",
        "adam",
        "constant",
    )
    assert config.optimizer.settings == {"betas": (0.9, 0.999), "eps": 1e-8}
    assert (config.dropout.input, config.dropout.hidden) == (0.0, (0.0, 0.0))
    assert config.warmup == Duration(0, "steps")
    assert (config.learning_rate, config.gradient_clip, config.loss, config.metrics) == (
        0.001,
        None,
        None,
        None,
    )
    assert set(config.regularization.model_dump().values()) == {0.0, "proximal"}
    assert (config.epochs, config.batch_size, config.seed) == (100, 32, 0)
    assert (config.device, config.threads, config.class_weight) == ("auto", "auto", None)
    assert (config.data.split.valid, config.data.split.test, config.data.split.stratify) == (0.2, 0.2, "auto")


@pytest.mark.parametrize("activation", activations)
def test_the_initializer_suits_the_activation(tmp_path, activation):
    config = config_of(tmp_path, f"data: digits\nactivation: {activation}\n")
    assert config.initializer.name == INITIALIZERS.get(activation, "torch_default")
    deep = config_of(tmp_path, f"data: digits\nactivation: {activation}\nhidden: [8, 8, 8, 8, 8]\n")
    assert deep.initializer.name == INITIALIZERS.get(activation, "he_normal")
    with_setting = config_of(tmp_path, f"data: digits\nactivation: {activation}\n", "initializer=zeros")
    assert with_setting.initializer.name == "zeros"


@pytest.mark.parametrize(
    ("text", "decay"),
    [
        ("optimizer: adamw", 0.01),
        ("optimizer: {name: adamw, eps: 0.1}", 0.01),
        ("optimizer: adam", 0.0),
        ("optimizer: adamw\nregularization: {weight_decay: 0}", 0.0),
        ("optimizer: adamw\nregularization: {weight_decay: auto, l1: 1}", 0.01),
        ("regularization: {weight_decay: 0.3}", 0.3),
    ],
)
def test_weight_decay_is_the_optimizers_own(tmp_path, text, decay):
    assert config_of(tmp_path, f"data: digits\n{text}\n").regularization.weight_decay == decay


PATIENCES = [
    ("constant", 10),
    ("cosine", None),
    ("{name: cosine, decay_over: 50 epochs}", 10),
    ("{name: cosine, decay_over: 1000 steps}", 10),
    ("{name: cosine, decay_over: 50%}", None),
    ("linear", None),
    ("one_cycle", None),
    ("{name: one_cycle, rise: 10 steps}", None),
    ("wsd", None),
    ("{name: wsd, decay_over: 10 steps}", None),
    ("polynomial", None),
    ("{name: exponential, decay_rate: 0.9}", None),
    ("{name: exponential, decay_rate: 0.9, decay_over: 1 epoch}", 10),
    ("{name: cosine_restarts, first_decay: 10 steps}", 10),
    ("{name: cosine_restarts, first_decay: 10%}", None),
    ("inverse_sqrt", 10),
    ("reduce_on_plateau", 10),
    ("{name: step, every: 5 epochs}", 10),
    ("{name: step, every: 5%}", None),
    ("{name: multistep, milestones: [5 epochs, 50%]}", None),
    ("{name: multistep, milestones: [5 epochs, 6 epochs]}", 10),
]


@pytest.mark.parametrize(("schedule", "patience"), PATIENCES)
def test_early_stopping_is_off_where_the_schedule_spans_the_training(tmp_path, schedule, patience):
    text = f"data: digits\nschedule: {schedule}\n"
    assert config_of(tmp_path, text).early_stopping.patience == patience
    assert config_of(tmp_path, text, "early_stopping=auto").early_stopping.patience == patience
    assert config_of(tmp_path, text, "early_stopping=true").early_stopping.patience == 10
    assert config_of(tmp_path, text, "early_stopping=3").early_stopping.patience == 3
    assert config_of(tmp_path, text, "early_stopping=false").early_stopping.patience is None


def test_the_warm_up_does_not_turn_early_stopping_off(tmp_path):
    assert config_of(tmp_path, "data: digits\nwarmup: 10%\n").early_stopping.patience == 10


@pytest.mark.parametrize(
    ("section", "monitor", "mode"),
    [
        ("auto", "val_loss", "min"),
        ("5", "val_loss", "min"),
        ("{monitor: val_accuracy}", "val_accuracy", "max"),
        ("{monitor: accuracy}", "accuracy", "max"),
        ("{monitor: val_rmse}", "val_rmse", "min"),
        ("{monitor: val_mae}", "val_mae", "min"),
        ("{monitor: val_r2}", "val_r2", "max"),
        ("{monitor: val_auc}", "val_auc", "max"),
        ("{monitor: loss}", "loss", "min"),
        ("{monitor: val_accuracy, mode: min}", "val_accuracy", "min"),
        ("{monitor: val_accuracy, mode: auto}", "val_accuracy", "max"),
    ],
)
def test_the_mode_is_the_monitored_values(tmp_path, section, monitor, mode):
    stopping = config_of(tmp_path, f"data: digits\nearly_stopping: {section}\n").early_stopping
    assert (stopping.monitor, stopping.mode) == (monitor, mode)


@pytest.mark.parametrize(
    ("section", "patience"),
    [("auto", None), ("false", None), ("true", 10), ("4", 4), ("{patience: 4}", 4), ("{monitor: loss}", 10)],
)
def test_without_a_validation_part_the_loss_is_monitored(tmp_path, section, patience):
    for zero in ("0", "0.0"):
        text = f"data: {{source: digits, split: {{valid: {zero}}}}}\nearly_stopping: {section}\n"
        stopping = config_of(tmp_path, text).early_stopping
        assert (stopping.monitor, stopping.patience) == ("loss", patience)


def test_a_validation_file_is_a_validation_part(tmp_path):
    text = "data: {path: t.csv, target: y, valid: v.csv, split: {valid: 0}}\n"
    assert config_of(tmp_path, text).early_stopping.monitor == "val_loss"


def test_a_file_replaces_its_fraction(tmp_path):
    text = "data: {path: t.csv, target: y, test: v.csv, split: {valid: 0.9}}\n"
    assert config_of(tmp_path, text).data.split.valid == 0.9


def test_patience_null_monitors_without_stopping(tmp_path):
    text = "data: digits\nearly_stopping: {monitor: val_accuracy, patience: null}\n"
    stopping = config_of(tmp_path, text).early_stopping
    assert (stopping.monitor, stopping.patience) == ("val_accuracy", None)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("0.2", (0.0, (0.2, 0.2))),
        ("0", (0.0, (0.0, 0.0))),
        ("[0.1, 0.3]", (0.0, (0.1, 0.3))),
        ("{input: 0.2, hidden: 0.5}", (0.2, (0.5, 0.5))),
        ("{hidden: [0.1, 0.3]}", (0.0, (0.1, 0.3))),
        ("{input: 0.2}", (0.2, (0.0, 0.0))),
    ],
)
def test_dropout_is_one_rate_for_each_hidden_layer(tmp_path, text, rates):
    dropout = config_of(tmp_path, f"data: digits\ndropout: {text}\n").dropout
    assert (dropout.input, dropout.hidden) == rates


def test_a_linear_model_has_no_hidden_dropout(tmp_path):
    config = config_of(tmp_path, "data: digits\nhidden: []\ndropout: 0.5\n")
    assert (config.hidden, config.dropout.hidden) == ((), ())


def test_aliases_resolve_to_main_names(tmp_path):
    text = "data: digits\nactivation: swish\ninitializer: {name: kaiming_normal, mode: fan_out}\n"
    config = config_of(tmp_path, text)
    assert (config.activation.name, config.initializer.name) == ("silu", "he_normal")
    assert config.initializer.ingredient.name == "he_normal"


def test_settings_come_as_the_ingredient_takes_them(tmp_path):
    text = (
        "data: digits\nschedule: {name: piecewise, boundaries: [10 steps, 5 epochs], values: [1, 0.5, 0]}\n"
    )
    schedule = config_of(tmp_path, text).schedule
    assert schedule.settings == {
        "boundaries": (Duration(10, "steps"), Duration(5, "epochs")),
        "values": (1.0, 0.5, 0.0),
    }
    assert schedule.changed == schedule.settings


def test_data_in_short_forms(tmp_path):
    assert config_of(tmp_path, "data: breast_cancer\n").data.source == "breast_cancer"
    data = config_of(tmp_path, "data: {path: sub/t.csv.gz, target: y}\n").data
    assert data.path == tmp_path / "sub" / "t.csv.gz"
    assert config_of(tmp_path, "data: t.csv\n", "data.target=y").data.path == tmp_path / "t.csv"


IDX_NAMES = ["train-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte", "x.idx", "x.idx.gz", "X.IDX3-UBYTE"]


@pytest.mark.parametrize("name", IDX_NAMES)
def test_idx_is_known_by_its_name(tmp_path, name):
    text = f"data: {{path: {name}, target: labels, valid: [vi, vl], test: [/ti, tl]}}\n"
    data = config_of(tmp_path, text).data
    assert data.target == tmp_path / "labels"
    assert data.valid == (tmp_path / "vi", tmp_path / "vl")
    assert data.test[0].as_posix() == "/ti"


@pytest.mark.parametrize("packed", [False, True])
def test_idx_is_known_by_its_first_bytes(tmp_path, packed):
    content = bytes([0, 0, 8, 1]) + struct.pack(">i", 1) + b"\x07"
    name = "images.gz" if packed else "images"
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    assert config_of(tmp_path, f"data: {{path: {name}, target: labels}}\n").data.target == tmp_path / "labels"


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "idx.npz", "my-idx-table.tsv", "absent"])
def test_other_files_are_not_idx(tmp_path, name):
    assert config_of(tmp_path, f"data: {{path: {name}, target: labels}}\n").data.target == "labels"


def test_places(tmp_path):
    config = config_of(tmp_path, "data: digits\nschedule: {name: cosine, alpha: 0.1}\n", "learning_rate=0.1")
    path = f"{tmp_path}/a.yaml"
    assert config.place("data") == f"{path}:1:1"
    assert config.place("schedule.alpha") == f"{path}:2:26"
    assert config.place("schedule.decay_over") == f"{path}:2:1"
    assert config.place("learning_rate") == "--set learning_rate"
    assert config.place("epochs") == path
    assert config.with_seed(3).place("data") == f"{path}:1:1"
