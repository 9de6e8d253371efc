"""Searches from end to end: what they leave on disk, and that it is the same however they came to it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from builders import CPU
from fits import StopAfter
from trainrun.comparing.candidates import Candidate as Compared
from trainrun.comparing.criterion import Criterion
from trainrun.comparing.pairing import pair_all
from trainrun.comparing.standings import Standing
from trainrun.config import load_config
from trainrun.data import identify_config
from trainrun.engine import device as processors
from trainrun.engine.training import Pauses
from trainrun.engine.workers import train_parts
from trainrun.errors import ConfigError, DataError, RunBusyError, StorageError, UsageError
from trainrun.events import EpochEnded, FitStarted
from trainrun.fitting import fit
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths, SearchPaths
from trainrun.searching import question, slices, work
from trainrun.searching.answers import Search, answer
from trainrun.searching.request import SearchObserver, SearchRequest
from trainrun.searching.slices import spread
from trainrun.searching.trainings import Candidate, Training
from trainrun.signals import StopRequest

CONFIG = """\
data: iris
hidden: [8]
batch_size: 32
epochs: 9
search:
  learning_rate: {from: 1e-3, to: 1e-1, log: true}
  dropout: {hidden: [0, 0.2]}
  hidden: [[4], [8, 8]]
"""
SIZE = 6  # of a generation here


@pytest.fixture(autouse=True)
def _small_generations(monkeypatch):
    for module in (work, question):
        monkeypatch.setattr(module, "GENERATION", SIZE)


def config_at(folder: Path, text: str = CONFIG, name: str = "a.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def search(folder: Path, text: str = CONFIG, *, observer: SearchObserver | None = None, **keys) -> Search:
    """Search a config in a folder; the runs are in its folder `runs`."""
    keys = {"candidates": SIZE, "seeds": 2, "finalists": 1, "runs": folder / "runs"} | keys
    return answer(SearchRequest(config_at(folder, text), **keys), observer or SearchObserver())


def files(folder: Path) -> dict[str, bytes]:
    """All that two equal searches have in common."""
    apart = {"events.jsonl", "looks.jsonl", ".lock", "search.yaml"}
    found = (path for path in (folder / "runs").rglob("*") if path.is_file() and path.name not in apart)
    where = str(folder).encode()  # the first line of the best settings says it
    return {str(path.relative_to(folder)): path.read_bytes().replace(where, b"") for path in found}


def said(result: Search) -> tuple:
    """All that a search says, but where its files are."""
    confirmed = result.confirmation
    return (
        result.records,
        result.exit_code,
        confirmed and (confirmed.best, confirmed.comparison.pairings, confirmed.plain.complete),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search of two generations and a rest, and its folder."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (work, question):
            patch.setattr(module, "GENERATION", SIZE)
        folder = tmp_path_factory.mktemp("whole")
        return folder, search(folder, candidates=2 * SIZE + 2, finalists=2)


class Watch(SearchObserver):
    """Notes all that it sees."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def begin(self, runs) -> None:
        self.seen.append(runs)

    def handle(self, event) -> None:
        self.seen.append(event)

    def note(self, sentence: str) -> None:
        self.seen.append(sentence)


def lines(result: Search) -> list[dict]:
    return [json.loads(line) for line in result.paths.candidates.read_text().splitlines()]


# What a search leaves


def test_a_complete_candidate_is_the_run_that_fit_gives(whole, tmp_path):
    folder, result = whole
    complete = [one for one in result.records if one.status == "complete"]
    assert len(complete) > 3
    for one in complete:
        plain = {"data": "iris", "batch_size": 32, "epochs": 9, **one.settings}
        plain["dropout"] = {"hidden": plain.pop("dropout.hidden")}
        path = config_at(tmp_path, yaml.safe_dump(plain))
        (run,) = fit(path, runs=tmp_path / "runs")
        mine = folder / "runs" / f"a-{one.id8}" / "seed-0"
        for name in ("best.safetensors", "metrics.jsonl", "result.json", "preprocessing.json", "log.txt"):
            assert (mine / name).read_bytes() == (run.directory / name).read_bytes(), name
        assert (mine / "config.yaml").read_bytes() == (run.directory / "config.yaml").read_bytes()


def test_the_value_is_that_of_the_best_epoch(whole):
    folder, result = whole
    for one in result.records:
        directory = folder / "runs" / f"a-{one.id8}" / "seed-0"
        assert directory.exists() == (one.status == "complete")
        if one.status == "complete":
            found = json.loads((directory / "result.json").read_text())
            assert one.value == found["valid"]["loss"]
            assert (one.epochs, one.steps) == (found["epochs"], found["steps"])


