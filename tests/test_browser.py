"""A report in a real browser: it loads, reacts, asks for nothing, and shows every name as text."""

import shutil
from pathlib import Path

import pytest

from test_cli import trainrun_

pytestmark = pytest.mark.browser

WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 360, "height": 740}
CONFIG = "data: iris\nepochs: 6\nhidden: 8\nlearning_rate: 0.01\n"


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
    """A folder with the report of a comparison."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "net.yaml").write_text(CONFIG)
    change = ("--vs", "dropout=0.2 learning_rate=0.02")
    trainrun_("compare", "net.yaml", *change, "--seeds", 6, cwd=folder)
    trainrun_("report", "net.yaml", *change, cwd=folder)
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
        page.on("request", lambda request: requests.append(request.url))
        page.goto((folder / file).as_uri())
        contexts.append((context, troubles, requests))
        return page

    yield open_
    for context, troubles, requests in contexts:
        context.close()
        assert troubles == []
        assert len(requests) == 1, "the file itself, and nothing else"


def test_it_draws_every_chart(opened):
    page = opened()
    assert page.locator(".plot canvas").count() == page.locator(".plot").count() >= 3
