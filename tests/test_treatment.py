"""A run goes on, or counts as finished, only where its data is prepared as it was for its training."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell import trainrun_
from tables import table, whole
from trainrun.data import Preprocessing
from trainrun.events import EpochEnded, Event, Snapshot
from trainrun.fitting import Observer, Outcome, Request, carry_out
from trainrun.jsonio import to_json_file
from trainrun.runs.checkpoint import load_checkpoint, save_checkpoints
from trainrun.runs.paths import RunPaths
from trainrun.runs.reading import Run
from trainrun.signals import StopRequest

CONFIG = "data: {path: t.csv, target: y}\nhidden: [4]\nepochs: 6\nbatch_size: 8\n"
COLUMNS = {
    "a": [row / 8 for row in range(60)],
    "b": ["" if row % 7 == 0 else row % 5 for row in range(60)],
    "city": ["Rome", "Lima", "Cairo"] * 20,
    "y": ["yes", "no", "no", "yes"] * 15,
}


class StopAfterEpoch(StopRequest, Observer):
    """Watches a command, and asks it to stop once a number of epochs have ended."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._left = epochs

    def handle(self, event: Event) -> None:
        self._left -= isinstance(event, EpochEnded)

    def requested(self) -> bool:
        return self._left <= 0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    table(tmp_path / "t.csv", COLUMNS)
    path = tmp_path / "net.yaml"
    path.write_text(CONFIG)
    return path


def carry(config: Path, epochs: int = 10**9, runs: str = "runs", **keys: Any) -> Outcome:
    stop = StopAfterEpoch(epochs)
    request = Request([config], runs=config.parent / runs, stop=stop, **keys)
    (outcome,) = carry_out(request, stop)
    return outcome


def files(run: Path) -> dict[str, bytes]:
    """What a refused command must leave as it is."""
    return {
        path.name: path.read_bytes() for path in run.iterdir() if path.suffix in (".json", ".yaml", ".txt")
    }


Change = Callable[[dict[str, Any]], None]


def rewrite(paths: RunPaths, change: Change) -> Preprocessing:
    """Change a run's preprocessing.json, as if another release had trained with it."""
    saved = json.loads(paths.preprocessing.read_text())
    change(saved)
    paths.preprocessing.write_bytes(to_json_file(saved))
    return Preprocessing.from_json(saved)


def record(paths: RunPaths, fact: object) -> None:
    """Change the fact by which a run's checkpoint recognizes the preprocessing; None removes the fact."""
    loaded = load_checkpoint(paths)
    facts = {key: value for key, value in loaded.snapshot.facts.items() if key != "preprocessing"}
    facts |= {} if fact is None else {"preprocessing": fact}
    save_checkpoints({paths: Snapshot(facts, loaded.snapshot.arrays)})


def older(saved: dict[str, Any]) -> None:
    del saved["reading"]


def same(saved: dict[str, Any]) -> None:
    """Change nothing."""


def other_fill(saved: dict[str, Any]) -> None:
    saved["numbers"]["fills"][1] += 1


def other_center(saved: dict[str, Any]) -> None:
    saved["numbers"]["scale"]["center"][0] += 0.5


def other_order(saved: dict[str, Any]) -> None:
    saved["categories"][0]["words"].reverse()


def other_labels(saved: dict[str, Any]) -> None:
    saved["labels"].reverse()


CHANGES = [
    (other_fill, "'b'"),
    (other_center, "'a'"),
    (other_order, "'city'"),
    (other_labels, "'y'"),
]


# --- a checkpoint


@pytest.mark.parametrize("known", [True, False], ids=["digest", "older checkpoint"])
@pytest.mark.parametrize(("change", "column"), CHANGES)
def test_a_checkpoint_refuses_another_preprocessing_and_names_the_column(config, change, column, known):
    paths = RunPaths(carry(config, epochs=2).directory)
    trained = rewrite(paths, change)
    record(paths, {"reading": trained.reading, "sha256": trained.digest()} if known else None)
    before = files(paths.directory)
    outcome = carry(config)
    assert (outcome.status, outcome.exit_code) == ("failed", 4)
    assert re.search(column, str(outcome.error))
    assert "--fresh" in str(outcome.error)
    assert files(paths.directory) == before
    assert carry(config, fresh=True).status == "complete"


