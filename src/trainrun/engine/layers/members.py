"""Layers of nets that share their weights: members of one net, with adapters and outputs of their own.

A row becomes M rows that stand together, one for each member: [K, B * M, ...], and in modules [N * M, ...].
Layers in between treat all rows alike. Here K are the nets of a stack, and M the members of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainrun.engine.layers.dense import Dense
from trainrun.engine.layers.layer import Layer, Parameters, Slot, Step
from trainrun.plan import Start
from trainrun.streams import Purpose, stream


class Adapters(nn.Module):
    """Multiply each member's rows by its own numbers, and add its own biases.

    Args:
        members: M.
        width: of the input.
        spreads: whether the input has one row for all members: [N, width], else [N * M, width].
        has_bias: whether there are biases.
    """

    def __init__(self, members: int, width: int, spreads: bool, has_bias: bool) -> None:
        super().__init__()
        self._rows = (-1, 1 if spreads else members)
        self.scale = nn.Parameter(torch.empty(members, width))
        self.bias = nn.Parameter(torch.empty(members, width)) if has_bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return [N * M, width]."""
        x = x.unflatten(0, self._rows) * self.scale
        return (x if self.bias is None else x + self.bias).flatten(0, 1)


class MemberLinear(nn.Module):
    """A linear layer for each member.

    Args:
        members: M.
        inputs: width of the input.
        outputs: width of the output.
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self._rows = (-1, members)
        self.weight = nn.Parameter(torch.empty(members, outputs, inputs))
        self.bias = nn.Parameter(torch.empty(members, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return [N * M, outputs] of x [N * M, inputs]."""
        x = torch.einsum("nmi,moi->nmo", x.unflatten(0, self._rows), self.weight) + self.bias
        return x.flatten(0, 1)


class MeanPrediction(nn.Module):
    """The mean prediction of all members; for classes the log of the mean probability.

    Args:
        members: M.
    """

    def __init__(self, members: int) -> None:
        super().__init__()
        self._rows = (-1, members)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, outputs] of x [N * M, outputs]."""
        return mean_prediction(x.unflatten(0, self._rows))


def mean_prediction(output: Tensor) -> Tensor:
    """Return the mean over members of numbers, or the log of the mean probability of classes.

    Args:
        output: [..., M, C]; a single output is a number, several are logits.
    """
    if output.shape[-1] == 1:
        return output.mean(-2)
    return output.log_softmax(-1).logsumexp(-2) - log(output.shape[-2])


class Adapter(Layer):
    """Each member's rows times numbers of its own, plus biases of its own.

    Args:
        number: place among the adapters, from 0: which stream the signs are drawn from.
        members: M.
        width: of the input.
        has_bias: whether there are biases, which start at 0.
        spreads: whether the input has one row for all members. The numbers then start as random signs, so
            that the members differ; else at 1.

    Source: Wen et al. 2020, arXiv:2002.06715 (BatchEnsemble); Gorishniy et al. 2024, arXiv:2410.24210,
    section 3.3 (TabM).
    """

    def __init__(
        self, number: int, members: int, width: int, has_bias: bool = False, spreads: bool = False
    ) -> None:
        self._number, self._members, self._width = number, members, width
        self._has_bias, self._spreads = has_bias, spreads
        self.slots = (self._slot("scale", self._start_scale),)
        if has_bias:
            self.slots += (self._slot("bias", lambda _: np.zeros((members, width))),)

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Tensor]:
        """Return a row for each member, and the input by members."""
        x_KBMI = x_KBI.unsqueeze(2) if self._spreads else x_KBI.unflatten(1, (-1, self._members))
        output_KBMI = x_KBMI * parameters[0].unsqueeze(1)
        if self._has_bias:
            output_KBMI = output_KBMI + parameters[1].unsqueeze(1)
        return output_KBMI.flatten(1, 2), x_KBMI

    def write_gradients(self, gradients: Parameters, kept: Tensor, delta_KBO: Tensor) -> None:
        """Write the gradients of the numbers and the biases."""
        delta_KBMO = delta_KBO.unflatten(1, (-1, self._members))
        gradients[0].copy_((kept * delta_KBMO).sum(1))
        if self._has_bias:
            gradients[1].copy_(delta_KBMO.sum(1))

    def backward(self, parameters: Parameters, kept: Tensor, delta_KBO: Tensor, step: Step | None) -> Tensor:
        """Return delta times the numbers, summed over members where the input is the same for all."""
        delta_KBMI = delta_KBO.unflatten(1, (-1, self._members)) * parameters[0].unsqueeze(1)
        return delta_KBMI.sum(2) if self._spreads else delta_KBMI.flatten(1, 2)

    def module(self) -> nn.Module:
        """Return a module of the same shape."""
        return Adapters(self._members, self._width, self._spreads, self._has_bias)

    def _slot(self, name: str, start: Callable[[Start], np.ndarray]) -> Slot:
        shape = (self._members, self._width)
        return Slot(name, shape, shape, _whole, start, regularized=False)

    def _start_scale(self, start: Start) -> np.ndarray:
        if not self._spreads:
            return np.ones((self._members, self._width))
        draws = stream(start.seed, Purpose.ADAPTERS, self._number)
        return draws.integers(0, 2, (self._members, self._width)) * 2.0 - 1.0


class MemberOutputs(Layer):
    """A dense layer for each member: the outputs, which the members do not share.

    Args:
        number: place among the dense layers, from 0: which stream the initial values are drawn from.
        members: M.
        inputs: width of the input.
        outputs: width of the output.
        parametrization: as of the dense layers.
    """

    def __init__(self, number: int, members: int, inputs: int, outputs: int, parametrization: str) -> None:
        self._members, self._fans = members, (inputs, outputs)
        layers = [Dense(number, inputs, outputs, True, parametrization, m) for m in range(members)]
        self._dense = layers[0]  # all are alike but for their start
        self.slots = tuple(_for_each(slots) for slots in zip(*(one.slots for one in layers), strict=True))

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Any]:
        """Return each member's outputs, and what its dense layer keeps."""
        z_NBO, kept = self._dense.forward(_by_net(parameters), self._by_member(x_KBI), step)
        return self._by_row(z_NBO), kept

    def write_gradients(self, gradients: Parameters, kept: Any, delta_KBO: Tensor) -> None:
        """Write the gradients of weights and biases."""
        found = tuple(torch.empty_like(gradient) for gradient in _by_net(gradients))
        self._dense.write_gradients(found, kept, self._by_member(delta_KBO))
        for gradient, each in zip(gradients, found, strict=True):
            gradient.copy_(each.unflatten(0, gradient.shape[:2]))

    def backward(self, parameters: Parameters, kept: Any, delta_KBO: Tensor, step: Step | None) -> Tensor:
        """Return the derivative by the input, member by member."""
        delta_NBO = self._by_member(delta_KBO)
        return self._by_row(self._dense.backward(_by_net(parameters), kept, delta_NBO, step))

    def module(self) -> nn.Module:
        """Return a module of the same shape."""
        return MemberLinear(self._members, *self._fans)

    def _by_member(self, x_KBI: Tensor) -> Tensor:
        """Return the rows of each member of each net, [K * M, B, I]."""
        return x_KBI.unflatten(1, (-1, self._members)).transpose(1, 2).flatten(0, 1).contiguous()

    def _by_row(self, x_NBI: Tensor) -> Tensor:
        return x_NBI.unflatten(0, (-1, self._members)).transpose(1, 2).flatten(1, 2)


