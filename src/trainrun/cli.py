"""The command line: parse arguments, call the library, print. Each command imports what it needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from trainrun.errors import (
    DIVERGED,
    INTERRUPTED,
    DataError,
    DataMissingError,
    StorageError,
    UsageError,
    exit_code,
)
from trainrun.signals import StopRequest
from trainrun.text import printable

if TYPE_CHECKING:
    from trainrun.fitting import Observer, Outcome
    from trainrun.machines import Front
    from trainrun.predicting import TrainedRun
    from trainrun.runs.paths import SearchPaths
    from trainrun.runs.reading import Run

app = typer.Typer(
    help="Train PyTorch MLPs from YAML configs, and compare recipes with intervals and p-values.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_HERE = Path("runs")

# `readable=False`: the code that reads a path reports permission errors in its own words.

RunsFolder = Annotated[
    Path,
    typer.Option(
        "--runs", envvar="TRAINRUN_RUNS", metavar="DIR", help="Folder that holds the runs.", readable=False
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="K=V", help="Override a config key, for example dropout.hidden=0.2 (repeatable)."
    ),
]
_RUN = typer.Argument(
    metavar="RUN",
    help="Run: a directory, NAME, NAME-ID8, NAME-ID8/seed-N, a config file, or last.",
)
RunName = Annotated[str, _RUN]
RunNames = Annotated[list[str], _RUN]
Versus = Annotated[
    list[str] | None,
    typer.Option(
        "--vs",
        metavar="K=V",
        help="Add a variant of the baseline with these changes (repeatable). 'K=V|V' adds one for each "
        "value, and several keys give all combinations.",
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Metric that decides the verdict (default: the monitored one)."),
]
WholeEnsemble = Annotated[
    bool, typer.Option("--ensemble", help="Use all complete seeds of the config as one.")
]
RowsFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="File with new rows, in the format of the training file.", readable=False
    ),
]
TimeLimit = Annotated[
    str | None,
    typer.Option(
        "--time-limit",
        metavar="TIME",
        help="Save and exit with code 75 after this time, for example 55m or 1h30m.",
    ),
]
On = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="MACHINE",
        help="Where to train: local, slurm[:K=V,...] or a name of the machines file.",
    ),
]
Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Number of tasks on other machines (default: 4).")
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Return once the work is submitted; the same command attaches.")
]
OnlyShow = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be submitted, and submit nothing.")
]
TextOrJson = Annotated[Literal["text", "json"], typer.Option("--format", help="Output format on stdout.")]


def _say_version(wanted: bool) -> None:
    if wanted:
        from trainrun import __version__

        _print(f"trainrun {__version__}\n")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Typer reads the program's own options from this signature."""


@app.command()
def fit(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG", help="Config files in YAML.")],
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Number of seeds, starting at the config's seed.")
    ] = None,
    changes: Changes = None,
    runs: RunsFolder = _HERE,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over; finished and stopped runs are trained again.")
    ] = False,
    shard: Annotated[
        str,
        typer.Option(
            metavar="I/N", help="Train only share I of N of the runs, for job arrays; I starts at 1."
        ),
    ] = "1/1",
    allow_diverged: Annotated[
        bool, typer.Option("--allow-diverged", help="Exit with code 0 even if runs diverged.")
    ] = False,
    progress: Annotated[
        Literal["auto", "rich", "plain", "none"], typer.Option(help="How to show the progress of training.")
    ] = "auto",
    form: TextOrJson = "text",
    time_limit: TimeLimit = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard event files too.")
    ] = False,
    on: On = "local",
    workers: Workers = None,
    detach: Detach = False,
    dry_run: OnlyShow = False,
) -> None:
    """Train configs; continue stopped runs, skip complete ones."""
    with _stoppable(time_limit) as stop:
        from trainrun.fitting import Observers, Request, carry_out
        from trainrun.report.progress.console import Console

        front = _front(on, workers, detach, dry_run)
        if front and tensorboard:
            raise UsageError("--tensorboard: needs --on local: other machines send no epochs")
        request = Request(configs, changes or [], seeds, runs, fresh, _shard(shard), stop, elsewhere=front)
        console = Console(progress, sys.stderr if form == "json" else sys.stdout, stop.requested)
        try:
            with _dry_run(dry_run):
                outcomes = carry_out(request, Observers(console, *_tensorboard(tensorboard)))
        finally:
            console.close()
        if form == "text" and console.has_trained and not stop.requested():
            from trainrun.report.progress.stream import BestEffortStream
            from trainrun.report.progress.summary import ensemble_lines
            from trainrun.runs.reading import Run

            found = [Run(outcome.directory) for outcome in outcomes if outcome.directory]
            # It only adds to what is complete: a request to stop does not wait for it.
            lines: list[str] = []
            stop.wait_for(lambda: lines.extend(ensemble_lines(found)))
            if not stop.requested():
                BestEffortStream(sys.stdout).lines(lines)
        _conclude(outcomes, form, allow_diverged)


