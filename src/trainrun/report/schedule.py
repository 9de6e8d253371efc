"""`trainrun schedule`: the learning rate at every step of a config's own training."""

from __future__ import annotations

from textwrap import fill
from typing import Literal

import numpy as np

from trainrun.config import Config
from trainrun.data import load_dataset
from trainrun.jsonio import to_json
from trainrun.plan import Cell, make_plan
from trainrun.report.drawing import Chart
from trainrun.report.page_width import page_width
from trainrun.report.tables import columns_csv, text_table

_LINES = 12  # of the chart
_MARGIN = 17  # characters beside it, for labels and units
_ROWS = 10  # of the table, and one


def tabulate(config: Config) -> np.ndarray:
    """The learning rate of every step, [T] float64, as the config plans it.

    Raises:
        TrainrunError: the config does not fit its data, or these cannot be read.
    """
    plan = make_plan([Cell(config, load_dataset(config))])
    epochs = [plan.learning_rates(epoch, np.array([0]))[:, 0] for epoch in range(1, config.epochs + 1)]
    return np.concatenate([np.zeros(0), *epochs])


def remarks(config: Config) -> list[str]:
    """Return remarks about the learning rates that the table does not show."""
    if config.schedule.name != "reduce_on_plateau":
        return []
    settings = config.schedule.settings
    when = f"by a factor of {settings['factor']:g} after {settings['patience']} epochs without an improvement"
    return [f"reduce_on_plateau is shown unreduced: it reduces as the training goes, {when}"]


def render(config: Config, rates: np.ndarray, form: Literal["table", "json", "csv"]) -> str:
    """The learning rates of all steps, for stdout.

    Args:
        config: whose they are.
        rates: [T], of every step.
        form: `table` comes with a picture; the others have every step. A step is named by how many were
            taken before it.
    """
    columns = {"step": range(len(rates)), "learning_rate": rates.tolist()}
    if form == "json":
        return to_json({name: list(column) for name, column in columns.items()}) + "\n"
    if form == "csv":
        return columns_csv(columns)
    said = remarks(config)
    if config.early_stopping.patience is not None:
        said.append(f"Early stopping (patience {config.early_stopping.patience}) may end it sooner")
    picture = [*_chart(config, rates), "", _table(config, rates)] if len(rates) else []
    title, *said = (fill(sentence, page_width()) for sentence in (_title(config, len(rates)), *said))
    return "\n".join([title, "", *picture, *said, ""])


def _title(config: Config, steps: int) -> str:
    warmup = f" after a warm-up of {config.warmup}" if config.warmup.amount else ""
    length = f"{_count(config.epochs, 'epoch')} of {_count(steps // max(config.epochs, 1), 'step')}"
    return f"{config.name}: {config.schedule.name}{warmup}, learning_rate {config.learning_rate:g}, {length}"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _chart(config: Config, rates: np.ndarray) -> list[str]:
    steps, quarters = len(rates), np.linspace(0, 1, 5)
    top = float(rates[np.isfinite(rates)].max(initial=0)) or 1.0
    chart = Chart(page_width() - _MARGIN, _LINES, (0, steps), (0, top))
    chart.line(np.arange(steps + 1), np.append(rates, rates[-1]).clip(max=top))
    epochs = {share * steps: f"{share * config.epochs:g}" for share in quarters}
    counts = {round(share * steps): f"{round(share * steps):,}" for share in quarters}
    return chart.render(
        {height * top: f"{height * top:.3g}" for height in quarters},
        [f"{chart.ticks(epochs)} epochs", f"{chart.ticks(counts)} steps"],
    )


def _table(config: Config, rates: np.ndarray) -> str:
    """Some of the steps, evenly spaced, with the highest and the lowest."""
    last = len(rates) - 1
    places = {round(share * last) for share in np.linspace(0, 1, _ROWS + 1)}
    places |= {int(np.argmax(rates)), int(np.argmin(rates))}
    per_epoch = len(rates) // config.epochs
    rows = [[f"{place:,}", f"{place // per_epoch + 1:,}", f"{rates[place]:.6e}"] for place in sorted(places)]
    return text_table(["STEP", "EPOCH", "LEARNING_RATE"], rows)
