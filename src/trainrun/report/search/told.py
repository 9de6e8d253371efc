"""A finished search in sentences and tables: what the page says beside its pictures."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trainrun.config.rendering import yaml_text
from trainrun.report.comparison.block import Block
from trainrun.report.comparison.cells import NOTHING
from trainrun.report.comparison.verdicts import figures, verdict_sentence
from trainrun.report.pictures.differences import Forest, forest_of
from trainrun.report.search.axes import shown
from trainrun.report.search.blocks import among_sentence
from trainrun.report.search.charts import best_values
from trainrun.runs.paths import default_runs
from trainrun.searching.finished import Confirmed, FinishedSearch, Measured
from trainrun.searching.importance import FEWEST
from trainrun.searching.records import Record
from trainrun.text import counted, number

_FEWEST_BEST = 5


def best_config(search: FinishedSearch) -> str:
    """Return the best settings as a config has them; empty without any."""
    return "" if search.best is None else yaml_text(_nested(search.finalists[search.best].settings))


def verdicts(search: FinishedSearch) -> Iterator[tuple[str, str]]:
    """Yield each verdict with its sentence: the best finalist and the plain config, then the finalists."""
    if search.best is None or search.plain is None:
        kind = "no candidate has a finite value" if not search.ranking else "nothing was left to confirm"
        yield "warning", f"The search has no answer: {kind}."
        return
    best, plain = search.finalists[search.best].label, search.plain.label
    first = [pair for pair in search.decisive if (pair.config, pair.baseline) == (best, plain)]
    for pair in first:
        yield pair.difference.verdict, verdict_sentence(search, pair)
    if not first:
        yield "warning", f"{best} and {plain} cannot be compared."
    yield "note", belief_sentence(search, search.best)
    if others := [pair for pair in search.decisive if plain not in (pair.config, pair.baseline)]:
        yield "note", among_sentence(others)
    if search.newer:
        many = f"{search.newer:,} more candidates" if search.newer > 1 else "1 more candidate"
        yield "warning", f"A larger search has {many} by now and no result yet: its command goes on."


def belief_sentence(search: FinishedSearch, place: int) -> str:
    """Return what the search believed of a finalist, and what fresh seeds gave.

    Args:
        search: that has it.
        place: of the finalist, from 0.
    """
    one, record = search.finalists[place], search.finalist_records[place]
    rank = search.ranking.index(record) + 1
    which = "the best" if rank == 1 else f"number {rank:,}"
    mean = one.measured("valid", search.metric)
    fresh = f"{_mean(mean)} over {counted(one.seeds, 'fresh seed')}" if mean else "no fresh seed is complete"
    believed = number(record.value or 0.0)
    return (
        f"valid {search.metric} of {one.label}: {believed} in the search, {which} of"
        f" {len(search.records):,}; {fresh}."
    )


def beliefs_table(search: FinishedSearch) -> Block:
    """Return what the search believed of each config, and what fresh seeds gave."""
    tested = search.part == "test"
    headings = ["config", f"valid {search.metric} in the search", f"valid {search.metric}, fresh seeds"]
    headings += [f"test {search.metric}, fresh seeds"] if tested else []
    headings += [key.key for key in search.keys]
    rows = []
    for one in [*([search.plain] if search.plain else []), *search.finalists]:
        row = [one.label, NOTHING if one.believed is None else number(one.believed)]
        row += [_mean(one.measured(part, search.metric)) for part in ("valid", "test")[: 1 + tested]]
        rows.append(row + [shown(one.settings[key.key]) if one.settings else "" for key in search.keys])
    return Block("What the search believed, and what fresh seeds gave", headings, rows)


def said_of(search: FinishedSearch, one: Confirmed) -> str:
    """Return the values of a config of the confirmation in words."""
    said = ["not tried in the search" if one.believed is None else f"{number(one.believed)} in the search"]
    for part in ("valid", "test") if search.part == "test" else ("valid",):
        mean = one.measured(part, search.metric)
        said.append(f"{part} {_with_ends(mean)}" if mean else f"{part}: no complete seed")
    return ", ".join(said)


def forests(search: FinishedSearch) -> Iterator[Forest]:
    """Yield the differences of the finalists to the plain config, the deciding metric first."""
    labels = [one.label for one in search.finalists]
    plain = search.plain.label if search.plain else ""
    pairs = [
        pair
        for pair in search.pairings
        if pair.part == search.part and pair.baseline == plain and pair.config in labels
    ]
    metrics = dict.fromkeys(pair.metric for pair in pairs)
    for metric in sorted(metrics, key=lambda metric: metric != search.metric):
        yield forest_of([(labels.index(pair.config) + 1, pair) for pair in pairs if pair.metric == metric])


def importance_table(search: FinishedSearch) -> Block:
    """Return each key with its share and what it was among the best candidates."""
    count = min(max(round(len(search.ranking) / 10), _FEWEST_BEST), len(search.ranking))
    keys = {one.key: one for one in search.keys}
    rows = [
        [
            one.key,
            f"{one.share:.0%} ({one.interval.low:.0%} to {one.interval.high:.0%})",
            best_values(search, keys[one.key], count),
        ]
        for one in search.importance
    ]
    headings = ["key", "share (95% interval)", f"values of the best {count}"]
    lacking = (
        "A single key is searched." if len(keys) == 1 else f"It takes at least {FEWEST} candidates to tell."
    )
    return Block(
        "Which keys decide who is among the best",
        headings,
        rows,
        sentences=[] if rows else [("note", lacking)],
    )


def ranking_table(search: FinishedSearch) -> Block:
    """Return a row for each candidate, the best first and those without a value last."""
    finalists = {one.id8: one.label for one in search.finalists}
    ranked = search.ranking
    texts = figures(*(one.value or 0.0 for one in ranked)) if ranked else []
    rows = [
        _ranked_row(search, str(place), one, text, finalists)
        for place, (one, text) in enumerate(zip(ranked, texts, strict=True), 1)
    ]
    rows += [
        _ranked_row(search, NOTHING, one, NOTHING, finalists) for one in search.records if not one.is_ranked
    ]
    headings = ["place", f"valid {search.metric}", "epochs", "status", *(key.key for key in search.keys)]
    return Block("All candidates, by one seed", headings, rows)


def spent_sentences(search: FinishedSearch) -> Iterator[str]:
    """Yield what the search and its confirmation took."""
    records = search.records
    counts = {status: sum(one.status == status for one in records) for status in ("complete", "diverged")}
    epochs, steps = (sum(getattr(one, what) for one in records) for what in ("epochs", "steps"))
    spent = f"{counted(epochs, 'epoch')}, {counted(steps, 'step')}"
    yield f"{counted(len(records), 'candidate')}, {counts['complete']:,} trained to the end: {spent}."
    if counts["diverged"]:
        yield f"{counts['diverged']:,} diverged."
    if search.plain:
        configs = len(search.finalists) + 1
        runs = configs * search.plain.seeds
        seeds = counted(search.plain.seeds, "seed")
        yield f"The confirmation: {configs} configs over {seeds}, {runs:,} runs."
    if skipped := sum(one.skipped for one in records):
        left = "1 proposal was" if skipped == 1 else f"{skipped:,} proposals were"
        yield f"{left} left out: a conflict between values, or the same settings again."


def commands(search: FinishedSearch) -> Iterator[str]:
    """Yield the commands that search again, draw the page and train the best config."""
    directory = search.paths.directory
    if search.asked:
        words = ["trainrun", "search", search.asked.config, "--sampler", search.sampler]
        words += ["--candidates", str(len(search.records)), "--metric", search.metric]
        words += ["--epochs-first", str(search.epochs_first)]
        if search.plain:
            words += ["--finalists", str(len(search.finalists)), "--seeds", str(search.plain.seeds)]
        words += [word for text in search.asked.overrides for word in ("--set", text)]
        runs = directory.parent.parent
        words += [] if runs.absolute() == default_runs().absolute() else ["--runs", str(runs)]
        yield shlex.join(words)
    yield shlex.join(["trainrun", "report", str(directory)])
    if search.paths.best.is_file():
        yield shlex.join(["trainrun", "fit", str(search.paths.best)])


def best_file(search: FinishedSearch) -> Path | None:
    """Return the config file with the best settings; None where it is gone."""
    return search.paths.best if search.paths.best.is_file() else None


def _ranked_row(
    search: FinishedSearch, place: str, one: Record, value: str, finalists: Mapping[str, str]
) -> list[str]:
    status = finalists.get(one.id8, one.status)
    return [place, value, f"{one.epochs:,}", status, *(shown(one.settings[key.key]) for key in search.keys)]


def _nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as mappings in mappings, as a config has them."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        *parents, last = key.split(".")
        place = found
        for parent in parents:
            inner = place.setdefault(parent, {})
            if not isinstance(inner, dict):  # `dropout: 0.2` beside `dropout.input: 0.1`
                return dict(settings)
            place = inner
        if last in place:
            return dict(settings)
        place[last] = value
    return found


def _mean(found: Measured | None) -> str:
    if found is None:
        return NOTHING
    half = [(found.interval.high - found.interval.low) / 2] if found.interval else []
    return " ± ".join(figures(found.mean, *half))


def _with_ends(found: Measured) -> str:
    if found.interval is None:
        return number(found.mean)
    mean, low, high = figures(found.mean, *found.interval)
    return f"{mean} ({low} to {high})"
