"""A comparison as data: JSON for scripts, CSV for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainrun.comparing import Comparison, Pairing
from trainrun.comparing.ablation import Ablation
from trainrun.comparing.standings import Standing
from trainrun.jsonio import to_json_file
from trainrun.report.comparison.verdicts import verdict_sentence
from trainrun.report.tables import records_csv
from trainrun.statistics import Mean, mean_of


def as_json(comparison: Comparison) -> str:
    """All of it: configs, runs, differences, warnings."""
    return to_json_file(
        {
            "metric": comparison.criterion.metric,
            "part": comparison.criterion.part,
            "configs": [_config(comparison, one) for one in comparison.standings],
            "runs": [run for one in comparison.standings for run in _runs(one)],
            "differences": [as_difference(comparison, pair) for pair in comparison.pairings],
            "ensembles": [
                {"config": one.config, "seeds": one.seeds, **one.parts} for one in comparison.ensembles.values
            ],
            "ensemble_differences": [
                as_difference(comparison, pair) for pair in comparison.ensembles.pairings
            ],
            "ablations": [_ablation(ablation) for ablation in comparison.ablations],
            "scored_on_this_test_part": comparison.scored,
            "warnings": comparison.warnings,
        }
    ).decode()


def as_csv(comparison: Comparison) -> str:
    """A row for each config, seed, part and metric; what is said of all seeds stands in each of theirs."""
    return records_csv([row for one in comparison.standings for row in _rows(comparison, one)])


def _config(comparison: Comparison, one: Standing) -> dict[str, Any]:
    candidate = one.candidate
    return {
        "label": one.label,
        "name": candidate.config.name,
        "id8": candidate.id8,
        "directory": next(iter(candidate.directories.values())).absolute().parent,
        "changes": _changes(comparison, one),
        "n": len(one.complete),
        "diverged": one.diverged_share,
        "monitor": candidate.config.early_stopping.monitor,
        "metrics": {
            part: {name: _mean(one.mean(part, name)) for name in one.metrics(part)} for part in one.parts
        },
        "best_epoch": _mean(mean_of(one.counts("best_epoch"))),
        "epochs": _mean(mean_of(one.counts("epochs"))),
        "zero_weights": _mean(mean_of(one.counts("zero_weights"))),
        "seconds": _mean(mean_of(one.seconds)),
    }


def _changes(comparison: Comparison, one: Standing) -> dict[str, Any]:
    found = comparison.standings[0].candidate.changes(one.candidate)
    return {key: {"baseline": old, "config": new} for key, old, new in found}


def _mean(found: Mean) -> dict[str, Any] | None:
    return {"n": found.n, "mean": found.value, "interval": found.interval} if found.n else None


def _runs(one: Standing) -> Iterator[dict[str, Any]]:
    for seed, status in one.statuses.items():
        result = one.runs[seed].result or {}
        yield {
            "config": one.label,
            "seed": seed,
            "status": status,
            "epochs": result.get("epochs"),
            "metrics": {part: result.get(part) for part in ("valid", "test")},
        }


def as_difference(comparison: Comparison, pair: Pairing) -> dict[str, Any]:
    """A pairing as data, with its verdict in words."""
    return pair.to_json() | {"sentence": verdict_sentence(comparison, pair)}


def _ablation(ablation: Ablation) -> dict[str, Any]:
    parts = {key: part.label for key, part in ablation.parts.items()}
    return {"config": ablation.whole.label, "parts": parts}


def _rows(comparison: Comparison, one: Standing) -> Iterator[dict[str, Any]]:
    wanted = [(part, metric) for part in one.parts for metric in one.metrics(part)]
    for seed, status in one.statuses.items():
        result = one.runs[seed].result or {}
        row = {"config": one.label, "seed": seed, "status": status, "epochs": result.get("epochs")}
        for part, metric in wanted or [("", "")]:  # so that each run has a row, even where none is complete
            value = (result.get(part) or {}).get(metric)
            yield row | {
                "part": part,
                "metric": metric,
                "value": value,
                **_of_all(comparison, one, part, metric),
            }


def _of_all(comparison: Comparison, one: Standing, part: str, metric: str) -> dict[str, Any]:
    """The mean over a config's seeds, and how it compares with the baseline's."""
    if not part:
        return {}
    mean = one.mean(part, metric)
    low, high = mean.interval or (None, None)
    facts = {"n": mean.n, "mean": mean.value, "low": low, "high": high, "diverged": one.diverged_share}
    pair = comparison.pairing(one.label, metric, part)
    return facts | (_against(pair) if pair else {})


def _against(pair: Pairing) -> dict[str, Any]:
    found = pair.difference
    low, high = found.interval or (None, None)
    won, surely = (found.p_better.value, found.p_better.interval) if found.p_better else (None, (None, None))
    return {
        "baseline": pair.baseline,
        "pairs": found.n,
        "difference": found.mean,
        "difference_low": low,
        "difference_high": high,
        "improvement": found.improvement,
        "p": found.p,
        "p_better": won,
        "p_better_low": surely[0],
        "p_better_high": surely[1],
        "verdict": found.verdict,
        "smallest_difference": found.smallest_difference,
        "more_seeds": found.more_seeds,
    }
