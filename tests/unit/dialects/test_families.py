"""Every dialect against a template that teaches it: what the template renders, the dialect reads back.

The same is done with public templates where a folder of them is named (AGENTCORE_TEMPLATES).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from family_templates import GEMMA3_UNTAUGHT, TEMPLATES
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentcore.backends.base import Message, ToolCall
from pytest_agentcore.backends.llama.messages import Calls, Thoughts, Turn
from pytest_agentcore.backends.llama.template import CHATML, ChatTemplate
from pytest_agentcore.dialects.choose import choose_dialect
from pytest_agentcore.dialects.dialect import Parsed
from pytest_agentcore.dialects.families import DIALECTS
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.tools.base import ToolSpec

Written = list[tuple[str, dict[str, Any]]]

PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "count": {"type": "integer"},
    "share": {"type": "number"},
    "flag": {"type": "boolean"},
    "items": {"type": "array", "items": {"type": "integer"}},
    "deep": {"type": "object"},
}
TOOL = ToolSpec(name="fs_write", description="Write.", parameters={"type": "object", "properties": PROPERTIES})
ASKED = [Message(role="system", content="Be brief."), Message(role="user", content="Do it.")]

CLOSERS = ("</parameter>", "</arg_value>", "</｜DSML｜parameter>", '<|"|>')  # noqa: RUF001 - DeepSeek's
TEXT = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
    | st.sampled_from(
        ["", "a\nb\n\tc", '"', "\\", "\\n", "'", "{}", "[x]", "<b>é</b>", "</tool_call>", "42", "null", "é😀\u2028"]
    )
).filter(lambda text: not any(close in text for close in CLOSERS))
AMBIGUOUS = ":,{}<>|"  # Gemma 4's template writes keys bare, other than our own writer of that dialect
KEYS = (
    st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters=AMBIGUOUS), max_size=6)
    | st.sampled_from(["", "first name", "Content-Type", "src/a.py", "$id", "@type", "1", "it's", "x[0]", "ä"])
).filter(lambda key: key == key.strip() and key[:1] not in ("'", '"'))
INNER = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "text": TEXT,
        "count": st.integers(-(10**12), 10**12),
        "share": st.floats(-1e6, 1e6).map(lambda share: round(share, 3)),
        "flag": st.booleans(),
        "items": st.lists(INNER, max_size=3),
        "deep": st.dictionaries(KEYS, INNER, max_size=3),
    },
)


@cache
def chat(source: str) -> ChatTemplate:
    choice = choose_dialect(source, ())
    return ChatTemplate(source=source, choice=choice, bos="<s>", eos="</s>", today=datetime(2026, 11, 23, tzinfo=UTC))


def prompt(template: ChatTemplate, messages: list[Message]) -> str:
    return template.prompt([Turn(message) for message in messages], [TOOL], str)


def turn(written: Written, content: str = "", reasoning: str = "") -> list[Message]:
    calls = tuple(
        ToolCall(id=f"call_1_{index}", name=name, arguments=arguments)
        for index, (name, arguments) in enumerate(written, 1)
    )
    reply = Message(role="assistant", content=content, reasoning=reasoning, tool_calls=calls)
    results = [
        Message(role="tool", content=f"RESULT-{call.id}", tool_call_id=call.id, name=call.name) for call in calls
    ]
    return [*ASKED, reply, *results]


def replies(template: ChatTemplate, written: Written, content: str = "", reasoning: str = "") -> list[Parsed]:
    """What the template rendered as the model's, cut off before each result and read back."""
    asked, told = prompt(template, ASKED), prompt(template, turn(written, content, reasoning))
    shared = asked[: next((at for at, one in enumerate(asked) if not told.startswith(one, at)), len(asked))]
    if shared.rfind("<") > shared.rfind(">"):  # in the middle of a marker
        shared = shared[: shared.rfind("<")]
    dialect = template.choice.dialect
    found = []
    for index in range(1, len(written) + 1 if template.habits.calls is Calls.one_each else 2):
        said, _, told = told.removeprefix(shared).partition(f"RESULT-call_1_{index}")
        opened = dialect.opens_reasoning(shared) and index == 1
        found.append(parse(dialect, said, reasoning_open=opened, schemas={TOOL.name: TOOL.parameters}))
        shared = ""
    return found


