"""Train PyTorch MLPs from YAML configs, and say honestly which recipe is better."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainrun.comparing import compare
    from trainrun.config import load_config
    from trainrun.fitting import fit
    from trainrun.predicting import load_model, load_run
    from trainrun.searching import search

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "fit", "load_config", "load_model", "load_run", "search"]

# Loaded when first asked for: `trainrun --help` must wait for none of them.
_HOMES = {
    "compare": "trainrun.comparing",
    "fit": "trainrun.fitting",
    "load_config": "trainrun.config",
    "load_model": "trainrun.predicting",
    "load_run": "trainrun.predicting",
    "search": "trainrun.searching",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'trainrun' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
