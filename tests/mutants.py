"""Check that the tests notice wrong lines: `make mutants` turns one line wrong at a time and runs tests.

A mutant names no file: its text must occur once in the whole source, so that it may move between modules.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
AT_ONCE = 2
LEFT_OUT = {".git", ".venv", ".hypothesis", ".pytest_cache", "__pycache__"}


class Mutant(NamedTuple):
    """A line turned wrong.

    Attributes:
        old: text that occurs once in the source.
        new: what stands there instead.
        tests: the files of tests that should notice, without `test_` and `.py`.
    """

    old: str
    new: str
    tests: str


MUTANTS = [
    # Files and runs
    Mutant("                _sync(beside)", "                pass", "durability"),
    Mutant("    sync(folders)", "pass", "durability"),
    Mutant(
        "sync(path for writer in ended for path in (writer.paths.metrics, writer.paths.log))",
        "pass",
        "durability",
    ),
    Mutant("_keep(target, keep[target])", "pass", "runs_files"),
    Mutant('torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\\n"', "torn = False", "runs_files"),
    Mutant("if isinstance(value, float) and not math.isfinite(value):", "if False:", "runs_files"),
    Mutant("if _bears_its_name(facts, path):", "if True:", "lock"),
    Mutant("run.begun < limit", "run.begun > limit", "runs_cleaning"),
    Mutant("if run.seed is None or not run.id8:", "if run.seed is None:", "runs_cleaning"),
    Mutant("if found and int(found[1]) != seed:", "if False:", "runs_reading"),
    Mutant("return time if time.tzinfo and time.year in _YEARS", "return time if True", "runs_reading"),
    Mutant("if len(line) <= _LONGEST_EPOCH else None", "if True else None", "runs_reading"),
    Mutant("66, 69, 71, 73, 74, 75, 5, 3)", "66, 69, 71, 73, 74, 75, 3, 5)", "docs"),
    # Config
    Mutant(
        'for key, value in _leaves("", config) if key not in defaults or defaults[key] != value',
        'for key, value in _leaves("", config)',
        "config_identity",
    ),
    # Data
    Mutant("int(share * rows + 0.5)", "int(share * rows)", "data_splits"),
    Mutant("spare = len(left) - later - 1", "spare = len(left) - later", "data_splits"),
    Mutant("float(ranked[(len(ranked) - 1) // 2])", "float(ranked[len(ranked) // 2])", "data_preprocessing"),
    Mutant("sorted(words, key=_by_value)", "sorted(words)", "data_preprocessing"),
    Mutant("_DEFLATE = 1032", "_DEFLATE = 2064", "data_bad_input"),
    Mutant(
        "if size > path.stat().st_size * factor:",
        "if size >= path.stat().st_size * factor:",
        "data_bad_input",
    ),
    # Engine
    Mutant("total[:, rows:] = 0", "pass", "engine_reference"),
    Mutant("1 - rate * self._decay", "1 - self._decay", "engine engine_reference"),
    Mutant("(norm_K1 + 1e-6)).clamp_max(1.0)", "(norm_K1 + 1e-6))", "engine_reference"),
    Mutant(".sum(axis=1) / len(self._rows)", ".sum(axis=1) / self.done", "engine_reference"),
    Mutant("output[..., 1] - output[..., 0]", "output[..., 0] - output[..., 1]", "reported_values"),
    Mutant(".mean(axis=1, dtype=np.float64)", ".sum(axis=1, dtype=np.float64)", "reported_values"),
    Mutant("= start + place", "= place", "engine_pauses"),
    Mutant("outputs.argmax(axis=1)", "outputs.argmin(axis=1)", "reported_values"),
    Mutant("progress = counts & _better(", "progress = _better(", "stopping"),
    Mutant(
        "stop = counts & ~progress & (self.wait >= self",
        "stop = counts & ~progress & (self.wait > self",
        "stopping",
    ),
    Mutant(
        "np.maximum(self.factor * self.reduction, self.floor)", "self.factor * self.reduction", "stopping"
    ),
    Mutant("np.maximum(codes, -1) + 1", "np.maximum(codes, 0)", "embeddings"),
    Mutant("target_KB.repeat_interleave(self._shared, 1)", "target_KB.repeat(1, self._shared)", "nets"),
    Mutant("is_bin.sum(-1, keepdim=True) - 1", "len(is_bin.T) - 1", "layers"),
    Mutant(".logsumexp(-2) - log(output.shape[-2])", ".mean(-2)", "layers nets"),
    # Ingredients
    Mutant("math.sqrt(1 - self._betas[1] ** t)", "(1 - self._betas[1] ** t)", "engine engine_reference"),
    Mutant("near * (error - near * 0.5)", "near * error * 0.5", "reported_values"),
    Mutant("ahead * (ahead + 1)", "ahead * ahead", "metrics"),
    Mutant("if truth.min() == truth.max():", "if False:", "metrics"),
    Mutant('np.searchsorted(ends, t, side="left")', 'np.searchsorted(ends, t, side="right")', "schedules"),
    Mutant("(1 + np.cos(np.pi * progress)) / 2", "(1 - np.cos(np.pi * progress)) / 2", "schedules"),
    # Comparing and checking
    Mutant("2 / math.pi * math.asin(", "math.asin(", "statistics"),
    Mutant("p * (len(ranked) - rank)", "p * len(ranked)", "statistics"),
    Mutant("math.sqrt(1 / n + correction)", "math.sqrt(1 / n)", "statistics"),
    Mutant("_LOST = -8", "_LOST = -7", "checking"),
    Mutant("_GROWN = 8", "_GROWN = 6", "checking"),
    Mutant(
        'return "< 0.001" if value < 0.001',
        'return "< 0.001" if value < 0.01',
        "comparing report cli_compare",
    ),
    # Searching
    Mutant("ranked[: -(-len(values) // FACTOR)]", "ranked[: len(values) // FACTOR]", "search_halving"),
    Mutant("turns[place % len(turns)]", "turns[min(place, len(turns) - 1)]", "search_halving"),
    Mutant("one.candidate.bracket <= judged:", "one.candidate.bracket < judged:", "search_answers"),
    Mutant("value if isfinite(value) else None  # as", "value  # as", "search_answers"),
    Mutant(
        '(facts["epoch"], facts["steps"]) if facts else None',
        '(facts["epoch"], facts["steps"]) if facts else (1, 0)',
        "search_answers",
    ),
    Mutant("one.judge(place in best)", "one.judge(True)", "search_answers"),
    Mutant("if config and id8 not in known:", "if config:", "search_answers"),
    Mutant(
        "found.pop() if found and len(found[-1]) !=",
        "found.pop() if found and len(found[-1]) >",
        "search_answers",
    ),
    Mutant("if record.generation != place // size:", "if False:", "search_answers"),
    Mutant("first = question.config.seed + 1", "first = question.config.seed", "search_answers"),
    Mutant("if one.id8 != plain_id8]", "]", "search_answers"),
    Mutant("combinations(standings, 2)", "((standings[0], one) for one in standings[1:])", "search_answers"),
    Mutant("[seed, generation, _SHUFFLED]", "[seed, _SHUFFLED]", "search_sampling"),
    Mutant("SeedSequence([seed, generation])", "SeedSequence([seed])", "search_sampling"),
    Mutant("all_points.index(seen[-1].point) + 1 if seen else 0", "generation * size", "search_sampling"),
    Mutant(
        "math.log(one.low - 0.5), math.log(one.high + 0.5)",
        "math.log(one.low), math.log(one.high)",
        "search_sampling",
    ),
    Mutant("return above  # a range", "pass  # a range", "search_space"),
    Mutant("one.node(one.low + 0.5)", "one.node(one.low + 1)", "search_space"),
    Mutant("elif self._means_the_same(key, changed, settings):", "elif True:", "search_answers"),
]


def noticed(mutant: Mutant | None, tests: Sequence[str]) -> bool:
    """Return whether a test fails with a mutant, tried in a copy of the project.

    Args:
        mutant: the line; None leaves the source as it is.
        tests: files or folders to run.

    Raises:
        LookupError: the text does not occur exactly once in the source.
        RuntimeError: the tests cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=_left_out)
        if mutant:
            _apply(mutant, copy / "src")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        variables = os.environ | {"PYTHONPATH": str(copy / "src")}
        done = subprocess.run(command, cwd=copy, env=variables, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the tests did not run with {mutant}:\n{done.stdout}{done.stderr}")
    return done.returncode == 1


def _left_out(folder: str, names: list[str]) -> set[str]:
    return LEFT_OUT | {"runs", "build"} if Path(folder) == ROOT else LEFT_OUT


def _apply(mutant: Mutant, source: Path) -> None:
    contents = {path: path.read_text() for path in source.rglob("*.py")}
    if sum(text.count(mutant.old) for text in contents.values()) != 1:
        raise LookupError(f"does not occur exactly once in the source: {mutant.old}")
    for path, text in contents.items():
        if mutant.old in text:
            path.write_text(text.replace(mutant.old, mutant.new))


def _tests(mutant: Mutant) -> list[str]:
    return [f"tests/test_{name}.py" for name in mutant.tests.split()]


def main(*words: str) -> int:
    """Try mutants and print which of them the tests notice.

    Args:
        words: only mutants whose text holds one of them; none: all. `--all-tests`: run every test on each.

    Returns:
        The number of mutants that no test notices.
    """
    everything = "--all-tests" in words
    wanted = [word for word in words if word != "--all-tests"]
    chosen = [one for one in MUTANTS if not wanted or any(word in one.old for word in wanted)]
    tests = {one: ["tests"] if everything else _tests(one) for one in chosen}
    if chosen and noticed(None, sorted({test for some in tests.values() for test in some})):
        raise RuntimeError("the tests fail without any mutant; correct that first")
    missed = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mutant, found in zip(chosen, pool.map(noticed, chosen, tests.values()), strict=True):
            missed += not found
            change = f"{mutant.old.strip()} -> {mutant.new.strip()}"
            print("noticed" if found else "MISSED ", change, flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} noticed")
    return missed


if __name__ == "__main__":
    sys.exit(min(1, main(*sys.argv[1:])))
