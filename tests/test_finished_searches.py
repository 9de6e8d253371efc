"""A finished search is read from its own files alone, and drawn on one page that trusts none of it."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from xml.etree import ElementTree

import pytest

from finished_searches import LONGEST, SPACE, change, make_search
from shell import CONFIG, trainrun_
from test_report import Page
from trainrun.errors import StorageError, UsageError
from trainrun.report.search import told
from trainrun.report.search.axes import ListAxis, NumberAxis, axis_of, value_axis
from trainrun.report.search.charts import beliefs, parallel, races, scatters
from trainrun.report.search.drawing import draw
from trainrun.report.search.groups import groups_of
from trainrun.runs.paths import SearchPaths
from trainrun.runs.search_names import resolve_search
from trainrun.searching.finished import SearchedKey
from trainrun.searching.reading import read_finished

EVIL = "<script>alert(1)</script>\u202e\x1b[31m"
SHOWN = r"<script>alert(1)</script>\u202e\x1b[31m"


def page_of(folder: Path, *arguments: object, code: int = 0) -> Page:
    trainrun_("report", *arguments, "--out", "page.html", cwd=folder, code=code)
    return Page((folder / "page.html").read_text())


def text_of(page: Page) -> str:
    return " ".join(" ".join(text for tag, text in page.texts if tag != "style").split())


def svgs(page: Page, kind: str) -> list[dict]:
    return [svg for svg in page.all("svg") if svg.get("class") == kind]


# Names


def test_a_search_is_named_by_its_directory_or_in_searches(tmp_path):
    paths = make_search(tmp_path)
    for text in ("searches/net", "searches/net-12345678", "searches/net/"):
        assert resolve_search(text, tmp_path).paths == paths
        assert resolve_search(text, tmp_path).sentence == f"{text}: takes {paths.directory}"
    found = resolve_search(str(paths.directory), tmp_path / "elsewhere")
    assert (found.paths, found.sentence) == (paths, None)


@pytest.mark.parametrize(
    "text",
    [
        "net",
        "net-12345678",
        "last",
        "searches",
        "searches/",
        "searches/seed-3",
        "searches/a.yaml",
        "a/searches/b",
    ],
)
def test_other_words_mean_runs(tmp_path, text):
    make_search(tmp_path)
    assert resolve_search(text, tmp_path) is None


def test_a_name_that_is_far_too_long_means_no_search(tmp_path):
    assert resolve_search("x" * 5000, tmp_path) is None


def test_a_file_in_a_folder_called_searches_is_no_search(tmp_path, monkeypatch):
    (tmp_path / "searches").mkdir()
    (tmp_path / "searches" / "net").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    assert resolve_search("searches/net", tmp_path / "runs") is None


def test_several_searches_of_a_name_are_listed(tmp_path):
    for label in ("net-12345678", "net-abcdef01", "other-00000000"):
        make_search(tmp_path, label)
    with pytest.raises(
        UsageError, match="names 2 searches; say one of searches/net-12345678, searches/net-ab"
    ):
        resolve_search("searches/net", tmp_path)


def test_an_unknown_search_is_answered_with_those_that_are_there(tmp_path):
    with pytest.raises(UsageError, match="no such search; there are none in"):
        resolve_search("searches/net", tmp_path)
    make_search(tmp_path)
    with pytest.raises(UsageError, match=r"did you mean searches/net\?"):
        resolve_search("searches/nett", tmp_path)
    with pytest.raises(UsageError, match="there are searches/net-12345678"):
        resolve_search("searches/quite-another", tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        ("show", "searches/net"),
        ("predict", "searches/net", "x.csv"),
        ("evaluate", "searches/net"),
        ("clean", "searches/net"),
        ("compare", "searches/net"),
        ("compare", "net.yaml", "searches/net"),
    ],
    ids=" ".join,
)
def test_commands_that_take_runs_say_what_a_search_is(tmp_path, command):
    make_search(tmp_path / "runs")
    (tmp_path / "net.yaml").write_text(CONFIG)
    said = trainrun_(*command, cwd=tmp_path, code=2).stderr
    assert said.endswith(
        "searches/net: is a search, not runs: `trainrun report` draws it, and its best settings are the"
        " config runs/searches/net-12345678/net-best.yaml\n"
    )


def test_commands_that_take_runs_say_that_a_search_is_unfinished(tmp_path):
    make_search(tmp_path / "runs").result.unlink()
    said = trainrun_("show", "searches/net", cwd=tmp_path, code=2).stderr
    assert "has no result yet: the same `trainrun search` command goes on" in said


def test_searches_are_not_listed_among_runs(tmp_path):
    make_search(tmp_path / "runs")
    assert "net" not in trainrun_("list", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["searches/net", "net.yaml"], "is a search, which is drawn alone: name no other"),
        (["net.yaml", "searches/net"], "is a search, which is drawn alone: name no other"),
        (["searches/net", "--vs", "dropout=0"], "--vs: does not go with a search, and searches/net is one"),
        (["searches/net", "--set", "dropout=0"], "--set: does not go with a search"),
        (["searches/net", "--metric", "loss"], "--metric: does not go with a search"),
    ],
)
def test_a_search_is_drawn_alone(tmp_path, words, said):
    make_search(tmp_path / "runs")
    (tmp_path / "net.yaml").write_text(CONFIG)
    assert said in trainrun_("report", *words, cwd=tmp_path, code=2).stderr
    assert not (tmp_path / "report.html").exists()


# Reading


def test_all_of_a_search_is_read(tmp_path):
    paths = make_search(tmp_path, count=30, diverged=2, more=10)
    search = read_finished(paths)
    result = json.loads(paths.result.read_text())
    assert (search.name, search.metric, search.part, search.sampler) == ("net", "loss", "test", "tpe")
    assert [one.key for one in search.keys] == list(SPACE)
    assert [one.settings for one in search.records] == [one["settings"] for one in result["candidates"]]
    assert (len(search.ranking), search.newer, search.best) == (28, 10, 0)
    assert [one.id8 for one in search.finalist_records] == [one.id8 for one in search.ranking[:2]]
    assert search.finalists[0].measured("valid", "loss") == (0.02, (0.01, 0.03))
    assert search.finalists[0].measured("valid", "accuracy") is None
    assert [pair.to_json() for pair in search.pairings] == [
        one | {"interval": tuple(one["interval"]), "p_better": {"value": 1.0, "interval": (0.54, 1.0)}}
        for one in result["differences"]
    ]
    assert [one.to_json()["key"] for one in search.importance] == list(SPACE)
    assert search.asked.overrides == ("epochs=27",)


def test_a_real_search_is_read_and_drawn_without_its_config_and_data(tmp_path):
    (tmp_path / "net.yaml").write_text(
        "data: iris\nepochs: 4\nhidden: 4\nsearch:\n  optimizer: [adam, {name: sgd, momentum: 0.9}]\n"
        "  learning_rate: {from: 1e-3, to: 1e-1, log: true}\n  batch_size: {from: 8, to: 32}\n"
    )
    words = ("net.yaml", "--candidates", 12, "--finalists", 2, "--seeds", 2)
    trainrun_("search", *words, cwd=tmp_path)
    said = json.loads(trainrun_("search", *words, "--format", "json", cwd=tmp_path).stdout)
    for path in (tmp_path / "net.yaml", *(tmp_path / "runs").glob("net-*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = page_of(tmp_path, "searches/net")
    wanted = {"config": said["best"]["config"], "baseline": "net", "metric": "loss", "part": said["part"]}
    (decisive,) = (one["sentence"] for one in said["differences"] if wanted.items() <= one.items())
    assert decisive in text_of(page)
    for key, value in said["best"]["settings"].items():
        assert f"{key}: {'{name: sgd, momentum: 0.9}' if isinstance(value, dict) else value}" in text_of(page)
    assert len(svgs(page, "chart-of-search")) >= 4


def test_a_search_without_a_result_is_no_disk_error(tmp_path):
    paths = make_search(tmp_path / "runs")
    paths.result.unlink()
    said = trainrun_("report", "searches/net", cwd=tmp_path, code=2).stderr
    assert "this search has no result: it was stopped, or had nothing to confirm" in said
    assert "the same `trainrun search` command goes on" in said


def with_range(**changes: object) -> dict:
    return {
        "space": {**SPACE, "dropout.hidden": {"from": 0, "to": 1, "log": False, "whole": False} | changes}
    }


DAMAGE = {
    "no keys": {"space": {}},
    "another key": {"space": {**SPACE, "epochs": [1]}},
    "a key without values": {"space": {**SPACE, "hidden": []}},
    "a range upside down": with_range(**{"from": 1, "to": 0}),
    "a logarithm of 0": with_range(log=True),
    "a range without an end": {"space": {**SPACE, "dropout.hidden": {"from": 0}}},
    "a huge number": with_range(to=10**400),
    "a number whose double is endless": with_range(**{"from": -1.5e308, "to": 1.5e308}),
    "a list of keys": {"space": ["hidden"]},
    "another metric": {"metric": "beauty"},
    "no metric": {"metric": None},
    "another part": {"part": "all"},
    "no best": {"best": None},
    "another best": {"best": {"config": "finalist 9"}},
    "no plain config": {"baseline": None},
    "no finalists": {"finalists": []},
    "finalists that are no list": {"finalists": 3},
    "another verdict": {"differences": [{"verdict": "glorious"}]},
    "a share beyond 1": {"importance": [{"key": "hidden", "importance": 2, "interval": [0, 1]}]},
    "a share of no key": {"importance": [{"key": "x", "importance": 0.5, "interval": [0, 1]}]},
    "an interval of one end": {"importance": [{"key": "hidden", "importance": 0.5, "interval": [0]}]},
    "epochs that are no count": {"epochs_first": -1},
    "no candidates": {"candidates": None},
}  # fmt: skip


@pytest.mark.parametrize("changes", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_result_is_refused(tmp_path, changes):
    paths = make_search(tmp_path)
    change(paths.result, **changes)
    with pytest.raises(
        StorageError, match=r"(result\.json|candidates\.jsonl): damaged: not what a search writes"
    ):
        read_finished(paths)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "3", "[" * 100_000, "{}", '{"space": NaN}'])
def test_a_result_that_is_no_result_is_refused(tmp_path, content):
    paths = make_search(tmp_path / "runs")
    paths.result.write_text(content)
    said = trainrun_("report", "searches/net", cwd=tmp_path, code=74).stderr
    assert (
        "result.json: damaged: not what a search writes; the same `trainrun search` command writes it" in said
    )


CUT = {
    "gone": lambda lines: None,
    "cut": lambda lines: lines[:-1],
    "torn": lambda lines: [*lines[:-1], lines[-1][:30]],
    "in another order": lambda lines: lines[::-1],
    "of another value": lambda lines: [lines[0].replace('"epochs": ', '"epochs": 1'), *lines[1:]],
    "not finite": lambda lines: [one.replace('"curve": [[1, ', '"curve": [[1, NaN], [2, ') for one in lines],
    "of no status": lambda lines: [one.replace("dropped", "running") for one in lines],
    "of negative steps": lambda lines: [one.replace('"steps": ', '"steps": -1') for one in lines],
}  # fmt: skip


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
def test_damaged_candidates_are_refused(tmp_path, cut):
    paths = make_search(tmp_path)
    lines = cut(paths.candidates.read_text().splitlines(keepends=True))
    paths.candidates.unlink() if lines is None else paths.candidates.write_text("".join(lines))
    with pytest.raises(StorageError, match=r"candidates\.jsonl: (damaged|cannot be read: No such file)"):
        read_finished(paths)


def test_links_and_pipes_are_refused(tmp_path):
    paths = make_search(tmp_path)
    target = paths.result.rename(tmp_path / "elsewhere.json")
    paths.result.symlink_to(target)
    with pytest.raises(StorageError, match=r"result\.json: cannot be read"):
        read_finished(paths)


@pytest.mark.parametrize("content", [None, "", "a: [", "- 1", "config: 3", "config: &a [*a]", "\0"])
def test_the_words_of_the_command_may_be_lost(tmp_path, content):
    paths = make_search(tmp_path / "runs")
    paths.question.unlink() if content is None else paths.question.write_text(content)
    text = text_of(page_of(tmp_path, "searches/net"))
    assert "trainrun search" not in text
    assert "trainrun report runs/searches/net-12345678" in text


FALSE = (None, True, -1, 0.5, 10**18, 10**400, 1e300, float("nan"), EVIL, [], {"a": None})


def places(value: object, way: tuple = ()) -> Iterator[tuple]:
    """The ways to everything in a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*way, key)
        yield from places(one, (*way, key))


