"""Using a finished run: its net, predictions and evaluations of raw rows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from trainrun.calibration import softmax
from trainrun.config import Config
from trainrun.config.identity import identify
from trainrun.data import (
    Dataset,
    Part,
    Preprocessing,
    Table,
    as_table,
    describe_new_rows,
    digests,
    identify_file,
    load_dataset,
    read_table,
)
from trainrun.errors import DataError, StorageError, UsageError
from trainrun.fitting.treatment import require_same_reading
from trainrun.jackknife import means_without_each, row_groups
from trainrun.notes import Note
from trainrun.objective import make_objective
from trainrun.os_errors import explained
from trainrun.plan import Architecture
from trainrun.runs.files import read_bytes
from trainrun.runs.naming import resolve
from trainrun.runs.paths import default_runs, seed_of
from trainrun.runs.reading import Run
from trainrun.text import listed, nearest, printable, quoted

if TYPE_CHECKING:
    from torch import nn

    from trainrun.engine.saved import SavedNet


_LARGEST_HEADER = 2**20  # bytes, of a file of weights
_NUMBERS_AT_ONCE = 2**22  # outputs of all members that are in memory together


class TrainedRun:
    """A finished run, ready to be used. Rows are a file's path or a table in memory.

    A table is a pandas or polars frame, a `pyarrow.Table`, a dict of columns, a list of dicts, or a 2-D array
    with the columns in the order of training.

    Args:
        run: the run.

    Raises:
        UsageError: it is not finished.
        StorageError: it may not be read.
    """

    def __init__(self, run: Run) -> None:
        if closed := run.closed:
            raise closed from run.read_error
        if not run.result:
            raise UsageError(f"{run.label}: is not finished")
        self.run = run

    @cached_property
    def config(self) -> Config:
        """The resolved config."""
        return self.run.config

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """Preprocessing from raw rows to the net's input."""
        path = self.run.paths.preprocessing
        shown = printable(str(path))
        try:
            return Preprocessing.from_json(json.loads(read_bytes(path)))
        except DataError as error:
            raise DataError(f"{shown}: {error}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise StorageError(f"{shown}: cannot be read: {printable(str(error))}") from error

    def predict(self, rows: Any) -> np.ndarray:
        """Label names (text) [N], or numbers in the target's units (float64) [N], row for row.

        Raises:
            DataError: the rows cannot be used.
        """
        outputs = self._outputs(self._table(rows))
        if self.preprocessing.target.task == "classification":
            return np.array(self.preprocessing.target.classes)[outputs.argmax(axis=1)]
        return self.preprocessing.target.in_own_units(outputs[:, 0])

    def probabilities(self, rows: Any) -> np.ndarray:
        """The probability of each label [N, labels], in the order of `preprocessing.target.classes`.

        Raises:
            UsageError: the run predicts numbers.
        """
        if self.preprocessing.target.task != "classification":
            raise UsageError(f"{self.run.label}: predicts a number, which has no probabilities")
        logits = self._outputs(self._table(rows)).astype(np.float64)
        return softmax(logits)

    def evaluate(self, rows: Any, labels: Path | None = None) -> dict[str, float]:
        """The loss and the run's metrics on labelled rows.

        Args:
            rows: with the target; IDX images have it in a file of their own.
            labels: that file.
        """
        table = self._table(rows, labels)
        return self._evaluate(self.preprocessing.transform(table), self.preprocessing.targets(table))

    def evaluate_parts(self) -> dict[str, dict[str, float] | None]:
        """The loss and the run's metrics on the validation and test rows of its own data.

        Returns:
            By part, `valid` and `test`; None where the config has no such part.

        Raises:
            DataMissingError: a file is gone.
            DataError: a file has changed since training.
            DifferentRunError: the data are prepared differently now.
        """
        self.require_same_data(digests(self.config.data))
        dataset = load_dataset(self.config)
        require_same_reading(self.run, dataset.preprocessing)
        return {
            name: None if part is None else self._evaluate(part.x, part.y)
            for name, part in held_out(dataset).items()
        }

    def require_same_data(self, found: Mapping[str, str]) -> None:
        """Check that data files are those of the training.

        Args:
            found: the digests of the config's data files, by role.

        Raises:
            DataError: a file has changed since training.
        """
        if identify(self.config, found) != self.run.id8:
            raise DataError(f"{self.run.label}: the data is not what it was trained on")

    def _evaluate(self, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
        from trainrun.engine.saved import evaluate_outputs

        target = self.preprocessing.target
        return evaluate_outputs(self._net_outputs(x), y, make_objective(self.config, target), target)

    def model(self) -> nn.Sequential:
        """The net over preprocessed rows, in the trained scale, with its best weights."""
        return self._net.sequential()

    @cached_property
    def _net(self) -> SavedNet:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        from trainrun.engine.layers import keyed_slots, make_layers
        from trainrun.engine.saved import SavedNet

        path, layers = self.run.paths.weights, make_layers(self._architecture())
        shapes = {key: slot.shape for key, slot in keyed_slots(layers).items()}
        shown, numbers = printable(str(path)), sum(map(math.prod, shapes.values()))
        try:
            weights = load(read_bytes(path, largest=4 * numbers + _LARGEST_HEADER))
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise StorageError(f"{shown}: cannot be read: {printable(str(error))}") from error
        if {name: array.shape for name, array in weights.items()} != shapes or any(
            array.dtype != np.float32 for array in weights.values()
        ):
            raise StorageError(f"{shown}: its weights are not those of this run's net")
        return SavedNet(weights, layers)

    def _architecture(self) -> Architecture:
        return Architecture.of(self.config, self.preprocessing).saved

    def _outputs(self, table: Table) -> np.ndarray:
        return self._net_outputs(self.preprocessing.transform(table))

    def _net_outputs(self, x: np.ndarray) -> np.ndarray:
        """Return the outputs for preprocessed rows, [N, outputs] float32; logits are calibrated."""
        outputs = self._net.outputs(x)
        temperature = (self.run.result or {}).get("temperature")
        return outputs if temperature is None else outputs / np.float32(temperature)

    def read(
        self, rows: Any, labels: Path | None = None, keep: Sequence[str] = ()
    ) -> tuple[Table, tuple[Note, ...]]:
        """Read rows once, and describe what they hold that training did not have.

        Args:
            rows: as for `predict`.
            labels: the labels' file of IDX images.
            keep: columns of a file whose cells are also wanted as they are written; see `Table.kept`.

        Returns:
            A table that `predict`, `probabilities` and `evaluate` take as rows, and the notes about it.
        """
        table = self._table(rows, labels, keep)
        for name in keep:
            if name not in table.kept:
                near = nearest(name, table.header) or f"; it has {listed(table.header)}"
                raise UsageError(f"--keep: {table.place} has no column {quoted(name)}{near}")
        self.preprocessing.check_columns(table)
        return table, describe_new_rows(table.place, table, self.preprocessing)

    def _table(self, rows: Any, labels: Path | None = None, keep: Sequence[str] = ()) -> Table:
        if isinstance(rows, Table):
            return rows
        if isinstance(rows, str | Path):
            return read_table(Path(rows), self.preprocessing, labels, keep)
        return as_table(rows, self.preprocessing)


class Ensemble(TrainedRun):
    """The finished seeds of one config, used as one: probabilities or predictions are averaged.

    Args:
        runs: of one config; those that are unfinished or have diverged are left out.

    Raises:
        UsageError: fewer than two are left, or they are of several configs or splits.

    Source: Hansen and Salamon 1990; Lakshminarayanan et al. 2017, arXiv:1612.01474, section 2.4.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        complete = [run for run in runs if run.status == "complete"]
        if len(complete) < 2:
            label = printable(runs[0].directory.parent.name) if runs else "--ensemble"
            diverged = sum(run.status == "diverged" for run in runs)
            besides = f", and {diverged} diverged" if diverged else ""
            raise UsageError(
                f"{label}: an ensemble needs at least 2 complete seeds, and here "
                f"{'is' if len(complete) == 1 else 'are'} {len(complete)}{besides}; "
                "train more with fit --seeds 8"
            )
        super().__init__(complete[0])
        self.members = [TrainedRun(run) for run in complete]
        if len({run.directory.parent.resolve() for run in complete}) > 1:
            raise UsageError("an ensemble is of the seeds of one config; name one")
        if self.config.data.redrawn:
            raise UsageError(
                f"{complete[0].directory.parent.name}: no ensemble with data.split.seed: run, "
                "as a test row of one seed is a training row of another"
            )
        with explained(None, "be read"):
            distinct = {read_bytes(one.run.paths.preprocessing): one for one in self.members}
        others = distinct.values() if len(distinct) > 1 else ()  # equal bytes need no look at columns
        if any(self.preprocessing.difference(one.preprocessing) for one in others):
            raise UsageError(f"{complete[0].directory.parent.name}: its seeds were trained on different data")

    @classmethod
    def named(cls, runs: Sequence[Run]) -> Ensemble:
        """Return the ensemble of the runs that a name means; a single run stands for all of its config.

        Args:
            runs: at least one.
        """
        return cls(runs if len(runs) > 1 else siblings(runs[0]))

    @property
    def seeds(self) -> list[int]:
        """Seeds of the members."""
        return [member.config.seed for member in self.members]

    def model(self) -> nn.Sequential:
        """Refuse: an ensemble is no single net.

        Raises:
            UsageError: always.
        """
        raise UsageError("an ensemble is several nets; load each with load_model")

    def leave_out(self, part: Part) -> dict[str, np.ndarray]:
        """Compute the loss and metrics also without each member, and without each group of rows.

        Args:
            part: rows with their targets.

        Returns:
            By name, [1 + members, 1 + groups] as `jackknife.spread_of` takes them.
        """
        from trainrun.engine.saved import score

        target = self.preprocessing.target
        scores = score(self._blocks(part.x), part.y, make_objective(self.config, target), target)
        groups = row_groups(len(part.y))
        left = [np.flatnonzero(groups != group) for group in range(groups.max() + 1)]
        columns = [scores.values(part.y), *(scores.values(part.y, rows) for rows in left if len(rows))]
        return {name: np.array([[values[name] for values in column] for column in columns]).T
                for name in columns[0][0]}  # fmt: skip

    def _blocks(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """The outputs of all members, then without each of them: [1 + members, B, outputs] float32."""
        from trainrun.engine.device_data import ROWS_AT_ONCE

        outputs = len(self.members) * max(1, len(self.preprocessing.target.classes))
        # Whole pieces of an evaluation, so that rows keep their bits.
        rows = max(1, _NUMBERS_AT_ONCE // (outputs * ROWS_AT_ONCE)) * ROWS_AT_ONCE
        for start in range(0, len(x), rows):
            shares = self._shares(x[start : start + rows])
            yield self._as_outputs(means_without_each(shares))

    def _net_outputs(self, x: np.ndarray) -> np.ndarray:
        """Return the mean of the members' outputs; for classes the log of their mean probability."""
        return self._as_outputs(self._shares(x).mean(axis=0))

    def _shares(self, x: np.ndarray) -> np.ndarray:
        """Return what is averaged: probabilities or predictions, [members, N, outputs] float64."""
        outputs = [member._net_outputs(x).astype(np.float64) for member in self.members]
        if self.preprocessing.target.task == "regression":
            return np.stack(outputs)
        return np.stack([softmax(logits) for logits in outputs])

    def _as_outputs(self, means: np.ndarray) -> np.ndarray:
        """Return mean probabilities or predictions as outputs of a net, float32."""
        if self.preprocessing.target.task == "regression":
            return means.astype(np.float32)
        return np.log(np.maximum(means, np.finfo(np.float32).tiny)).astype(np.float32)


def member_means(results: Sequence[Mapping[str, Any]], part: str) -> dict[str, tuple[str, float]]:
    """Return the means over single runs to which the values of their ensemble compare.

    Args:
        results: of the runs.
        part: of the data.

    Returns:
        By value of an ensemble, its name in a run's result and its mean. An ensemble's probabilities are
        calibrated where its members are.
    """
    found = [result[part] or {} for result in results]
    counterparts = {"loss": "calibrated_loss"} if all("calibrated_loss" in one for one in found) else {}
    names = {name: counterparts.get(name, name) for name in found[0]}
    return {
        name: (other, mean([one[other] for one in found]))
        for name, other in names.items()
        if all(one.get(other) is not None for one in found)
    }


def held_out(dataset: Dataset) -> dict[str, Part | None]:
    """The validation and the test part, by name; None where there is none."""
    return {"valid": dataset.valid, "test": dataset.test}


@overload
def load_run(
    run: str | Path | Run, runs: Path | None = None, *, ensemble: Literal[False] = False
) -> TrainedRun: ...


@overload
def load_run(run: str | Path | Run, runs: Path | None = None, *, ensemble: Literal[True]) -> Ensemble: ...


def load_run(run: str | Path | Run, runs: Path | None = None, *, ensemble: bool = False) -> TrainedRun:
    """A finished run, by its directory or any name that the commands take, or as `fit` gave it.

    Args:
        run: the run, or what names it.
        runs: the folder of runs; `$TRAINRUN_RUNS`, else `./runs`, unless given.
        ensemble: all finished seeds of the config, used as one.

    Raises:
        UsageError: nothing finished is named so, or several runs are.
    """
    if isinstance(run, Run):
        return Ensemble.named([run]) if ensemble else TrainedRun(run)
    named = resolve(str(run), default_runs() if runs is None else runs, identify_file)
    if ensemble:
        return Ensemble.named(named.runs)
    return TrainedRun(named.one().runs[0])


def siblings(run: Run) -> list[Run]:
    """Return all runs of a run's config, by seed."""
    found = [Run(path) for path in run.directory.parent.iterdir() if seed_of(path.name) is not None]
    return sorted(found, key=lambda one: one.seed or 0)


def load_model(run: str | Path | Run) -> nn.Sequential:
    """A finished run's net as a `torch.nn.Sequential` over preprocessed rows, with its best weights."""
    return load_run(run).model()
