"""The JSON Schema takes what the config takes, and importing the config stays light."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from configs import CONFIGS
from trainrun.config import json_schema
from trainrun.config.keys.choices import INGREDIENTS
from trainrun.config.yaml.parser import parse
from trainrun.config.yaml.tree import Source, plain
from trainrun.ingredients import metrics

VALIDATOR = Draft202012Validator(json_schema())

DESIGN = """
name: digits
data:
  path: train.csv
  target: income
  na: ["", NA, NaN, "?"]
  split: {valid: 0.2, test: 0.2, seed: 0, stratify: auto}
hidden: [64, 64]
activation: relu
initializer: auto
bias_initializer: zeros
dropout: 0.0
optimizer: {name: adam, betas: [0.89, 0.999], eps: 1e-8}
learning_rate: 0.001
schedule: {name: cosine_restarts, first_decay: 1000 steps, t_mul: 2.0, m_mul: 1.0, alpha: 0.0}
warmup: 0 steps
regularization: {l1: 0, l2: 0, activity_l1: 0, activity_l2: 0, weight_decay: auto, l1_method: proximal}
gradient_clip: null
loss: auto
class_weight: null
metrics: auto
early_stopping: {monitor: val_loss, mode: auto, patience: 10, min_delta: 0.0, start_from_epoch: 0}
epochs: 100
batch_size: 32
seed: 0
device: auto
threads: auto
extends: null
"""


def errors(text):
    # As JSON has it: lists, and no difference between a mapping's kinds of keys.
    values = json.loads(json.dumps(plain(parse(text.encode(), Source("a", Path()))[0])))
    return [error.message for error in VALIDATOR.iter_errors(values)]


def test_the_schema_is_valid_itself():
    Draft202012Validator.check_schema(json_schema())
    assert json.loads(json.dumps(json_schema())) == json_schema()


@pytest.mark.parametrize("text", [DESIGN, *CONFIGS.values()], ids=["design", *CONFIGS])
def test_configs_fit_the_schema(text):
    assert errors(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "hidden: 128", "dropout: [0.1, 0.2]", "dropout: {input: 0.2, hidden: 0.5}", "early_stopping: 5",
        "early_stopping: false", "early_stopping: auto", "loss: {name: cross_entropy, label_smoothing: 0.1}",
        "optimizer: {eps: 1e-7}", "initializer: {mode: fan_in}", "initializer: {name:"
            " glorot_normal, gain: relu}",
        "class_weight: balanced", "class_weight: {a: 2}", *(f"metrics: {name}" for name in metrics),
        f"metrics: [{', '.join(metrics)}]",
        "extends: base.yaml", "warmup: 5%", "search: null",
        "search: {learning_rate: {from: 1e-4, to: 1e-1, log: true}, dropout: {hidden: [0, 0.1]}}",
        "search: {dropout.hidden: {from: 0, to: 0.5, step: 0.1}, hidden: [8, [8, 8]]}",
        "search: {class_weight: [null, {a: 2}]}",
    ],
)  # fmt: skip
def test_short_forms_fit_the_schema(line):
    assert errors(f"data: digits\n{line}\n") == []


@pytest.mark.parametrize("key", INGREDIENTS)
def test_every_bare_name_fits_the_schema(key):
    for word in INGREDIENTS[key].registry.words:
        section, _, inner = key.rpartition(".")
        line = f"{section}: {{{inner}: {word}}}" if section else f"{key}: {word}"
        assert errors(f"data: digits\n{line}\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "epoch: 3", "epochs: -1", "epochs: x", "hidden: [0]", "dropout: 1", "optimizer: lion",
        "optimizer: {name: lion}", "optimizer: {name: sgd, eps: 1}", "warmup: 10", "data: {scale: x}",
        "early_stopping: {mode: x}", "metrics: [x]", "learning_rate: 0", "regularization: {l1: -1}",
        "search: {}", "search: 5", "search: {dropout: 0.1}", "search: {dropout: []}",
        "search: {dropout: [0, 0]}", "search: {dropout: {from: 0.1}}", "search: {dropout: {hidden: 0.1}}",
        "search: {dropout: {from: 0.1, to: 0.2, stepp: 0.1}}", "search: {dropout: {from: a, to: 0.2}}",
    ],
)  # fmt: skip
def test_mistakes_do_not_fit_the_schema(line):
    text = line if line.startswith("data") else f"data: digits\n{line}"
    assert errors(f"{text}\n") != []


def test_every_key_is_described():
    schema = json_schema()
    for name, model in [("top", schema), *schema["$defs"].items()]:
        for key, field in model.get("properties", {}).items():
            assert field.get("description"), f"{name}.{key}"


def test_importing_the_config_loads_nothing_heavy():
    script = "import sys, trainrun.config; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "sklearn", "scipy", "pyarrow", "pandas"} & set(done.stdout.split())


def test_the_models_of_all_ingredients_are_made_in_no_time():
    started = time.process_time()
    json_schema()
    assert time.process_time() - started < 1