def test_a_line_for_each_candidate(whole):
    _, result = whole
    found = lines(result)
    assert len(found) == len(result.records) == 14
    assert [one["generation"] for one in found] == [0] * 6 + [1] * 6 + [2] * 2
    assert {one["status"] for one in found} == {"complete", "dropped"}
    assert all(one["settings"].keys() == {"learning_rate", "dropout.hidden", "hidden"} for one in found)
    assert len({one["id8"] for one in found}) == 14
    assert [one["value"] for one in found] == [one.value for one in result.records]


def test_dropped_candidates_end_where_they_were_judged(whole):
    _, result = whole
    for one in result.records:
        assert one.epochs == one.curve[-1][0] if one.status == "dropped" else 9
        assert all(epochs in (1, 3) for epochs, _ in one.curve)
        assert one.bracket == 0 or one.curve[0][0] == 3
    first = [one for one in result.records[:SIZE] if one.bracket == 0]
    kept = sorted(first, key=lambda one: one.curve[0][1])[: -(-len(first) // 3)]
    assert {one.id8 for one in first if one.epochs > 1} == {one.id8 for one in kept}


def test_the_ranking_is_by_the_value(whole):
    _, result = whole
    values = [one.value for one in result.ranking]
    assert values == sorted(values)
    assert len(values) == 14


def test_a_metric_may_judge_that_is_not_the_monitored_one(tmp_path):
    """Larger ones may be better."""
    result = search(tmp_path, metric="accuracy")
    assert result.ranking[0].value == max(one.value for one in result.records)
    best = result.ranking[0]
    found = json.loads((tmp_path / "runs" / f"a-{best.id8}" / "seed-0" / "result.json").read_text())
    assert best.value == found["valid"]["accuracy"]
    assert result.question.id8() != search(tmp_path).question.id8()


@pytest.mark.parametrize("section", ["{loss: [mse, mae]}", "{data.scale_target: [none, standard]}"])
def test_losses_of_several_kinds_are_judged_by_a_metric(section, tmp_path):
    table = "".join(f"{row % 7},{row % 5},{row * 0.1}\n" for row in range(60))
    (tmp_path / "t.csv").write_text(f"x,z,y\n{table}")
    text = f"data: {{path: t.csv, target: y}}\nepochs: 2\nhidden: 4\nsearch: {section}\n"
    result = search(tmp_path, text, candidates=2)
    assert result.question.metric == result.confirmation.comparison.criterion.metric == "rmse"


def test_losses_that_are_reported_alike_are_compared(tmp_path):
    section = "{loss: [cross_entropy, {name: cross_entropy, label_smoothing: 0.1}]}"
    result = search(tmp_path, f"data: iris\nepochs: 2\nsearch: {section}\n", candidates=2, finalists=0)
    assert result.question.metric == "loss"


# Again, apart and together


def test_a_second_call_trains_nothing(whole):
    folder, result = whole
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*") if path.name != ".lock"}
    content = files(folder)
    watch = Watch()
    again = search(folder, candidates=2 * SIZE + 2, finalists=2, observer=watch)
    assert watch.seen == []
    assert files(folder) == content
    changed = [
        p for p, t in before.items() if p.is_file() and p.stat().st_mtime_ns != t and "best" not in p.name
    ]
    assert changed == []
    assert said(again) == said(result)


@pytest.mark.parametrize("keys", [{"save_seconds": 0.0}, {"save_seconds": 1e9}])
@pytest.mark.parametrize("free", [1, 2, 3])
def test_the_same_with_any_processes_and_pauses(keys, free, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(processors, "free_processors", lambda: free)
    monkeypatch.setattr(slices, "_WORTH_A_PROCESS", 1)
    folder, result = whole
    other = search(tmp_path, candidates=2 * SIZE + 2, finalists=2, **keys)
    assert said(other) == said(result)
    assert files(tmp_path) == files(folder)


@pytest.mark.parametrize("looks", [0, 1, 2, 5, 17, 40, 90, 130, 200])
def test_a_search_that_was_stopped_goes_on(looks, whole, tmp_path):
    folder, result = whole
    stopped = search(tmp_path, candidates=2 * SIZE + 2, finalists=2, stop=StopAfter(looks))
    assert stopped.best_file is None
    assert (stopped.exit_code, stopped.confirmation) == (75, None)
    assert [one.id8 for one in stopped.records] == [one.id8 for one in result.records[: len(stopped.records)]]
    watch = Watch()
    went_on = search(tmp_path, candidates=2 * SIZE + 2, finalists=2, observer=watch)
    assert said(went_on) == said(result)
    assert files(tmp_path) == files(folder)
    assert not [one for one in watch.seen if isinstance(one, str)]


def test_a_search_that_is_stopped_again_and_again_comes_to_its_end(whole, tmp_path):
    folder, result = whole
    for _ in range(200):
        found = search(tmp_path, candidates=2 * SIZE + 2, finalists=2, stop=StopAfter(31))
        if found.exit_code == 0:
            break
    assert said(found) == said(result)
    assert files(tmp_path) == files(folder)


SCRIPT = """
import sys
from pathlib import Path
from trainrun.searching import answers, question, work
work.GENERATION = question.GENERATION = {size}
from trainrun.searching.request import SearchObserver, SearchRequest
request = SearchRequest({config!r}, candidates={candidates}, seeds=2, finalists=2, runs=Path({runs!r}),
    save_seconds=0.02)
print("ready", flush=True)
answers.answer(request, SearchObserver())
"""


def test_a_search_that_was_killed_goes_on(whole, tmp_path):
    folder, result = whole
    config, candidates = str(config_at(tmp_path)), 2 * SIZE + 2
    script = SCRIPT.format(size=SIZE, config=config, candidates=candidates, runs=str(tmp_path / "runs"))
    rng = random.Random(5)
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0, 1))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    went_on = search(tmp_path, candidates=candidates, finalists=2)
    assert said(went_on) == said(result)
    assert files(tmp_path) == files(folder)


# Damage


def stopped_at(folder: Path, looks: int) -> SearchPaths:
    found = search(folder, candidates=2 * SIZE + 2, finalists=2, stop=StopAfter(looks), save_seconds=0.0)
    assert found.paths.checkpoint.exists()
    return found.paths


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"", lambda content: content[:-1], lambda content: b"garbage" * 100,
        lambda content: content[:200] + b"?" + content[201:],
    ],
)  # fmt: skip
@pytest.mark.parametrize("both", [False, True])
def test_damaged_checkpoints(damage, both, whole, tmp_path):
    folder, result = whole
    paths = stopped_at(tmp_path, 60)
    for path in [paths.checkpoint, paths.previous_checkpoint][: 1 + both]:
        path.write_bytes(damage(path.read_bytes()))
    watch = Watch()
    went_on = search(tmp_path, candidates=2 * SIZE + 2, finalists=2, observer=watch)
    (note,) = [one for one in watch.seen if isinstance(one, str)]
    assert ("starts over" if both else "continuing from prev.ckpt") in note
    assert said(went_on) == said(result)
    assert files(tmp_path) == files(folder)


