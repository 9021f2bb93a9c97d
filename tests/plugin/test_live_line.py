"""The line while trials work, as an emulated terminal shows it: it says what it should, and pytest's output stays."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from screen import watch
from tiny import HELLO, Script, say, write

PRINTING = HELLO.replace("    assert", '    print("one\\ntwo")\n    assert')
ITEM = len("tiny/test_task_01_hello.py::test_hello[bot-run1] ")
"""Columns that an item's name fills to the last."""
SUMMARY = " bot · policy"


@pytest.fixture
def command(pytester: pytest.Pytester, suite: Path, script: Script) -> list[str]:
    """Two trials of two tasks each, which take some turns; one checker prints lines."""
    (suite / "test_task_01_hello.py").write_text(PRINTING)
    look = {"tool_calls": [{"name": "fs_read", "arguments": {"path": "."}}], "repeat": 2}
    bot = script(task_01=[look, write("hello.txt", "hello"), say("done")], task_02=[look, say("no idea")])
    words = ("--tb=no", "--runs=2", "-rN", "--no-header", "-p", "no:cacheprovider", f"--model=scripted:{bot}", "tiny")
    return [sys.executable, "-m", "pytest", *words]


@pytest.mark.parametrize(
    ("words", "columns"),
    [((), 80), (("-v",), 80), (("-v",), ITEM), (("-q",), 40), (("-s",), 80)],
    ids=lambda value: "".join(value) if isinstance(value, tuple) else str(value),
)
def test_pytests_own_output_is_what_it_is_without(
    pytester: pytest.Pytester, command: list[str], words: Sequence[str], columns: int
) -> None:
    plain = watch([*command, *words, "--color=no", "--results=plain"], pytester.path, columns=columns)
    live = watch([*command, *words, "--results=lively"], pytester.path, columns=columns)
    assert len(plain) == 1
    assert len(live) >= 1 + 4 + 3 + 4 + 3  # a machine that is busy draws some of them again
    assert _of_pytest(live[-1]) == _of_pytest(plain[-1])


LONG = (
    r"task_01_hello run 1/2 · turn 1 · 0/4 done · \d+s elapsed",
    r"task_02_count run 2/2 · turn 3 · 3/4 done · \d+s elapsed · ~\d+s left",
)
SHORT = (r"task_01_hello r1/2 t1 \d+s", r"task_02_count r2/2 t3 \d+s ~\d+s left")


@pytest.mark.parametrize(
    ("words", "columns", "spelling"),
    [((), 80, LONG), (("-v",), 80, LONG), (("-v",), 40, SHORT)],
    ids=["letters", "words", "narrow"],
)
def test_trial_turn_elapsed_and_remaining_stand_there(
    pytester: pytest.Pytester, command: list[str], words: Sequence[str], columns: int, spelling: tuple[str, str]
) -> None:
    """Of the first turn, of which nothing is known yet, and of the last."""
    *moments, _ = watch([*command, *words], pytester.path, columns=columns)
    shown = [_last(lines) for lines in moments]
    assert re.fullmatch(spelling[0], shown[0])
    assert re.fullmatch(spelling[1], shown[-1])
    for lines in moments:
        assert sum(bool(re.search(r" · turn | t\d ", line)) for line in lines) == 1


def test_under_workers_it_says_how_far_they_are(pytester: pytest.Pytester, command: list[str]) -> None:
    *moments, end = watch([*command, "-n", "2"], pytester.path, columns=80)
    assert any(re.fullmatch(r"1/4 done · \d+s elapsed · ~\d+s left", _last(lines)) for lines in moments)
    assert not any(" elapsed" in line for line in end)
    assert any(re.fullmatch(r"[.w]{4} +\[100%\]", line) for line in end)


def _last(lines: Sequence[str]) -> str:
    return [line for line in lines if line][-1]


def _of_pytest(lines: Sequence[str]) -> list[str]:
    """From the first letter to the summary, whose seconds change."""
    end = next(number for number, line in enumerate(lines) if SUMMARY in line)
    begin = next(number for number, line in enumerate(lines) if line.startswith("results ")) + 1
    return list(lines[begin:end])


TALKER = """
from pytest_agentcore.backends.base import Reply
from pytest_agentcore.session import terminal

terminal.REDRAW_SECONDS = terminal.PLAIN_SECONDS = terminal.PLAIN_SECONDS_BEFORE = -1.0  # every change is shown


class Talker:
    name, slots = "talker", 1

    def __init__(self, say):
        say("loading the model", 0.25)
        say("loading the model", 0.75)

    def complete(self, request):
        for piece in ("I ", "am ", "\x1b[31mdone"):
            request.watch(piece)
        return Reply(text="I am done", content="I am done")

    def describe(self):
        return {"backend": "talker"}

    def close(self):
        pass


def pytest_agentcore_backends(config):
    return {"talker": lambda entry, engine, say: Talker(say)}
"""
CHECKS = ("structured_call", "tool_result", "call_without_text", "nested_argument", "unknown_tool")
BEFORE = ["a: loading the model, 25%", "a: loading the model, 75%"]
for number, check in enumerate(CHECKS, 1):
    told = f"a: preflight {number}/5 {check}"
    BEFORE += [told, *(f"{told}, token {number}" for number in (1, 2, 3))]
TURN = re.compile(r"task_01_hello run 1/1 · turn 1( · (\d) tokens?, [\d.e+]+ a second)?( · 0/1 done)? · \d+s elapsed")


@pytest.fixture
def talker(pytester: pytest.Pytester, suite: Path) -> list[str]:
    """A model that takes its time to load and to write, as it would if all times were long."""
    pytester.makeconftest(TALKER)
    (suite / "test_task_02_count.py").unlink(missing_ok=True)
    words = ("--tb=no", "-rN", "--runs=1", "--model=talker:a", "-p", "no:cacheprovider", "tiny/test_task_01_hello.py")
    return [sys.executable, "-m", "pytest", *words]


def test_what_happens_before_the_first_trial_is_shown_and_then_what_is_written(
    pytester: pytest.Pytester, talker: list[str]
) -> None:
    *moments, end = watch(talker, pytester.path, columns=100)
    shown = [_last(lines) for lines in moments]
    assert shown[: len(BEFORE)] == BEFORE
    turns = [TURN.fullmatch(line) for line in shown[len(BEFORE) :]]
    assert [turn and turn[2] for turn in turns] == [None, "1", "2", "3"]
    assert not any("preflight 5/5" in line or "elapsed" in line for line in end)


def test_without_a_terminal_lines_come_without_codes(pytester: pytest.Pytester, talker: list[str]) -> None:
    result = pytester.run(*talker)
    result.stdout.fnmatch_lines([*BEFORE, "agentcore *", "task_01_hello run 1/1 · turn 1 · 3 tokens, *"])
    assert "\x1b" not in result.stdout.str()


@pytest.mark.parametrize("words", [("-q",), ()], ids=["quiet", "in a short run"])
def test_a_log_is_not_flooded(pytester: pytest.Pytester, talker: list[str], words: Sequence[str]) -> None:
    if not words:
        pytester.makeconftest(TALKER.replace("= -1.0", "= 60.0"))
    said = pytester.run(*talker, *words).stdout.str()
    assert "loading" not in said
    assert "elapsed" not in said
