"""Small data and plans for tests of the engine, made through the real config."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import yaml

from trainrun.config import Config, load_config
from trainrun.data import Dataset, Part, Preprocessing, Target
from trainrun.data.columns.vocabulary import Vocabulary
from trainrun.data.preprocessing.categorical import Category
from trainrun.data.preprocessing.numeric import Numbers
from trainrun.data.preprocessing.scaling import Scaler
from trainrun.engine.layers import Dense, make_layers
from trainrun.engine.process import prepare_process
from trainrun.engine.training import Pauses, train
from trainrun.events import EpochEnded, Event, FitEnded, FitStarted, Paused, Snapshot
from trainrun.plan import Cell, Plan, make_plan

CPU = torch.device("cpu")
prepare_process()  # before the first product, or bits would depend on the test that comes first


def config(**keys: object) -> Config:
    """A config with the given keys, read from a file as any other."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.yaml"
        path.write_text(yaml.safe_dump({"data": "digits"} | keys))
        return load_config(path)


def blobs(rows: int = 60, features: int = 5, classes: int = 3, seed: int = 0) -> Dataset:
    """Classes around random centres; a fifth of the rows each for validation and test."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    x = (rng.normal(size=(classes, features))[y] + rng.normal(size=(rows, features))).astype(np.float32)
    parts = _parts(x, y.astype(np.int64))
    labels = Vocabulary("text", tuple(str(c) for c in range(classes)))
    return _dataset(parts, Target("y", "classification", labels))


def mixed(rows: int = 60, seed: int = 0) -> Dataset:
    """Blobs with two columns of codes; a column's unknown code, 0, is in a tenth of its rows."""
    plain, rng = blobs(rows, seed=seed), np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, size, rows) for size in (4, 10)], 1).astype(np.float32)
    parts, start = {}, 0
    for name in ("test", "valid", "train"):
        part = getattr(plain, name)
        these = codes[start : start + len(part.y)]
        parts[name] = Part(np.ascontiguousarray(np.concatenate([part.x, these], 1)), part.y)
        start += len(part.y)
    words = [Vocabulary("text", tuple("abcdefghi"[: size - 1])) for size in (4, 10)]
    columns = tuple(Category(f"c{k}", of, None, is_coded=True) for k, of in enumerate(words))
    return _dataset(parts, plain.preprocessing.target, columns)


def line(rows: int = 60, features: int = 5, seed: int = 0) -> Dataset:
    """A noisy linear target, standardised, whose own units are 10 + 3 times that."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, features)).astype(np.float32)
    y = (x.sum(axis=1) / features**0.5 + 0.1 * rng.normal(size=rows)).astype(np.float32)
    return _dataset(_parts(x, y), Target("y", "regression", center=10.0, scale=3.0))


def plan(dataset: Dataset, configs: list[Config]) -> Plan:
    """The plan of one stack."""
    return make_plan([Cell(c, dataset) for c in configs])


def start_weights(made: Plan, member: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """A member's initial weight [inputs, outputs] and bias [outputs] of each dense layer, float64."""
    dense = [layer for layer in make_layers(made.net) if isinstance(layer, Dense)]
    starts = [[slot.start(made.starts[member]) for slot in layer.slots] for layer in dense]
    return [(weight.T, bias) for weight, bias in starts]


def run(
    dataset: Dataset, *configs: Config, dtype: torch.dtype = torch.float32, threads: int = 1
) -> list[list[Event]]:
    """Train configs in one stack; the events of each member."""
    events: list[list[Event]] = [[] for _ in configs]
    for event in train(plan(dataset, list(configs)), device=CPU, dtype=dtype, threads=threads):
        events[event.member].append(event)
    return events


class After:
    """A policy that stops a fit after so many steps."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0


def stop_and_go(dataset: Dataset, members: Sequence[Config], stops: Sequence[int]) -> list[list[Event]]:
    """The members' events where the stack is stopped after so many steps, continued, and so on."""
    told: list[list[Event]] = [[] for _ in members]
    places, snapshots = list(range(len(members))), list[Snapshot]()
    for steps in (*stops, 10**9):
        paused: dict[int, Snapshot] = {}
        stream = train(
            plan(dataset, [members[place] for place in places]),
            device=CPU,
            pauses=Pauses(After(steps)),
            snapshots=snapshots,
        )
        for event in stream:
            if isinstance(event, Paused):
                paused[places[event.member]] = event.snapshot
            elif not (isinstance(event, FitStarted) and told[places[event.member]]):
                told[places[event.member]].append(event)
        places, snapshots = list(paused), list(paused.values())
        if not places:
            break
    return told


def epochs(events: list[Event]) -> list[EpochEnded]:
    return [event for event in events if isinstance(event, EpochEnded)]


def ended(events: list[Event]) -> FitEnded:
    (end,) = [event for event in events if isinstance(event, FitEnded)]
    return end


def fingerprint(events: list[Event]) -> list[object]:
    """All that a member's events say, bit for bit, but its place in the stack."""
    end = ended(events)
    told = [repr({k: v for k, v in vars(e).items() if k not in ("member", "weights")}) for e in events]
    return [*told, *((key, value.tobytes()) for key, value in end.weights.items())]


def _parts(x: np.ndarray, y: np.ndarray) -> dict[str, Part]:
    fifth = len(y) // 5
    cuts = {"test": slice(0, fifth), "valid": slice(fifth, 2 * fifth), "train": slice(2 * fifth, None)}
    return {name: Part(np.ascontiguousarray(x[cut]), y[cut]) for name, cut in cuts.items()}


def _dataset(parts: dict[str, Part], target: Target, categories: tuple[Category, ...] = ()) -> Dataset:
    """Parts with no more preprocessing than the engine asks for: the columns, and what is predicted."""
    width = parts["train"].x.shape[1] - len(categories)
    names = tuple(f"x{place}" for place in range(width))
    numbers = Numbers(names, np.zeros(width), Scaler(np.zeros(width), np.ones(width)))
    nothing = {"header": (), "headed": True, "features": (), "na": (), "delimiter": "auto", "missing": "auto"}
    preprocessing = Preprocessing(**nothing, numbers=numbers, categories=categories, target=target)
    return Dataset(**parts, preprocessing=preprocessing, notes=())