def test_a_checkpoint_of_another_generation_or_search_is_left(whole, tmp_path):
    folder, result = whole
    paths = stopped_at(tmp_path, 30)
    kept = paths.checkpoint.read_bytes()
    search(tmp_path, candidates=2 * SIZE + 2, stop=StopAfter(150))
    paths.checkpoint.write_bytes(kept)
    paths.previous_checkpoint.unlink(missing_ok=True)
    assert said(search(tmp_path, candidates=2 * SIZE + 2, finalists=2)) == said(result)
    assert files(tmp_path) == files(folder)
    other = search(tmp_path / "b", candidates=3, finalists=0)
    other.paths.candidates.unlink()
    other.paths.checkpoint.write_bytes(kept)  # of more candidates, and of others
    assert search(tmp_path / "b", candidates=3, finalists=0).records == other.records


def edited(line: bytes, **values: object) -> bytes:
    return json.dumps(json.loads(line) | values).encode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda all_lines: [], lambda all_lines: all_lines[:SIZE], lambda all_lines: all_lines[: SIZE + 2],
        lambda all_lines: all_lines[:-1], lambda all_lines: all_lines[:3],
        lambda all_lines: [*all_lines, all_lines[-1]], lambda all_lines: all_lines[1:],
        lambda all_lines: [*all_lines[:8], all_lines[8][:20], *all_lines[9:]],
        lambda all_lines: [b"\xff\x00", *all_lines], lambda all_lines: [b"[" * 100_000],
        lambda all_lines: [edited(all_lines[0], value=float("nan")), *all_lines[1:]],
        lambda all_lines: [edited(all_lines[0], epochs=float("inf")), *all_lines[1:]],
        lambda all_lines: [edited(all_lines[0], settings={}), *all_lines[1:]],
        lambda all_lines: [edited(all_lines[0], status="lost"), *all_lines[1:]],
        lambda all_lines: [edited(all_lines[0], curve=[[1]]), *all_lines[1:]],
        lambda all_lines: [edited(all_lines[0], value="0.5"), *all_lines[1:]],
        lambda all_lines: [b"3"], lambda all_lines: [b"null", *all_lines],
    ],
)  # fmt: skip
def test_damaged_candidates(damage, whole, tmp_path):
    folder, result = whole
    (tmp_path / "runs").mkdir()
    place = tmp_path / result.paths.candidates.relative_to(folder)
    place.parent.mkdir(parents=True)
    all_lines = result.paths.candidates.read_bytes().splitlines()
    place.write_bytes(b"\n".join(damage(all_lines)) + b"\n")
    went_on = search(tmp_path, candidates=2 * SIZE + 2, finalists=2)
    assert said(went_on) == said(result)
    assert place.read_bytes() == result.paths.candidates.read_bytes()