@app.command()
def compare(
    configs: Annotated[
        list[str], typer.Argument(metavar="CONFIG", help="Config files or runs; the first is the baseline.")
    ],
    vs: Versus = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Number of seeds for each config (default: 10; of given runs, all)."
        ),
    ] = None,
    metric: Metric = None,
    no_fit: Annotated[bool, typer.Option("--no-fit", help="Train nothing; use finished runs only.")] = False,
    ablate: Annotated[bool, typer.Option("--ablate", help="Test each changed key alone, too.")] = False,
    changes: Changes = None,
    runs: RunsFolder = _HERE,
    form: Annotated[
        Literal["table", "json", "csv", "markdown", "latex"],
        typer.Option("--format", help="Output format on stdout."),
    ] = "table",
    time_limit: TimeLimit = None,
    on: On = "local",
    workers: Workers = None,
    detach: Detach = False,
    dry_run: OnlyShow = False,
) -> None:
    """Compare configs over paired seeds: which is better, and by how much.

    Missing runs are trained first. The output has intervals, p-values and a verdict.
    """
    with _stoppable(time_limit) as stop:
        from trainrun.comparing import CompareRequest, answer
        from trainrun.report.comparison.layout import render
        from trainrun.report.progress.stack_progress import StackProgress
        from trainrun.report.progress.stream import BestEffortStream

        request = CompareRequest(
            configs,
            vs or [],
            changes or [],
            seeds,
            metric,
            runs,
            not no_fit,
            ablate,
            stop,
            _front(on, workers, detach, dry_run),
        )
        members = StackProgress(sys.stderr, stop.requested)
        try:
            with _dry_run(dry_run):
                comparison = answer(request, members)
        finally:
            members.close()
        warnings = comparison.warnings if form == "csv" else ()  # the other formats hold them
        BestEffortStream(sys.stderr).lines([*map(str, comparison.errors), *warnings])
        _print(render(comparison, form), safe=True)
        raise typer.Exit(comparison.exit_code)


@app.command()
def search(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="Config file with a section search.")],
    candidates: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Number of settings to try (default: 100; of a grid, all)."),
    ] = None,
    finalists: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of the best candidates to confirm.")
    ] = 3,
    seeds: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of fresh seeds that confirm each finalist.")
    ] = 10,
    sampler: Annotated[
        Literal["auto", "grid", "random", "tpe"],
        typer.Option(help="How to choose settings: auto takes a grid if it is small enough, else tpe."),
    ] = "auto",
    metric: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Metric that ranks candidates (default: the monitored one)."),
    ] = None,
    epochs_first: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Epochs before the worst candidates are dropped first."),
    ] = 1,
    changes: Changes = None,
    runs: RunsFolder = _HERE,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a copy of the best config here.", readable=False),
    ] = None,
    outer: Annotated[
        int | None,
        typer.Option(
            min=2, metavar="N", help="Repeat the whole search on N folds, to judge searching itself."
        ),
    ] = None,
    form: Annotated[
        Literal["text", "json", "csv"], typer.Option("--format", help="Output format on stdout.")
    ] = "text",
    time_limit: TimeLimit = None,
) -> None:
    """Search for the best settings, and confirm them over fresh seeds.

    Candidates train side by side; the worst are dropped early. The same command continues.
    """
    with _stoppable(time_limit) as stop:
        from trainrun.report.progress.search_progress import SearchProgress
        from trainrun.report.progress.stream import BestEffortStream
        from trainrun.report.search.layout import render
        from trainrun.searching import SearchRequest, answer

        options = (sampler, metric, epochs_first, changes or [], runs, out, outer, stop)
        request = SearchRequest(config, candidates, finalists, seeds, *options)
        progress = SearchProgress(sys.stderr, stop.requested)
        try:
            found = answer(request, progress)
        finally:
            progress.close()
        BestEffortStream(sys.stderr).lines(list(map(str, found.errors)))
        _print(render(found, form), safe=True)
        raise typer.Exit(found.exit_code)


