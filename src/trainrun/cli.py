"""The command line: parses, calls, prints. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from trainrun.errors import DIVERGED, INTERRUPTED, StorageError, UsageError, exit_code, printable
from trainrun.signals import StopRequest

if TYPE_CHECKING:
    from trainrun.fitting import Observer, Outcome
    from trainrun.runs.reading import Run

app = typer.Typer(
    help="Train PyTorch MLPs from YAML configs, and say honestly which recipe is better.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_HERE = Path("runs")

# `readable=False`: whether a place may be read is found out by those who read it, and said in their words.

RunsFolder = Annotated[
    Path,
    typer.Option("--runs", envvar="TRAINRUN_RUNS", metavar="DIR", help="The folder of runs.", readable=False),
]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="K=V", help="Override a key; dotted.")]
_RUN = typer.Argument(
    metavar="RUN", help="A directory, NAME, NAME-ID8 (with /seed-N), a config file, or last."
)
RunName = Annotated[str, _RUN]
RunNames = Annotated[list[str], _RUN]
Versus = Annotated[
    list[str] | None, typer.Option("--vs", metavar="K=V", help="Also the baseline with these changes.")
]
Metric = Annotated[str | None, typer.Option(metavar="NAME", help="What decides; else the monitored value.")]
RowsFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="New rows, in the format of the training file.", readable=False)
]
TimeLimit = Annotated[
    str | None,
    typer.Option("--time-limit", metavar="TIME", help="Save and leave with 75 after so long: 55m, 1h30m."),
]
TextOrJson = Annotated[Literal["text", "json"], typer.Option("--format", help="What stdout carries.")]


def _say_version(wanted: bool) -> None:
    if wanted:
        from trainrun import __version__

        _print(f"trainrun {__version__}\n")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and leave."),
    ] = False,
) -> None:
    """Typer reads the program's own options from this signature."""


@app.command()
def fit(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG", help="YAML files.")],
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="So many seeds, from the config's on.")
    ] = None,
    changes: Changes = None,
    runs: RunsFolder = _HERE,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over, whatever is there.")] = False,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Only part I of N of the runs; I from 1.")
    ] = "1/1",
    allow_diverged: Annotated[
        bool, typer.Option("--allow-diverged", help="A diverged run is no failure.")
    ] = False,
    progress: Annotated[
        Literal["auto", "rich", "plain", "none"], typer.Option(help="How epochs are shown.")
    ] = "auto",
    form: TextOrJson = "text",
    time_limit: TimeLimit = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write TensorBoard's files.")
    ] = False,
) -> None:
    """Train; a run that was stopped continues, a complete one is left as it is."""
    with _stoppable(time_limit) as stop:
        from trainrun.fitting import Observers, Request, carry_out
        from trainrun.report.console import Console

        request = Request(configs, changes or [], seeds, runs, fresh, _shard(shard), stop)
        console = Console(progress, sys.stderr if form == "json" else sys.stdout, stop.requested)
        try:
            outcomes = carry_out(request, Observers(console, *_tensorboard(tensorboard)))
        finally:
            console.close()
        _conclude(outcomes, form, allow_diverged)


@app.command()
def compare(
    configs: Annotated[
        list[str], typer.Argument(metavar="CONFIG", help="YAML files or RUNs; the first is the baseline.")
    ],
    vs: Versus = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="So many, from the baseline's on; else 10, or all there are of RUNS."
        ),
    ] = None,
    metric: Metric = None,
    no_fit: Annotated[bool, typer.Option("--no-fit", help="Only from runs that are there.")] = False,
    ablate: Annotated[bool, typer.Option("--ablate", help="Also change the keys one at a time.")] = False,
    changes: Changes = None,
    runs: RunsFolder = _HERE,
    form: Annotated[
        Literal["table", "json", "csv", "markdown", "latex"],
        typer.Option("--format", help="What stdout carries."),
    ] = "table",
    time_limit: TimeLimit = None,
) -> None:
    """Say which recipe is better, by how much, how surely.

    Fits what is missing, then compares over paired seeds.
    """
    with _stoppable(time_limit) as stop:
        from trainrun.comparing import Question, answer
        from trainrun.report.comparison_layout import render
        from trainrun.report.members import Members
        from trainrun.report.sink import Sink

        question = Question(configs, vs or [], changes or [], seeds, metric, runs, not no_fit, ablate, stop)
        members = Members(sys.stderr, stop.requested)
        try:
            comparison = answer(question, members)
        finally:
            members.close()
        warnings = comparison.warnings if form == "csv" else ()  # the other formats have room for them
        Sink(sys.stderr).lines([*map(str, comparison.errors), *warnings])
        _print(render(comparison, form), safe=True)
        raise typer.Exit(comparison.exit_code)


