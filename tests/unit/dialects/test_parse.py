"""The strict reader: near misses are refused in words, nothing raises, and long replies take linear time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listed import (
    DEEPSEEK_V32,
    GEMMA3,
    GEMMA3_JSON,
    GEMMA4,
    GLM4,
    GRANITE,
    HARMONY,
    KIMI_K2,
    LLAMA3,
    MINIMAX_M2,
    MISTRAL,
    MISTRAL_JSON,
    QWEN3_CODER,
)

from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import DIALECTS, HERMES, PYTHONIC
from pytest_agentcore.dialects.parse import MAX_PROBLEMS, is_complete, parse, segments
from pytest_agentcore.dialects.xml_codec import XmlCodec

HARMONY_THOUGHT = "<|channel|>analysis<|message|>Hm.<|end|>"
DSML = "<｜DSML｜"  # noqa: RUF001 - DeepSeek's bar
DSML_END = "</｜DSML｜parameter>"  # noqa: RUF001

OTHER_NEAR_MISSES = {
    "qwen: no function": (QWEN3_CODER, "<tool_call>\nfs_read\n</tool_call>", "<function=<tool>> should stand here"),
    "qwen: value not closed": (
        QWEN3_CODER,
        "<tool_call><function=a>\n<parameter=x>\n1\n</function>",
        "is not closed by",
    ),
    "qwen: function not closed": (QWEN3_CODER, "<tool_call><function=a>\n</tool_call>", "</function> should stand"),
    "qwen: argument twice": (
        QWEN3_CODER,
        "<tool_call><function=a><parameter=x>1</parameter><parameter=x>2</parameter></function></tool_call>",
        "stands twice",
    ),
    "qwen: JSON": (QWEN3_CODER, '<tool_call>{"name": "a", "arguments": {}}</tool_call>', "<function="),
    "glm: no name": (GLM4, "<tool_call><arg_key>x</arg_key><arg_value>1</arg_value></tool_call>", "a tool's name"),
    "glm: key without value": (GLM4, "<tool_call>a\n<arg_key>x</arg_key>\n</tool_call>", "an argument should be"),
    "minimax: call not closed": (MINIMAX_M2, '<invoke name="a"><parameter name="x">1</parameter>', "before </invoke>"),
    "minimax: empty section": (MINIMAX_M2, "<minimax:tool_call></minimax:tool_call>", "should stand here"),
    "deepseek v3.2: no kind": (DEEPSEEK_V32, f'{DSML}invoke name="a">{DSML}parameter name="x">1', "should be"),
    "deepseek v3.2: no JSON": (
        DEEPSEEK_V32,
        f'{DSML}invoke name="a">{DSML}parameter name="x" string="false">one{DSML_END}',
        "value is missing",
    ),
    "mistral: no arguments": (MISTRAL, '[TOOL_CALLS]a{"x": 1}', "<tool>[ARGS] should stand here"),
    "mistral: a list": (MISTRAL, '[TOOL_CALLS][{"name": "a", "arguments": {}}]', "<tool>[ARGS]"),
    "mistral: not an object": (MISTRAL, "[TOOL_CALLS]a[ARGS][1]", "a JSON object"),
    "old mistral: no list": (MISTRAL_JSON, '[TOOL_CALLS]{"name": "a", "arguments": {}}', "a '[' should stand"),
    "old mistral: list not closed": (MISTRAL_JSON, '[TOOL_CALLS][{"name": "a", "arguments": {}}', "',' or ']'"),
    "old mistral: empty list": (MISTRAL_JSON, "[TOOL_CALLS][]", "JSON object should stand"),
    "granite: no list": (GRANITE, '<|tool_call|>{"name": "a", "arguments": {}}', "a '[' should stand"),
    "llama: arguments": (LLAMA3, '{"name": "a", "arguments": {}}', 'needs "parameters"'),
    "llama: cut off": (LLAMA3, '{"name": "a", "parameters": {"x": "abc', "not closed"),
    "llama: code": (LLAMA3, "<|python_tag|>import os", "JSON object should stand"),
    "kimi: no index": (KIMI_K2, "<|tool_call_begin|>functions.a<|tool_call_argument_begin|>{}", "functions.<tool>"),
    "kimi: no prefix": (KIMI_K2, "<|tool_call_begin|>a:0<|tool_call_argument_begin|>{}", "functions.<tool>"),
    "harmony: no JSON": (HARMONY, "<|channel|>commentary to=functions.a<|message|>x", "a JSON object"),
    "harmony: more than JSON": (HARMONY, "<|channel|>commentary to=functions.a<|message|>{} x<|call|>", "should end"),
    "harmony: no message": (HARMONY, "<|channel|>commentary to=functions.a {}<|call|>", "<|message|> should follow"),
    "pythonic: positional": (PYTHONIC, '[a("x", b=1)]\n[a(b=1, "x")]', "keyword argument"),
    "pythonic: a variable": (PYTHONIC, "[a(b=c)]", "a literal is missing"),
    "pythonic: a comma alone": (PYTHONIC, "[a(b=1),,]", "tool(key=value) should stand"),
    "pythonic: no list": (GEMMA3, "```tool_code\n[]\n```", "tool(key=value) should stand"),
    "pythonic: not closed": (PYTHONIC, "[a(b=1)", "',' or ']'"),
    "pythonic: twice": (PYTHONIC, "[a(b=1, b=2)]", "stands twice"),
    "gemma 3: an assignment": (GEMMA3, "```tool_code\nx = a(b=1)\n```", "tool(key=value) should stand"),
    "gemma 3: no fence": (GEMMA3, "```tool_code\na(b=1)\nprint('done')\n```", "should stand here"),
    "gemma 3: string not closed": (GEMMA3, "```tool_code\na(b='x\ny')\n```", "not closed"),
    "gemma 3 JSON: arguments": (GEMMA3_JSON, '{"name": "a", "arguments": {}}', 'needs "parameters"'),
}


@pytest.mark.parametrize(("dialect", "text", "words"), OTHER_NEAR_MISSES.values(), ids=OTHER_NEAR_MISSES.keys())
def test_near_misses_of_other_families_are_refused_in_words(dialect: Dialect, text: str, words: str) -> None:
    parsed = parse(dialect, text)
    assert parsed.calls == ()
    (problem,) = parsed.problems
    assert problem.splitlines() == [problem]
    assert len(problem) < 500
    assert words in problem


READ_BESIDES = {
    "llama behind its tag": (LLAMA3, '<|python_tag|>{"type": "function", "name": "a", "parameters": {"x": 1}}'),
    "llama in a row": (LLAMA3, '{"name": "a", "parameters": {"x": 1}}; {"name": "a", "parameters": {"x": 1}}'),
    "llama in a row with commas": (
        LLAMA3,
        '{"name": "a", "parameters": {"x": 1}}, {"name": "a", "parameters": {"x": 1}}',
    ),
    "mistral with an id": (MISTRAL, '[TOOL_CALLS]a[CALL_ID]abc123def[ARGS]{"x": 1}'),
    "kimi with another index": (
        KIMI_K2,
        '<|tool_call_begin|>functions.a:7<|tool_call_argument_begin|>{"x": 1}<|tool_call_end|>',
    ),
    "harmony, recipient first": (HARMONY, ' to=functions.a<|channel|>analysis<|message|>{"x": 1}'),
    "harmony behind reasoning": (
        HARMONY,
        f'{HARMONY_THOUGHT}<|start|>assistant<|channel|>commentary to=functions.a<|message|>{{"x": 1}}<|call|>',
    ),
    "printed": (GEMMA3, "```tool_code\nprint(a(x=1))\n```"),
    "a list in the fence": (GEMMA3, "```tool_code\n[a(x=1), a(x=1)]\n```"),
    "a list without a fence": (GEMMA3, "[a(x=1)]"),
    "long strings": (GEMMA3, '```tool_code\na(x=1, y="""one\n\'two\'\n""", z=r\'\\d\')\n```'),
    "a comma behind the last argument": (GEMMA3, "```tool_code\na(\n  x=1,\n  y=[2, 3,],\n)\n```"),
    "comments": (GEMMA3, "```tool_code\n# first\na(x=1,  # one\n  # and\n  y=2)  # done\n# then\na(x=1)\n# over\n```"),
    "semicolons": (GEMMA3, "```tool_code\na(x=1); a(x=1);\n```"),
    "a comma behind the last call": (PYTHONIC, "[a(x=1,), a(x=1),]"),
    "space in a list": (PYTHONIC, "[\n    a( x = 1 ),  # one\n    a(\n  x=1)\n]"),
    "an argument that is not ASCII": (PYTHONIC, "[a(ä=2, x=1)]"),
    "Python's numbers and strings": (PYTHONIC, """[a(x=0x1, y=1_000, z="b" 'c' r"\\d")]"""),
    "llama 4 between its tags": (PYTHONIC, "<|python_start|>[a(x=1)]<|python_end|>"),
    "qwen on one line": (QWEN3_CODER, "<tool_call><function=a><parameter=x>1</parameter></function></tool_call>"),
    "glm on one line": (GLM4, "<tool_call>a<arg_key>x</arg_key><arg_value>1</arg_value></tool_call>"),
}


