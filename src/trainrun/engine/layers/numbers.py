"""Embeddings of numbers: a vector for each number column, each with weights of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainrun.config import Choice
from trainrun.engine.layers.layer import Layer, Parameters, Slot, Step
from trainrun.engine.products import affine, product
from trainrun.plan import Start
from trainrun.streams import Purpose, stream

_PBLD_RATE_FACTOR = 0.1  # Holzmueller et al. 2024, arXiv:2407.04491, appendix A

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


class ColumnLinear(nn.Module):
    """A linear layer of its own for each column.

    Args:
        columns: F.
        inputs: of each column.
        outputs: of each column.
    """

    def __init__(self, columns: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(columns, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(columns, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, columns, outputs] of x [N, columns, inputs]."""
        return torch.einsum("nfi,fio->nfo", x, self.weight) + self.bias


class PeriodicEmbedding(nn.Module):
    """ReLU of a linear layer of the sines and cosines of each column.

    Args:
        columns: F.
        frequencies: of each column.
        width: of a column's vector.
    """

    def __init__(self, columns: int, frequencies: int, width: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.empty(columns, frequencies))
        self.linear = ColumnLinear(columns, 2 * frequencies, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, columns * width] of x [N, columns]."""
        phase = 2 * pi * self.frequencies * x.unsqueeze(-1)
        return self.linear(torch.cat([phase.sin(), phase.cos()], -1)).relu().flatten(1)


class PbldEmbedding(nn.Module):
    """Each column itself, and a linear layer of its cosines.

    Args:
        columns: F.
        frequencies: of each column.
        width: of a column's vector.
    """

    def __init__(self, columns: int, frequencies: int, width: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.empty(columns, frequencies))
        self.phases = nn.Parameter(torch.empty(columns, frequencies))
        self.linear = ColumnLinear(columns, frequencies, width - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, columns * width] of x [N, columns]."""
        x = x.unsqueeze(-1)
        waves = (2 * pi * self.frequencies * x + self.phases).cos()
        return torch.cat([x, self.linear(waves)], -1).flatten(1)