@app.command()
def report(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|CONFIG|SEARCH",
            help="Runs or configs to draw, the baseline first; or a search: a directory or searches/NAME.",
        ),
    ],
    vs: Versus = None,
    metric: Metric = None,
    changes: Changes = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Output file (default: report.html).", readable=False)
    ] = None,
    form: Annotated[
        Literal["html", "png", "svg", "pdf"] | None,
        typer.Option("--format", help="Page or figure format (default: from the suffix of FILE)."),
    ] = None,
    runs: RunsFolder = _HERE,
) -> None:
    """Draw runs, a comparison or a search: a page for a browser, or a figure.

    Nothing is trained. A comparison is noted in looks.jsonl and ensembles.jsonl in the folder of runs.
    """
    from trainrun.comparing import CompareRequest, answer
    from trainrun.report.pictures import form_of, render
    from trainrun.report.progress.stack_progress import StackProgress
    from trainrun.runs.files import write_out

    form = form or form_of(out)
    target = out or Path(f"report.{form}")
    if search := _search_alone(names, runs, {"--vs": vs, "--set": changes, "--metric": metric}):
        from trainrun.report.search.drawing import draw
        from trainrun.searching.reading import read_finished

        write_out(target, draw(read_finished(search), form))
        _print(f"{printable(str(target))}\n")
        return
    request = CompareRequest(names, vs or [], changes or [], "all", metric, runs, fit=False)
    write_out(target, render(answer(request, StackProgress(sys.stderr)), form))
    _print(f"{printable(str(target))}\n")


@app.command()
def check(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG", help="Config files in YAML.")],
    changes: Changes = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 3 if a problem is found.")] = False,
    form: TextOrJson = "text",
) -> None:
    """Check a net before training: can it learn, and what will it cost?

    Shows the size of signals and gradients in each layer, on one batch. Nothing is saved.
    """
    from trainrun.checking import Check, Unchecked, check_all
    from trainrun.report.check import as_json, as_text
    from trainrun.report.progress.stream import BestEffortStream

    results: list[Check | Unchecked] = []
    for result in check_all(configs, changes or []):
        if isinstance(result, Unchecked):
            BestEffortStream(sys.stderr).lines([str(result.error)])
        elif form == "text":
            _print("\n" * bool(results) + as_text(result), safe=True)
        results.append(result)
    if form == "json":
        _print(as_json(results))
    raise typer.Exit(exit_code(result.exit_code(strict) for result in results))


@app.command()
def schedule(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="Config file in YAML.")],
    changes: Changes = None,
    form: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="Output format on stdout.")
    ] = "table",
) -> None:
    """Show the learning rate at every step of training."""
    from trainrun.config import load_config
    from trainrun.report.progress.stream import BestEffortStream
    from trainrun.report.schedule import remarks, render, tabulate

    planned = load_config(config, changes or [])
    text = render(planned, tabulate(planned), form)
    if form != "table":  # the table says this below
        BestEffortStream(sys.stderr).lines(remarks(planned))
    _print(text)


