"""Warnings about a comparison, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from trainrun.comparing.ablation import Ablation
from trainrun.comparing.candidates import Candidate
from trainrun.comparing.criterion import Criterion
from trainrun.comparing.look_log import LookHistory
from trainrun.comparing.standings import Standing
from trainrun.config import Config
from trainrun.ingredients.learning_rates import depends_on_total
from trainrun.runs.searches import origin_in_search
from trainrun.statistics import FEWEST_SEEDS
from trainrun.text import printable

_ORDINALS = ["second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_ROWS = ("data.split", "data.missing", "data.na", "data.task")  # keys that decide which rows a part holds


def cautions(
    standings: Sequence[Standing], criterion: Criterion, ablations: Sequence[Ablation], history: LookHistory
) -> list[str]:
    """All warnings about a comparison.

    Args:
        standings: of the candidates, the baseline first.
        criterion: what decides.
        ablations: of candidates that were taken apart.
        history: earlier looks at the same runs.
    """
    shown = [one for one in standings if not one.candidate.only]
    return [
        *(line for one in standings for line in _unfinished(one)),
        *_settings(shown),
        *_seeds(shown),
        *_part(criterion),
        *_decided(shown, criterion),
        *(line for one in shown[1:] for line in _unequal(shown[0], one)),
        *(line for one in standings for line in _cut(one)),
        *_devices(standings),
        *(line for ablation in ablations for line in _not_apart(ablation)),
        *_looks(standings, history),
    ]


def _unfinished(one: Standing) -> Iterator[str]:
    total = len(one.statuses)
    if diverged := len(one.seeds("diverged")):
        rest = "; the figures are of the others" if one.complete else ""
        yield f"{one.label}: {diverged} of {total} runs diverged ({one.diverged_share:.0%}){rest}"
    for status in ("missing", "interrupted", "failed"):
        if found := one.seeds(status):
            verb = "are missing" if status == "missing" else f"are not finished ({status})"
            yield f"{one.label}: {len(found)} of {total} runs {verb}"


def _settings(standings: Sequence[Standing]) -> Iterator[str]:
    """Yield the warnings of `fit` and `check`; a warning that all configs share is given once."""
    labels: dict[str, list[str]] = {}
    for one in standings:
        for sentence in one.setting_warnings:
            labels.setdefault(sentence, []).append(one.label)
    for sentence, warned in labels.items():
        yield sentence if len(warned) == len(standings) else f"{', '.join(warned)}: {sentence}"


def _seeds(standings: Sequence[Standing]) -> Iterator[str]:
    counts = [len(set(standings[0].complete) & set(one.complete)) for one in standings]
    if 0 < min(counts) < (FEWEST_SEEDS if len(standings) > 1 else 2):
        few = "one seed says" if min(counts) == 1 else f"{min(counts)} seeds say"
        yield f"{few} next to nothing: a verdict takes at least {FEWEST_SEEDS}, such as --seeds 10"
    if len({frozenset(one.statuses) for one in standings}) > 1:
        yield "the configs do not have the same seeds: differences use those that both have"


def _part(criterion: Criterion) -> Iterator[str]:
    if criterion.part != "test":
        which = "validation" if criterion.part == "valid" else "training"
        yield f"no test part: decided on the {which} part, on which the best epochs were chosen"


def _decided(standings: Sequence[Standing], criterion: Criterion) -> Iterator[str]:
    for one in standings:
        if one.label in criterion.other_losses:
            yield f"the losses are not compared: {criterion.other_losses[one.label]}"
    if criterion.instead_of:
        yield f"{criterion.instead_of} is not reported by all: {criterion.metric} decides"


def _unequal(baseline: Standing, other: Standing) -> Iterator[str]:
    before, after = baseline.candidate, other.candidate
    pair = f"{baseline.label} and {other.label}"
    if before.id8 == after.id8:
        yield f"{pair} are the same recipe, and so the same runs"
    for what, old, new in zip(
        ("epochs", "patience"), _budget(before.config), _budget(after.config), strict=True
    ):
        if old != new:
            yield f"unequal budgets: {pair} have {what} {old} and {new}"
    if "data.target" in (key for key, _, _ in before.changes(after)):
        yield f"different targets: {pair} do not predict the same"
    if rows := other_rows(before, after):
        yield f"{rows}: {pair} were not scored on the same rows"


def other_rows(before: Candidate, after: Candidate) -> str | None:
    """Return what makes the rows of two candidates differ; None if the rows are the same."""
    if None not in (before.digests, after.digests) and before.digests != after.digests:
        return "different data"
    if any(key.startswith(_deciding_rows(before, after)) for key, _, _ in before.changes(after)):
        return "different splits"
    return None


def _deciding_rows(*pair: Candidate) -> tuple[str, ...]:
    """The keys that decide which rows a part has."""
    dropped = any(one.config.data.missing == "drop" for one in pair)  # a row goes by its columns' cells
    return (*_ROWS, "data.drop") if dropped else _ROWS


def _budget(config: Config) -> tuple[str, str]:
    patience = config.early_stopping.patience
    return str(config.epochs), "none" if patience is None else str(patience)


def _cut(one: Standing) -> Iterator[str]:
    schedule = one.candidate.config.schedule
    cut = sum(result["stopped_by"] == "early_stopping" for result in one.complete.values())
    if cut and depends_on_total(schedule.name, schedule.settings):
        which = f"the {schedule.name} schedule in {cut} of {len(one.complete)} runs"
        yield f"{one.label}: early stopping cut {which}, which is laid out over all epochs"


def _devices(standings: Sequence[Standing]) -> Iterator[str]:
    devices = {one.runs[seed].device for one in standings for seed in one.complete}
    kinds = sorted({device.partition(":")[0] for device in devices if device})
    if len(kinds) > 1:
        yield f"mixed devices ({printable(' and '.join(kinds))}): equal recipes differ a little between them"


def _not_apart(ablation: Ablation) -> Iterator[str]:
    for key in ablation.impossible:
        yield f"{ablation.whole.label}: {key} cannot be changed alone"


def _looks(standings: Sequence[Standing], history: LookHistory) -> Iterator[str]:
    labels: dict[str, list[str]] = {}
    for one in standings[1:]:
        if len(sizes := history.looks.get(one.candidate.id8, ())) > 1:
            labels.setdefault(look_sentence(sizes), []).append(one.label)
    for sentence, looked in labels.items():
        yield sentence if len(standings) == 2 else f"{', '.join(looked)}: {sentence}"


def from_searches(standings: Sequence[Standing], runs: Path) -> Iterator[str]:
    """Yield a warning for each candidate that a search in the folder of runs has tried."""
    for one in standings:
        if one.candidate.only or not (origin := origin_in_search(runs, one.candidate.id8)):
            continue
        yield (
            f"{one.label}: comes from a search among {origin.candidates} candidates on these validation rows"
            f" ({printable(origin.name)}): its validation values look better than they are"
        )


def look_sentence(sizes: Sequence[int]) -> str:
    """Return a warning that a comparison was looked at several times, after these numbers of seeds.

    >>> look_sentence([10, 20, 30])
    'compared for the third time (after 10, 20, 30 seeds): the interval does not allow for repeated looks'
    """
    place = len(sizes) - 2
    ordinal = _ORDINALS[place] if place < len(_ORDINALS) else f"{len(sizes)}th"
    seeds = ", ".join(map(str, sizes))
    what = "the interval does not allow for repeated looks"
    return f"compared for the {ordinal} time (after {seeds} seeds): {what}"
