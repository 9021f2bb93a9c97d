"""The grammar of the constrained policy: an optional short thought, then exactly one well-formed call."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_agentcore.models.dialects.base import Dialect
from pytest_agentcore.models.dialects.schema_rules import SchemaRules, literal
from pytest_agentcore.tools.base import ToolSpec

FINISH = ToolSpec(
    name="finish",
    description="End the task. Call this once, when the work is done, with your final answer.",
    parameters={
        "type": "object",
        "properties": {"answer": {"type": "string", "description": "Your final answer."}},
        "required": ["answer"],
        "additionalProperties": False,
    },
)
"""The tool that ends a trial under the constrained policy."""

THOUGHT_CHARACTERS = 240
"""Room for a thought before the call, unless the caller says otherwise."""


def call_grammar(
    specs: Sequence[ToolSpec], *, dialect: Dialect, allow_finish: bool, thought_characters: int = THOUGHT_CHARACTERS
) -> str:
    """GBNF whose every sentence `dialect.parse` reads as one call of one of `specs`, without a problem.

    Args:
        specs: the tools; `finish` need not be among them.
        dialect: whose markers and notation are written.
        allow_finish: whether `finish` may be called; the first reply of a trial cannot choose it.
        thought_characters: longest thought, a single line before the call; 0 for none.

    Raises:
        ValueError: there is nothing to call, or a schema cannot be made into a grammar.
    """
    callable_specs = [spec for spec in specs if spec.name != FINISH.name] + ([FINISH] if allow_finish else [])
    if not callable_specs:
        raise ValueError("a grammar needs at least one tool to call")
    rules = SchemaRules(dialect.codec.notation)
    rules.add("root", "thought? call" if thought_characters else "call")
    if thought_characters:
        rules.add("thought", _thought(dialect, thought_characters))
    rules.rules["call"] = ""  # keeps its place and its name; a tool may be called `call`
    choices = [_tool(rules, spec) for spec in callable_specs]
    before, after = dialect.call.open + dialect.pad, dialect.pad + dialect.call.close
    rules.rules["call"] = f"{literal(before)} ({' | '.join(choices)}) {literal(after)}"
    return rules.text()


def _tool(rules: SchemaRules, spec: ToolSpec) -> str:
    notation = rules.notation
    arguments = rules.value(spec.parameters, f"{spec.name}-arguments")
    before = literal(notation.before_name + spec.name + notation.before_arguments)
    after = f" {literal(notation.after_arguments)}" if notation.after_arguments else ""
    return rules.add(f"tool-{spec.name}", f"{before} {arguments}{after}")


def _thought(dialect: Dialect, characters: int) -> str:
    """One line of text that holds no first character of a marker, so that it can open nothing.

    Braces and backticks are barred too: given the room, Qwen2.5-Coder writes the call it means as JSON into the
    thought, and then has to make another one.
    """
    markers = [dialect.call.open, dialect.reasoning.open if dialect.reasoning else ""]
    barred = "".join(sorted({_in_class(marker[0]) for marker in markers if marker} | set("`{")))
    return rf'[^{barred}\x00-\x20\x7F] [^{barred}\x00-\x1F\x7F]{{0,{characters - 1}}} "\n"'


def _in_class(character: str) -> str:
    return f"\\{character}" if character in "[]\\^-" else character
