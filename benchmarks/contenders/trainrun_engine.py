"""trainrun's engine in this process, without the run directories that the command writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import Trained
from benchmarks.works import Work, config_file
from trainrun.config import load_config
from trainrun.data import load_data
from trainrun.engine.device import choose_device, choose_processors
from trainrun.engine.workers import Slice, train_parts
from trainrun.events import EpochEnded
from trainrun.plan import Cell, make_plan, part_plans


def load(work: Work, folder: Path) -> Cell:
    """The config and data of the first seed's run."""
    changes = [f"epochs={work.epochs}", f"device={work.device}"]
    config = load_config(config_file(work, folder), changes)
    return Cell(config, load_data(config.data, config.seed))


def train_together(work: Work, first: Cell, seeds: Sequence[int]) -> Trained:
    """Train one run for each seed, as one stack."""
    cells = [Cell(first.config.with_seed(seed), first.dataset) for seed in seeds]
    device = choose_device(work.device)
    processors = choose_processors(first.config.threads, make_plan(cells[:1]), len(cells), device)
    accuracies = [0.0] * len(seeds)
    parts = [[Slice(plan)] for plan in part_plans(cells, processors.parts)]
    for event in train_parts(parts, device=device, threads=processors.threads):
        if isinstance(event, EpochEnded):
            accuracies[event.member] = event.valid["accuracy"]
    return Trained(accuracies)
