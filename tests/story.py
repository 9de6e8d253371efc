"""A small training told in events, for tests of what watches one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from trainrun.config import Config, load_config
from trainrun.events import Diverged, EpochEnded, Event, FitEnded, FitStarted
from trainrun.notes import Note
from trainrun.runs.paths import RunPaths
from trainrun.runs.saving import finish
from trainrun.runs.writing import RunWriter

LOSSES = [0.9, 0.4, 0.5]
FILLED = Note("filled", "data: filled 3 missing values: a\x1b]0;x\n 3", "a\x1b]0;x\n", 3)
QUIET = Note("converted", "column 'b': text, 3 categories", "b", 3, loud=False)


def make_config(folder: Path, text: str = "data: digits\n", name: str = "net") -> Config:
    """A config, from a file of that name."""
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return load_config(path)


def epoch(number: int, losses: list[float], member: int = 0) -> EpochEnded:
    """The end of an epoch whose validation losses up to now are `losses`."""
    before = min(losses[:-1], default=float("inf"))
    return EpochEnded(
        member=member,
        epoch=number,
        step=36 * number,
        learning_rate=0.001,
        train={"loss": losses[-1] / 2, "accuracy": 0.5},
        penalty=0.25,
        valid={"loss": losses[-1], "accuracy": 0.75},
        monitored=losses[-1],
        improved=losses[-1] < before,
        kept=losses[-1] < before,
        previous_best=before,
        best=min(losses),
        wait=len(losses) - 1 - losses.index(min(losses)),
    )


def story(member: int = 0, losses: list[float] = LOSSES, diverged: bool = False) -> Iterator[Event]:
    """Start, epochs, end."""
    yield FitStarted(member=member, epochs=9, parameters=6, monitor="val_loss", larger_is_better=False)
    for number in range(1, len(losses) + 1):
        yield epoch(number, losses[:number], member)
    if diverged:
        yield Diverged(
            member=member, epoch=len(losses) + 1, step=120, quantity="loss", layer=None, learning_rate=0.001
        )
    yield ended(member, losses, diverged)


def ended(member: int, losses: list[float], diverged: bool = False) -> FitEnded:
    """The end of a training with these validation losses."""
    return FitEnded(
        member=member,
        status="diverged" if diverged else "complete",
        stopped_by="non_finite" if diverged else "early_stopping",
        best_epoch=1 + losses.index(min(losses)),
        epochs=len(losses),
        steps=36 * len(losses),
        parameters=6,
        zero_weights=2,
        train={"loss": 0.25, "accuracy": 0.75},
        valid={"loss": min(losses), "accuracy": 0.5},
        test={"loss": 0.625, "accuracy": 0.875},
        confusion={"test": np.array([[3, 1], [0, 4]])},
        weights={"0.weight": np.ones((2, 2), np.float32).T, "0.bias": np.zeros(2, np.float32)},
    )


def take(writer: RunWriter, event: Event) -> None:
    """Hand a run its event; once it has ended, complete it."""
    writer.handle(event)
    if isinstance(event, FitEnded):
        finish({writer: event})


def make_writers(
    folder: Path, members: int, notes: Sequence[str] = (), data_notes: Sequence[Note] = ()
) -> list[RunWriter]:
    config = make_config(folder)
    places = [RunPaths(folder / "net-0123abcd" / f"seed-{k}") for k in range(members)]
    writers = [RunWriter(place, config.with_seed(k), notes, data_notes) for k, place in enumerate(places)]
    for writer in writers:
        writer.begin({}, device="cpu", threads=1)
    return writers


def side_by_side(members: int, diverged: Sequence[int] = ()) -> list[Event]:
    """The events of members that train together; member k has k more on its losses."""
    stories = [list(story(k, [0.9 + k, 0.4 + k, 0.5 + k], diverged=k in diverged)) for k in range(members)]
    together = [event for events in zip(*(events[:4] for events in stories), strict=True) for event in events]
    return together + [event for events in stories for event in events[4:]]
