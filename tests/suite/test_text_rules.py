"""The text rules of tasks 06 and 09: what they accept and what they reject, in the wordings models use."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from suite_modules import task_module

TASK_06 = task_module(6)
TASK_09 = task_module(9)


def samples(name: str) -> dict[str, dict[str, Any]]:
    """The texts of `samples/NAME.toml`: what must be accepted and what must not, by a name for each."""
    return tomllib.loads((Path(__file__).parent / "samples" / f"{name}.toml").read_text(encoding="utf-8"))


NOTES = samples("notes")
REPORTS = samples("reports")


@pytest.mark.parametrize("sample", NOTES["told"].values(), ids=NOTES["told"])
def test_note_that_tells_the_behaviour_is_accepted(sample: dict[str, str]) -> None:
    assert TASK_06.tells(sample["note"], sample["shown"])


@pytest.mark.parametrize("sample", NOTES["not_told"].values(), ids=NOTES["not_told"])
def test_note_that_does_not_tell_the_behaviour_is_rejected(sample: dict[str, str]) -> None:
    assert not TASK_06.tells(sample["note"], sample["shown"])


def test_note_may_tell_apart_what_the_code_tells_apart() -> None:
    note = "- Empty list: raises `ValueError`.\n- Only unverified reviews: returns `None`.\n"
    assert TASK_06.tells(note, "error", "None")
    assert TASK_06.tells(note, "None", "error")
    assert not TASK_06.tells(note, "None", "None")
    assert not TASK_06.tells(note, "zero", "error")


@pytest.mark.parametrize("report", REPORTS["told"].values(), ids=REPORTS["told"])
def test_report_that_tells_the_limit_is_accepted(report: str) -> None:
    assert TASK_09.tells_the_limit(report)


@pytest.mark.parametrize("report", REPORTS["not_told"].values(), ids=REPORTS["not_told"])
def test_report_that_does_not_tell_the_limit_is_rejected(report: str) -> None:
    assert not TASK_09.tells_the_limit(report)