@pytest.mark.parametrize("name", ["result", "candidates"])
@pytest.mark.parametrize("false", FALSE, ids=lambda false: repr(false)[:12])
def test_false_values_are_refused_or_drawn(tmp_path, name, false):
    paths = make_search(tmp_path, count=3, finalists=1)
    file = getattr(paths, name)
    content = file.read_text()
    found = json.loads(content if name == "result" else content.splitlines()[0])
    rest = "" if name == "result" else content.partition("\n")[2]
    for *way, last in places(found):
        changed = json.loads(json.dumps(found))
        reduce(getitem, way, changed)[last] = false
        file.write_text(json.dumps(changed) + "\n" + rest)
        with contextlib.suppress(StorageError):
            page = draw(read_finished(paths), "html").decode()
            assert "<script" not in page
            assert "\x1b" not in page


def test_true_and_1_are_two_values():
    key = SearchedKey("k", (1, True, "1", None, {"a": 1}))
    assert [key.place(value) for value in key.values] == [0, 1, 2, 3, 4]


# Axes


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        (NumberAxis(1e-4, 1e-1, log=True), ["0.0001", "0.001", "0.01", "0.1"]),
        (NumberAxis(1e-12, 1.0, log=True), ["1e-12", "1e-10", "1e-08", "1e-06", "0.0001", "0.01", "1"]),
        (NumberAxis(0.13, 0.9, log=True), ["0.2", "0.5"]),
        (NumberAxis(0.31, 0.33, log=True), ["0.31", "0.33"]),
        (NumberAxis(0, 0.5), ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        (NumberAxis(8, 32, is_whole=True), ["10", "15", "20", "25", "30"]),
        (NumberAxis(1, 3, is_whole=True), ["1", "2", "3"]),
        (NumberAxis(2, 2), ["2"]),
        (NumberAxis(-1e30, 1e30), ["-1e+30", "-5e+29", "0", "5e+29", "1e+30"]),
        (ListAxis(SearchedKey("k", ("a", [6], {"name": "sgd", "t": 1}))), ["a", "[6]", "{name: sgd, t…"]),
    ],
)  # fmt: skip
def test_ticks(axis, labels):
    assert [tick.label for tick in axis.ticks] == labels
    assert all(0 <= tick.at <= 1 for tick in axis.ticks)
    assert [tick.at for tick in axis.ticks] == sorted(tick.at for tick in axis.ticks)


