"""What is on disk when: the order of write, fsync and rename, as the system is asked for them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from fits import carry
from trainrun.runs.files import append, sync, write_files, write_out

RANDOM = re.compile(r"^\.(.+)\.[0-9a-f]{12}\.tmp$")
CONFIG = "data: iris\nhidden: [4]\nepochs: 3\nbatch_size: 50\n"


@pytest.fixture
def calls(monkeypatch) -> list[tuple[str, str]]:
    """The calls from now on, each with the name of its file; what is temporary is `<name>.tmp`."""
    made: list[tuple[str, str]] = []
    names: dict[int, str] = {}

    def name(path: object) -> str:
        return RANDOM.sub(r"\1.tmp", Path(os.fsdecode(path)).name)

    def opening(path, *rest, **keys):
        descriptor = original["open"](path, *rest, **keys)
        names[descriptor] = name(path)
        return descriptor

    def of_descriptor(call):
        def wrapped(descriptor, *rest):
            made.append((call, names.get(descriptor, "?")))
            return original[call](descriptor, *rest)

        return wrapped

    def of_paths(call, place):
        def wrapped(*paths, **keys):
            made.append((call, name(paths[place])))
            return original[call](*paths, **keys)

        return wrapped

    original = {call: getattr(os, call) for call in ("open", "write", "fsync", "replace", "link", "unlink")}
    monkeypatch.setattr(os, "open", opening)
    for call in ("write", "fsync"):
        monkeypatch.setattr(os, call, of_descriptor(call))
    for call, place in (("replace", 1), ("link", 1), ("unlink", 0)):
        monkeypatch.setattr(os, call, of_paths(call, place))
    return made


def assert_in_order(calls: list[tuple[str, str]], *wanted: tuple[str, str]) -> None:
    """Check that the last calls of each kind came in this order."""
    missing = [call for call in wanted if call not in calls]
    assert not missing
    places = [len(calls) - 1 - calls[::-1].index(call) for call in wanted]
    assert places == sorted(places), [calls[place] for place in sorted(places)]


def test_files_are_written_then_synced_then_renamed_and_then_their_folder_is_synced(tmp_path, calls):
    write_files({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert calls == [
        ("write", "a.tmp"),
        ("write", "b.tmp"),
        ("fsync", "a.tmp"),
        ("fsync", "b.tmp"),
        ("replace", "a"),
        ("replace", "b"),
        ("fsync", tmp_path.name),
    ]


def test_each_folder_is_synced_once(tmp_path, calls):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    write_files({tmp_path / "one" / "a": b"1", tmp_path / "one" / "b": b"2", tmp_path / "two" / "c": b"3"})
    assert calls[-2:] == [("fsync", "one"), ("fsync", "two")]
    assert [call for call, _ in calls].count("fsync") == 5


def test_the_file_before_has_its_other_name_before_it_is_replaced(tmp_path, calls):
    write_files({tmp_path / "last": b"1"})
    calls.clear()
    write_files({tmp_path / "last": b"2"}, keep={tmp_path / "last": tmp_path / "before"})
    assert calls[-4:] == [
        ("unlink", "before"),
        ("link", "before"),
        ("replace", "last"),
        ("fsync", tmp_path.name),
    ]


def test_a_file_that_the_user_names_is_on_disk(tmp_path, calls):
    write_out(tmp_path / "report.html", "page")
    assert [call for call, _ in calls] == ["write", "fsync", "replace", "fsync"]


def test_what_is_appended_is_synced_when_asked(tmp_path, calls):
    append(tmp_path / "lines", "a\n")
    sync([tmp_path / "lines"])
    assert calls == [("write", "lines"), ("fsync", "lines")]


def folder_between(calls: list[tuple[str, str]], first: tuple[str, str], last: tuple[str, str]) -> bool:
    """Whether the run's folder is synced after the last `first` and before the last `last`."""
    start, stop = (len(calls) - 1 - calls[::-1].index(call) for call in (first, last))
    return ("fsync", "seed-0") in calls[start:stop]


@pytest.fixture
def of_a_fit(tmp_path, calls, monkeypatch) -> list[tuple[str, str]]:
    """The calls of a whole fit that saves at every step."""
    monkeypatch.setenv("TRAINRUN_SAVE_SECONDS", "0")
    (tmp_path / "net.yaml").write_text(CONFIG)
    (outcome,) = carry(tmp_path / "runs", tmp_path / "net.yaml")
    assert outcome.status == "complete"
    return calls


@pytest.mark.parametrize("file", ["metrics.jsonl", "log.txt"])
def test_the_lines_of_a_run_are_on_disk_before_its_result(of_a_fit, file):
    assert_in_order(of_a_fit, ("write", file), ("fsync", file), ("replace", "result.json"))


def test_the_best_weights_are_on_disk_before_the_result(of_a_fit):
    weights, result = ("replace", "best.safetensors"), ("replace", "result.json")
    steps = (("write", "best.safetensors.tmp"), ("fsync", "best.safetensors.tmp"), weights, result)
    assert_in_order(of_a_fit, *steps)
    assert folder_between(of_a_fit, weights, result)


def test_the_checkpoint_is_there_until_the_result_is_on_disk(of_a_fit):
    result, gone = ("replace", "result.json"), ("unlink", "last.ckpt")
    assert_in_order(of_a_fit, ("write", "result.json.tmp"), ("fsync", "result.json.tmp"), result, gone)
    assert folder_between(of_a_fit, result, gone)


def test_the_best_weights_are_on_disk_before_each_checkpoint(of_a_fit):
    saved = [place for place, call in enumerate(of_a_fit) if call == ("replace", "last.ckpt")]
    assert len(saved) > 1
    begun = 0
    for place in saved:
        before = of_a_fit[begun:place]
        assert_in_order(before, ("fsync", "best.safetensors.tmp"), ("replace", "best.safetensors"))
        after = before[before.index(("replace", "best.safetensors")) :]
        assert_in_order(after, ("fsync", "seed-0"), ("fsync", "last.ckpt.tmp"))
        begun = place
