"""Who searches. Each contender is one short module with `search(name, folder, repeat, make_budget, option)`.

It loads and imports what it needs, then calls `make_budget`, which starts the clock, ends the
budget when it has searched, and returns a `Tally`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite

from benchmarks.search.sets import Settings


@dataclass
class Tally:
    """What a search has found so far.

    Attributes:
        candidates: that have begun.
        epochs: of all of them.
        best: the lowest validation loss after any epoch of any candidate.
        settings: of the candidate that had it.
    """

    candidates: int = 0
    epochs: int = 0
    best: float = inf
    settings: Settings = field(default_factory=dict)

    def take(self, settings: Settings, loss: float) -> None:
        """Take in a candidate's loss after an epoch, or the best one of several."""
        if isfinite(loss) and loss < self.best:
            self.best, self.settings = loss, dict(settings)


@dataclass(frozen=True)
class Contender:
    """How a contender is run.

    Attributes:
        title: for the tables.
        module: in this package.
        option: of it.
        package: that it needs besides those of trainrun.
    """

    title: str
    module: str
    option: str = ""
    package: str | None = None


CONTENDERS = {
    "trainrun": Contender("trainrun search", "trainrun_search", "together"),
    "one_by_one": Contender("trainrun, one by one", "trainrun_search", "one by one"),
    "optuna_median": Contender("Optuna TPE, median pruning, scikit-learn", "optuna_sklearn", "median"),
    "optuna_hyperband": Contender("Optuna TPE, Hyperband, scikit-learn", "optuna_sklearn", "hyperband"),
    "ray": Contender("Ray Tune ASHA, PyTorch loop", "ray_torch", package="ray"),
}
