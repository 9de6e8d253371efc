"""A report in a real browser: it loads, reacts, asks for nothing, and shows every name as text."""

import shutil
from pathlib import Path

import pytest

from finished_searches import SPACE, make_search
from shell import trainrun_
from trainrun.runs.reading import find_runs

pytestmark = pytest.mark.browser

WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 360, "height": 740}
CONFIG = "data: iris\nepochs: 12\nhidden: 8\nlearning_rate: 0.01\n"
CHANGE = "dropout=0.2 learning_rate=0.02 regularization.l1=0.003"
EVIL = "<img src=x onerror=alert(1)>\u202e\x1b[31m[red]-12345678"


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "Chromium is missing: apt-get install --no-install-recommends chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the report of a comparison, and one of runs with a hostile name and hostile metrics."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "net.yaml").write_text(CONFIG)
    trainrun_("compare", "net.yaml", "--vs", CHANGE, "--seeds", 6, cwd=folder)
    trainrun_("report", "net.yaml", "--vs", CHANGE, cwd=folder)
    run = find_runs(folder / "runs")[0]
    evil = shutil.copytree(run.directory, folder / "evil" / EVIL / "seed-0")
    metrics = evil / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace('"accuracy"', '"</script><script>alert(2)</script>"'))
    trainrun_("report", evil, "--out", "evil.html", cwd=folder)
    return folder


@pytest.fixture
def opened(browser, folder):
    """Opens a page and watches it; whatever goes wrong on it fails the test."""
    contexts = []

    def open_(file="report.html", **settings):
        context = browser.new_context(**({"viewport": WIDE} | settings))
        page = context.new_page()
        troubles, requests = [], []
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: requests.append(request.url))
        page.goto((folder / file).as_uri())
        contexts.append((context, troubles, requests))
        return page

    yield open_
    for context, troubles, requests in contexts:
        context.close()
        assert troubles == []
        assert len(requests) == 1, "the file itself, and nothing else"


def drawn(page, chart=0):
    """What a chart looks like."""
    return page.locator(".plot canvas").nth(chart).evaluate("canvas => canvas.toDataURL()")


def readout(page, chart=0):
    return page.locator(".readout").nth(chart).inner_text()


def test_it_draws_every_chart(opened):
    page = opened()
    assert page.locator(".chart figcaption").all_inner_texts() == [
        "loss",
        "accuracy",
        "penalty",
        "learning_rate",
    ]
    assert page.locator(".plot canvas").count() == 4
    assert len({drawn(page, chart) for chart in range(4)}) == 4


@pytest.mark.parametrize("name", ["net", "validation", "training", "bands", "best epochs", "logarithmic"])
def test_what_is_toggled_leaves_and_comes_back(opened, name):
    page = opened()
    before = drawn(page)
    box = page.get_by_label(name, exact=True)
    box.click()
    changed = drawn(page)
    assert changed != before
    box.click()
    assert drawn(page) == before


def test_hovering_says_the_values_in_every_chart(opened):
    page = opened()
    assert readout(page) == ""
    page.locator(".plot").first.hover()
    for chart in range(4):
        assert readout(page, chart).startswith("epoch ")
    assert "net valid 0." in readout(page)
    page.get_by_label("validation").uncheck()
    page.locator(".plot").first.hover(position={"x": 200, "y": 100})
    assert "net train" in readout(page)
    assert "net valid" not in readout(page)


def test_dragging_zooms_all_charts_and_a_double_click_shows_all(opened):
    page = opened()
    before = [drawn(page, chart) for chart in range(4)]
    place = page.locator(".plot .u-over").first
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 60, steps=4)
    page.mouse.up()
    page.mouse.move(0, 0)
    assert all(drawn(page, chart) != before[chart] for chart in range(4))
    page.mouse.dblclick(box["x"] + 100, box["y"] + 50)
    page.mouse.move(0, 0)
    assert [drawn(page, chart) for chart in range(4)] == before


def test_everything_can_be_done_with_the_keyboard(opened):
    page = opened()
    before = drawn(page)
    page.get_by_label("net", exact=True).focus()
    page.keyboard.press("Space")
    assert drawn(page) != before
    page.keyboard.press("Space")
    page.get_by_role("button", name="all").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.panel") == "0"
    page.keyboard.press("ArrowRight")
    assert readout(page).startswith("epoch 1 · net ")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert readout(page, 1).startswith("epoch 2 · net ")
    page.keyboard.press("+")
    assert drawn(page) != before
    page.keyboard.press("0")
    assert drawn(page) == before


def test_buttons_zoom(opened):
    page = opened()
    before = drawn(page)
    page.get_by_role("button", name="zoom in").click()
    assert drawn(page) != before
    page.get_by_role("button", name="zoom out").click()
    page.get_by_role("button", name="all").click()
    assert drawn(page) == before