@pytest.mark.parametrize("content", [b"", b"\x00", b"{}", b"[1", b'{"status": "complete"}'])
def test_garbage_in_a_result_file(content, whole, tmp_path):
    """Of a candidate and of a finalist: no traceback, and what is there is not taken for a result."""
    _, result = whole
    stopped_at(tmp_path, 60)
    for one in (tmp_path / "runs").glob("a-*/seed-0/result.json"):
        one.write_bytes(content)
    went_on = search(tmp_path, candidates=2 * SIZE + 2, finalists=2)
    assert said(went_on)[0] == said(result)[0]


# More candidates


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_whole_generations_extend_each_other(sampler, tmp_path):
    at_once = search(tmp_path / "a", candidates=2 * SIZE, sampler=sampler)
    search(tmp_path / "b", candidates=SIZE, sampler=sampler)
    extended = search(tmp_path / "b", candidates=2 * SIZE, sampler=sampler)
    assert extended.records == at_once.records
    assert extended.paths.candidates.read_bytes() == at_once.paths.candidates.read_bytes()
    assert search(tmp_path / "b", candidates=SIZE, sampler=sampler).records == at_once.records[:SIZE]


def test_other_numbers_take_over_whole_generations(whole, monkeypatch):
    folder, result = whole
    trained, train = [], work.Work._train

    def note(self, number: int, trainings: list[Training]) -> bool:
        trained.append(number)
        return train(self, number, trainings)

    monkeypatch.setattr(work.Work, "_train", note)
    fewer = search(folder, candidates=2 * SIZE, finalists=2)
    assert fewer.records == result.records[: 2 * SIZE]
    assert fewer.paths.directory != result.paths.directory
    assert lines(fewer) == lines(result)[: 2 * SIZE]
    assert (fewer.paths.directory / "search.yaml").exists()
    more = search(folder, candidates=2 * SIZE + 3, finalists=2)
    assert more.records[: 2 * SIZE] == result.records[: 2 * SIZE]
    assert (len(more.records), trained) == (2 * SIZE + 3, [2])


# Spaces that are used up or conflict


def conflicting(tmp_path: Path, rows: int) -> str:
    table = "".join(f"{row % 7},{row % 5},{'ab'[row % 2]}\n" for row in range(rows))
    (tmp_path / "t.csv").write_text(f"x,z,y\n{table}")
    return (
        "data: {path: t.csv, target: y, split: {valid: 10, test: 10}}\nhidden: 4\nepochs: 1\n"
        "search: {batch_size: [4, 5, 6, 7, 8, 9, 10], normalization: [batch, layer]}\n"
    )


def test_candidates_that_conflict_with_the_data_are_left_out_and_counted(tmp_path):
    """Of 41 training rows, batches of 4, 5, 8 and 10 leave one that is alone."""
    result = search(tmp_path, conflicting(tmp_path, 61), candidates=14)
    assert result.question.sampler == "grid"
    found = {(one.settings["batch_size"], one.settings["normalization"]) for one in result.records}
    expected = {(size, "layer") for size in range(4, 11)} | {(size, "batch") for size in (6, 7, 9)}
    assert found == expected
    assert sum(one.skipped for one in result.records) == 4
    assert [one.generation for one in result.records] == [0] * 6 + [1] * 4
    watch = Watch()
    assert (
        search(tmp_path, conflicting(tmp_path, 61), candidates=14, observer=watch).records == result.records
    )
    assert watch.seen == []


def test_conflicts_behind_the_last_candidate_are_counted(tmp_path):
    text = conflicting(tmp_path, 61).replace("[batch, layer]", "[layer, batch]")
    result = search(tmp_path, text, candidates=14, finalists=0)
    assert (len(result.records), sum(one.skipped for one in result.records)) == (10, 4)
    assert result.records[-1].skipped == 1


def test_a_grid_of_which_many_in_a_row_conflict_is_tried_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "_MOST_SKIPPED", 2)
    text = (
        conflicting(tmp_path, 61).replace("6, 7, 8, 9, 10", "8, 10, 6").replace("[batch, layer]", "[batch]")
    )
    assert [one.settings["batch_size"] for one in search(tmp_path, text, finalists=0).records] == [6]


@pytest.mark.parametrize("sampler", ["auto", "random", "tpe"])
@pytest.mark.parametrize("values", ["[4, 8]", "[4, 5, 6, 7, 8, 9, 10, 11]"])
def test_a_space_that_is_smaller_than_asked_for(sampler, values, tmp_path):
    text = f"data: iris\nepochs: 2\nsearch: {{hidden: {values}}}\n"
    result = search(tmp_path, text, candidates=20, sampler=sampler, finalists=0)
    assert sorted(one.settings["hidden"] for one in result.records) == json.loads(values)
    content = result.paths.candidates.read_bytes()
    again = search(tmp_path, text, candidates=20, sampler=sampler, finalists=0)
    assert again.records == result.records
    assert again.paths.candidates.read_bytes() == content


