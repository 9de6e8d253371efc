"""`trainrun init`: a commented config to start from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from trainrun.errors import UsageError, printable
from trainrun.runs.files import to_json, write_files

_BUNDLED = """\
data: digits                 # a bundled set; for a table of your own: trainrun init your.csv
"""

_TABLE = """\
data:
  path: {path}
{columns}
  target: {target}
  task: auto                 # classification | regression; auto: text and few distinct integers are classes
  drop: []                   # columns to leave out, such as row numbers and names
  split: {{valid: 0.2, test: 0.2}}
"""

_REST = """\

# The net.
hidden: [64, 64]             # units of each hidden layer; [] is a linear model
activation: relu             # trainrun list activations
initializer: auto            # trainrun list initializers; auto suits the activation
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


def write_starter(table: Path | None, target: str | None, out: Path | None) -> str:
    """Write a config to start from.

    Args:
        table: what to train on; None for a bundled set.
        target: the column to predict; None takes the last one and says so.
        out: the config; None is one named like the table, here.

    Returns:
        What to say about it.

    Raises:
        UsageError: the file exists, or the table has no such column.
        DataError: the table cannot be read.
        StorageError: the config cannot be written.
    """
    place = out or Path(f"{table.name.partition('.')[0] if table else 'digits'}.yaml")
    if place.exists():
        raise UsageError(f"{printable(str(place))}: exists already; choose another name with --out")
    columns = _columns(table) if table else ()
    if target is not None and not table:
        raise UsageError("--target: is the column of a table: say which, as in trainrun init houses.csv")
    if target is not None and target not in columns:
        raise UsageError(
            f"--target: {printable(target)} is not one of the columns {printable(', '.join(columns))}"
        )
    path = os.path.relpath(table, place.parent) if table else None
    write_files({place: starter_config(path, columns, target).encode()})
    guess = (
        "" if target or not table else f"\nIts target is a guess: the last column, {printable(columns[-1])}"
    )
    return f"Wrote {printable(str(place))}{guess}\nNow: trainrun fit {printable(str(place))}\n"


def starter_config(path: str | None, columns: Sequence[str], target: str | None) -> str:
    """The text of a config with the keys most people change, each with a comment.

    Args:
        path: of the table, as the config file sees it; None for a bundled set.
        columns: of the table; listed in a comment.
        target: the column to predict; None takes the last one, and a comment says that it is a guess.
    """
    if path is None:
        return _BUNDLED + _REST
    guess = "" if target else "  # a guess: the last column; name the one to predict"
    target_line = _text(target or columns[-1]) + guess
    listed = fill(
        ", ".join(map(_text, columns)),
        width=100,
        initial_indent="  # Columns: ",
        subsequent_indent="  #          ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return _TABLE.format(path=_text(path), columns=listed, target=target_line) + _REST


def _text(value: str) -> str:
    """Text as YAML reads it back: JSON's quoting, whose escapes YAML shares, unless it is a plain word."""
    plain = (
        value.isidentifier()
        and value.isascii()
        and value.lower() not in {"null", "true", "false", "nan", "inf"}
    )
    return value if plain else to_json(value)


def _columns(table: Path) -> tuple[str, ...]:
    from trainrun.data.layout import Layout
    from trainrun.data.sources import read_file

    return read_file(table, printable(str(table)), Layout()).header
