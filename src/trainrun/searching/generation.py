"""A generation: candidates trained side by side, of which the worse ones leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from trainrun.errors import CheckpointError, RunBusyError, as_out_of_memory
from trainrun.events import EpochEnded, Paused
from trainrun.fitting.jobs import Job
from trainrun.fitting.landing import FinishedRun, land
from trainrun.runs.checkpoint import load_checkpoint, save_checkpoints
from trainrun.runs.paths import WorkPaths, group_directory, seed_directory
from trainrun.searching.halving import survivors
from trainrun.searching.slices import spread
from trainrun.searching.trainings import Training, bundle, unbundle

if TYPE_CHECKING:
    import torch

    from trainrun.engine.device import Processors
    from trainrun.machines import Front

#: Called after an epoch with the epoch to whose end the candidates train.
Progress = Callable[[int], None]


@dataclass
class Generation:
    """Candidates that are judged against each other.

    Attributes:
        number: from 0.
        trainings: of its candidates, in their order.
        judged_after: the epochs after which they are judged.
        larger_is_better: the direction of their values.
        paths: of the search, or of a task of it.
        runs: the folder of runs, in which those that end are written.
        stopped: whether to stop.
        save_seconds: from one checkpoint to the next.
        progress: is told of every epoch.
        front: trains on other machines; None trains here.
        busy: errors about runs that another process trains.
    """

    number: int
    trainings: Sequence[Training]
    judged_after: Sequence[int]
    larger_is_better: bool
    paths: WorkPaths
    runs: Path
    stopped: Callable[[], bool]
    save_seconds: float
    progress: Progress
    front: Front | None = None
    busy: list[RunBusyError] = field(default_factory=list)
    _judged: int = 0
    _saved: float = field(default_factory=monotonic)

    def restore(self) -> str | None:
        """Go on from the checkpoint, if there is one of this generation.

        Returns:
            A sentence where checkpoints are there, but none is valid: the generation then starts over.
        """
        try:
            loaded = load_checkpoint(self.paths)
            judged = loaded and unbundle(loaded.snapshot, self.number, self.trainings)
        except CheckpointError:
            for one in self.trainings:
                one.reset()
            return "no checkpoint of this search is valid: its last generation starts over"
        self._judged = judged or 0
        return loaded.warning if loaded else None

    def train(self) -> bool:
        """Train all candidates until they have ended or are dropped; return False if asked to stop."""
        longest = max((one.cell.config.epochs for one in self.trainings), default=0)
        for judged, until in enumerate([*self.judged_after, longest]):
            if judged < self._judged:
                continue
            going = self._going(until)
            train = self._train_elsewhere if self.front else self._train_to
            if going and not train(until, going):
                return False
            if until < longest:
                self._judge(judged)
        return True

    def train_slice(self, until: int) -> bool:
        """Train all candidates to the end of an epoch and keep their state; return False if asked to stop."""
        going = self._going(until)
        if going and not self._train_to(until, going):
            return False
        self._keep()
        return True

    def _going(self, until: int) -> list[Training]:
        return [one for one in self.trainings if one.trains and one.epochs < until]

    def _train_elsewhere(self, until: int, going: Sequence[Training]) -> bool:
        """Train candidates on other machines; return False if asked to stop before."""
        from trainrun.searching.elsewhere import Rung, train_elsewhere

        assert self.front
        rung = Rung(
            name=self.paths.directory.name,
            generation=self.number,
            until=until,
            metric=going[0].metric,
            larger_is_better=self.larger_is_better,
            runs=self.runs,
            save_seconds=self.save_seconds,
        )
        is_whole = train_elsewhere(rung, going, self.front, self.stopped, self.progress)
        self._keep()
        return is_whole

    def _train_to(self, until: int, going: Sequence[Training]) -> bool:
        """Train candidates to the end of an epoch; return False if asked to stop before."""
        from trainrun.engine.device import choose_device
        from trainrun.engine.training import Pauses
        from trainrun.engine.workers import train_parts

        device = choose_device(going[0].cell.config.device)
        parts, order, processors = spread(going, until, device)
        pauses = Pauses(self.stopped, self.save_seconds, until)
        ended: list[Training] = []
        try:
            for event in train_parts(parts, device=device, threads=processors.threads, pauses=pauses):
                one = order[event.member]
                one.take(event)
                if isinstance(event, EpochEnded):
                    self.progress(until)
                if not one.trains:
                    ended.append(one)
                if not isinstance(event, Paused) and monotonic() - self._saved >= self.save_seconds:
                    ended = self._save(ended, device, processors)
        except (MemoryError, RuntimeError) as error:
            raise as_out_of_memory(error, f"training {len(going)} candidates together") from error
        if self.stopped():
            self._save(ended, device, processors)
            return not any(one.trains and one.epochs < until for one in going)
        self._land(ended, device, processors)
        return True

    def _judge(self, judged: int) -> None:
        """Drop the worse candidates of each bracket that is judged at this time."""
        self._judged = judged + 1
        brackets: dict[int, list[Training]] = {}
        for one in self.trainings:
            if one.status != "dropped" and one.candidate.bracket <= judged:
                brackets.setdefault(one.candidate.bracket, []).append(one)
        for members in brackets.values():
            values = [_comparable(one) for one in members]
            best = survivors(values, larger_is_better=self.larger_is_better)
            for place, one in enumerate(members):
                one.judge(place in best)

    def _save(
        self, ended: Sequence[Training], device: torch.device, processors: Processors
    ) -> list[Training]:
        """Keep the state of all candidates; those that have ended are written first."""
        self._land(ended, device, processors)
        self._keep()
        return []

    def _keep(self) -> None:
        save_checkpoints({self.paths: bundle(self.number, self._judged, self.trainings)})
        self._saved = monotonic()

    def _land(self, ended: Sequence[Training], device: torch.device, processors: Processors) -> None:
        """Write the runs of candidates that are complete."""
        finished = []
        for one in ended:
            if one.status == "complete" and one.history and one.ended:
                config = one.cell.config
                group = group_directory(self.runs, config.name, one.candidate.id8)
                job = Job(config, one.candidate.id8, seed_directory(group, config.seed))
                run = FinishedRun(job, one.cell, one.history, one.ended, str(device), processors.threads)
                finished.append(run)
            one.history = one.ended = None
        if finished:
            self.busy += land(finished)


def _comparable(one: Training) -> float | None:
    """A candidate's value; None where it has diverged or has none."""
    return None if one.status == "diverged" else one.value
