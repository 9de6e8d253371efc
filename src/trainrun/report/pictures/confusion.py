"""Confusion matrices of a config's runs, added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainrun.comparing.standings import Standing
from trainrun.events import PARTS
from trainrun.report.show import class_labels


@dataclass(frozen=True)
class Confusion:
    """Rows of one part, by what they are and what they are taken for.

    Attributes:
        config: its label.
        part: of the data.
        runs: whose matrices are added up.
        labels: of the classes.
        counts: a row for each true class, a column for each predicted one.
    """

    config: str
    part: str
    runs: int
    labels: Sequence[str]
    counts: Sequence[Sequence[int]]

    def shares(self) -> list[list[float]]:
        """The counts as shares of their true class."""
        return [[count / max(sum(row), 1) for count in row] for row in self.counts]

    def mistakes(self) -> list[tuple[int, str, str]]:
        """Return the mistakes as count, true class and predicted class, the most frequent first."""
        found = [
            (count, self.labels[true], self.labels[taken])
            for true, row in enumerate(self.counts)
            for taken, count in enumerate(row)
            if count and true != taken
        ]
        return sorted(found, key=lambda mistake: -mistake[0])


def confusions(standings: Sequence[Standing]) -> Iterator[Confusion]:
    """A matrix for each config that has any, on the last part of the data for which there are some."""
    for one in standings:
        runs = list(one.complete)
        for part in reversed(PARTS):
            matrices = [one.complete[seed].get("confusion", {}).get(part) for seed in runs]
            found = [matrix for matrix in matrices if matrix]
            alike = [matrix for matrix in found if len(matrix) == len(found[0])]
            if alike:
                labels = class_labels(one.runs[runs[0]], len(alike[0]))
                yield Confusion(one.label, part, len(alike), labels, _sum(alike))
                break


def _sum(matrices: Sequence[Sequence[Sequence[int]]]) -> list[list[int]]:
    return [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)]
