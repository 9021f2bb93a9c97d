"""`agentcore open` in Chromium while a real campaign runs in another process, reply by reply as the test lets it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tiny import COUNT, HELLO

from pytest_agentcore.cli.serve import Server
from pytest_agentcore.reports import rendering

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
SCRIPT = f"""
import itertools

gates = itertools.count(1)

def reply(request):
    open(f"gates/{{next(gates)}}").close()  # waits until the test opens the other end
    if request.turn < 4:
        call = {{"name": "fs_write", "arguments": {{"path": "hello.txt", "content": "hello"}}}}
        return {{"content": f"I write in turn {{request.turn}}. {EVIL}", "tool_calls": [call]}}
    return "done"
"""


class Running:
    """A campaign of two tasks, two runs each, whose model waits for leave before every reply."""

    def __init__(self, home: Path) -> None:
        self.results = home / "agentcore-results"
        (home / "gates").mkdir()
        self._gates = [home / "gates" / str(number) for number in range(1, 20)]
        for gate in self._gates:
            os.mkfifo(gate)
        (home / "tiny").mkdir()
        (home / "tiny" / "test_task_01_hello.py").write_text(HELLO)
        (home / "tiny" / "test_task_02_count.py").write_text(COUNT)
        (home / "bot.py").write_text(SCRIPT)
        words = ["-q", "-p", "no:cacheprovider", f"--model=scripted:{home / 'bot.py'}", "--runs=2", str(home / "tiny")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *words],
            cwd=home,
            stdout=subprocess.DEVNULL,
        )

    def let(self, replies: int) -> None:
        """Let the model say so much, each time it asks."""
        for _ in range(replies):
            self._gates.pop(0).open("w").close()

    def end(self) -> None:
        """Stop what is left of it."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    campaign = Running(tmp_path)
    yield campaign
    campaign.end()


@pytest.fixture
def server(running: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    read = rendering.resource
    monkeypatch.setattr(rendering, "resource", lambda name: read(name).replace("SOON = 1000", "SOON = 100"))
    running.let(1)  # its folder is there
    with Server(running.results) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens an address; whatever the page complains of fails, and whatever it asks of anybody else."""
    complaints: list[str] = []
    home: list[str] = []
    expect.set_options(timeout=30_000)  # another process has to come to it, on a machine that may have much to do
    context = chromium.new_context(viewport={"width": 1280, "height": 700})

    def complain(kind: str, text: str) -> None:
        # of itself the page may ask everything, and the browser says when a test has cut the line
        if not (kind == "request" and text.startswith(home[0])) and "_DISCONNECTED" not in text:
            complaints.append(f"{kind}: {text}")

    def open_at(address: str) -> Page:
        home.append(address.partition("/c/")[0])
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complain("console", message.text))
        page.on("pageerror", lambda error: complain("error", str(error)))
        page.on("dialog", lambda dialog: complain("dialog", dialog.message))
        page.on("request", lambda request: complain("request", request.url))
        page.goto(address)
        return page

    yield open_at
    context.close()
    expect.set_options(timeout=5_000)
    assert complaints == []


def test_the_count_rises_and_a_transcript_grows(running: Running, server: Server, visit: Callable[[str], Page]) -> None:
    (folder,) = running.results.iterdir()
    page = visit(f"{server.address}c/{folder.name}/")
    told = page.locator("#live .told")
    expect(told).to_contain_text("0 of 4 trials done")
    expect(page.locator(".map .cell.running")).to_have_count(1)
    for width in (390, 2560, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") == width

    page.locator("#live").get_by_role("link", name="task_01_hello run 1").click()
    expect(page.locator("#trial-title")).to_have_text("task_01_hello run 1")
    expect(page.locator(".turn")).to_have_count(1)
    page.locator("#turn-1").get_by_role("button", name="as written").click()
    page.set_viewport_size({"width": 1280, "height": 500})
    page.evaluate("scrollTo(0, 200)")
    before = page.locator("#turn-1").bounding_box()

    running.let(1)
    expect(page.locator(".turn")).to_have_count(2)
    assert page.locator("#turn-1").bounding_box() == before  # the reader's place
    expect(page.locator("#turn-1").get_by_role("button", name="formatted")).to_be_visible()  # and how it was left
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    running.let(1)
    expect(page.locator("#turn-3")).to_be_in_viewport()  # who reads at the end goes along
    assert EVIL in page.locator("#turn-3").inner_text()
    assert page.locator("#trial img, #trial script").count() == 0

    running.let(1)  # the answer: the trial is over
    expect(told).to_contain_text("1 of 4 trials done · 1 of 1 scored passed")
    expect(page.locator(".trial-head .outcome")).to_have_text("✓passed")
    expect(page.locator("#trial .end")).to_contain_text("Ended by final_answer after turn 4")

    page.get_by_role("link", name="all trials").click()
    expect(page.locator(".rate").first).to_have_text("100.0%")
    expect(page.locator(".map .cell.passed")).to_have_count(1)
    expect(page.locator("#rows tr")).to_have_count(1)


def test_the_page_over_all_leads_to_what_runs_and_its_transcripts_open(
    running: Running, server: Server, visit: Callable[[str], Page]
) -> None:
    running.let(3)
    page = visit(server.address)
    line = page.locator("#live .progress")
    expect(line).to_contain_text("1 of 4 trials done")
    page.reload()  # it may have been made before that trial was recorded
    expect(line).to_contain_text("1 of 4 trials done")
    expect(page.locator("#live button")).to_have_count(0)
    page.context.set_offline(True)
    expect(page.locator("#live")).to_contain_text("The server does not answer")
    page.context.set_offline(False)
    expect(line).to_be_visible()
    page.locator(".matrix a.share").first.click()
    page.locator("#campaign-trials a, #trials a").first.click()
    expect(page.locator("#turn-1")).to_contain_text("I write in turn 1")
    page.go_back()
    page.go_back()

    running.let(4)
    expect(line).to_contain_text("2 of 4 trials done")
    page.get_by_role("button", name="Show what has changed").click()
    expect(page.locator(".matrix td").nth(1)).to_contain_text("0/1")
    line.get_by_role("link").click()
    expect(page.locator("#live .told")).to_contain_text("2 of 4 trials done")
    page.get_by_role("link", name="All campaigns").click()
    expect(page.locator("h1")).to_have_text("1 campaign")
    line.get_by_role("link").click()
    expect(page.locator("#live .told")).to_be_visible()  # a page that never saw the session run has no end to tell
    running.end()
    expect(page.locator("#live")).to_contain_text("The session has ended, and the campaign is interrupted.")
