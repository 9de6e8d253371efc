"""Checking a config before its first step: does it fit its data, can its net learn, what will it cost?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainrun.checking.costs import memory, seconds_per_epoch
from trainrun.checking.findings import Finding, judge, judge_data, recipe, remarks, two_to
from trainrun.checking.measures import Layer, Measures, measure
from trainrun.checking.remedies import advise
from trainrun.config import Config, load_config
from trainrun.data import load_dataset
from trainrun.engine.device import choose_device
from trainrun.engine.probe import Probe, guessing, look
from trainrun.errors import DIVERGED, TrainrunError, as_out_of_memory
from trainrun.notes import Note
from trainrun.plan import Cell, Plan, make_plan
from trainrun.warnings import warnings

if TYPE_CHECKING:
    import torch

__all__ = ["Check", "Finding", "Layer", "Measures", "Unchecked", "check", "check_all", "recipe", "two_to"]


@dataclass(frozen=True)
class Check:
    """Results of the check of a config.

    Attributes:
        config: the config.
        device: on which its net was built.
        columns: of the input, in front of embeddings.
        widths: inputs behind the embeddings, hidden widths, outputs.
        rows: of the training part.
        classes: of the target; 0 where numbers are predicted.
        probe: the net at its start, as arrays.
        measures: the same in figures.
        findings: what is wrong with the net, the cause first.
        advice: what to try against it.
        data_findings: what is wrong with the data, each with what to do about it.
        warnings: sentences about the config, and about the net where nothing is wrong.
        notes: facts about the data.
        memory: bytes that a fit takes, beyond the program itself.
        seconds: that an epoch takes; None where there is nothing to train.
    """

    config: Config
    device: str
    columns: int
    widths: tuple[int, ...]
    rows: int
    classes: int
    probe: Probe
    measures: Measures
    findings: tuple[Finding, ...]
    advice: str | None
    data_findings: tuple[Finding, ...]
    warnings: tuple[str, ...]
    notes: tuple[Note, ...]
    memory: int
    seconds: float | None

    def exit_code(self, strict: bool) -> int:
        """Return 0, or the exit code of a diverged run if `strict` is set and problems were found."""
        return DIVERGED if strict and (self.findings or self.data_findings) else 0


@dataclass(frozen=True)
class Unchecked:
    """A config that could not be looked at.

    Attributes:
        config: as it was named.
        error: why.
    """

    config: str
    error: TrainrunError

    def exit_code(self, strict: bool) -> int:
        """The error's."""
        return self.error.exit_code


def check_all(configs: Sequence[str], overrides: Sequence[str]) -> Iterator[Check | Unchecked]:
    """Check config files one after the other, whatever becomes of each.

    Args:
        configs: the files.
        overrides: `key=value` texts that override keys of every one.
    """
    for path in configs:
        try:
            yield check(load_config(path, overrides))
        except TrainrunError as error:
            yield Unchecked(path, error)


def check(config: Config) -> Check:
    """Load the data, build the net, send a batch through it, and take its first steps; nothing is kept.

    Args:
        config: what to check, with its own seed.

    Raises:
        TrainrunError: it does not fit its data, or these cannot be read; or its device is not there.
    """
    dataset = load_dataset(config)
    plan = make_plan([Cell(config, dataset)])
    device = choose_device(config.device)
    try:
        return _look(config, plan, device)
    except (MemoryError, RuntimeError) as error:
        raise as_out_of_memory(error, f"checking {config.name}") from error


def _look(config: Config, plan: Plan, device: torch.device) -> Check:
    dataset = plan.dataset
    (probe,) = look(plan, device)
    measures = measure(probe, guessing(plan))
    findings = judge(config, measures)
    return Check(
        config=config,
        device=str(device),
        columns=plan.net.inputs,
        widths=plan.widths,
        rows=len(dataset.train.y),
        classes=len(dataset.target.classes),
        probe=probe,
        measures=measures,
        findings=tuple(findings),
        advice=advise(config, dataset, device, findings) if findings else None,
        data_findings=tuple(judge_data(dataset)),
        warnings=(*warnings(config, dataset), *([] if findings else remarks(measures))),
        notes=dataset.notes,
        memory=memory(plan),
        seconds=seconds_per_epoch(plan, device, config.threads),
    )
