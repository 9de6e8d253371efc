"""An epoch of training: blocks of steps, and the step itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from trainrun.engine.dropout import LayerMasks
from trainrun.engine.feed import Batch, Feed
from trainrun.engine.network import Network
from trainrun.engine.penalties import Penalties
from trainrun.engine.stack import Stack
from trainrun.engine.tally import Tally
from trainrun.engine.trouble import Trouble
from trainrun.plan import Plan

_BLOCK_NUMBERS = 2**19  # a block's masks and outputs hold about this many numbers


@dataclass(frozen=True)
class EpochResult:
    """What an epoch of training came to.

    Attributes:
        values: each member's loss and metrics over the rows as trained.
        activity_K: the mean activity penalty of a row.
        trouble: who met a value that is not finite, and when.
    """

    values: list[dict[str, float]]
    activity_K: np.ndarray
    trouble: Trouble

    def select(self, rows: np.ndarray) -> EpochResult:
        """Of some members; those in trouble are not asked for."""
        return EpochResult([self.values[k] for k in rows], self.activity_K[rows], Trouble(len(rows)))


class Steps:
    """The training steps of a stack.

    Args:
        plan: of the stack.
        stack: whose parameters are trained, in place.
        network: forward and backward.
        feed: the training part.
    """

    def __init__(self, plan: Plan, stack: Stack, network: Network, feed: Feed) -> None:
        self._plan, self._stack, self._network, self._feed = plan, stack, network, feed
        self._objective = plan.objective
        self.penalties = Penalties(plan.strengths.select(stack.members), stack.layout, stack.parameters_D)
        weight_C = plan.class_weight
        self._class_weight = None if weight_C is None else torch.from_numpy(weight_C).to(stack.parameters_D)
        self._seeds = [plan.seeds[member] for member in stack.members]
        self._dropout = plan.dropout[stack.members]

    def train_epoch(self, epoch: int, rates_TK: np.ndarray) -> EpochResult:
        """Train an epoch.

        Args:
            epoch: from 1.
            rates_TK: the learning rate of each step and member.
        """
        members, size = len(self._seeds), self._plan.batch_size
        order_KN = self._feed.order(self._seeds, epoch)
        rates = self._rates(rates_TK)
        room_KN = self._feed.x_NI.new_empty(order_KN.shape)
        tally = Tally(self._objective, self._loss, self._plan.dataset.target, room_KN)
        trouble, activity = Trouble(members), list[Tensor]()
        for steps, masks in self._blocks(epoch, len(rates_TK)):
            outputs, probes_TPK = [], self._probes(len(steps))
            for place, step in enumerate(steps):
                batch = self._feed.batch(order_KN, step * size, (step + 1) * size)
                used = [None if mask is None else mask[:, place, : batch.x_KBI.shape[1]] for mask in masks]
                outputs.append(self._step(batch, used, rates[step], activity))
                for block, probe_K in zip(self._stack.blocks, probes_TPK[place], strict=True):
                    torch.sum(block, 1, out=probe_K)
            seen_KN = order_KN[:, steps.start * size : steps.stop * size]
            loss_KB = tally.add(torch.cat(outputs, dim=1), self._feed.target_N[seen_KN])
            trouble.look(loss_KB, probes_TPK, size)
            if trouble.has_K.all():
                break
        truth_KN = self._feed.truth()[order_KN[:, : steps.stop * size].cpu().numpy()]
        return EpochResult(tally.values(truth_KN), self._mean_activity(activity), trouble)

    def _blocks(self, epoch: int, steps: int) -> Iterator[tuple[range, Sequence[Tensor | None]]]:
        """The epoch's steps a block at a time, with the dropout masks of each place."""
        rows, widths = max(2, self._plan.batch_size), self._stack.layout.padded
        streams = [
            LayerMasks(self._seeds, rates_K, layer=place, epoch=epoch, rows=rows, width=width)
            if rates_K.any()
            else None
            for place, (rates_K, width) in enumerate(zip(self._dropout.T, widths, strict=False))
        ]
        length = max(1, _BLOCK_NUMBERS // (len(self._seeds) * rows * max(widths)))
        for start in range(0, steps, length):
            block = range(start, min(start + length, steps))
            yield block, [s.draw(len(block), self._stack.parameters_D) if s else None for s in streams]

    def _step(
        self, batch: Batch, masks: Sequence[Tensor | None], rate: Tensor, activity: list[Tensor]
    ) -> Tensor:
        """One optimizer step of all members; returns the outputs of the real rows, [K, B, C]."""
        stack, penalties = self._stack, self.penalties
        trace = self._network.forward(stack.layers, batch.x_KBI, masks)
        delta_KBC = self._delta(trace.output_KBC, batch)
        by_hidden = None
        if penalties.any_activity:
            by_hidden = partial(penalties.activity_gradient, rows=batch.rows)
            activity.append(penalties.of_activity(trace.hidden, batch.rows))
        self._network.backward(stack.layers, stack.gradients, trace, delta_KBC, by_hidden)
        penalties.add_to_gradient(stack.gradient_D, stack.parameters_D)
        stack.steps += 1
        optimizer = self._plan.optimizer
        direction_D = optimizer.direction(stack.gradient_D, stack.state, stack.steps)
        penalties.decay(stack.parameters_D, rate)
        stack.move(direction_D, rate)
        if penalties.any_proximal:
            penalties.shrink(stack.parameters_D, rate, optimizer.curvature(stack.state, stack.steps))
        return trace.output_KBC[:, : batch.rows]

    def _rates(self, rates_TK: np.ndarray) -> Tensor:
        """The learning rates of each step: [T] where all members have the same, else [T, K, 1]."""
        rates = torch.from_numpy(rates_TK).to(self._stack.parameters_D)
        return rates[:, 0] if (rates_TK == rates_TK[:, :1]).all() else rates.unsqueeze(-1)

    def _probes(self, steps: int) -> Tensor:
        """A place for a sum over each block of parameters after each step, [T, P, K]."""
        return self._stack.parameters_D.new_empty(steps, len(self._stack.blocks), len(self._seeds))

    def _delta(self, output_KBC: Tensor, batch: Batch) -> Tensor:
        """The derivative of the batch's mean loss by the net's output."""
        delta_KBC = self._objective.derivative(output_KBC, batch.target_KB)
        if self._class_weight is not None:
            delta_KBC = delta_KBC * self._class_weight[batch.target_KB].unsqueeze(-1)
        delta_KBC = delta_KBC / batch.rows
        if batch.rows < delta_KBC.shape[1]:
            delta_KBC[:, batch.rows :] = 0
        return delta_KBC

    def _loss(self, output_KBC: Tensor, target_KB: Tensor) -> Tensor:
        """What is trained on, for each row."""
        loss_KB: Tensor = self._objective.rows(output_KBC, target_KB)
        return loss_KB if self._class_weight is None else loss_KB * self._class_weight[target_KB]

    def _mean_activity(self, sums: list[Tensor]) -> np.ndarray:
        if not sums:
            return np.zeros(len(self._seeds))
        # A row for each member, so that its sum does not depend on how many members there are.
        sums_KT = np.ascontiguousarray(torch.stack(sums).double().cpu().numpy().T)
        return sums_KT.sum(axis=1) / len(self._feed)
