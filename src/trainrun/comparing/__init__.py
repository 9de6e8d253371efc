"""Comparing: which recipe is better, by how much, how surely, over paired seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainrun.comparing.answers import Comparison, answer
from trainrun.comparing.candidates import CompareRequest
from trainrun.comparing.pairing import Pairing
from trainrun.fitting import Observer
from trainrun.runs.paths import default_runs

__all__ = ["CompareRequest", "Comparison", "Pairing", "answer", "compare"]


def compare(
    *configs: str | Path,
    vs: Sequence[str] = (),
    overrides: Sequence[str] = (),
    seeds: int | None = None,
    metric: str | None = None,
    runs: str | Path | None = None,
    fit: bool = True,
    ablate: bool = False,
) -> Comparison:
    """Fit what is missing, then compare configs with the first of them over paired seeds.

    Args:
        configs: config files or names of runs; the first is the baseline.
        vs: texts such as `dropout=0.3`: each adds the baseline with these changes; `dropout=0|0.3` adds one
            for each value, and several keys with `|` all combinations.
        overrides: texts `key=value` that override keys of every config.
        seeds: how many, from the baseline's own on, or of given runs the lowest; unless given, 10 of each
            config and all of given runs.
        metric: decides; the monitored one unless given.
        runs: the folder of runs; `$TRAINRUN_RUNS`, else `./runs`, unless given.
        fit: whether missing runs are trained.
        ablate: whether configs that differ in several keys are taken apart, key by key.

    Raises:
        TrainrunError: the first thing that went wrong, once all runs were carried as far as they go.
    """
    where = default_runs() if runs is None else Path(runs)
    request = CompareRequest(configs, vs, overrides, seeds, metric, where, fit, ablate)
    comparison = answer(request, Observer())
    if comparison.errors:
        raise comparison.errors[0]
    return comparison
