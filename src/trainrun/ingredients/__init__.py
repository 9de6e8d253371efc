"""Values that a config names: each ingredient is one function in one of these files."""

from __future__ import annotations

from typing import Any

from trainrun.ingredients.activations import activations
from trainrun.ingredients.averagings import averagings
from trainrun.ingredients.embeddings import embeddings
from trainrun.ingredients.initializers import initializers
from trainrun.ingredients.losses import losses
from trainrun.ingredients.metrics import metrics
from trainrun.ingredients.optimizers import optimizers
from trainrun.ingredients.regularizers import regularizers
from trainrun.ingredients.schedules import schedules
from trainrun.registry import Registry

#: Every registry, by the word of `trainrun list`.
REGISTRIES: dict[str, Registry[Any]] = {
    registry.plural: registry
    for registry in (
        initializers,
        activations,
        schedules,
        optimizers,
        regularizers,
        averagings,
        embeddings,
        losses,
        metrics,
    )
}

__all__ = [
    "REGISTRIES",
    "activations",
    "averagings",
    "embeddings",
    "initializers",
    "losses",
    "metrics",
    "optimizers",
    "regularizers",
    "schedules",
]