def read(template: ChatTemplate, written: Written) -> Written:
    parsed = replies(template, written)
    assert [problem for one in parsed for problem in one.problems] == []
    return [(call.name, dict(call.arguments)) for one in parsed for call in one.calls]


def test_every_dialect_that_a_template_can_teach_has_one_here() -> None:
    assert set(TEMPLATES) == {dialect.name for dialect in DIALECTS if dialect.taught_by}


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_template_teaches_its_dialect(name: str) -> None:
    template = chat(TEMPLATES[name])
    assert (template.choice.dialect.name, template.choice.taught, template.choice.warning) == (name, True, "")
    assert template.warning == ""


@pytest.mark.parametrize("name", TEMPLATES)
@given(written=st.lists(ARGUMENTS.map(lambda arguments: (TOOL.name, arguments)), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_calls_that_a_template_renders_are_read_back(name: str, written: Written) -> None:
    assert read(chat(TEMPLATES[name]), written) == written


ONE: Written = [(TOOL.name, {"text": "a", "count": 1})]
SHOWS_REASONING = {
    "hermes": Thoughts.reasoning_content,
    "qwen3_coder": Thoughts.reasoning_content,
    "glm4": Thoughts.reasoning_content,
    "gemma4": Thoughts.reasoning_content,
    "mistral": Thoughts.blocks,
    "deepseek_v31": Thoughts.reasoning_content,
    "deepseek_v3": Thoughts.reasoning_content,
    "deepseek_v32": Thoughts.reasoning_content,
    "deepseek_v4": Thoughts.reasoning_content,
    "harmony": Thoughts.thinking,
    "kimi_k2": Thoughts.reasoning_content,
    "minimax_m2": Thoughts.reasoning_content,
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_reasoning_goes_back_the_way_the_template_wants_it(name: str) -> None:
    template = chat(TEMPLATES[name])
    assert template.habits.thoughts is SHOWS_REASONING.get(name, Thoughts.dropped)
    (parsed,) = replies(template, ONE, "I say.", "I think.")
    assert [call.name for call in parsed.calls] == [TOOL.name]
    both = parsed.reasoning + parsed.content
    assert ("I think." in both) is (name in SHOWS_REASONING)
    assert "I think." not in parsed.content
    if template.habits.thoughts is Thoughts.thinking:
        assert parsed.reasoning == "I think.\n\nI say."
    elif name not in ("llama3", "pythonic"):  # these show calls alone
        assert parsed.content.startswith("I say.")


def test_a_template_that_takes_one_call_a_message_gets_several_messages() -> None:
    for name in ("llama3", "harmony"):
        template = chat(TEMPLATES[name])
        assert template.habits.calls is Calls.one_each
        told = prompt(template, turn(ONE * 2))
        first, second = told.index("RESULT-call_1_1"), told.index("RESULT-call_1_2")
        assert told[:first].count('"text": "a"') == 1
        assert told[first:second].count('"text": "a"') == 1


def test_a_template_without_structured_calls_gets_them_as_the_model_wrote_them() -> None:
    template = chat(TEMPLATES["granite"])
    assert template.habits.calls is Calls.as_text
    assert "<|tool_call|>[{" in prompt(template, turn(ONE))


def test_short_call_ids_are_made_where_they_are_wanted() -> None:
    assert chat(TEMPLATES["mistral_json"]).habits.short_ids
    assert not chat(TEMPLATES["hermes"]).habits.short_ids


def test_arguments_go_as_text_where_a_template_joins_them_to_text() -> None:
    assert chat(TEMPLATES["deepseek_v3"]).habits.arguments_as_text


def test_gemma_3_as_it_comes_is_prompted_for_python() -> None:
    template = chat(GEMMA3_UNTAUGHT)
    assert (template.choice.dialect.name, template.choice.taught, template.choice.warning) == ("gemma3", False, "")
    told = prompt(template, turn(ONE))
    example = parse(template.choice.dialect, told.partition("```tool_code")[2].join(["```tool_code", ""]))
    assert example.calls[0].name == "name_of_a_tool"
    assert '```tool_code\nfs_write(text="a", count=1)\n```' in told
    assert "```tool_output\nRESULT-call_1_1\n```" in told


def test_a_dialect_may_be_asked_for_by_name() -> None:
    choice = choose_dialect(GEMMA3_UNTAUGHT, (), wanted="gemma3_json")
    template = ChatTemplate(
        source=GEMMA3_UNTAUGHT, choice=choice, bos="", eos="", today=datetime(2026, 11, 23, tzinfo=UTC)
    )
    assert (choice.dialect.name, choice.taught) == ("gemma3_json", False)
    assert '{"name": "fs_write", "parameters": {"text": "a", "count": 1}}' in prompt(template, turn(ONE))
    assert choose_dialect(CHATML, (), wanted="hermes").reason == "it was asked for by name"


def test_a_template_whose_calls_do_not_read_back_is_reported() -> None:
    odd = TEMPLATES["hermes"].replace('"arguments": \'', '"args": \'')
    assert "hermes dialect does not read" in chat(odd).warning


PUBLIC = {
    "Qwen-Qwen2.5-7B-Instruct": "hermes",
    "Qwen-Qwen3-0.6B": "hermes",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": "hermes",
    "ibm-granite-granite-4.0": "hermes",
    "Qwen3-Coder": "qwen3_coder",
    "Qwen3.5-4B": "qwen3_coder",
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": "qwen3_coder",
    "GLM-4.6": "glm4",
    "GLM-4.7-Flash": "glm4",
    "google-gemma-4-31B-it": "gemma4",
    "Mistral-Small-3.2-24B-Instruct-2506": "mistral",
    "mistralai-Ministral-3-14B-Reasoning-2512": "mistral",
    "unsloth-mistral-Devstral-Small-2507": "mistral",
    "mistralai-Mistral-Nemo-Instruct-2407": "mistral_json",
    "meta-llama-Llama-3.1-8B-Instruct": "llama3",
    "meta-llama-Llama-3.2-3B-Instruct": "llama3",
    "meta-llama-Llama-3.3-70B-Instruct": "llama3",
    "deepseek-ai-DeepSeek-V3.1": "deepseek_v31",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": "deepseek_v3",
    "llama-cpp-deepseek-r1": "deepseek_v3",
    "deepseek-ai-DeepSeek-V3.2": "deepseek_v32",
    "deepseek-ai-DeepSeek-V4": "deepseek_v4",
    "openai-gpt-oss-120b": "harmony",
    "moonshotai-Kimi-K2": "kimi_k2",
    "Kimi-K2-Thinking": "kimi_k2",
    "MiniMax-M2": "minimax_m2",
    "ibm-granite-granite-3.3-2B-Instruct": "granite",
}
"""Files of llama.cpp's folder `models/templates`, and the dialect that each teaches."""


@pytest.mark.parametrize(("file", "name"), PUBLIC.items())
def test_public_templates_are_recognised_and_read_back(file: str, name: str) -> None:
    path = Path(os.environ.get("AGENTCORE_TEMPLATES", ""), f"{file}.jinja")
    if not path.is_file():
        pytest.skip("no public template at hand; name a folder of them with AGENTCORE_TEMPLATES")
    template = chat(path.read_text())
    assert (template.choice.dialect.name, template.warning) == (name, "")
    nested: dict[str, Any] = {
        "text": 'a "b"\n<é>\\ 😀',
        "count": 42,
        "flag": True,
        "items": [1, "a", []],
        "deep": {"x": {"y": None}},
    }
    several: list[Written] = [
        [(TOOL.name, nested)],
        [(TOOL.name, {})],
        [(TOOL.name, nested), (TOOL.name, {"text": "42"})],
    ]
    for written in several:
        assert read(template, written) == written
