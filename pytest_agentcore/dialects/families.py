"""The dialects, one value each. docs/dialects.md says against which fact each was checked."""

# ruff: noqa: RUF001 - DeepSeek's tokens are written with a fullwidth bar

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from pytest_agentcore.dialects.dialect import Dialect, Markers
from pytest_agentcore.dialects.gemma_codec import GemmaCodec
from pytest_agentcore.dialects.json_codec import JsonCodec, NamedJsonCodec
from pytest_agentcore.dialects.pythonic_codec import PythonicCodec
from pytest_agentcore.dialects.xml_codec import XmlCodec
from pytest_agentcore.tools.base import ToolSpec

HERMES = Dialect(
    name="hermes",
    codec=JsonCodec(),
    call=Markers(open="<tool_call>", close="</tool_call>"),
    pad="\n",
    between="\n",
    result_open=("<tool_response>",),
    end_of_turn=("<|im_end|>",),
    taught_by=("<tool_call>", '"name', "arguments"),
    not_taught_by=("<function=", "<arg_key>", "<parameter=", "<tool_calls>"),
)
"""Qwen 2.5 and 3, Hermes, Granite 4 and kin."""

QWEN3_CODER = replace(
    HERMES,
    name="qwen3_coder",
    codec=XmlCodec(
        before_name="<function=",
        after_name=">",
        before_key="<parameter=",
        after_key=">",
        after_value="</parameter>",
        end="</function>",
        newlines=True,
    ),
    traces=("<function=",),
    taught_by=("<tool_call>", "<function=", "<parameter="),
    not_taught_by=(),
)
"""Qwen3-Coder, Qwen 3.5, Nemotron 3 Nano."""

GLM4 = Dialect(
    name="glm4",
    codec=XmlCodec(
        before_key="<arg_key>", after_key="</arg_key>\n<arg_value>", after_value="</arg_value>", between="\n"
    ),
    call=Markers(open="<tool_call>", close="</tool_call>"),
    between="\n",
    traces=("<arg_key>",),
    result_open=("<|observation|>", "<tool_response>"),
    end_of_turn=("<|user|>", "<|observation|>"),
    taught_by=("<tool_call>", "<arg_key>", "<arg_value>"),
)
"""GLM 4.5 to 4.7."""

GEMMA4 = Dialect(
    name="gemma4",
    codec=GemmaCodec(),
    call=Markers(open="<|tool_call>", close="<tool_call|>"),
    reasoning=Markers(open="<|channel>thought", close="<channel|>"),
    reasoning_anywhere=True,
    result_open=("<|tool_response>",),
    end_of_turn=("<turn|>",),
    taught_by=("<|tool_call>", "call:", "<tool_call|>"),
)
"""Gemma 4."""

MISTRAL = Dialect(
    name="mistral",
    codec=NamedJsonCodec(
        between="[ARGS]",
        between_pattern=r"(?:\[CALL_ID\][\w-]{1,40})?\[ARGS\]",
        aside="[CALL_ID]\0",
        loosely=r"[ \t]{0,8}\[ARGS\]",
    ),
    call=Markers(open="[TOOL_CALLS]"),
    traces=("[ARGS]", "[CALL_ID]"),
    reasoning=Markers(open="[THINK]", close="[/THINK]"),
    result_open=("[TOOL_RESULTS]",),
    end_of_turn=("</s>",),
    taught_by=("[TOOL_CALLS]", "[ARGS]"),
)
"""Mistral from tokenizer version 11 on: Mistral Small 3.2, Ministral 3, Devstral, Magistral."""

MISTRAL_JSON = replace(
    MISTRAL,
    name="mistral_json",
    codec=JsonCodec(beside=("id",)),
    listed=True,
    traces=(),
    taught_by=("[TOOL_CALLS]",),
    not_taught_by=("[ARGS]",),
)
"""Mistral up to tokenizer version 7: Mistral 7B v0.3, Nemo, Small 3.1."""

