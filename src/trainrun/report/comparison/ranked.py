"""Blocks of a comparison of many configs: tables with a row for each config, the best first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from trainrun.comparing import Comparison, Pairing
from trainrun.comparing.labels import (
    LONGEST_LABEL,
    MOST_NAMED,
    settings_label,
    settings_labels,
    several,
)
from trainrun.comparing.ranking import Ranked, in_order, rank
from trainrun.comparing.standings import Standing
from trainrun.report.comparison.block import Block
from trainrun.report.comparison.cells import (
    NOTHING,
    averaged_cell,
    difference_cells,
    result_cells,
    scored_cell,
    value_cell,
)
from trainrun.report.comparison.verdicts import verdict_sentence, why_not_compared
from trainrun.text import printable

_LEAD = ("rank", "config")
_VERDICTS = ("better", "worse", "withheld", "no difference shown", "too few seeds")


def ranked_blocks(comparison: Comparison, shown: Sequence[Standing]) -> Iterator[Block]:
    """Yield the blocks of many configs, up to the warnings.

    Args:
        comparison: what is shown.
        shown: its configs, the baseline first, without those that only explain others.
    """
    ranked = rank(shown, comparison.criterion)
    labels = row_labels(shown)
    yield _ranking(comparison, shown, ranked, labels)
    yield _other_metrics(comparison, ranked, labels)
    yield _ensembles(comparison, shown, labels)
    yield _single_changes(comparison)


def row_labels(shown: Sequence[Standing]) -> dict[str, str]:
    """Return what a row of a ranked table calls each config, by its label: the settings that differ.

    Settings that all others share are left out: a sentence below the table says them. A config with another
    name than the baseline has its name in front.

    Args:
        shown: the configs, the baseline first.
    """
    baseline, *others = shown
    changes = [_changed(baseline, one) for one in others]
    shared = _shared(changes)
    own = [{key: new for key, new in change.items() if key not in shared} for change in changes]
    named = dict(zip((one.label for one in others), settings_labels(own), strict=True))
    for one, settings in zip(others, own, strict=True):
        name = one.candidate.config.name
        if not settings:
            named[one.label] = one.label
        elif name != baseline.candidate.config.name:
            named[one.label] = printable(f"{name}: {settings_label(settings, longest=LONGEST_LABEL)}")
    used = Counter(named.values())
    unique = {label: text if used[text] == 1 else f"{text} ({label})" for label, text in named.items()}
    return {baseline.label: f"{baseline.label} (baseline)", **unique}


def best_sentences(comparison: Comparison, shown: Sequence[Standing]) -> list[tuple[str, str]]:
    """Return the verdict about the best of the configs beside the baseline, and that about the best ensemble.

    Args:
        comparison: what is shown.
        shown: its configs, the baseline first.
    """
    ranked = rank(shown, comparison.criterion)
    return [*_best(comparison, ranked), *_best_ensemble(comparison, _ranked_ensembles(comparison, shown))]


def _best(comparison: Comparison, ranked: Sequence[Ranked]) -> list[tuple[str, str]]:
    pairs = [comparison.decisive(one.standing.label) for one in ranked]
    return [(one.difference.verdict, verdict_sentence(comparison, one)) for one in pairs if one][:1]


def _best_ensemble(comparison: Comparison, ranked: Sequence[Ranked]) -> list[tuple[str, str]]:
    pairs = [_of_ensembles(comparison, one.standing.label) for one in ranked]
    return [(one.difference.verdict, verdict_sentence(comparison, one)) for one in pairs if one][:1]


def _of_ensembles(comparison: Comparison, label: str) -> Pairing | None:
    criterion = comparison.criterion
    return comparison.ensembles.pairing(label, criterion.metric, criterion.part)


def _ranked_ensembles(comparison: Comparison, shown: Sequence[Standing]) -> list[Ranked]:
    """The configs by the value of their ensembles on the part and by the metric that decide."""
    part, metric = comparison.criterion.part, comparison.criterion.metric
    scores = {one.config: (one.parts.get(part) or {}).get(metric) for one in comparison.ensembles.values}
    return in_order([(one, scores.get(one.label)) for one in shown], metric)


def ensemble_notes(comparison: Comparison, shown: Sequence[Standing]) -> list[tuple[str, str]]:
    """Return notes on the ensembles: what is missing, and which losses are calibrated.

    Args:
        comparison: what is shown.
        shown: its configs.
    """
    found = {one.config: one for one in comparison.ensembles.values}
    calibrated = [one.label for one in shown if one.label in found and _is_calibrated(one)]
    part = comparison.criterion.part
    has_loss = any("loss" in (one.parts.get(part) or {}) for one in found.values())
    notes = [("note", line) for line in comparison.ensembles.left_out]
    if calibrated and has_loss:
        which = "all configs" if len(calibrated) == len(shown) > MOST_NAMED else several(calibrated)
        notes.append(("note", f"Losses of {which} are calibrated here, as predictions are."))
    return notes


def _is_calibrated(one: Standing) -> bool:
    """Return whether runs have a temperature: numbers have none, whatever their config says."""
    return any(result.get("temperature") is not None for result in one.complete.values())


def _ranking(
    comparison: Comparison, shown: Sequence[Standing], ranked: Sequence[Ranked], labels: Mapping[str, str]
) -> Block:
    part, metric = comparison.criterion.part, comparison.criterion.metric
    is_whole = all(len(one.complete) == len(one.statuses) for one in shown)
    rows = []
    for place in ranked:
        one = place.standing
        against = _against(comparison.decisive(one.label), is_baseline=one is shown[0])
        runs = [] if is_whole else [f"{len(one.complete)}/{len(one.statuses)}"]
        rows.append(
            [
                *_lead(place.rank, labels[one.label]),
                scored_cell(one, part, metric, compact=True),
                *against,
                *runs,
            ]
        )
    headings = [*_LEAD, f"{part} {metric}", "minus baseline", "p", "verdict", *([] if is_whole else ["runs"])]
    sentences = [
        *_best(comparison, ranked),
        *_unpaired(comparison, shown),
        ("note", _count(comparison, shown)),
        *_settings_notes(shown),
    ]
    title = f"Ranked by {part} {metric} (mean ± 95% interval)"
    return Block(title, headings, rows, lead=2, folding=1, sentences=sentences)


def _other_metrics(comparison: Comparison, ranked: Sequence[Ranked], labels: Mapping[str, str]) -> Block:
    decisive = f"{comparison.criterion.part} {comparison.criterion.metric}"
    standings = [place.standing for place in ranked]
    cells = result_cells(comparison, standings)
    columns = {what: [tell(one) for one in standings] for what, tell in cells.items() if what != decisive}
    columns = {what: column for what, column in columns.items() if any(column)}
    rows = [
        [*_lead(place.rank, labels[place.standing.label]), *(column[row] for column in columns.values())]
        for row, place in enumerate(ranked)
    ]
    title = "Other figures, in the same order" if columns else ""
    return Block(title, [*_LEAD, *columns], rows if columns else [], lead=2, folding=1)


def _ensembles(comparison: Comparison, shown: Sequence[Standing], labels: Mapping[str, str]) -> Block:
    """The averages of seeds, ranked by themselves."""
    part, metric = comparison.criterion.part, comparison.criterion.metric
    found = {one.config: one for one in comparison.ensembles.values}
    others = dict.fromkeys(
        name for one in found.values() for name in one.parts.get(part) or {} if name != metric
    )
    ranked = _ranked_ensembles(comparison, shown)
    rows = []
    for place in ranked:
        one = place.standing
        mine, *rest = (averaged_cell(found.get(one.label), one, part, name) for name in (metric, *others))
        against = _against(_of_ensembles(comparison, one.label), is_baseline=one is shown[0])
        rows.append([*_lead(place.rank, labels[one.label]), mine, *against, *rest])
    headings = [*_LEAD, f"{part} {metric}", "minus baseline", "p", "verdict"]
    headings += [f"{part} {name}" for name in others]
    notes = ensemble_notes(comparison, shown)
    if all(place.rank is None for place in ranked):
        return Block("", sentences=notes)
    sentences = [*_best_ensemble(comparison, ranked), *notes]
    title = "Ensembles of all seeds (in brackets the mean of its seeds)"
    return Block(title, headings, rows, lead=2, folding=1, sentences=sentences)


def _single_changes(comparison: Comparison) -> Block:
    """What each change of the configs that were taken apart brings alone, each change once."""
    baseline = comparison.standings[0].candidate
    rows: dict[str, list[str]] = {}
    for ablation in comparison.ablations:
        changes = {key: (old, new) for key, old, new in baseline.changes(ablation.whole)}
        for key, part in ablation.parts.items():
            old, new = changes[key]
            change = f"{value_cell(old)} -> {value_cell(new)}"
            rows[part.label] = [key, change, *_against(comparison.decisive(part.label))]
    title = f"What each change brings alone, by {comparison.criterion.part} {comparison.criterion.metric}"
    return Block(title, ["key", "change", "difference", "p", "verdict"], list(rows.values()))


def _lead(place: int | None, label: str) -> list[str]:
    return [NOTHING if place is None else str(place), label]


def _against(pair: Pairing | None, is_baseline: bool = False) -> list[str]:
    if pair is None:
        return ["", "", "" if is_baseline else NOTHING]
    amount, p, _, verdict = difference_cells(pair, compact=True)
    return [amount, p, verdict]


def _count(comparison: Comparison, shown: Sequence[Standing]) -> str:
    """How many configs got which verdict."""
    pairs = [comparison.decisive(one.label) for one in shown[1:]]
    counts = Counter(pair.difference.verdict if pair else "not compared" for pair in pairs)
    found = [f"{verdict} {counts[verdict]}" for verdict in (*_VERDICTS, "not compared") if counts[verdict]]
    return f"Verdicts on {len(pairs)} configs: {', '.join(found)}."


def _unpaired(comparison: Comparison, shown: Sequence[Standing]) -> Iterator[tuple[str, str]]:
    """Yield why configs were not compared, each reason once."""
    reasons: dict[str, list[str]] = {}
    for one in shown[1:]:
        if comparison.decisive(one.label) is None:
            reasons.setdefault(why_not_compared(comparison, one), []).append(one.label)
    for reason, labels in reasons.items():
        yield "warning", f"{several(labels)}: {reason}."


def _settings_notes(shown: Sequence[Standing]) -> Iterator[tuple[str, str]]:
    """Yield the baseline's values of the settings that differ, and the settings that all others share."""
    baseline, *others = shown
    changes = [baseline.candidate.changes(one.candidate) for one in others]
    changes.sort(key=len, reverse=True)  # so that the keys stand in the order of the rows, as far as they can
    before = {key: old for change in changes for key, old, _ in change}
    if before:
        yield "note", f"The baseline has {settings_label(before)}."
    if shared := _shared([_changed(baseline, one) for one in others]):
        yield "note", f"All others have {settings_label(shared, among=before)}."


def _changed(baseline: Standing, one: Standing) -> dict[str, object]:
    return {key: new for key, _, new in baseline.candidate.changes(one.candidate)}


def _shared(changes: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The settings that all have, unless one has no others."""
    first, *others = changes
    found = {key: new for key, new in first.items() if all(key in o and o[key] == new for o in others)}
    return {} if any(len(change) == len(found) for change in changes) else found
