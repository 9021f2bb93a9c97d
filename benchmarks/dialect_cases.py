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
    print(f"Of {total} cases {native} are exact natively, {lenient} leniently; {wrong} have a wrong call.")


if __name__ == "__main__":
    main(sys.argv[1:])