def test_of_many_listed_values_some_have_a_label():
    axis = axis_of(SearchedKey("k", tuple(range(40))))
    assert len(axis.ticks) == 10
    assert [axis.along(value) for value in range(40)] == sorted(axis.along(value) for value in range(40))


def test_a_bad_value_hides_no_good_ones():
    values = [0.1 + place / 100 for place in range(50)]
    axis = value_axis([*values, 1e12], larger_is_better=False)
    assert axis.along(1e12) == axis.along(axis.high)
    assert axis.along(values[-1]) - axis.along(values[0]) > 0.3
    assert value_axis([*values, -1e12], larger_is_better=True).along(values[0]) > 0.3
    assert value_axis([0.9, 0.1], larger_is_better=True) == NumberAxis(0.1, 0.9)
    assert value_axis([0.1, 100.0], larger_is_better=False).log
    assert value_axis([], larger_is_better=False).ticks


# Charts


def test_a_scatter_has_a_place_for_each_candidate(tmp_path):
    search = read_finished(make_search(tmp_path, diverged=3))
    y = value_axis([one.value for one in search.ranking], larger_is_better=False)
    for key, chart in zip(search.keys, scatters(search), strict=True):
        drawn = [line[0] for cloud in chart.clouds for line in cloud.lines]
        assert len(drawn) + len(chart.marks) == len(search.records)
        assert all(0 <= x <= 1 and 0 <= place <= 1 for x, place in drawn)
        assert [mark.number for mark in chart.marks if mark.is_best] == [1]
        best = search.ranking[0]
        assert chart.marks[0].points[0][1] == y.along(best.value)
        if not key.values:
            assert chart.marks[0].points[0][0] == axis_of(key).along(best.settings[key.key])
        assert len(next(cloud for cloud in chart.clouds if cloud.look == "lost").lines) == 3


