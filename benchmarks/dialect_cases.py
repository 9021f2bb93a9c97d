"""How exactly the calls that chat templates render are read back: one row per template of some folders.

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
from pytest_agentcore.dialects.choose import choose_dialect
from pytest_agentcore.dialects.dialect import Parsed, Schemas
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


FAMILIES: Mapping[str, str] = {
    "Apertus": "Apertus",
    "Apriel": "Apriel",
    "unsloth-Apriel": "Apriel",
    "ByteDance-Seed-OSS": "Seed-OSS",
    "CohereForAI-c4ai-command-r-plus": "Command R+",
    "CohereForAI-c4ai-command-r7b": "Command R7B and A",
    "Cohere2MoE": "Command R7B and A",
    "GLM-4.": "GLM 4.5 to 4.7",
    "glm4": "GLM 4.5 to 4.7",
    "GigaChat3": "GigaChat 3",
    "Kimi-K2": "Kimi K2",
    "moonshotai-Kimi-K2": "Kimi K2",
    "kimi_k2": "Kimi K2",
    "Kimi-K3": "Kimi K3",
    "LFM2.5": "LFM2.5",
    "LFM2-8B": "LFM2",
    "lfm2": "LFM2",
    "MiniMax-M1": "MiniMax M1",
    "MiniMax-M2": "MiniMax M2",
    "minimax_m2": "MiniMax M2",
    "Mistral-Small-3.2": "Mistral Small 3.2",
    "mistral_json": "Mistral Nemo",
    "mistralai-Mistral-Nemo": "Mistral Nemo",
    "mistral": "Mistral Small 3.2",
    "NVIDIA-Nemotron-3-Nano": "Nemotron 3 Nano",
    "NVIDIA-Nemotron-Nano-v2": "Nemotron Nano 2",
    "NousResearch-Hermes": "Hermes",
    "hermes": "Hermes",
    "qwen3_coder": "Qwen3-Coder",
    "deepseek-ai-DeepSeek-R1": "DeepSeek V3 and R1",
    "llama-cpp-deepseek-r1": "DeepSeek V3 and R1",
    "deepseek_v31": "DeepSeek V3.1",
    "deepseek_v32": "DeepSeek V3.2",
    "deepseek_v3": "DeepSeek V3 and R1",
    "deepseek_v4": "DeepSeek V4",
    "deepseek-ai-DeepSeek-V3.1": "DeepSeek V3.1",
    "deepseek-ai-DeepSeek-V3.2": "DeepSeek V3.2",
    "deepseek-ai-DeepSeek-V4": "DeepSeek V4",
    "fireworks-ai": "FireFunction and Phi-4 mini",
    "functools": "FireFunction and Phi-4 mini",
    "google-gemma-4": "Gemma 4",
    "gemma4": "Gemma 4",
    "gemma3": "Gemma 3",
    "ibm-granite-granite-3": "Granite 3",
    "granite": "Granite 3",
    "ibm-granite-granite-4": "Granite 4",
    "meetkai-functionary-medium-v3.1": "Functionary 3.1",
    "meetkai-functionary-medium-v3.2": "Functionary 3.2",
    "meta-llama-Llama-3": "Llama 3",
    "llama3": "Llama 3",
    "openai-gpt-oss": "gpt-oss",
    "harmony": "gpt-oss",
    "openbmb-MiniCPM5": "MiniCPM 5",
    "poolside-Laguna": "Laguna",
    "tencent-Hy3": "Hunyuan 3",
    "upstage-Solar": "Solar",
}
"""By how the name of a template begins, the family of which it is one of several; others are their own."""


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


def families(found: Sequence[Row]) -> Mapping[str, bool]:
    """By family whose templates take tools, whether all of them are read natively and exactly."""
    exact: dict[str, bool] = {}
    for one in found:
        if one.total and (one.found != "prompt" or one.native < one.total):
            family = next((name for start, name in FAMILIES.items() if one.family.startswith(start)), one.family)
            exact[family] = exact.get(family, True) and one.native == one.total
    return exact


def main(folders: Sequence[str]) -> None:
    """Print the table."""
    print("| family | dialect | found by | native | lenient | wrong |\n|---|---|---|---:|---:|---:|")
    found = [one for folder in folders for one in rows(Path(folder))]
    for one in found:
        cells = (
            one.family,
            one.dialect,
            one.found,
            f"{one.native}/{one.total}",
            f"{one.lenient}/{one.total}",
            one.wrong,
        )
        print(f"| {' | '.join(map(str, cells))} |")
    exact = sum(one.native == one.total > 0 and one.found != "prompt" for one in found)
    total, native, lenient, wrong = (
        sum(getattr(one, part) for one in found) for part in ("total", "native", "lenient", "wrong")
    )
    prompted = sum(one.found == "prompt" for one in found)
    print(f"\n{exact} of {len(found) - prompted} templates that teach a dialect are exact; {prompted} are prompted.")
    of_family = families(found)
    inexact = sorted(family for family, whole in of_family.items() if not whole)
    print(f"{len(of_family) - len(inexact)} of {len(of_family)} families are, all but {', '.join(inexact) or 'none'}.")
    print(f"Of {total} cases {native} are exact natively, {lenient} leniently; {wrong} have a wrong call.")


if __name__ == "__main__":
    main(sys.argv[1:])