def test_a_space_that_is_used_up_in_the_middle_of_a_generation(tmp_path):
    """Values that mean the same are tried once, so that there are fewer candidates than combinations."""
    text = (
        "data: iris\nepochs: 2\nhidden: 6\nsearch: {hidden: [4, [4], 5, [5]],"
        " dropout: [0, {hidden: 0}, {hidden: 0.1}, 0.1]}\n"
    )
    for sampler in ("grid", "random"):
        result = search(tmp_path / sampler, text, candidates=None, sampler=sampler, finalists=0)
        assert len({one.id8 for one in result.records}) == len(result.records) == 4
        again = search(tmp_path / sampler, text, candidates=None, sampler=sampler, finalists=0)
        assert again.records == result.records


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_nearly_used_up_space_is_tried_to_its_end(sampler, tmp_path, monkeypatch):
    """A sampler that hardly ever finds the last combinations leaves them to be taken in their order."""
    monkeypatch.setattr(work, "_MOST_SKIPPED", 1)
    text = "data: iris\nepochs: 1\nsearch: {hidden: [2, 3, 4, 5], dropout.input: [0, 0.1, 0.2]}\n"
    result = search(tmp_path, text, candidates=12, sampler=sampler, finalists=0)
    assert len({one.id8 for one in result.records}) == len(result.records) == 12


def test_conflicts_of_pairs_are_told_before_anything_is_written(tmp_path):
    text = "data: iris\noptimizer: {name: sgd, momentum: 0.5}\nsearch: {optimizer.nesterov: [true, false],"
    with pytest.raises(ConfigError, match=r"nesterov true and optimizer.momentum 0 do not go together"):
        search(tmp_path, f"{text} optimizer.momentum: [0, 0.5]}}\n")
    assert not (tmp_path / "runs").exists()


# Divergence


DIVERGING = "data: iris\nepochs: 3\nhidden: 4\nbatch_size: 16\noptimizer: sgd\nactivation: identity\n"


def test_candidates_that_diverge_are_no_finalists(tmp_path):
    text = f"{DIVERGING}search: {{learning_rate: [1e30, 0.01, 1e35, 0.02, 1e33]}}\n"
    result = search(tmp_path, text, finalists=5)
    statuses = [one.status for one in result.records]
    assert [statuses[place] for place in (0, 2, 4)] == ["diverged"] * 3
    assert "diverged" not in (statuses[1], statuses[3])
    assert {one.settings["learning_rate"] for one in result.confirmation.records} <= {0.01, 0.02}
    assert all(one.value is None for one in result.records if one.status == "diverged")
    assert result.exit_code == 0
    assert not any((tmp_path / "runs" / f"a-{result.records[0].id8}").glob("*"))


def test_where_all_candidates_diverge_the_exit_code_says_so(tmp_path):
    result = search(tmp_path, f"{DIVERGING}search: {{learning_rate: [1e30, 1e35]}}\n")
    assert (result.exit_code, result.confirmation, result.best_file, result.ranking) == (3, None, None, [])
    assert search(tmp_path, f"{DIVERGING}search: {{learning_rate: [1e30, 1e35]}}\n").exit_code == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_none(value, tmp_path):
    """In memory as in a file, or the next proposals would depend on where it is read."""
    asked = question.Question(SearchRequest(config_at(tmp_path)))
    point = asked.space.at([0.5, 0, 0])
    config = asked.space.candidate(point)
    training = Training(Candidate(0, 0, 0, point, {}, config, "id"), asked.cell(config), "auc")
    numbers = dict.fromkeys(("learning_rate", "penalty", "monitored", "previous_best", "best"), 0.5)
    told = {"train": {"loss": 0.1}, "valid": {"loss": 0.1, "auc": value}, "improved": True, "kept": True}
    training.take(FitStarted(0, 9, 1, "val_loss", False))
    training.take(EpochEnded(member=0, epoch=1, step=3, wait=0, **numbers, **told))
    assert (training.value, training.epochs) == (None, 1)


# Confirmation


def test_the_confirmation_takes_fresh_seeds(whole):
    folder, result = whole
    confirmed = result.confirmation
    for one in (confirmed.plain, *confirmed.finalists):
        assert sorted(one.complete) == [1, 2]
    assert [one.id8 for one in confirmed.records] == [one.id8 for one in result.ranking[:2]]
    plain = identify_config(load_config(folder / "a.yaml"))
    assert confirmed.plain.candidate.id8 == plain
    assert sorted(path.name for path in (folder / "runs" / f"a-{plain}").glob("seed-*")) == [
        "seed-1",
        "seed-2",
    ]


