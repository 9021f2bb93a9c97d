"""The dialects, which are data in `families.toml`, and the words that teach one where the template does not."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_agentcore.dialects.dialect import Codec, Dialect, Markers
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
    kind, *form = whole.pop("codec").items()
    values: dict[str, Any] = {"codec": _CODECS[kind[1]](**{key: _frozen(value) for key, value in form})}
    for key, value in whole.items():
        values[key] = Markers(*value) if key in _MARKERS else _frozen(value)
    values.pop("like", None)
    return Dialect(name=name, **values)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


FOREIGN_CALL_MARKERS: tuple[str, ...] = _frozen(_TABLES.pop("foreign"))
"""Markers that open calls of families that are in no list here."""
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
