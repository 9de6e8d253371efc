"""The config: every key with its type and default, resolved as far as that needs no data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import Field, PrivateAttr

from trainrun.config.keys.data import Data
from trainrun.config.keys.fields import Epochs, Section
from trainrun.config.keys.net import (
    Activation,
    BiasInitializer,
    Embeddings,
    Hidden,
    Initializer,
    Normalization,
    OutputInitializer,
    Parametrization,
    Rates,
)
from trainrun.config.keys.objective import ClassWeight, Loss, Metrics
from trainrun.config.keys.optimization import Averaging, BatchSize, Optimizer, Schedule, Warmup
from trainrun.config.keys.penalties import Penalties
from trainrun.config.keys.run import Device, Name, RunSeed, Threads
from trainrun.config.keys.stopping import Stopping
from trainrun.errors import UsageError
from trainrun.quantities import Duration, Positive

#: How a config came about: as a file has it, or with changes by `--set`, `--vs`, an ablation or a search.
Origin = Literal["written", "set", "vs", "ablate", "search"]


class Config(Section):
    """One training recipe, validated and resolved without looking at its data."""

    # The order of the keys has a meaning: a key stands below all keys that it follows or is checked against.

    name: Name = Field(description="the run's; by default the file's stem")
    data: Data = Field(description="where the rows come from: a bundled set, a file or a mapping")
    hidden: Hidden = Field((64, 64), description="widths of the hidden layers; [] is a linear model")
    activation: Activation = Field("relu", validate_default=True, description="of the hidden layers")
    initializer: Initializer = Field(
        "auto", validate_default=True, description="of the weights; auto suits the activation"
    )
    bias_initializer: BiasInitializer = Field("zeros", validate_default=True, description="of the biases")
    output_initializer: OutputInitializer = Field(
        None, description="of the last layer's weights; null: as initializer"
    )
    parametrization: Parametrization = Field(
        "standard", description="ntk: one learning rate suits all widths, and biases learn ten times slower"
    )
    normalization: Normalization = Field(
        "none", description="of the hidden layers' units, in front of the activation"
    )
    embeddings: Embeddings = Field(
        default_factory=dict, validate_default=True, description="learned vectors for the columns"
    )
    residual: bool = Field(False, description="whether each hidden layer's input is added to its output")
    shared_members: Annotated[int, Ge(1), Le(1024)] = Field(
        1, description="nets in one that share their weights and average their predictions"
    )
    feature_scale: bool = Field(False, description="whether each input has a learned scale")
    dropout: Rates = Field(0.0, validate_default=True, description="the part that is dropped in training")
    optimizer: Optimizer = Field("adam", validate_default=True, description="how gradients become steps")
    learning_rate: Positive = Field(0.001, description="the schedule's highest, or as its name says")
    averaging: Averaging = Field(
        "none",
        validate_default=True,
        description="average of the weights over the steps",
    )
    schedule: Schedule = Field(
        "constant", validate_default=True, description="the learning rate over the steps"
    )
    warmup: Warmup = Field(Duration(0, "steps"), description="a linear rise in front of the schedule")
    regularization: Penalties = Field(
        default_factory=dict, validate_default=True, description="penalties and weight decay"
    )
    gradient_clip: Positive | None = Field(
        None, description="the largest L2 norm of the gradient; null: none"
    )
    loss: Loss = Field(
        "auto", validate_default=True, description="auto: cross_entropy for classes, mse for numbers"
    )
    class_weight: ClassWeight = Field(
        None, description="balanced, or a weight for each label; weighs the training loss only"
    )
    calibrate: bool = Field(
        False, description="whether probabilities of classes get a temperature, fitted on the validation rows"
    )
    metrics: Metrics = Field(
        "auto", validate_default=True, description="auto: accuracy for classes; rmse, mae, r2 for numbers"
    )
    early_stopping: Stopping = Field(
        "auto",
        validate_default=True,
        description="auto: patience 10, off where the schedule spans the training",
    )
    epochs: Epochs = Field(100, description="the most that are trained")
    batch_size: BatchSize = Field(32, description="rows of a step")
    seed: RunSeed = Field(0, description="of weights, order and dropout")
    device: Device = Field("auto", description="auto, cpu, cuda or cuda:N")
    threads: Threads = Field("auto", description="of the processor")

    _places: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _origin: Origin = PrivateAttr("written")

    def __eq__(self, other: object) -> bool:
        """Equal in every key; where they are written does not matter."""
        return isinstance(other, Config) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # Python's way to declare a class unhashable

    def placed(self, places: Mapping[str, str]) -> Config:
        """The same config with the places of its dotted keys, and the file's under the empty key."""
        copy = self.model_copy()
        copy._places = dict(places)
        return copy

    @property
    def origin(self) -> Origin:
        """Origin of the config: written in a file, or changed by a command."""
        return self._origin

    def with_origin(self, origin: Origin) -> Config:
        """Return the same config with another origin."""
        copy = self.model_copy()
        copy._origin = origin
        return copy

    def place(self, key: str) -> str:
        """Return the place of a dotted key, such as `configs/a.yaml:7:3`, or of the section around it."""
        parts = key.split(".")
        around = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next(
            (self._places[found] for found in around if found in self._places), self._places.get("", "config")
        )

    def is_written(self, key: str) -> bool:
        """Return whether a dotted key has a value in a file or on the command line."""
        return key in self._places

    def with_seed(self, seed: int) -> Config:
        """The same config with another seed.

        Args:
            seed: 0 to 2^64 - 1.

        Raises:
            UsageError: it is out of that range.
        """
        if not 0 <= seed < 2**64:
            raise UsageError(f"seed {seed} is out of range: seeds go from 0 to {2**64 - 1}")
        return self.model_copy(update={"seed": seed})