@app.command()
def find_lr(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="Config file in YAML.")],
    seeds: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Number of seeds for each rate, starting at the config's seed."
        ),
    ] = 3,
    low: Annotated[float, typer.Option(metavar="L", help="Lowest learning rate to try.")] = 1e-5,
    high: Annotated[float, typer.Option(metavar="L", help="Highest learning rate to try.")] = 10.0,
    steps: Annotated[
        int, typer.Option(min=1, metavar="N", help="Minimum number of training steps for each rate.")
    ] = 200,
    changes: Changes = None,
    form: TextOrJson = "text",
) -> None:
    """Find a good learning rate by trying many side by side.

    Each rate trains for a short while and stays constant. Nothing is saved.
    """
    from trainrun.config import load_config
    from trainrun.rate_range import find_range
    from trainrun.report.find_lr import as_json, as_text
    from trainrun.report.progress.stream import BestEffortStream

    recipe = load_config(config, changes or [])
    if (progress := BestEffortStream(sys.stderr)).is_terminal:
        progress.lines([f"Trying learning rates from {low:g} to {high:g} ..."])
    found = find_range(recipe, limits=(low, high), seeds=seeds, steps=steps)
    _print(as_json(found) if form == "json" else as_text(found))


@app.command()
def predict(
    run: RunName,
    file: RowsFile,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Output file (default: stdout).", readable=False)
    ] = None,
    probabilities: Annotated[
        bool,
        typer.Option("--probabilities", help="Add a column p_<label> with the probability of each class."),
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(metavar="COLUMN,...", help="Columns of FILE to copy in front of the predictions."),
    ] = None,
    ensemble: WholeEnsemble = False,
    runs: RunsFolder = _HERE,
) -> None:
    """Predict new rows and print CSV.

    Each row of FILE gives one row. Classes are named; numbers are in units of the target.
    """
    from trainrun.report.progress.stream import BestEffortStream
    from trainrun.report.tables import columns_csv
    from trainrun.runs.files import write_out

    trained = _trained(run, runs, ensemble)
    kept = _columns(keep) if keep else []
    names = [f"p_{label}" for label in trained.preprocessing.target.classes] if probabilities else []
    for name in kept:
        if name in ("prediction", *names):
            raise UsageError(f"--keep: {printable(name)} is also the name of a column of predictions")
    rows, notes = trained.read(file, keep=kept)
    BestEffortStream(sys.stderr).lines([printable(note.text) for note in notes])
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
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="Labelled rows, with the columns of training (default with --ensemble: its own parts).",
            readable=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File with the labels, if FILE holds IDX images.", readable=False),
    ] = None,
    ensemble: WholeEnsemble = False,
    runs: RunsFolder = _HERE,
    form: TextOrJson = "text",
) -> None:
    """Compute the loss and metrics on labelled rows.

    With --ensemble the probabilities or predictions of all complete seeds are averaged.
    """
    from trainrun.jsonio import to_json
    from trainrun.predicting import Ensemble
    from trainrun.report.progress.stream import BestEffortStream
    from trainrun.report.tables import cell, text_table

    trained = _trained(run, runs, ensemble)
    values: dict[str, Any] = {}
    if file:
        rows, notes = trained.read(file, labels)
        BestEffortStream(sys.stderr).lines([printable(note.text) for note in notes])
        values = trained.evaluate(rows)
        headings, table = ["METRIC", "VALUE"], [[name, cell(value)] for name, value in values.items()]
    elif not isinstance(trained, Ensemble):
        raise UsageError("evaluate: name the FILE with labelled rows")
    if isinstance(trained, Ensemble) and (form == "json" or not file):
        parts: dict[str, dict[str, float] | None] = {"valid": None, "test": None}
        with suppress(DataError, DataMissingError) if file else nullcontext():  # FILE needs no training data
            parts = trained.evaluate_parts()
        values = {**values, "ensemble": {"seeds": trained.seeds, **parts}}
        known = {part: metrics for part, metrics in parts.items() if metrics}
        names = dict.fromkeys(name for metrics in known.values() for name in metrics)
        headings = ["METRIC", *map(str.upper, known)]
        table = [[name, *(cell(metrics[name]) for metrics in known.values())] for name in names]
    _print(to_json(values) + "\n" if form == "json" else text_table(headings, table))


def _trained(run: str, runs: Path, ensemble: bool) -> TrainedRun:
    """Return a finished run, or all complete seeds of its config."""
    from trainrun.predicting import Ensemble, load_run

    found = _named([run], runs, one=not ensemble)
    return Ensemble.named(found) if ensemble else load_run(found[0])