@pytest.mark.parametrize(("dialect", "text"), READ_BESIDES.values(), ids=READ_BESIDES.keys())
def test_forms_that_families_write_besides_are_read(dialect: Dialect, text: str) -> None:
    parsed = parse(dialect, text)
    assert parsed.problems == ()
    assert {(call.name, call.arguments["x"]) for call in parsed.calls} == {("a", 1)}
    assert parsed.content == ""


@pytest.mark.parametrize("between", ["", ", ", "\n", " ;\n"])
def test_a_second_call_that_mistral_does_not_open_is_no_text(between: str) -> None:
    parsed = parse(MISTRAL, f'[TOOL_CALLS]a[ARGS]{{"x": 1}}{between}b[ARGS]{{}}[TOOL_CALLS]c[ARGS]{{}}')
    assert [call.name for call in parsed.calls] == ["a", "c"]
    (problem,) = parsed.problems
    assert "[TOOL_CALLS] should stand before the tool's name" in problem
    assert parse(MISTRAL, "[TOOL_CALLS]a[ARGS]{} and then [ARGS]").problems == ()


def test_literals_mean_what_they_mean_in_python() -> None:
    (call,) = parse(PYTHONIC, """[a(x=0x1F, y=-1_000, z="b" 'c' r"\\d", w="d"\n  # more\n  "e", v=1_0.5)]""").calls
    assert call.arguments == {"x": 31, "y": -1000, "z": "bc\\d", "w": "de", "v": 10.5}


