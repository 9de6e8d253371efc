"""The training loop: a plan in, events out.

Early stopping, the best weights and the schedule are explicit lines of `Fit.run`; nothing that reads the
events can change them. It reads top-down: here the epochs, in `steps` an epoch and a step, in `network` the
passes through the net.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from math import inf
from time import monotonic

import numpy as np
import torch

from trainrun.calibration import Calibration, calibrate
from trainrun.engine.buffers import Views
from trainrun.engine.device_data import DeviceData
from trainrun.engine.divergence import DivergenceTracker
from trainrun.engine.epoch import Epoch, EpochResult
from trainrun.engine.evaluation import Evaluator
from trainrun.engine.layers import keyed_slots
from trainrun.engine.network import Network
from trainrun.engine.process import prepare_process
from trainrun.engine.stack import Stack
from trainrun.engine.steps import Steps
from trainrun.events import PARTS, Diverged, EpochEnded, Event, FitEnded, FitStarted, Paused, Snapshot
from trainrun.plan import Plan


def never() -> bool:
    """Policy of a fit that is never stopped."""
    return False


@torch.inference_mode()
def train(
    plan: Plan,
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    threads: int = 1,
    pauses: Pauses | None = None,
    snapshots: Sequence[Snapshot] = (),
) -> Iterator[Event]:
    """Train the members of a plan together, each as if it were alone.

    Args:
        plan: one stack.
        device: where everything lives.
        dtype: of the parameters; tests use float64.
        threads: for the operations on a CPU.
        pauses: when to yield the members' state, and when to end there; never unless given.
        snapshots: of each member, where they continue; all after the same step.

    Yields:
        Each member's events in order: FitStarted, EpochEnded or Paused ..., (Diverged,) FitEnded. Where the
        fit was asked to stop, or has reached the last epoch that it may train, the last of each is Paused.
    """
    torch.set_num_threads(threads)
    fit = Fit(plan, device, dtype)
    if snapshots:
        fit.restore(snapshots)
    yield from fit.run(pauses or Pauses())


class Pauses:
    """Times at which a fit yields its state: when it is asked to stop, and at a regular interval.

    Args:
        stop: whether to end, asked before every step (on a CUDA device before every block of them).
        every: seconds from one pause to the next; longer where a pause takes more than a twentieth of that.
            0 pauses before every step, however long a pause takes.
        last_epoch: at its end the fit pauses and ends.
    """

    def __init__(self, stop: Callable[[], bool] = never, every: float = inf, last_epoch: float = inf) -> None:
        self.stop, self.last_epoch, self._every = stop, last_epoch, every
        self._due = monotonic() + every
        self._told = False  # True after a pause, until the next step

    def wanted(self) -> bool:
        """Return whether to pause before the next step."""
        due = not self._told and monotonic() >= self._due
        self._told = False
        return due or self.stop()

    def took(self, seconds: float) -> None:
        """Note that a pause has ended, and schedule the next one.

        Args:
            seconds: how long the pause took.
        """
        self._due = monotonic() + (max(self._every, 20 * seconds) if self._every else 0.0)
        self._told = True


class Fit:
    """State of a fit: the members that still train, and the state of their policies.

    Args:
        plan: one stack.
        device: where everything lives.
        dtype: of the parameters.

    Attributes:
        stack: the members that still train.
        continued: the epoch in which they go on, where they do.
    """

    def __init__(self, plan: Plan, device: torch.device, dtype: torch.dtype) -> None:
        prepare_process()
        self._plan = plan
        start = Stack.start(plan, device, dtype)
        self._parameters = start.layout.parameters
        self._network = Network(start.layout.layers)
        parts = {name: getattr(plan.dataset, name) for name in PARTS}
        self._data = {
            name: DeviceData(part, device, dtype) for name, part in parts.items() if part is not None
        }
        self._evaluator = Evaluator(plan, self._network, self._data)
        self._stopping, self._plateau = copy(plan.early_stopping), copy(plan.plateau)
        self.continued: Epoch | None = None
        self._train_on(start)

    def run(self, pauses: Pauses) -> Iterator[Event]:
        """Train until no member is left, until asked to stop, or to the last epoch."""
        yield from self._started()
        yield from self._leave(self._plan.epochs == 0, 0, "epochs")
        number, epoch = 1, self.continued
        while len(self.stack.members):
            epoch = epoch or self._epoch(number)
            if epoch.number > pauses.last_epoch:
                yield from self._paused(epoch)
                return
            while not epoch.train(pauses.wanted):
                begun = monotonic()
                yield from self._paused(epoch)
                pauses.took(monotonic() - begun)
                if pauses.stop():
                    return
            yield from self._end_epoch(epoch)
            number, epoch = epoch.number + 1, None

    def restore(self, snapshots: Sequence[Snapshot]) -> None:
        """Go on where each member was in a pause, all after the same step."""
        for row, snapshot in enumerate(snapshots):
            self.stack.restore(row, snapshot.arrays)
            self._stopping.restore(row, snapshot.facts["stopping"])
            self._plateau.restore(row, snapshot.facts["plateau"])
        self.stack.steps = snapshots[0].facts["steps"]
        self.continued = self._epoch(snapshots[0].facts["epoch"])
        self.continued.restore([(snapshot.facts["progress"], snapshot.arrays) for snapshot in snapshots])

    def snapshot(self, row: int, epoch: Epoch) -> Snapshot:
        """Return the state from which a member continues; valid only in a pause of the epoch."""
        progress, arrays = epoch.state(row)
        facts = {
            "epoch": epoch.number,
            "steps": self.stack.steps,
            "progress": progress,
            "stopping": self._stopping.state(row),
            "plateau": self._plateau.state(row),
        }
        return Snapshot(facts, {**self.stack.state(row), **arrays})

    def _train_on(self, stack: Stack) -> None:
        self.stack = stack
        self._steps = Steps(self._plan, stack, self._network, self._data["train"])

    def _epoch(self, number: int) -> Epoch:
        rates_TK = self._plateau.apply(self._plan.learning_rates(number, self.stack.members))
        return Epoch(self._plan, self._steps, self._data["train"], number, rates_TK)

    def _paused(self, epoch: Epoch) -> Iterator[Event]:
        """Yield the position of each member, and the state from which it continues."""
        for row, member in enumerate(self.stack.members):
            snapshot, weights = self.snapshot(row, epoch), self.stack.best_weights(row)
            yield Paused(int(member), epoch.number, self.stack.steps, snapshot, weights)

    def _started(self) -> Iterator[Event]:
        plan = self._plan
        facts = zip(plan.epochs.tolist(), plan.monitors, plan.larger_is_better.tolist(), strict=True)
        for member, (epochs, monitor, larger) in enumerate(facts):
            yield FitStarted(member, epochs, self._parameters, monitor, larger)

    def _end_epoch(self, epoch: Epoch) -> Iterator[Event]:
        """End an epoch: remove the members that diverged, then evaluate the others."""
        trained, rates_TK = epoch.result(), epoch.rates_TK
        if trained.divergence.has_K.any():
            sound = np.flatnonzero(~trained.divergence.has_K)
            yield from self._leave_diverged(epoch.number, rates_TK, trained.divergence)
            trained, rates_TK = trained.select(sound), rates_TK[:, sound]
        if len(self.stack.members):
            yield from self._judge(epoch.number, rates_TK[-1], trained)

    def _judge(self, epoch: int, rate_K: np.ndarray, trained: EpochResult) -> Iterator[Event]:
        """Validate the members, keep the best weights, and stop members whose patience has run out."""
        stack = self.stack
        valid = self._evaluator.values("valid", stack.evaluated_views)
        monitored_K = self._monitored(trained.values, valid)
        decision = self._stopping.observe(epoch, monitored_K)
        self._plateau.observe(monitored_K)
        stack.keep_best(decision.kept_K)
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
                kept=bool(decision.kept_K[k]),
                previous_best=float(decision.previous_best_K[k]),
                best=float(self._stopping.best[k]),
                wait=int(self._stopping.wait[k]),
            )
        yield from self._leave(decision.stop_K, epoch, "early_stopping")
        yield from self._leave(self._plan.epochs[self.stack.members] == epoch, epoch, "epochs")

    def _leave_diverged(
        self, epoch: int, rates_TK: np.ndarray, divergence: DivergenceTracker
    ) -> Iterator[Event]:
        """End the members that met a value that is not finite, with the best they had."""
        steps_K = (epoch - 1) * self._plan.steps_per_epoch + divergence.step_K + 1
        for k in np.flatnonzero(divergence.has_K):
            rate = float(rates_TK[divergence.step_K[k], k])
            member, quantity = int(self.stack.members[k]), str(divergence.quantity_K[k])
            layer = int(divergence.layer_K[k]) or None
            yield Diverged(member, epoch, int(steps_K[k]), quantity, layer, rate)
        yield from self._leave(divergence.has_K, epoch - 1, "non_finite", steps_K)

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
        views = ended.layout.views(ended.best_D)
        regularized = [key for key, slot in keyed_slots(ended.layout.layers).items() if slot.regularized]
        parts = {part: found for part in PARTS if (found := self._evaluator.in_full(part, views))}
        calibrations = {
            k: self._calibrate(views, k, list(parts))
            for k in np.flatnonzero(self._plan.calibrates[ended.members]).tolist()
        }
        for k, member in enumerate(ended.members):
            weights = ended.best_weights(k)
            calibration = calibrations.get(k, Calibration())
            untrained = self._plan.epochs[member] == 0
            yield FitEnded(
                member=int(member),
                status="diverged" if stopped_by == "non_finite" else "complete",
                stopped_by=stopped_by,
                best_epoch=int(best_epoch_K[k]) if best_epoch_K[k] or untrained else None,
                epochs=epochs,
                steps=int(ended_steps_K[k]),
                parameters=self._parameters,
                zero_weights=sum(int((weights[key] == 0).sum()) for key in regularized),
                **{
                    part: parts[part][k].values | calibration.values.get(part, {}) if part in parts else None
                    for part in PARTS
                },
                temperature=calibration.temperature,
                reliability=calibration.reliability,
                confusion={
                    part: matrix
                    for part in PARTS[1:]
                    if part in parts and (matrix := parts[part][k].confusion) is not None
                },
                weights=weights,
            )

    def _calibrate(self, views: Views, member: int, parts: Sequence[str]) -> Calibration:
        """Fit a member's temperature, and measure how honest its probabilities are."""
        logits = {part: self._evaluator.logits(part, views, member) for part in parts}
        if not all(np.isfinite(values).all() for values in logits.values()):
            return Calibration()
        return calibrate(logits, {part: self._evaluator.truth(part) for part in parts})

    def _monitored(self, train: list[dict[str, float]], valid: list[dict[str, float]] | None) -> np.ndarray:
        """The value that decides what is best, of each member."""
        values = []
        for k, member in enumerate(self.stack.members):
            monitor = self._plan.monitors[member]
            name = monitor.removeprefix("val_")
            values.append(valid[k][name] if valid is not None and name != monitor else train[k][name])
        return np.array(values)
