"""A template in no list: its dialect is found by rendering, or not used at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from cuts import cuts
from family_templates import DERIVED, TEMPLATES
from gbnf import Grammar

from pytest_agentcore.backends.base import Message, ToolCall
from pytest_agentcore.backends.llama.messages import Turn
from pytest_agentcore.backends.llama.template import ChatTemplate
from pytest_agentcore.dialects.families import GENERIC, Choice, choose_dialect, dialect_named
from pytest_agentcore.dialects.grammar import call_grammar
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.tools.base import ToolSpec, object_schema

Written = list[tuple[str, dict[str, Any]]]

TOOL = ToolSpec(
    name="fs_write",
    description="Write.",
    parameters=object_schema(
        [],
        path={"type": "string"},
        content={"type": "string"},
        count={"type": "integer"},
        flag={"type": "boolean"},
        deep={"type": "object"},
    ),
)
CODE = 'def f(x):\n    """Say {"a": [x]} & <b>."""\n    return x if x < 3 else \'\\n\'\n'
REPLIES: list[Written] = [
    [("fs_write", {"path": "a.txt", "count": 3})],
    [("fs_write", {"path": "src/a.py", "content": CODE})],
    [("fs_write", {"path": "a.txt", "content": "42"}), ("fs_write", {"flag": True, "deep": {"x": ["y", None]}})],
    [("fs_write", {})],
]


@cache
def chat(source: str, *, listed: bool = True) -> ChatTemplate:
    choice = choose_dialect(source, ())
    if not listed:
        choice = Choice(dialect=GENERIC, reason="it was not looked for", taught=False, warning="it was not looked for")
    return ChatTemplate(source=source, choice=choice, bos="<s>", eos="</s>", today=datetime(2026, 11, 30, tzinfo=UTC))


def said(template: ChatTemplate, written: Written) -> str:
    calls = tuple(ToolCall(id=f"call_1_{n}", name=name, arguments=given) for n, (name, given) in enumerate(written, 1))
    asked = [Turn(Message(role="user", content="Do it."))]
    reply = Turn(Message(role="assistant", content="", tool_calls=calls))
    results = [Turn(Message(role="tool", content="RESULT", tool_call_id=one.id, name=one.name)) for one in calls]
    told = template.prompt([*asked, reply, *results], [TOOL], str)
    prompt = template.prompt(asked, [TOOL], str)
    shared = told.removeprefix(prompt) if told.startswith(prompt) else told.rpartition("Do it.")[2]
    return shared.partition("RESULT")[0]


@pytest.mark.parametrize("family", DERIVED)
@pytest.mark.parametrize("written", REPLIES, ids=["single", "code", "double", "empty"])
def test_a_family_in_no_list_is_read_natively(family: str, written: Written) -> None:
    template = chat(DERIVED[family])
    assert (template.choice.dialect.name, template.choice.taught, template.warning) == ("derived", True, "")
    assert "found by rendering" in template.choice.reason
    assert "probe" not in f"{template.choice.dialect}{template.choice.reason}"
    schemas = {TOOL.name: TOOL.parameters}
    for text in (said(template, written), template.choice.dialect.render_calls(written)):
        parsed = parse(template.choice.dialect, text, schemas=schemas)
        assert parsed.problems == ()
        assert [(call.name, dict(call.arguments)) for call in parsed.calls] == written


ALL = {**TEMPLATES, **DERIVED}
LAID_OUT: list[dict[str, Any]] = [
    {"path": "a.txt", "count": -3, "flag": True},
    {"content": CODE, "flag": False},
    {"path": "one\r\ntwo\r", "content": "<|x|> <tool <|tool_call <| </ ] } <"},
    {"path": "", "deep": {"x": ["y", None, {"z": 0.5}]}},
    {},
]


@pytest.mark.parametrize("family", ALL)
@pytest.mark.parametrize("given", LAID_OUT, ids=["types", "code", "like markers", "nested", "empty"])
def test_the_grammar_accepts_the_layout_of_the_template(family: str, given: dict[str, Any]) -> None:
    template = chat(ALL[family])
    dialect, text = template.choice.dialect, said(template, [("fs_write", given)])
    marks = dialect.section or dialect.call
    begins = [text.find(mark) for mark in (marks.open, " to=functions.", "fs_write") if mark and mark in text]
    if family == "Muse Glimmer":  # whose header names the tool once more, which a grammar leaves out
        begins = [text.index(marks.open)]
    if not marks.open:
        begins = [text.index("[" if dialect.listed else "{")]
    text = text[min(begins) :]
    closes = marks.close or ("]" if dialect.listed else dialect.codec.notation.last.strip())
    last = "```tool_output" if family == "gemma3" else "\0"
    text = text.partition(last)[0]
    text = text[: text.rindex(closes) + len(closes)]
    if dialect.call.close in dialect.end_of_turn:
        text = text.removesuffix(dialect.call.close)
    grammar = call_grammar([TOOL], dialect=dialect, allow_finish=False, thought_characters=0)
    assert "\0" not in grammar
    assert Grammar(grammar).accepts(text), text


def test_replies_cut_anywhere_give_the_first_calls_or_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    derived = [replace(chat(source).choice.dialect, name=family) for family, source in DERIVED.items()]
    assert cuts().main(2_000, 1, derived) == 0, capsys.readouterr().out


NOT_FOUND = {"granite": "shows no calls", "lfm2": "shows no calls", "harmony": "names its channels"}
OTHERWISE = {
    "llama3": "shows one call a message",
    "gemma3": "may be written with one fence a call, too",
    "mistral_json": "may be written without ids, too",
}


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name not in NOT_FOUND])
@pytest.mark.parametrize("written", REPLIES[:3], ids=["single", "code", "double"])
def test_what_is_listed_and_what_is_found_write_alike(name: str, written: Written) -> None:
    found = chat(TEMPLATES[name], listed=False).choice.dialect
    assert found.name == "derived"
    if name in OTHERWISE and (len(written) > 1 or name == "mistral_json"):
        assert (
            parse(dialect_named(name), found.render_calls(written)).calls
            == parse(found, found.render_calls(written)).calls
        )
        return
    one, other = (dialect.render_calls(written) for dialect in (found, dialect_named(name)))
    assert "".join(one.split()) == "".join(other.split())


@pytest.mark.parametrize(
    "call",
    [
        "<call>{{ c.function.name }} {{ c.function.arguments }}</call>",  # Python's own way to print a dictionary
        "<call>{{ c.function.name }}</call>",
        "{{ c.function.name }} is called with {{ c.function.arguments | tojson }}",
        "<call>{{ c.function.name }}{% for k, v in c.function.arguments.items() %}{{ k }}: {{ v }};{% endfor %}</call>",
    ],
)
def test_calls_that_cannot_be_read_back_leave_the_generic_prompt_and_a_warning(call: str) -> None:
    source = DERIVED["xLAM"].partition("{%- if m.tool_calls %}")[0] + (
        f"{{% for c in m.tool_calls or () %}}{call}{{% endfor %}}<|end|>"
        "{%- else %}<|{{ m.role }}|>{{- m.content }}<|end|>{% endif %}{% endfor %}<|assistant|>"
    )
    template = chat(source)
    assert (template.choice.dialect.name, template.choice.taught) == ("generic", False)
    assert "no dialect here recognises" in template.warning


def test_thoughts_and_results_are_found_too() -> None:
    source = DERIVED["Nemotron Nano 2"].replace(
        "{{- m.content or '' }}",
        "{% if m.reasoning_content %}<|think|>{{ m.reasoning_content }}<|/think|>{% endif %}{{ m.content }}",
    )
    dialect = chat(source).choice.dialect
    assert dialect.reasoning is not None
    assert (dialect.reasoning.open, dialect.reasoning.close) == ("<|think|>", "<|/think|>")
    assert dialect.result_open == ("<|tool_result|>",)
    parsed = parse(dialect, f"<|think|>Hm.<|/think|>{dialect.render_calls(REPLIES[0])}")
    assert (parsed.reasoning, len(parsed.calls)) == ("Hm.", 1)


def test_headers_of_what_is_said_and_thought_are_no_text() -> None:
    source = (
        DERIVED["Muse Glimmer"]
        .replace(
            "{{- m.content or '' }}",
            "{% if m.reasoning_content %} to=self<|message|>{{ m.reasoning_content }}<|eom|><|assistant|>{% endif %}"
            "{% if m.content %} to=user<|message|>{{ m.content }}{% endif %}",
        )
        .replace("<|end|>", "<|eot|>")
    )
    dialect = chat(source).choice.dialect
    parsed = parse(dialect, " to=self<|message|>Hm.<|eom|><|assistant|> to=user<|message|>42")
    assert (parsed.reasoning, parsed.content, parsed.problems) == ("Hm.", "42", ())