@app.command("list")
def list_(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[runs|recipes|initializers|schedules|...]",
            help="Kind of list: runs, or the choices of a config key.",
        ),
    ] = "runs",
    runs: RunsFolder = _HERE,
    form: Annotated[
        Literal["text", "json", "csv", "markdown"], typer.Option("--format", help="Output format on stdout.")
    ] = "text",
) -> None:
    """List runs, or the values that a config may name.

    Schedules, optimizers and the like are listed with their settings, recipes with their sources.
    """
    from trainrun.report.list import list_ingredients, list_runs

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
        str | None,
        typer.Option(metavar="P,...", help="Replay the runs with these patiences, for example 1,5,20."),
    ] = None,
    runs: RunsFolder = _HERE,
    form: Annotated[
        Literal["text", "json", "csv"], typer.Option("--format", help="Output format on stdout.")
    ] = "text",
) -> None:
    """Show runs, or replay them with other patiences.

    A single run shows its config, results, confusion matrix and last epochs; several show a table.
    """
    from trainrun.report.show import show_runs

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
        list[str] | None,
        typer.Argument(metavar="[RUN...]", help="Runs to remove (default: all in the folder of runs)."),
    ] = None,
    diverged: Annotated[bool, typer.Option("--diverged", help="Select only runs that diverged.")] = False,
    older: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Select only runs started longer ago than this, for example 30d."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove the runs; without this, only list them.")
    ] = False,
    runs: RunsFolder = _HERE,
) -> None:
    """Remove runs; without --yes, only list them."""
    from trainrun.report.list import describe_removal
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
    """Print the JSON Schema of configs, for editors."""
    from trainrun.config import json_schema
    from trainrun.jsonio import to_json

    _print(to_json(json_schema()) + "\n")


@app.command()
def init(
    table: Annotated[
        Path | None, typer.Argument(metavar="[CSV]", help="Table to write a config for.", readable=False)
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Name of the column to predict.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Config file to write (default: named like the table).", readable=False
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Recipe to extend, from trainrun list recipes (default: none)."),
    ] = None,
) -> None:
    """Write a commented config to start from."""
    from trainrun.report.init import write_starter

    _print(write_starter(table, target, out, recipe))


@contextmanager
def _stoppable(time_limit: str | None) -> Iterator[StopRequest]:
    """Handle signals and the time limit; exit with code 75 if they stopped the command."""
    with StopRequest(time_limit) as stop:
        try:
            yield stop
        except typer.Exit as leaving:
            if leaving.exit_code != INTERRUPTED:
                stop.end_abandoned(leaving.exit_code)
                raise
            from trainrun.report.progress.stream import BestEffortStream

            if stop.reason:
                last_word = BestEffortStream(sys.stderr, stop.requested)
                last_word.lines([f"Stopped by {stop.reason}: the same command continues"])
                last_word.drain()
            stop.leave()


@app.command()
def machines(
    on: On = "local",
    runs: RunsFolder = _HERE,
    form: TextOrJson = "text",
) -> None:
    """Show where runs would train, and probe it with a small task.

    The task says which versions, processors and GPUs it has, and whether it sees the folder of runs.
    """
    with _stoppable(None) as stop:
        from trainrun.machines.choice import LOCAL, choose_machine, names
        from trainrun.machines.probing import probe, this_place
        from trainrun.report.machines import as_json, as_text

        machine = choose_machine(on)
        found = probe(machine, runs, stop.requested) if machine else None
        if machine and not found:
            raise typer.Exit(INTERRUPTED)
        place = found.place if found else this_place()
        others = [name for name in names() if name != LOCAL]
        _print((as_json if form == "json" else as_text)(on, place, found, runs, others))


@app.command("probe", hidden=True)
def answer_probe(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the probe.")],
    task: Annotated[int, typer.Option(min=0, metavar="N", help="Number of the task.")],
) -> None:
    """Write what this machine is like, for trainrun machines."""
    from trainrun.machines.probing import answer_probe as answer

    answer(directory)


@app.command(hidden=True)
def work(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the submission.")],
    task: Annotated[int, typer.Option(min=0, metavar="N", help="Number of the task.")],
) -> None:
    """Train the runs of one task that another command has submitted."""
    with _stoppable(None) as stop:
        from trainrun.machines.worker import work as carry_out_task

        raise typer.Exit(carry_out_task(directory, task, stop))


