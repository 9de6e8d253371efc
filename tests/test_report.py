"""A report says what is in the runs' files, in one file that needs nothing else, and trusts none of it."""

import base64
import hashlib
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from shell import CONFIG, trainrun_
from trainrun.comparing import CompareRequest, answer
from trainrun.errors import UsageError
from trainrun.fitting import Observer
from trainrun.report.pictures import form_of, render, words
from trainrun.report.pictures.confusion import confusions
from trainrun.report.pictures.curves import panels
from trainrun.report.pictures.differences import forests
from trainrun.report.pictures.layers import layers
from trainrun.report.pictures.reliability import reliabilities
from trainrun.runs.reading import find_runs

CHANGE = "regularization.l1=0.01"
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "[/red]",
    "\x1b[31mred",
    "\u202eevil",
    "</script>",
    '"><b>',
    "{{ 7*7 }}",
    "$x$",
]


class Page(HTMLParser):
    """What an HTML parser makes of a page: elements with their attributes, and the text in each kind."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._last = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._last = tag

    def handle_data(self, data):
        self.texts.append((self._last, data))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def data(self):
        place = next(i for i, one in enumerate(self.elements) if one[1].get("id") == "charts")
        assert self.elements[place] == ("script", {"type": "application/json", "id": "charts"})
        return json.loads(next(text for tag, text in self.texts if tag == "script" and text.startswith("[")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the runs of a comparison and its report."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "net.yaml").write_text(CONFIG)
    trainrun_("compare", "net.yaml", "--vs", CHANGE, "--seeds", 6, cwd=folder)
    trainrun_("report", "net.yaml", "--vs", CHANGE, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def comparison(folder):
    base = next(run for run in find_runs(folder / "runs") if (run.result or {})["zero_weights"] == 0)
    question = CompareRequest([str(base.directory.parent)], [CHANGE], runs=folder / "runs", fit=False)
    return answer(question, Observer())


def page_of(folder: Path, *arguments: object, **keys) -> Page:
    trainrun_("report", *arguments, "--out", "page.html", cwd=folder, **keys)
    return Page((folder / "page.html").read_text())


def test_curves_are_the_median_and_the_range_of_the_runs(comparison):
    loss = next(panel for panel in panels(comparison.standings) if panel.name == "loss")
    assert [(curve.place, curve.part) for curve in loss.curves] == [
        (0, "train"), (0, "valid"), (1, "train"), (1, "valid"),
    ]  # fmt: skip
    curve, runs = loss.curves[1], list(comparison.standings[0].runs.values())
    values = np.array([[row["val_loss"] for row in run.metrics] for run in runs])
    np.testing.assert_allclose(curve.middle, np.median(values, axis=0))
    np.testing.assert_array_equal(curve.low, values.min(axis=0))
    np.testing.assert_array_equal(curve.high, values.max(axis=0))
    assert list(curve.epochs) == [1, 2, 3]
    assert curve.best == [
        (best, run.metrics[best - 1]["val_loss"]) for run in runs if (best := run.result["best_epoch"])
    ]


def test_a_curve_ends_where_half_of_its_runs_are_left(tmp_path):
    (tmp_path / "net.yaml").write_text(CONFIG)
    trainrun_("fit", "net.yaml", "--seeds", 3, cwd=tmp_path)
    runs = find_runs(tmp_path / "runs")
    for run, epochs in zip(runs, (1, 2, 3), strict=True):
        lines = run.paths.metrics.read_text().splitlines(keepends=True)
        run.paths.metrics.write_text("".join(lines[:epochs]))
    found = answer(CompareRequest([str(runs[0].directory.parent)], runs=tmp_path, fit=False), Observer())
    assert [list(curve.epochs) for curve in panels(found.standings)[0].curves] == [[1, 2], [1, 2]]


def test_a_penalty_is_drawn_where_there_is_one(comparison):
    names = [panel.name for panel in panels(comparison.standings)]
    assert names == ["loss", "accuracy", "penalty", "learning_rate"]
    assert [panel.name for panel in panels(comparison.standings[:1])] == ["loss", "accuracy", "learning_rate"]


def test_histograms_hold_all_weights_and_set_the_zeros_apart(comparison):
    for layer in layers(comparison.standings):
        assert len({one.limit for one in layer}) == 1
        for one in layer:
            assert sum(one.shares) + one.zeros == pytest.approx(1)
            runs = comparison.standings[one.place].runs.values()
            key = f"{2 * (one.number - 1)}.weight"
            weights = np.stack([load_file(run.paths.weights)[key] for run in runs]).astype(np.float64)
            assert one.scale == pytest.approx(np.sqrt((weights**2).mean()))
            assert one.gain == pytest.approx(one.scale * np.sqrt(weights.shape[2]))
            assert one.zeros == np.mean(weights == 0)
    l2, l1 = layers(comparison.standings)[0]
    assert l2.zeros == 0 < l1.zeros
    assert words.of_layer(l2).endswith(f": 0% exactly 0, root mean square {l2.scale:.4f}")


def test_a_forest_has_a_place_for_0_and_every_interval(comparison):
    found = list(forests(comparison))
    assert [(one.metric, one.part, one.larger_is_better) for one in found] == [
        ("loss", "test", False),
        ("accuracy", "test", True),
    ]
    for forest in found:
        for place, pair in forest.rows:
            assert (place, pair.config) == (1, comparison.standings[1].label)
            ends = [0.0, pair.difference.mean, *pair.difference.interval]
            assert all(0 < forest.along(end) < 1 for end in ends)


def test_confusions_are_added_up(comparison):
    one, _ = confusions(comparison.standings)
    matrices = [run.result["confusion"]["test"] for run in comparison.standings[0].runs.values()]
    assert one.counts == np.sum(matrices, axis=0).tolist()
    assert (one.part, one.runs, len(one.labels)) == ("test", 6, 3)
    right = np.trace(one.counts)
    assert words.of_confusion(one).startswith(f"{right} of {6 * 30} rows are right ")


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory) -> Path:
    """A folder with the runs of a net that is calibrated, and of one that is not."""
    folder = tmp_path_factory.mktemp("calibrated")
    (folder / "net.yaml").write_text(
        "data: iris\nhidden: 8\nepochs: 12\nlearning_rate: 0.01\ncalibrate: true\n"
    )
    trainrun_("compare", "net.yaml", "--vs", "calibrate=false", "--seeds", 3, cwd=folder)
    return folder


def calibrated_results(folder: Path) -> list[dict]:
    results = [run.result for run in find_runs(folder / "runs")]
    return [result for result in results if "temperature" in result]


def compared(folder: Path, *names: object):
    return answer(CompareRequest(list(map(str, names)), runs=folder / "runs", fit=False), Observer())


def test_reliability_adds_up_the_rows_of_the_runs(calibrated):
    groups = sorted({run.directory.parent for run in find_runs(calibrated / "runs")})
    valid, test = reliabilities(compared(calibrated, *groups).standings)
    results = calibrated_results(calibrated)
    assert (valid.part, test.part, test.runs) == ("valid", "test", 3)
    assert test.temperatures == [result["temperature"] for result in results]
    for place, (kind, error) in enumerate((("uncalibrated", "ece"), ("calibrated", "calibrated_ece"))):
        assert test.errors[place] == pytest.approx(np.mean([result["test"][error] for result in results]))
        bins = [result["reliability"]["test"][kind] for result in results]
        rows, confidence, accuracy = (
            np.array([each[name] for each in bins], float) for name in ("rows", "confidence", "accuracy")
        )
        drawn = rows.sum(axis=0) > 0
        found = test.bins[place]
        assert [one.rows for one in found] == rows.sum(axis=0)[drawn].tolist()
        for name, values in (("confidence", confidence), ("accuracy", accuracy)):
            means = np.nansum(rows * values, axis=0)[drawn] / rows.sum(axis=0)[drawn]
            np.testing.assert_allclose([getattr(one, name) for one in found], means)
        assert all(one.low <= one.confidence <= one.high for one in found)
    assert test.most_rows == max(one.rows for bins in test.bins for one in bins)


def test_a_page_shows_the_reliability_of_calibrated_runs_alone(calibrated):
    page = page_of(calibrated, "net.yaml", "--vs", "calibrate=false")
    pictures = [svg for svg in page.all("svg") if svg.get("class") == "reliability"]
    shown = list(reliabilities(compared(calibrated, calibrated / "net.yaml").standings))
    assert [picture["aria-label"] for picture in pictures] == [
        f"net, {one.part}: {words.of_reliability(one)}" for one in shown
    ]
    marks = [circle for circle in page.all("circle") if "mark" in circle["class"]]
    places = [(float(mark["cx"]), float(mark["cy"])) for mark in marks[2:]]  # two are the legend's
    expected = [(each.confidence, each.accuracy) for one in shown for bins in one.bins for each in bins]
    np.testing.assert_allclose(places, [(48 + 300 * x, 308 - 300 * y) for x, y in expected], atol=0.01)
    text = " ".join(" ".join(text for _, text in page.texts).split())
    for one in shown:
        assert f"{words.of_reliability(one)}." in text
        assert all(words.of_bin(each) in text for bins in one.bins for each in bins)
        cells = [row for row in words.of_bins(one).rows if row[1] != "0"]
        assert [row[1:4] for row in cells] == [
            [f"{each.rows}", f"{each.confidence:.3f}", f"{each.accuracy:.3f}"] for each in one.bins[0]
        ]
    assert "Reliability" not in "".join(
        text for _, text in page_of(calibrated, "net.yaml", "--set", "calibrate=false").texts
    )


def test_a_calibrated_run_of_an_older_release_has_a_report(calibrated, tmp_path):
    mine = shutil.copytree(calibrated, tmp_path / "mine")
    for run in find_runs(mine / "runs"):
        result = json.loads(run.paths.result.read_text())
        result.pop("reliability", None)
        run.paths.result.write_text(json.dumps(result))
    assert "Reliability" not in "".join(text for _, text in page_of(mine, "net.yaml").texts)


def test_a_figure_draws_the_reliability(calibrated):
    trainrun_("report", "net.yaml", "--format", "svg", cwd=calibrated)
    text = (calibrated / "report.svg").read_text()
    assert "valid: calibration error" in text
    assert "test: calibration error" in text


@pytest.mark.parametrize(
    ("zeros", "said"), [(0, "0%"), (1e-9, "0.1%"), (0.2466, "24.7%"), (1 - 1e-9, "99.9%"), (1, "100%")]
)
def test_a_share_is_0_or_100_only_where_it_is(zeros, said):
    assert words.share(zeros) == said


def test_a_page_needs_nothing_else_and_runs_only_what_it_came_with(folder):
    text = (folder / "report.html").read_text()
    page = Page(text)
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    for tag, kind in (("script", ""), ("style", "")):
        for body in re.findall(rf"<{tag}{kind}>(.*?)</{tag}>", text, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "img", "object", "base"}
        assert not {"src", "href", "style", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)


def test_a_page_is_the_same_each_time(folder):
    before = (folder / "report.html").read_bytes()
    trainrun_("report", "net.yaml", "--vs", CHANGE, "--out", "again.html", cwd=folder)
    assert (folder / "again.html").read_bytes() == before


def test_a_page_says_it_in_words(folder, comparison):
    text = " ".join(" ".join(text for tag, text in Page((folder / "report.html").read_text()).texts).split())
    decisive = comparison.decisive(comparison.standings[1].label)
    for expected in (
        "test loss differs by",
        words.of_pairing(decisive),
        words.of_layer(layers(comparison.standings)[1][1]),
        words.of_confusion(next(confusions(comparison.standings))),
        "trainrun fit runs/",
        "regularization.l1",
        "torch 2.",
    ):
        assert expected in text


def test_the_charts_hold_the_numbers(folder, comparison):
    drawn = Page((folder / "report.html").read_text()).data()
    for panel, mine in zip(drawn, panels(comparison.standings), strict=True):
        assert panel["name"] == mine.name
        for curve, other in zip(panel["curves"], mine.curves, strict=True):
            assert curve["middle"] == pytest.approx(other.middle, rel=1e-5)
            assert curve["epochs"] == list(other.epochs)


def test_the_commands_it_names_lead_to_the_same_runs(folder):
    text = (folder / "report.html").read_text()
    commands = re.search(r"<pre>(trainrun fit.*?)</pre>", text, re.DOTALL)[1].splitlines()
    assert len(commands) == 3
    for command in commands[:2]:
        assert trainrun_(*command.split()[1:], cwd=folder).stdout.count("Already complete") == 6
    assert "6 seeds" in " ".join(trainrun_(*commands[2].split()[1:], cwd=folder).stdout.split())


def test_hostile_names_are_text(tmp_path):
    labels = ",".join('"' + name.replace('"', '""') + '"' for name in HOSTILE)
    rows = "".join(f"{i},{(i * 7) % 5},{labels.split(',')[i % 8]}\n" for i in range(160))
    (tmp_path / "table.csv").write_text("a,b,<script>y\n" + rows)
    (tmp_path / "net.yaml").write_text("data: {path: table.csv, target: <script>y}\nepochs: 2\nhidden: 4\n")
    trainrun_("fit", "net.yaml", cwd=tmp_path)
    (run,) = find_runs(tmp_path / "runs")
    evil = run.directory.parent.with_name("<script>alert(1)<\x1b[31m\u202e-12345678")
    run.directory.parent.rename(evil)
    run = find_runs(tmp_path / "runs")[0]
    run.paths.metrics.write_text(run.paths.metrics.read_text().replace('"accuracy"', '"</script><b>"'))
    page = page_of(tmp_path, evil)
    assert len(page.all("script")) == 3
    assert page.all("b") == page.all("img") == []
    text = "".join(text for _, text in page.texts)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"<script>alert(1)<\x1b[31m\u202e" in text
    for name in HOSTILE[:2] + HOSTILE[4:]:
        assert name in text
    assert "</script><b>" in [panel["name"] for panel in page.data()]


def test_one_run(folder):
    page = page_of(folder, "net.yaml/seed-1")
    assert {curve["config"] for panel in page.data() for curve in panel["curves"]} == {"net"}
    assert "--set seed=1" in "".join(text for _, text in page.texts)


def test_numbers_to_predict_a_part_that_is_missing_and_a_run_that_diverged(tmp_path):
    (tmp_path / "net.yaml").write_text(
        "data: {source: diabetes, split: {test: 0}}\nhidden: 8\nepochs: 3\noptimizer: sgd\n"
    )
    trainrun_("compare", "net.yaml", "--vs", "learning_rate=1e30", "--seeds", 2, cwd=tmp_path, code=3)
    page = page_of(tmp_path, "net.yaml", "--vs", "learning_rate=1e30")
    assert [panel["name"] for panel in page.data()] == ["loss", "rmse", "mae", "r2", "learning_rate"]
    text = "".join(text for _, text in page.texts)
    assert "2 of 2 runs diverged" in text
    assert "no seed in which both are complete" in text
    assert "Confusion" not in text


def test_seeds_that_do_not_begin_at_0_are_all_there(tmp_path):
    (tmp_path / "net.yaml").write_text("data: iris\nhidden: 4\nepochs: 1\n")
    trainrun_("fit", "net.yaml", "--set", "seed=7", "--seeds", 2, cwd=tmp_path)
    page = page_of(tmp_path, "net.yaml")
    cells = [text for tag, text in page.texts if tag == "td"]
    assert (cells.count("missing"), cells.count("complete")) == (0, 2)


def test_the_command_for_the_same_again_asks_the_same(folder):
    page = page_of(folder, "net.yaml", "--vs", CHANGE, "--metric", "accuracy")
    assert any("--no-fit --metric accuracy" in text for _, text in page.texts)
    assert not any("--no-fit --metric" in text for _, text in page_of(folder, "net.yaml").texts)


def test_the_commands_name_what_the_page_shows(folder):
    """Also of single seeds, and of a config without runs."""
    seeds = page_of(folder, "net.yaml/seed-1", "net.yaml/seed-2")
    assert any("/seed-1 " in text and "/seed-2 --no-fit" in text for _, text in seeds.texts)
    missing = page_of(folder, "net.yaml", "--vs", "dropout=0.9")
    assert any("trainrun fit net.yaml --set dropout=0.9" in text for _, text in missing.texts)


def test_runs_that_are_missing_are_named(folder):
    page = page_of(folder, "net.yaml", "--vs", "dropout=0.9")
    assert [text for tag, text in page.texts if tag == "td"].count("missing") == 6


def test_changes_belong_to_config_files(folder):
    page = page_of(folder, "net.yaml", "--set", CHANGE)
    assert {curve["config"] for panel in page.data() for curve in panel["curves"]} == {"net"}
    assert "penalty" in [panel["name"] for panel in page.data()]
    named = trainrun_("report", "last", "--set", CHANGE, cwd=folder, code=2).stderr
    assert "--set: changes config files" in named


def test_a_seed_between_that_has_no_run_is_missing(folder, tmp_path):
    mine = shutil.copytree(folder, tmp_path / "mine")
    for directory in mine.glob("runs/*/seed-3"):
        shutil.rmtree(directory)
    cells = [text for tag, text in page_of(mine, "net.yaml").texts if tag == "td"]
    assert cells.count("missing") == 1
    assert cells.count("complete") == 5


def test_a_run_without_an_epoch(tmp_path):
    (tmp_path / "net.yaml").write_text("data: iris\nhidden: 4\nepochs: 0\n")
    trainrun_("fit", "net.yaml", cwd=tmp_path)
    assert page_of(tmp_path, "net.yaml").data() == []
    trainrun_("report", "net.yaml", "--format", "png", cwd=tmp_path)


@pytest.mark.parametrize(("form", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_figure_is_the_same_each_time(folder, form, start):
    run = find_runs(folder / "runs")[0].directory
    one = answer(CompareRequest([str(run)], runs=folder / "runs", fit=False), Observer())
    first, second = render(one, form), render(one, form)
    assert first == second
    assert first.startswith(start)


def test_a_figure_draws_what_the_page_draws(folder):
    trainrun_("report", "net.yaml", "--vs", CHANGE, "--format", "svg", cwd=folder)
    text = (folder / "report.svg").read_text()
    for expected in (f"net + {CHANGE}", "learning_rate", "test accuracy: difference to net", "exactly 0"):
        assert expected in text


def test_what_it_cannot_do(folder, tmp_path):
    assert "ends with none of" in trainrun_("report", "net.yaml", "--out", "a.jpg", cwd=folder, code=2).stderr
    assert "has no runs" in trainrun_("report", "net.yaml", "--runs", tmp_path, cwd=folder, code=2).stderr
    trainrun_("report", "net.yaml", "--out", "nowhere/a.html", cwd=folder, code=74)
    with pytest.raises(UsageError, match=r"a\.gif ends with none of"):
        form_of(Path("a.gif"))


def test_a_damaged_weight_file_is_left_out(folder, tmp_path):
    mine = shutil.copytree(folder, tmp_path / "mine")
    for run in find_runs(mine / "runs"):
        run.paths.weights.write_bytes(b"nonsense")
    page = page_of(mine, "net.yaml")
    assert "Weights" not in "".join(text for _, text in page.texts)


def test_a_run_that_still_trains(folder, tmp_path):
    mine = shutil.copytree(folder, tmp_path / "mine")
    for result in mine.glob("runs/*/*/result.json"):
        result.unlink()
    page = page_of(mine, "net.yaml", "--vs", CHANGE)
    assert [panel["name"] for panel in page.data()] == ["loss", "accuracy", "penalty", "learning_rate"]
    assert all(curve["best"] == [] for panel in page.data() for curve in panel["curves"])
    assert [text for tag, text in page.texts if tag == "td"].count("interrupted") == 12
    trainrun_("report", "net.yaml", "--format", "png", cwd=mine)


def test_a_figure_without_matplotlib_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = trainrun_("report", "net.yaml", "--format", "png", cwd=folder, code=2).stderr
    assert said == "report: figures need matplotlib: pip install 'trainrun[plot]'\n"