def test_the_best_lie_at_the_top_of_parallel_lines_in_both_directions(tmp_path):
    for label, metric in (("a-00000000", "loss"), ("b-00000000", "accuracy")):
        search = read_finished(make_search(tmp_path, label, metric=metric))
        heights = [line[-1][1] for cloud in parallel(search).clouds for line in cloud.lines]
        assert parallel(search).marks[0].points[-1][1] > max(heights)
        assert len(heights) + 2 == len(search.ranking)


def test_each_bracket_has_its_curves(tmp_path):
    search = read_finished(make_search(tmp_path))
    charts = races(search)
    assert [chart.title.split(":")[0] for chart in charts] == ["bracket 1", "bracket 2"]
    assert {tick.label for tick in charts[0].x_ticks} == {"1", "3", "9", str(LONGEST)}
    drawn = [len(chart.marks) + sum(len(cloud.lines) for cloud in chart.clouds) for chart in charts]
    assert drawn == [sum(one.bracket == bracket for one in search.records) for bracket in (0, 1)]


def test_more_rungs_than_sizes_share_the_smallest(tmp_path):
    paths = make_search(tmp_path)
    search = read_finished(paths)
    assert [group.name for group in groups_of(search)] == [
        "dropped after 1 epoch", "dropped after 3 epochs", "trained to the end",
    ]  # fmt: skip
    lines = [json.loads(line) for line in paths.candidates.read_text().splitlines()]
    for place, one in enumerate(lines):
        one |= {"status": "dropped", "epochs": place % 7 + 1}
    paths.candidates.write_text("".join(json.dumps(one) + "\n" for one in lines))
    told_ = [{key: one[key] for key in ("settings", "epochs", "value", "status")} for one in lines]
    change(paths.result, candidates=told_)
    groups = groups_of(read_finished(paths))
    assert [(group.name, group.look) for group in groups] == [
        ("dropped after 1 to 4 epochs", "dropped-0"), ("dropped after 5 epochs", "dropped-1"),
        ("dropped after 6 epochs", "dropped-2"), ("dropped after 7 epochs", "dropped-3"),
    ]  # fmt: skip


