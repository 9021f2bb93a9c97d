"""`agentcore COMMAND --json`: every command that prints facts has it, as documented, with the figures of its text."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from backends.openai.fault_server import FaultServer
from tiny import Script, campaign, say, write

from pytest_agentcore import format as written
from pytest_agentcore.checks import attackers, audit
from pytest_agentcore.cli.__main__ import COMMANDS, WITHOUT_FACTS, main
from pytest_agentcore.cli.__main__ import _parser as parser_for
from pytest_agentcore.exports import base as exporting

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
BOT = {"task_01": [write("hello.txt", "hello"), say("done")], "task_02": [write("count.txt", "19"), say("done")]}

Ask = Callable[..., tuple[int, str, str]]
"""Runs a command and gives its exit code and what it wrote to both streams."""


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def documented() -> dict[str, set[str]]:
    """The keys of each row of the page's table, by its command."""
    table = PAGE.read_text(encoding="utf-8").partition("| command | keys |")[2]
    rows = re.findall(r"^\| `([^|]+)` \| (`.+) \|$", table, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", keys)) for name, keys in rows}


def test_every_command_says_whether_it_prints_facts_and_the_page_has_those_that_do() -> None:
    having = set()
    for name in COMMANDS:
        (commands,) = (a for a in parser_for([name])._actions if isinstance(a, argparse._SubParsersAction))
        if "--json" in commands.choices[name]._option_string_actions:
            having.add(name)
    assert having == COMMANDS.keys() - {*WITHOUT_FACTS}
    assert {row.partition(" ")[0] for row in documented()} == having


def leaves(value: Any) -> Iterator[Any]:
    """Every value within, and the length and the places of every list."""
    if isinstance(value, dict):
        value = list(value.values())
    elif isinstance(value, list):
        yield from range(len(value) + 1)
    if isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield value


def figures(told: Any) -> set[str]:
    """Every number within as texts may write it, and every number in a text within."""
    known: set[str] = set()
    for value in leaves(told):
        if isinstance(value, str):
            known |= set(re.findall(r"\d+(?:\.\d+)?", value))
        elif isinstance(value, int | float):
            sizes = [written.bytes_of, written.gigabytes]
            rounded = [*sizes, written.percent, written.points, written.average, written.p_value, written.dollars]
            shown = [str(value), f"{value:,}", f"{value:g}", written.estimate(value), *(way(value) for way in rounded)]
            known |= {number for text in shown for number in re.findall(r"\d+(?:\.\d+)?", text)}
    return known


@pytest.fixture
def place(pytester: pytest.Pytester, suite: Path, script: Script) -> dict[str, str]:
    """Words that commands below name: two parts of one experiment, a group, a suite, a template."""
    bot = f"--model=scripted:{script(**BOT)}"
    for shard in ("1/2", "2/2"):
        pytester.runpytest(bot, "--runs=2", f"--agentcore-shard={shard}", f"--results=parts/{shard[0]}", suite)
    pytester.runpytest(bot, "--runs=2", "--results=here", suite)
    pytester.runpytest(bot, "--runs=2", "--tool-calls=native,lenient", "--results=grouped", suite)
    (pytester.path / "some.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    parts = [str(campaign(pytester, f"parts/{number}")) for number in (1, 2)]
    return {"here": str(campaign(pytester, "here")), "one": parts[0], "two": parts[1], "suite": str(suite)}


CALLS = {
    "audit": ("{suite}/test_task_01_hello.py",),
    "audit --list": ("--list",),
    "compare": ("{one}", "{two}", "--results=here"),
    "dialect": ("some.jinja",),
    "export": ("{here}", "--to=atif"),
    "gate": ("{here}", "--min-pass-rate=0.4"),
    "group": ("--results=grouped",),
    "leaderboard": ("{here}",),
    "list": ("here",),
    "merge": ("{one}", "{two}", "-o", "{mode}/whole"),
    "models": ("--memory=8",),
    "models NAME": ("qwen3-8b", "--memory=8"),
    "plan": ("--detect=40pp", "--from={here}", "--workers=2"),
    "predict": ("oracle", "--suite={suite}", "-o", "{mode}.md"),
    "preflight": ("made-up", "--base-url={url}"),
    "recheck": ("{here}", "--suite={suite}"),
    "report": ("{here}", "-o", "out"),
    "report RESULTS": ("here", "-o", "out.html"),
    "sandbox": (),
    "selfcheck": ("{suite}/test_task_01_hello.py",),
    "show": ("{here}",),
    "show CAMPAIGN TRIAL": ("{here}", "task_01:1"),
    "validate": ("{here}", "{one}"),
}
IN_CONTAINERS = "sandbox build"
"""Asks an engine for containers, and is tested where there is one."""
SAID_ELSEWHERE = {"95", "0.05"}
"""Numbers of sentences that are no finding: how wide intervals are, which p counts."""


def test_json_is_as_documented_and_has_the_figures_of_the_text(
    place: dict[str, str], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [each for each in attackers.library() if not each.waits][:2]
    monkeypatch.setattr(attackers, "library", lambda: few)
    monkeypatch.setattr(audit, "library", lambda: few)
    keys = documented()
    assert CALLS.keys() | {IN_CONTAINERS} == {row for row in keys if row.partition(" ")[0] in COMMANDS}
    monkeypatch.setattr(exporting, "export", lambda *_, **__: [Path("x.json")])  # its packages are installed elsewhere
    with FaultServer(context=8000).running() as server:
        for row, words in CALLS.items():
            modes = [[row.partition(" ")[0], *(w.format(**place, url=server.url, mode=m) for w in words)] for m in "tj"]
            code, text, _ = ask(*modes[0])
            text = text.replace(str(Path.cwd()), "")
            code_too, out, _ = ask(*modes[1], "--json")
            told = json.loads(out)
            assert code == code_too == told.get("exit_code", 0), row
            assert (told.pop("command"), told.pop("schema")) == (modes[0][0], 1)
            assert told.keys() == keys[row], row
            numbers = set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]*\w/)", text))
            assert numbers - figures(told) - SAID_ELSEWHERE == set(), row
