"""A verdict in words, with the numbers that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trainrun.comparing import Comparison, Pairing
from trainrun.comparing.ensembles import Ensembles
from trainrun.comparing.standings import Standing
from trainrun.statistics import Difference, Share
from trainrun.text import number

_ROUNDING = 1e-12  # below this a mean of differences is what is left of their rounding


class Differences(Protocol):
    """An answer with differences, of which verdicts are said: a comparison, or a finished search."""

    @property
    def pairings(self) -> Sequence[Pairing]:
        """All differences of single seeds."""

    @property
    def ensembles(self) -> Ensembles:
        """The same of averages."""

    @property
    def over_splits(self) -> bool:
        """Whether each seed drew a split of its own."""


def verdict_sentence(comparison: Differences, pairing: Pairing) -> str:
    """Return a sentence that says which config is better, by how much, and how sure that is."""
    found = pairing.difference
    of = "the ensemble of " if pairing.of_ensembles else ""
    mine, its = f"{of}{pairing.config}", f"{of}{pairing.baseline}"
    what = {
        "better": f"{of.capitalize()}{pairing.config} is better than {its}",
        "worse": f"{of.capitalize()}{pairing.config} is worse than {its}",
        "withheld": f"No verdict between {mine} and {its}",
        "no difference shown": f"No difference shown between {mine} and {its}",
        "too few seeds": f"Too few seeds to tell {mine} from {its}",
    }[found.verdict]
    by = f"{pairing.part} {pairing.metric} differs by {amount(found)}"
    return f"{what} {_scope(comparison, pairing)}: {by}{_surety(comparison, pairing)}{_outlook(pairing)}."


def why_not_compared(comparison: Comparison, one: Standing) -> str:
    """Return why a candidate cannot be compared with the baseline."""
    met = comparison.standings[0].complete.keys() & one.complete.keys()
    return (
        f"{'no metric that both report' if met else 'no seed in which both are complete'}: nothing to compare"
    )


def figures(*values: float) -> list[str]:
    """Values that stand side by side, in the notation that suits the largest of them.

    >>> figures(-0.0039, 0.00012), figures(1.2e-05, 3e-07)
    (['-0.0039', '0.0001'], ['1.2000e-05', '3.0000e-07'])
    """
    largest = max(map(abs, values))
    plain = largest < _ROUNDING or "e" not in number(largest)
    return [f"{value:.4f}".replace("-0.0000", "0.0000") if plain else f"{value:.4e}" for value in values]


def compact_figures(*values: float) -> list[str]:
    """Values that stand side by side where room is short: large ones have fewer decimals than by `figures`.

    >>> compact_figures(0.1965, 0.002), compact_figures(9031.42431, 89.2), compact_figures(2.5e9, 1e8)
    (['0.1965', '0.0020'], ['9031.42', '89.20'], ['2.50e+09', '1.00e+08'])
    """
    found = figures(*values)
    if "e" in found[0]:
        return [f"{value:.2e}" for value in values]
    decimals = min(4, 6 - len(str(int(max(map(abs, values))))))
    return [f"{value:.{decimals}f}" for value in values] if decimals < 4 else found


def with_sign(figure: str) -> str:
    """A difference's figure, with a plus where it is above 0."""
    return figure if figure.startswith(("-", "0.0000")) else f"+{figure}"


def probability(value: float | None) -> str:
    """A p-value as text."""
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def share(found: Share) -> str:
    """A share with its interval, in per cent."""
    low, high = found.interval
    return f"{found.value:.0%} ({low:.0%} to {high:.0%})"


def _scope(comparison: Differences, pairing: Pairing) -> str:
    found = pairing.difference
    seeds = f"{found.n} seed{'s' * (found.n != 1)}"
    if pairing.of_ensembles:
        return f"over {seeds} and {'test' if pairing.part == 'test' else 'validation'} rows"
    return f"over {seeds} and splits" if comparison.over_splits else f"on this split, over {seeds}"


def amount(found: Difference) -> str:
    """A difference with its interval."""
    if found.interval is None:
        return with_sign(*figures(found.mean))
    if found.interval == (0, 0):
        return "exactly 0"
    mean, low, high = map(with_sign, figures(found.mean, *found.interval))
    return f"{mean} (95% interval {low} to {high})"


def _surety(comparison: Differences, pairing: Pairing) -> str:
    found = pairing.difference
    if found.p is None or found.interval == (0, 0):
        return ""
    p = probability(found.p)
    said = f", p {p if p.startswith('<') else f'= {p}'}"
    pairings = comparison.ensembles.pairings if pairing.of_ensembles else comparison.pairings
    family = [one for one in pairings if (one.metric, one.part) == (pairing.metric, pairing.part)]
    kind = "configs" if len({one.baseline for one in family}) == 1 else "pairs"
    reasons = [
        *([f"Holm-corrected for {len(family)} {kind}"] if len(family) > 1 else []),
        *(["corrected for overlapping splits, Nadeau and Bengio 2003"] if found.correction else []),
    ]
    said += f" ({'; '.join(reasons)})" if reasons else ""
    return said + (f", P(better) {share(found.p_better)}" if found.p_better else "")


def _outlook(pairing: Pairing) -> str:
    found = pairing.difference
    if found.verdict == "withheld":
        looks, often = ("better", "more") if found.improvement > 0 else ("worse", "less")
        return f"; alone this would say {looks}, but it diverged {often} often than the baseline"
    if found.verdict != "no difference shown" or not found.smallest_difference:
        return ""
    rows = " and these rows" if pairing.of_ensembles else ""
    could = f"; {found.n} seeds{rows} could have shown {number(found.smallest_difference)}"
    more = found.more_seeds
    return could + (f", and a difference this small takes about {more:,} more" if more else "")