_BARE_JSON = (
    r'\{[ \t\r\n]{0,20}(?:"type"[ \t]{0,8}:[ \t]{0,8}"function"[ \t]{0,8},[ \t\r\n]{0,20})?"name"[ \t]{0,8}:'
    r'[ \t]{0,8}"[^"\n]{1,200}"[ \t]{0,8},[ \t\r\n]{0,20}"(?:parameters|arguments)"[ \t]{0,8}:'
)

LLAMA3 = Dialect(
    name="llama3",
    codec=JsonCodec(arguments_key="parameters", beside=("type",)),
    call=Markers(open=""),
    also_open=("<|python_tag|>",),
    bare=_BARE_JSON,
    between="; ",
    result_open=("<|start_header_id|>ipython",),
    end_of_turn=("<|eot_id|>", "<|eom_id|>"),
    taught_by=("<|start_header_id|>", "ipython", '"parameters": '),
)
"""Llama 3.1 to 3.3."""

DEEPSEEK_V31 = Dialect(
    name="deepseek_v31",
    codec=NamedJsonCodec(
        between="<｜tool▁sep｜>", loosely=r"[ \t\r\n]{0,8}<｜tool▁sep｜>[ \t\r\n]{0,8}(?:```(?:json)?)?"
    ),
    call=Markers(open="<｜tool▁call▁begin｜>", close="<｜tool▁call▁end｜>"),
    section=Markers(open="<｜tool▁calls▁begin｜>", close="<｜tool▁calls▁end｜>"),
    traces=("<｜tool▁sep｜>",),
    result_open=("<｜tool▁outputs▁begin｜>", "<｜tool▁output▁begin｜>"),
    end_of_turn=("<｜end▁of▁sentence｜>",),
    misspelled="<｜tool[▁ _][a-z▁ _]{1,20}｜>",
    taught_by=("<｜tool▁calls▁begin｜>", "<｜tool▁sep｜>"),
    not_taught_by=("```json",),
)
"""DeepSeek V3.1."""

DEEPSEEK_V3 = replace(
    DEEPSEEK_V31,
    name="deepseek_v3",
    codec=NamedJsonCodec(
        before_name="function<｜tool▁sep｜>",
        between="\n```json\n",
        between_pattern=r"[ \t]{0,8}\n```json[ \t]{0,8}\n",
        loosely=r"[ \t\r\n]{0,8}(?:```(?:json)?)?",
        behind="\n```",
    ),
    between="\n",
    taught_by=("<｜tool▁calls▁begin｜>", "<｜tool▁sep｜>", "```json"),
    not_taught_by=(),
)
"""DeepSeek V3 and R1."""

DEEPSEEK_V32 = Dialect(
    name="deepseek_v32",
    codec=XmlCodec(
        after_name='">',
        before_key='<｜DSML｜parameter name="',
        after_key='" string="true">',
        kinds=('" string="true">', '" string="false">'),
        after_value="</｜DSML｜parameter>",
    ),
    call=Markers(open='<｜DSML｜invoke name="', close="</｜DSML｜invoke>"),
    between="\n",
    section=Markers(open="<｜DSML｜function_calls>", close="</｜DSML｜function_calls>"),
    section_pad="\n",
    result_open=("<function_results>",),
    end_of_turn=("<｜end▁of▁sentence｜>",),
    taught_by=("｜DSML｜", "function_calls>", 'invoke name="'),
)
"""DeepSeek V3.2."""

DEEPSEEK_V4 = replace(
    DEEPSEEK_V32,
    name="deepseek_v4",
    section=Markers(open="<｜DSML｜tool_calls>", close="</｜DSML｜tool_calls>"),
    result_open=("<tool_result>",),
    taught_by=("｜DSML｜", "tool_calls>", 'invoke name="'),
    not_taught_by=("function_calls>",),
)
"""DeepSeek V4."""