def test_a_comment_is_none_outside_of_calls() -> None:
    parsed = parse(GEMMA3, "[a(x=1)]\n# A heading\nand text")
    assert (len(parsed.calls), parsed.content) == (1, "# A heading\nand text")
    assert parse(PYTHONIC, "It ends with <|python_end|>.").content == "It ends with <|python_end|>."


def test_an_answer_that_looks_like_data_is_no_call() -> None:
    for text in ('{"name": "Ada", "age": 36}', "[f(x) for x in y]", "See [link](page) and [a].", '{"parameters": 1}'):
        for dialect in (LLAMA3, PYTHONIC, GEMMA3, GEMMA3_JSON):
            parsed = parse(dialect, text)
            assert (parsed.calls, parsed.problems, parsed.content) == ((), (), text)


def test_the_channels_of_harmony_are_told_apart() -> None:
    text = (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary<|message|>I look.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>42<|return|>"
    )
    parsed = parse(HARMONY, text)
    assert (parsed.reasoning, parsed.content, parsed.problems) == ("Hm.", "I look.42", ())
    assert parse(HARMONY, "<|channel|>commentary to=python<|message|>{}").calls[0].name == "python"


def opening(dialect: Dialect) -> str:
    """What makes a reader expect a call, as text that is none yet."""
    if dialect.call.open:
        return f"{dialect.section.open if dialect.section else ''}{dialect.call.open}"
    return '\n{"name": "x", "parameters": ' if dialect.bare_call.startswith(r"\{") else "\n[x(y="


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_calls_around_a_broken_one_are_still_read(dialect: Dialect) -> None:
    line_break = "\n" if dialect.bare or dialect.channels else ""
    good = dialect.render_calls([("good", {"x": 1})]) + line_break
    broken = f"{opening(dialect)}{{}} broken{dialect.call.close}{line_break}"
    parsed = parse(dialect, f"{good}{broken}{good}{opening(dialect)}{line_break}{good}")
    assert [call.name for call in parsed.calls] == ["good"] * 3
    assert len(parsed.problems) == 2
    assert all("write it as" in problem for problem in parsed.problems)
    assert "broken" in parsed.content


