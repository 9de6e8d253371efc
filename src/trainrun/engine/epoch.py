"""An epoch in progress: blocks of steps, what they have come to so far, and pauses between two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainrun.engine.dropout import LayerMasks
from trainrun.engine.feed import Feed
from trainrun.engine.steps import Steps
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


class Epoch:
    """An epoch of a stack, from its first step on.

    Args:
        plan: of the stack.
        steps: takes a step of all members.
        feed: the training part.
        number: from 1.
        rates_TK: the learning rate of each step and member.

    Attributes:
        number: from 1.
        rates_TK: as given.
        done: steps done.
    """

    def __init__(self, plan: Plan, steps: Steps, feed: Feed, number: int, rates_TK: np.ndarray) -> None:
        self.number, self.rates_TK, self.done = number, rates_TK, 0
        self._steps, self._feed, self._size = steps, feed, plan.batch_size
        self._order_KN = feed.order(steps.seeds, number)
        self._rates = steps.rates(rates_TK)
        room_KN = feed.x_NI.new_empty(self._order_KN.shape)
        self._tally = Tally(plan.objective, steps.loss, plan.dataset.target, room_KN)
        self._trouble = Trouble(len(steps.seeds))
        self._activity_KT = feed.x_NI.new_zeros(len(steps.seeds), len(rates_TK))
        self._masks = _Masks(plan, steps, number, len(rates_TK))
        self._outputs: list[Tensor] = []
        self._probes: list[Tensor] = []

    def train(self, pause: Callable[[], bool]) -> bool:
        """Train to the end, or until `pause` says so between two steps; returns whether the end was reached.

        Args:
            pause: asked before every step.
        """
        while self.done < len(self.rates_TK) and not self._trouble.has_K.all():
            if pause():
                self._settle()
                return False
            self._step()
            if self._masks.at_border:
                self._settle()
        return True

    def result(self) -> EpochResult:
        """What it came to, once it has ended."""
        truth_KN = self._feed.truth()[self._order_KN[:, : self.done * self._size].cpu().numpy()]
        # A row for each member, so that its sum does not depend on how many members there are.
        activity_K = self._activity_KT.double().cpu().numpy().sum(axis=1) / len(self._feed)
        return EpochResult(self._tally.values(truth_KN), activity_K, self._trouble)

    def state(self, row: int) -> tuple[dict[str, int | str], dict[str, np.ndarray]]:
        """What a member has come to so far, as facts and arrays; only in a pause."""
        activity_T = self._activity_KT[row, : self.done].cpu().numpy()
        facts = {"done": self.done, **self._trouble.state(row)}
        return facts, {"activity": activity_T, **self._tally.state(row)}

    def restore(self, states: list[tuple[Mapping[str, int | str], Mapping[str, np.ndarray]]]) -> None:
        """Go on where each member was in a pause, all after the same step."""
        self.done = int(states[0][0]["done"])
        self._masks.skip(self.done)
        for row, (facts, arrays) in enumerate(states):
            self._activity_KT[row, : self.done] = torch.from_numpy(arrays["activity"])
            self._trouble.restore(row, facts)
            self._tally.restore(row, arrays)

    def _step(self) -> None:
        batch = self._feed.batch(self._order_KN, self.done * self._size, (self.done + 1) * self._size)
        masks = self._masks.take(batch.x_KBI.shape[1])
        outputs_KBC, activity_K = self._steps.take(batch, masks, self._rates[self.done])
        self._outputs.append(outputs_KBC)
        self._probes.append(self._steps.probe())
        if activity_K is not None:
            self._activity_KT[:, self.done] = activity_K
        self.done += 1

    def _settle(self) -> None:
        """Take in what the steps since the last time have put out."""
        if not self._outputs:
            return
        start = self.done - len(self._outputs)
        seen_KN = self._order_KN[:, start * self._size : self.done * self._size]
        loss_KB = self._tally.add(torch.cat(self._outputs, dim=1), self._feed.target_N[seen_KN])
        self._trouble.look(start, loss_KB, torch.stack(self._probes), self._size)
        self._outputs.clear()
        self._probes.clear()


class _Masks:
    """The dropout masks of an epoch, drawn a block of steps at a time."""

    def __init__(self, plan: Plan, steps: Steps, epoch: int, total: int) -> None:
        rows, widths = max(2, plan.batch_size), steps.widths
        self._layers = [
            LayerMasks(steps.seeds, rates_K, layer=layer, epoch=epoch, rows=rows, width=width)
            if rates_K.any()
            else None
            for layer, (rates_K, width) in enumerate(zip(steps.dropout.T, widths, strict=False))
        ]
        self._length = max(1, _BLOCK_NUMBERS // (len(steps.seeds) * rows * max(widths)))
        self._like, self._left = steps.like, total
        self._block: list[Tensor | None] = []
        self._place = self._drawn = 0

    @property
    def at_border(self) -> bool:
        """Whether a block of steps has just ended."""
        return self._place == self._drawn

    def skip(self, steps: int) -> None:
        """Leave out the masks of steps that were taken before."""
        for layer in self._layers:
            if layer is not None:
                layer.skip(steps)
        self._left -= steps

    def take(self, rows: int) -> list[Tensor | None]:
        """The masks of the next step, for so many rows, by layer."""
        if self.at_border:
            self._place, self._drawn = 0, min(self._length, self._left)
            self._left -= self._drawn
            self._block = [
                None if layer is None else layer.draw(self._drawn, self._like) for layer in self._layers
            ]
        self._place += 1
        return [None if mask is None else mask[:, self._place - 1, :rows] for mask in self._block]
