"""The training of candidates: how far each has come, also across a kill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import numpy as np

from trainrun.config import Config
from trainrun.errors import CheckpointError
from trainrun.events import Diverged, EpochEnded, Event, FitEnded, FitStarted, Paused, Snapshot
from trainrun.plan import Cell
from trainrun.runs.history import History
from trainrun.searching.space import Point, Settings

Status = Literal["complete", "dropped", "diverged", "interrupted"]
_FORMAT = 1


@dataclass(frozen=True)
class Candidate:
    """Settings that a search tries.

    Attributes:
        number: among all candidates of the search, from 0.
        generation: in which it is tried, from 0.
        bracket: in which it is judged, from 0.
        point: in the space.
        settings: the values, by dotted key.
        config: the whole config.
        id8: of its runs.
    """

    number: int
    generation: int
    bracket: int
    point: Point
    settings: Settings
    config: Config
    id8: str


class Training:
    """The training of one candidate so far.

    Args:
        candidate: what is trained.
        cell: its config and data.
        metric: by which it is judged, on the validation rows.

    Attributes:
        candidate, cell, metric: as given.
        status: `interrupted` while it trains.
        epochs: that it has finished.
        steps: that it has done.
        value: the metric at the best epoch so far; None before there is one.
        curve: the value after each epoch in which it was judged.
        history: of its epochs, from which its files are written; None before it begins.
        ended: its last event, where it has trained to its end.
    """

    def __init__(self, candidate: Candidate, cell: Cell, metric: str) -> None:
        self.candidate, self.cell, self.metric = candidate, cell, metric
        self.reset()

    def reset(self) -> None:
        """Forget all training."""
        self.status: Status = "interrupted"
        self.epochs = self.steps = 0
        self.value: float | None = None
        self.curve: list[tuple[int, float | None]] = []
        self.history: History | None = None
        self.ended: FitEnded | None = None
        self._paused: tuple[Snapshot, Snapshot] | None = None  # of the engine, and the history until then

    @property
    def trains(self) -> bool:
        """Return whether it has neither ended nor been dropped."""
        return self.status == "interrupted"

    @property
    def snapshot(self) -> Snapshot | None:
        """The state from which it goes on; None where it begins."""
        return self._paused[0] if self._paused else None

    def take(self, event: Event) -> None:
        """Take an event in."""
        match event:
            case FitStarted():
                self.history = self.history or History(event)
            case EpochEnded():
                assert self.history, "FitStarted comes first"
                self.history.add(event)
                self.epochs, self.steps = event.epoch, event.step
                if event.kept:
                    value = (event.valid or {})[self.metric]
                    self.value = value if isfinite(value) else None  # as files have it
            case Paused():
                assert self.history, "FitStarted comes first"
                self.steps = event.step
                self._paused = (event.snapshot, self.history.to_snapshot())
            case Diverged():
                self.steps = event.step
            case FitEnded():
                self.status = "diverged" if event.status == "diverged" else "complete"
                self.ended, self._paused = event, None

    def judge(self, goes_on: bool) -> None:
        """Note that it was judged now, and drop it if it does not go on."""
        self.curve.append((self.epochs, self.value))
        if self.trains and not goes_on:
            self.status, self._paused, self.history = "dropped", None, None

    def state(self) -> Snapshot:
        """Return all that it takes to go on from the last pause."""
        arrays: dict[str, np.ndarray] = {}
        facts: dict[str, Any] = {"status": self.status, "curve": self.curve}
        if self._paused:
            engine, history = self._paused
            facts |= {"engine": engine.facts, "history": history.facts}
            arrays = {f"engine/{name}": array for name, array in engine.arrays.items()}
            arrays |= {f"history/{name}": array for name, array in history.arrays.items()}
        elif not self.trains:
            facts |= {"epochs": self.epochs, "steps": self.steps, "value": self.value}
        return Snapshot(facts, arrays)

    def restore(self, state: Snapshot) -> None:
        """Put back what `state` gave.

        Raises:
            ValueError, KeyError, TypeError: it did not give this.
        """
        facts = state.facts
        self.status = facts["status"]
        self.curve = [(int(epoch), value) for epoch, value in facts["curve"]]
        if "engine" not in facts:
            self.epochs, self.steps = int(facts.get("epochs", 0)), int(facts.get("steps", 0))
            self.value = facts.get("value")
            return
        engine, history = (
            Snapshot(facts[part], _below(f"{part}/", state.arrays)) for part in ("engine", "history")
        )
        past = History.from_snapshot(history)
        self.history = History(past.started)
        for epoch in past.epochs():
            self.take(epoch)
        self._paused, self.steps = (engine, history), int(engine.facts["steps"])


def bundle(generation: int, judged: int, trainings: Sequence[Training]) -> Snapshot:
    """Return one snapshot of a generation.

    Args:
        generation: its number.
        judged: how often its candidates were judged.
        trainings: of all its candidates.
    """
    states = {str(one.candidate.number): one.state() for one in trainings}
    arrays = {
        f"{number}/{name}": array for number, state in states.items() for name, array in state.arrays.items()
    }
    members = {number: state.facts for number, state in states.items()}
    facts = {"format": _FORMAT, "generation": generation, "judged": judged, "candidates": members}
    return Snapshot(facts, arrays)


def unbundle(snapshot: Snapshot, generation: int, trainings: Sequence[Training]) -> int | None:
    """Put back what `bundle` gave.

    Returns:
        How often the candidates were judged; None where the snapshot is of another generation.

    Raises:
        CheckpointError: it is not of these candidates.
    """
    try:
        if snapshot.facts["format"] != _FORMAT or snapshot.facts["generation"] != generation:
            return None
        for one in trainings:
            number = str(one.candidate.number)
            facts = snapshot.facts["candidates"][number]
            one.restore(Snapshot(facts, _below(f"{number}/", snapshot.arrays)))
        return int(snapshot.facts["judged"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError("the checkpoint of the search is of other candidates") from error


def _below(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
