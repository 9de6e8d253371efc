"""Configs for tests: real files, and the problems that loading them finds."""

from pathlib import Path

import pytest

from trainrun.config import Config, load_config
from trainrun.errors import ConfigError

#: Valid configs: the defaults, and between them nearly every key.
CONFIGS = {
    "defaults": "data: digits\n",
    "table": "data: {path: t.csv, target: income, drop: [a, '1e-3', 'no'], na: ['', ' ', '~',"
    " null], valid: v.csv,"
    " categorical: [x], delimiter: '\\t', header: false, split: {test: 100, seed: run, group: '012'}}\n",
    "idx": "data: {path: a-idx3-ubyte, target: l-idx1-ubyte, valid: [a, b], test: [c, d]}\n",
    "everything": "name: x\ndata: iris\nhidden: 8\nactivation: {name: leaky_relu, negative_slope: 0.2}\n"
    "initializer: {name: variance_scaling}\nbias_initializer: {name: constant, value: 0.1}\n"
    "dropout: {input: 0.1, hidden: 0.5}\noptimizer: {name: sgd, momentum: 0.9, nesterov:"
    " true}\nlearning_rate: 1e-5\n"
    "schedule: {name: cosine_restarts, first_decay: 1000 steps}\nwarmup: 10%\n"
    "regularization: {l1: 1e-4, activity_l2: 0.1, weight_decay: 0.2, l1_method:"
    " subgradient}\ngradient_clip: 1\n"
    "loss: {name: cross_entropy, label_smoothing: 0.1}\nclass_weight: {no: 2, 0: 1, '':"
    " 3}\nmetrics: [accuracy, auc]\n"
    "early_stopping: {monitor: val_auc, patience: 3, min_delta: 0.1, start_from_epoch: 2,"
    " baseline: -0.5}\nepochs: 0\n"
    "batch_size: 1\nseed: 18446744073709551615\ndevice: cuda:3\nthreads: 2\n",
    "linear": "data: wine\nhidden: []\nschedule: one_cycle\nclass_weight: balanced\nmetrics: []\n",
    "piecewise": "data: wine\nschedule: {name: piecewise, boundaries: [1 epochs, 50%], values:"
    " [1, 0.5, 0.1]}\n",
    "no validation": "data: {source: wine, split: {valid: 0, test: 0}}\nearly_stopping: 5\n",
    "false": "data: wine\nearly_stopping: false\noptimizer: adamw\n",
}


def config_of(folder: Path, text: str, *overrides: str, name: str = "a.yaml") -> Config:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_config(path, overrides)


def problems_of(folder: Path, text: str | bytes, *overrides: str, name: str = "a.yaml") -> list[str]:
    """The problems of a config, without the folder in front of its name."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=r".") as caught:
        load_config(path, overrides)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]