def test_a_checkpoint_holds_the_digest_of_its_preprocessing(config):
    paths = RunPaths(carry(config, epochs=2).directory)
    saved = Preprocessing.from_json(json.loads(paths.preprocessing.read_text()))
    fact = load_checkpoint(paths).snapshot.facts["preprocessing"]
    assert fact == {"reading": saved.reading, "sha256": saved.digest()}


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"version": 1', b"[" * 10**5, b"\xff"])
def test_a_damaged_file_is_written_anew_where_the_digest_is_right(config, content):
    reference = carry(config, runs="whole").directory
    paths = RunPaths(carry(config, epochs=2).directory)
    paths.preprocessing.unlink()
    if content is not None:
        paths.preprocessing.write_bytes(content)
    assert carry(config).status == "complete"
    assert files(paths.directory) == files(reference)


@pytest.mark.parametrize("fact", [None, {"reading": 1, "sha256": ""}, {"reading": 2, "sha256": "0" * 64}, 7])
def test_where_nothing_tells_how_rows_were_prepared_the_checkpoint_is_refused(config, fact):
    paths = RunPaths(carry(config, epochs=2).directory)
    paths.preprocessing.unlink()
    record(paths, fact)
    outcome = carry(config)
    assert outcome.exit_code == 4
    assert "preprocessing.json is damaged" in str(outcome.error)


def test_a_file_that_was_changed_later_does_not_outweigh_the_digest(config):
    paths = RunPaths(carry(config, epochs=2).directory)
    rewrite(paths, other_order)
    assert carry(config).status == "complete"
    paths = RunPaths(carry(config, epochs=2, fresh=True).directory)
    record(paths, {"reading": 2, "sha256": "0" * 64})  # and the file says what the data gives now
    assert carry(config).exit_code == 4


@pytest.mark.parametrize(("moved", "status"), [(True, "complete"), (False, "failed")])
def test_rounding_is_a_difference_on_the_same_processor_alone(config, moved, status):
    paths = RunPaths(carry(config, epochs=2).directory)

    def round_off(saved: dict[str, Any]) -> None:
        saved["numbers"]["scale"]["center"][0] *= 1 + 2**-50

    trained = rewrite(paths, round_off)
    record(paths, {"reading": trained.reading, "sha256": trained.digest()})
    loaded = load_checkpoint(paths).snapshot
    processor = "another" if moved else loaded.facts["made_with"]["processor"]
    made_with = {**loaded.facts["made_with"], "processor": processor}
    save_checkpoints({paths: replace(loaded, facts={**loaded.facts, "made_with": made_with})})
    assert carry(config).status == status


# --- a finished run


def test_a_finished_run_of_an_older_reading_is_checked_once(config):
    run = Run(carry(config).directory)
    rewrite(run.paths, older)
    before = files(run.directory)
    assert carry(config).status == "complete"
    assert [event["event"] for event in Run(run.directory).events] == ["start", "end", "same_reading"]
    assert files(run.directory) == before
    rewrite(run.paths, other_order)  # which a second check would find
    assert carry(config).status == "complete"
    assert len(Run(run.directory).events) == 3


@pytest.mark.parametrize(
    ("now", "before"),
    [(["0", "1"], ["0.0", "1.0"]), (["False", "True"], ["false", "true"]), (["007", "8"], ["7", "8"])],
)
def test_labels_that_are_spelled_otherwise_are_no_difference(config, now, before):
    """Older releases respelled labels; what the net does to a row is the same."""
    table(config.parent / "t.csv", COLUMNS | {"y": now * 30})
    run = Run(carry(config).directory)
    rewrite(run.paths, older)
    rewrite(run.paths, lambda saved: saved.update(labels=before))
    assert carry(config).status == "complete"


