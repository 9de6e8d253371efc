"""How often a comparison is right: `python -m benchmarks.coverage` simulates it and prints tables.

Everything goes through trainrun.statistics, as a comparison does, with fixed seeds: the tables are the same
each time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from math import exp, sqrt

import numpy as np
from scipy import stats

from trainrun.statistics import Interval, decide, difference

SEEDS = (6, 10, 30)
ROWS = 360  # of a test part, as in digits

Draw = Callable[[np.random.Generator, int], np.ndarray]


def accuracies(rng: np.random.Generator, n: int) -> np.ndarray:
    """Differences in accuracy of two equal configs: whole rows, with ties, on seeds of unequal difficulty."""
    chance = rng.uniform(0.96, 0.99, n)
    return (rng.binomial(ROWS, chance) - rng.binomial(ROWS, chance)) / ROWS


# How the differences are distributed, with their mean
DIFFERENCES: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, n: rng.normal(0, 1, n), 0.0),
    "accuracy on 360 rows": (accuracies, 0.0),
    "Student's t, 3 degrees": (lambda rng, n: rng.standard_t(3, n), 0.0),
    "between two log-normals": (lambda rng, n: rng.lognormal(0, 1, n) - rng.lognormal(0, 1, n), 0.0),
    "exponential": (lambda rng, n: rng.exponential(1, n), 1.0),
    "log-normal, sigma 0.5": (lambda rng, n: rng.lognormal(0, 0.5, n), exp(0.125)),
    "log-normal, sigma 1": (lambda rng, n: rng.lognormal(0, 1, n), exp(0.5)),
}


def difference_rows(repeats: int) -> list[Sequence[object]]:
    """Coverage of the paired interval, and what lies outside on either side."""
    rows: list[Sequence[object]] = []
    for name, (draw, truth) in DIFFERENCES.items():
        for n in SEEDS:
            rng = np.random.default_rng(n)
            # Less their true mean they are a comparison of equals: an interval without 0 is a false alarm.
            found = [
                difference(draw(rng, n) - truth, np.zeros(n), larger_is_better=True) for _ in range(repeats)
            ]
            better = sum(one.verdict == "better" for one in found) / repeats
            worse = sum(one.verdict == "worse" for one in found) / repeats
            rows.append((name, n, share_covered([one.interval for one in found], 0.0), better, worse))
    return rows


def family_rows(repeats: int, n: int = 10) -> list[Sequence[object]]:
    """False alarms among several configs that all equal the baseline."""
    rows: list[Sequence[object]] = []
    for configs in (1, 2, 4, 8):
        rng = np.random.default_rng(configs)
        alarms = np.zeros(2)
        for _ in range(repeats):
            baseline, *others = rng.normal(0, 1, (configs + 1, n))
            alone = [difference(other, baseline, larger_is_better=True) for other in others]
            family = decide(alone, [0] * configs)
            alarms += [any(one.p < 0.05 for one in some) for some in (alone, family)]
        rows.append((configs, *alarms / repeats))
    return rows


def look_rows(repeats: int, looks: Sequence[int] = (10, 20, 30)) -> list[Sequence[object]]:
    """False alarms of who looks again after each further ten seeds, and stops at the first verdict."""
    rng = np.random.default_rng(0)
    alarms = np.zeros(len(looks))
    for _ in range(repeats):
        drawn = rng.normal(0, 1, looks[-1])
        said = [difference(drawn[:n], np.zeros(n), larger_is_better=True).p < 0.05 for n in looks]
        alarms += np.logical_or.accumulate(said)
    return [("after " + ", ".join(map(str, looks[: i + 1])), alarms[i] / repeats) for i in range(len(looks))]


def split_rows(repeats: int, rows: int = 100) -> list[Sequence[object]]:
    """Coverage where each seed draws its own split of the same rows, with and without the correction.

    Compared by their squared error are predicting the mean of the training rows and predicting 0.
    """
    table: list[Sequence[object]] = []
    for n in SEEDS:
        for train, test in ((80, 20), (60, 20)):  # the second leaves rows for validation
            rng = np.random.default_rng([n, train])
            naive, corrected = [], []
            for _ in range(repeats):
                order = rng.permuted(np.tile(rng.normal(0.15, 1, rows), (n, 1)), axis=1)
                tested = order[:, train : train + test]
                learned = order[:, :train].mean(axis=1, keepdims=True)
                pair = ((tested - learned) ** 2).mean(axis=1), (tested**2).mean(axis=1)
                naive.append(difference(*pair, larger_is_better=False))
                corrected.append(difference(*pair, larger_is_better=False, correction=test / train))
            truth = 1 / train - 0.15**2
            share = float(np.mean([one.p_better.value for one in naive]))
            covered = [share_covered([one.interval for one in some], truth) for some in (naive, corrected)]
            shares = [
                share_covered([one.p_better.interval for one in some], share) for some in (naive, corrected)
            ]
            table.append((n, f"{train} / {test}", *covered, *shares))
    return table


def share_rows() -> list[Sequence[object]]:
    """Coverage of the interval of P(better) over all true shares, exactly, beside its rivals'."""
    rows: list[Sequence[object]] = []
    truths = np.linspace(0.01, 0.99, 981)
    for n in (*SEEDS, 100):
        for name, interval in (("ours", _ours), ("Wilson", _wilson), ("Jeffreys", _jeffreys)):
            low, high = np.array([interval(wins, n) for wins in range(n + 1)]).T
            chance = stats.binom.pmf(np.arange(n + 1), n, truths[:, None])
            inside = (low - 1e-9 <= truths[:, None]) & (truths[:, None] <= high + 1e-9)
            covered = (chance * inside).sum(axis=1)
            rows.append((n, name, covered.min(), covered.mean(), (chance @ (high - low)).mean()))
    return rows


