"""The training loop: a plan in, events out.

Early stopping, the best weights and the schedule are explicit lines of `Fit.run`; nothing that reads the
events can change them. It reads top-down: here the epochs, in `steps` an epoch and a step, in `network` the
passes through the net.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

import numpy as np
import torch

from trainrun.engine.evaluation import Evaluator
from trainrun.engine.feed import Feed
from trainrun.engine.network import Network
from trainrun.engine.stack import Stack
from trainrun.engine.steps import EpochResult, Steps
from trainrun.engine.trouble import Trouble
from trainrun.events import PARTS, Diverged, EpochEnded, Event, FitEnded, FitStarted
from trainrun.plan import Plan


@torch.inference_mode()
def train(
    plan: Plan, *, device: torch.device, dtype: torch.dtype = torch.float32, threads: int = 1
) -> Iterator[Event]:
    """Train the members of a plan together, each as if it were alone.

    Args:
        plan: one stack.
        device: where everything lives.
        dtype: of the parameters; tests use float64.
        threads: for the operations on a CPU.

    Yields:
        Each member's events in order: FitStarted, EpochEnded ..., (Diverged,) FitEnded.
    """
    torch.set_num_threads(threads)
    yield from Fit(plan, device, dtype).run()


class Fit:
    """The state of a fit: who still trains, and the policies' state for them.

    Args:
        plan: one stack.
        device: where everything lives.
        dtype: of the parameters.

    Attributes:
        stack: the members that still train.
    """

    def __init__(self, plan: Plan, device: torch.device, dtype: torch.dtype) -> None:
        self._plan = plan
        start = Stack.start(plan, device, dtype)
        self._parameters = start.layout.parameters
        self._network = Network(start.layout, plan.activation, plan.activation_derivative)
        parts = {name: getattr(plan.dataset, name) for name in PARTS}
        self._feeds = {name: Feed(part, device, dtype) for name, part in parts.items() if part is not None}
        self._evaluator = Evaluator(plan, self._network, self._feeds)
        self._stopping, self._plateau = copy(plan.early_stopping), copy(plan.plateau)
        self._train_on(start)

    def run(self) -> Iterator[Event]:
        """Train until nobody is left."""
        yield from self._started()
        yield from self._leave(self._plan.epochs == 0, 0, "epochs")
        epoch = 0
        while len(self.stack.members):
            epoch += 1
            rates_TK = self._plateau.apply(self._plan.learning_rates(epoch, self.stack.members))
            trained = self._steps.train_epoch(epoch, rates_TK)
            if trained.trouble.has_K.any():
                sound = np.flatnonzero(~trained.trouble.has_K)
                yield from self._leave_diverged(epoch, rates_TK, trained.trouble)
                trained, rates_TK = trained.select(sound), rates_TK[:, sound]
            if len(self.stack.members):
                yield from self._end_epoch(epoch, rates_TK[-1], trained)

    def _started(self) -> Iterator[Event]:
        for member, (cell, monitor) in enumerate(zip(self._plan.cells, self._plan.monitors, strict=True)):
            larger = cell.config.early_stopping.mode == "max"
            yield FitStarted(member, cell.config.epochs, self._parameters, monitor, larger)

    def _end_epoch(self, epoch: int, rate_K: np.ndarray, trained: EpochResult) -> Iterator[Event]:
        """What follows an epoch's last step: validation, the best weights, and who stops."""
        stack = self.stack
        valid = self._evaluator.values("valid", stack.layers)
        monitored_K = self._monitored(trained.values, valid)
        decision = self._stopping.observe(epoch, monitored_K)
        self._plateau.observe(monitored_K)
        stack.keep_best(decision.improved_K)
        penalty_K = trained.activity_K + self._steps.penalties.of_weights(stack.parameters_D)
        for k, member in enumerate(stack.members):
            yield EpochEnded(
                member=int(member),
                epoch=epoch,
                step=stack.steps,
                learning_rate=float(rate_K[k]),
                train=trained.values[k],
                penalty=float(penalty_K[k]),
                valid=valid[k] if valid else None,
                monitored=float(monitored_K[k]),
                improved=bool(decision.improved_K[k]),
                previous_best=float(decision.previous_best_K[k]),
                best=float(self._stopping.best[k]),
                wait=int(self._stopping.wait[k]),
            )
        yield from self._leave(decision.stop_K, epoch, "early_stopping")
        yield from self._leave(self._plan.epochs[self.stack.members] == epoch, epoch, "epochs")

    def _leave_diverged(self, epoch: int, rates_TK: np.ndarray, trouble: Trouble) -> Iterator[Event]:
        """End the members that met a value that is not finite, with the best they had."""
        steps_K = (epoch - 1) * self._plan.steps_per_epoch + trouble.step_K + 1
        for k in np.flatnonzero(trouble.has_K):
            rate = float(rates_TK[trouble.step_K[k], k])
            member, quantity = int(self.stack.members[k]), str(trouble.quantity_K[k])
            yield Diverged(member, epoch, int(steps_K[k]), quantity, rate)
        yield from self._leave(trouble.has_K, epoch - 1, "non_finite", steps_K)

    def _leave(
        self, leaving_K: np.ndarray, epochs: int, stopped_by: str, steps_K: np.ndarray | None = None
    ) -> Iterator[Event]:
        """Report the members that end here, and train on without them."""
        if not leaving_K.any():
            return
        rows, others = np.flatnonzero(leaving_K), np.flatnonzero(~leaving_K)
        ended, best_epoch_K = self.stack.select(rows), self._stopping.best_epoch[rows]
        ended_steps_K = np.full(len(rows), ended.steps) if steps_K is None else steps_K[rows]
        self._stopping, self._plateau = self._stopping.select(others), self._plateau.select(others)
        self._train_on(self.stack.select(others))
        layers = ended.layout.layers(ended.best_D)
        parts = {part: found for part in PARTS if (found := self._evaluator.in_full(part, layers))}
        for k, member in enumerate(ended.members):
            weights = ended.best_weights(k)
            untrained = self._plan.epochs[member] == 0
            yield FitEnded(
                member=int(member),
                status="diverged" if stopped_by == "non_finite" else "complete",
                stopped_by=stopped_by,
                best_epoch=int(best_epoch_K[k]) if best_epoch_K[k] or untrained else None,
                epochs=epochs,
                steps=int(ended_steps_K[k]),
                parameters=self._parameters,
                zero_weights=sum(int((w == 0).sum()) for key, w in weights.items() if key.endswith("weight")),
                **{part: parts[part][k].values if part in parts else None for part in PARTS},
                confusion={
                    part: matrix
                    for part in PARTS[1:]
                    if part in parts and (matrix := parts[part][k].confusion) is not None
                },
                weights=weights,
            )

    def _train_on(self, stack: Stack) -> None:
        self.stack = stack
        self._steps = Steps(self._plan, stack, self._network, self._feeds["train"])

    def _monitored(self, train: list[dict[str, float]], valid: list[dict[str, float]] | None) -> np.ndarray:
        """The value that decides what is best, of each member."""
        values = []
        for k, member in enumerate(self.stack.members):
            monitor = self._plan.monitors[member]
            name = monitor.removeprefix("val_")
            values.append(valid[k][name] if valid is not None and name != monitor else train[k][name])
        return np.array(values)
