"""A comparison as titled tables and sentences: the one content that text, Markdown and LaTeX lay out.

In this order: what differs, the result of each config, the difference and the verdict, the same of ensembles,
what to beware of. Of many configs, one ranked table takes the place of the first three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from trainrun.comparing import Comparison
from trainrun.comparing.ablation import Ablation
from trainrun.comparing.ranking import MOST_SIDE_BY_SIDE
from trainrun.comparing.standings import Standing
from trainrun.report.comparison.block import Block
from trainrun.report.comparison.cells import (
    NOTHING,
    averaged_cell,
    difference_cells,
    diverged_cell,
    mean_cell,
    result_cells,
    runs_cell,
    value_cell,
)
from trainrun.report.comparison.ranked import ensemble_notes, ranked_blocks
from trainrun.report.comparison.verdicts import verdict_sentence, why_not_compared

Format = Literal["table", "json", "csv", "markdown", "latex"]


def blocks(comparison: Comparison) -> list[Block]:
    """Return all blocks of a comparison."""
    shown = [one for one in comparison.standings if not one.candidate.only]
    laid_out = ranked_blocks if len(shown) > MOST_SIDE_BY_SIDE else _side_by_side
    found = [*laid_out(comparison, shown), *_warnings(comparison)]
    return [block for block in found if block.rows or block.sentences]


def _side_by_side(comparison: Comparison, shown: Sequence[Standing]) -> Iterator[Block]:
    yield from _what_differs(shown)
    yield _results(comparison, shown)
    yield from (_against_baseline(comparison, one) for one in shown[1:])
    yield _ensembles(comparison, shown)
    yield from _ablations(comparison)


def _what_differs(shown: Sequence[Standing]) -> Iterator[Block]:
    if len(shown) == 1:
        return
    baseline, *others = shown
    changes = [
        {key: (old, new) for key, old, new in baseline.candidate.changes(one.candidate)} for one in others
    ]
    before = {key: old for change in changes for key, (old, _) in change.items()}
    rows = [
        [key, value_cell(old), *(value_cell(change[key][1] if key in change else old) for change in changes)]
        for key, old in before.items()
    ]
    nothing = [("note", "Nothing: these are the same recipe.")] if not rows else []
    yield Block("What differs", ["key", *_headings(shown)], rows, lead=2, sentences=nothing)


def _results(comparison: Comparison, shown: Sequence[Standing]) -> Block:
    facts: dict[str, Callable[[Standing], str]] = {
        "runs": runs_cell,
        "diverged": diverged_cell,
        **result_cells(comparison, shown),
        "best epoch": lambda one: mean_cell(one.counts("best_epoch")),
        "epochs": lambda one: mean_cell(one.counts("epochs")),
        "seconds": lambda one: mean_cell(one.seconds),
    }
    rows = [[what, *map(tell, shown)] for what, tell in facts.items()]
    return Block(
        "Result", ["mean ± 95% interval", *_headings(shown)], [r for r in rows if any(r[1:])], lead=2
    )


def _against_baseline(comparison: Comparison, one: Standing) -> Block:
    title = f"{one.label} minus {comparison.standings[0].label}"
    part = comparison.criterion.part
    found = [pair for pair in comparison.pairings if (pair.config, pair.part) == (one.label, part)]
    decisive = comparison.decisive(one.label)
    if decisive is None:
        return Block(title, sentences=[("warning", f"{why_not_compared(comparison, one)}.")])
    rows = [[f"{part} {pair.metric}", *difference_cells(pair)] for pair in found]
    headings = ["paired", "difference", "p", "P(better)", "verdict"]
    sentence = decisive.difference.verdict, verdict_sentence(comparison, decisive)
    return Block(title, headings, rows, sentences=[sentence])


def _ensembles(comparison: Comparison, shown: Sequence[Standing]) -> Block:
    """The averages of seeds, on the part that decides."""
    part = comparison.criterion.part
    found = {one.config: one for one in comparison.ensembles.values}
    names = dict.fromkeys(name for one in found.values() for name in one.parts.get(part) or {})
    counts = [str(len(found[one.label].seeds)) if one.label in found else "" for one in shown]
    rows = [["seeds", *counts]] if names else []
    rows += [
        [f"{part} {name}", *(averaged_cell(found.get(one.label), one, part, name) for one in shown)]
        for name in names
    ]
    verdicts = [
        (pair.difference.verdict, verdict_sentence(comparison, pair))
        for one in shown[1:]
        if (pair := comparison.ensembles.pairing(one.label, comparison.criterion.metric, part))
    ]
    notes = ensemble_notes(comparison, shown)
    headings = ["ensemble (mean of its seeds)", *_headings(shown)]
    return Block(
        "Ensembles of all seeds" if rows else "", headings, rows, lead=2, sentences=[*verdicts, *notes]
    )


def _ablations(comparison: Comparison) -> Iterator[Block]:
    for ablation in comparison.ablations:
        changes = {
            key: f"{value_cell(old)} -> {value_cell(new)}" for key, old, new in _changes(comparison, ablation)
        }
        parts = {key: comparison.decisive(part.label) for key, part in ablation.parts.items()}
        parts["all of them"] = comparison.decisive(ablation.whole.label)
        rows = []
        for key, pair in parts.items():
            amount, p, _, verdict = difference_cells(pair) if pair else ("", "", "", NOTHING)
            rows.append([key, changes.get(key, ""), amount, p, verdict])
        what = f"{comparison.criterion.part} {comparison.criterion.metric}"
        title = f"What each key of {ablation.whole.label} brings alone, by {what}"
        yield Block(title, ["key", "change", "difference", "p", "verdict"], rows)


def _warnings(comparison: Comparison) -> Iterator[Block]:
    yield Block("Warnings", sentences=[("warning", line) for line in comparison.warnings])
    if comparison.scored:
        many = f"{comparison.scored} configs were" if comparison.scored > 1 else "1 config was"
        yield Block("", sentences=[("note", f"{many} scored on this test part so far.")])


def _changes(comparison: Comparison, ablation: Ablation) -> list[tuple[str, object, object]]:
    return comparison.standings[0].candidate.changes(ablation.whole)


def _headings(shown: Sequence[Standing]) -> list[str]:
    return [one.label for one in shown]
