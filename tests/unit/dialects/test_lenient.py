"""The lenient reader: which near misses become calls, how each is reported, and what stays text."""

from __future__ import annotations

from typing import Any

import pytest
from cuts import cuts
from hypothesis import given, settings
from hypothesis import strategies as st
from listed import (
    DEEPSEEK_V3,
    DEEPSEEK_V31,
    DEEPSEEK_V32,
    GEMMA3,
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
from pytest_agentcore.dialects.families import DIALECTS, HERMES
from pytest_agentcore.dialects.json_codec import NamedJsonCodec
from pytest_agentcore.dialects.lenient import parse_leniently
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.dialects.resemblance import resemblance
from pytest_agentcore.dialects.xml_codec import XmlCodec

TOOLS = ("fs_read", "fs_write", "shell", "sql_query")
READ = ("fs_read", {"path": "a.txt"})

NEAR_MISSES: dict[str, tuple[Dialect, str, str, str]] = {
    "fenced": (HERMES, '```json\n{"name": "fs_read", "arguments": {"path": "a.txt"}}\n```', "code fence", ""),
    "fence without a language": (HERMES, '```\n{"name":"fs_read","arguments":{"path":"a.txt"}}```', "code fence", ""),
    "bare": (HERMES, '{"name": "fs_read", "arguments": {"path": "a.txt"}}', "bare object", ""),
    "in prose": (
        HERMES,
        'I read it: {"name": "fs_read", "arguments": {"path": "a.txt"}} and then decide.',
        "bare object",
        "I read it:  and then decide.",
    ),
    "parameters": (HERMES, '{"name": "fs_read", "parameters": {"path": "a.txt"}}', '"parameters" for "arguments"', ""),
    "args": (HERMES, '{"name": "fs_read", "args": {"path": "a.txt"}}', '"args" for "arguments"', ""),
    "tool": (HERMES, '{"tool": "fs_read", "input": {"path": "a.txt"}}', '"tool" for "name"', ""),
    "flat": (HERMES, '{"name": "fs_read", "path": "a.txt"}', "arguments beside the name", ""),
    "keyed": (HERMES, '{"fs_read": {"path": "a.txt"}}', "the tool's name as the key", ""),
    "string": (HERMES, r'{"name": "fs_read", "arguments": "{\"path\": \"a.txt\"}"}', "arguments as a string", ""),
    "openai": (
        HERMES,
        r'{"id": "1", "type": "function", "function": {"name": "fs_read", "arguments": "{\"path\": \"a.txt\"}"}}',
        "arguments as a string",
        "",
    ),
    "wrapped": (HERMES, '{"tool_calls": [{"name": "fs_read", "arguments": {"path": "a.txt"}}]}', "bare object", ""),
    "python": (HERMES, "{'name': 'fs_read', 'arguments': {'path': 'a.txt'}}", "single quotes", ""),
    "trailing comma": (HERMES, '{"name": "fs_read", "arguments": {"path": "a.txt",}}', "a trailing comma", ""),
    "no quotes": (HERMES, '{name: "fs_read", arguments: {path: "a.txt"}}', "keys without quotes", ""),
    "comment": (HERMES, '{"name": "fs_read", // first\n "arguments": {"path": "a.txt"}}', "comments", ""),
    "no open marker": (HERMES, '{"name": "fs_read", "arguments": {"path": "a.txt"}}\n</tool_call>', "bare object", ""),
    "no close marker": (
        HERMES,
        '<tool_call>\n{"name": "fs_read", "arguments": {"path": "a.txt"}}',
        "closing </tool_call> is missing",
        "",
    ),
    "no closing brace": (
        HERMES,
        '<tool_call>{"name": "fs_read", "arguments": {"path": "a.txt"}',
        "missing closing brackets",
        "",
    ),
    "broken between markers": (
        HERMES,
        "So.\n<tool_call>{'name': 'fs_read', 'arguments': {'path': 'a.txt'}}</tool_call>",
        "between the markers (single quotes)",
        "So.",
    ),
    "function": (HERMES, 'fs_read(path="a.txt")', "function-like line", ""),
    "function in a fence": (GEMMA4, "```tool_code\nprint(fs_read(path='a.txt'))\n```", "in the gemma3 dialect", ""),
    "function with braces": (GEMMA4, 'fs_read{path: "a.txt"}', "function-like line", ""),
    "gemma in hermes": (HERMES, GEMMA4.render_call(*READ), "in the gemma4 dialect", ""),
    "hermes in gemma": (GEMMA4, HERMES.render_call(*READ), "in the hermes dialect", ""),
    "gemma without markers": (GEMMA4, 'call:fs_read{path:<|"|>a.txt<|"|>}', "without <|tool_call>", ""),
    "gemma's form in hermes": (HERMES, 'call:fs_read{path:<|"|>a.txt<|"|>}', "function-like line", ""),
    "gemma without call": (GEMMA4, '<|tool_call>fs_read{path:<|"|>a.txt<|"|>}<tool_call|>', 'between <|"|>', ""),
    "gemma with other quotes": (GEMMA4, '<|tool_call>call:fs_read{path:"a.txt"}<tool_call|>', "function-like line", ""),
    "gemma in brackets": (GEMMA4, '<|tool_call>call:fs_read(path=<|"|>a.txt<|"|>)<tool_call|>', "function-like", ""),
    "a name and then JSON": (GLM4, '<tool_call>fs_read\n{"path": "a.txt"}\n</tool_call>', "a name and then JSON", ""),
    "llama's code": (LLAMA3, '<|python_tag|>fs_read.call(path="a.txt")', "function-like line", ""),
    "deepseek in another fence": (
        DEEPSEEK_V31,
        DEEPSEEK_V31.render_call(*READ).replace("{", "```json\n{").replace("}", "}\n```"),
        "between the markers",
        "",
    ),
    "an assignment": (GEMMA3, '```tool_code\nx = fs_read(path="a.txt")\nprint(x)\n```', "function-like line", ""),
    "llama's tag": (LLAMA3, '<function=fs_read>{"path": "a.txt"}</function>', "from a tag with its name", ""),
    "kimi without its prefix": (
        KIMI_K2,
        '<|tool_call_begin|>fs_read:0<|tool_call_argument_begin|>{"path": "a.txt"}<|tool_call_end|>',
        "between the markers",
        "",
    ),
    "kimi without its index": (
        KIMI_K2,
        '<|tool_call_begin|>functions.fs_read<|tool_call_argument_begin|>{"path": "a.txt"}<|tool_call_end|>',
        "between the markers",
        "",
    ),
    "mistral with spaces": (MISTRAL, '[TOOL_CALLS] fs_read [ARGS] {"path": "a.txt"}', "between the markers", ""),
    "deepseek without its fence": (
        DEEPSEEK_V3,
        DEEPSEEK_V3.render_call(*READ).replace("```json\n", "").replace("\n```", ""),
        "between the markers",
        "",
    ),
    "deepseek without the kind": (
        DEEPSEEK_V32,
        DEEPSEEK_V32.render_call(*READ).replace(' string="true"', ""),
        "a parameter without its kind",
        "",
    ),
    "harmony with two channels": (
        HARMONY,
        '<|channel|>commentary to=functions.fs_read<|channel|>commentary json<|message|>{"path": "a.txt"}<|call|>',
        "between the markers.",
        "",
    ),
    "json between gemma's markers": (
        GEMMA4,
        '<|tool_call>{"name": "fs_read", "arguments": {"path": "a.txt"}}<tool_call|>',
        "between the markers",
        "",
    ),
    "mistral": (
        HERMES,
        '[TOOL_CALLS][{"name": "fs_read", "arguments": {"path": "a.txt"}}]',
        "in the mistral_json dialect",
        "",
    ),
    "in open reasoning": (HERMES, f"<think>\nI should. {HERMES.render_call(*READ)}", "reasoning that nothing", ""),
}


@pytest.mark.parametrize(("dialect", "text", "words", "content"), NEAR_MISSES.values(), ids=NEAR_MISSES.keys())
def test_a_near_miss_becomes_a_call_and_is_counted_once(dialect: Dialect, text: str, words: str, content: str) -> None:
    assert parse(dialect, text).calls == ()
    parsed = parse_leniently(text, dialect, TOOLS)
    assert [(call.name, dict(call.arguments)) for call in parsed.calls] == [READ]
    (repair,) = parsed.repairs
    assert words in repair
    assert parsed.problems == ()
    assert parsed.content == content


def test_raw_line_breaks_in_a_file_are_kept() -> None:
    text = '<tool_call>{"name": "fs_write", "arguments": {"path": "a.py", "content": "x = 1\ny = \'2\'\n"}}</tool_call>'
    parsed = parse_leniently(text, HERMES, TOOLS)
    assert parsed.calls[0].arguments["content"] == "x = 1\ny = '2'\n"
    assert "raw line breaks" in parsed.repairs[0]


def test_several_calls_keep_their_order() -> None:
    text = (
        '```json\n[{"name": "shell", "arguments": {"command": "ls"}},\n{"name": "fs_read", "args": {"path": "b"}}]\n```'
    )
    parsed = parse_leniently(text, HERMES, TOOLS)
    assert [call.name for call in parsed.calls] == ["shell", "fs_read"]
    assert len(parsed.repairs) == 2
    two = '```json\n{"name": "shell", "arguments": {}}\n{"name": "fs_read", "arguments": {}}\n```'
    assert [call.name for call in parse_leniently(two, HERMES, TOOLS).calls] == ["shell", "fs_read"]


def test_a_good_call_beside_a_broken_one_keeps_its_place() -> None:
    good = HERMES.render_call("shell", {"command": "ls"})
    broken = "<tool_call>{'name': 'fs_read', 'arguments': {}}</tool_call>"
    parsed = parse_leniently(broken + good, HERMES, TOOLS)
    assert [call.name for call in parsed.calls] == ["fs_read", "shell"]
    assert (len(parsed.repairs), parsed.problems) == (1, ())
    hopeless = parse_leniently(f"<tool_call>what?</tool_call>{good}", HERMES, TOOLS)
    assert [call.name for call in hopeless.calls] == ["shell"]
    assert len(hopeless.problems) == 1


@pytest.mark.parametrize(
    "text",
    [
        "The answer is 42.",
        '{"answer": 42, "name": "total"}',
        '{"name": "delete_everything", "arguments": {}}',
        "```python\ndef fs_reader(path):\n    return path\n```",
        "You can use fs_read(path) to read, or shell.",
        "fs_read(path) is what I would call.",
        "<|channel>fs_read{file: src/price.py}\n" * 200,
        '{"name": "fs_write", "arguments": {"path": "a", "content": "cut off in the mid',
        "",
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_what_is_no_call_stays_text(dialect: Dialect, text: str) -> None:
    parsed = parse_leniently(text, dialect, TOOLS)
    assert (parsed.calls, parsed.repairs) == ((), ())
    assert parsed == parse(dialect, text)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_what_parses_strictly_is_left_alone(dialect: Dialect) -> None:
    text = f'Like ```json\n{{"tool": "shell", "input": {{}}}}\n``` but\n{dialect.render_call("unknown", {"x": 1})}'
    parsed = parse_leniently(text, dialect, TOOLS)
    assert parsed == parse(dialect, text)
    assert [call.name for call in parsed.calls] == ["unknown"]


SCHEMAS = {"fs_read": {"properties": {"path": {"type": "string"}}}}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
@pytest.mark.parametrize("other", DIALECTS, ids=lambda d: d.name)
def test_a_call_in_any_other_dialect_is_read(dialect: Dialect, other: Dialect) -> None:
    text = f"I look.\n{other.render_calls([READ])}"
    if parse(dialect, text).calls:
        pytest.skip("these two dialects write this call alike")
    parsed = parse_leniently(text, dialect, TOOLS, schemas=SCHEMAS)
    assert [(call.name, dict(call.arguments)) for call in parsed.calls] == [READ]
    assert len(parsed.repairs) == 1
    assert resemblance(parse(dialect, text).content, dialect, TOOLS)


def without(text: str, last: str) -> str:
    return text[: text.rindex(last)].rstrip()


def ends_with_its_marker(dialect: Dialect) -> bool:
    """Whether another argument might follow as long as the closing marker does not."""
    return isinstance(dialect.codec, XmlCodec) and not dialect.codec.end


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_closing_markers_may_be_missing(dialect: Dialect) -> None:
    whole = dialect.render_calls([READ])
    cut = [without(whole, dialect.section.close)] if dialect.section else []
    cut += [without(whole, dialect.call.close)] if dialect.call.close else []
    if ends_with_its_marker(dialect):
        parsed = parse_leniently(cut.pop(), dialect, TOOLS, schemas=SCHEMAS)
        assert (parsed.calls, len(parsed.problems)) == ((), 1)
    for text in cut:
        parsed = parse_leniently(text, dialect, TOOLS, schemas=SCHEMAS)
        assert [(call.name, dict(call.arguments)) for call in parsed.calls] == [READ]
        assert parsed.problems == ()


@pytest.mark.parametrize("before", ["", "I will read it.\n", "Now: "])
@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d.call.open], ids=lambda d: d.name)
def test_opening_markers_may_be_missing(dialect: Dialect, before: str) -> None:
    if before == "Now: " and dialect is GEMMA3:
        pytest.skip("code in a line of prose is no call")
    call = dialect.render_call(*READ).removeprefix(dialect.call.open)
    cut = call if ends_with_its_marker(dialect) else call.removesuffix(dialect.call.close)
    for text in (call, cut):
        parsed = parse_leniently(before + text, dialect, TOOLS, schemas=SCHEMAS)
        assert [(call.name, dict(call.arguments)) for call in parsed.calls] == [READ]
        assert (len(parsed.repairs), parsed.problems) == (1, ())
        assert parsed.content == before.strip()


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d.call.open], ids=lambda d: d.name)
def test_what_is_left_of_an_opening_marker_is_no_text(dialect: Dialect) -> None:
    if not isinstance(dialect.codec, NamedJsonCodec | XmlCodec) or dialect.pad:
        pytest.skip("what stands between the marker and the call keeps the rest of the marker")
    parsed = parse_leniently(f"So.\n{dialect.render_call(*READ)[2:]}", dialect, TOOLS, schemas=SCHEMAS)
    assert ([call.name for call in parsed.calls], parsed.content) == (["fs_read"], "So.")