@app.command()
def report(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN|CONFIG", help="What is drawn; the first is the baseline.")
    ],
    vs: Versus = None,
    metric: Metric = None,
    changes: Changes = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write; else report.html.", readable=False)
    ] = None,
    form: Annotated[
        Literal["html", "png", "svg", "pdf"] | None,
        typer.Option("--format", help="A page, or a figure for a paper; else what FILE ends with."),
    ] = None,
    runs: RunsFolder = _HERE,
) -> None:
    """Draw runs, or a comparison of them: a page for a browser, or a figure.

    From files alone: nothing is trained.
    """
    from trainrun.comparing import Question, answer
    from trainrun.report.members import Members
    from trainrun.report.pictures import form_of, render
    from trainrun.runs.files import write_out

    form = form or form_of(out)
    target = out or Path(f"report.{form}")
    question = Question(names, vs or [], changes or [], "all", metric, runs, fit=False)
    write_out(target, render(answer(question, Members(sys.stderr)), form))
    _print(f"{printable(str(target))}\n")


@app.command()
def check(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG", help="YAML files.")],
    changes: Changes = None,
    strict: Annotated[bool, typer.Option("--strict", help="Leave with 3 where something is wrong.")] = False,
    form: TextOrJson = "text",
) -> None:
    """Look at a net before its first step: can it learn, and what will it cost?

    Layers, units and gradients on one batch, drawn and in words. Nothing is kept.
    """
    from trainrun.checking import Check, Unchecked, check_all
    from trainrun.report.checks import as_json, as_text
    from trainrun.report.sink import Sink

    results: list[Check | Unchecked] = []
    for result in check_all(configs, changes or []):
        if isinstance(result, Unchecked):
            Sink(sys.stderr).lines([str(result.error)])
        elif form == "text":
            _print("\n" * bool(results) + as_text(result), safe=True)
        results.append(result)
    if form == "json":
        _print(as_json(results))
    raise typer.Exit(exit_code(result.exit_code(strict) for result in results))


@app.command()
def schedule(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML file.")],
    changes: Changes = None,
    form: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="What stdout carries.")
    ] = "table",
) -> None:
    """Show the learning rate at every step of a config's own training."""
    from trainrun.config import load_config
    from trainrun.report.schedule import remarks, render, tabulate
    from trainrun.report.sink import Sink

    planned = load_config(config, changes or [])
    text = render(planned, tabulate(planned), form)
    if form != "table":  # there it is said below
        Sink(sys.stderr).lines(remarks(planned))
    _print(text)


@app.command()
def find_lr(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML file.")],
    seeds: Annotated[
        int, typer.Option(min=1, metavar="N", help="So many of each, from the config's on.")
    ] = 3,
    low: Annotated[float, typer.Option(metavar="L", help="The lowest that is tried.")] = 1e-5,
    high: Annotated[float, typer.Option(metavar="L", help="The highest.")] = 10.0,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="How long each trains, at least.")] = 200,
    changes: Changes = None,
    form: TextOrJson = "text",
) -> None:
    """Try many learning rates side by side: which learn, which diverge, which to take.

    Each trains for a short while, at that one rate. Nothing is kept.
    """
    from trainrun.config import load_config
    from trainrun.rate_range import find_range
    from trainrun.report.rates import as_json, as_text
    from trainrun.report.sink import Sink

    recipe = load_config(config, changes or [])
    if (someone := Sink(sys.stderr)).is_terminal:
        someone.lines([f"Trying learning rates from {low:g} to {high:g} ..."])
    found = find_range(recipe, limits=(low, high), seeds=seeds, steps=steps)
    _print(as_json(found) if form == "json" else as_text(found))