@pytest.mark.parametrize(("change", "column"), CHANGES)
def test_a_finished_run_that_would_be_another_now_is_refused(config, change, column):
    run = Run(carry(config).directory)
    rewrite(run.paths, older)
    rewrite(run.paths, change)
    before = files(run.directory)
    for _ in range(2):  # no answer is recorded
        outcome = carry(config)
        assert outcome.exit_code == 4
        assert re.search(column, str(outcome.error))
        assert "--fresh" in str(outcome.error)
    assert files(run.directory) == before
    assert len(Run(run.directory).events) == 2
    assert carry(config, fresh=True).status == "complete"
    assert carry(config).status == "complete"


@pytest.mark.parametrize("change", [change for change, _ in CHANGES])
def test_a_finished_run_of_this_reading_is_not_checked(config, change, monkeypatch):
    run = Run(carry(config).directory)
    rewrite(run.paths, change)
    monkeypatch.setattr("trainrun.data.load_data", None)
    assert carry(config).status == "complete"


@pytest.mark.parametrize("content", [None, b"", b'{"version": 1}', b"\xff"])
def test_a_finished_run_without_a_readable_preprocessing_stays_finished(config, content):
    run = Run(carry(config).directory)
    run.paths.preprocessing.unlink()
    if content is not None:
        run.paths.preprocessing.write_bytes(content)
    assert carry(config).status == "complete"


# --- what counts as a difference

CELLS = st.one_of(
    st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=8, max_size=8, unique=True),
    st.lists(st.sampled_from(["x", "y", "nan", "NA", "1", "-1", "1.0", "true", "ß"]), min_size=8, max_size=8),
    st.lists(st.sampled_from(["true", "false", ""]), min_size=8, max_size=8),
    st.lists(st.sampled_from(["1", "2.5", "", "-999"]), min_size=8, max_size=8),
)


@settings(max_examples=60)
@given(columns=st.lists(CELLS, min_size=1, max_size=4), scale=st.sampled_from(["standard", "minmax", "none"]))
def test_what_is_saved_and_read_again_is_no_difference(columns, scale):
    from trainrun.errors import DataError

    named = {f"c{place}": cells for place, cells in enumerate(columns)}
    with tempfile.TemporaryDirectory() as folder:
        path = table(Path(folder) / "t.csv", named | {"y": ["a", "b"] * 4})
        try:
            fitted = whole(path, target="y", scale=scale, categorical=tuple(named)[:1]).preprocessing
        except DataError:  # a column without values, say
            return
    saved = json.loads(to_json_file(fitted.to_json()))
    again = Preprocessing.from_json(dict(reversed(saved.items())))
    assert fitted.difference(again) is None
    assert again.digest() == fitted.digest()
    saved.pop("reading")
    assert fitted.difference(Preprocessing.from_json(saved)) is None


# --- the commands


def test_compare_refuses_an_older_run_that_would_be_another_now(config):
    done = trainrun_("compare", "net.yaml", "--seeds", 2, cwd=config.parent)
    first, _ = (Run(place) for place in sorted(config.parent.glob("runs/*/seed-*")))
    rewrite(first.paths, older)
    again = trainrun_("compare", "net.yaml", "--seeds", 2, cwd=config.parent)
    assert again.stdout == done.stdout
    assert [event["event"] for event in Run(first.directory).events][-1] == "same_reading"

    trainrun_("fit", "net.yaml", "--fresh", cwd=config.parent)
    rewrite(first.paths, older)
    rewrite(first.paths, other_fill)
    refused = trainrun_("compare", "net.yaml", "--seeds", 2, cwd=config.parent, code=4)
    assert "first difference: column 'b'" in refused.stderr
    assert "runs 1 of 2" in " ".join(refused.stdout.split())
    trainrun_(
        "compare", first.directory.parent, "--seeds", 2, cwd=config.parent
    )  # a directory is not checked
    trainrun_("show", first.directory, cwd=config.parent)
    trainrun_("predict", first.directory, "t.csv", cwd=config.parent)
