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
    assert len(live) == 1 + 4 + 3 + 4 + 3
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
