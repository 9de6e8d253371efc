"""Optuna's TPE with median pruning or Hyperband over scikit-learn's MLP, an epoch a call.

scikit-learn has no dropout, so two of the settings are not searched: its nets do less, in a smaller space.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.search.contenders import Tally
from benchmarks.search.sets import (
    BATCH_SIZES,
    DECAY_EPOCHS,
    EPOCHS,
    HIDDEN,
    RANGES,
    Arrays,
    Settings,
    load,
)
from benchmarks.search.spending import Budget

_NOT_THERE = {"dropout.input": 0.0, "dropout.hidden": 0.0}


def search(name: str, folder: Path, repeat: int, make_budget: Callable[..., Budget], option: str) -> Tally:
    """Search a set; `option` is the pruner."""
    data = load(name, folder)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")  # of nets that diverge
    budget, tally = make_budget(), Tally()
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=repeat), pruner=_pruner(option))

    def objective(trial: optuna.Trial) -> float:
        settings = _suggest(trial)
        tally.candidates += 1
        net = _net(settings, data, repeat)
        best = np.inf
        for epoch in range(1, EPOCHS + 1):
            loss = _train_epoch(net, settings, data, epoch)
            tally.epochs += 1
            tally.take(settings, loss)
            best = min(best, loss) if np.isfinite(loss) else best
            trial.report(best, epoch)
            if budget.requested():
                study.stop()
                break
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(best)

    study.optimize(objective, n_trials=budget.candidates)
    budget.end()
    return tally


def _pruner(option: str) -> optuna.pruners.BasePruner:
    if option == "median":
        return optuna.pruners.MedianPruner()
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=EPOCHS, reduction_factor=3)


def _suggest(trial: optuna.Trial) -> Settings:
    ranges = {
        key: trial.suggest_float(key, one.low, one.high, log=one.log)
        for key, one in RANGES.items()
        if key not in _NOT_THERE
    }
    return {
        "hidden": list(HIDDEN[trial.suggest_categorical("hidden", range(len(HIDDEN)))]),
        "batch_size": trial.suggest_categorical("batch_size", BATCH_SIZES),
        **ranges,
        **_NOT_THERE,
    }


def _net(settings: Settings, data: Arrays, seed: int) -> Any:
    """Its alpha is half as strong and divided by the rows of a batch; its squared loss has a half, too."""
    is_class = data.task == "classification"
    strength = settings["regularization.l2"] * settings["batch_size"] * (2 if is_class else 1)
    return (MLPClassifier if is_class else MLPRegressor)(
        settings["hidden"],
        solver="adam",
        alpha=strength,
        batch_size=settings["batch_size"],
        learning_rate_init=settings["learning_rate"],
        random_state=seed,
    )


def _train_epoch(net: Any, settings: Settings, data: Arrays, epoch: int) -> float:
    """Train an epoch; return the loss of the validation rows, not finite where the net diverged."""
    if epoch > 1:  # Adam has no schedule here: its rate is changed between epochs
        rate = settings["learning_rate"] * settings["schedule.decay_rate"] ** ((epoch - 1) / DECAY_EPOCHS)
        net._optimizer.learning_rate_init = rate
    x, y = data.x["valid"], data.y["valid"]
    try:
        if data.task == "regression":
            net.partial_fit(data.x["train"], data.y["train"])
            return float(np.square(net.predict(x) - y).mean())
        net.partial_fit(data.x["train"], data.y["train"], classes=np.arange(data.outputs))
        of_truth = net.predict_proba(x)
    except ValueError:  # its own word for numbers that are not finite
        return np.inf
    of_truth = of_truth[np.arange(len(y)), y]
    return float(-np.log(of_truth.clip(np.finfo(of_truth.dtype).eps)).mean())
