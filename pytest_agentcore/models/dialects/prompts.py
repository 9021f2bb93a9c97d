"""What the generic dialect says to a model whose chat template knows no tools."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pytest_agentcore.models.dialects.families import GENERIC
from pytest_agentcore.tools.base import ToolSpec

_PROMPT = """\
You can call these tools. Each line is one tool: its name, what it does, and the JSON schema of its arguments.
{tools}

To call a tool, write one JSON object between the two markers, exactly like this:
{example}
The arguments must follow the tool's schema; inside strings write line breaks as \\n. You may write several calls, one \
after the other; then stop, and the results will be given to you.
A reply without a call is your final answer."""


def tool_prompt(specs: Sequence[ToolSpec]) -> str:
    """The paragraph that stands at the end of the system message; empty without tools."""
    if not specs:
        return ""
    example = GENERIC.render_call("<name of a tool>", {"<parameter>": "<value>"})
    return _PROMPT.format(tools="\n".join(map(_tool_line, specs)), example=example)


def tool_result_text(name: str, content: str) -> str:
    """How the result of a call is shown, as a message of the user."""
    return f'<tool_result name="{name}">\n{content}\n</tool_result>'


def _tool_line(spec: ToolSpec) -> str:
    return json.dumps(
        {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)}, ensure_ascii=False
    )
