"""A page for a browser: one file that needs nothing else, and asks for nothing.

Numbers for the charts are JSON in a block that no browser runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from trainrun import __version__
from trainrun.comparing import Comparison
from trainrun.comparing.ranking import MOST_SIDE_BY_SIDE
from trainrun.comparing.standings import Standing
from trainrun.report.comparison.block import Block
from trainrun.report.comparison.blocks import blocks
from trainrun.report.comparison.ranked import best_sentences
from trainrun.report.comparison.verdicts import verdict_sentence, why_not_compared
from trainrun.report.pictures import words
from trainrun.report.pictures.confusion import confusions
from trainrun.report.pictures.curves import Curve, Panel, panels
from trainrun.report.pictures.differences import forests
from trainrun.report.pictures.html import asset, environment, policy
from trainrun.report.pictures.layers import Layer, layers
from trainrun.report.pictures.origins import compare_command, origins
from trainrun.report.pictures.reliability import reliabilities
from trainrun.report.tables import cell
from trainrun.text import number

_DIGITS = 6  # significant ones of a number in a chart: more than a screen shows
_UNFOLDED = 4  # layers; the histograms of a deeper net are folded, their table stays visible
_SCRIPTS = ("pictures/uplot/uPlot.iife.min.js", "pictures/page.js")
_STYLES = ("pictures/uplot/uPlot.min.css", "pictures/page.css")


def to_html(comparison: Comparison) -> str:
    """The page of a comparison, or of the runs of one config."""
    scripts = [asset(name) for name in _SCRIPTS]
    style = "\n".join(asset(name) for name in _STYLES)
    drawn, found = panels(comparison.standings), layers(comparison.standings)
    return (
        environment()
        .get_template("pictures/page.html.jinja")
        .render(
            policy=policy(scripts, style),
            scripts=[Markup(text) for text in scripts],
            style=Markup(style),
            charts=Markup(_data(drawn)),
            version=__version__,
            comparison=comparison,
            labels=[one.label for one in comparison.standings],
            verdicts=list(_verdicts(comparison)),
            blocks=[block for block in blocks(comparison) if block.title != "Warnings"],
            panels=drawn,
            forests=list(forests(comparison)),
            layers=found,
            scales=_scales_table(found),
            unfolded=_UNFOLDED,
            confusions=list(confusions(comparison.standings)),
            reliabilities=list(reliabilities(comparison.standings)),
            runs=_runs_table(comparison),
            origins=origins(comparison),
            compare_command=compare_command(comparison),
            words=words,
        )
    )


def _data(drawn: Sequence[Panel]) -> str:
    """The charts' numbers as JSON that no HTML parser takes for anything else."""
    text = json.dumps([{"name": panel.name, "curves": list(map(_curve, panel.curves))} for panel in drawn])
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _curve(curve: Curve) -> dict[str, Any]:
    lines = {name: list(map(_rounded, getattr(curve, name))) for name in ("middle", "low", "high")}
    best = [(epoch, _rounded(value)) for epoch, value in curve.best]
    facts = {"config": curve.config, "place": curve.place, "part": curve.part}
    return {**facts, "epochs": list(curve.epochs), **lines, "best": best}


def _rounded(value: float | None) -> float | None:
    return value if value is None else float(f"{value:.{_DIGITS}g}")


def _verdicts(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Each decisive difference as its verdict and a sentence; of many configs only the best one's."""
    shown = [one for one in comparison.standings if not one.candidate.only]
    if len(shown) > MOST_SIDE_BY_SIDE:
        yield from best_sentences(comparison, shown)
        return
    for one in comparison.standings[1:]:
        if pair := comparison.decisive(one.label):
            yield pair.difference.verdict, verdict_sentence(comparison, pair)
        else:
            yield "warning", f"{one.label}: {why_not_compared(comparison, one)}."
        criterion = comparison.criterion
        if pair := comparison.ensembles.pairing(one.label, criterion.metric, criterion.part):
            yield pair.difference.verdict, verdict_sentence(comparison, pair)


def _runs_table(comparison: Comparison) -> Block:
    """A row for each run."""
    part = comparison.criterion.part
    metrics = list(dict.fromkeys(name for one in comparison.standings for name in one.metrics(part)))
    headings = ["config", "seed", "status", "epochs", "best epoch", "stopped by", "monitored"]
    headings += [*(f"{part} {name}" for name in metrics), "zero weights", "seconds"]
    rows = [row for one in comparison.standings for row in _rows(one, part, metrics)]
    return Block("Runs", headings, rows)


def _scales_table(found: Sequence[Sequence[Layer]]) -> Block:
    """A row for each layer of each config."""
    headings = [
        "layer",
        "config",
        "outputs × inputs",
        "scale",
        "scale × √inputs",
        "largest",
        "exactly 0",
    ]
    rows = [
        [
            str(one.number),
            one.config,
            f"{one.outputs:,} × {one.inputs:,}",
            *map(number, (one.scale, one.gain, one.largest)),
            words.share(one.zeros),
        ]
        for layer in found
        for one in layer
    ]
    return Block("The scales of the layers", headings, rows)


def _rows(one: Standing, part: str, metrics: Sequence[str]) -> Iterator[list[str]]:
    for seed, status in one.statuses.items():
        run = one.runs[seed]
        result = run.result or {}
        values = result.get(part) or {}
        monitored = "" if run.monitored is None else f"{run.monitor} {number(run.monitored, 5)}"
        seconds = "" if run.seconds is None else f"{run.seconds:.1f}"
        facts = [seed, status, *(result.get(key) for key in ("epochs", "best_epoch", "stopped_by"))]
        facts += [monitored, *map(values.get, metrics), result.get("zero_weights"), seconds]
        yield [one.label, *map(cell, facts)]
