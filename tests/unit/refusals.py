"""Asserts that a broken call is refused in words that help the model."""

from __future__ import annotations

from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.parse import parse


def refused(dialect: Dialect, body: str, words: str) -> None:
    """Behind the opening marker, `body` is one problem that has one of the words, parted by `|`, and stays text."""
    text = f"I will look.\n{dialect.call.open}{body}"
    parsed = parse(dialect, text)
    assert parsed.calls == ()
    (problem,) = parsed.problems
    assert problem.splitlines() == [problem]
    assert len(problem) < 400
    assert any(word in problem for word in words.split("|")), problem
    assert parsed.content == text.strip()
