"""What a dialect writes it reads back, whatever the arguments hold and whatever stands around the calls."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from listed import GEMMA4

from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import DIALECTS, HERMES
from pytest_agentcore.dialects.json_codec import JsonCodec, NamedJsonCodec
from pytest_agentcore.dialects.literals import QUOTE
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.dialects.pythonic_codec import PythonicCodec
from pytest_agentcore.dialects.xml_codec import XmlCodec

Calls = list[tuple[str, dict[str, Any]]]

TEXT = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    ["", "</tool_call>", "<tool_call>", '"', "\\", "\\n", "a\nb\r\n\tc", "{}", "]}", "<|", "|>", "<", "'", "é😀\u2028"]
)
BARE_KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
NUMBERS = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)


def arguments_of(keys: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    values = st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=8,
    )
    return st.dictionaries(keys, values, max_size=4)


def calls_of(inner: st.SearchStrategy[str], outer: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[Calls]:
    """Calls whose arguments have `outer` names and whose objects have `inner` ones."""
    arguments = arguments_of(inner)
    if outer is not None:
        values = arguments.map(lambda found: [*found.values()]).filter(bool).flatmap(st.sampled_from)
        arguments = st.dictionaries(outer, values, max_size=4)
    return st.lists(st.tuples(st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True), arguments), max_size=4)


AROUND = st.text("abc xyz.\n{}[]:,\"'é", max_size=30)


def read(dialect: Dialect, text: str) -> Calls:
    parsed = parse(dialect, text)
    assert parsed.problems == ()
    assert parsed.repairs == ()
    return [(call.name, dict(call.arguments)) for call in parsed.calls]


JSON_DIALECTS = [dialect for dialect in DIALECTS if isinstance(dialect.codec, JsonCodec | NamedJsonCodec)]
RAW_DIALECTS = [dialect for dialect in DIALECTS if isinstance(dialect.codec, XmlCodec)]
PYTHONIC_DIALECTS = [dialect for dialect in DIALECTS if isinstance(dialect.codec, PythonicCodec)]


@pytest.mark.parametrize("dialect", JSON_DIALECTS, ids=lambda d: d.name)
@given(calls=calls_of(TEXT))
@settings(max_examples=30, deadline=None)
def test_json_dialects_read_back_any_arguments(dialect: Dialect, calls: Calls) -> None:
    assert read(dialect, dialect.render_calls(calls)) == calls


@pytest.mark.parametrize("dialect", PYTHONIC_DIALECTS, ids=lambda d: d.name)
@given(calls=calls_of(TEXT, BARE_KEYS))
@settings(max_examples=25, deadline=None)
def test_pythonic_dialects_read_back_any_literals(dialect: Dialect, calls: Calls) -> None:
    assert read(dialect, dialect.render_calls(calls)) == calls


KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


@pytest.mark.parametrize("dialect", RAW_DIALECTS, ids=lambda d: d.name)
@given(calls=calls_of(TEXT, BARE_KEYS))
@settings(max_examples=25, deadline=None)
def test_dialects_with_raw_text_read_back_what_the_schema_says(dialect: Dialect, calls: Calls) -> None:
    try:
        text = dialect.render_calls(calls)
    except ValueError as error:
        assert "cannot be written" in str(error)  # noqa: PT017 - a text that holds the closing tag
        return
    for call, parsed in zip(calls, parse(dialect, text).calls, strict=True):
        properties = {key: {"type": KINDS.get(type(value), "null")} for key, value in call[1].items()}
        (alone,) = parse(dialect, dialect.render_call(*call), schemas={call[0]: {"properties": properties}}).calls
        assert (parsed.name, alone.name, alone.arguments) == (call[0], call[0], call[1])


@given(calls=calls_of(BARE_KEYS | TEXT.filter(lambda text: QUOTE not in text)))
@settings(max_examples=50, deadline=None)
def test_gemma_reads_back_any_arguments_without_its_quote(calls: Calls) -> None:
    assert read(GEMMA4, GEMMA4.render_calls(calls)) == calls


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
@given(before=AROUND, thought=AROUND, after=AROUND, calls=calls_of(BARE_KEYS).filter(bool))
@settings(max_examples=25, deadline=None)
def test_text_and_reasoning_around_calls_are_told_apart(
    dialect: Dialect, before: str, thought: str, after: str, calls: Calls
) -> None:
    assert dialect.reasoning
    reasoning = f"{dialect.reasoning.open}\n{thought}{dialect.reasoning.close}"
    line_break = "\n" if dialect.bare else ""
    assume(not line_break or "[" not in before + after)  # where nothing opens a call, text may look like one
    try:
        written = dialect.render_calls(calls)
    except ValueError as error:
        assert "cannot be written" in str(error)  # noqa: PT017 - a text that holds the closing tag
        reject()
    parsed = parse(dialect, f"{reasoning}{before}{line_break}{written}{line_break}{after}")
    assert [call.name for call in parsed.calls] == [name for name, _ in calls]
    assert parsed.reasoning == thought.strip()
    assert "".join(parsed.content.split()) == "".join((before + after).split())


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_a_call_without_arguments_and_several_calls_keep_their_order(dialect: Dialect) -> None:
    calls: Calls = [("first", {}), ("second", {"nested": {"list": [1, [], {}], "none": None}}), ("first", {})]
    assert read(dialect, dialect.render_calls(calls)) == calls


@pytest.mark.parametrize(
    ("dialect", "arguments"),
    [
        (GEMMA4, {"content": f"a {QUOTE} b"}),
        (GEMMA4, {"n": float("inf")}),
        (GEMMA4, {"n": object()}),
        (HERMES, {"n": float("nan")}),
        (HERMES, {"n": object()}),
    ],
)
def test_what_cannot_be_written_is_refused(dialect: Dialect, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        dialect.render_call("tool", arguments)


def test_a_name_that_gemma_cannot_write_is_refused() -> None:
    with pytest.raises(ValueError, match="name"):
        GEMMA4.render_call("a b{", {})
