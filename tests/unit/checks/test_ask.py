"""The three answers of a checker, and its words for them."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agentcore import task
from pytest_agentcore.checks.ask import Said, ask, one_line


def asked(raises: BaseException | None, returns: object = None) -> Any:
    @task(prompt="Do it.")
    def test_it(trial: Any) -> Any:
        if raises:
            raise raises
        return returns

    return ask(test_it.agentcore, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raises", "said", "words"),
    [
        (None, Said.accepted, ""),
        (AssertionError("n is 3"), Said.rejected, "n is 3"),
        (AssertionError(), Said.rejected, "at line 17: raise raises"),
        (pytest.fail.Exception("n is 3"), Said.rejected, "n is 3"),
        (pytest.skip.Exception("later"), Said.broken, "Skipped: later at line 17: raise raises"),
        (KeyError("n"), Said.broken, "KeyError: 'n' at line 17: raise raises"),
        (SystemExit(0), Said.broken, "SystemExit: 0 at line 17: raise raises"),
    ],
)
def test_only_an_assertion_speaks_about_the_trial(raises: BaseException | None, said: Said, words: str) -> None:
    opinion = asked(raises)
    assert (opinion.said, opinion.words) == (said, words)
    assert str(opinion) == (f"{said}: {words}" if words else said)


def test_a_value_that_is_returned_is_no_verdict() -> None:
    opinion = asked(None, returns=False)
    assert opinion.said is Said.broken
    assert "returned False; it must assert instead" in opinion.words


def test_the_user_may_interrupt_a_checker() -> None:
    with pytest.raises(KeyboardInterrupt):
        asked(KeyboardInterrupt())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("n is 3\nassert 3 == 2", "n is 3"),
        ("assert 3 == 2\n +  where 3 = len('abc')", "assert 3 == 2 + where 3 = len('abc')"),
        ("two\nlines", "two lines"),
        ("red \x1b[31m", r"red \x1b[31m"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_words_are_fit_for_a_line(words: str, line: str) -> None:
    assert one_line(words) == line
