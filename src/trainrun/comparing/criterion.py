"""Choice of the metric and the part that decide a comparison, also where losses cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainrun.comparing.candidates import Candidate
from trainrun.comparing.standings import Standing
from trainrun.config.messages.suggestions import unknown_name
from trainrun.errors import UsageError
from trainrun.ingredients import metrics
from trainrun.objective import reportable, reported_loss
from trainrun.text import printable

_INSTEAD = ("accuracy", "rmse")  # of a loss that cannot be compared


@dataclass(frozen=True)
class Criterion:
    """Metric and part of the data that decide a comparison.

    Attributes:
        metric: by its plain name.
        part: of the data: test, else valid, else train.
        other_losses: labels of the candidates whose loss is another function than the baseline's, with the
            reason.
        instead_of: the monitored metric, where not all report it and another one decides; else empty.
    """

    metric: str
    part: str
    other_losses: dict[str, str]
    instead_of: str = ""

    def parts(self) -> tuple[str, ...]:
        """The parts on which candidates are compared at all."""
        return ("train",) if self.part == "train" else ("valid", "test")


def choose_criterion(standings: Sequence[Standing], wanted: str | None) -> Criterion:
    """Choose the metric and part that decide between candidates.

    Args:
        standings: of the candidates, the baseline first; those that stand in for an ablation choose nothing.
        wanted: the metric that the user asked for, by its main name.

    Raises:
        UsageError: the runs do not report it.
    """
    complete = [one for one in standings if one.complete]
    scored = [one for one in complete if not one.candidate.only]
    part = next((part for part in ("test", "valid") if all(part in one.parts for one in scored)), "train")
    other_losses = {
        one.label: reason
        for one in complete[1:]
        if (reason := _why_another_loss(complete[0], one)) is not None
    }
    shared = [
        name for name in _first_metrics(scored, part) if all(name in one.metrics(part) for one in scored)
    ]
    monitored = standings[0].candidate.config.early_stopping.monitor.removeprefix("val_")
    metric = wanted or monitored
    if wanted and scored and metric not in shared:
        known = " and ".join(shared) or "no metric in common"
        raise UsageError(f"--metric: these runs report {known}, not {printable(wanted)}")
    comparable = not any(one.label in other_losses for one in scored)
    if not scored or (metric in shared and (metric != "loss" or comparable)):
        return Criterion(metric, part, other_losses)
    instead = "loss" if comparable else _instead(shared, metric)
    return Criterion(instead, part, other_losses, instead_of=metric if metric not in shared else "")


def require_reported(candidates: Sequence[Candidate], wanted: str) -> None:
    """Check that runs which are still to be trained can report a metric.

    Raises:
        UsageError: the runs of a candidate would not report the metric.
    """
    for one in candidates:
        names = reportable(one.config)
        if not one.saved and wanted != "loss" and wanted not in names:
            known = ", ".join(["loss", *names])
            raise UsageError(
                f"--metric: {one.label} may report {known}, not {wanted}; its key metrics says which"
            )


def known_metric(name: str) -> str:
    """Return the main name of a metric, or of the loss.

    Raises:
        UsageError: no metric has that name.
    """
    if name != "loss" and metrics.canonical(name) not in metrics:
        raise UsageError(f"--metric: {unknown_name(metrics, name, ['loss'])}")
    return metrics.canonical(name)


def larger_is_better(metric: str) -> bool:
    """A metric's direction; a loss is to be small."""
    return metric != "loss" and bool(metrics[metric].traits["larger_is_better"])


def _first_metrics(scored: Sequence[Standing], part: str) -> list[str]:
    return scored[0].metrics(part) if scored else []


def _instead(shared: Sequence[str], metric: str) -> str:
    others = [name for name in shared if name != "loss"]
    return next((name for name in (*_INSTEAD, *others) if name in others), metric)


def _why_another_loss(baseline: Standing, other: Standing) -> str | None:
    """Return why the losses of two candidates are different functions; None if they are the same."""
    seed = next((seed for seed in baseline.complete if seed in other.complete), None)
    if seed is None:
        return None
    if "data.target" in (key for key, _, _ in baseline.candidate.changes(other.candidate)):
        return f"{other.label} predicts another target"
    mine, its = baseline.target(seed), other.target(seed)
    if not (mine and its):
        return None
    if mine["task"] != its["task"]:
        return f"{other.label} is about {its['task']}"
    before = reported_loss(baseline.candidate.config, mine["task"])
    after = reported_loss(other.candidate.config, its["task"])
    if before != after:
        same_name = before.name == after.name
        return f"{other.label} has {'other settings of ' if same_name else ''}{after.name}, not {before.name}"
    return None if mine == its else f"{other.label} has its target in another scale"
