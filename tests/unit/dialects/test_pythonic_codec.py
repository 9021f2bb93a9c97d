"""Calls written as Python: any literal is read, nothing else is, and nothing is run."""

from __future__ import annotations

import ast
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentcore.dialects.dialect import MAX_DEPTH
from pytest_agentcore.dialects.families import PYTHONIC
from pytest_agentcore.dialects.parse import is_complete, parse

LITERALS = [
    "'a' \"b\"",
    "'''a\n'b' \"c\"'''",
    r"r'\d' '\d' '\u00e9\x41\101'",
    r"'C:\users\new \400 \N{DASH}'",
    "'a\\\nb'",
    "[1, 'a', [], {}, (), (1,), (2), {'a': {'b': (None, True)}},]",
    "{'a': -1, 'b': +2, 'c': -3.5, \"d\": 1e3, }",
    "0x1F",
    "[007, -00.5, 00]",
    "1_000.5",
    ".5",
    "true",
    "[null, false] # and so on",
]
PYTHONS = {
    "[007, -00.5, 00]": "[7, -0.5, 0]",
    "true": "True",
    "[null, false] # and so on": "[None, False]",
    r"'C:\users\new \400 \N{DASH}'": r"'C:\\users\new \\400 \\N{DASH}'",
}


@pytest.mark.parametrize("written", LITERALS)
def test_literals_mean_what_they_mean_in_python(written: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python itself warns of `\d`
        expected = ast.literal_eval(PYTHONS.get(written, written))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (call,) = parse(PYTHONIC, f"[a(x={written}\n, y=1)]").calls
    assert call.arguments == {"x": listed(expected), "y": 1}


def listed(value: Any) -> Any:
    """The value with lists for tuples, as JSON has them."""
    if isinstance(value, dict):
        return {key: listed(inner) for key, inner in value.items()}
    return [listed(one) for one in value] if isinstance(value, list | tuple) else value


REFUSED = {
    "nothing": ("", "literal is missing"),
    "a name": ("b", "literal is missing"),
    "a name inside": ("[b]", "literal is missing"),
    "a call": ("b()", "literal is missing"),
    "an operator": ("1 + 2", "',' or ')' is missing"),
    "a subtraction": ("1 -2", "',' or ')' is missing"),
    "an operator inside": ("[1 -2]", "',' or ']' is missing"),
    "an index": ("'a'[0]", "',' or ')' is missing"),
    "a call of a string": ("'a'('b')", "',' or ')' is missing"),
    "a set": ("{1, 2}", "key in quotes"),
    "bytes": ("b'a'", "literal is missing"),
    "an f-string": ("f'{a}'", "literal is missing"),
    "a complex number": ("1j", "literal is missing"),
    "an ellipsis": ("...", "literal is missing"),
    "a comprehension": ("[1 for a in b]", "',' or ']' is missing"),
    "a key that is no string": ("{1: 2}", "key in quotes"),
    "a key twice": ("{'a': 1, 'a': 2}", "stands twice"),
    "a slice": ("[1:2]", "',' or ']' is missing"),
    "commas alone": ("[,]", "literal is missing"),
    "other brackets": ("[1)", "',' or ']' is missing"),
    "half a pair": (r"'\ud83d'", "surrogate"),
    "an infinite number": ("1e999", "too large"),
}


@pytest.mark.parametrize(("written", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_literal_is_refused_in_words(written: str, words: str) -> None:
    parsed = parse(PYTHONIC, f"[a(x={written})]")
    assert parsed.calls == ()
    assert any(words in problem for problem in parsed.problems), parsed.problems


def test_values_are_nested_only_so_deeply() -> None:
    assert parse(PYTHONIC, f"[a(x={'[' * MAX_DEPTH}{']' * MAX_DEPTH})]").calls
    assert "too deeply" in parse(PYTHONIC, f"[a(x={'[' * MAX_DEPTH}[1]{']' * MAX_DEPTH})]").problems[0]


@pytest.mark.parametrize("unit", ["-1 ", "'a' 1 ", "[1]", "('a')", "- ", "not ", "lambda: ", "{1:", "a.", "1:", "'a' "])
def test_a_long_chain_of_anything_neither_raises_nor_stops_the_reader(unit: str) -> None:
    parsed = parse(PYTHONIC, f"[a(x={unit * 100_000})]")
    assert len(parsed.calls) == (unit == "'a' ")


@given(text=st.text("ab'\"\\[](){},:=-+.#\n 01TrueNone\r\0", max_size=40))
@settings(max_examples=400, deadline=None)
def test_no_text_raises_or_warns(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parse(PYTHONIC, f"[a(x={text})]")


def test_names_need_not_be_pythons() -> None:
    (call,) = parse(PYTHONIC, "[fs.read-all(from={'a': 1}, class=\"x\\ty\")]").calls
    assert call == ("fs.read-all", {"from": {"a": 1}, "class": "x\ty"})


def test_a_string_that_is_still_open_may_hold_the_end_of_the_list() -> None:
    assert not is_complete(PYTHONIC, "[a(x='b)]")
    assert not is_complete(PYTHONIC, "[a(x=['''b)]")
    assert is_complete(PYTHONIC, "[a(x='b')]")


def test_round_brackets_around_one_value_mean_nothing() -> None:
    (call,) = parse(PYTHONIC, """[a(x=(1), y=(1,), z=("a"  # one\n "b"), v=(), w=r'''a\r\n\\d''')]""").calls
    assert call.arguments == {"x": 1, "y": [1], "z": "ab", "v": [], "w": "a\r\n\\d"}
