"""The training steps of a stack: forward, loss, backward, penalties, optimizer.

Steps that follow one another are taken as one where the route records them. All that they read is then a
tensor in its place: also the learning rates and what an optimizer takes for its step's number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from trainrun.engine.device_data import Batch, DeviceData
from trainrun.engine.layers import Step
from trainrun.engine.layers.members import mean_prediction
from trainrun.engine.masks import Masks
from trainrun.engine.network import Network
from trainrun.engine.penalties import Penalties
from trainrun.engine.stack import Stack
from trainrun.engine.step_runner import ROUTES, Direct
from trainrun.plan import Plan


class StepOutput(NamedTuple):
    """Outputs of a step; where steps are recorded, the next block overwrites them.

    Attributes:
        output_KBC: the outputs of the real rows; [K, B, M, C] where M nets share the weights.
        probes: [K] sums over each block of parameters after the step: not finite where a parameter is not.
        activity_K: the activity penalty, summed over the rows; None where no member has one.
    """

    output_KBC: Tensor
    probes: list[Tensor]
    activity_K: Tensor | None


class Steps:
    """The training steps of a stack.

    Args:
        plan: of the stack.
        stack: whose parameters are trained, in place.
        network: forward and backward.
        rows: the training part.

    Attributes:
        seeds: of the members.
        penalties: their regularization.
        block: the most steps that `take` takes.
    """

    def __init__(self, plan: Plan, stack: Stack, network: Network, rows: DeviceData) -> None:
        self._plan, self._stack, self._network, self._rows = plan, stack, network, rows
        self._like = stack.parameters_D
        self._runner = ROUTES.get(self._like.device.type, Direct)()
        self.block_labels = stack.layout.block_labels
        self.seeds = [plan.seeds[member] for member in stack.members]
        self.penalties = Penalties(plan.strengths.select(stack.members), stack.layout, self._like)
        weight_C = plan.class_weight
        self._class_weight = None if weight_C is None else torch.from_numpy(weight_C).to(self._like)
        batch = max(2, plan.batch_size)
        self._shared = plan.net.shared_members
        numbers = max(1, len(self.seeds)) * batch * max(2, plan.row_numbers)
        self.block = min(self._runner.longest, max(1, self._runner.numbers // numbers))
        self._masks = self._make_masks(batch)

    def begin(self, epoch: int, done: int) -> None:
        """Go to the place after `done` steps of an epoch."""
        self._masks.begin(epoch, done)

    def tables(self, epoch: int, rates_TK: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return the numbers that an epoch takes besides the rows: two tables with a row for each step.

        Args:
            epoch: from 1.
            rates_TK: the learning rates.

        Returns:
            The learning rates [T, K, 1], or [T] where all members have the same, and the optimizer's
            coefficients [T, numbers], with the share of the average as the last one.
        """
        rates = torch.from_numpy(rates_TK).to(self._like)
        first = (epoch - 1) * len(rates_TK) + 1
        steps = range(first, first + len(rates_TK))
        optimizer, averaging = self._plan.optimizer, self._plan.averaging
        shares = [() if averaging is None else (averaging(t),) for t in steps]
        numbers = [(*optimizer.coefficients(t), *share) for t, share in zip(steps, shares, strict=True)]
        coefficients = np.array(numbers, np.float64)
        same = (rates_TK == rates_TK[:, :1]).all()
        return rates[:, 0] if same else rates.unsqueeze(-1), torch.from_numpy(coefficients).to(self._like)

    def take(self, order_KB: Tensor, rates: Tensor, coefficients: Tensor) -> Iterator[list[StepOutput]]:
        """Take the steps of a block, one after the other, for all members.

        Args:
            order_KB: the rows of their batches.
            rates: their learning rates, of `tables`.
            coefficients: of the optimizer, as well.

        Yields:
            The outputs of steps that were taken: of a single step or, from a recording, of the whole block.
        """
        for taken in self._runner.run(self._take, order_KB, rates, coefficients):
            self._stack.steps += len(taken)
            yield taken

    def loss(self, output_KBC: Tensor, target_KB: Tensor) -> Tensor:
        """Return the training loss of each row, [K, B]."""
        if self._shared > 1:
            target_KBM = target_KB.unsqueeze(-1).expand(output_KBC.shape[:-1])
            loss_KB: Tensor = self._plan.objective.rows(output_KBC, target_KBM).mean(-1)
        else:
            loss_KB = self._plan.objective.rows(output_KBC, target_KB)
        return loss_KB if self._class_weight is None else loss_KB * self._class_weight[target_KB]

    def prediction(self, output_KBC: Tensor) -> Tensor:
        """Return the predictions of outputs: the mean where nets share the weights."""
        return mean_prediction(output_KBC) if self._shared > 1 else output_KBC

    def _take(self, order_KB: Tensor, rates: Tensor, coefficients: Tensor) -> Iterator[StepOutput]:
        batches = order_KB.split(self._plan.batch_size, dim=1)
        masks = self._masks.draw(len(batches))
        rows = zip(rates.unbind(), coefficients.unbind(), strict=True)
        for chosen_KB, dropped, (rate, numbers) in zip(batches, masks, rows, strict=True):
            output_KBC, activity_K = self._pass(chosen_KB, dropped)
            self._update(rate, numbers)
            yield StepOutput(output_KBC, [block.sum(1) for block in self._stack.blocks], activity_K)

    def _pass(self, chosen_KB: Tensor, masks: Sequence[Tensor | None]) -> tuple[Tensor, Tensor | None]:
        """Forward and backward through the net and the penalties: real outputs, activity penalty."""
        stack, penalties, batch = self._stack, self.penalties, self._rows.batch(chosen_KB)
        activity, activity_K = None, None
        rows = batch.rows * self._shared  # in the net: each row is there once for each net that shares it
        if penalties.any_activity:
            activity = partial(penalties.activity_gradient, rows=rows)
        step = Step(self._cut(masks, batch.x_KBI.shape[1]), activity)
        trace = self._network.forward(stack.views, batch.x_KBI, step)
        delta_KBC = self._delta(trace.output_KBC, batch)
        if penalties.any_activity:
            hidden = [output_KBO for _, output_KBO in self._network.activated(trace)]
            activity_K = penalties.of_activity(hidden, rows) / self._shared
        self._network.backward(stack.views, stack.gradients, trace, delta_KBC)
        penalties.add_to_gradient(stack.gradient_D, stack.parameters_D)
        output_KBC = trace.output_KBC[:, :rows]
        if self._shared > 1:
            output_KBC = output_KBC.unflatten(1, (-1, self._shared))
        return output_KBC, activity_K

    def _update(self, rate: Tensor, coefficients: Tensor) -> None:
        stack, penalties, optimizer = self._stack, self.penalties, self._plan.optimizer
        direction_D = optimizer.direction(stack.gradient_D, stack.optimizer_state, coefficients)
        penalties.decay(stack.parameters_D, rate)
        stack.move(direction_D, rate)
        if penalties.any_proximal:
            curvature_D = optimizer.curvature(stack.optimizer_state, coefficients)
            penalties.shrink(stack.parameters_D, rate, curvature_D)
        if self._plan.averaging is not None:
            stack.move_average(coefficients[-1])

    def _delta(self, output_KBC: Tensor, batch: Batch) -> Tensor:
        """The derivative of the batch's mean loss by the net's output."""
        rows, target_KB = batch.rows, batch.target_KB
        if self._shared > 1:
            rows, target_KB = rows * self._shared, target_KB.repeat_interleave(self._shared, 1)
        delta_KBC = self._plan.objective.derivative(output_KBC, target_KB)
        if self._class_weight is not None:
            delta_KBC = delta_KBC * self._class_weight[target_KB].unsqueeze(-1)
        delta_KBC = delta_KBC / rows
        if rows < delta_KBC.shape[1]:
            delta_KBC[:, rows:] = 0
        return delta_KBC

    def _make_masks(self, rows: int) -> Masks:
        rates, dropouts = self._plan.dropout[self._stack.members], self._network.dropouts
        layers = [
            self._runner.masks(
                self.seeds,
                rates_K,
                self._like,
                layer=layer.number,
                rows=rows * self._times(layer.number),
                width=layer.width,
            )
            if rates_K.any()
            else None
            for layer, rates_K in zip(dropouts, rates.T, strict=True)
        ]
        return Masks(layers)

    def _cut(self, masks: Sequence[Tensor | None], rows: int) -> list[Tensor | None]:
        """Cut masks to the rows of a batch, which may be short."""
        limits = [rows * self._times(number) for number in range(len(masks))]
        return [
            mask if mask is None or mask.shape[1] == limit else mask[:, :limit]
            for mask, limit in zip(masks, limits, strict=True)
        ]

    def _times(self, number: int) -> int:
        """Return how often each row stands in the masks of a layer; the input is shared."""
        return self._shared if number else 1