def test_the_confirmation_has_a_place_for_every_end(tmp_path):
    found = beliefs(read_finished(make_search(tmp_path)))
    assert [row.config.label for row in found.rows] == ["net", "finalist 1", "finalist 2"]
    assert [row.believed is None for row in found.rows] == [True, False, False]
    for row in found.rows:
        assert 0 < row.valid.low < row.valid.at < row.valid.high < 1
        assert row.valid == row.test


# The page


def test_a_page_says_it_in_words_and_numbers(tmp_path):
    search = read_finished(make_search(tmp_path / "runs", diverged=1))
    page = page_of(tmp_path, "searches/net")
    text = text_of(page)
    for verdict, sentence in told.verdicts(search):
        assert sentence in text
        assert verdict in ("better", "note")
    assert "finalist 1 is better than net on this split, over 6 seeds: test loss differs by -0.2000" in text
    assert told.belief_sentence(search, 0) in text
    for line in told.best_config(search).splitlines():
        assert line in text
    for row in [*told.beliefs_table(search).rows, *told.importance_table(search).rows]:
        assert all(cell in text for cell in row if cell)
    assert len(re.findall(r"\bfinalist 1\b", text)) > 3
    for sentence in told.spent_sentences(search):
        assert sentence in text
    assert "trainrun search net.yaml --sampler tpe --candidates 30 --metric loss" in text
    assert "--set epochs=27" in text