def test_a_second_call_that_mistral_does_not_open_is_read() -> None:
    parsed = parse_leniently('[TOOL_CALLS]shell[ARGS]{}, fs_read[ARGS]{"path": "a.txt"}', MISTRAL, TOOLS)
    assert [call.name for call in parsed.calls] == ["shell", "fs_read"]
    assert (len(parsed.repairs), parsed.problems, parsed.content) == (1, (), "")


def test_several_calls_between_one_pair_of_markers_are_read() -> None:
    one = "<function=fs_read>\n<parameter=path>\na.txt\n</parameter>\n</function>"
    parsed = parse_leniently(f"<tool_call>\n{one}\n{one}\n</tool_call>", QWEN3_CODER, TOOLS, schemas=SCHEMAS)
    assert [(call.name, dict(call.arguments)) for call in parsed.calls] == [READ, READ]
    assert (len(parsed.repairs), parsed.problems, parsed.content) == (2, (), "")


FAMILY_MISSES = {
    "qwen without its marker": (
        QWEN3_CODER,
        "<function=fs_read>\n<parameter=path>\na.txt\n</parameter>\n</function>\n</tool_call>",
    ),
    "qwen without its end": (
        QWEN3_CODER,
        "<tool_call>\n<function=fs_read>\n<parameter=path>\na.txt\n</parameter>\n</tool_call>",
    ),
    "JSON between qwen's markers": (QWEN3_CODER, HERMES.render_call(*READ)),
    "qwen between hermes' markers": (HERMES, QWEN3_CODER.render_call(*READ)),
    "glm between hermes' markers": (HERMES, GLM4.render_call(*READ)),
    "loose JSON behind mistral's name": (MISTRAL, "[TOOL_CALLS]fs_read[ARGS]{'path': 'a.txt'}"),
    "mistral without its list": (MISTRAL_JSON, '[TOOL_CALLS]{"name": "fs_read", "arguments": {"path": "a.txt"}}'),
    "new mistral in the old": (MISTRAL_JSON, '[TOOL_CALLS]fs_read[ARGS]{"path": "a.txt"}'),
    "loose JSON in kimi's": (
        KIMI_K2,
        "<|tool_call_begin|>functions.fs_read:0<|tool_call_argument_begin|>{path: 'a.txt'}",
    ),
    "loose JSON in a harmony message": (
        HARMONY,
        "<|channel|>commentary to=functions.fs_read<|message|>{'path': 'a.txt',}<|call|>",
    ),
    "llama with arguments": (LLAMA3, '{"name": "fs_read", "arguments": {"path": "a.txt"}}'),
    "granite without its list": (GRANITE, '<|tool_call|>{"name": "fs_read", "arguments": {"path": "a.txt"}}'),
    "gemma 3 in another fence": (GEMMA3, '```python\nfs_read(path="a.txt")\n```'),
}


