"""How exactly the calls that chat templates render are read back: a row per family, a column per folder of templates.

Run `python benchmarks/dialect_cases.py TEMPLATES_DIR...` from the repository root, e.g. with `models/templates` of
llama.cpp's source distribution; prints a Markdown table and its sums. A case is a reply that a template renders from
structured calls (one call, code as a text, two calls, values of all types), read natively and leniently by the dialect
that was chosen for the template. A case is wrong where a call came out that is none of those that went in.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_agentcore.backends.base import Message, ToolCall
from pytest_agentcore.backends.llama.messages import Calls, Turn
from pytest_agentcore.backends.llama.template import ChatTemplate
from pytest_agentcore.dialects.dialect import Parsed, Schemas
from pytest_agentcore.dialects.families import choose_dialect
from pytest_agentcore.dialects.lenient import parse_leniently
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.errors import AgentcoreError
from pytest_agentcore.tools.base import ToolSpec, object_schema

Written = Sequence[tuple[str, Mapping[str, Any]]]

TYPES: Mapping[str, Mapping[str, Any]] = {
    "path": {"type": "string"},
    "content": {"type": "string"},
    "lines": {"type": "integer"},
    "share": {"type": "number"},
    "flag": {"type": "boolean"},
    "items": {"type": "array", "items": {"type": "string"}},
    "deep": {"type": "object", "additionalProperties": {"type": "string"}},
}
SCHEMA = object_schema([], **{key: {**schema, "description": key} for key, schema in TYPES.items()})
TOOLS = tuple(ToolSpec(name=name, description="Does it.", parameters=SCHEMA) for name in ("fs_write", "configure"))
SCHEMAS: Schemas = {spec.name: spec.parameters for spec in TOOLS}
CODE = 'def f(x):\n    """Say {"a": [x]} & <b>\'s\'</b>."""\n\treturn f"{x!r}" + \'\\n\' if x < 3 else None  # é😀\n'
CASES: Mapping[str, Written] = {
    "single": [("fs_write", {"path": "notes.txt", "lines": 20})],
    "code": [("fs_write", {"path": "src/a.py", "content": CODE})],
    "double": [("fs_write", {"path": "a b.txt", "content": "42"}), ("configure", {"share": 0.25})],
    "typed": [("configure", {"flag": True, "content": "42", "items": ["a", "1"], "deep": {"x": "y"}})],
}
ASKED = (Turn(Message(role="system", content="Be brief.")), Turn(Message(role="user", content="Do it.")))


