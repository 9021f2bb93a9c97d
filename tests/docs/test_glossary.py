"""The glossary and the code know the same words."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

from pytest_agentcore.catalogue.entry import Policy
from pytest_agentcore.trial.modes import Cause, FailureMode, StopReason
from pytest_agentcore.trial.result import CallOutcome

PAGE = Path(__file__).parents[2] / "docs" / "glossary.md"


def rows(heading: str) -> list[list[str]]:
    section = PAGE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line[:2] == "| "][1:]


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("Policies", Policy),
        ("Stop reasons", StopReason),
        ("Failure modes", FailureMode),
        ("Causes", Cause),
        ("What becomes of a call", CallOutcome),
    ],
)
def test_closed_words_are_documented(heading: str, words: type[StrEnum]) -> None:
    assert sorted(row[0] for row in rows(heading)) == sorted(word.value for word in words)


def test_attributions_are_those_of_the_code() -> None:
    assert {row[0]: row[1] for row in rows("Causes")} == {cause.value: cause.attribution.value for cause in Cause}


def test_every_word_stands_once() -> None:
    words = re.findall(r"^\| ([a-z -]+) \|", PAGE.read_text().split("\n## ", 1)[0], flags=re.MULTILINE)
    assert len(words) == len(set(words)) > 20
