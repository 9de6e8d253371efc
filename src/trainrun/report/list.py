"""`trainrun list`: the runs in a folder, and the ingredients a config may name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from trainrun.errors import StorageError, UsageError
from trainrun.jsonio import to_json
from trainrun.quantities import Duration
from trainrun.recipes import recipes
from trainrun.report.tables import Format, cell, render
from trainrun.runs.cleaning import size
from trainrun.runs.reading import Run, find_runs
from trainrun.text import printable

RUNS, RECIPES = "runs", "recipes"


def list_runs(runs: Path, form: Format) -> tuple[str, list[StorageError]]:
    """The runs in a folder, one a row, and what of it cannot be read.

    Raises:
        StorageError: the folder itself cannot be read.
    """
    closed: list[StorageError] = []
    found = find_runs(runs, closed.append)
    closed += [error for run in found if (error := run.closed)]
    if not found and form == "text":
        none = f"No runs in {printable(str(runs.absolute()))} yet: `trainrun fit CONFIG` makes one\n"
        return "" if closed else none, closed
    columns = {
        "RUN": lambda record: record["run"],
        "SEED": lambda record: record["seed"],
        "STATUS": lambda record: record["status"],
        "BEST": lambda record: _of(record["best_epoch"], record["epochs"]),
        "MONITORED": lambda record: (
            _named({record["monitor"]: record["monitored"]}) if record["monitor"] else ""
        ),
        "TEST": lambda record: _named(_headline(record["test"] or {})),
        "BEGUN": lambda record: record["begun"] and record["begun"].replace("T", " ")[:16],
    }
    return render([_run_record(run) for run in found], form, columns), closed


def list_recipes(form: Format) -> str:
    """List the recipes that come with trainrun: names, sentences, sources."""
    records = [
        {"name": recipe.name, "summary": recipe.summary, "source": recipe.source}
        for recipe in recipes().values()
    ]
    columns = {
        "NAME": lambda record: record["name"],
        "RECIPE": lambda record: record["summary"],
        "SOURCE": lambda record: record["source"],
    }
    return render(records, form, columns)


def list_ingredients(kind: str, form: Format) -> str:
    """The ingredients of one kind: names, settings with their defaults, and what they do.

    Raises:
        UsageError: there is no such kind.
    """
    from trainrun.ingredients import REGISTRIES

    if kind == RECIPES:
        return list_recipes(form)
    if kind not in REGISTRIES:
        raise UsageError(f"list: knows {', '.join([RUNS, RECIPES, *REGISTRIES])}, not {printable(kind)}")
    records = [
        {
            "name": name,
            "aliases": list(ingredient.aliases),
            "settings": {setting.name: _default(setting.default) for setting in ingredient.settings.values()},
            "summary": ingredient.summary,
        }
        for name, ingredient in REGISTRIES[kind].items()
    ]
    columns = {
        "NAME": lambda record: ", ".join([record["name"], *record["aliases"]]),
        "SETTINGS": lambda record: _settings(record["settings"]),
        "MEANING": lambda record: record["summary"],
    }
    return render(records, form, columns)


def describe_removal(run: Run, removed: bool) -> str:
    """The line that says what `trainrun clean` does, or would do."""
    verb = "Removing" if removed else "Would remove"
    return f"{verb} {printable(str(run.directory))} ({run.status}, {size(run) / 1e6:.1f} MB)\n"


def _run_record(run: Run) -> dict[str, Any]:
    result = run.result or {}
    begun = run.begun
    return {
        "run": run.paths.directory.parent.name,
        "seed": run.seed,
        "status": run.status,
        "best_epoch": result.get("best_epoch"),
        "epochs": result.get("epochs"),
        "monitor": run.monitor,
        "monitored": run.monitored,
        "test": result.get("test"),
        "begun": begun.astimezone().isoformat(timespec="seconds") if begun else None,
        "seconds": run.seconds,
        "directory": run.paths.directory,
    }


def _default(default: Any) -> Any:
    if default is inspect.Parameter.empty:
        return "(required)"
    if isinstance(default, tuple):
        return list(default)
    return str(default) if isinstance(default, Duration) else default


def _settings(settings: dict[str, Any]) -> str:
    return ", ".join(
        f"{key} {value if isinstance(value, str) else to_json(value)}" for key, value in settings.items()
    )


def _headline(values: dict[str, float | None]) -> dict[str, float | None]:
    """The first metric, or the loss where it stands alone: a row has room for one."""
    name = next((name for name in values if name != "loss"), "loss")
    return {name: values[name]} if values else {}


def _of(best: int | None, epochs: int | None) -> str:
    return "" if epochs is None else f"{'-' if best is None else best} of {epochs}"


def _named(values: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {cell(value) or 'null'}" for name, value in values.items())