def share_covered(intervals: Sequence[Interval], truth: float) -> float:
    """Return the share of intervals that hold the truth."""
    return sum(low <= truth <= high for low, high in intervals) / len(intervals)


def _ours(wins: int, n: int) -> Interval:
    return difference([1.0] * wins + [-1.0] * (n - wins), [0.0] * n, larger_is_better=True).p_better.interval


def _wilson(wins: int, n: int) -> tuple[float, float]:
    found = stats.binomtest(wins, n).proportion_ci(0.95, method="wilson")
    return found.low, found.high


def _jeffreys(wins: int, n: int) -> tuple[float, float]:
    low, high = stats.beta.ppf([0.025, 0.975], wins + 0.5, n - wins + 0.5)
    return low if wins else 0.0, high if wins < n else 1.0


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown; fractions are in per cent."""
    print(f"\n## {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(f"{100 * x:.1f} %" if isinstance(x, float) else str(x) for x in row) + " |")


def main() -> None:
    """Simulate what the command line asks for and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5_000, help="comparisons simulated for a figure")
    repeats = parser.parse_args().repeats
    error = 100 * sqrt(0.05 * 0.95 / repeats)
    print("# How often a comparison is right\n")
    print(f"Nominal 95 %; {repeats:,} comparisons a figure: a standard error of {error:.2f} points at 95 %.")
    print_table(
        "The interval of a difference",
        ("differences", "seeds", "covered", "falsely better", "falsely worse"),
        difference_rows(repeats),
    )
    print_table(
        "Several configs, all equal to the baseline, 10 seeds: any false alarm",
        ("configs", "each by its own p", "adjusted (Holm)"),
        family_rows(repeats),
    )
    print_table("Looking again, two equal configs", ("seeds", "any false alarm"), look_rows(repeats))
    print_table(
        "A new split of the same 100 rows for each seed: covered",
        ("seeds", "train / test", "naive", "Nadeau-Bengio", "P(better), naive", "P(better), corrected"),
        split_rows(repeats),
    )
    print_table(
        "P(better), over true shares from 1 % to 99 %",
        ("seeds", "interval", "covered at least", "on the average", "mean width"),
        share_rows(),
    )


if __name__ == "__main__":
    main()