@pytest.mark.parametrize(("dialect", "text"), FAMILY_MISSES.values(), ids=FAMILY_MISSES.keys())
def test_near_misses_of_each_family_are_repaired(dialect: Dialect, text: str) -> None:
    assert parse(dialect, text, schemas=SCHEMAS).calls == ()
    parsed = parse_leniently(text, dialect, TOOLS, schemas=SCHEMAS)
    assert [(call.name, dict(call.arguments)) for call in parsed.calls] == [READ]
    assert (len(parsed.repairs), parsed.problems) == (1, ())


def test_arguments_that_were_not_understood_are_not_left_out() -> None:
    text = "<minimax:tool_call><invoke name=\"fs_read\"><parameter name='path'>a.txt</parameter></invoke>"
    assert parse_leniently(text, MINIMAX_M2, TOOLS, schemas=SCHEMAS).calls == ()


PIECES = st.sampled_from(
    [
        '{"name": "fs_read"',
        ', "arguments": ',
        "{",
        "}",
        "[",
        "]",
        "'",
        '"',
        "```json\n",
        "```",
        "fs_read(",
        "path=",
        ")",
        "<tool_call>",
        "</tool_call>",
        "<|tool_call>",
        "call:fs_read{",
        '<|"|>',
        "<think>",
        "\\",
        "\\ud83d",
        "//",
        "/*",
        ",",
    ]
)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
@given(text=st.lists(PIECES | st.text(max_size=4), max_size=25).map("".join))
@settings(max_examples=200, deadline=None)
def test_nothing_raises_and_only_known_tools_are_called(dialect: Dialect, text: str) -> None:
    parsed = parse_leniently(text, dialect, TOOLS)
    strict = parse(dialect, text)
    assert all(call.name in TOOLS for call in parsed.calls if call not in strict.calls)
    assert all("\n" not in repair for repair in parsed.repairs)