def test_the_seeds_follow_that_of_the_config(tmp_path):
    result = search(tmp_path, f"seed: 7\n{CONFIG}", seeds=1)
    assert sorted(result.confirmation.plain.complete) == [8]
    best = result.ranking[0]
    group = tmp_path / "runs" / f"a-{best.id8}"
    assert {path.name for path in group.glob("seed-*")} >= {"seed-8"}


def test_the_plain_config_is_no_finalist(tmp_path):
    text = "data: iris\nepochs: 2\nhidden: 4\nsearch: {hidden: [4]}\n"
    result = search(tmp_path, text)
    assert (len(result.records), result.exit_code, result.confirmation) == (1, 0, None)


class Fixed(Standing):
    """A candidate whose runs have these validation losses."""

    def __init__(self, label: str, losses: list[float]) -> None:
        config = Compared(label, load_config(self.file), self.file, (), label, {}, {})
        super().__init__(config, {}, dict.fromkeys(range(len(losses)), "complete"))
        self.__dict__["complete"] = {
            seed: {"train": None, "valid": {"loss": loss}, "test": None} for seed, loss in enumerate(losses)
        }


def test_all_pairs_are_one_family_of_verdicts(tmp_path):
    Fixed.file = config_at(tmp_path)
    plain = [1.0, 1.1, 0.9, 1.05, 0.95, 1.02, 0.98, 1.01]
    better = [value - 0.1 - 0.001 * place for place, value in enumerate(plain)]
    alike = [value + 0.03 * (-1) ** place for place, value in enumerate(plain)]
    standings = [Fixed("plain", plain), Fixed("first", better), Fixed("second", alike)]
    pairs = list(pair_all(standings, Criterion("loss", "valid", {})))
    assert [(one.baseline, one.config) for one in pairs] == [
        ("plain", "first"), ("plain", "second"), ("first", "second"),
    ]  # fmt: skip
    alone = [
        next(pair_all([standings[a], standings[b]], Criterion("loss", "valid", {})))
        for a, b in ((0, 1), (0, 2), (1, 2))
    ]
    ranked = sorted(range(3), key=lambda place: alone[place].difference.p)
    largest = 0.0
    for rank, place in enumerate(ranked):  # Holm over all three
        largest = max(largest, min(1.0, (3 - rank) * alone[place].difference.p))
        assert pairs[place].difference.p == pytest.approx(largest)
    assert pairs[0].difference.mean < 0 < pairs[2].difference.mean


# What is refused


@pytest.mark.parametrize(
    ("text", "keys", "sentence"),
    [
        ("data: {source: iris, split: {seed: run}}\n", {},
         "needs the same validation rows for every seed, got run"),
        ("data: {source: iris, split: {valid: 0}}\n", {}, "a search needs validation rows"),
        ("data: iris\n", {"metric": "rmse"}, "--metric: this config reports loss, accuracy.* not rmse"),
        ("data: iris\n", {"metric": "acuracy"}, "--metric: .*did you mean accuracy"),
        ("data: iris\nepochs: 0\n", {}, "epochs: a search needs at least 1, got 0"),
        ("data: iris\n", {"overrides": ["extends=b.yaml"]}, "a search extends its own config file"),
        ("data: iris\n", {"overrides": ["search=null"]}, "has no section search"),
        ("data: iris\n", {"sampler": "grid"}, "is a range without a step"),
    ],
)  # fmt: skip
def test_requests_that_make_no_sense_leave_nothing(text, keys, sentence, tmp_path):
    with pytest.raises(UsageError, match=sentence):
        search(tmp_path, f"{text}search: {{learning_rate: {{from: 0.1, to: 1}}}}\n", **keys)
    assert not (tmp_path / "runs").exists()


def test_a_searched_number_of_epochs_is_named_at_its_place(tmp_path):
    with pytest.raises(UsageError, match=r"a\.yaml:3:19: epochs: a search needs at least 1, got 0"):
        search(tmp_path, "data: iris\nepochs: 2\nsearch: {epochs: [0, 3]}\n")


@pytest.mark.filterwarnings("error")
def test_a_step_that_leaves_a_rest_is_no_matter(tmp_path):
    text = "data: iris\nhidden: 2\nepochs: 1\nsearch: {dropout.hidden: {from: 0, to: 0.5, step: 0.02}}\n"
    text = text.replace("}}", "}, batch_size: {from: 32, to: 85, step: 7}}")
    found = search(tmp_path, text, candidates=24, finalists=0)
    assert len(found.importance) == 2


def test_a_grid_is_never_cut(tmp_path):
    text = "data: iris\nsearch: {hidden: [1, 2, 3]}\n"
    with pytest.raises(UsageError, match="tries all 3 combinations, more than --candidates 2"):
        search(tmp_path, text, candidates=2, sampler="grid")