FAMILIES: Mapping[str, Sequence[str]] = {
    "Apertus": ("apertus", "Apertus"),
    "Apriel and Hunyuan A13B": ("Apriel", "unsloth-Apriel", "hunyuan_a13b"),
    "Bielik": ("Bielik",),
    "Command R+": ("CohereForAI-c4ai-command-r-plus",),
    "Command R7B and A": ("CohereForAI-c4ai-command-r7b", "Cohere2MoE"),
    "DeepSeek V3 and R1": (
        *("deepseek_v3", "deepseekv3", "deepseekr1"),
        *("deepseek-ai-DeepSeek-R1", "llama-cpp-deepseek-r1"),
    ),
    "DeepSeek V3.1": ("deepseek_v31", "deepseekv31", "deepseek-ai-DeepSeek-V3.1"),
    "DeepSeek V3.2": ("deepseek_v32", "deepseek-ai-DeepSeek-V3.2"),
    "DeepSeek V4": ("deepseek_v4", "deepseek-ai-DeepSeek-V4"),
    "Mistral Small 3.2 and kin": ("mistral", "Mistral-Small-3.2", "mistralai-Ministral", "unsloth-mistral"),
    "FireFunction": ("fireworks-ai", "functools"),
    "FunctionGemma": ("functiongemma",),
    "Functionary 3.1": ("meetkai-functionary-medium-v3.1",),
    "Functionary 3.2": ("meetkai-functionary-medium-v3.2",),
    "Gemma 3": ("gemma3", "google-gemma-2"),
    "Gemma 3 in JSON": ("gemma3_json",),
    "Gemma 4": ("gemma4", "google-gemma-4"),
    "GigaChat 3": ("GigaChat3",),
    "GLM 4.5 to 4.7": ("GLM-4.", "glm4"),
    "gpt-oss": ("openai-gpt-oss", "harmony"),
    "Granite 20B": ("granite_20b_fc",),
    "Granite 3": ("granite", "ibm-granite-granite-3"),
    "Granite 4": ("ibm-granite-granite-4",),
    "Hermes": ("hermes", "NousResearch-Hermes"),
    "Hunyuan 3": ("tencent-Hy3",),
    "InternLM 2": ("internlm2",),
    "Kimi K2": ("kimi_k2", "Kimi-K2", "moonshotai-Kimi-K2"),
    "Kimi K3": ("Kimi-K3",),
    "Laguna": ("poolside-Laguna",),
    "LFM2": ("lfm2", "LFM2-8B"),
    "LFM2.5": ("LFM2.5",),
    "Ling 3": ("inclusionai-ling-3",),
    "Llama 3": ("llama3", "meta-llama-Llama-3", "llama3.1_json", "llama3.2_json"),
    "Llama 3.2 in Python": ("llama3.2_pythonic", "toolace"),
    "Llama 4 JSON": ("llama4_json",),
    "Llama 4 in Python": ("llama4_pythonic", "pythonic"),
    "MiMo": ("MiMo",),
    "MiniCPM 5": ("openbmb-MiniCPM5",),
    "MiniMax M1": ("MiniMax-M1",),
    "MiniMax M2": ("minimax_m2", "MiniMax-M2"),
    "MiniMax M3": ("MiniMax-M3",),
    "Mistral Nemo": ("mistral_json", "mistralai-Mistral-Nemo", "mistral3", "mistral_parallel"),
    "Muse Glimmer": ("muse",),
    "Nemotron 3 Nano": ("NVIDIA-Nemotron-3-Nano",),
    "Nemotron Nano 2": ("NVIDIA-Nemotron-Nano-v2",),
    "Phi-3.5": ("microsoft-Phi-3.5",),
    "Phi-4 mini": ("phi4_mini",),
    "Qwen 2.5, 3 and QwQ": ("Qwen-Qw",),
    "Qwen3-Coder": ("qwen3_coder", "Qwen3-Coder", "qwen3coder"),
    "Qwen 3.5": ("Qwen3.5",),
    "Reka Edge": ("Reka",),
    "RWKV": ("llama-cpp-rwkv",),
    "Seed-OSS": ("ByteDance-Seed-OSS",),
    "SmolLM3": ("HuggingFaceTB-SmolLM3",),
    "Solar": ("upstage-Solar",),
    "Spark 2.5": ("Spark2.5",),
    "Step 3.5 Flash": ("StepFun3.5",),
    "xLAM": ("xlam",),
}
"""By family, how the names of its templates begin; the longest that fits counts. Others are families of their own."""


def family_of(template: str) -> str:
    """The family of a template by the name of its file."""
    name = template.removeprefix("tool_chat_template_")
    fits = [(len(begin), family) for family, begins in FAMILIES.items() for begin in begins if name.startswith(begin)]
    return max(fits)[1] if fits else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one template's cases."""

    family: str
    dialect: str
    found: str
    total: int = 0
    native: int = 0
    lenient: int = 0
    wrong: int = 0


def rows(folder: Path) -> Iterator[Row]:
    """One row per template that takes tools."""
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        try:
            template = ChatTemplate(
                source=source,
                choice=choose_dialect(source, ()),
                bos="<s>",
                eos="</s>",
                today=datetime(2026, 11, 30, tzinfo=UTC),
            )
        except AgentcoreError as error:
            yield Row(family=path.stem, dialect="none", found=str(error))
            continue
        yield row(path.stem, template)