def test_the_best_settings_are_nested_as_a_config_has_them(tmp_path):
    text = told.best_config(read_finished(make_search(tmp_path)))
    assert re.fullmatch(r"hidden: \[[\d, ]+\]\nlearning_rate: [\d.]+\ndropout: \{hidden: [\d.]+\}\n", text)


def test_every_picture_has_an_alternative_in_words(tmp_path):
    make_search(tmp_path / "runs")
    page = page_of(tmp_path, "searches/net")
    for svg in page.all("svg"):
        assert svg.get("aria-hidden") == "true" or svg.get("aria-label") or svg["class"] == "interval"
    labels = [svg["aria-label"] for svg in svgs(page, "chart-of-search")]
    assert [label.split(" against ")[1].split(".")[0] for label in labels[:3]] == [
        "hidden",
        "learning_rate",
        "dropout",
    ]
    (lines,) = svgs(page, "parallel")
    assert "The best: hidden" in lines["aria-label"]


def test_a_page_needs_nothing_else_and_runs_nothing(tmp_path):
    make_search(tmp_path / "runs")
    page = page_of(tmp_path, "searches/net")
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; script-src 'none'; style-src 'sha256-")
    for tag, attributes in page.elements:
        assert tag not in {"script", "link", "iframe", "img", "object", "base"}
        assert not {"src", "href", "style", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)


def test_a_page_is_the_same_each_time(tmp_path):
    search = read_finished(make_search(tmp_path))
    assert draw(search, "html") == draw(read_finished(search.paths), "html")


def test_the_svg_of_a_page_is_well_formed(tmp_path):
    text = draw(read_finished(make_search(tmp_path, diverged=2)), "html").decode()
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) > 10
    for picture in pictures:
        ElementTree.fromstring(picture)


def test_hostile_keys_and_values_are_text(tmp_path):
    space = {EVIL: [EVIL, f"'\">{EVIL}", {EVIL: EVIL}], "k": ["{{ 7*7 }}", "$x$", "&amp;"]}
    paths = make_search(tmp_path / "runs", f"{EVIL.replace('/', '')}-12345678", space=space)
    text = paths.question.read_text()
    paths.question.write_text(text.replace("epochs=27", r"\e[31m<b>"))
    page = page_of(tmp_path, paths.directory)
    assert page.all("script") == page.all("b") == page.all("img") == []
    text = (tmp_path / "page.html").read_text()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert SHOWN in text_of(page)
    assert "{{ 7*7 }}" in text_of(page)
    draw(read_finished(paths), "svg")


def test_a_thousand_candidates_make_a_light_page(tmp_path):
    ranges = {f"part{place}.key": SPACE["learning_rate"] for place in range(6)}
    lists = {
        "hidden": [[64], [64, 64], [128, 128, 128]],
        "optimizer": ["adam", {"name": "sgd", "momentum": 0.9}],
    }
    search = read_finished(make_search(tmp_path, space=ranges | lists, count=1000, finalists=3))
    page = draw(search, "html")
    assert len(page) < 3_000_000
    found = Page(page.decode())
    assert len(found.all("tr")) >= 1000
    assert len(found.all("details")) == 1


def test_a_mapping_as_value(tmp_path):
    space = {"optimizer": ["adam", {"name": "sgd", "momentum": 0.9}], "warmup": [None, True, "200 steps"]}
    make_search(tmp_path / "runs", space=space)
    text = text_of(page_of(tmp_path, "searches/net"))
    assert "{name: sgd, momentum: 0.9}" in text
    assert "null" in text