class PiecewiseLinearEmbedding(nn.Module):
    """ReLU of a linear layer of the parts of each column's bins that lie below the number.

    Args:
        columns: F.
        bins: of each column.
        width: of a column's vector.
    """

    edges: Tensor

    def __init__(self, columns: int, bins: int, width: int) -> None:
        super().__init__()
        self.register_buffer("edges", torch.empty(columns, bins + 1))
        self.linear = ColumnLinear(columns, bins, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, columns * width] of x [N, columns]."""
        return self.linear(bin_parts(x, self.edges)).relu().flatten(1)


def bin_parts(x: Tensor, edges: Tensor) -> Tensor:
    """Return the part of each bin that lies below x: 0 above x, 1 below it, a fraction in x's own bin.

    The first and the last bin go on beyond their outer edges. Bins without a width give 0.

    Args:
        x: [..., N, F].
        edges: [..., F, T + 1], in ascending order; bins without a width come last.

    Returns:
        [..., N, F, T].

    Source: Gorishniy et al. 2022, arXiv:2203.05556, equation 1.
    """
    low, width = edges[..., :-1], edges.diff(dim=-1)
    is_bin = width > 0
    number = torch.arange(width.shape[-1], device=width.device)
    is_last = number == is_bin.sum(-1, keepdim=True) - 1
    inverse = torch.where(is_bin, 1 / torch.where(is_bin, width, 1.0), 0.0)
    least = torch.where(number == 0, -torch.inf, torch.zeros_like(width))
    most = torch.where(is_last, torch.inf, torch.ones_like(width))
    low, inverse, least, most = (values.unsqueeze(-3) for values in (low, inverse, least, most))
    return torch.minimum(torch.maximum((x.unsqueeze(-1) - low) * inverse, least), most)


class NumberEmbedding(Layer):
    """Vectors of numbers: functions of each column, then a linear layer for each column.

    Args:
        count: number columns, F.
        settings: of the ingredient.

    Attributes:
        width: numbers of all vectors together.
    """

    def __init__(self, count: int, settings: Mapping[str, Any]) -> None:
        self.count, self.settings = count, settings
        self.width = count * settings["width"]

    def backward(self, parameters: Parameters, kept: Any, delta_KBO: Tensor, step: Step | None) -> Tensor:
        """Refuse: the data have no gradient."""
        raise NotImplementedError

    def _linear_slots(self, inputs: int, outputs: int, rate_factor: float = 1.0) -> tuple[Slot, Slot]:
        """Return the slots of the linear layer, drawn as `torch.nn.Linear` draws them."""

        def draw(draws: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
            return draws.uniform(-(inputs**-0.5), inputs**-0.5, shape)

        return (
            self._slot("linear.weight", (inputs, outputs), 1, draw, rate_factor),
            self._slot("linear.bias", (outputs,), 2, draw, rate_factor),
        )

    def _slot(
        self, name: str, shape: tuple[int, ...], place: int, draw: Draw, rate_factor: float = 1.0
    ) -> Slot:
        shape = (self.count, *shape)

        def start(start: Start) -> np.ndarray:
            return draw(stream(start.seed, Purpose.EMBEDDINGS, 0, place), shape)

        return Slot(name, shape, shape, _whole, start, regularized=False, rate_factor=rate_factor)


class Periodic(NumberEmbedding):
    """ReLU of a linear layer of sin(2 pi c x) and cos(2 pi c x).

    Args:
        count: number columns.
        settings: of the ingredient.
    """

    def __init__(self, count: int, settings: Mapping[str, Any]) -> None:
        super().__init__(count, settings)
        waves, sigma = settings["frequencies"], settings["sigma"]
        self.slots = (
            self._slot("frequencies", (waves,), 0, lambda draws, shape: sigma * draws.standard_normal(shape)),
            *self._linear_slots(2 * waves, settings["width"]),
        )

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Any]:
        """Return the vectors, and what the gradients need."""
        frequencies_KFT, weight_KFTV, bias_KFV = parameters
        x_KFB1 = _by_column(x_KBI)
        phase_KFBT = x_KFB1 * (frequencies_KFT * (2 * pi)).unsqueeze(2)
        sine_KFBT, cosine_KFBT = phase_KFBT.sin(), phase_KFBT.cos()
        waves_KFBT = torch.cat([sine_KFBT, cosine_KFBT], -1)
        vector_KFBV = _linear(waves_KFBT, weight_KFTV, bias_KFV).relu_()
        return _side_by_side(vector_KFBV), (x_KFB1, waves_KFBT, weight_KFTV, vector_KFBV)

    def write_gradients(self, gradients: Parameters, kept: Any, delta_KBO: Tensor) -> None:
        """Write the gradients of the frequencies and of the linear layer."""
        x_KFB1, waves_KFBT, weight_KFTV, vector_KFBV = kept
        delta_KFBV = _by_vector(delta_KBO, self.count) * (vector_KFBV > 0)
        delta_KFBT = _linear_gradients(gradients[1:], waves_KFBT, weight_KFTV, delta_KFBV)
        sine_KFBT, cosine_KFBT = waves_KFBT.chunk(2, -1)
        by_sine_KFBT, by_cosine_KFBT = delta_KFBT.chunk(2, -1)
        by_phase_KFBT = by_sine_KFBT * cosine_KFBT - by_cosine_KFBT * sine_KFBT
        gradients[0].copy_((by_phase_KFBT * x_KFB1).sum(2) * (2 * pi))

    def module(self) -> nn.Module:
        """Return the module of the same settings."""
        return PeriodicEmbedding(self.count, self.settings["frequencies"], self.settings["width"])


class Pbld(NumberEmbedding):
    """The number itself, and a linear layer of cos(2 pi c x + b). All of it learns ten times slower.

    Args:
        count: number columns.
        settings: of the ingredient.
    """

    def __init__(self, count: int, settings: Mapping[str, Any]) -> None:
        super().__init__(count, settings)
        waves, sigma = settings["frequencies"], settings["sigma"]

        def normal(draws: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
            return sigma * draws.standard_normal(shape)

        def angle(draws: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
            return draws.uniform(-pi, pi, shape)

        self.slots = (
            self._slot("frequencies", (waves,), 0, normal, _PBLD_RATE_FACTOR),
            self._slot("phases", (waves,), 3, angle, _PBLD_RATE_FACTOR),
            *self._linear_slots(waves, settings["width"] - 1, _PBLD_RATE_FACTOR),
        )

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Any]:
        """Return the vectors, and what the gradients need."""
        frequencies_KFT, phases_KFT, weight_KFTV, bias_KFV = parameters
        x_KFB1 = _by_column(x_KBI)
        phase_KFBT = x_KFB1 * (frequencies_KFT * (2 * pi)).unsqueeze(2) + phases_KFT.unsqueeze(2)
        waves_KFBT = phase_KFBT.cos()
        vector_KFBV = torch.cat([x_KFB1, _linear(waves_KFBT, weight_KFTV, bias_KFV)], -1)
        return _side_by_side(vector_KFBV), (x_KFB1, phase_KFBT, waves_KFBT, weight_KFTV)

    def write_gradients(self, gradients: Parameters, kept: Any, delta_KBO: Tensor) -> None:
        """Write the gradients of frequencies, phases and the linear layer."""
        x_KFB1, phase_KFBT, waves_KFBT, weight_KFTV = kept
        delta_KFBV = _by_vector(delta_KBO, self.count)[..., 1:].contiguous()
        delta_KFBT = _linear_gradients(gradients[2:], waves_KFBT, weight_KFTV, delta_KFBV)
        by_phase_KFBT = delta_KFBT * -phase_KFBT.sin()
        gradients[0].copy_((by_phase_KFBT * x_KFB1).sum(2) * (2 * pi))
        gradients[1].copy_(by_phase_KFBT.sum(2))

    def module(self) -> nn.Module:
        """Return the module of the same settings."""
        return PbldEmbedding(self.count, self.settings["frequencies"], self.settings["width"])


class PiecewiseLinear(NumberEmbedding):
    """ReLU of a linear layer of the parts of each bin that lie below x.

    The edges of the bins are quantiles of the training rows.

    Args:
        count: number columns.
        settings: of the ingredient.
    """

    def __init__(self, count: int, settings: Mapping[str, Any]) -> None:
        super().__init__(count, settings)
        bins = settings["bins"]
        edges = (count, bins + 1)
        self.slots = (
            Slot("edges", edges, edges, _whole, _edges, regularized=False, trained=False),
            *self._linear_slots(bins, settings["width"]),
        )

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Any]:
        """Return the vectors, and what the gradients need."""
        edges_KFT, weight_KFTV, bias_KFV = parameters
        parts_KFBT = bin_parts(x_KBI, edges_KFT).transpose(1, 2).contiguous()
        vector_KFBV = _linear(parts_KFBT, weight_KFTV, bias_KFV).relu_()
        return _side_by_side(vector_KFBV), (parts_KFBT, weight_KFTV, vector_KFBV)

    def write_gradients(self, gradients: Parameters, kept: Any, delta_KBO: Tensor) -> None:
        """Write the gradients of the linear layer."""
        parts_KFBT, weight_KFTV, vector_KFBV = kept
        delta_KFBV = _by_vector(delta_KBO, self.count) * (vector_KFBV > 0)
        _linear_gradients(gradients[1:], parts_KFBT, weight_KFTV, delta_KFBV)

    def module(self) -> nn.Module:
        """Return the module of the same settings."""
        return PiecewiseLinearEmbedding(self.count, self.settings["bins"], self.settings["width"])


KINDS: dict[str, type[NumberEmbedding]] = {
    "periodic": Periodic,
    "pbld": Pbld,
    "piecewise_linear": PiecewiseLinear,
}


def make_number_embedding(choice: Choice, count: int) -> NumberEmbedding | None:
    """Return the layer of an embedding; None where numbers stay as they are.

    Args:
        choice: the embedding and its settings.
        count: number columns.
    """
    kind = KINDS.get(choice.name)
    return None if kind is None or not count else kind(count, choice.settings)


def _edges(start: Start) -> np.ndarray:
    assert start.edges is not None  # the plan's own rule
    return start.edges


def _whole(held: Tensor) -> Tensor:
    return held


def _by_column(x_KBF: Tensor) -> Tensor:
    """Return [K, F, B, 1] in one piece of memory: functions round otherwise where numbers lie apart."""
    return x_KBF.transpose(1, 2).contiguous().unsqueeze(-1)


def _by_vector(delta_KBO: Tensor, count: int) -> Tensor:
    return delta_KBO.unflatten(-1, (count, -1)).transpose(1, 2).contiguous()


def _side_by_side(vector_KFBV: Tensor) -> Tensor:
    return vector_KFBV.transpose(1, 2).flatten(2)


def _linear(x_KFBT: Tensor, weight_KFTV: Tensor, bias_KFV: Tensor) -> Tensor:
    """Return the outputs [K, F, B, V] of each column's linear layer."""
    bias = bias_KFV.reshape(-1, 1, bias_KFV.shape[-1])
    output = affine(bias, x_KFBT.flatten(0, 1), weight_KFTV.reshape(-1, *weight_KFTV.shape[2:]))
    return output.unflatten(0, x_KFBT.shape[:2])


def _linear_gradients(
    gradients: Parameters, x_KFBT: Tensor, weight_KFTV: Tensor, delta_KFBV: Tensor
) -> Tensor:
    """Write the gradients of the columns' linear layers; return the derivative by their inputs."""
    delta = delta_KFBV.flatten(0, 1)
    by_weight = product(x_KFBT.flatten(0, 1).mT, delta)
    gradients[0].copy_(by_weight.unflatten(0, x_KFBT.shape[:2]))
    gradients[1].copy_(delta_KFBV.sum(2))
    by_input = product(delta, weight_KFTV.reshape(-1, *weight_KFTV.shape[2:]).mT)
    return by_input.unflatten(0, x_KFBT.shape[:2])
