"""An epoch in progress: its steps, its results so far, and pauses between two steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic

import numpy as np
import torch
from torch import Tensor

from trainrun.engine.device_data import DeviceData
from trainrun.engine.divergence import DivergenceTracker
from trainrun.engine.scores import Scores
from trainrun.engine.steps import StepOutput, Steps
from trainrun.plan import Plan

_LOOK_SECONDS = 0.5  # from one look for divergence to the next: on a GPU it waits for the work under way


@dataclass(frozen=True)
class EpochResult:
    """Results of an epoch of training.

    Attributes:
        values: each member's loss and metrics over the rows as trained.
        activity_K: the mean activity penalty of a row.
        divergence: the members that met a value that is not finite, and the step.
    """

    values: list[dict[str, float]]
    activity_K: np.ndarray
    divergence: DivergenceTracker

    def select(self, rows: np.ndarray) -> EpochResult:
        """Return the results of some members, none of which has diverged."""
        return EpochResult(
            [self.values[k] for k in rows], self.activity_K[rows], DivergenceTracker(len(rows))
        )


class Epoch:
    """An epoch of a stack, from its first step on.

    Args:
        plan: of the stack.
        steps: takes steps of all members.
        rows: the training part.
        number: from 1.
        rates_TK: the learning rate of each step and member.

    Attributes:
        number: from 1.
        rates_TK: as given.
        done: steps done.
    """

    def __init__(self, plan: Plan, steps: Steps, rows: DeviceData, number: int, rates_TK: np.ndarray) -> None:
        self.number, self.rates_TK, self.done = number, rates_TK, 0
        self._steps, self._rows, self._size = steps, rows, plan.batch_size
        self._order = rows.order(steps.seeds, number)
        self._order_KN = torch.from_numpy(self._order).to(rows.x_NI.device)
        self._rates, self._coefficients = steps.tables(number, rates_TK)
        room_KN = rows.x_NI.new_empty(self._order_KN.shape)
        self._scores = Scores(
            plan.objective, steps.loss, plan.dataset.target, room_KN, predict=steps.prediction
        )
        self._activity_KT = rows.x_NI.new_zeros(len(steps.seeds), len(rates_TK))
        self._divergence = DivergenceTracker(len(steps.seeds))
        self._fresh: list[StepOutput] = []  # outputs that are not taken in yet
        self._looked, self._probes = 0, list[Tensor]()  # those of the steps since the last look

    def train(self, pause: Callable[[], bool]) -> bool:
        """Train to the end, or until `pause` says so between two steps; returns whether the end was reached.

        Args:
            pause: asked before every step, or before every block of them.
        """
        walk, due = self._walk(), monotonic() + _LOOK_SECONDS
        while self.done < len(self.rates_TK):
            if pause():
                self._look()
                return False
            taken = next(walk)
            self._fresh += taken
            self.done += len(taken)
            if monotonic() >= due:
                self._look()
                if self._divergence.has_K.all():
                    return True
                due = monotonic() + _LOOK_SECONDS
        self._look()
        return True

    def result(self) -> EpochResult:
        """Return the results of the epoch, once it has ended."""
        truth_KN = self._rows.truth()[self._order[:, : self.done * self._size]]
        # A row for each member, so that its sum does not depend on how many members there are.
        activity_K = self._activity_KT.double().cpu().numpy().sum(axis=1) / len(self._rows)
        return EpochResult(self._scores.values(truth_KN), activity_K, self._divergence)

    def state(self, row: int) -> tuple[dict[str, int | str], dict[str, np.ndarray]]:
        """Return the results of a member so far, as facts and arrays; valid only in a pause."""
        activity_T = self._activity_KT[row, : self.done].cpu().numpy()
        facts = {"done": self.done, **self._divergence.state(row)}
        return facts, {"activity": activity_T, **self._scores.state(row)}

    def restore(self, states: list[tuple[Mapping[str, int | str], Mapping[str, np.ndarray]]]) -> None:
        """Go on where each member was in a pause, all after the same step."""
        self.done = self._looked = int(states[0][0]["done"])
        for row, (facts, arrays) in enumerate(states):
            self._activity_KT[row, : self.done] = torch.from_numpy(arrays["activity"])
            self._divergence.restore(row, facts)
            self._scores.restore(row, arrays)

    def _walk(self) -> Iterator[list[StepOutput]]:
        """Take the steps that are left, a block after the other."""
        self._steps.begin(self.number, self.done)
        for start in range(self.done, len(self.rates_TK), self._steps.block):
            stop = start + self._steps.block
            order_KB = self._order_KN[:, start * self._size : stop * self._size]
            yield from self._steps.take(order_KB, self._rates[start:stop], self._coefficients[start:stop])
            self._take_in()

    def _take_in(self) -> None:
        """Take in the outputs of the last steps: scores, probes and activity penalties."""
        if self._fresh:
            outputs, probes, activity = zip(*self._fresh, strict=True)
            start = self.done - len(self._fresh)
            seen_KN = self._order_KN[:, start * self._size : self.done * self._size]
            self._scores.add(torch.cat(outputs, dim=1), self._rows.target_N[seen_KN])
            all_probes = torch.stack([probe_K for of_step in probes for probe_K in of_step])
            self._probes.append(all_probes.unflatten(0, (len(probes), -1)))
            if activity[0] is not None:
                self._activity_KT[:, start : self.done] = torch.stack(activity, dim=1)
            self._fresh = []

    def _look(self) -> None:
        """Look for divergence in the steps since the last time."""
        self._take_in()
        if self._probes:
            loss_KN = self._scores.loss_KN[:, self._looked * self._size :]
            probes, labels = torch.cat(self._probes), self._steps.block_labels
            self._divergence.look(self._looked, loss_KN, probes, self._size, labels)
            self._looked, self._probes = self.done, []
