"""Samplers: which candidates a generation tries, by what the generations before it have shown.

A proposal is a pure function of the space, the sampler, the seed and those generations. So proposals come in
whole generations: what is still in training never has a say.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from trainrun.config.search_space import Listed, Searched
from trainrun.searching.space import Point, Space, tidied

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

Sampler = Literal["grid", "random", "tpe"]
_SHUFFLED = 2**32  # divides streams of random numbers by purpose


class Seen(NamedTuple):
    """What a candidate of an earlier generation has shown.

    Attributes:
        point: in the space.
        value: at its best epoch; None where no epoch was finite.
        epochs: of its training.
        is_complete: whether it was trained to its end.
    """

    point: Point
    value: float | None
    epochs: int
    is_complete: bool


def proposals(
    space: Space,
    sampler: Sampler,
    *,
    seed: int,
    generation: int,
    size: int,
    seen: Sequence[Seen],
    larger_is_better: bool,
) -> Iterator[Point]:
    """Yield candidates for a generation without end, one by one; those of a grid have an end.

    Args:
        space: of the search.
        sampler: `tpe` begins with a generation that fills the space evenly.
        seed: of the search.
        generation: from 0.
        size: of every generation before this one.
        seen: all candidates of the generations before.
        larger_is_better: the direction of their values.
    """
    if sampler == "grid":
        all_points = space.grid()
        yield from all_points[all_points.index(seen[-1].point) + 1 if seen else 0 :]
        return
    if sampler == "tpe" and generation > 0:
        yield from _estimated(space, seed, generation, seen, larger_is_better)
        return
    if sampler == "tpe":
        from trainrun.engine.quasirandom import sobol

        for unit in sobol(4 * size, len(space.keys), seed % 2**63):
            yield space.at(unit.tolist())
    numbers = np.random.Generator(np.random.SFC64([seed, generation, _SHUFFLED]))
    while True:
        yield space.at(numbers.random(len(space.keys)).tolist())


def _estimated(
    space: Space, seed: int, generation: int, seen: Sequence[Seen], larger_is_better: bool
) -> Iterator[Point]:
    """Yield proposals of a tree-structured Parzen estimator.

    Each counts as a failure until its generation has ended (a constant lie), so that they differ.

    Source: Bergstra, Bardenet, Bengio and Kegl 2011, NeurIPS 24.
    """
    import optuna

    with quiet():
        kinds = {one.key: distribution(one) for one in space.keys}
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=0,
            multivariate=True,
            constant_liar=True,
            seed=int(np.random.SeedSequence([seed, generation]).generate_state(1)[0]),
        )
        study = optuna.create_study(sampler=sampler, direction="maximize" if larger_is_better else "minimize")
        study.add_trials([_trial(one, kinds) for one in seen])
    while True:
        with quiet():
            point = study.ask(kinds).params
        yield {one.key: tidied(one, point[one.key]) for one in space.keys}


def distribution(one: Searched) -> BaseDistribution:
    """Return a key's values as Optuna knows them: listed ones by their place."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(one, Listed):
        if _are_in_order([getattr(node, "value", None) for node in one.nodes]):
            return IntDistribution(0, len(one.nodes) - 1)
        return CategoricalDistribution(range(len(one.nodes)))
    if one.is_whole:
        step = 1 if one.step is None else int(one.step)
        return IntDistribution(int(one.low), int(one.high), log=one.log, step=step)
    return FloatDistribution(one.low, one.high, log=one.log, step=one.step)


def _are_in_order(values: Sequence[Any]) -> bool:
    """Return whether values are rising numbers, so that neighbours are alike."""
    are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return are_numbers and list(values) == sorted(values)


def _trial(one: Seen, kinds: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """Return what Optuna has to know of a candidate: those that trained for longer count as better."""
    from optuna.trial import TrialState, create_trial

    given: dict[str, Any] = {"params": dict(one.point), "distributions": dict(kinds)}
    if one.is_complete and one.value is not None:
        return create_trial(**given, value=one.value, state=TrialState.COMPLETE)
    steps = {} if one.value is None else {one.epochs: one.value}
    return create_trial(**given, intermediate_values=steps, state=TrialState.PRUNED)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what Optuna says about its own future out of the output."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)
