"""The same config, data and seed give the same bits, in whatever process and environment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables import table
from trainrun.data.columns.vocabulary import Vocabulary
from trainrun.report import tensorboard
from trainrun.runs.paths import RunPaths, groups
from trainrun.runs.reading import Run
from waiting import wait_until

WORDS = [
    "nan",
    "NaN",
    "NAN",
    "-nan",
    "inf",
    "-inf",
    "1",
    "1.0",
    "01",
    "-0",
    "0",
    "2e3",
    "1_0",
    "x",
    "ß",
    "ſ",
    "",
]
ENVIRONMENTS = [
    {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC", "PYTHONUTF8": "0"},
    {"PYTHONHASHSEED": "3", "LC_ALL": "C.UTF-8", "TZ": "Pacific/Kiritimati", "PYTHONUTF8": "0"},
    {"PYTHONHASHSEED": "random", "LC_ALL": "tr_TR.UTF-8", "TZ": "America/St_Johns", "PYTHONUTF8": "1"},
    {"PYTHONHASHSEED": "random", "LC_ALL": "de_DE.UTF-8", "TZ": "XYZ-3:17", "PYTHONUTF8": "1"},
]
MADE_UP = 6


def cells(rng: random.Random, kind: str, rows: int) -> list[object]:
    """Cells of one column: those of odd words that a hash could put in any order."""
    match kind:
        case "number":
            return [rng.randrange(-50, 50) / 4 for _ in range(rows)]
        case "boolean":
            return [rng.choice(["true", "false", "TRUE", ""]) for _ in range(rows)]
        case "date":
            return [f"20{rng.randrange(10, 30)}-03-{rng.randrange(1, 29):02}" for _ in range(rows)]
        case "unicode":
            return [
                rng.choice(["Köln", "東京", "ß", "SS", "İzmir", "izmir", "e\u0301", "\u00e9"])
                for _ in range(rows)
            ]
    few = rng.sample(WORDS, 6)
    return [rng.choice([*few, rng.choice("0123456789")]) for _ in range(rows)]


def made_up(seed: int) -> tuple[dict[str, list[object]], list[str]]:
    """A table of odd columns, and those of them that are categories."""
    rng = random.Random(seed)
    kinds = ["mixed", "mixed", *rng.choices(["number", "boolean", "date", "unicode", "mixed"], k=3)]
    columns = {f"{kind}{place}": cells(rng, kind, 64) for place, kind in enumerate(kinds)}
    labels = rng.choice([["yes", "no"], ["1", "2", "3"], ["Ä", "a", "10", "9"], ["True", "False"]])
    named = [name for name in columns if name.startswith("mixed")]
    return columns | {"y": [labels[row % len(labels)] for row in range(64)]}, named


def configs(folder: Path) -> list[Path]:
    """Configs of case 01 and of made-up tables."""
    case = {"g": ["nan" if row % 9 == 4 else row % 9 for row in range(72)], "y": ["a", "b", "b"] * 24}
    tables = {"case01": (case, ["g"])} | {f"made{seed}": made_up(seed) for seed in range(MADE_UP)}
    paths = []
    for name, (columns, categorical) in tables.items():
        table(folder / f"{name}.csv", columns, "\t")
        path = folder / f"{name}.yaml"
        keys = f"path: {name}.csv, target: y, categorical: [{', '.join(categorical)}], na: {{only: ['']}}"
        path.write_text(f'data: {{{keys}, delimiter: "\\t"}}\nhidden: [8]\nepochs: 2\nbatch_size: 16\n')
        paths.append(path)
    return paths


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with other settings, none of which may enter the bits."""
    kept = {key: value for key, value in os.environ.items() if key != "LANG" and not key.startswith("LC_")}
    return {**kept, **extra, "COLUMNS": "80"}


def fit(
    folder: Path, runs: str, extra: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "trainrun", "fit", *arguments, "--runs", runs, "--progress", "none"]
    return subprocess.run(command, cwd=folder, env=environment(extra), capture_output=True, check=False)


