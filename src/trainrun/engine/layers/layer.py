"""Interface of a layer: slots for its parameters, forward and backward passes, a module of `torch.nn`.

There is no autograd: each layer writes its backward pass out. That makes small nets fast, and a member's bits
independent of the other members.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from trainrun.plan import Start

Parameters = tuple[Tensor, ...]  # [K, *held] of each slot of a layer


@dataclass(frozen=True)
class Slot:
    """One parameter of a layer, or a state that training updates, such as running statistics.

    Attributes:
        name: the parameter's name in the layer's module of `torch.nn`.
        shape: the parameter's shape in that module.
        held: the shape in which the engine holds the parameter, padding included.
        without_padding: returns the view [K, *shape] of a tensor [K, *held].
        start: returns a member's initial values, of `shape`.
        regularized: whether weight penalties and weight decay act on the parameter.
        layer: place of its linear layer, from 1, for messages; 0 where it is not regularized.
        rate_factor: the parameter's learning rate divided by the net's. Only where it is not regularized.
        saved_factor: the values in files are those that are held, times this number.
        trained: whether the optimizer changes it; else the layer itself does, in a training step's `forward`.
    """

    name: str
    shape: tuple[int, ...]
    held: tuple[int, ...]
    without_padding: Callable[[Tensor], Tensor]
    start: Callable[[Start], np.ndarray]
    regularized: bool
    layer: int = 0
    rate_factor: float = 1.0
    saved_factor: float = 1.0
    trained: bool = True

    def __post_init__(self) -> None:
        if self.regularized and not (self.trained and self.rate_factor == 1.0):
            raise ValueError(f"{self.name}: what is regularized is trained, with the net's learning rate")


class Step(NamedTuple):
    """Values that a training step passes to the layers in addition to their inputs.

    Attributes:
        masks: dropout masks (0, or 1/(1-rate)) for the input and each hidden layer, None without dropout.
        activity: returns the activity penalty's derivative by a hidden output; None without a penalty.
    """

    masks: Sequence[Tensor | None]
    activity: Callable[[Tensor], Tensor] | None


class Layer(ABC):
    """One layer of a net, the same for all members of a stack.

    Attributes:
        slots: the layer's parameters.
        in_evaluation: whether the layer also acts in evaluation; only then has it a module.
    """

    slots: tuple[Slot, ...] = ()
    in_evaluation = True

    @abstractmethod
    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Any]:
        """Return the layer's output, and what the backward pass needs.

        Args:
            parameters: of the layer.
            x_KBI: a batch for each member.
            step: None in evaluation.
        """

    def write_gradients(self, gradients: Parameters, kept: Any, delta_KBO: Tensor) -> None:
        """Write the gradients of the parameters; called where the layer has slots.

        Args:
            gradients: where the gradients go, shaped as the parameters are.
            kept: what `forward` kept.
            delta_KBO: the loss's derivative by the layer's output.
        """
        raise NotImplementedError

    @abstractmethod
    def backward(self, parameters: Parameters, kept: Any, delta_KBO: Tensor, step: Step | None) -> Tensor:
        """Return the loss's derivative by the layer's input, [K, B, I].

        Args:
            parameters: of the layer.
            kept: what `forward` kept.
            delta_KBO: the loss's derivative by the layer's output.
            step: as in the forward pass.
        """

    @abstractmethod
    def module(self) -> nn.Module:
        """Return the same layer as a module of `torch.nn`."""
