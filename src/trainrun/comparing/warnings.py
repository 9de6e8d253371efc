"""Warnings about a comparison, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainrun.comparing.ablation import Ablation
from trainrun.comparing.candidates import Candidate
from trainrun.comparing.criterion import Criterion
from trainrun.comparing.labels import MOST_NAMED, several
from trainrun.comparing.look_log import LookHistory
from trainrun.comparing.pairing import is_comparable
from trainrun.comparing.ranking import MOST_SIDE_BY_SIDE
from trainrun.comparing.standings import Standing
from trainrun.config import Config
from trainrun.ingredients.learning_rates import depends_on_total
from trainrun.optimism import lead_by_chance
from trainrun.runs.searches import origin_in_search
from trainrun.statistics import FEWEST_SEEDS
from trainrun.text import number, printable

_ORDINALS = ["second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_UNFINISHED = ("diverged", "missing", "interrupted", "failed")
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
        *_unfinished(standings),
        *_settings(shown),
        *_seeds(shown),
        *_part(criterion),
        *_decided(shown, criterion),
        *_grouped([pair for one in shown[1:] for pair in _unequal(shown[0], one)]),
        *_grouped([pair for one in standings for pair in _cut(one)]),
        *_devices(standings),
        *(line for ablation in ablations for line in _not_apart(ablation)),
        *_looks(standings, history),
    ]


def _unfinished(standings: Sequence[Standing]) -> Iterator[str]:
    found = {status: [one for one in standings if one.seeds(status)] for status in _UNFINISHED}
    for one in standings:
        for status in _UNFINISHED:
            if one in found[status] and len(found[status]) <= MOST_NAMED:
                yield f"{one.label}: {_runs_not_complete([one], status)}"
    for status, many in found.items():
        if len(many) > MOST_NAMED:
            yield f"{several([one.label for one in many])}: {_runs_not_complete(many, status)}"


def _runs_not_complete(standings: Sequence[Standing], status: str) -> str:
    count = sum(len(one.seeds(status)) for one in standings)
    which = f"{count} of {sum(len(one.statuses) for one in standings)} runs"
    if status == "missing":
        return f"{which} are missing"
    if status != "diverged":
        return f"{which} are not finished ({status})"
    ended = count + sum(len(one.complete) for one in standings)
    rest = "; the figures are of the others" if ended > count else ""
    return f"{which} diverged ({count / ended:.0%}){rest}"


def _settings(standings: Sequence[Standing]) -> Iterator[str]:
    """Yield the warnings of `fit` and `check`; a warning that all configs share is given once."""
    labels: dict[str, list[str]] = {}
    for one in standings:
        for sentence in one.setting_warnings:
            labels.setdefault(sentence, []).append(one.label)
    for sentence, warned in labels.items():
        yield sentence if len(warned) == len(standings) else f"{several(warned)}: {sentence}"


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


@dataclass(frozen=True)
class _Doubt:
    """Something that makes one config's comparison doubtful.

    Attributes:
        label: the config's.
        sentence: about this config alone.
        common: the same in words that fit several configs.
    """

    label: str
    sentence: str
    common: str


def _grouped(doubts: Sequence[_Doubt]) -> Iterator[str]:
    """Yield a sentence for each doubt; one for all configs together where many share it."""
    labels: dict[str, list[str]] = {}
    for one in doubts:
        labels.setdefault(one.common, []).append(one.label)
    for one in doubts:
        if len(labels[one.common]) <= MOST_NAMED:
            yield one.sentence
    for common, many in labels.items():
        if len(many) > MOST_NAMED:
            yield f"{several(many)}: {common}"


def _unequal(baseline: Standing, other: Standing) -> Iterator[_Doubt]:
    before, after = baseline.candidate, other.candidate
    pair = f"{baseline.label} and {other.label}"
    its = f"not those of {baseline.label}"
    if before.id8 == after.id8:
        same = f"the same recipe as {baseline.label}"
        yield _Doubt(other.label, f"{pair} are the same recipe, and so the same runs", same)
    for what, old, new in zip(
        ("epochs", "patience"), _budget(before.config), _budget(after.config), strict=True
    ):
        if old != new:
            sentence = f"unequal budgets: {pair} have {what} {old} and {new}"
            yield _Doubt(other.label, sentence, f"unequal budgets: other {what} than {baseline.label}")
    if "data.target" in (key for key, _, _ in before.changes(after)):
        sentence = f"different targets: {pair} do not predict the same"
        yield _Doubt(other.label, sentence, f"different targets: {its}")
    if rows := other_rows(before, after):
        sentence = f"{rows}: {pair} were not scored on the same rows"
        yield _Doubt(other.label, sentence, f"{rows}: the rows are {its}")


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


def _cut(one: Standing) -> Iterator[_Doubt]:
    schedule = one.candidate.config.schedule
    cut = sum(result["stopped_by"] == "early_stopping" for result in one.complete.values())
    if cut and depends_on_total(schedule.name, schedule.settings):
        which = f"the {schedule.name} schedule in {cut} of {len(one.complete)} runs"
        sentence = f"{one.label}: early stopping cut {which}, which is laid out over all epochs"
        common = f"early stopping cut the {schedule.name} schedule, which is laid out over all epochs"
        yield _Doubt(one.label, sentence, common)


def _devices(standings: Sequence[Standing]) -> Iterator[str]:
    runs = [one.runs[seed] for one in standings for seed in one.complete]
    kinds = sorted({run.device.partition(":")[0] for run in runs if run.device})
    if len(kinds) > 1:
        yield f"mixed devices ({printable(' and '.join(kinds))}): equal recipes differ a little between them"
    processors = sorted({run.processor for run in runs if run.processor and run.device == "cpu"})
    if len(processors) > 1:
        which = printable(" and ".join(processors[:MOST_NAMED]))
        yield f"mixed kinds of CPU ({which}): equal recipes differ a little between them"


def _not_apart(ablation: Ablation) -> Iterator[str]:
    for key in ablation.impossible:
        yield f"{ablation.whole.label}: {key} cannot be changed alone"


def _looks(standings: Sequence[Standing], history: LookHistory) -> Iterator[str]:
    labels: dict[str, list[str]] = {}
    for one in standings[1:]:
        if len(sizes := history.looks.get(one.candidate.id8, ())) > 1:
            labels.setdefault(look_sentence(sizes), []).append(one.label)
    for sentence, looked in labels.items():
        yield sentence if len(standings) == 2 else f"{several(looked)}: {sentence}"


def best_of_many(standings: Sequence[Standing], criterion: Criterion) -> Iterator[str]:
    """Yield a warning that the best of many configs looks better than it is, and by how much.

    Args:
        standings: of the candidates, the baseline first.
        criterion: the metric and the part that rank them.
    """
    shown = [one for one in standings if not one.candidate.only]
    part, metric = criterion.part, criterion.metric
    found = [one.values(part, metric) for one in shown[1:] if is_comparable(one, metric, criterion)]
    most = max(map(len, found), default=0)
    found = [
        values for values in found if values and 2 * len(values) >= most
    ]  # the noise of others is unknown
    if len(shown) <= MOST_SIDE_BY_SIDE or len(found) < 2:
        return
    seeds = [seed for seed in found[0] if all(seed in values for values in found)]
    looks = f"the best of {len(found)} configs looks better than it is"
    if len(seeds) < 2:
        yield f"{looks}: too few seeds are complete in all of them to say how much"
        return
    lead = lead_by_chance([[values[seed] for seed in seeds] for values in found], shown[0].overlap(part))
    if lead:
        still = f"the best would still show a lead of {number(lead)} in {part} {metric}"
        yield f"{looks}: were all equal, {still} (simulated)"


def from_searches(standings: Sequence[Standing], runs: Path) -> Iterator[str]:
    """Yield a warning for each candidate that a search in the folder of runs has tried."""
    doubts = []
    for one in standings:
        if one.candidate.only or not (origin := origin_in_search(runs, one.candidate.id8)):
            continue
        among = f"a search among {origin.candidates} candidates on these validation rows"
        among += f" ({printable(origin.name)})"
        sentence = f"{one.label}: comes from {among}: its validation values look better than they are"
        common = f"from {among}: their validation values look better than they are"
        doubts.append(_Doubt(one.label, sentence, common))
    yield from _grouped(doubts)


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
