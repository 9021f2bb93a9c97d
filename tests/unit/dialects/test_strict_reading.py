"""The strict reader: near misses are refused in words, nothing raises, and long replies take linear time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentcore.models.dialects.base import Dialect
from pytest_agentcore.models.dialects.families import DIALECTS, GEMMA4, GENERIC, HERMES
from pytest_agentcore.models.dialects.scan import MAX_PROBLEMS, segments

HERMES_NEAR_MISSES = {
    "trailing comma": ('{"name": "a", "arguments": {"x": 1,}}</tool_call>', "double quotes|comma"),
    "single quotes": ("{'name': 'a', 'arguments': {}}</tool_call>", "key in double quotes"),
    "raw line break": ('{"name": "a", "arguments": {"x": "1\n2"}}</tool_call>', "raw line break"),
    "bad escape": ('{"name": "a", "arguments": {"x": "\\d"}}</tool_call>', "backslash"),
    "not closed": ('{"name": "a", "arguments": {}}', "ends before </tool_call>"),
    "closed by another": ('{"name": "a", "arguments": {}}</tool>', "</tool_call> should follow"),
    "one brace too many": ('{"name": "a", "arguments": {}}}</tool_call>', "</tool_call> should follow"),
    "one brace too few": ('{"name": "a", "arguments": {}</tool_call>', "',' is missing"),
    "no object": ("fs_read(path)</tool_call>", "JSON object should stand"),
    "no name": ('{"arguments": {}}</tool_call>', 'needs "name"'),
    "empty name": ('{"name": "", "arguments": {}}</tool_call>', 'needs "name"'),
    "no arguments": ('{"name": "a"}</tool_call>', 'needs "arguments"'),
    "arguments as a string": ('{"name": "a", "arguments": "{}"}</tool_call>', 'needs "arguments", an object'),
    "another key": ('{"name": "a", "parameters": {}}</tool_call>', 'needs "arguments"'),
    "one key more": ('{"name": "a", "arguments": {}, "id": 1}</tool_call>', 'unexpected key "id"'),
    "a key twice": ('{"name": "a", "name": "b", "arguments": {}}</tool_call>', "same key twice"),
    "not a number": ('{"name": "a", "arguments": {"x": NaN}}</tool_call>', "NaN is no JSON"),
    "infinite": ('{"name": "a", "arguments": {"x": 1e999}}</tool_call>', "too large"),
    "endless number": ('{"name": "a", "arguments": {"x": ' + "9" * 5000 + "}}</tool_call>", "too many digits"),
    "half a character": ('{"name": "a", "arguments": {"x": "\\ud83d"}}</tool_call>', "surrogate"),
    "too deep": ('{"name": "a", "arguments": ' + '{"x":' * 5000 + "</tool_call>", "nested too deeply|missing"),
    "cut off": ('{"name": "a", "arguments": {"x": "abc', "not closed"),
    "nothing": ("", "JSON object should stand"),
}

GEMMA_NEAR_MISSES = {
    "no call word": ("fs_read{}<tool_call|>", "call:<tool>"),
    "no braces": ("call:fs_read<tool_call|>", "call:<tool>"),
    "string without quotes": ("call:fs_read{file: src/price.py}<tool_call|>", "a string stands between"),
    "double quotes": ('call:a{x:"y"}<tool_call|>', "a string stands between"),
    "string not closed": ('call:a{x:<|"|>y}<tool_call|>', "not closed"),
    "not closed": ("call:a{x:1", "is missing"),
    "no marker": ("call:a{x:1}", "ends before <tool_call|>"),
    "trailing comma": ("call:a{x:1,}<tool_call|>", "key is missing"),
    "no colon": ("call:a{x 1}<tool_call|>", "the ':' behind it"),
    "no colon behind a quoted key": ('call:a{<|"|>x<|"|> 1}<tool_call|>', "':' is missing"),
    "a key twice": ("call:a{x:1,x:2}<tool_call|>", "stands twice"),
    "half a number": ("call:a{x:1.}<tool_call|>", "value is missing"),
    "infinite": ("call:a{x:1e999}<tool_call|>", "too large"),
    "another word": ("call:a{x:truely}<tool_call|>", "value is missing"),
    "too deep": ("call:a{x:" + "[" * 2000 + "<tool_call|>", "nested too deeply"),
    "list not closed": ("call:a{x:[1,2}<tool_call|>", "is missing"),
}


def refused(dialect: Dialect, body: str, words: str) -> None:
    text = f"I will look.\n{dialect.call.open}{body}"
    parsed = dialect.parse(text)
    assert parsed.calls == ()
    (problem,) = parsed.problems
    assert problem.splitlines() == [problem]
    assert len(problem) < 400
    assert any(word in problem for word in words.split("|")), problem
    assert parsed.content == text.strip()


@pytest.mark.parametrize(("body", "words"), HERMES_NEAR_MISSES.values(), ids=HERMES_NEAR_MISSES.keys())
@pytest.mark.parametrize("dialect", [HERMES, GENERIC], ids=lambda d: d.name)
def test_json_near_misses_are_refused_in_words(dialect: Dialect, body: str, words: str) -> None:
    refused(dialect, body, words)


@pytest.mark.parametrize(("body", "words"), GEMMA_NEAR_MISSES.values(), ids=GEMMA_NEAR_MISSES.keys())
def test_gemma_near_misses_are_refused_in_words(body: str, words: str) -> None:
    refused(GEMMA4, body, words)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_calls_around_a_broken_one_are_still_read(dialect: Dialect) -> None:
    good, broken = dialect.render_call("good", {"x": 1}), f"{dialect.call.open}broken{dialect.call.close}"
    parsed = dialect.parse(f"{good}{broken}{good}{dialect.call.open}{good}")
    assert [call.name for call in parsed.calls] == ["good"] * 3
    assert len(parsed.problems) == 2
    assert parsed.content == f"{broken}{dialect.call.open}"


def test_reading_stops_after_too_many_broken_calls() -> None:
    parsed = HERMES.parse("<tool_call>x</tool_call>" * 50 + HERMES.render_call("late", {}))
    assert len(parsed.problems) == MAX_PROBLEMS
    assert parsed.calls == ()
    assert "late" in parsed.content


PIECES = [piece for d in DIALECTS for piece in (d.call.open, d.call.close, *d.result_open, *d.end_of_turn)]
PIECES += [d.reasoning.open for d in DIALECTS if d.reasoning] + [d.reasoning.close for d in DIALECTS if d.reasoning]
PIECES += [
    '{"name": "a", "arguments": {}}',
    "call:a{}",
    '<|"|>',
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "\n",
    "1e9",
    "x",
]
PIECES += ["\ud800", "\x00", "\\ud800", "\\u12"]
SOUP = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=30).map("".join)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
@given(text=SOUP, reasoning_open=st.booleans())
@settings(max_examples=200, deadline=None)
def test_nothing_raises_and_nothing_is_lost(dialect: Dialect, text: str, reasoning_open: bool) -> None:
    parts = list(segments(dialect, text, reasoning_open=reasoning_open))
    assert "".join(text[part.start : part.end] for part in parts) == text
    parsed = dialect.parse(text, reasoning_open=reasoning_open)
    assert isinstance(dialect.is_complete(text), bool)
    assert all(isinstance(problem, str) and "\n" not in problem for problem in parsed.problems)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
@pytest.mark.parametrize("tail", ['{"', '{"name": "', "call:a{b:", 'call:a{b:<|"|>', "[", "", "{", "\n"])
def test_a_megabyte_of_openings_is_read_in_one_pass(dialect: Dialect, tail: str) -> None:
    unit = dialect.call.open + tail
    parsed = dialect.parse(unit * (1_000_000 // len(unit)))
    assert parsed.calls == ()
    assert parsed.problems


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_a_megabyte_in_one_argument_is_read(dialect: Dialect) -> None:
    content = 'line of text, {braces} and <tool_call> "quotes"\n' * 20_000
    (call,) = dialect.parse(dialect.render_call("fs_write", {"content": content})).calls
    assert call.arguments == {"content": content}


def test_reasoning_is_separate_and_calls_in_it_are_none() -> None:
    parsed = HERMES.parse(f"<think>\nMaybe {HERMES.render_call('a', {})}?\n</think>\n\nDone.")
    assert parsed.calls == ()
    assert parsed.reasoning.startswith("Maybe <tool_call>")
    assert parsed.content == "Done."


def test_reasoning_that_the_prompt_opened() -> None:
    assert HERMES.opens_reasoning("<|im_start|>assistant\n<think>\n")
    assert not HERMES.opens_reasoning("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    parsed = HERMES.parse("so\n</think>\nDone.", reasoning_open=True)
    assert (parsed.reasoning, parsed.content) == ("so", "Done.")


def test_reasoning_that_nothing_closes_leaves_no_content() -> None:
    parsed = HERMES.parse("<think>on and on")
    assert (parsed.reasoning, parsed.content) == ("on and on", "")


def test_a_marker_that_content_mentions_opens_no_reasoning() -> None:
    assert HERMES.parse("Use <think> in the prompt.").content == "Use <think> in the prompt."


def test_gemma_may_think_again_after_content() -> None:
    parsed = GEMMA4.parse("<|channel>thought\nfirst<channel|>Hm.<|channel>thought\nsecond<channel|> Yes.")
    assert (parsed.reasoning, parsed.content) == ("first\n\nsecond", "Hm. Yes.")


@pytest.mark.parametrize(("dialect", "result"), [(HERMES, "<tool_response>"), (GEMMA4, "<|tool_response>")])
def test_an_invented_result_ends_the_reply(dialect: Dialect, result: str) -> None:
    call = dialect.render_call("a", {})
    parsed = dialect.parse(f"Look.{call}{result}42{call}")
    assert len(parsed.calls) == 1
    assert parsed.content == "Look."
    assert dialect.is_complete(f"Look.{call}\n{result}")
    assert not dialect.is_complete(f"Look at {result}")
    assert dialect.parse(f"It writes {result} then.").content == f"It writes {result} then."


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_complete_with_one_call_only_where_one_is_wanted(dialect: Dialect) -> None:
    call = dialect.render_call("a", {"x": f"not yet {dialect.call.close}"})
    assert not dialect.is_complete(call)
    assert dialect.is_complete(f"Thought.\n{call}\n", single=True)
    inside = call.index(dialect.call.close) + len(dialect.call.close)
    assert not dialect.is_complete(call[:inside], single=True)


def test_a_trailing_end_of_turn_token_is_not_content() -> None:
    assert HERMES.parse("Done.<|im_end|>\n").content == "Done."