def row(family: str, template: ChatTemplate) -> Row:
    """Render, read and count the cases of one template."""
    choice = template.choice
    if choice.warning:  # rendered as the template has it, and read as it would be read
        template = replace(template, choice=replace(choice, taught=True, warning=""))
    how = "rendering" if choice.dialect.name == "derived" else "signs" if choice.taught else "prompt"
    found = Row(family=family, dialect=choice.dialect.name, found=how)
    for written in CASES.values():
        try:
            texts = list(said(template, written))
        except (AgentcoreError, ValueError):
            continue
        strictly = [parse(choice.dialect, text, reasoning_open=opened, schemas=SCHEMAS) for text, opened in texts]
        leniently = [
            parse_leniently(text, choice.dialect, list(SCHEMAS), reasoning_open=opened, schemas=SCHEMAS)
            for text, opened in texts
        ]
        (native, first), (lenient, second) = compare(written, strictly), compare(written, leniently)
        found = replace(
            found,
            total=found.total + 1,
            native=found.native + native,
            lenient=found.lenient + lenient,
            wrong=found.wrong + max(first, second),
        )
    return found


def said(template: ChatTemplate, written: Written) -> Iterator[tuple[str, bool]]:
    """What the template renders as the model's replies, and whether the prompt opened reasoning before each."""
    calls = tuple(
        ToolCall(id=f"call_1_{index}", name=name, arguments=dict(arguments))
        for index, (name, arguments) in enumerate(written, 1)
    )
    results = [
        Turn(Message(role="tool", content=f"RESULT-{call.id}", tool_call_id=call.id, name=call.name)) for call in calls
    ]
    asked = template.prompt(ASKED, TOOLS, str)
    told = template.prompt(
        (*ASKED, Turn(Message(role="assistant", content="", tool_calls=calls)), *results), TOOLS, str
    )
    shared = asked[: next((at for at, one in enumerate(asked) if not told.startswith(one, at)), len(asked))]
    if shared.rfind("<") > shared.rfind(">"):
        shared = shared[: shared.rfind("<")]
    for index in range(1, len(calls) + 1 if template.habits.calls is Calls.one_each else 2):
        text, mark, told = told.removeprefix(shared).partition(f"RESULT-call_1_{index}")
        if not mark:
            raise ValueError("no result is shown")
        yield text, template.choice.dialect.opens_reasoning(shared) and index == 1
        shared = ""


def compare(written: Written, parsed: Sequence[Parsed]) -> tuple[bool, bool]:
    """Whether exactly the calls were read, without a problem; and whether one was that is none of them."""
    calls = [(call.name, dict(call.arguments)) for one in parsed for call in one.calls]
    texts = [json.dumps(call, sort_keys=True) for call in calls]
    wanted = [json.dumps((name, arguments), sort_keys=True) for name, arguments in written]
    same, wrong = texts == wanted, not set(texts) <= set(wanted)
    return same and not any(one.problems for one in parsed), wrong


def table(columns: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """One line a family, with the exact and all cases of its templates in each folder, and sums."""
    found = [one for rows in columns.values() for one in rows]
    yield f"| family | dialect | {' | '.join(columns)} |"
    yield f"|---|---|{'---:|' * len(columns)}"
    whole = 0
    names = sorted({family_of(one.family) for one in found}, key=str.lower)
    for name in names:
        rows = [one for one in found if family_of(one.family) == name]
        dialects = dict.fromkeys("by our prompt" if one.found == "prompt" else one.dialect for one in rows)
        cells = [exact([one for one in column if one in rows]) for column in columns.values()]
        yield f"| {name} | {', '.join(dialects)} | {' | '.join(cells)} |"
        whole += all(one.native == one.total for one in rows)
    lenient, wrong = (sum(getattr(one, part) for one in found) for part in ("lenient", "wrong"))
    yield ""
    yield f"{whole} of {len(names)} families and {exact(found)} cases are exact natively, {lenient} leniently."
    inexact = (f"{one.family} {one.native}/{one.total}" for one in found if one.native < one.total)
    yield f"Inexact: {', '.join(inexact) or 'none'}. Cases with a wrong call: {wrong}."


def exact(rows: Sequence[Row]) -> str:
    """Exact and all cases; empty where there is no template."""
    return f"{sum(one.native for one in rows)}/{sum(one.total for one in rows)}" if rows else ""


if __name__ == "__main__":
    print(*table({Path(folder).name: list(rows(Path(folder))) for folder in sys.argv[1:]}), sep="\n")
