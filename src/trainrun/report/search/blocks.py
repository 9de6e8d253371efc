"""A search as titled tables and sentences, in the order of what a user wants to know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trainrun.comparing.labels import settings_label, short_name
from trainrun.comparing.pairing import Pairing
from trainrun.comparing.standings import Standing
from trainrun.config.rendering import brief, yaml_text
from trainrun.config.search_space import Listed, Searched
from trainrun.report.comparison.block import Block
from trainrun.report.comparison.cells import NOTHING, scored_cell
from trainrun.report.comparison.verdicts import amount, figures, probability, verdict_sentence
from trainrun.searching import Search
from trainrun.searching.confirming import Confirmation
from trainrun.searching.importance import FEWEST
from trainrun.searching.records import Record
from trainrun.text import counted, number, printable

_RANKED = 10


def blocks(search: Search) -> list[Block]:
    """Return all blocks of a search."""
    found = [
        *(_confirmed(search, search.confirmation) if search.confirmation else _unconfirmed(search)),
        *_outer(search),
        _importance(search),
        _ranking(search),
        _spent(search),
    ]
    return [block for block in found if block.rows or block.sentences or block.lines]


def notes(search: Search) -> Iterator[str]:
    """Yield what to know about the candidates of a search."""
    question = search.question
    if question.judged_instead:
        yield f"the losses of the candidates cannot be compared: {question.metric} judges them"
    skipped = sum(one.skipped for one in search.records)
    if skipped:
        many = "1 proposal was" if skipped == 1 else f"{skipped} proposals were"
        yield f"{many} left out: a conflict between values, or the same settings again"
    if len(search.records) < question.sizes.total and search.confirmation:
        yield f"the space has no more than these {len(search.records)} candidates"


def _confirmed(search: Search, confirmation: Confirmation) -> Iterator[Block]:
    record, best = confirmation.records[confirmation.best], confirmation.finalists[confirmation.best]
    written = yaml_text(search.question.space.on_top(search.question.space.point(record.settings)))
    where = f"Written to {printable(str(search.best_file))}: trainrun fit trains it."
    yield Block("The best settings", lines=written.splitlines(), sentences=[("note", where)])
    yield _verdicts(search, confirmation, best)
    yield _beliefs(search, confirmation, best)
    warnings = [("warning", line) for line in confirmation.comparison.warnings]
    yield Block("Warnings" if warnings else "", sentences=warnings)


def _unconfirmed(search: Search) -> Iterator[Block]:
    if search.is_stopped:
        how = (
            "Runs of the confirmation are missing"
            if search.errors
            else "The search was stopped before its end"
        )
        title, sentence = "No answer yet", f"{how}: the same command goes on."
    elif search.ranking:
        sentence = "The plain config is the only candidate with a value: nothing is left to confirm."
        title = "No answer"
    else:
        sentence = "No candidate has a finite value: lower the learning rates that are searched."
        title = "No answer"
    yield Block(title, sentences=[("warning", sentence)])


def _verdicts(search: Search, confirmation: Confirmation, best: Standing) -> Block:
    """The best finalist against the plain config, then every two finalists."""
    comparison = confirmation.comparison
    plain = confirmation.plain.label
    decisive = [
        pair
        for pair in comparison.pairings
        if (pair.metric, pair.part) == (comparison.criterion.metric, comparison.criterion.part)
    ]
    first = [pair for pair in decisive if (pair.config, pair.baseline) == (best.label, plain)]
    among = [pair for pair in decisive if plain not in (pair.config, pair.baseline)]
    sentences = [(pair.difference.verdict, verdict_sentence(comparison, pair)) for pair in first]
    if not first:
        sentences.append(("warning", f"{best.label} and {plain} cannot be compared."))
    if among:
        sentences.append(("note", among_sentence(among)))
    title = f"Is {best.label} better than {plain}, the plain config?"
    return Block(title, sentences=sentences)


def among_sentence(pairs: Sequence[Pairing]) -> str:
    """Return a sentence about the verdicts among the finalists.

    Args:
        pairs: of two finalists each, by the deciding metric; at least one.
    """
    told = [pair for pair in pairs if pair.difference.verdict in ("better", "worse")]
    if not told:
        few = all(pair.difference.verdict == "too few seeds" for pair in pairs)
        return (
            "Too few seeds to tell the finalists from each other."
            if few
            else "No difference shown among the finalists."
        )
    said = [f"{pair.config} is {pair.difference.verdict} than {pair.baseline}" for pair in told]
    rest = "; no difference shown between the others" if len(told) < len(pairs) else ""
    return f"Among the finalists {', '.join(said)}{rest}."


def _beliefs(search: Search, confirmation: Confirmation, best: Standing) -> Block:
    """What the search believed of the finalists, beside what fresh seeds gave."""
    metric, part = search.question.metric, confirmation.comparison.criterion.part
    record = confirmation.records[confirmation.best]
    mean = best.mean("valid", metric)
    place = search.ranking.index(record) + 1
    rank = "the best" if place == 1 else f"number {place}"
    believed = f"{number(record.value or 0.0)} in the search, {rank} of {len(search.records)}"
    fresh = scored_cell(best, "valid", metric)
    fresh = f"{fresh} over {counted(mean.n, 'fresh seed')}" if mean.n else "no fresh seed is complete"
    sentence = f"valid {metric} of {best.label}: {believed}; {fresh}."
    headings = ["config", f"valid {metric} in the search", f"valid {metric}, fresh seeds"]
    tested = part == "test"
    rows = []
    values = [None, *(one.value for one in confirmation.records)]
    for one, value in zip(confirmation.comparison.standings, values, strict=True):
        row = [
            one.label,
            NOTHING if value is None else number(value),
            scored_cell(one, "valid", metric),
        ]
        rows.append(row + ([scored_cell(one, "test", metric)] if tested else []))
    headings += [f"test {metric}, fresh seeds"] if tested else []
    return Block(
        "What the search believed, and what fresh seeds gave", headings, rows, sentences=[("note", sentence)]
    )


def _outer(search: Search) -> Iterator[Block]:
    """What the search is worth on folds that it never saw."""
    outer = search.outer
    if not outer:
        return
    metric = search.question.metric
    headings = ["fold", f"test {metric}, best of its search", "plain config", "settings"]
    rows = [
        [str(one.fold), *figures(one.value, one.baseline), settings_label(one.settings)]
        for one in outer.folds
    ]
    sentences = [("warning", line) for line in outer.left_out]
    if outer.pairing:
        sentences.insert(0, (outer.pairing.difference.verdict, _outer_verdict(outer.pairing)))
    yield Block(f"The whole search on {len(outer.folds)} folds", headings, rows, sentences=sentences)


def _outer_verdict(pairing: Pairing) -> str:
    found = pairing.difference
    what = {
        "better": "Searching with this space is better than the plain config",
        "worse": "Searching with this space is worse than the plain config",
        "no difference shown": "No difference shown between searching with this space and the plain config",
        "too few seeds": "Too few folds for a verdict on searching with this space",
    }[found.verdict]
    p = probability(found.p)
    p = f", p {p}" if p.startswith("<") else f", p = {p}" if p else ""
    return f"{what}: test {pairing.metric} differs by {amount(found)} over {found.n} folds{p}."


def _importance(search: Search) -> Block:
    title = "Which keys decide who is among the best"
    if not search.importance:
        if not search.confirmation or len(search.question.space.keys) < 2:
            return Block("")
        return Block(title, sentences=[("note", f"It takes at least {FEWEST} candidates to tell.")])
    best = search.ranking[: max(round(len(search.ranking) / 10), 5)]
    keys = {one.key: one for one in search.question.space.keys}
    rows = [
        [one.key, f"{one.share:.0%} ({one.interval.low:.0%} to {one.interval.high:.0%})", of_best]
        for one in search.importance
        if (of_best := _values_of(keys[one.key], best))
    ]
    return Block(title, ["key", "share (95% interval)", f"values of the best {len(best)}"], rows)


def _values_of(one: Searched, records: Sequence[Record]) -> str:
    """The values of a key among candidates: of a list the most frequent first, of a range both ends."""
    values = [record.settings[one.key] for record in records]
    if not isinstance(one, Listed):
        return f"{_value(min(values))} to {_value(max(values))}"
    texts = [_value(value) for value in values]
    often = sorted(dict.fromkeys(texts), key=lambda text: -texts.count(text))
    return ", ".join(f"{text} ({texts.count(text)})" for text in often[:3])


def _ranking(search: Search) -> Block:
    """The best ten, with the searched keys alone."""
    keys = [one.key for one in search.question.space.keys]
    best = search.ranking[:_RANKED]
    values = figures(*(one.value or 0.0 for one in best)) if best else []
    rows = [
        [str(place), value, str(one.epochs), *(_value(one.settings[key]) for key in keys)]
        for place, (one, value) in enumerate(zip(best, values, strict=True), 1)
    ]
    metric = search.question.metric
    names = [short_name(key, keys) for key in keys]
    title = f"The best {len(best)} of {counted(len(search.records), 'candidate')}, by one seed"
    return Block(title, ["", f"valid {metric}", "epochs", *names], rows)


def _spent(search: Search) -> Block:
    records = search.records
    epochs, steps = (sum(getattr(one, what) for one in records) for what in ("epochs", "steps"))
    whole = sum(one.status == "complete" for one in records)
    sentences = [
        (
            "note",
            f"{counted(len(records), 'candidate')}, {whole:,} trained to the end:"
            f" {counted(epochs, 'epoch')}, {counted(steps, 'step')}.",
        ),
        *(("note", line) for line in _confirmation_cost(search)),
        ("note", f"This command took {search.seconds:.1f} seconds."),
        *(("warning", line) for line in notes(search)),
    ]
    return Block("Spent", sentences=sentences)


def _confirmation_cost(search: Search) -> Iterator[str]:
    if search.confirmation:
        standings = search.confirmation.comparison.standings
        seeds = len(standings[0].runs)
        runs = f"{len(standings) * seeds:,} runs"
        yield f"The confirmation: {len(standings)} configs over {counted(seeds, 'seed')}, {runs}."


def _value(value: object) -> str:
    return printable(brief(float(f"{value:.2g}") if isinstance(value, float) else value))