def test_one_process_at_a_time_searches(whole):
    folder, result = whole
    held = RunLock(result.paths)
    try:
        with pytest.raises(RunBusyError, match="another process is running this search"):
            search(folder, candidates=2 * SIZE + 2, finalists=2)
    finally:
        held.release()


def test_a_run_that_another_process_trains_is_left_to_it(whole, tmp_path):
    _, result = whole
    complete = next(one for one in result.records if one.status == "complete")
    paths = RunPaths(tmp_path / "runs" / f"a-{complete.id8}" / "seed-0")
    held = RunLock(paths)
    found = search(tmp_path, candidates=2 * SIZE + 2, finalists=0)
    held.release()
    assert found.exit_code == 5
    assert [str(paths.directory) in str(error) for error in found.errors] == [True]
    assert found.records == result.records


def test_no_answer_while_another_process_trains_a_finalist(whole, tmp_path):
    """Without it another finalist would look like the best one."""
    _, result = whole
    best = result.confirmation.records[result.confirmation.best]
    held = RunLock(RunPaths(tmp_path / "runs" / f"a-{best.id8}" / "seed-2"))
    found = search(tmp_path, candidates=2 * SIZE + 2, finalists=2)
    assert (found.exit_code, found.is_stopped, found.confirmation) == (5, True, None)
    assert not found.paths.result.exists()
    held.release()
    found = search(tmp_path, candidates=2 * SIZE + 2, finalists=2)
    assert said(found) == said(result)


def test_what_a_kill_left_of_a_run_is_removed(whole, tmp_path):
    _, result = whole
    complete = next(one for one in result.records if one.status == "complete")
    left = tmp_path / "runs" / f"a-{complete.id8}" / "seed-0" / ".log.txt.0123456789ab.tmp"
    left.parent.mkdir(parents=True)
    left.write_text("half a li")
    search(tmp_path, candidates=2 * SIZE + 2, finalists=0)
    assert (left.parent / "result.json").exists()
    assert not left.exists()


# The best settings


TABLE = "x,z,y\n" + "".join(f"{row % 7},{row % 5 + row % 2},{'ab'[row % 2]}\n" for row in range(60))
SPACE = "search: {optimizer: [{name: sgd, momentum: 0.9}, adam], dropout.hidden: [0.1, 0.2]}\n"


@pytest.mark.parametrize(
    "overrides",
    [
        (), ("dropout.input=0.1",), ("dropout=0.3", "hidden=8,4"), ("data.scale=none",), ("name=b",),
        ("optimizer={name: sgd, nesterov: true, momentum: 0.1}", "seed=3"), ("data.path=elsewhere/u.csv",),
    ],
)  # fmt: skip
@pytest.mark.parametrize("absolute", [False, True])
def test_the_best_settings_are_a_config(overrides, absolute, tmp_path, monkeypatch):
    """From another folder than that in which the search ran, which is another than that of the config."""
    for place in (tmp_path / "configs" / "data" / "t.csv", tmp_path / "elsewhere" / "u.csv"):
        place.parent.mkdir(parents=True)
        place.write_text(TABLE)
    table = tmp_path / "configs" / "data" / "t.csv" if absolute else "data/t.csv"
    text = (
        f"data: {{path: {table}, target: y}}\nhidden: 4\nepochs: 2\noptimizer: {{name: sgd, momentum: 0.5}}\n"
    )
    config_at(tmp_path / "configs", f"{text}dropout: {{input: 0.05}}\n{SPACE}", name="a b.yaml")
    monkeypatch.chdir(tmp_path)
    request = SearchRequest(
        "configs/a b.yaml", seeds=1, finalists=1, runs=Path("runs"), overrides=overrides, save_seconds=1e9
    )
    result = answer(request, SearchObserver())
    best = result.confirmation.records[result.confirmation.best]
    found = result.best_file.absolute()
    monkeypatch.chdir("/")
    config = load_config(found)
    assert identify_config(config) == best.id8
    assert (config.seed, config.origin) == (3 if "seed=3" in overrides else 0, "written")
    with pytest.raises(UsageError, match="has no section search"):
        answer(SearchRequest(found, runs=tmp_path / "runs"), SearchObserver())


def test_the_best_settings_say_where_they_come_from(whole):
    _, result = whole
    first, *rest = result.best_file.read_text().splitlines()
    assert first == "# The best of 14 candidates of a.yaml, by trainrun search."
    assert rest[:2] == ["extends: ../../../a.yaml", "search: null"]
    assert result.best_file.name == "a-best.yaml"


def test_the_best_settings_in_a_folder_behind_a_link_find_their_config(tmp_path):
    (tmp_path / "large disk" / "of mine").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "runs").symlink_to(tmp_path / "large disk" / "of mine")
    result = search(tmp_path / "here", CONFIG.replace("epochs: 9", "epochs: 1"))
    best = result.confirmation.records[result.confirmation.best]
    assert identify_config(load_config(result.best_file)) == best.id8