@pytest.mark.parametrize(
    "unit",
    ['{"name": "', '{"name": [', "fs_read(path=", "```json\n{", "<tool_call>{'name': ", '{"name": "fs_read", "x": '],
)
def test_a_megabyte_of_near_misses_is_read_in_one_pass(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert parse_leniently(text, HERMES, TOOLS).calls == ()


def test_replies_cut_anywhere_give_the_first_calls_or_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    assert cuts().main(4_000, 1) == 0, capsys.readouterr().out


UNREADABLE = {
    "arguments as a command": (HERMES, '{"name": "shell", "arguments": "ls -la"}'),
    "arguments as a list": (HERMES, '<tool_call>{"name": "shell", "arguments": ["ls"]}</tool_call>'),
    "a number that the end cuts": (HERMES, '<tool_call>{"name": "fs_read", "arguments": {"share": 0.'),
    "a string that the end cuts": (HERMES, '{"name": "fs_read", "arguments": {"path": "a'),
    "an object that the end cuts": (HERMES, '{"name": "fs_read", "arguments": {"path": "a", '),
    "an object before its arguments": (HERMES, '{"name": "fs_read"'),
    "names in prose": (HERMES, 'There are [{"name": "fs_read"}, {"name": "shell"}] to choose from.'),
    "data that names a tool": (HERMES, '{"name": "fs_read", "version": 3}'),
    "an answer in JSON": (
        HARMONY,
        '<|channel|>final<|message|>{"name": "fs_read", "arguments": {"path": "a"}}<|return|>',
    ),
    "code in a value that the end cuts": (
        QWEN3_CODER,
        "<tool_call>\n<function=shell>\n<parameter=command>\nfs_read(path='a')\n",
    ),
    "a call in a value that the end cuts": (
        QWEN3_CODER,
        "<tool_call>\n<function=shell>\n<parameter=command>\n<tool_call>\n<function=fs_read>\n</function>\n</tool_call>\n",
    ),
    "a value that shows an argument": (
        QWEN3_CODER,
        "<tool_call>\n<function=shell>\n<parameter=command>\n<parameter=path>1</parameter></function>\n</parameter>\n",
    ),
    "a value behind another's missing end": (
        MINIMAX_M2,
        '<invoke name="shell"><parameter name="command">ls<parameter name="path">a</parameter></invoke>',
    ),
    "a value that shows the end of a call": (
        GLM4,
        "<tool_call>shell<arg_key>command</arg_key><arg_value>a</arg_value></tool_call> b</arg_value></tool_call>",
    ),
}


@pytest.mark.parametrize(("dialect", "text"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_no_whole_call_runs_nothing_and_is_named(dialect: Dialect, text: str) -> None:
    schemas = {name: {"type": "object", "properties": {"path": {"type": "string"}}} for name in TOOLS}
    for parsed in (parse(dialect, text, schemas=schemas), parse_leniently(text, dialect, TOOLS, schemas=schemas)):
        assert parsed.problems or (not parsed.calls and resemblance(parsed.content, dialect, TOOLS))


def test_a_first_call_without_its_marker_is_not_dropped() -> None:
    text = (
        "<function=fs_read>\n<parameter=path>\na.txt\n</parameter>\n</function>\n</tool_call>\n"
        "<tool_call>\n<function=shell>\n</function>\n</tool_call>"
    )
    assert parse(QWEN3_CODER, text, schemas=SCHEMAS).problems
    closed = HERMES.render_call(*READ).removeprefix("<tool_call>") + HERMES.render_call("shell", {})
    assert "lacks its opening marker" in parse(HERMES, closed).problems[0]
    parsed = parse_leniently(text, QWEN3_CODER, TOOLS, schemas=SCHEMAS)
    assert ([call.name for call in parsed.calls], parsed.problems) == (["fs_read", "shell"], ())


@pytest.mark.parametrize("name", ['"fs_read"', " fs_read", "'fs_read' "])
def test_names_with_quotes_or_blanks_are_read(name: str) -> None:
    text = f"<tool_call>\n<function={name}>\n<parameter=path>\na.txt\n</parameter>\n</function>\n</tool_call>"
    assert parse(QWEN3_CODER, text, schemas=SCHEMAS).problems
    parsed = parse_leniently(text, QWEN3_CODER, TOOLS, schemas=SCHEMAS)
    assert [(call.name, dict(call.arguments)) for call in parsed.calls] == [READ]


def test_a_brace_too_few_before_the_closing_marker_is_forgiven() -> None:
    text = '<tool_call>\n{"name": "fs_read", "arguments": {"path": "a.txt"}\n</tool_call>'
    assert [(call.name, dict(call.arguments)) for call in parse_leniently(text, HERMES, TOOLS).calls] == [READ]


def test_odd_values_are_read_as_python_reads_them() -> None:
    text = "{'name': 'shell', 'args': {'a': True, 'b': None, 'c': -1.5e2, 'd': '''x\ny''', 'e': '\\'', 'f': [1,],}}"
    expected: dict[str, Any] = {"a": True, "b": None, "c": -150.0, "d": "x\ny", "e": "'", "f": [1]}
    assert parse_leniently(text, HERMES, TOOLS).calls[0].arguments == expected


@pytest.mark.parametrize(
    "text",
    [
        '<call tool="fs_write">\n<arg name="content">[TOOL_CALLS][{"name": "fs_read", "arguments": {"path": "b"}}]',
        '<F>fs_write</F><K>content</K><V>{"name": "fs_read", "arguments": {"path": "b"}}</V>',
        '<note to="\ncall:fs_read{}\n',
        '[fs_write(path="a"), shell(command=\'\n{"name": "fs_read", "arguments": {"path": "b"}}',
    ],
)
@pytest.mark.parametrize("dialect", [HERMES, GEMMA4, MINIMAX_M2], ids=lambda d: d.name)
def test_a_value_of_a_form_that_nobody_knows_is_no_call(dialect: Dialect, text: str) -> None:
    assert parse_leniently(text, dialect, TOOLS).calls == ()


@pytest.mark.parametrize("form", cuts().FORMS)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_a_whole_call_inside_a_form_that_nobody_knows_is_none(dialect: Dialect, form: str) -> None:
    for inner in (dialect.render_calls([READ]), f"x = 1\n{dialect.render_calls([READ])}\n"):
        parsed = parse_leniently(f"I write.\n{form.format(inner)}", dialect, TOOLS, schemas=SCHEMAS)
        assert parsed.calls == ()
        assert len(parsed.problems) == 1 or not dialect.call.open


def test_a_call_inside_a_form_made_up_at_random_is_none() -> None:
    for case in cuts().in_no_form(3_000, 7):
        parsed = parse_leniently(case.text, case.dialect, list(cuts().SCHEMAS), schemas=cuts().SCHEMAS)
        assert not parsed.calls or parsed.problems, case.text


INSIDE = {
    "a bracket": ("write(path, {}", "write("),
    "a quote": ('Then say "{}" to it.', 'Then say "'),
    "an object": ('{{"plan": "look", "next": {}}}', "{"),
    "a tag": ("<save><as>a.txt</as><text>{}</text></save>", "<save"),
    "a key": ("fs_read content = {}", "fs_read content ="),
    "keys on lines": ("- fs_read:\n    path: {}", "- fs_read:\\n    path:"),
    "another tool on the line": ("Run shell with {}", "shell with"),
    "another tool at the head": ("fs_write b.txt\n{}", "fs_write b.txt"),
}


@pytest.mark.parametrize(("form", "named"), INSIDE.values(), ids=INSIDE.keys())
@pytest.mark.parametrize("before", ["", "I look.\n", HERMES.render_call("sql_query", {}) + "\n"])
def test_what_a_call_stands_inside_of_is_named(before: str, form: str, named: str) -> None:
    own, foreign = HERMES.render_call(*READ), '{"name": "fs_read", "arguments": {"path": "a.txt"}}'
    for call in (own, foreign):
        parsed = parse_leniently(before + form.format(call), HERMES, TOOLS)
        assert [one.name for one in parsed.calls] == ["sql_query"] * before.count("sql_query")
        if call is own or not parsed.calls:
            (problem,) = parsed.problems
            assert f"A call began with {named}" in problem


@pytest.mark.parametrize(
    "before",
    [
        "First I call `shell`, then fs_write. Now the file:",
        "Now that fs_write has succeeded, let me look at it:",
        "It lacks a `)` behind `f(x`, and the users' files don't have one either (see a.txt):",
        "fs_read:",
        "**fs_read**",
        "1. fs_read a.txt\n2. fs_write b.txt",
        "```python\nprint('(')\n```\nSo I look.",
        "Is 3 < 4? Yes, and [a](b) is a link.",
    ],
)
def test_a_call_behind_prose_is_read(before: str) -> None:
    bare = '{"name": "fs_read", "arguments": {"path": "a.txt"}}'
    for call in (HERMES.render_call(*READ), bare, f"```json\n{bare}\n```"):
        parsed = parse_leniently(f"{before}\n{call}", HERMES, TOOLS)
        assert [(one.name, dict(one.arguments)) for one in parsed.calls] == [READ]
        assert parsed.problems == ()


def test_a_tag_around_one_call_is_no_value() -> None:
    text = '<action>{"name": "fs_read", "arguments": {"path": "a.txt"}}</action>'
    assert parse_leniently(text, HERMES, TOOLS).calls == (READ,)
    text = f"<plan>Read it.</plan>\n{text}"
    assert parse_leniently(text.replace("<action>", "").replace("</action>", ""), HERMES, TOOLS).calls == (READ,)


@pytest.mark.parametrize("end", ["</", "</thi", "</think>"])
def test_a_call_before_the_end_of_a_thought_was_only_thought(end: str) -> None:
    assert parse_leniently(f"<think>\nMaybe {HERMES.render_call(*READ)}\n{end}", HERMES, TOOLS).calls == ()


def test_a_call_in_a_thought_between_other_marks_was_only_thought() -> None:
    text = f"<think>\nMaybe {MISTRAL.render_call(*READ)}\n</think>\nNo."
    parsed = parse_leniently(text, MISTRAL, TOOLS)
    assert (parsed.calls, len(parsed.problems)) == ((), 1)