@app.command()
def predict(
    run: RunName,
    file: RowsFile,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write; else stdout.", readable=False)
    ] = None,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="A column p_<label> each.")] = False,
    keep: Annotated[
        str | None,
        typer.Option(metavar="COLUMN,...", help="Columns of FILE to copy, in front of the predictions."),
    ] = None,
    runs: RunsFolder = _HERE,
) -> None:
    """Predict new rows, as CSV.

    Labels are by name, numbers in the target's units; a row of the file gives a row.
    """
    from trainrun.predicting import load_run
    from trainrun.report.sink import Sink
    from trainrun.report.tables import columns_csv
    from trainrun.runs.files import write_out

    trained = load_run(_named([run], runs, one=True)[0])
    kept = _columns(keep) if keep else []
    names = [f"p_{label}" for label in trained.preprocessing.target.classes] if probabilities else []
    for name in kept:
        if name in ("prediction", *names):
            raise UsageError(f"--keep: {printable(name)} is also the name of a column of predictions")
    rows, notes = trained.read(file, keep=kept)
    Sink(sys.stderr).lines([printable(note.text) for note in notes])
    columns = {name: rows.kept[name] for name in kept} | {"prediction": trained.predict(rows)}
    if probabilities:
        columns |= zip(names, trained.probabilities(rows).T, strict=True)
    text = columns_csv(columns)
    if out:
        write_out(out, text)
    else:
        _print(text)


@app.command()
def evaluate(
    run: RunName,
    file: RowsFile,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The labels' file of IDX images.", readable=False)
    ] = None,
    runs: RunsFolder = _HERE,
    form: TextOrJson = "text",
) -> None:
    """Loss and metrics on labelled rows."""
    from trainrun.predicting import load_run
    from trainrun.report.sink import Sink
    from trainrun.report.tables import cell, text_table
    from trainrun.runs.files import to_json

    trained = load_run(_named([run], runs, one=True)[0])
    rows, notes = trained.read(file, labels)
    Sink(sys.stderr).lines([printable(note.text) for note in notes])
    values = trained.evaluate(rows)
    table = [[name, cell(value)] for name, value in values.items()]
    _print(to_json(values) + "\n" if form == "json" else text_table(["METRIC", "VALUE"], table))


@app.command("list")
def list_(
    what: Annotated[
        str, typer.Argument(metavar="[runs|initializers|schedules|...]", help="What to list.")
    ] = "runs",
    runs: RunsFolder = _HERE,
    form: Annotated[
        Literal["text", "json", "csv", "markdown"], typer.Option("--format", help="What stdout carries.")
    ] = "text",
) -> None:
    """List runs, or what a config may name.

    Ingredients are listed with their settings and defaults.
    """
    from trainrun.report.listing import list_ingredients, list_runs

    if what != "runs":
        _print(list_ingredients(what, form))
        return
    text, closed = list_runs(runs, form)
    _print(text)
    _leave_out(closed)


@app.command()
def show(
    names: RunNames,
    patience: Annotated[
        str | None, typer.Option(metavar="P,...", help="What other patiences would have made of the runs.")
    ] = None,
    runs: RunsFolder = _HERE,
    form: Annotated[
        Literal["text", "json", "csv"], typer.Option("--format", help="What stdout carries.")
    ] = "text",
) -> None:
    """Show runs, or replay them with other patiences.

    Config, results, confusion matrix and the last epochs; for the seeds of a config, a table.
    """
    from trainrun.report.showing import show_runs

    found = _named(names, runs)
    for run in found:
        if run.closed:
            raise run.closed
    if patience is not None:
        from trainrun.report.replay import show_replays

        _print(show_replays(found, _patiences(patience), form))
    elif form == "csv":
        raise UsageError("show: --format csv goes with --patience")
    else:
        _print(show_runs(found, form))


@app.command()
def clean(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN...]", help="Which runs; else all in DIR.")
    ] = None,
    diverged: Annotated[bool, typer.Option("--diverged", help="Only those that diverged.")] = False,
    older: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only those begun longer ago, such as 30d.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them, instead of saying which.")] = False,
    runs: RunsFolder = _HERE,
) -> None:
    """Say what would be removed; remove it with --yes."""
    from trainrun.report.listing import describe_removal
    from trainrun.runs.cleaning import remove, select
    from trainrun.runs.reading import find_runs

    if not (names or diverged or older):
        raise UsageError("clean: say which runs, or --diverged, or --older AGE")
    closed: list[StorageError] = []
    named = _named(names, runs) if names else find_runs(runs, closed.append)
    closed += [run.closed for run in named if run.closed]
    named = [run for run in named if not run.closed]
    for run in select(named, diverged=diverged, older=older):
        _print(describe_removal(run, yes))
        if yes:
            remove(run)
    _leave_out(closed)


