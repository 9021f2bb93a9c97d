"""Texts of a transcript in Chromium: Markdown, colours, what a write changed, copy, expand, search, and no markup."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from packs import write_pack
from playwright.sync_api import Page, expect
from results import end_event, manifest, reply_event, result, start_event

from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.write import write_reports
from pytest_agentcore.trial.fold import verdict_event

Open = Callable[..., Page]

pytestmark = pytest.mark.browser

TASK = "task_05_minimal_fix"
BEFORE = '"""Prices."""\n\n\ndef total(items):\n    # all of them\n    return sum(items) * 2\n\n\nRATE = 0.19\n'
AFTER = BEFORE.replace("sum(items) * 2", "sum(items)")
REPLY = """## What I found

The **rate** is *wrong*: see `total` in snake_case_name and [the docs](https://example.com/x).

1. Read the file
   - it has a bug
2. Fix it

> as you asked

```python
def total(items):
    return sum(items)  # fixed
```

| file | tests |
|------|-------|
| a.py | 3 |

---
<b onclick="alert(1)">not bold</b> ![picture](http://example.com/p.png)"""
RED = r"\x1b[31mFAILED\x1b[0m tests/test_a.py and \x1b[1;32m2 passed\x1b[0m"
LONG = "\n".join(f"line {n} of many" for n in range(1, 201))
Step = tuple[str, Mapping[str, Any], str, str]
STEPS: tuple[Step, ...] = (
    ("fs_read", {"path": "src/price.py"}, "ok", BEFORE),
    ("fs_write", {"path": "/workspace/src/price.py", "content": AFTER}, "ok", "wrote 99 bytes to src/price.py"),
    ("shell", {"command": "cd src && pytest -q  # run them"}, "ok", RED),
    ("fs_write", {"path": "src/price.py", "content": AFTER + "\nTAX = 2"}, "ok", "wrote 110 bytes to src/price.py"),
    ("fs_read", {"path": "missing.txt"}, "refused", "missing.txt: there is no such file"),
    ("sql", {"query": "SELECT count(*) FROM prices -- all"}, "ok", '{"count": 3, "name": "x"}'),
    ("shell", {"command": "cat long.txt"}, "ok", LONG),
)


def rich_pack(folder: Path, *replies: str) -> Path:
    """report.html of one trial whose turns are `STEPS`, after which the model says each of `replies`."""
    trial = result(TASK, 1, turns=len(STEPS) + len(replies), tool_calls=len(STEPS))
    pack = write_pack(folder, manifest([(TASK, 1)]), [trial])
    events: list[dict[str, Any]] = [{"schema": 1, **start_event(trial)}]
    for turn, (name, arguments, outcome, text) in enumerate(STEPS, 1):
        call = {"id": f"call_{turn}", "name": name, "arguments": dict(arguments)}
        events.append(reply_event(turn, tool_calls=[call]))
        told = {"turn": turn, "index": 0, "call": call, "outcome": outcome, "text": text, "seconds": 0.1}
        events.append({"event": "tool_result", **told})
    events += [reply_event(turn, content=text) for turn, text in enumerate(replies, len(STEPS) + 1)]
    events += [end_event(), verdict_event(True, detail="", cause=None, changed=[])]
    pack.transcript(trial.attempt).write_bytes(b"".join(map(to_line, events)))
    return write_reports(read_campaign(pack.path))[-1]


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One trial with everything in it that is shown in a way of its own."""
    return rich_pack(tmp_path_factory.mktemp("rich") / "campaign", REPLY, "Kein Öl: 100% \\d+ done.")


@pytest.fixture
def trial(visit: Open, rich: Path) -> Page:
    """The page at that trial."""
    return visit(rich, "#task=task_05&run=1")


def test_a_reply_is_read_as_markdown_and_can_be_seen_as_written(trial: Page) -> None:
    reply = trial.locator("#turn-8").get_by_role("region", name="reply", exact=True)

    assert reply.get_by_role("heading").inner_text() == "What I found"
    assert reply.locator("strong").all_inner_texts() == ["rate"]
    assert reply.locator("em").all_inner_texts() == ["wrong"]
    assert reply.locator("ol > li").count() == 2
    assert reply.locator("ol > li ul > li").all_inner_texts() == ["it has a bug"]
    assert reply.locator("blockquote").inner_text() == "as you asked"
    assert reply.locator("pre .ink-keyword").all_inner_texts() == ["def", "return"]
    assert reply.locator("td").all_inner_texts() == ["a.py", "3"]
    assert "snake_case_name" in reply.inner_text()

    trial.locator("#turn-8 .part > .text > .tools").get_by_role("button", name="as written").click()
    assert reply.locator("pre").inner_text() == REPLY


def test_nothing_a_model_wrote_leads_or_loads_anything(trial: Page) -> None:
    reply = trial.locator("#turn-8").get_by_role("region", name="reply", exact=True)

    assert "the docs (https://example.com/x)" in reply.inner_text()
    assert '<b onclick="alert(1)">not bold</b> picture (http://example.com/p.png)' in reply.inner_text()
    assert reply.locator("a, img, b, iframe, script").count() == 0
    assert trial.locator("#trial [onclick], #trial [style*=url]").count() == 0


def test_a_write_shows_what_it_changed_and_against_what(trial: Page) -> None:
    diff = trial.locator("#turn-2 .diff")

    assert [line.inner_text().split() for line in diff.locator(".removed").all()] == [
        ["-", "return", "sum(items)", "*", "2"]
    ]
    assert [line.inner_text().split() for line in diff.locator(".added").all()] == [["+", "return", "sum(items)"]]
    assert trial.locator("#turn-2 .against").inner_text() == "compared with what turn 1 read"
    assert "a command ran in between" in trial.locator("#turn-4 .against").inner_text()
    assert "the newline at the end was removed" in trial.locator("#turn-4 .diff").inner_text()

    trial.locator("#turn-2").get_by_role("button", name="coloured").click()
    assert trial.locator("#turn-2").get_by_role("region", name="argument content").inner_text().strip() == AFTER.strip()


def test_code_data_and_terminals_have_their_colours(trial: Page) -> None:
    def inks(turn: int, kind: str) -> list[str]:
        return trial.locator(f"#turn-{turn} .{kind}").all_inner_texts()

    assert inks(1, "ink-comment") == ["# all of them"]
    assert inks(1, "ink-string") == ['"""Prices."""']
    assert inks(3, "ink-comment") == ["# run them"]
    assert inks(6, "ink-key") == ['"count"', '"name"']
    assert "SELECT" in inks(6, "ink-keyword")
    assert inks(3, "ansi-1") == ["FAILED"]
    assert inks(3, "ansi-bold") == ["2 passed"]
    trial.locator("#turn-3 .result").get_by_role("button", name="as written").click()
    assert RED in trial.locator("#turn-3").inner_text()


def test_a_refused_call_does_not_look_like_a_good_one(trial: Page) -> None:
    def colours(turn: int) -> list[str]:
        part = trial.locator(f"#turn-{turn} .part").last
        word: str = part.locator(".how").evaluate("e => getComputedStyle(e).color")
        return [word, part.evaluate("e => getComputedStyle(e).borderLeftColor")]

    good, refused = colours(1), colours(5)
    assert not set(good) & set(refused)
    assert trial.locator("#turn-5 .how").inner_text() == "✗ result: refused"


def test_a_long_text_says_that_it_goes_on_and_shows_all_of_it(trial: Page) -> None:
    body = trial.locator("#turn-7").get_by_role("region", name="result of call 1")
    more = trial.locator("#turn-7").get_by_role("button", name="Show all 200 lines")
    expect(more).to_be_visible()
    assert trial.locator("#turn-1 .expand:visible").count() == 0

    more.click()
    expect(more).to_be_hidden()
    assert body.evaluate("e => e.scrollHeight - e.clientHeight") <= 1


def test_a_text_is_copied_as_it_was_written(trial: Page) -> None:
    trial.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = trial.locator("#turn-8 .part > .text > .tools").get_by_role("button", name="copy")
    button.click()

    expect(trial.locator("#turn-8 .part > .text > .tools").get_by_role("button", name="copied")).to_be_visible()
    assert trial.evaluate("navigator.clipboard.readText()") == REPLY


PLACES = {"SUM(ITEMS) * 2": 1, "run them": 3, "no such file": 5, "many": 7, "as you asked": 8, "Öl: 100%": 9}


def test_a_text_is_found_in_any_turn_and_marked_there(visit: Open, rich: Path) -> None:
    page = visit(rich)
    for text, turn in PLACES.items():
        page.get_by_label("text in").fill(text)
        link = page.locator("#rows .places a").first
        expect(link).to_have_text(f"turn {turn}")
        assert page.locator("#rows mark").first.inner_text().lower() == text.lower()
        expect(page.locator("#trials-searched")).to_have_text("In the turns of 1 trial")

        link.click()
        expect(page.locator(f"#turn-{turn}")).to_be_focused()
        marked = page.evaluate("[...CSS.highlights.get('found')].map((range) => range.toString().toLowerCase())")
        assert marked
        assert set(marked) == {text.lower()}
        assert page.locator(f".strip a.found[data-turn='{turn}']").count() == 1
        page.get_by_role("link", name="all trials").click()


def test_a_text_has_an_address(visit: Open, rich: Path) -> None:
    page = visit(rich, "#text=no%20such%20file")
    expect(page.locator("#rows .places")).to_contain_text("turn 5 missing.txt: there is no such file")
    page.get_by_label("text in").fill("nowhere to be found")
    expect(page.locator("#trials-searched")).to_have_text("In the turns of 0 trials")
    assert page.locator("#trials-count").inner_text() == "0 of 1 trial"
    assert page.url.endswith("#text=nowhere+to+be+found")

    again = visit(rich, "#task=task_05&run=1&text=line%20190")
    expect(again.locator("#turn-7")).to_be_focused()  # the one that has it, though no turn is named
    assert "line 190" in again.evaluate("[...CSS.highlights.get('found')].map(String)")
    assert again.locator("#turn-7 .text.whole").count() == 1


def test_what_could_not_be_searched_is_said(visit: Open, tmp_path: Path) -> None:
    trial = result(TASK, 1, turns=1, attempts=2)
    long = "first needle " + "x" * 400_000
    pack = write_pack(tmp_path / "pack", manifest([(TASK, 1), (TASK, 2)]), [trial, result(TASK, 2)], says=long)
    pack.transcript(result(TASK, 2).attempt).unlink()
    pack.attempts.mkdir()
    earlier = [{**start_event(trial), "attempt": "b" * 8}, reply_event(1, content="an old İ needle")]
    (pack.attempts / f"{'b' * 8}.jsonl").write_bytes(b"".join(map(to_line, earlier)))
    page = visit(write_reports(read_campaign(pack.path))[-1], "#text=Needle")

    expect(page.locator("#trials-searched")).to_contain_text("In the turns of 1 trial; 1 transcript not in this page")
    assert "1 transcript searched without the middle of long texts" in page.locator("#trials-searched").inner_text()
    assert page.locator("#rows mark").all_inner_texts() == ["needle", "needle"]
    page.locator("#rows .places a").first.click()
    expect(page.locator("#turn-1 .prose")).to_have_text("an old İ needle")
    assert page.locator(".strip a").get_attribute("href") == f"#trial={'b' * 8}&turn=1&text=Needle"


HOSTILE = (
    "".join("> " * 3000),
    "\n".join("  " * n + "- x" for n in range(300)),
    "**" * 20_000,
    "[" * 20_000 + "](",
    "`" * 19_999,
    "|" * 9_000 + "\n" + "|-" * 900,
    '"' + "\\" * 20_000,
    "/*" * 9_000 + "'''" * 5_000,
    "<svg onload=alert(1)>[x](javascript:alert(2))<!--",
)


@pytest.mark.parametrize("fence", ["", "```js\n```py\n```sql\n```sh\n"])
def test_hostile_texts_are_shown_quickly_and_whole(visit: Open, tmp_path: Path, fence: str) -> None:
    replies = [start + text for text in HOSTILE for start in fence.splitlines(keepends=True) or [""]]
    page = visit(rich_pack(tmp_path / "pack", *replies), "#task=task_05&run=1")
    expect(page.locator(f"#turn-{len(STEPS) + len(replies)}")).to_be_visible()

    assert "<svg onload=alert(1)>" in page.locator(".turn").last.inner_text()
    assert page.locator("#trial img, #trial a[href^=java], .turn svg").count() == 0
