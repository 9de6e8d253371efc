"""Ray Tune's ASHA with random settings over the ordinary PyTorch loop, which reports after every epoch."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # else its workers starve where anything else runs
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # files that nobody reads here
}

import random
from itertools import pairwise

import numpy as np
import ray
import torch
import torch._dynamo  # imported by torch.optim when first used
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.search.contenders import Tally
from benchmarks.search.sets import BATCH_SIZES, DECAY_EPOCHS, EPOCHS, HIDDEN, RANGES, Arrays, Settings, load
from benchmarks.search.spending import Budget

_OBJECTS_BYTES = 200 * 2**20


def search(name: str, folder: Path, repeat: int, make_budget: Callable[..., Budget], option: str) -> Tally:
    """Search a set."""
    del option
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="ray-") as place:  # short: its sockets' names have a limit
        ray.init(
            num_cpus=cores,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=_OBJECTS_BYTES,
            _temp_dir=place,
        )
        try:
            ray.get([_import.remote() for _ in range(cores)])
            return _search(load(name, folder), repeat, make_budget(family=True), place, cores)
        finally:
            ray.shutdown()


@ray.remote
def _import() -> None:
    """Let a worker import before the clock starts what the trials need."""
    import torch.optim  # noqa: F401

    import benchmarks.search.contenders.ray_torch  # noqa: F401


def _search(data: Arrays, repeat: int, budget: Budget, place: str, cores: int) -> Tally:
    random.seed(repeat)
    np.random.seed(repeat)
    watch = _Watch(budget)
    space = {
        key: (tune.loguniform if one.log else tune.uniform)(one.low, one.high) for key, one in RANGES.items()
    }
    tune.Tuner(
        tune.with_parameters(_train, data=data, seed=repeat),
        param_space={"hidden": tune.choice(HIDDEN), "batch_size": tune.choice(BATCH_SIZES), **space},
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            num_samples=budget.candidates or -1,
            max_concurrent_trials=cores,
            reuse_actors=True,
            scheduler=ASHAScheduler(max_t=EPOCHS, grace_period=1, reduction_factor=3, brackets=3),
        ),
        run_config=tune.RunConfig(storage_path=place, verbose=0, stop=watch),
    ).fit()
    budget.end()
    return watch.tally


class _Watch(tune.Stopper):
    """Counts what is reported, and stops all trials when the budget is used up."""

    def __init__(self, budget: Budget) -> None:
        self.tally, self._budget = Tally(), budget

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        self.tally.candidates += result["training_iteration"] == 1
        self.tally.epochs += 1
        settings = result["config"]
        self.tally.take({**settings, "hidden": list(settings["hidden"])}, result["loss"])
        return False

    def stop_all(self) -> bool:
        return self._budget.requested()


def _train(config: Settings, data: Arrays, seed: int) -> None:
    """Train one net."""
    torch.manual_seed(seed)
    x, y = ({part: torch.from_numpy(array.copy()) for part, array in of.items()} for of in (data.x, data.y))
    train = DataLoader(TensorDataset(x["train"], y["train"]), batch_size=config["batch_size"], shuffle=True)
    valid = DataLoader(TensorDataset(x["valid"], y["valid"]), batch_size=config["batch_size"])
    model = _net(config, x["train"].shape[1], data.outputs)
    loss_fn = nn.CrossEntropyLoss() if data.task == "classification" else _Squared()
    penalised = [value for name, value in model.named_parameters() if name.endswith("weight")]
    free = [value for name, value in model.named_parameters() if name.endswith("bias")]
    optimizer = torch.optim.Adam(
        [{"params": penalised, "weight_decay": 2 * config["regularization.l2"]}, {"params": free}],
        lr=config["learning_rate"],
    )
    scheduler = torch.optim.lr_scheduler.ExponentialLR(
        optimizer, config["schedule.decay_rate"] ** (1 / DECAY_EPOCHS)
    )
    for _ in range(EPOCHS):
        _train_epoch(train, model, loss_fn, optimizer)
        scheduler.step()
        tune.report({"loss": _validate(valid, model, loss_fn)})


def _net(config: Settings, inputs: int, outputs: int) -> nn.Sequential:
    widths = (inputs, *config["hidden"])
    hidden = [
        layer
        for before, after in pairwise(widths)
        for layer in (nn.Linear(before, after), nn.ReLU(), nn.Dropout(config["dropout.hidden"]))
    ]
    return nn.Sequential(nn.Dropout(config["dropout.input"]), *hidden, nn.Linear(widths[-1], outputs))


class _Squared(nn.MSELoss):
    def forward(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return super().forward(outputs.squeeze(1), y)


def _train_epoch(
    loader: DataLoader, model: nn.Module, loss_fn: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    model.train()
    for x, y in loader:
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def _validate(loader: DataLoader, model: nn.Module, loss_fn: nn.Module) -> float:
    model.eval()
    with torch.no_grad():
        total = sum(loss_fn(model(x), y).item() * len(y) for x, y in loader)
    return total / len(loader.dataset)
