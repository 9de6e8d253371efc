"""Taking a difference apart: the baseline with one key changed at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainrun.comparing.candidates import Candidate, CandidateFactory
from trainrun.config.identity import differences
from trainrun.config.yaml.scalars import resolve
from trainrun.errors import ConfigError
from trainrun.jsonio import to_json


@dataclass(frozen=True)
class Ablation:
    """One candidate's changes, each alone.

    Attributes:
        whole: the candidate that has them all.
        parts: the key and the candidate that has this change alone.
        impossible: keys that no config can change alone.
    """

    whole: Candidate
    parts: Mapping[str, Candidate]
    impossible: Sequence[str]

    def renamed(self, named: Mapping[str, Candidate]) -> Ablation:
        """The same with the candidates of these ids in their places."""
        parts = {key: named[part.id8] for key, part in self.parts.items()}
        return Ablation(named[self.whole.id8], parts, self.impossible)


def take_apart(factory: CandidateFactory, baseline: Candidate, whole: Candidate) -> Ablation:
    """The baseline with each of a candidate's changes alone.

    A key that follows another, such as the initializer that suits the activation, changes with it.

    Args:
        factory: makes the candidates.
        baseline: what is changed.
        whole: what has all changes.
    """
    wanted = {key: new for key, _, new in differences(baseline.config, whole.config)}
    parts: dict[str, Candidate] = {}
    impossible: list[str] = []
    followers: set[str] = set()
    for key in wanted:
        try:
            part, moved = _change_alone(factory, baseline, key, wanted)
        except ConfigError:
            impossible.append(key)
        else:
            parts[key] = part
            followers |= moved - {key}
    kept = {key: part for key, part in parts.items() if key not in followers}
    return Ablation(whole, kept, [key for key in impossible if key not in followers])


def _change_alone(
    factory: CandidateFactory, baseline: Candidate, key: str, wanted: Mapping[str, object]
) -> tuple[Candidate, set[str]]:
    """The baseline with one key changed, and the wanted keys that this moves."""
    change = f"{key}={_as_yaml(wanted[key])}"
    part = factory.variant(baseline, [change], only=key)
    moved = differences(baseline.config, part.config)
    # Pin derived keys that would change along but do not differ in the other config.
    pins = [f"{k}={_as_yaml(old)}" for k, old, new in moved if k not in wanted or wanted[k] != new]
    if pins:
        part = factory.variant(baseline, [change, *pins], only=key)
    return part, {k for k, _, new in moved if k in wanted and wanted[k] == new}


def _as_yaml(value: object) -> str:
    """A value as `--set` takes it, without the quotes that a word can do without."""
    is_word = isinstance(value, str) and value.isidentifier() and resolve(value) == value
    return str(value) if is_word else to_json(value)
