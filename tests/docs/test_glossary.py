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


def items(heading: str) -> dict[str, str]:
    """What stands in brackets behind each word of a section's list."""
    section = PAGE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^- \*\*(\w+)\*\*(?: \((\w+)\))?: ", section, flags=re.MULTILINE))


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
    assert sorted(items(heading)) == sorted(word.value for word in words)


def test_attributions_are_those_of_the_code() -> None:
    assert items("Causes") == {cause.value: cause.attribution.value for cause in Cause}


def test_every_word_stands_once() -> None:
    words = re.findall(r"^- \*\*([a-z -]+)\*\*: ", PAGE.read_text().split("\n## ", 1)[0], flags=re.MULTILINE)
    assert len(words) == len(set(words)) > 20
