"""The config: every key with its type and default, resolved as far as that needs no data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Ge, Le, MinLen
from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, WithJsonSchema

from trainrun.config import checks, resolving
from trainrun.config.choices import INGREDIENTS, Choice
from trainrun.config.data_section import DataConfig
from trainrun.config.fields import Epochs, Expected, Section, Seed, Width
from trainrun.config.rendering import to_yaml
from trainrun.config.sections import Dropout, EarlyStopping, Regularization
from trainrun.errors import UsageError
from trainrun.ingredients import metrics
from trainrun.quantities import Duration, NonNegative, Positive, PositiveCount, Rate

_Hidden = Annotated[
    tuple[Width, ...],
    BeforeValidator(resolving.widths, json_schema_input_type=Width | list[Width]),
    Expected("a list of widths from 1 to 65536 (or one width)"),
]
_Dropout = Annotated[
    Dropout,
    AfterValidator(checks.dropout),
    BeforeValidator(resolving.dropout, json_schema_input_type=Rate | list[Rate] | Dropout),
    Expected("a rate (at least 0, below 1), a list of rates or a mapping with input and hidden"),
]
_METRIC_LIST = {"type": "array", "items": {"enum": metrics.words}}
_Metric = Annotated[str, AfterValidator(checks.metric)]
_Metrics = Annotated[
    tuple[_Metric, ...] | None,
    AfterValidator(checks.metric_names),
    BeforeValidator(resolving.metric_names),
    WithJsonSchema({"anyOf": [{"enum": ["auto", *metrics.words]}, _METRIC_LIST]}),
    Expected("auto or a list of metrics"),
]
_EarlyStopping = Annotated[
    EarlyStopping,
    AfterValidator(checks.early_stopping),
    BeforeValidator(
        resolving.early_stopping, json_schema_input_type=Literal["auto"] | bool | Epochs | EarlyStopping
    ),
    Expected("a patience (a whole number), true, false, auto or a mapping"),
]


#: How a config came about: as a file has it, or with changes by `--set`, `--vs` or an ablation.
Origin = Literal["written", "set", "vs", "ablate"]


class Config(Section):
    """One training recipe, validated and resolved without looking at its data."""

    name: Annotated[str, AfterValidator(checks.name)] = Field(
        description="the run's; by default the file's stem"
    )
    data: Annotated[DataConfig, Expected("a bundled set, a file or a mapping")] = Field(
        description="where the rows come from: a bundled set, a file or a mapping"
    )
    hidden: _Hidden = Field((64, 64), description="widths of the hidden layers; [] is a linear model")
    activation: Annotated[Choice, INGREDIENTS["activation"]] = Field(
        "relu", validate_default=True, description="of the hidden layers"
    )
    initializer: Annotated[Choice, INGREDIENTS["initializer"], BeforeValidator(resolving.initializer)] = (
        Field("auto", validate_default=True, description="of the weights; auto suits the activation")
    )
    bias_initializer: Annotated[
        Choice, INGREDIENTS["bias_initializer"], AfterValidator(checks.bias_initializer)
    ] = Field("zeros", validate_default=True, description="of the biases")
    dropout: _Dropout = Field(0.0, validate_default=True, description="the part that is dropped in training")
    optimizer: Annotated[Choice, INGREDIENTS["optimizer"], AfterValidator(checks.optimizer)] = Field(
        "adam", validate_default=True, description="how gradients become steps"
    )
    learning_rate: Positive = Field(0.001, description="the schedule's highest, or as its name says")
    schedule: Annotated[Choice, INGREDIENTS["schedule"]] = Field(
        "constant", validate_default=True, description="the learning rate over the steps"
    )
    warmup: Annotated[Duration, AfterValidator(checks.warmup)] = Field(
        Duration(0, "steps"), description="a linear rise in front of the schedule"
    )
    regularization: Annotated[Regularization, BeforeValidator(resolving.regularization)] = Field(
        default_factory=dict, validate_default=True, description="penalties and weight decay"
    )
    gradient_clip: Positive | None = Field(
        None, description="the largest L2 norm of the gradient; null: none"
    )
    loss: Annotated[Choice | None, INGREDIENTS["loss"], AfterValidator(checks.loss)] = Field(
        "auto", validate_default=True, description="auto: cross_entropy for classes, mse for numbers"
    )
    class_weight: Annotated[
        Literal["balanced"] | Annotated[dict[str, NonNegative], MinLen(1)] | None,
        AfterValidator(checks.class_weight),
        Expected("balanced, a mapping of labels to weights of at least 0, or null"),
    ] = Field(None, description="balanced, or a weight for each label; weighs the training loss only")
    metrics: _Metrics = Field(
        "auto", validate_default=True, description="auto: accuracy for classes; rmse, mae, r2 for numbers"
    )
    early_stopping: _EarlyStopping = Field(
        "auto",
        validate_default=True,
        description="auto: patience 10, off where the schedule spans the training",
    )
    epochs: Epochs = Field(100, description="the most that are trained")
    batch_size: Annotated[PositiveCount, Le(10**9)] = Field(32, description="rows of a step")
    seed: Seed = Field(0, description="of weights, order and dropout")
    device: Annotated[str, AfterValidator(checks.device)] = Field(
        "auto", description="auto, cpu, cuda or cuda:N"
    )
    threads: Literal["auto"] | Annotated[int, Ge(1), Le(4096)] = Field("auto", description="of the processor")

    _places: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _origin: Origin = PrivateAttr("written")

    def __eq__(self, other: object) -> bool:
        """Equal in every key; where they are written does not matter."""
        return isinstance(other, Config) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # Python's way to say that it has none

    def placed(self, places: Mapping[str, str]) -> Config:
        """The same config with the places of its dotted keys, and the file's under the empty key."""
        copy = self.model_copy()
        copy._places = dict(places)
        return copy

    @property
    def origin(self) -> Origin:
        """How it came about."""
        return self._origin

    def with_origin(self, origin: Origin) -> Config:
        """The same config, which came about in another way."""
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

    def to_yaml(self) -> str:
        """The resolved config as YAML: read again, it gives an equal config."""
        return to_yaml(self)

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