HARMONY = Dialect(
    name="harmony",
    channels=True,
    codec=NamedJsonCodec(
        between=" <|constrain|>json<|message|>",
        between_pattern=r"[ \t]{0,8}(?:<\|constrain\|>)?(?:[a-z]{1,20})?[ \t]{0,8}<\|message\|>",
        loosely=r"[ \t]{0,8}<\|channel\|>[a-z]{1,20}[ \t]{0,8}(?:<\|constrain\|>)?(?:[a-z]{1,20})?<\|message\|>",
    ),
    call=Markers(open="<|channel|>commentary to=functions.", close="<|call|>"),
    between="<|start|>assistant",
    traces=("to=functions.",),
    reasoning=Markers(open="<|channel|>analysis<|message|>", close="<|end|>"),
    thought=Markers(open="<|channel|>analysis<|message|>", close="<|end|><|start|>assistant"),
    result_open=("<|start|>functions.",),
    end_of_turn=("<|return|>", "<|call|>"),
    goes_on=("<|end|>",),
    taught_by=("<|channel|>", "<|message|>", "<|call|>"),
)
"""gpt-oss."""

KIMI_K2 = Dialect(
    name="kimi_k2",
    codec=NamedJsonCodec(
        before_name="functions.",
        between=":0<|tool_call_argument_begin|>",
        between_pattern=r":[0-9]{1,6}[ \t\r\n]{0,8}<\|tool_call_argument_begin\|>",
        loosely=r"(?::[0-9]{0,6})?[ \t\r\n]{0,8}<\|tool_call_argument_begin\|>",
    ),
    call=Markers(open="<|tool_call_begin|>", close="<|tool_call_end|>"),
    section=Markers(open="<|tool_calls_section_begin|>", close="<|tool_calls_section_end|>"),
    traces=("<|tool_call_argument_begin|>",),
    result_open=("## Return of functions.",),
    call_id="functions.{name}:{index}",
    end_of_turn=("<|im_end|>",),
    taught_by=("<|tool_calls_section_begin|>", "<|tool_call_argument_begin|>"),
)
"""Kimi K2."""

MINIMAX_M2 = Dialect(
    name="minimax_m2",
    codec=XmlCodec(
        after_name='">', before_key='<parameter name="', after_key='">', after_value="</parameter>", between="\n"
    ),
    call=Markers(open='<invoke name="', close="</invoke>"),
    between="\n",
    section=Markers(open="<minimax:tool_call>", close="</minimax:tool_call>"),
    section_pad="\n",
    result_open=("]~b]tool", "<response>"),
    end_of_turn=("[e~[",),
    taught_by=("<minimax:tool_call>", "<invoke name="),
)
"""MiniMax M2."""

GRANITE = Dialect(
    name="granite",
    codec=JsonCodec(),
    call=Markers(open="<|tool_call|>"),
    listed=True,
    result_open=("<|start_of_role|>tool",),
    end_of_turn=("<|end_of_text|>",),
    taught_by=("<|tool_call|>", "<|start_of_role|>"),
)
"""Granite 3; Granite 4 writes Hermes."""

_BARE_CALL_LIST = (
    r"\[[ \t\r\n]{0,20}[A-Za-z_][\w.-]{0,199}[ \t]{0,8}\([ \t\r\n]{0,20}(?=\)|[^\W\d]\w{0,199}[ \t]{0,8}=(?!=))"
)

PYTHONIC = Dialect(
    name="pythonic",
    codec=PythonicCodec(),
    call=Markers(open=""),
    also_open=("<|python_tag|>", "<|python_start|>"),
    also_close=("<|python_end|>",),
    bare=_BARE_CALL_LIST,
    listed=True,
    result_open=("<|start_header_id|>ipython", "<|header_start|>ipython", "<tool_response>"),
    taught_by=("[func_name1(param",),
)
"""Templates that ask for a list of Python calls: Llama 3.2 and 4, Gemma 3 as vLLM serves them."""

LFM2 = Dialect(
    name="lfm2",
    codec=PythonicCodec(),
    call=Markers(open="<|tool_call_start|>", close="<|tool_call_end|>"),
    listed=True,
    result_open=("<|tool_response_start|>",),
    end_of_turn=("<|im_end|>",),
    taught_by=("List of tools: ", "<|im_start|>"),
)
"""LFM2 and 2.5, whose templates show no calls, or show them without escapes."""

FUNCTOOLS = Dialect(
    name="functools",
    codec=JsonCodec(),
    call=Markers(open="functools"),
    listed=True,
    taught_by=("functools[",),
)
"""Phi-4 mini and FireFunction."""

