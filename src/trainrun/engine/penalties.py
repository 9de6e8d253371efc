"""Regularization of all members: penalties, their gradients, decay and exact zeros.

Each strength is a [K, 1] tensor, or None where no member uses it. A strength of 0 leaves a member's bits as
if the term were not there, so members with and without may share a stack.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from trainrun.engine.buffers import Layout, member_sum
from trainrun.engine.layers import Activation
from trainrun.ingredients.regularizers import l1, l1_derivative, l2, l2_derivative, soft_threshold
from trainrun.plan import Strengths


class Penalties:
    """The strengths of a stack's members, on its device.

    Args:
        strengths: of the members, arrays [K].
        layout: where the weights lie; biases are never regularized.
        like: a tensor of the stack's device and dtype.
    """

    def __init__(self, strengths: Strengths, layout: Layout, like: Tensor) -> None:
        def column(values: np.ndarray) -> Tensor | None:
            return _column(values, like) if values.any() else None

        self._layout = layout
        self._l1 = column(strengths.l1)
        self._l1_in_gradient = column(np.where(strengths.proximal, 0.0, strengths.l1))
        self._l1_proximal = column(np.where(strengths.proximal, strengths.l1, 0.0))
        self._l2 = column(strengths.l2)
        has_hidden = any(
            isinstance(layer, Activation) for layer in layout.layers
        )  # else there is no activity to penalize
        self._activity_l1 = column(strengths.activity_l1) if has_hidden else None
        self._activity_l2 = column(strengths.activity_l2) if has_hidden else None
        self._decay = column(strengths.weight_decay)
        self._clip = _column(strengths.clip, like) if np.isfinite(strengths.clip).any() else None

    @property
    def any_activity(self) -> bool:
        """Return whether at least one member has an activity penalty."""
        return self._activity_l1 is not None or self._activity_l2 is not None

    @property
    def any_proximal(self) -> bool:
        """Return whether at least one member has an L1 penalty that is a proximal step."""
        return self._l1_proximal is not None

    def add_to_gradient(self, gradient_D: Tensor, parameters_D: Tensor) -> None:
        """Add the weight penalties' gradients, then clip each member's whole gradient, in place."""
        terms = ((self._l1_in_gradient, l1_derivative), (self._l2, l2_derivative))
        for strength, derivative in terms:
            if strength is not None:
                for gradient, weights in self._pairs(gradient_D, parameters_D):
                    gradient.addcmul_(derivative(weights), strength)
        if self._clip is not None:
            blocks = self._layout.blocks(gradient_D)
            norm_K1 = torch.stack([member_sum(block * block) for block in blocks]).sum(0).sqrt().unsqueeze(1)
            for block in blocks:
                block.mul_((self._clip / (norm_K1 + 1e-6)).clamp_max(1.0))

    def decay(self, parameters_D: Tensor, rate: Tensor) -> None:
        """Decoupled weight decay by the learning rate times its strength, in place."""
        if self._decay is not None:
            for weights in self._layout.regularized(parameters_D):
                weights.mul_(1 - rate * self._decay)

    def shrink(self, parameters_D: Tensor, rate: Tensor, curvature_D: Tensor | None) -> None:
        """The proximal step of L1, in the optimizer's metric, in place; only where `any_proximal`."""
        assert self._l1_proximal is not None
        threshold = rate * self._l1_proximal
        if curvature_D is None:
            for weights in self._layout.regularized(parameters_D):
                weights.copy_(soft_threshold(weights, threshold))
        else:
            for weights, curvature in self._pairs(parameters_D, curvature_D):
                weights.copy_(soft_threshold(weights, threshold / curvature))

    def of_weights(self, parameters_D: Tensor) -> np.ndarray:
        """The L1 and L2 penalty of each member's weights, [K] float64."""
        total = parameters_D.new_zeros(self._layout.members)
        for strength, penalty in ((self._l1, l1), (self._l2, l2)):
            if strength is not None:
                for weights in self._layout.regularized(parameters_D):
                    total = total + member_sum(penalty(weights)) * strength[:, 0]
        return total.double().cpu().numpy()

    def _pairs(self, one_D: Tensor, other_D: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self._layout.regularized(one_D), self._layout.regularized(other_D), strict=True)

    def activity_gradient(self, hidden_KBO: Tensor, rows: int) -> Tensor:
        """The activity penalty's derivative by a hidden output; only the first `rows` rows are real."""
        terms = ((self._activity_l1, l1_derivative), (self._activity_l2, l2_derivative))
        total = torch.zeros_like(hidden_KBO)
        for strength, derivative in terms:
            if strength is not None:
                total = total + derivative(hidden_KBO) * (strength / rows).unsqueeze(2)
        total[:, rows:] = 0
        return total

    def of_activity(self, hidden: list[Tensor], rows: int) -> Tensor:
        """The activity penalty of a batch, summed over its rows and the hidden layers, [K]."""
        total = hidden[0].new_zeros(hidden[0].shape[0])
        for strength, penalty in ((self._activity_l1, l1), (self._activity_l2, l2)):
            if strength is not None:
                for h_KBO in hidden:
                    total = total + penalty(h_KBO[:, :rows]).sum(2).sum(1) * strength[:, 0]
        return total


def _column(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=like.dtype, device=like.device).unsqueeze(1)