@app.command()
def schema() -> None:
    """The config's JSON Schema, for editors."""
    from trainrun.config import json_schema
    from trainrun.runs.files import to_json

    _print(to_json(json_schema()) + "\n")


@app.command()
def init(
    table: Annotated[
        Path | None, typer.Argument(metavar="[CSV]", help="A table of your own.", readable=False)
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column to predict.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The config; else named like the table.", readable=False),
    ] = None,
) -> None:
    """Write a commented config to start from."""
    from trainrun.report.starter import write_starter

    _print(write_starter(table, target, out))


@contextmanager
def _stoppable(time_limit: str | None) -> Iterator[StopRequest]:
    """Listen to signals and the time limit; what they have stopped leaves as a script expects it."""
    with StopRequest(time_limit) as stop:
        try:
            yield stop
        except typer.Exit as leaving:
            if leaving.exit_code != INTERRUPTED:
                raise
            from trainrun.report.sink import Sink

            last_word = Sink(sys.stderr, stop.requested)
            last_word.lines([f"Stopped by {stop.reason}: the same command continues"])
            last_word.drain()
            stop.leave()


def _tensorboard(wanted: bool) -> list[Observer]:
    if not wanted:
        return []
    from trainrun.report.tensorboard import TensorBoard

    return [TensorBoard(sys.stderr)]


def _conclude(outcomes: Sequence[Outcome], form: str, allow_diverged: bool) -> None:
    """Say what went wrong, print what scripts read, and leave with the command's code."""
    from trainrun.report.sink import Sink

    messages = dict.fromkeys(str(outcome.error) for outcome in outcomes if outcome.error)
    Sink(sys.stderr).lines(list(messages))
    if form == "json":
        from trainrun.report.outcomes import outcomes_json

        _print(outcomes_json(outcomes))
    allowed = {DIVERGED} if allow_diverged else set()
    raise typer.Exit(exit_code({outcome.exit_code for outcome in outcomes} - allowed))


def _named(names: Sequence[str], runs: Path, *, one: bool = False) -> list[Run]:
    """The runs that are named, each once; what a name means is said on stderr.

    Args:
        names: what the user wrote.
        runs: the folder of runs.
        one: whether each name must mean a single run.
    """
    from trainrun.report.sink import Sink
    from trainrun.runs.naming import resolve

    named = [resolve(name, runs, _identify) for name in names]
    if one:
        named = [found.one() for found in named]
    Sink(sys.stderr).lines(list(dict.fromkeys(found.sentence for found in named if found.sentence)))
    return list({run.paths.directory: run for found in named for run in found.runs}.values())


def _leave_out(closed: Sequence[StorageError]) -> None:
    """Say what could not be read, and leave with the code of that where there is any."""
    from trainrun.report.sink import Sink

    Sink(sys.stderr).lines([str(error) for error in closed])
    if closed:
        raise typer.Exit(StorageError.exit_code)


def _identify(config_file: Path) -> str:
    from trainrun.data import identify_file

    return identify_file(config_file)


def _shard(text: str) -> tuple[int, int]:
    part, slash, parts = text.partition("/")
    numbers = slash and all(word.isdecimal() and len(word) < 10 for word in (part, parts))
    if not (numbers and 1 <= int(part) <= int(parts)):
        raise UsageError(f"--shard: must be I/N with I from 1 to N, such as 2/8, got {printable(text)}")
    return int(part), int(parts)


def _columns(text: str) -> list[str]:
    """The names of columns in a line of CSV, each once."""
    import csv

    return list(dict.fromkeys(name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])))


def _patiences(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and len(word) < 10 for word in words):
        raise UsageError(f"--patience: must be whole numbers such as 1,2,5,10, got {printable(text)}")
    return [int(word) for word in words]


def _print(text: str, *, safe: bool = False) -> None:
    """Write a report to stdout. A reader that went away is no bug, and neither is a full disk.

    Args:
        text: the report.
        safe: it holds no control characters but those that colour it.
    """
    from trainrun.report.sink import discard

    if sys.stdout is None:  # closed from the start
        raise typer.Exit(74)
    if sys.stdout.isatty() and not safe:  # labels and columns are text of the user's files
        text = "\n".join(map(printable, text.split("\n")))
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        discard(sys.stdout)
        raise typer.Exit(141 if isinstance(error, BrokenPipeError) else 74) from error
