"""The pages in a real browser: they fill themselves from the node, ask nobody else, and run nothing from outside."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.served import TICKET, Served, Start

CHROMIUM = shutil.which("chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    return browser.new_page()


def _open(page: Page, node: Served, path: str) -> tuple[list[str], list[str]]:
    """Open a page; return the addresses it asked and the errors it logged."""
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"http://127.0.0.1:{node.port}{path}")
    return asked, errors


def test_the_status_page_says_who_answers_and_counts_tickets(page: Page, node: Served) -> None:
    assert node.post("/v1/triage/score", TICKET).status == 200
    asked, errors = _open(page, node, "/")
    page.wait_for_selector("#tiers tr td:nth-child(3)")
    assert "built-in rules" in page.inner_text("#verdict")
    assert [url for url in asked if f"127.0.0.1:{node.port}" not in url] == []
    assert errors == []


def test_the_interface_page_lists_operations_and_finds_a_field(page: Page, node: Served) -> None:
    _, errors = _open(page, node, "/docs")
    page.wait_for_selector(".operation")
    page.fill("#search", "score:batch")
    shown = list(page.locator(".operation:visible > summary").all_inner_texts())
    assert len(shown) == 1
    assert "/v1/triage/score:batch" in shown[0]
    assert errors == []


def test_a_node_with_tokens_lets_a_browser_in_with_one_as_password(browser: Browser, start: Start) -> None:
    node = start()
    common = [sys.executable, "-m", "holdfast", "--config", str(node.config), "--data", str(node.data)]
    made = subprocess.run([*common, "token", "create", "wall"], capture_output=True, text=True, timeout=30, check=True)
    with pytest.raises(Error, match="AUTH_CREDENTIALS"):  # it was asked for a password, and nobody typed one
        browser.new_page().goto(f"http://127.0.0.1:{node.port}/")
    known = browser.new_context(http_credentials={"username": "wall", "password": made.stdout.strip()}).new_page()
    _, errors = _open(known, node, "/")
    known.wait_for_selector("#tiers tr td:nth-child(3)")
    assert "built-in rules" in known.inner_text("#verdict")
    assert errors == []