def _by_net(parameters: Parameters) -> Parameters:
    """Return parameters [K * M, ...] of [K, M, ...]."""
    return tuple(each.flatten(0, 1) for each in parameters)


def _for_each(slots: Sequence[Slot]) -> Slot:
    """Return one slot for a parameter that each member has."""
    one, members = slots[0], len(slots)
    return replace(
        one,
        shape=(members, *one.shape),
        held=(members, *one.held),
        start=lambda start: np.stack([slot.start(start) for slot in slots]),
    )


class Mean(Layer):
    """The mean prediction of the members in evaluation; in training each member's, as each has its own loss.

    Args:
        members: M.
    """

    def __init__(self, members: int) -> None:
        self._members = members

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Tensor]:
        """Return the output, and the outputs of the members."""
        x_KBMC = x_KBI.unflatten(1, (-1, self._members))
        return (mean_prediction(x_KBMC) if step is None else x_KBI), x_KBMC

    def backward(self, parameters: Parameters, kept: Tensor, delta_KBO: Tensor, step: Step | None) -> Tensor:
        """Return delta for each member: by its part in the mean."""
        if step is not None:
            return delta_KBO
        delta_KB1C = delta_KBO.unsqueeze(2)
        if kept.shape[-1] == 1:
            return (delta_KB1C / self._members).expand_as(kept).flatten(1, 2)
        shares_KBMC = (kept.log_softmax(-1) - mean_prediction(kept).unsqueeze(2)).exp() / self._members
        parts_KBMC = delta_KB1C * shares_KBMC
        return (parts_KBMC - kept.softmax(-1) * parts_KBMC.sum(-1, keepdim=True)).flatten(1, 2)

    def module(self) -> nn.Module:
        """Return the module of the same mean."""
        return MeanPrediction(self._members)


def _whole(held: Tensor) -> Tensor:
    return held
