"""The training step of a stack: forward, loss, backward, penalties, optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from trainrun.engine.feed import Batch
from trainrun.engine.network import Network
from trainrun.engine.penalties import Penalties
from trainrun.engine.stack import Stack
from trainrun.plan import Plan


class Steps:
    """The training steps of a stack.

    Args:
        plan: of the stack.
        stack: whose parameters are trained, in place.
        network: forward and backward.

    Attributes:
        seeds: of the members.
        dropout: their rates, [K, L+1].
        widths: of the net's layers, as carried.
        penalties: their regularization.
        like: a tensor of the stack's device and dtype.
    """

    def __init__(self, plan: Plan, stack: Stack, network: Network) -> None:
        self._plan, self._stack, self._network = plan, stack, network
        self.seeds = [plan.seeds[member] for member in stack.members]
        self.dropout, self.widths = plan.dropout[stack.members], stack.layout.padded
        self.like = stack.parameters_D
        self.penalties = Penalties(plan.strengths.select(stack.members), stack.layout, self.like)
        weight_C = plan.class_weight
        self._class_weight = None if weight_C is None else torch.from_numpy(weight_C).to(self.like)

    def take(
        self, batch: Batch, masks: Sequence[Tensor | None], rate: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """One optimizer step of all members.

        Args:
            batch: rows for each member.
            masks: of dropout, for the input and each hidden layer.
            rate: the learning rates, as `rates` gives them for a step.

        Returns:
            The outputs of the real rows [K, B, C], and the activity penalty summed over them [K], None where
            no member has one.
        """
        stack, penalties = self._stack, self.penalties
        trace = self._network.forward(stack.layers, batch.x_KBI, masks)
        delta_KBC = self._delta(trace.output_KBC, batch)
        by_hidden = activity_K = None
        if penalties.any_activity:
            by_hidden = partial(penalties.activity_gradient, rows=batch.rows)
            activity_K = penalties.of_activity(trace.hidden, batch.rows)
        self._network.backward(stack.layers, stack.gradients, trace, delta_KBC, by_hidden)
        penalties.add_to_gradient(stack.gradient_D, stack.parameters_D)
        self._update(rate)
        return trace.output_KBC[:, : batch.rows], activity_K

    def _update(self, rate: Tensor) -> None:
        stack, penalties, optimizer = self._stack, self.penalties, self._plan.optimizer
        stack.steps += 1
        direction_D = optimizer.direction(stack.gradient_D, stack.optimizer_state, stack.steps)
        penalties.decay(stack.parameters_D, rate)
        stack.move(direction_D, rate)
        if penalties.any_proximal:
            penalties.shrink(
                stack.parameters_D, rate, optimizer.curvature(stack.optimizer_state, stack.steps)
            )

    def rates(self, rates_TK: np.ndarray) -> Tensor:
        """The learning rates of each step: [T] where all members have the same, else [T, K, 1]."""
        rates = torch.from_numpy(rates_TK).to(self.like)
        return rates[:, 0] if (rates_TK == rates_TK[:, :1]).all() else rates.unsqueeze(-1)

    def probe(self) -> Tensor:
        """Sums over each block of parameters, [P, K]: not finite where a parameter is not."""
        blocks = self._stack.blocks
        probe_PK = self.like.new_empty(len(blocks), len(self.seeds))
        for block, probe_K in zip(blocks, probe_PK, strict=True):
            torch.sum(block, 1, out=probe_K)
        return probe_PK

    def loss(self, output_KBC: Tensor, target_KB: Tensor) -> Tensor:
        """What is trained on, for each row, [K, B]."""
        loss_KB: Tensor = self._plan.objective.rows(output_KBC, target_KB)
        return loss_KB if self._class_weight is None else loss_KB * self._class_weight[target_KB]

    def _delta(self, output_KBC: Tensor, batch: Batch) -> Tensor:
        """The derivative of the batch's mean loss by the net's output."""
        delta_KBC = self._plan.objective.derivative(output_KBC, batch.target_KB)
        if self._class_weight is not None:
            delta_KBC = delta_KBC * self._class_weight[batch.target_KB].unsqueeze(-1)
        delta_KBC = delta_KBC / batch.rows
        if batch.rows < delta_KBC.shape[1]:
            delta_KBC[:, batch.rows :] = 0
        return delta_KBC
