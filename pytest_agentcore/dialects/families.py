"""The dialects, which are data in `families.toml`, and which of them a model speaks.

That is chosen by the chat template and the special tokens, never by a model's name; where the template does not teach
the dialect, a prompt does.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_agentcore.dialects.dialect import THINK, Codec, Dialect, Markers
from pytest_agentcore.dialects.gemma_codec import GemmaCodec
from pytest_agentcore.dialects.json_codec import JsonCodec, NamedJsonCodec
from pytest_agentcore.dialects.pythonic_codec import PythonicCodec
from pytest_agentcore.dialects.xml_codec import XmlCodec
from pytest_agentcore.errors import UsageError, instead
from pytest_agentcore.tools.base import ToolSpec

_TABLES = tomllib.loads(Path(__file__).with_name("families.toml").read_text(encoding="utf-8"))
_CODECS: Mapping[str, Callable[..., Codec]] = {
    "json": JsonCodec,
    "named_json": NamedJsonCodec,
    "elements": XmlCodec,
    "gemma": GemmaCodec,
    "python": PythonicCodec,
}
_MARKERS = frozenset({"call", "section", "reasoning", "thought"})


def _dialect(name: str, table: Mapping[str, Any]) -> Dialect:
    """The dialect that a table describes; one with keys that no dialect has raises a TypeError."""
    whole = {**_TABLES.get(table.get("like", ""), {}), **table}
    whole.pop("like", None)
    kind, *form = whole.pop("codec").items()
    codec = _CODECS[kind[1]](**{key: _frozen(value) for key, value in form})
    values: dict[str, Any] = {key: _frozen(value, key) for key, value in whole.items()}
    return Dialect(name=name, codec=codec, **values)


def _frozen(value: Any, key: str = "") -> Any:
    return Markers(*value) if key in _MARKERS else tuple(value) if isinstance(value, list) else value


FOREIGN_CALL_MARKERS: tuple[str, ...] = _frozen(_TABLES.pop("foreign"))
"""Markers that open calls of families that are in no list here."""
ENDS_OF_TURNS: tuple[str, ...] = _frozen(_TABLES.pop("ends"))
"""Tokens that end a turn in whatever dialect, where the vocabulary has them."""
DIALECTS = tuple(_dialect(name, table) for name, table in _TABLES.items())
"""All of them, in the order in which a template is asked."""


def dialect_named(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        UsageError: there is none.
    """
    known = {dialect.name: dialect for dialect in DIALECTS}
    if name not in known:
        raise UsageError(f"no dialect {name!r}; {instead(name, known)}")
    return known[name]


GENERIC, HERMES, PYTHONIC = map(dialect_named, ("generic", "hermes", "pythonic"))
_KNOWS_TOOLS = re.compile(r"\{[{%][^{}]*\b(?:tools|functions)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A dialect and why it was chosen."""

    dialect: Dialect
    """With the end-of-turn tokens of this vocabulary added to its own."""
    reason: str
    """One clause for header and manifest."""
    taught: bool
    """Whether the template itself takes tools and teaches this dialect; if not, the prompt must (see `tool_prompt`)."""
    warning: str = ""
    """One sentence where the template has a way of its own with tools and none of the dialects is that way."""


def choose_template(
    template: str | None, tool_template: str | None, special_tokens: Collection[str], *, wanted: str = ""
) -> tuple[str | None, Choice]:
    """The one of a model's two chat templates that is used, with its dialect; one for tools wins over one without."""
    choice = choose_dialect(template, special_tokens, wanted=wanted)
    if choice.taught or not tool_template:
        return template, choice
    return tool_template, choose_dialect(tool_template, special_tokens, wanted=wanted)


def choose_dialect(template: str | None, special_tokens: Collection[str], *, wanted: str = "") -> Choice:
    """The dialect that `template` teaches, or else one that our own prompt teaches, with the reason why.

    Args:
        template: text of the chat template (Jinja), None where the file has none.
        special_tokens: texts of the vocabulary's control and user-defined tokens.
        wanted: name of a dialect that is used whatever the template says; empty leaves the choice to the template.

    Raises:
        UsageError: no dialect is called `wanted`.
    """
    dialect, taught, warning = GENERIC, False, ""
    if wanted:
        dialect, reason = dialect_named(wanted), "it was asked for by name"
        taught = _teaches(template or "", dialect)
    elif template is None:
        reason = "the model file has no chat template"
    elif teacher := next((each for each in DIALECTS if _teaches(template, each)), None):
        dialect, taught, marker = teacher, True, teacher.section or teacher.call
        reason = f"the chat template holds {' and '.join(teacher.taught_by)}"
        if marker.open:
            between = f"between {marker.open} and {marker.close}" if marker.close else f"behind {marker.open}"
            inside = [sign for sign in teacher.taught_by if sign[0] in "<[`" and sign not in marker.open + marker.close]
            reason = f"the chat template writes calls {between}"
            reason += f" and holds {' and '.join(inside)}" if inside else ""
            reason += f", and {marker.open} is one token" if marker.open in special_tokens else ""
    elif not _KNOWS_TOOLS.search(template):  # a family's own prompt where its makers document one, else ours
        reason = "the chat template does not know tools"
        prompted = (one for one in DIALECTS if one.prompted_by and all(sign in template for sign in one.prompted_by))
        if family := next(prompted, None):
            dialect = family
            reason += f", and its {family.prompted_by[0]} is that of a family whose makers prompt for this one"
    else:
        reason = "the chat template takes tools in a way that no dialect here recognises"
        if foreign := next((marker for marker in FOREIGN_CALL_MARKERS if marker in template), None):
            reason = f"the chat template writes calls with {foreign}, a dialect that is not supported"
        warning = f"{reason}; calls are asked for in the generic dialect instead, which may cost the model points"
    template = template or ""
    # The tokens that are special in this vocabulary; those the template writes come first.
    ends = [token for token in ENDS_OF_TURNS if token in special_tokens and token not in dialect.goes_on]
    ends.sort(key=lambda token: token not in template)
    reasoning = dialect.reasoning
    if reasoning and reasoning.open not in template and THINK.open in template:  # as in Magistral of June 2025
        reasoning = THINK
    whole = replace(dialect, end_of_turn=tuple(dict.fromkeys([*dialect.end_of_turn, *ends])), reasoning=reasoning)
    return Choice(dialect=whole, reason=reason, taught=taught, warning=warning)


def _teaches(template: str, dialect: Dialect) -> bool:
    taught, other = dialect.taught_by, dialect.not_taught_by
    return bool(taught) and all(sign in template for sign in taught) and not any(sign in template for sign in other)


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
