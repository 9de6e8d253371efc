"""Check that a fit can continue from a snapshot. Snapshots come from files, which may be forged."""

from __future__ import annotations

import numpy as np
import torch

from trainrun.engine.training import Fit
from trainrun.events import Snapshot
from trainrun.plan import Plan

_QUANTITIES = ("", "loss", "weight", "bias", "bias or scale")


def require_continuable(plan: Plan, snapshot: Snapshot) -> None:
    """Check that this fit could have produced the snapshot: restoring and saving it gives the same bytes.

    Args:
        plan: of the one member.
        snapshot: the member's, with any other facts that were saved with it.

    Raises:
        ValueError: this fit could not have produced the snapshot.
    """
    try:
        _require_a_place(plan, snapshot)
        fit = Fit(plan, torch.device("cpu"), torch.float32)
        fit.restore([snapshot])
        assert fit.continued
        again = fit.snapshot(0, fit.continued)
        same = all(_bits(array) == _bits(snapshot.arrays[name]) for name, array in again.arrays.items())
        same = same and all(repr(fact) == repr(snapshot.facts[key]) for key, fact in again.facts.items())
    except (KeyError, TypeError, IndexError, OverflowError, RuntimeError) as error:  # of torch: other shapes
        raise ValueError(f"no snapshot of this fit: {error!r}") from error
    if not same:
        raise ValueError("no snapshot of this fit: it would be another")


def _require_a_place(plan: Plan, snapshot: Snapshot) -> None:
    """Check that a snapshot was taken between two steps of the training."""
    facts, progress = snapshot.facts, snapshot.facts["progress"]
    epoch, done, per_epoch = facts["epoch"], progress["done"], plan.steps_per_epoch
    if not (
        1 <= epoch <= plan.epochs[0]
        and 0 <= done < per_epoch
        and facts["steps"] == (epoch - 1) * per_epoch + done
        and len(snapshot.arrays["loss"]) == done * plan.batch_size  # only an epoch's last batch is short
        and progress["bad_step"] < done
        and progress["layer"] < len(plan.widths)
        and progress["quantity"] in _QUANTITIES
    ):
        raise ValueError("no snapshot of this fit: it has no such place")


def _bits(array: np.ndarray) -> tuple[object, ...]:
    return array.dtype, array.shape, array.tobytes()
