"""Data as a net sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainrun.data.preprocessing.preprocessing import Preprocessing
from trainrun.data.preprocessing.targets import Target
from trainrun.notes import Note


@dataclass(frozen=True)
class Part:
    """Rows as a net sees them.

    Attributes:
        x: float32 [N, F], C-contiguous.
        y: class indices, int64 [N], or standardised numbers, float32 [N].
    """

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """The parts of the data, and what is needed to understand them.

    Attributes:
        train: the part that is trained on.
        valid: the part that decides the best epoch; None without a validation part.
        test: the part by which nothing was chosen; None without a test part.
        preprocessing: what was fitted on the training rows.
        notes: facts about the data that a user should know.
    """

    train: Part
    valid: Part | None
    test: Part | None
    preprocessing: Preprocessing
    notes: tuple[Note, ...]

    @property
    def target(self) -> Target:
        """Target of the predictions."""
        return self.preprocessing.target
