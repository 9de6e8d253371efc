"""`trainrun init`: a commented config to start from."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from trainrun.config.yaml.parser import LARGEST
from trainrun.errors import DataError, UsageError
from trainrun.recipes import recipes
from trainrun.runs.files import write_files
from trainrun.text import printable, short

if TYPE_CHECKING:
    from trainrun.data.first_config import Start

_MOST_LISTED = 50  # columns in a comment
_LONGEST = 100  # characters of each
_MOST_SAID = 8  # columns that are left out, with the reason

_BUNDLED = """\
data: digits                 # a bundled set; for a table of your own: trainrun init your.csv
"""

_TABLE = """\
data:
  path: {path}
{columns}  target: {target}{header}
  task: auto                 # classification | regression; auto: text and few distinct integers are classes
  drop: {drop:<20} # columns to leave out, such as row numbers and names
{dropped}{missing}  split: {split}
"""

_REST = """\

# The net. For tables, the line `extends: tabular` in place of all that follows is hard to beat.
hidden: [64, 64]             # units of each hidden layer; [] is a linear model
activation: relu             # trainrun list activations
initializer: auto            # trainrun list initializers; auto suits activation and depth
dropout: 0.0                 # the share of hidden units dropped in each step

# The training.
optimizer: adam              # trainrun list optimizers
learning_rate: 0.001
schedule: constant           # trainrun list schedules, such as {name: step, every: 20 epochs}
regularization: {l1: 0, l2: 0, weight_decay: auto}
early_stopping: auto         # patience 10 on val_loss; off where the schedule spans the whole training
epochs: 100
batch_size: 32
seed: 0
"""

_RECIPE = """\

# Net and training come from a recipe: trainrun list recipes. Keys below this line change it.
extends: {name}
"""


def write_starter(table: Path | None, target: str | None, out: Path | None, recipe: str | None = None) -> str:
    """Write a config to start from, one that `fit` takes.

    Args:
        table: what to train on; None for a bundled set.
        target: the column to predict; None takes the last one and says so.
        out: the config; None is one named like the table, here.
        recipe: what net and training come from; None writes their keys with the defaults.

    Returns:
        What to say about it.

    Raises:
        UsageError: the file exists, the table has no such column, or there is no such recipe.
        DataError: the table cannot be read, or `fit` would refuse it.
        StorageError: the config cannot be written.
    """
    place = out or Path(f"{(table.name.partition('.')[0] or 'table') if table else 'digits'}.yaml")
    if place.exists():
        raise UsageError(f"{printable(str(place))}: exists already; choose another name with --out")
    if target is not None and not table:
        raise UsageError("--target: is the column of a table: say which, as in trainrun init houses.csv")
    rest = _REST if recipe is None else _from_recipe(recipe)
    if table is None:
        write_files({place: (_BUNDLED + rest).encode()})
        return _said(place)
    from trainrun.data.first_config import start

    found = start(table, target)
    text = starter_config(found, place.parent, rest).encode()
    if len(text) > LARGEST:
        raise DataError(
            f"{printable(str(table))}: needs a config of more than {LARGEST >> 10} KiB: {len(found.dropped)} "
            "columns would be left out by name; leave them out of the file"
        )
    write_files({place: text})
    return _said(place, found)


def _from_recipe(name: str) -> str:
    if name not in recipes():
        raise UsageError(f"--recipe: knows {', '.join(recipes())}, not {short(name)}")
    return _RECIPE.format(name=name)


def _said(place: Path, found: Start | None = None) -> str:
    """Return what the command says: the file, what was guessed, and how to go on."""
    lines = [f"Wrote {printable(str(place))}"]
    if found and found.guessed:
        lines.append(f"Its target is a guess: {_guess(found)}")
    lines += [f"Left out: {reason}" for reason in _reasons(found)] if found else []
    if found and found.missing:
        lines.append(f"Left out: rows with a missing value, since {found.missing}")
    path = f"./{place}" if str(place).startswith("-") else str(place)
    return "\n".join([*lines, f"Now: trainrun fit {printable(shlex.quote(path))}", ""])


def _guess(found: Start) -> str:
    target = found.data.target
    if isinstance(target, Path):
        return f"the labels in {printable(target.name)}"
    return f"the {'array' if found.arrays else 'last column'}, {printable(str(target))}"


def _reasons(found: Start) -> list[str]:
    """Return a sentence for each column that is left out, at most some."""
    said = [f"{_text(short(name))} ({why})" for name, why in list(found.dropped.items())[:_MOST_SAID]]
    more = len(found.dropped) - len(said)
    return [*said, *([f"{more} more columns"] if more else [])]


def starter_config(found: Start, directory: Path, rest: str = _REST) -> str:
    """Return a config with the keys most people change, each with a comment.

    Args:
        found: what it must say of the table.
        directory: where the config will be.
        rest: the keys besides `data`.
    """
    data = found.data
    target = data.target
    shown = _relative(target, directory) if isinstance(target, Path) else str(target)
    how = "the last column; name the one to predict" if found.columns and not found.arrays else "by its name"
    guess = f"  # a guess: {how}" if found.guessed else ""
    split = "{valid: 0, test: 0}" if found.split else "{valid: 0.2, test: 0.2}"
    return (
        _TABLE.format(
            path=_text(_relative(data.path or Path(), directory)),
            columns=_listed("Arrays" if found.arrays else "Columns", found.columns),
            target=_text(shown) + guess,
            header="" if data.header == "auto" else f"\n  header: {str(data.header).lower()}",
            drop=f"[{', '.join(map(_text, data.drop))}]",
            dropped="".join(f"  # Left out: {reason}\n" for reason in _reasons(found)),
            missing=f"  missing: drop              # {found.missing}\n" if found.missing else "",
            split=split + (f"  # {found.split}" if found.split else ""),
        )
        + rest
    )


def _listed(what: str, names: Sequence[str]) -> str:
    """Return a comment with the names to choose from, the first of them where there are many."""
    if not names:
        return ""
    shown = [_text(name[:_LONGEST]) for name in names[:_MOST_LISTED]]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    comment = fill(
        ", ".join(shown) + more,
        width=100,
        initial_indent=f"  # {what}: ",
        subsequent_indent=f"  #{' ' * (len(what) + 3)}",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"{comment}\n"


def _relative(path: Path, directory: Path) -> str:
    """Return a path as the config sees it; one that begins with ~ would be somebody's home."""
    relative = os.path.relpath(path, directory)
    return f"./{relative}" if relative.startswith("~") else relative


def _text(value: str) -> str:
    """Return text as YAML reads it back: in JSON's quotes and escapes, unless it is a plain word."""
    if (
        value.isidentifier()
        and value.isascii()
        and value.lower() not in {"null", "true", "false", "nan", "inf"}
    ):
        return value
    return "".join(map(_escaped, json.dumps(value, ensure_ascii=False)))


def _escaped(character: str) -> str:
    r"""Return a character that YAML may not hold as an escape: YAML's `\\U` is beyond JSON."""
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