_PYTHON_PROMPT = """\
You can call these functions. Each line is one function: its name, what it does, and the JSON schema of its arguments.
{tools}

To call functions, write Python between these two lines, one call on each line, with keyword arguments and literal \
values only:
{example}
Then stop, and the results will be given to you behind ```tool_output. A reply without a call is your final answer."""

GEMMA3 = Dialect(
    name="gemma3",
    codec=PythonicCodec(several=True),
    call=Markers(open="```tool_code", close="```"),
    bare=_BARE_CALL_LIST,
    pad="\n",
    between="\n",
    result_open=("```tool_output",),
    end_of_turn=("<end_of_turn>",),
    taught_by=("<start_of_turn>", "tool_code"),
    prompted_by=("<start_of_turn>", "<end_of_turn>"),
    prompt=_PYTHON_PROMPT,
    result_text="```tool_output\n{content}\n```",
)
"""Gemma 3, and Gemma 2: their templates know no tools."""

_BARE_JSON_PROMPT = """\
You can call these functions. Each line is one function: its name, what it does, and the JSON schema of its parameters.
{tools}

To call a function, write one JSON object on a line of its own, without a code fence, exactly like this:
{example}
Then stop, and the result will be given to you. A reply without a call is your final answer."""

GEMMA3_JSON = Dialect(
    name="gemma3_json",
    codec=JsonCodec(arguments_key="parameters"),
    call=Markers(open=""),
    bare=_BARE_JSON,
    between="\n",
    result_open=("<tool_result",),
    end_of_turn=("<end_of_turn>",),
    taught_by=("<start_of_turn>", '"name"', '"parameters"'),
    not_taught_by=("tool_code", "[func_name1(param"),
    prompt=_BARE_JSON_PROMPT,
)
"""Gemma 3, asked for JSON."""

_PROMPT = """\
You can call these tools. Each line is one tool: its name, what it does, and the JSON schema of its arguments.
{tools}

To call a tool, write one JSON object between the two markers, exactly like this:
{example}
The arguments must follow the tool's schema; inside strings write line breaks as \\n. You may write several calls, one \
after the other; then stop, and the results will be given to you.
A reply without a call is your final answer."""

GENERIC = Dialect(
    name="generic",
    codec=JsonCodec(),
    call=Markers(open="<tool_call>", close="</tool_call>"),
    between="\n",
    result_open=("<tool_result",),
    prompt=_PROMPT,
)
"""Ours, for templates that know no tools: its prompt teaches it in the system message."""

DIALECTS = tuple(value for value in vars().values() if isinstance(value, Dialect))
"""All of the above, in the order in which a template is asked."""

FOREIGN_CALL_MARKERS = (
    "<|tool_call_start|>",
    "<TOOLCALL>",
    "<tool_use>",
    "<tool_calls>",
    "<tool_calls:",
    "<function_call>",
    "<function_calls>",
    "<atem:function_calls>",
    "<seed:tool_call>",
    "<start_function_call>",
    "<|function_call|>",
    "<|tools_prefix|>",
    "<|tool_call:begin|>",
    "<|open|>call",
    "<|action_start|>",
    "<|START_ACTION|>",
    "<steptml:invoke",
    "<function name=",
    "]<]minimax[>[<invoke",
    "✿FUNCTION✿",
)
"""Markers that open calls of families that are in no list here; most are found by rendering where they are taught."""


def tool_prompt(specs: Sequence[ToolSpec], dialect: Dialect = GENERIC) -> str:
    """The tools and the form of a call in words, for the system message of a model whose template knows no tools.

    Empty without tools. Dialects that have no prompt of their own get the generic one with their own example.
    """
    if not specs:
        return ""
    try:
        example = dialect.render_calls([("<name of a tool>", {"<parameter>": "<value>"})])
    except ValueError:  # no names in this dialect
        example = dialect.render_calls([("name_of_a_tool", {"parameter": "value"})])
    described = (
        {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)} for spec in specs
    )
    lines = (json.dumps(one, ensure_ascii=False) for one in described)
    return (dialect.prompt or GENERIC.prompt).format(tools="\n".join(lines), example=example)
