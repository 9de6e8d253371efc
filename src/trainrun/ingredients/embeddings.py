"""Embeddings of number columns: each number becomes a short vector, through functions that are learned.

A function here says how long the vector of a column is. The layers of the same names, which compute it, are
in `engine.layers`.
"""

# No `from __future__ import annotations` here: the registry reads the settings' types, not their text.
from collections.abc import Callable
from typing import Annotated

from annotated_types import Ge, Gt, Le

from trainrun.registry import Registry

Embedding = Callable[..., int]
_Several = Annotated[int, Ge(2), Le(1024)]
_Sigma = Annotated[float, Gt(0), Le(1000)]

embeddings: Registry[Embedding] = Registry("embedding")


@embeddings.register()
def none() -> int:
    """The numbers as they are."""
    return 1


@embeddings.register("plr")
def periodic(*, frequencies: _Several = 48, sigma: _Sigma = 0.1, width: _Several = 24) -> int:
    """ReLU of a linear layer of sin(2 pi c x) and cos(2 pi c x), with learned frequencies c.

    Settings:
        frequencies: for each column.
        sigma: standard deviation of the frequencies at the start.
        width: numbers of a column's vector.

    Source: Gorishniy et al. 2022, arXiv:2203.05556, section 3.3 (PLR).
    """
    return width


@embeddings.register("periodic_densenet")
def pbld(
    *, frequencies: _Several = 16, sigma: _Sigma = 0.1, width: Annotated[int, Ge(3), Le(1024)] = 4
) -> int:
    """The number itself, and a linear layer of cos(2 pi c x + b), with learned c and b.

    Settings:
        frequencies: for each column.
        sigma: standard deviation of the frequencies at the start.
        width: numbers of a column's vector, the number itself among them.

    Source: Holzmueller et al. 2024, arXiv:2407.04491, section 3 (PBLD).
    """
    return width


@embeddings.register("ple")
def piecewise_linear(*, bins: _Several = 16, width: _Several = 16) -> int:
    """ReLU of a linear layer of the parts of each bin that lie below x; its edges are quantiles.

    Settings:
        bins: for each column; columns of few values have fewer.
        width: numbers of a column's vector.

    Source: Gorishniy et al. 2022, arXiv:2203.05556, sections 3.1 and 3.2 (Q-LR), equation 1.
    """
    return width
