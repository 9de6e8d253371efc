"""The learning-rate range test: many learning rates side by side, each from the same start.

Every learning rate is a member of a stack and trains for a short while at that one rate, with several seeds.
(A sweep that raises the rate while it trains mixes what the rates before have done with what each does.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress, takewhile

import numpy as np

from trainrun.config import Config
from trainrun.config.keys.choices import choice_model
from trainrun.data import Dataset, Part, load_dataset
from trainrun.engine.device import choose_device, choose_processors
from trainrun.engine.probe import footprint, guessing
from trainrun.engine.workers import Slice, train_parts
from trainrun.errors import UsageError, as_out_of_memory
from trainrun.events import EpochEnded
from trainrun.ingredients import schedules
from trainrun.plan import Cell, make_plan, part_plans
from trainrun.quantities import Duration
from trainrun.streams import Purpose, stream

_PER_DECADE = 3
_HIGHEST = 1e30  # what float32 has room for, and more than anyone means
_LEARNS = 0.1  # of the way from guessing's loss to the best: what every seed has to get
UNMOVED = 0.01  # of guessing's loss: a best that is no further below it has learned nothing
_AS_GOOD = 0.02  # of that way: a rate this close to the best one counts as equally good
_ROWS_JUDGED = 5000  # of the validation part
_STACK_BYTES = 2**29  # of members that train together


@dataclass(frozen=True)
class Trial:
    """One learning rate.

    Attributes:
        rate: the learning rate.
        losses: the last loss of each seed; inf if its run diverged.
    """

    rate: float
    losses: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median over the seeds."""
        return float(np.median(self.losses))

    @property
    def error(self) -> float:
        """The standard error of the mean; 0 for a single seed."""
        if len(self.losses) < 2:
            return 0.0
        return float(np.std(self.losses, ddof=1) / math.sqrt(len(self.losses)))


@dataclass(frozen=True)
class RateRange:
    """Results of all learning rates that were tried.

    Attributes:
        config: the config of the runs.
        measure: what is compared: `val_loss`, or `loss` where there is no validation part.
        steps: that each learning rate was trained for.
        guess: the loss of a net that knows nothing.
        trials: by rising learning rate.
    """

    config: Config
    measure: str
    steps: int
    guess: float
    trials: tuple[Trial, ...]

    @property
    def learning(self) -> tuple[Trial, ...]:
        """Rates for which every seed learns, up to the first rate above the best for which a seed does not.

        Below the best rate, one unlucky seed (for example an outlier) does not disqualify lower rates.
        """
        lowest = min(trial.median for trial in self.trials)
        if lowest > (1 - UNMOVED) * self.guess:
            return ()
        bound = self.guess - _LEARNS * (self.guess - lowest)
        learns = [max(trial.losses) < bound for trial in self.trials]
        best = min(
            compress(range(len(learns)), learns), key=lambda place: self.trials[place].median, default=-1
        )
        above = sum(1 for _ in takewhile(bool, learns[best + 1 :]))
        return tuple(compress(self.trials[: best + 1 + above], learns))

    @property
    def best(self) -> Trial | None:
        """The one with the lowest median; None where none learns."""
        return min(self.learning, key=lambda trial: trial.median, default=None)

    @property
    def suggestion(self) -> Trial | None:
        """The lowest that is as good as the best, to within a standard error; None where none learns.

        The lowest, because a training longer than this test wants rather less than what is best here.
        """
        if not self.best:
            return None
        bound = self.best.median + max(self.best.error, _AS_GOOD * (self.guess - self.best.median))
        return next(trial for trial in self.learning if trial.median <= bound)

    @property
    def gaps(self) -> tuple[Trial, ...]:
        """Rates between the lowest and the highest good one for which some seed does not learn."""
        ends = [trial.rate for trial in self.learning]
        between = (trial for trial in self.trials if ends and ends[0] < trial.rate < ends[-1])
        return tuple(trial for trial in between if trial not in self.learning)

    @property
    def diverging(self) -> Trial | None:
        """The lowest beyond those that learn for which a seed is not finite, or twice as bad as guessing."""
        highest = self.learning[-1].rate if self.learning else 0.0
        beyond = (trial for trial in self.trials if trial.rate > highest)
        return next((trial for trial in beyond if max(trial.losses) > 2 * self.guess), None)


