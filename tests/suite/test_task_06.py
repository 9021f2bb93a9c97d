"""What task 06 rests on: behaviours in a word."""

from __future__ import annotations

import math
from typing import Any

import pytest
from suite_modules import task_module


@pytest.mark.parametrize(
    ("value", "raised", "word"),
    [
        (None, "", "None"),
        (0, "", "zero"),
        (-0.0, "", "zero"),
        (math.nan, "", "nan"),
        (-1, "", "-1"),
        (-1.0, "", "-1"),
        (2.5, "", "2.5"),
        ("n/a", "", "n/a"),
        (False, "", "False"),
        (" ", "", "empty string"),
        (None, "ValueError", "error"),
        (None, "NoReviewsError", "error"),
    ],
)
def test_behaviour_in_a_word(value: Any, raised: str, word: str) -> None:
    assert task_module(6).behaviour(value, raised) == word


@pytest.mark.parametrize("raised", ["ZeroDivisionError", "TypeError", "KeyError", "UnboundLocalError", "SystemExit"])
def test_crash_is_no_behaviour(raised: str) -> None:
    with pytest.raises(AssertionError, match=raised):
        task_module(6).behaviour(None, raised)


@pytest.mark.parametrize("value", [10**5000, -(10**9), 1e308], ids=["thousands of digits", "billion", "float"])
def test_absurd_numbers_are_rejected_without_breaking_the_checker(value: Any) -> None:
    with pytest.raises(AssertionError):
        task_module(6).behaviour(value, "")


@pytest.mark.parametrize(
    "piece", ["no verified reviews ", "- empty list\n", "3 days\n\n", "10 of ", "a" * 50, "| 3 |\n"]
)
def test_rules_come_to_an_end_over_the_longest_texts(piece: str) -> None:
    text = piece * (task_module(6).LONGEST_NOTE // len(piece))

    assert not task_module(6).tells(text, "nan")
