"""Folders of finished searches made by hand, for tests of what reads and draws them."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainrun.config.rendering import yaml_text
from trainrun.jsonio import to_json, to_json_file
from trainrun.runs.paths import SearchPaths

RUNGS, LONGEST = (1, 3, 9), 27
SPACE = {
    "hidden": [[8], [16, 16]],
    "learning_rate": {"from": 1e-4, "to": 1e-1, "log": True, "whole": False},
    "dropout.hidden": {"from": 0, "to": 0.5, "log": False, "whole": False},
}


def make_search(
    runs: Path,
    label: str = "net-12345678",
    *,
    space: Mapping[str, Any] = SPACE,
    count: int = 30,
    finalists: int = 2,
    diverged: int = 0,
    metric: str = "loss",
    part: str = "test",
    more: int = 0,
) -> SearchPaths:
    """Write the files of a search.

    Args:
        runs: the folder of runs.
        label: `<name>-<id8>`.
        space: of the search, as `result.json` has it.
        count: candidates of the result.
        finalists: how many are confirmed.
        diverged: how many of the candidates have no value.
        metric, part: that decide.
        more: candidates that a larger search has besides.
    """
    paths = SearchPaths(runs / "searches" / label)
    paths.directory.mkdir(parents=True)
    name = label.rpartition("-")[0]
    draw = random.Random(count)
    candidates = [_candidate(draw, space, place, place >= count - diverged) for place in range(count)]
    ranked = sorted(
        (one for one in candidates if one["value"] is not None),
        key=lambda one: -one["value"] if metric == "accuracy" else one["value"],
    )
    chosen = [
        _config(f"finalist {place}", one["settings"], one["id8"], one["value"], metric, part, 0.02 * place)
        for place, one in enumerate(ranked[:finalists], 1)
    ]
    plain = _config(name, {}, "99999999", None, metric, part, 0.3)
    result = {
        "name": name,
        "metric": metric,
        "part": part,
        "space": space,
        "sampler": "tpe",
        "epochs_first": 1,
        "candidates": [
            {key: one[key] for key in ("settings", "epochs", "value", "status")} for one in candidates
        ],
        "finalists": chosen,
        "differences": [_difference(one["config"], name, metric, part) for one in chosen],
        "best": chosen[0] if chosen else None,
        "baseline": plain if chosen else None,
        "importance": [
            {"key": key, "importance": 1 / len(space), "interval": [0.1, 0.9]} for key in space if count >= 20
        ],
        "spent": {},
    }
    paths.result.write_bytes(to_json_file(result))
    extra = [_candidate(draw, space, count + place, False) for place in range(more)]
    paths.candidates.write_text("".join(to_json(one) + "\n" for one in [*candidates, *extra]))
    asked = {"config": f"{name}.yaml", "set": ["epochs=27"], "metric": metric}
    paths.question.write_bytes(yaml_text(asked).encode())
    paths.best.write_text(f"extends: ../../../{name}.yaml\n")
    return paths


def change(path: Path, **changes: Any) -> None:
    """Replace keys of a file of JSON."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _candidate(draw: random.Random, space: Mapping[str, Any], number: int, lost: bool) -> dict[str, Any]:
    settings = {key: _chosen(draw, described) for key, described in space.items()}
    bracket = (0, 0, 1)[number % 3]
    judged = RUNGS[bracket : draw.choice((1, 1, 2, 3, 3)) + bracket]
    value = 2 * draw.random() ** 2 + 0.1
    curve = [[epoch, value * (1 + 1 / epoch)] for epoch in judged]
    whole = judged[-1] == RUNGS[-1]
    status = "diverged" if lost else "complete" if whole else "dropped"
    return {
        "settings": settings,
        "epochs": LONGEST if whole else judged[-1],
        "value": None if lost else value if whole else curve[-1][1],
        "status": status,
        "steps": 10 * judged[-1],
        "id8": f"{number:08x}",
        "generation": number // 100,
        "bracket": bracket,
        "skipped": int(number == 1),
        "curve": [] if lost else curve,
    }


def _chosen(draw: random.Random, described: Any) -> Any:
    if isinstance(described, list):
        return draw.choice(described)
    low, high = described["from"], described["to"]
    if described["whole"]:
        return draw.randint(low, high)
    return low * (high / low) ** draw.random() if described["log"] else low + (high - low) * draw.random()


def _config(
    label: str, settings: Any, id8: str, value: float | None, metric: str, part: str, mean: float
) -> dict[str, Any]:
    measured = {metric: {"mean": mean, "interval": [mean - 0.01, mean + 0.01]}}
    return {
        "config": label,
        "settings": settings,
        "id8": id8,
        "directories": [f"net-{id8}/seed-{seed}" for seed in range(1, 7)],
        "search_value": value,
        "valid": measured,
        "test": measured if part == "test" else None,
    }


def _difference(config: str, baseline: str, metric: str, part: str) -> dict[str, Any]:
    return {
        "config": config,
        "baseline": baseline,
        "metric": metric,
        "part": part,
        "n": 6,
        "mean": -0.2,
        "interval": [-0.3, -0.1],
        "improvement": 0.2,
        "p": 0.004,
        "p_better": {"value": 1.0, "interval": [0.54, 1.0]},
        "verdict": "better",
        "enough": {"smallest_difference": 0.1, "more_seeds": None},
    }