@pytest.mark.parametrize("target", ["a.yaml", "base.yaml", "link.yaml", "folder", "nowhere/best.yaml"])
def test_a_copy_that_cannot_be_written_is_told_before_anything_trains(target, tmp_path):
    base = config_at(tmp_path, CONFIG, "base.yaml")
    text = "extends: ./base.yaml\nhidden: [6]\n"
    (tmp_path / "link.yaml").symlink_to(base)
    (tmp_path / "folder").mkdir()
    with pytest.raises((UsageError, StorageError), match=Path(target).name):
        search(tmp_path, text, out=tmp_path / target)
    assert (base.read_text(), (tmp_path / "a.yaml").read_text()) == (CONFIG, text)
    assert not (tmp_path / "runs").exists()


# Slices


def test_members_with_and_without_a_state_never_share_a_stack(tmp_path):
    """A member may have paused before its first step, while others of its shape have not begun."""
    text = "data: iris\nhidden: 4\nsearch: {initializer: [zeros, he_normal, xavier_uniform, lecun_normal]}\n"
    asked = question.Question(SearchRequest(config_at(tmp_path, text)))
    trainings = []
    for place, point in enumerate(asked.space.grid()):
        config = asked.space.candidate(point)
        candidate = Candidate(place, 0, 0, point, {}, config, str(place))
        trainings.append(Training(candidate, asked.cell(config), "loss"))

    def train(some: list[Training], pauses: Pauses) -> None:
        parts, order, used = spread(some, 2, CPU)
        for event in train_parts(parts, device=CPU, threads=used.threads, pauses=pauses):
            order[event.member].take(event)

    train(trainings[2:], Pauses(StopAfter(0).requested))
    assert [one.snapshot is None for one in trainings] == [True, True, False, False]
    train(trainings, Pauses(last_epoch=2))
    alone = [Training(one.candidate, one.cell, "loss") for one in trainings]
    for one in alone:
        train([one], Pauses(last_epoch=2))
    values = [[epoch.valid for epoch in one.history.epochs()] for one in trainings]
    assert values == [[epoch.valid for epoch in one.history.epochs()] for one in alone]


# Folds


NORMALIZED = CONFIG.replace("batch_size: 32", "batch_size: 82\nnormalization: batch")


@pytest.mark.parametrize(
    ("text", "folds", "sentence"),
    [
        (CONFIG, 151, "150 rows are too few for 151 folds"),
        # Outside of folds of 38 and of 37 rows, 82 and 83 train: of 83, batches of 82 leave one.
        (NORMALIZED, 4, "normalization"),
    ],
)
def test_all_folds_are_checked_before_anything_trains(text, folds, sentence, tmp_path):
    with pytest.raises((ConfigError, DataError), match=sentence):
        search(tmp_path, text, outer=folds)
    assert not (tmp_path / "runs").exists()


def test_the_overlap_of_folds_counts_validation_rows_that_are_given_as_a_number(tmp_path):
    """Each third of 150 rows is tested on what 70 or 100 others have shown."""
    text = CONFIG.replace("data: iris", "data: {source: iris, split: {valid: 30}}")
    found = search(tmp_path, text, outer=3).outer
    assert found.pairing.difference.correction == pytest.approx(50 / 70)


def test_folds_without_a_value_say_why(tmp_path):
    only_plain = CONFIG.partition("search:")[0] + "search: {hidden: [[8]]}\n"
    found = search(tmp_path / "plain", only_plain, outer=2)
    assert found.outer.left_out == tuple(
        f"fold {place} has no value: the plain config is the only candidate with a value" for place in (1, 2)
    )
    diverges = only_plain.replace("{hidden: [[8]]}", "{optimizer: [sgd], learning_rate: [1e30]}")
    found = search(tmp_path / "lost", diverges, outer=2)
    assert found.outer.left_out[0] == "fold 1 has no value: no candidate is finite"


class StopOnceThere(StopRequest):
    """Asks to stop as soon as so many searches have a result: behind the last look of their own."""

    def __init__(self, folder: Path, searches: int) -> None:
        super().__init__()
        self._folder, self._searches = folder, searches

    def requested(self) -> bool:
        return len(list(self._folder.glob("runs/searches/*/result.json"))) >= self._searches


@pytest.mark.parametrize("searches", [1, 2])
def test_a_stop_between_two_folds_is_no_end(searches, tmp_path):
    config = CONFIG.replace("epochs: 9", "epochs: 2")
    found = search(tmp_path, config, outer=2, stop=StopOnceThere(tmp_path, searches))
    assert (found.exit_code, found.is_stopped) == (75, True)
    found = search(tmp_path, config, outer=2)
    assert (found.exit_code, found.is_stopped, len(found.outer.folds)) == (0, False, 2)
