"""What a model is told whose chat template knows no tools."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import GEMMA3, GEMMA3_JSON, GENERIC
from pytest_agentcore.tools.base import ToolSpec

_PROMPT = """\
You can call these tools. Each line is one tool: its name, what it does, and the JSON schema of its arguments.
{tools}

To call a tool, write one JSON object between the two markers, exactly like this:
{example}
The arguments must follow the tool's schema; inside strings write line breaks as \\n. You may write several calls, one \
after the other; then stop, and the results will be given to you.
A reply without a call is your final answer."""


_GEMMA3 = """\
You can call these functions. Each line is one function: its name, what it does, and the JSON schema of its arguments.
{tools}

To call functions, write Python between these two lines, one call on each line, with keyword arguments and literal \
values only:
{example}
Then stop, and the results will be given to you behind ```tool_output. A reply without a call is your final answer."""

_GEMMA3_JSON = """\
You can call these functions. Each line is one function: its name, what it does, and the JSON schema of its parameters.
{tools}

To call a function, write one JSON object on a line of its own, without a code fence, exactly like this:
{example}
Then stop, and the result will be given to you. A reply without a call is your final answer."""

_PROMPTS = {GENERIC.name: _PROMPT, GEMMA3.name: _GEMMA3, GEMMA3_JSON.name: _GEMMA3_JSON}


def tool_prompt(specs: Sequence[ToolSpec], dialect: Dialect = GENERIC) -> str:
    """The paragraph that stands at the end of the system message; empty without tools.

    Dialects that have no prompt of their own get the generic one with their own example.
    """
    if not specs:
        return ""
    prompt = _PROMPTS.get(dialect.name, _PROMPT)
    return prompt.format(tools="\n".join(map(_tool_line, specs)), example=_example(dialect))


def _example(dialect: Dialect) -> str:
    try:
        return dialect.render_calls([("<name of a tool>", {"<parameter>": "<value>"})])
    except ValueError:
        return dialect.render_calls([("name_of_a_tool", {"parameter": "value"})])


def tool_result_text(name: str, content: str, dialect: Dialect = GENERIC) -> str:
    """How the result of a call is shown, as a message of the user."""
    return dialect.result_text.format(name=name, content=content)


def _tool_line(spec: ToolSpec) -> str:
    return json.dumps(
        {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)}, ensure_ascii=False
    )