@pytest.mark.parametrize("file", ["report.html", "evil.html"])
@pytest.mark.parametrize("width", [320, 360, 768])
def test_nothing_is_wider_than_a_phone(opened, file, width):
    page = opened(file, viewport={"width": width, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for canvas in page.locator(".plot").all():
        assert canvas.bounding_box()["width"] <= width


def test_charts_follow_the_window(opened):
    page = opened()
    page.set_viewport_size(PHONE)
    page.wait_for_function("document.querySelector('.uplot').clientWidth < 360")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_dark_and_light(opened):
    page = opened(color_scheme="light")
    light = drawn(page), page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "getComputedStyle(document.documentElement).backgroundColor !== 'rgb(255, 255, 255)'"
    )
    page.wait_for_timeout(50)
    dark = drawn(page), page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert light[0] != dark[0]
    assert light[1] == "rgb(255, 255, 255)"


def test_paper_is_white_and_has_no_buttons(opened):
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.get_by_role("button", name="all").is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_hostile_names_are_text(opened):
    page = opened("evil.html")
    assert page.locator("h1").inner_text().strip() == r"<img src=x onerror=alert(1)>\u202e\x1b[31m[red]"
    assert page.locator("img").count() == 0
    assert "</script><script>alert(2)</script>" in page.locator(".chart figcaption").all_inner_texts()
    page.locator(".plot").first.hover()
    assert r"<img src=x onerror=alert(1)>\u202e\x1b[31m[red] train" in readout(page)


def test_without_scripts_the_words_are_there(opened):
    page = opened(java_script_enabled=False)
    assert page.locator("noscript p").is_visible()
    assert page.get_by_text("test loss differs by").first.is_visible()
    assert page.locator(".told table").first.is_visible()


@pytest.mark.parametrize(("layers", "shown"), [(4, True), (5, False)])
def test_the_histograms_of_a_deep_net_are_folded_and_their_table_is_not(opened, folder, layers, shown):
    (folder / "deep.yaml").write_text(f"data: iris\nepochs: 1\nhidden: {[4] * (layers - 1)}\n")
    trainrun_("fit", "deep.yaml", cwd=folder)
    trainrun_("report", "deep.yaml", "--out", "deep.html", cwd=folder)
    page = opened("deep.html")
    histograms = page.locator(".histogram")
    assert histograms.count() == layers
    assert [one.is_visible() for one in histograms.all()] == [shown] * layers
    assert page.get_by_text("scale × √inputs").is_visible()
    page.get_by_text("Histograms of the weights").click()
    assert [one.is_visible() for one in histograms.all()] == [not shown] * layers


@pytest.fixture(scope="module")
def searched(folder):
    """The same folder with the pages of a search, and of one with hostile keys and many candidates."""
    make_search(folder / "runs", diverged=2)
    evil = {f"<img src=x onerror=alert({place})>.key{place}": [EVIL, {EVIL: [1]}] for place in range(4)}
    ranges = {f"part{place}.rate": SPACE["learning_rate"] for place in range(4)}
    make_search(folder / "runs", "many-12345678", space=evil | ranges, count=1000)
    for name in ("net", "many"):
        trainrun_("report", f"searches/{name}", "--out", f"search-{name}.html", cwd=folder)
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_search_draws_its_candidates(searched, opened, scheme):
    page = opened("search-net.html", color_scheme=scheme)
    assert page.locator(".chart-of-search").count() == 5
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    for dots in page.locator(".chart-of-search .dots").all():
        box = dots.bounding_box()
        assert box["width"] > 0 or box["height"] > 0 or dots.get_attribute("d").count("M") == 1
    inks = page.locator(".dots, .finalist, .tick, .bar").evaluate_all(
        "all => all.map(one => [getComputedStyle(one).stroke, getComputedStyle(one).fill])"
    )
    assert all([paper, "none"] != ink and [paper, paper] != ink for ink in inks)


def test_a_candidate_of_a_search_says_what_it_is(searched, opened):
    page = opened("search-net.html")
    first = page.locator(".chart-of-search").nth(1)
    assert first.locator(".spot title").first.text_content().startswith("number 1: valid loss ")
    assert first.locator(".finalist title").last.text_content().startswith("finalist 1: valid loss ")


@pytest.mark.parametrize("file", ["search-net.html", "search-many.html"])
@pytest.mark.parametrize("width", [320, 768, 1200])
def test_a_search_is_no_wider_than_a_phone(searched, opened, file, width):
    page = opened(file, viewport={"width": width, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_many_candidates_are_folded(searched, opened):
    page = opened("search-many.html")
    hidden = page.locator("details tr").last
    assert not hidden.is_visible()
    page.locator("summary").click()
    assert hidden.is_visible()
    assert page.locator("img").count() == 0


def test_a_search_on_paper(searched, opened):
    page = opened("search-many.html", color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")