def test_reading_stops_after_too_many_broken_calls() -> None:
    parsed = parse(HERMES, "<tool_call>x</tool_call>" * 50 + HERMES.render_call("late", {}))
    assert len(parsed.problems) == MAX_PROBLEMS
    assert parsed.calls == ()
    assert "late" in parsed.content


PIECES = [piece for d in DIALECTS for piece in (*d.signs, d.call.close, *d.result_open, *d.end_of_turn) if piece]
PIECES += [d.section.close for d in DIALECTS if d.section] + ["<|start|>assistant", "<|message|>", "<|end|>"]
PIECES += [d.codec.encode("a", {"b": "c", "d": 1}) for d in DIALECTS] + ['\n{"name": "a", "parameters": {}}', "\n[a()]"]
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
@settings(max_examples=50, deadline=None)
def test_nothing_raises_and_nothing_is_lost(dialect: Dialect, text: str, reasoning_open: bool) -> None:
    parts = list(segments(dialect, text, reasoning_open=reasoning_open))
    assert "".join(text[part.start : part.end] for part in parts) == text
    parsed = parse(dialect, text, reasoning_open=reasoning_open)
    assert isinstance(is_complete(dialect, text, single=True, reasoning_open=reasoning_open), bool)
    assert all(isinstance(problem, str) and "\n" not in problem for problem in parsed.problems)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
