"""Normalization layers: units are shifted and scaled to mean 0 and variance 1, then by learned numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainrun.engine.layers.layer import Layer, Parameters, Slot, Step

_EPS = 1e-5  # added to each variance
_MOMENTUM = 0.1  # the part of a batch's statistics in the running ones


def _slot(name: str, width: int, value: float, trained: bool = True) -> Slot:
    return Slot(
        name=name,
        shape=(width,),
        held=(1, width),
        without_padding=lambda held_K1O: held_K1O[:, 0],
        start=lambda _: np.full(width, value),
        regularized=False,
        trained=trained,
    )


class LayerNormalization(Layer):
    """Normalize each row over its units; then weight times the result, plus bias.

    Args:
        width: units.

    Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450, equation 4.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self.slots = (_slot("weight", width, 1.0), _slot("bias", width, 0.0))

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Any]:
        """Return the normalized rows, scaled and shifted, and what the gradient needs."""
        weight_K1O, bias_K1O = parameters
        normal, mean, inverse = torch.native_layer_norm(x_KBI, [self._width], None, None, _EPS)
        return normal * weight_K1O + bias_K1O, (x_KBI, normal, mean, inverse)

    def write_gradients(self, gradients: Parameters, kept: Any, delta_KBO: Tensor) -> None:
        """Write the gradients of weight and bias."""
        _write_affine(gradients, kept[1], delta_KBO)

    def backward(self, parameters: Parameters, kept: Any, delta_KBO: Tensor, step: Step | None) -> Tensor:
        """Return the derivative through the normalization."""
        x_KBI, _, mean, inverse = kept
        delta_KBI: Tensor = torch.ops.aten.native_layer_norm_backward(
            (delta_KBO * parameters[0]).contiguous(),
            x_KBI,
            [self._width],
            mean,
            inverse,
            None,
            None,
            [True, False, False],
        )[0]
        return delta_KBI

    def module(self) -> nn.Module:
        """Return a `LayerNorm` of the same width."""
        return nn.LayerNorm(self._width, eps=_EPS)


class BatchNormalization(Layer):
    """Normalize each unit over the rows of a batch; then weight times the result, plus bias.

    Evaluation uses running statistics, which each training step moves by a tenth towards those of its batch.

    Args:
        width: units.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self.slots = (
            _slot("weight", width, 1.0),
            _slot("bias", width, 0.0),
            _slot("running_mean", width, 0.0, trained=False),
            _slot("running_var", width, 1.0, trained=False),
        )

    def forward(self, parameters: Parameters, x_KBI: Tensor, step: Step | None) -> tuple[Tensor, Any]:
        """Return the normalized batch, scaled and shifted, and what the gradient needs."""
        weight_K1O, bias_K1O, running_mean_K1O, running_var_K1O = parameters
        if step is None:
            mean_K1O, var_K1O = running_mean_K1O, running_var_K1O
        else:
            rows = x_KBI.shape[1]
            mean_K1O = x_KBI.mean(1, keepdim=True)
            var_K1O = (x_KBI - mean_K1O).square_().mean(1, keepdim=True)
            _move(running_mean_K1O, mean_K1O)
            _move(running_var_K1O, var_K1O * (rows / (rows - 1)))
        inverse_K1O = (var_K1O + _EPS).rsqrt_()
        normal_KBO = (x_KBI - mean_K1O) * inverse_K1O
        return normal_KBO * weight_K1O + bias_K1O, (None, normal_KBO, inverse_K1O)

    def write_gradients(self, gradients: Parameters, kept: Any, delta_KBO: Tensor) -> None:
        """Write the gradients of weight and bias."""
        _write_affine(gradients, kept[1], delta_KBO)

    def backward(self, parameters: Parameters, kept: Any, delta_KBO: Tensor, step: Step | None) -> Tensor:
        """Return the derivative through the normalization, in training through its statistics too."""
        _, normal_KBO, inverse_K1O = kept
        delta_KBO = delta_KBO * parameters[0]
        if step is not None:
            shared_KBO = (delta_KBO * normal_KBO).mean(1, keepdim=True) * normal_KBO
            delta_KBO = delta_KBO - delta_KBO.mean(1, keepdim=True) - shared_KBO
        return delta_KBO * inverse_K1O

    def module(self) -> nn.Module:
        """Return a `BatchNorm1d` of the same width."""
        return nn.BatchNorm1d(self._width, eps=_EPS, momentum=_MOMENTUM)


def _move(running_K1O: Tensor, batch_K1O: Tensor) -> None:
    """Move running statistics towards a batch's. `lerp_` would round by where the numbers lie in memory."""
    running_K1O.copy_(running_K1O * (1 - _MOMENTUM) + batch_K1O * _MOMENTUM)


def _write_affine(gradients: Parameters, normal_KBO: Tensor, delta_KBO: Tensor) -> None:
    torch.sum(delta_KBO * normal_KBO, 1, keepdim=True, out=gradients[0])
    torch.sum(delta_KBO, 1, keepdim=True, out=gradients[1])
