"""JSON as models write it when they are not exact: what is forgiven, in which words, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agentcore.dialects.dialect import MAX_DEPTH, MalformedCall
from pytest_agentcore.dialects.literals import Loose, read_loosely

FORGIVEN = {
    "nothing": ('{"a": [1, -2.5e1, "x\\n\\u00e9", true, null]}', {"a": [1, -25.0, "x\né", True, None]}, ()),
    "single quotes": ("{'a': 'it\\'s'}", {"a": "it's"}, ("single quotes",)),
    "no quotes": ("{a: 1, $b-c: 2}", {"a": 1, "$b-c": 2}, ("keys without quotes",)),
    "Python's words": ("[True, None, +1, 007]", [True, None, 1, 7], ("True as in Python", "None as in Python")),
    "commas": ('{"a": [1,],}', {"a": [1]}, ("a trailing comma",)),
    "comments": ('{"a": /* one */ 1} // two', {"a": 1}, ("comments",)),
    "line breaks": ('["a\nb"]', ["a\nb"], ("raw line breaks in a string",)),
    "triple quotes": ("['''a'b''']", ["a'b"], ("triple quotes",)),
    "Gemma's quotes": ('[<|"|>a"b<|"|>]', ['a"b'], ('strings between <|"|>',)),
    "an escape that is none": (r'["\d"]', [r"\d"], ("a backslash that begins no escape",)),
    "a pair in two halves": (r'["\ud83d\ude00"]', ["😀"], ()),
    "a key twice": ('{"a": 1, "a": 2}', {"a": 2}, ()),
}


@pytest.mark.parametrize(("text", "value", "notes"), FORGIVEN.values(), ids=FORGIVEN.keys())
def test_deviations_are_forgiven_and_named(text: str, value: Any, notes: tuple[str, ...]) -> None:
    found, end, said = read_loosely(text, 0)
    assert (found, said) == (value, notes)
    assert text[end:].strip() in ("", "// two")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a" 1}',
        '{"a": }',
        "[1 2]",
        '["a',
        "['''a",
        "{1: 2}",
        "[1e999]",
        r'["\ud83d"]',
        "[" * (MAX_DEPTH + 2),
        "x",
    ],
)
def test_what_is_not_even_loosely_a_value_is_refused(text: str) -> None:
    with pytest.raises(MalformedCall):
        read_loosely(text, 0)


@pytest.mark.parametrize("text", ['{"a": [1', '{"a": [1,', '{"a": [1]', '{"a": [1] '])
def test_brackets_that_are_open_at_the_end_are_closed_where_that_is_wanted(text: str) -> None:
    assert read_loosely(text, 0, Loose()) == ({"a": [1]}, len(text), ("missing closing brackets",))
    with pytest.raises(MalformedCall):
        read_loosely(text, 0)
