"""How often the interval between two ensembles is right: `python -m benchmarks.ensemble_coverage`.

Predictions are drawn with a known truth: what is right, the recipe's own error in each row, what a seed does
to all rows, and what it does to each. What is to be covered is the difference that ensembles of this number
of seeds have on the average over all seeds and rows. Leaving out, spread and interval are trainrun's own. The
seeds of random numbers are fixed: the table is the same each time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import hypot, sqrt
from typing import NamedTuple

import numpy as np

from benchmarks.coverage import print_table, share_covered
from trainrun.jackknife import GROUPS, Spread, means_without_each, row_groups, spread_of
from trainrun.statistics import Interval, estimated_difference

SEEDS = (6, 10, 20)
ROWS = (200, 2_000, 20_000)
_DRAWN = 2_000_000  # rows from which the truth is computed
_AT_ONCE = 20_000


class Recipe(NamedTuple):
    """Standard deviations of the parts of a prediction's error, and the mean of all.

    Attributes:
        mean: the same in all rows and seeds.
        row: the recipe's own error in a row, which all seeds share.
        seed: of a seed, which all rows share.
        both: of a seed in a row.
    """

    mean: float
    row: float
    seed: float
    both: float


def errors(
    rng: np.random.Generator, one: Recipe, shape: tuple[int, int], *, apart: bool = False
) -> np.ndarray:
    """Draw errors [seeds, rows]; `apart` draws the seeds anew for each row."""
    seeds, rows = shape
    of_seed = rng.normal(0, one.seed, shape if apart else (seeds, 1))
    return one.mean + rng.normal(0, one.row, rows) + of_seed + rng.normal(0, one.both, shape)


def classes(truth: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return the probability of the true class, where `truth` makes a row easy or hard."""
    return 1 / (1 + np.exp(-(1.5 + 2 * truth + error)))


def numbers(_: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return predicted minus true numbers."""
    return error


class Kind(NamedTuple):
    """A kind of target.

    Attributes:
        predict: of the rows and a recipe's errors.
        metrics: each row's value, of an ensemble's prediction; the metric is their mean.
        baseline: the recipe that others are compared with.
        other: another recipe, which differs in every metric.
    """

    predict: Callable[[np.ndarray, np.ndarray], np.ndarray]
    metrics: Mapping[str, Callable[[np.ndarray], np.ndarray]]
    baseline: Recipe
    other: Recipe


KINDS = {
    "classes": Kind(
        classes,
        {"accuracy": lambda share: (share > 0.5).astype(float), "loss": lambda share: -np.log(share)},
        Recipe(0.0, 0.4, 0.1, 1.0),
        Recipe(0.3, 0.5, 0.1, 1.2),
    ),
    "numbers": Kind(
        numbers,
        {"mse": np.square, "mae": np.abs},
        Recipe(0.0, 0.3, 0.1, 0.5),
        Recipe(0.0, 0.4, 0.1, 0.6),
    ),
}


def true_differences(kind: Kind, recipes: tuple[Recipe, Recipe], seeds: int) -> dict[str, float]:
    """Compute the second recipe's ensembles minus the first's, by metric, over all seeds and rows."""
    rng = np.random.default_rng(seeds)
    sums = dict.fromkeys(kind.metrics, 0.0)
    for _ in range(_DRAWN // _AT_ONCE):
        truth, shape = rng.normal(0, 1, _AT_ONCE), (seeds, _AT_ONCE)
        means = [kind.predict(truth, errors(rng, one, shape, apart=True)).mean(axis=0) for one in recipes]
        for name, value in kind.metrics.items():
            sums[name] += float(np.sum(value(means[1]) - value(means[0]))) / _DRAWN
    return sums


def tables(
    rng: np.random.Generator, kind: Kind, recipes: tuple[Recipe, Recipe], seeds: int, rows: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Draw a comparison: by metric the differences without each seed and each group of rows."""
    truth, groups = rng.normal(0, 1, rows), row_groups(rows)
    ensembles = [means_without_each(kind.predict(truth, errors(rng, one, (seeds, rows)))) for one in recipes]
    counts = np.bincount(groups)
    for name, value in kind.metrics.items():
        change = value(ensembles[1]) - value(ensembles[0])
        sums = np.stack([np.bincount(groups, row) for row in change])
        total = sums.sum(axis=1, keepdims=True)
        yield name, np.hstack([total / rows, (total - sums) / (rows - counts)])


def interval(table: np.ndarray, spread: Spread) -> Interval:
    """Return the interval of a comparison's difference, as trainrun has it."""
    seeds = len(table) - 1
    found = estimated_difference(seeds, table[0, 0], 0.0, *spread, larger_is_better=True)
    assert found.interval is not None
    return found.interval


def over_rows(table: np.ndarray) -> Spread:
    """Return the spread over rows alone: no seed changes anything."""
    return spread_of(np.repeat(table[:1], len(table), axis=0))


def over_seeds(table: np.ndarray) -> Spread:
    """Return the spread over seeds alone: no group of rows changes anything."""
    return spread_of(np.repeat(table[:, :1], 1 + GROUPS, axis=1))


def summed(table: np.ndarray) -> Spread:
    """Return the spread whose variance is the sum of both: what a seed does to a row counts twice."""
    rows, seeds = over_rows(table), over_seeds(table)
    return Spread(hypot(rows.standard_error, seeds.standard_error), seeds.degrees)


def coverage_rows(repeats: int, sizes: Sequence[int], counts: Sequence[int]) -> Iterator[Sequence[object]]:
    """Yield the coverage of each interval, and how often equal recipes get a verdict."""
    for name, kind in KINDS.items():
        for seeds in counts:
            truth = true_differences(kind, (kind.baseline, kind.other), seeds)
            for rows in sizes:
                rng = np.random.default_rng([seeds, rows])
                pairs = (kind.baseline, kind.other), (kind.baseline, kind.baseline)
                drawn = [
                    [dict(tables(rng, kind, recipes, seeds, rows)) for recipes in pairs]
                    for _ in range(repeats)
                ]
                for metric in kind.metrics:
                    other = [one[metric] for one, _ in drawn]
                    shares = [
                        share_covered([interval(table, spread(table)) for table in other], truth[metric])
                        for spread in (spread_of, summed, over_rows, over_seeds)
                    ]
                    equal = [interval(one[metric], spread_of(one[metric])) for _, one in drawn]
                    yield (f"{name}, {metric}", seeds, f"{rows:,}", *shares, 1 - share_covered(equal, 0.0))


def main() -> None:
    """Simulate what the command line asks for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ensemble_coverage", description=__doc__)
    parser.add_argument("--repeats", type=int, default=1_000, help="comparisons simulated for a figure")
    repeats = parser.parse_args().repeats
    print("# How often the interval between two ensembles is right\n")
    error = 100 * sqrt(0.05 * 0.95 / repeats)
    print(f"Nominal 95 %; {repeats:,} comparisons a figure: a standard error of {error:.2f} points at 95 %.")
    print_table(
        "Fresh seeds and fresh rows: covered",
        ("target, metric", "seeds", "rows", "covered", "sum", "rows alone", "seeds alone", "false verdicts"),
        list(coverage_rows(repeats, ROWS, SEEDS)),
    )


if __name__ == "__main__":
    main()