def find_range(config: Config, *, limits: tuple[float, float], seeds: int, steps: int) -> RateRange:
    """Try learning rates on a recipe; nothing is kept.

    Args:
        config: the recipe; its schedule and warm-up are left out, and nothing stops early.
        limits: between which learning rates are tried, three to a decade; above 0, rising.
        seeds: how many of each, from the config's own on.
        steps: how long each trains, at least, in whole epochs; a longer epoch is cut to as many.

    Raises:
        UsageError: the limits are invalid.
        TrainrunError: the config does not fit its data, or these cannot be read; or its device is not there.
    """
    rates = _rates(*limits)
    dataset = _shortened(load_dataset(config), config, steps)
    plan = make_plan([Cell(config, dataset)])
    epochs = -(-steps // plan.steps_per_epoch)
    variants = [_variant(config, rate, seed, epochs) for rate in rates for seed in range(seeds)]
    try:
        losses = _losses([Cell(variant, dataset) for variant in variants])
    except (MemoryError, RuntimeError) as error:
        raise as_out_of_memory(error, f"trying learning rates of {config.name}") from error
    by_rate = zip(rates, np.reshape(losses, (-1, seeds)).tolist(), strict=True)
    return RateRange(
        config=config,
        measure="loss" if dataset.valid is None else "val_loss",
        steps=epochs * plan.steps_per_epoch,
        guess=guessing(plan),
        trials=tuple(Trial(rate, tuple(values)) for rate, values in by_rate),
    )


def _rates(low: float, high: float) -> list[float]:
    """Three to a decade, to two digits, from about `low` to about `high`."""
    if not 0 < low < high <= _HIGHEST:
        raise UsageError(
            f"the learning rates must rise from above 0 to at most {_HIGHEST:g}, got {low:g} to {high:g}"
        )
    first, last = round(_PER_DECADE * math.log10(low)), round(_PER_DECADE * math.log10(high))
    return [float(f"{10 ** (place / _PER_DECADE):.1e}") for place in range(first, max(first + 1, last) + 1)]


def _shortened(dataset: Dataset, config: Config, steps: int) -> Dataset:
    """The data with no more training rows than the steps take, and fewer to be judged by."""
    train = _some(dataset.train, steps * config.batch_size, config.seed)
    valid = None if dataset.valid is None else _some(dataset.valid, _ROWS_JUDGED, config.seed)
    return replace(dataset, train=train, valid=valid, test=None)


def _some(part: Part, rows: int, seed: int) -> Part:
    if len(part.y) <= rows:
        return part
    chosen = stream(seed, Purpose.ORDER, 0).permutation(len(part.y))[:rows]
    return Part(part.x[chosen], part.y[chosen])


def _variant(config: Config, rate: float, offset: int, epochs: int) -> Config:
    constant = choice_model(schedules["constant"])(name="constant")
    stopping = config.early_stopping.model_copy(update={"patience": None})
    changes = {
        "learning_rate": rate,
        "schedule": constant,
        "warmup": Duration(0, "steps"),
        "early_stopping": stopping,
        "epochs": epochs,
    }
    return config.with_seed(config.seed + offset).model_copy(update=changes)


def _losses(cells: Sequence[Cell]) -> list[float]:
    """Return the last loss of each run; inf if the run diverged."""
    config, one = cells[0].config, make_plan(cells[:1])
    device = choose_device(config.device)
    together = max(1, _STACK_BYTES // footprint(one))
    losses = [math.inf] * len(cells)
    for start in range(0, len(cells), together):
        some = cells[start : start + together]
        processors = choose_processors(config.threads, one, len(some), device)
        plans = part_plans(some, processors.parts)
        parts = [[Slice(plan)] for plan in plans]
        for event in train_parts(parts, device=device, threads=processors.threads):
            if isinstance(event, EpochEnded) and event.epoch == config.epochs:
                loss = (event.valid or event.train)["loss"]
                losses[start + event.member] = loss if math.isfinite(loss) else math.inf
    return losses