def files(runs: Path) -> dict[str, bytes]:
    """All that two equal commands have in common; the paths say the ids."""
    found = (
        path for path in runs.rglob("*") if path.is_file() and path.name not in ("events.jsonl", ".lock")
    )
    return {str(path.relative_to(runs)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A folder of configs, and the files of their runs."""
    folder = tmp_path_factory.mktemp("bits")
    names = [path.name for path in configs(folder)]
    done = fit(folder, "first", {"PYTHONHASHSEED": "1"}, *names)
    assert done.returncode == 0, done.stderr.decode()
    found = files(folder / "first")
    assert sum(name.endswith("best.safetensors") for name in found) == len(names)
    return folder, found


@pytest.mark.parametrize("extra", ENVIRONMENTS, ids=lambda extra: " ".join(extra.values()))
def test_weights_and_files_do_not_depend_on_the_environment(reference, extra):
    folder, expected = reference
    runs = f"runs-{ENVIRONMENTS.index(extra)}"
    done = fit(folder, runs, extra, *sorted(path.name for path in folder.glob("*.yaml")))
    assert done.returncode == 0, done.stderr.decode()
    found = files(folder / runs)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def test_a_run_that_goes_on_in_another_environment_ends_with_the_same_bits(tmp_path):
    (config, *_) = configs(tmp_path)
    changes = ["--set", "epochs=400", "--set", "early_stopping=false"]
    assert fit(tmp_path, "whole", ENVIRONMENTS[0], config.name, *changes).returncode == 0
    command = [sys.executable, "-m", "trainrun", "fit", config.name, *changes, "--runs", "cut"]
    saving = {**ENVIRONMENTS[0], "TRAINRUN_SAVE_SECONDS": "0"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(saving), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_until(lambda: list(tmp_path.glob("cut/*/*/last.ckpt")), "a checkpoint")
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.glob("cut/*/*/last.ckpt")), "it ended before it was stopped"
    done = fit(tmp_path, "cut", ENVIRONMENTS[1], config.name, *changes)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Continuing from epoch" in done.stdout
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_path_that_the_locale_cannot_spell_is_explained(tmp_path):
    table(tmp_path / "köln.csv", {"a": [1, 2], "y": ["a", "b"]})
    (tmp_path / "k.yaml").write_text("data: {path: köln.csv, target: y}\n", encoding="utf-8")
    done = fit(tmp_path, "runs", ENVIRONMENTS[0], "k.yaml")
    assert done.returncode == 2
    assert b"PYTHONUTF8=1" in done.stderr
    assert b"Traceback" not in done.stderr


# --- orders that could come from a set or from a folder


@given(words=st.lists(st.sampled_from(WORDS) | st.text(max_size=3), min_size=1, max_size=4, unique=True))
def test_a_vocabulary_does_not_depend_on_the_order_of_its_words(words):
    found = {repr(Vocabulary.of(order)) for order in permutations(words)}
    assert len(found) == 1
    for kind in ("text", "number"):
        numbers = [
            word for word in words if kind == "text" or word.lstrip("-") in ("nan", "inf", "1", "1.0", "0")
        ]
        assert len({Vocabulary.sorted(kind, order).words for order in permutations(numbers)}) == 1


class Listing:
    """Lists folders forwards or backwards, as file systems may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch, self._list = monkeypatch, Path.iterdir

    def turn(self, backwards: bool) -> None:
        self._patch.setattr(Path, "iterdir", lambda path: iter(sorted(self._list(path), reverse=backwards)))


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Listing:
    return Listing(monkeypatch)


def test_equals_in_a_folder_of_runs_are_found_in_one_order(tmp_path, listing):
    from trainrun.runs.naming import newest

    for name in ("net-0000000a", "net-0000000b", "net-0000000c"):
        (tmp_path / name / "seed-0").mkdir(parents=True)
    found = set()
    for backwards in (True, False):
        listing.turn(backwards)
        places = tuple(groups(tmp_path))
        found.add((places, newest(Run(place / "seed-0") for place in places).directory))
    assert len(found) == 1


def test_what_no_run_writes_is_named_in_one_order(tmp_path, listing):
    from trainrun.errors import UsageError
    from trainrun.runs.cleaning import require_removable

    run = Run(tmp_path / "net-0123abcd" / "seed-0")
    RunPaths(run.directory).directory.mkdir(parents=True)
    for name in ("b.txt", "a.txt", "c.txt"):
        (run.directory / name).touch()
    for backwards in (True, False):
        listing.turn(backwards)
        with pytest.raises(UsageError, match=r"holds a\.txt"):
            require_removable(run)


def test_curves_go_on_in_the_same_file(tmp_path, listing):
    pytest.importorskip("tensorboard")
    for name in ("events.out.tfevents.1", "events.out.tfevents.2"):
        (tmp_path / name).touch()
    for backwards in (True, False):
        listing.turn(backwards)
        tensorboard._append(tmp_path, [(1, {"loss": 0.5})])
    assert (tmp_path / "events.out.tfevents.2").stat().st_size == 0