@pytest.mark.parametrize("tail", ['{"', '{"name": "', "call:a{b:", 'call:a{b:<|"|>', "[", "", "{", "\n"])
def test_a_megabyte_of_openings_is_read_in_one_pass(dialect: Dialect, tail: str) -> None:
    unit = opening(dialect) + tail
    parsed = parse(dialect, unit * (1_000_000 // len(unit)))
    assert parsed.calls == ()
    assert parsed.problems
    assert len(parsed.problems) <= MAX_PROBLEMS


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_a_megabyte_in_one_argument_is_read(dialect: Dialect) -> None:
    content = 'line of text, {braces} and <tool_call> "quotes"\n' * 20_000
    (call,) = parse(dialect, dialect.render_call("fs_write", {"content": content})).calls
    assert call.arguments == {"content": content}


def test_a_megabyte_of_statements_is_read_in_one_pass() -> None:
    assert len(parse(GEMMA3, "```tool_code\n" + "a(x=1); " * 125_000 + "\n```").calls) == 125_000
    (call,) = parse(PYTHONIC, "[a(x=" + '"b" ' * 250_000 + ")]").calls
    assert call.arguments == {"x": "b" * 250_000}


def test_reasoning_is_separate_and_calls_in_it_are_none() -> None:
    parsed = parse(HERMES, f"<think>\nMaybe {HERMES.render_call('a', {})}?\n</think>\n\nDone.")
    assert parsed.calls == ()
    assert parsed.reasoning.startswith("Maybe <tool_call>")
    assert parsed.content == "Done."


def test_reasoning_that_the_prompt_opened() -> None:
    assert HERMES.opens_reasoning("<|im_start|>assistant\n<think>\n")
    assert not HERMES.opens_reasoning("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    parsed = parse(HERMES, "so\n</think>\nDone.", reasoning_open=True)
    assert (parsed.reasoning, parsed.content) == ("so", "Done.")


def test_reasoning_that_nothing_closes_leaves_no_content() -> None:
    parsed = parse(HERMES, "<think>on and on")
    assert (parsed.reasoning, parsed.content) == ("on and on", "")


def test_a_marker_that_content_mentions_opens_no_reasoning() -> None:
    assert parse(HERMES, "Use <think> in the prompt.").content == "Use <think> in the prompt."


def test_gemma_may_think_again_after_content() -> None:
    parsed = parse(GEMMA4, "<|channel>thought\nfirst<channel|>Hm.<|channel>thought\nsecond<channel|> Yes.")
    assert (parsed.reasoning, parsed.content) == ("first\n\nsecond", "Hm. Yes.")


@pytest.mark.parametrize(("dialect", "result"), [(HERMES, "<tool_response>"), (GEMMA4, "<|tool_response>")])
def test_an_invented_result_ends_the_reply(dialect: Dialect, result: str) -> None:
    call = dialect.render_call("a", {})
    parsed = parse(dialect, f"Look.{call}{result}42{call}")
    assert len(parsed.calls) == 1
    assert parsed.content == "Look."
    assert is_complete(dialect, f"Look.{call}\n{result}")
    assert not is_complete(dialect, f"Look at {result}")
    assert parse(dialect, f"It writes {result} then.").content == f"It writes {result} then."


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_complete_with_one_call_only_where_one_is_wanted(dialect: Dialect) -> None:
    closes = dialect.call.close or "}"
    raw = isinstance(dialect.codec, XmlCodec) and dialect.codec.after_value
    call = dialect.render_call("a", {"x": f"not yet {'' if raw else closes}"})
    assert is_complete(dialect, call) is dialect.listed  # a list of calls closes them all
    assert is_complete(dialect, f"Thought.\n{call}\n", single=True)
    inside = call.index("not yet ") + len("not yet ") + len(closes)
    assert not is_complete(dialect, call[:inside], single=True)


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d.section or d.listed], ids=lambda d: d.name)
def test_generation_can_stop_when_all_calls_are_closed(dialect: Dialect) -> None:
    reply = "I look.\n" + dialect.render_calls([("a", {"x": "y"}), ("b", {})])
    assert [end for end in range(len(reply) + 1) if is_complete(dialect, reply[:end])] == [len(reply)]
    thinking = dialect.reasoning
    assert thinking
    assert not is_complete(dialect, f"{thinking.open}{reply}")
    assert not is_complete(dialect, reply, reasoning_open=True)
    assert is_complete(dialect, f"Hm.{thinking.close}{reply}", reasoning_open=True)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_markers_inside_an_argument_end_nothing(dialect: Dialect) -> None:
    sections = (dialect.section.open, dialect.section.close) if dialect.section else ()
    markers = [mark for mark in (*sections, dialect.call.close, *dialect.result_open, "]", "}\n") if mark]
    raw = isinstance(dialect.codec, XmlCodec) and {dialect.codec.after_value, dialect.codec.end}
    for marker in markers:
        call = dialect.render_calls([("a", {"x": f"b {marker} c", "y": "z"})])
        assert (raw and marker in raw) or parse(dialect, call).calls == (("a", {"x": f"b {marker} c", "y": "z"}),)
        early = [end for end in range(len(call)) if is_complete(dialect, call[:end])]
        assert early == []
        last = call.index("y")
        assert [end for end in range(last) if is_complete(dialect, call[:end], single=True)] == []


def test_a_string_that_cannot_go_on_does_not_keep_a_section_open() -> None:
    section = KIMI_K2.section
    assert section
    head = f"{section.open}<|tool_call_begin|>functions.a:0<|tool_call_argument_begin|>"
    assert is_complete(KIMI_K2, head + '{"x": bad}<|tool_call_end|>' + section.close)
    assert is_complete(KIMI_K2, head + '{"x": "a\nb"}<|tool_call_end|>' + section.close)
    assert not is_complete(KIMI_K2, head + '{"x": "a<|tool_call_end|>' + section.close)


def test_a_trailing_end_of_turn_token_is_not_content() -> None:
    assert parse(HERMES, "Done.<|im_end|>\n").content == "Done."