def _front(on: str, workers: int | None, detach: bool, dry_run: bool = False) -> Front | None:
    """Return what trains on other machines; None for `--on local`."""
    if on == "local":
        if workers or detach or dry_run:
            raise UsageError("--workers, --detach and --dry-run: need --on with another machine than local")
        return None
    from trainrun.machines import Front, choose_machine
    from trainrun.report.progress.stream import BestEffortStream

    machine = choose_machine(on)
    stderr = BestEffortStream(sys.stderr)
    if machine is None:
        return None
    return Front(machine, on, workers, detach, lambda sentence: stderr.lines([sentence]), dry_run)


@contextmanager
def _dry_run(wanted: bool) -> Iterator[None]:
    """Print what a command would submit, and end it there."""
    if not wanted:
        yield
        return
    from trainrun.machines import DryRun

    try:
        yield
    except DryRun as ended:
        _print(str(ended))
        raise typer.Exit from None


def _tensorboard(wanted: bool) -> list[Observer]:
    if not wanted:
        return []
    from trainrun.report.tensorboard import TensorBoard

    return [TensorBoard(sys.stderr)]


def _conclude(outcomes: Sequence[Outcome], form: str, allow_diverged: bool) -> None:
    """Print errors and JSON output, then exit with the command's code."""
    from trainrun.report.progress.stream import BestEffortStream

    messages = dict.fromkeys(str(outcome.error) for outcome in outcomes if outcome.error)
    BestEffortStream(sys.stderr).lines(list(messages))
    if form == "json":
        from trainrun.report.outcomes import outcomes_json

        _print(outcomes_json(outcomes))
    allowed = {DIVERGED} if allow_diverged else set()
    raise typer.Exit(exit_code({outcome.exit_code for outcome in outcomes} - allowed))


def _named(names: Sequence[str], runs: Path, *, one: bool = False) -> list[Run]:
    """Return the named runs without repeats; print on stderr which run each name means.

    Args:
        names: as the user wrote them.
        runs: the folder of runs.
        one: whether each name must mean a single run.
    """
    from trainrun.report.progress.stream import BestEffortStream
    from trainrun.runs.naming import resolve

    named = [resolve(name, runs, _identify) for name in names]
    if one:
        named = [found.one() for found in named]
    BestEffortStream(sys.stderr).lines(
        list(dict.fromkeys(found.sentence for found in named if found.sentence))
    )
    return list({run.paths.directory: run for found in named for run in found.runs}.values())


def _search_alone(names: Sequence[str], runs: Path, options: Mapping[str, object]) -> SearchPaths | None:
    """Return the files of the named search; None where the names mean runs.

    Args:
        names: as the user wrote them.
        runs: the folder of runs.
        options: what does not go with a search, by name.
    """
    from trainrun.report.progress.stream import BestEffortStream
    from trainrun.runs.search_names import resolve_search

    found = next((search for name in names if (search := resolve_search(name, runs))), None)
    if found is None:
        return None
    if len(names) > 1:
        raise UsageError(f"report: {printable(found.text)} is a search, which is drawn alone: name no other")
    for option, given in options.items():
        if given:
            raise UsageError(f"{option}: does not go with a search, and {printable(found.text)} is one")
    BestEffortStream(sys.stderr).lines([found.sentence] if found.sentence else [])
    return found.paths


def _leave_out(closed: Sequence[StorageError]) -> None:
    """Report runs that could not be read; exit with their code if there are any."""
    from trainrun.report.progress.stream import BestEffortStream

    BestEffortStream(sys.stderr).lines([str(error) for error in closed])
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
    """Return the column names in a line of CSV, without repeats."""
    import csv

    return list(dict.fromkeys(name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])))


def _patiences(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and len(word) < 10 for word in words):
        raise UsageError(f"--patience: must be whole numbers such as 1,2,5,10, got {printable(text)}")
    return [int(word) for word in words]


def _print(text: str, *, safe: bool = False) -> None:
    """Write a report to stdout; exit quietly if the pipe is closed or the disk is full.

    Args:
        text: the report.
        safe: whether its only control characters are colours.
    """
    from trainrun.report.progress.stream import discard

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
