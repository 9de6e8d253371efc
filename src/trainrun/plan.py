"""The plan: what configs mean in arrays, for one stack of runs that train together.

The engine trains a plan and knows nothing else. What may differ between the members of a stack is an array
with a K axis (or a function of the member); what may not is a plain attribute, and `stacks` puts runs that
differ in it into separate stacks.

Shape suffixes: K members, L+1 places of dropout (the input and the L hidden layers), T steps of an epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from trainrun.config import Choice, Config
from trainrun.data import Dataset, Preprocessing
from trainrun.data.preprocessing.categorical import AUTO_WIDTH
from trainrun.errors import ConfigError
from trainrun.ingredients.learning_rates import lay_out
from trainrun.ingredients.optimizers import Optimizer
from trainrun.objective import Objective, make_objective, misfit, reportable
from trainrun.stopping import EarlyStopping, Plateau

_QUANTILE_ROWS = 100_000  # of a longer table evenly spaced rows are taken


@dataclass(frozen=True)
class Cell:
    """One (config, seed): a run before it has a directory.

    Attributes:
        config: with `seed` set to this run's.
        dataset: its data, split and preprocessed.
    """

    config: Config
    dataset: Dataset


class Architecture(NamedTuple):
    """Shape of a net: its widths and its activation.

    Attributes:
        inputs: columns of the input: numbers, inputs of 0 and 1, codes of categories.
        hidden: widths of the hidden layers.
        outputs: the number of classes, or 1 for a number.
        activation: the function after each hidden layer.
        feature_scale: whether each input has a learned scale.
        normalization: `none`, `layer` or `batch`: between a hidden layer and its activation.
        parametrization: `standard` or `ntk`.
        residual: whether the input of each hidden layer's block is added to its output.
        numbers: the number columns among the inputs, if they have an embedding.
        number_embedding: the embedding; None where numbers stay as they are.
        code_sizes: the number of codes of each coded column.
        code_width: numbers of a category's vector.
        shared_members: nets that share its weights; 1 for a plain net.
    """

    inputs: int
    hidden: tuple[int, ...]
    outputs: int
    activation: Choice
    feature_scale: bool = False
    normalization: str = "none"
    parametrization: str = "standard"
    residual: bool = False
    numbers: int = 0
    number_embedding: Choice | None = None
    code_sizes: tuple[int, ...] = ()
    code_width: int = 0
    shared_members: int = 1

    @classmethod
    def of(cls, config: Config, preprocessing: Preprocessing) -> Architecture:
        """Return the architecture that a config describes.

        Args:
            config: the config.
            preprocessing: of its data.
        """
        rule, embedding = config.embeddings.categories, config.embeddings.numbers
        numbers = len(preprocessing.numbers.names)
        embeds = embedding.name != "none" and numbers > 0
        return cls(
            len(preprocessing.feature_names),
            config.hidden,
            len(preprocessing.target.classes) or 1,
            config.activation,
            config.feature_scale,
            config.normalization,
            config.parametrization,
            config.residual,
            numbers if embeds else 0,
            embedding if embeds else None,
            preprocessing.code_sizes,
            rule if isinstance(rule, int) else AUTO_WIDTH,
            config.shared_members,
        )

    @property
    def saved(self) -> Architecture:
        """The net as its file of weights has it: with the matrices that act."""
        return self._replace(parametrization="standard")

    @property
    def embeds(self) -> bool:
        """Return whether any column becomes a learned vector."""
        return self.number_embedding is not None or bool(self.code_sizes)

    @property
    def widths(self) -> tuple[int, ...]:
        """Return inputs behind the embeddings, hidden widths, outputs."""
        first = self.inputs
        if self.number_embedding is not None:
            first += self.numbers * (self.number_embedding.function() - 1)
        first += len(self.code_sizes) * (self.code_width - 1)
        return first, *self.hidden, self.outputs


class Start(NamedTuple):
    """Values from which a member's initial parameters come.

    Attributes:
        seed: of the draws.
        initializer: of the weights.
        bias_initializer: of the biases.
        output_initializer: of the last layer's weights.
        edges: [numbers, bins + 1], the edges of the bins of a piecewise-linear embedding; None without one.
    """

    seed: int
    initializer: Choice
    bias_initializer: Choice
    output_initializer: Choice
    edges: np.ndarray | None = None


@dataclass(frozen=True)
class Strengths:
    """Strengths of each member's penalties: arrays [K].

    Attributes:
        proximal: whether L1 acts as a proximal step; else through its subgradient.
        clip: the largest gradient norm, inf for none.
    """

    l1: np.ndarray
    proximal: np.ndarray
    l2: np.ndarray
    activity_l1: np.ndarray
    activity_l2: np.ndarray
    weight_decay: np.ndarray
    clip: np.ndarray

    def select(self, members: np.ndarray) -> Strengths:
        """Return the strengths of some members, by their indices."""
        return Strengths(**{field.name: getattr(self, field.name)[members] for field in fields(self)})


@dataclass(frozen=True)
class Plan:
    """One stack, ready to train.

    Attributes:
        starts: of its K runs: what each draws its parameters from.
        dataset: the data all of them share.
        net: what the net is made of.
        objective: loss and metrics.
        class_weight: [classes] weights of the training loss, or None.
        optimizer: turns gradients into directions.
        averaging: the share of the newest weights in their average after a step; None for no average.
        batch_size: rows of a step, at most those there are.
        dropout: [K, L+1] rates.
        strengths: of the regularization.
        epochs: [K] the most each trains.
        calibrates: [K] whether a temperature is fitted for the member's probabilities.
        monitors: the name of each member's monitored value.
        larger_is_better: [K] the direction of the monitored value.
        early_stopping, plateau: the policies, at their start.
    """

    starts: tuple[Start, ...]
    dataset: Dataset
    net: Architecture
    objective: Objective
    class_weight: np.ndarray | None
    optimizer: Optimizer
    averaging: Callable[[int], float] | None
    batch_size: int
    dropout: np.ndarray
    strengths: Strengths
    epochs: np.ndarray
    calibrates: np.ndarray
    monitors: tuple[str, ...]
    larger_is_better: np.ndarray
    early_stopping: EarlyStopping
    plateau: Plateau
    _rates: tuple[Callable[[np.ndarray], np.ndarray], ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Return inputs, hidden widths, outputs."""
        return self.net.widths

    @property
    def row_numbers(self) -> int:
        """Return the most numbers that a row has in one layer."""
        return max(self.widths) * self.net.shared_members

    @property
    def seeds(self) -> list[int]:
        """Seeds of the members."""
        return [start.seed for start in self.starts]

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch; the last may be short."""
        return _steps_per_epoch(self.dataset, self.batch_size)

    def learning_rates(self, epoch: int, members: np.ndarray) -> np.ndarray:
        """The scheduled learning rates of an epoch's steps, [T, K], for some members.

        Args:
            epoch: from 1.
            members: their places in the plan.
        """
        steps = np.arange((epoch - 1) * self.steps_per_epoch, epoch * self.steps_per_epoch)
        return np.stack([self._rates[member](steps) for member in members], axis=1)


def stacks(cells: Sequence[Cell]) -> list[list[int]]:
    """Group runs into stacks that can train together; each group holds places in `cells`, in order."""
    groups: dict[Hashable, list[int]] = {}
    for place, cell in enumerate(cells):
        groups.setdefault(_shared(cell), []).append(place)
    return list(groups.values())


def part_plans(cells: Sequence[Cell], parts: int) -> list[Plan]:
    """The plans of a stack that trains in parts of about equal size; the members keep their order."""
    size = -(-len(cells) // parts)
    return [make_plan(cells[start : start + size]) for start in range(0, len(cells), size)]


def make_plan(cells: Sequence[Cell]) -> Plan:
    """Lay out the training of runs that `stacks` put together.

    Raises:
        ConfigError: a setting does not fit the data's task, or a schedule its length.
    """
    config, dataset = cells[0].config, cells[0].dataset
    batch_size = min(config.batch_size, len(dataset.train.y))
    if config.normalization == "batch" and config.hidden:
        _check_batches(config, dataset, batch_size)
    configs = [cell.config for cell in cells]
    objective = make_objective(config, dataset.target)
    edges = _edges(config, dataset)
    return Plan(
        starts=tuple(
            Start(c.seed, c.initializer, c.bias_initializer, c.output_initializer or c.initializer, edges)
            for c in configs
        ),
        dataset=dataset,
        net=Architecture.of(config, dataset.preprocessing),
        objective=objective,
        class_weight=_class_weight(config, dataset),
        optimizer=config.optimizer.function(),
        averaging=None if config.averaging.name == "none" else config.averaging.function,
        batch_size=batch_size,
        dropout=np.array([[c.dropout.input, *c.dropout.hidden] for c in configs]),
        strengths=_strengths(configs),
        epochs=np.array([c.epochs for c in configs]),
        calibrates=np.array([_calibrates(c, dataset) for c in configs]),
        monitors=tuple(_monitor(c, dataset, objective) for c in configs),
        larger_is_better=np.array([c.early_stopping.mode == "max" for c in configs]),
        early_stopping=early_stopping(configs),
        plateau=_plateau(configs),
        _rates=tuple(_schedule(c, _steps_per_epoch(dataset, batch_size)) for c in configs),
    )


def _check_batches(config: Config, dataset: Dataset, batch_size: int) -> None:
    """Check that no batch has a single row: its units would have no variance."""
    rows = len(dataset.train.y)
    if rows % batch_size != 1 and batch_size > 1:
        return
    smaller = next((size for size in range(batch_size - 1, 1, -1) if rows % size != 1), None)
    larger = next((size for size in range(batch_size + 1, rows + 1) if rows % size != 1), None)
    near = " or ".join(str(size) for size in (smaller, larger) if size)
    advice = f"take {near}, or normalization: layer" if near else "take normalization: layer"
    what = f"leaves a batch of one row of the {rows} training rows, which batch normalization cannot use"
    raise ConfigError([f"{config.place('batch_size')}: batch_size: {batch_size} {what}; {advice}"])


def _edges(config: Config, dataset: Dataset) -> np.ndarray | None:
    """Return the edges of the bins of a piecewise-linear embedding: quantiles; None without one.

    Equal quantiles are one edge. Columns of few values so have fewer bins, and repeat their last edge.
    """
    bins = config.embeddings.numbers.settings.get("bins")
    numbers = len(dataset.preprocessing.numbers.names)
    if bins is None or not numbers:
        return None
    x = dataset.train.x
    some = x[:: -(-len(x) // _QUANTILE_ROWS), :numbers].astype(np.float64)
    quantiles = np.quantile(some, np.linspace(0, 1, bins + 1), axis=0).T.astype(np.float32)
    edges = np.repeat(quantiles[:, -1:], bins + 1, axis=1)
    for of_column, found in zip(edges, quantiles, strict=True):
        distinct = np.unique(found)
        of_column[: len(distinct)] = distinct
    return edges


def _steps_per_epoch(dataset: Dataset, batch_size: int) -> int:
    return -(-len(dataset.train.y) // batch_size)


def _shared(cell: Cell) -> Hashable:
    """Return a key of everything that the members of a stack must have in common."""
    config = cell.config
    keys = (
        "hidden",
        "activation",
        "feature_scale",
        "normalization",
        "parametrization",
        "residual",
        "embeddings",
        "shared_members",
        "optimizer",
        "averaging",
        "batch_size",
        "loss",
        "class_weight",
        "metrics",
        "device",
        "threads",
    )
    # What is monitored may add a metric.
    return id(cell.dataset), *reportable(config), *(repr(getattr(config, key)) for key in keys)


def _strengths(configs: Sequence[Config]) -> Strengths:
    sections = [config.regularization for config in configs]

    def array(key: str) -> np.ndarray:
        return np.array([getattr(section, key) for section in sections], dtype=np.float64)

    return Strengths(
        l1=array("l1"),
        proximal=np.array([section.l1_method == "proximal" for section in sections]),
        l2=array("l2"),
        activity_l1=array("activity_l1"),
        activity_l2=array("activity_l2"),
        weight_decay=array("weight_decay"),
        clip=np.array([np.inf if c.gradient_clip is None else c.gradient_clip for c in configs]),
    )


def _class_weight(config: Config, dataset: Dataset) -> np.ndarray | None:
    if config.class_weight is None:
        return None
    if dataset.target.task != "classification":
        raise misfit(config, "class_weight", "it is for classification", dataset.target)
    if config.class_weight == "balanced":
        counts = np.bincount(dataset.train.y, minlength=len(dataset.target.classes))
        return len(dataset.train.y) / (len(counts) * counts)
    unknown = sorted(set(config.class_weight) - set(dataset.target.classes))
    if unknown:
        raise misfit(config, "class_weight", f"there is no label {unknown[0]!r}", dataset.target)
    return np.array([config.class_weight.get(label, 1.0) for label in dataset.target.classes])


def _calibrates(config: Config, dataset: Dataset) -> bool:
    is_wanted = config.calibrate and dataset.target.task == "classification"
    if is_wanted and dataset.valid is None:
        raise ConfigError([f"{config.place('calibrate')}: calibrate: needs a validation part"])
    return is_wanted


def _monitor(config: Config, dataset: Dataset, objective: Objective) -> str:
    monitor = config.early_stopping.monitor
    name = monitor.removeprefix("val_")
    if name not in {"loss", *(metric.name for metric in objective.metrics)}:
        raise misfit(config, "early_stopping.monitor", f"{name} is not among the metrics", dataset.target)
    if monitor.startswith("val_") and dataset.valid is None:
        raise misfit(config, "early_stopping.monitor", f"{monitor} needs a validation part", dataset.target)
    return monitor


def early_stopping(configs: Sequence[Config]) -> EarlyStopping:
    """The policy of members with these configs, at its start."""
    sections = [config.early_stopping for config in configs]
    return EarlyStopping(
        patience=[np.inf if s.patience is None else s.patience for s in sections],
        min_delta=[s.min_delta for s in sections],
        start_from_epoch=[s.start_from_epoch for s in sections],
        baseline=[np.nan if s.baseline is None else s.baseline for s in sections],
        larger_is_better=[s.mode == "max" for s in sections],
        last_counts=[s.ties == "last" for s in sections],
    )


def _plateau(configs: Sequence[Config]) -> Plateau:
    """Reductions for the members whose schedule asks for them; the others' factor stays 1."""
    never = {"factor": 1.0, "patience": np.inf, "min_delta": 0.0, "cooldown": 0, "min_lr": 0.0}
    settings = [c.schedule.settings if c.schedule.name == "reduce_on_plateau" else never for c in configs]
    return Plateau(
        reduction=[s["factor"] for s in settings],
        patience=[s["patience"] for s in settings],
        min_delta=[s["min_delta"] for s in settings],
        cooldown=[s["cooldown"] for s in settings],
        floor=[s["min_lr"] / c.learning_rate for s, c in zip(settings, configs, strict=True)],
        larger_is_better=[c.early_stopping.mode == "max" for c in configs],
    )


def _schedule(config: Config, per_epoch: int) -> Callable[[np.ndarray], np.ndarray]:
    total = config.epochs * per_epoch
    warmup = config.warmup.steps(per_epoch=per_epoch, total=total)
    try:
        return lay_out(
            config.schedule.name,
            config.schedule.settings,
            config.learning_rate,
            warmup=warmup,
            per_epoch=per_epoch,
            total=total,
        )
    except ValueError as error:
        raise ConfigError([f"{config.place('schedule')}: schedule: {error}"]) from None