@pytest.mark.parametrize("count", [1, 2, 30])
def test_one_key_alone(tmp_path, count):
    space = {"epochs": {"from": 3, "to": 100, "log": False, "whole": True}}
    search = read_finished(make_search(tmp_path, space=space, count=count, finalists=1))
    page = Page(draw(search, "html").decode())
    assert len(svgs(page, "parallel")) == 1
    assert len(draw(search, "png")) > 1000


def test_too_few_candidates_for_the_importance_of_keys(tmp_path):
    search = read_finished(make_search(tmp_path, count=8))
    assert "It takes at least 20 candidates" in text_of(Page(draw(search, "html").decode()))


def test_an_accuracy_judges(tmp_path):
    search = read_finished(make_search(tmp_path, metric="accuracy", part="valid"))
    text = text_of(Page(draw(search, "html").decode()))
    assert "valid accuracy (larger is better)" in text
    assert "test accuracy" not in text
    assert draw(search, "pdf").startswith(b"%PDF")


def test_a_search_without_finalists(tmp_path):
    search = read_finished(make_search(tmp_path, finalists=0))
    text = text_of(Page(draw(search, "html").decode()))
    assert "The search has no answer: nothing was left to confirm." in text
    assert "The best settings" not in text
    assert draw(search, "svg").startswith(b"<?xml")


def test_a_search_in_which_everything_diverged(tmp_path):
    search = read_finished(make_search(tmp_path, count=5, finalists=0, diverged=5))
    text = text_of(Page(draw(search, "html").decode()))
    assert "The search has no answer: no candidate has a finite value." in text
    assert "5 diverged" in text
    with pytest.raises(UsageError, match="no candidate of this search has a finite value"):
        draw(search, "png")


def test_no_seed_of_the_confirmation_is_complete(tmp_path):
    paths = make_search(tmp_path)
    result = json.loads(paths.result.read_text())
    nothing = {"valid": None, "test": None}
    finalists = [one | nothing for one in result["finalists"]]
    change(
        paths.result,
        finalists=finalists,
        best=finalists[0],
        baseline=result["baseline"] | nothing,
        differences=[],
    )
    search = read_finished(paths)
    assert beliefs(search) is None
    text = text_of(Page(draw(search, "html").decode()))
    assert "finalist 1 and net cannot be compared." in text
    assert "no fresh seed is complete" in text
    draw(search, "svg")


def test_a_larger_search_without_a_result_is_said(tmp_path):
    make_search(tmp_path / "runs", more=70)
    assert "A larger search has 70 more candidates by now" in text_of(page_of(tmp_path, "searches/net"))


def test_a_folder_that_was_moved_names_no_config(tmp_path):
    moved = make_search(tmp_path / "runs").directory.rename(tmp_path / "moved")
    text = text_of(page_of(tmp_path, moved))
    assert "trainrun fit" not in text
    assert read_finished(SearchPaths(moved)).name == "net"


# The figure


@pytest.mark.parametrize(("form", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_figure_is_the_same_each_time(tmp_path, form, start):
    search = read_finished(make_search(tmp_path / "runs", count=12))
    first = draw(search, form)
    assert first == draw(search, form)
    assert first.startswith(start)
    trainrun_("report", "searches/net", "--format", form, cwd=tmp_path)
    assert (tmp_path / f"report.{form}").read_bytes() == first


@pytest.mark.filterwarnings("error")
def test_a_long_name_leaves_room_for_the_figure(tmp_path):
    draw(read_finished(make_search(tmp_path, f"{'n' * 100}-12345678")), "svg")


def test_a_figure_draws_what_the_page_draws(tmp_path):
    text = draw(read_finished(make_search(tmp_path)), "svg").decode()
    for expected in (
        "learning_rate",
        "dropout.hidden",
        "bracket 2: ",
        "finalist 2",
        "test loss: difference to net",
        "trained to the end (",
    ):
        assert expected in text
