"""A real browser: Chromium without a screen, found by `AGENTCORE_CHROMIUM` or on the PATH, never downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""Flags: tests run as root in containers, and the browser's own requests would drown those of the page."""

NAMES = ("chromium", "chromium-browser", "google-chrome")

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    found = os.environ.get("AGENTCORE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(f"no browser: AGENTCORE_CHROMIUM is not set, and none of {', '.join(NAMES)} is on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Open]:
    """Opens a file in a page of its own, at a fragment; whatever the page complains of or asks the network fails.

    Only files in the folder `beside` may be asked for.
    """
    complaints: list[str] = []
    contexts = []

    def open_at(file: Path, fragment: str = "", beside: Path | None = None, **options: Any) -> Page:
        def asked(url: str) -> None:
            if not (beside and url.startswith(f"{beside.as_uri()}/")):
                complaints.append(f"request: {url}")

        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: asked(request.url))
        page.goto(file.as_uri() + fragment)
        assert complaints.pop(0) == f"request: {file.as_uri()}"  # the page itself, and nothing after it
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert complaints == []
