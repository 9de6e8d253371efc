"""Events of a training: frozen records, one for each fact, each naming its member.

Observers (the run directory, the console) read them and never change them; nothing that an observer does can
change the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

PARTS = ("train", "valid", "test")  # of the data
PROBABILITIES = ("uncalibrated", "calibrated")  # without and with the temperature
Values = Mapping[str, float]  # a loss and metrics by their plain names: loss, accuracy, rmse, ...


@dataclass(frozen=True)
class FitStarted:
    """A member begins to train.

    Attributes:
        member: its place in the plan's list of runs.
        epochs: the most it will train.
        parameters: trainable numbers in its net.
        monitor: the name of the monitored value: `val_loss`, `val_accuracy`, `loss`, ...
        larger_is_better: the monitored value's direction.
    """

    member: int
    epochs: int
    parameters: int
    monitor: str
    larger_is_better: bool


@dataclass(frozen=True)
class EpochEnded:
    """A member has finished an epoch.

    Attributes:
        member: its place in the plan's list of runs.
        epoch: counted from 1.
        step: optimizer steps done so far.
        learning_rate: of the epoch's last step.
        train: loss and metrics over the epoch's batches, as trained (dropout on).
        penalty: L1 and L2 of the weights at the epoch's end, and the mean activity penalty of a row.
        valid: loss and metrics of the validation part; None without such a part.
        monitored: the value that decides what is best.
        improved: whether it became the best.
        kept: whether this epoch is the best so far: it improved, or it equals the best and the last counts.
        previous_best: the best before this epoch (inf or -inf at first).
        best: the best now.
        wait: epochs that counted against patience.
    """

    member: int
    epoch: int
    step: int
    learning_rate: float
    train: Values
    penalty: float
    valid: Values | None
    monitored: float
    improved: bool
    kept: bool
    previous_best: float
    best: float
    wait: int


@dataclass(frozen=True)
class Diverged:
    """A member met a value that is not finite and has ended.

    Attributes:
        member: its place in the plan's list of runs.
        epoch: the epoch it was in, from 1.
        step: the optimizer step at which it happened, from 1.
        quantity: `loss`, `weight`, `bias` or `bias or scale`; a gradient that is not finite makes a weight
            so in the same step.
        layer: of the weight, from 1; None for other values.
        learning_rate: of that step.
    """

    member: int
    epoch: int
    step: int
    quantity: str
    layer: int | None
    learning_rate: float


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment.

    Attributes:
        facts: what JSON can say, kept to the bit and in order; numbers that are not finite too.
        arrays: by name; of any shape, and any type of numbers or booleans.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Paused:
    """A member between two steps; all that it takes to continue with the same bits.

    Attributes:
        member: its place in the plan's list of runs.
        epoch: the epoch it is in, from 1.
        step: optimizer steps done.
        snapshot: what the engine continues from.
        weights: the best epoch's, keyed and shaped as `torch.nn.Sequential` has them.
    """

    member: int
    epoch: int
    step: int
    snapshot: Snapshot
    weights: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class FitEnded:
    """A member has ended; what it has become.

    Attributes:
        member: its place in the plan's list of runs.
        status: `complete` or `diverged`.
        stopped_by: `epochs`, `early_stopping` or `non_finite`.
        best_epoch: counted from 1; 0 for the start weights of `epochs: 0`, None where no epoch was finite.
        epochs: finished epochs.
        steps: optimizer steps done.
        parameters: trainable numbers in the net.
        zero_weights: weights (biases not counted) that are exactly 0 at the best epoch.
        train, valid, test: loss and metrics at the best epoch, dropout off; None for a missing part.
        confusion: for classes, by part: rows are the true class, columns the predicted one.
        weights: the best epoch's, keyed and shaped as `torch.nn.Sequential` has them.
        temperature: by which logits are divided to calibrate probabilities; None without calibration.
        reliability: with calibration, by part: for each of `PROBABILITIES` the rows, the mean confidence and
            the accuracy of 15 bins.
    """

    member: int
    status: str
    stopped_by: str
    best_epoch: int | None
    epochs: int
    steps: int
    parameters: int
    zero_weights: int
    train: Values | None
    valid: Values | None
    test: Values | None
    confusion: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray]
    temperature: float | None = None
    reliability: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]] = field(default_factory=dict)


Event = FitStarted | EpochEnded | Diverged | Paused | FitEnded
