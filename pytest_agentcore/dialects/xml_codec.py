"""Calls with one element per argument: Qwen3-Coder, GLM 4.x, MiniMax M2, DeepSeek V3.2.

Strings stand as they are, without escapes; other values are JSON. Only the tool's schema tells the two apart (see
`typed`), except where the dialect says it itself, as DeepSeek V3.2 does with `string="true"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import NoneType
from typing import Any

from pytest_agentcore.dialects.dialect import (
    Codec,
    Decoded,
    MalformedCall,
    Notation,
    Outer,
    RawCall,
    Schemas,
    skip_space,
)
from pytest_agentcore.dialects.json_codec import JSON, read_json
from pytest_agentcore.dialects.literals import WORDS

_NAME = r"[^\s<>{}\[\]\"'=,:]{1,200}"
_KEY = r"[^\n<>\"]{1,200}?"


@dataclass(frozen=True, kw_only=True)
class XmlCodec(Codec):
    """The texts around name, keys and values."""

    before_name: str = ""
    after_name: str = ""
    before_key: str
    after_key: str
    """Between a key and its value. White space in it may be any, or none."""
    kinds: tuple[str, str] | None = None
    """`after_key` for a string and for another value, where the dialect tells them apart."""
    after_value: str
    end: str = ""
    """Closes the call, if the call's marker does not do that alone."""
    newlines: bool = False
    """A value stands on lines of its own: one line break before and one behind it do not belong to it."""
    between: str = "\n"
    """Written behind the name and behind each argument; read as any white space."""

    names = re.compile(_NAME)

    @cached_property
    def notation(self) -> Notation:
        """See `Codec.notation`."""
        outer = Outer(
            open=self.between,
            close=self.end,
            key=lambda key, raw: f"{self.before_key}{key}{self.kinds[not raw] if self.kinds else self.after_key}",
            keys=re.compile(r"[^\r\n<>\"]{1,200}"),
            tag=self.after_value,
            pad="\n" if self.newlines else "",
            behind_tag=self.between,
        )
        return replace(JSON, before_name=self.before_name, before_arguments=self.after_name, outer=outer)

    def decode(self, text: str, at: int) -> Decoded:
        """See `Codec.decode`."""
        begins, argument = self._patterns
        named = begins.match(text, at)
        if not named:
            form = f"{self.before_name}<tool>{self.after_name}" if self.before_name else "a tool's name"
            raise MalformedCall(f"{form} should stand here", skip_space(text, at))
        at, found, close = named.end(), {}, self.after_value
        while head := argument.match(text, at):
            key, start = head[1], head.end()
            end = text.find(close, start)
            if end < 0:
                raise MalformedCall(f"the value of {key[:40]!r} is not closed by {close}", at, unclosed=True)
            if key in found:
                raise MalformedCall(f"the argument {key[:40]!r} stands twice", at)
            value = text[start:end]
            if head[3]:
                value = _json(value, start)
            elif self.newlines:
                value = value.removeprefix("\n").removesuffix("\n")
            found[key] = value
            at = skip_space(text, end + len(close))
        if text.startswith(self.before_key, at):
            behind = self.kinds[0] if self.kinds else self.after_key
            raise MalformedCall(f"an argument should be {self.before_key}<key>{behind}", at)
        if not text.startswith(self.end, at):
            raise MalformedCall(f"an argument or {self.end} should stand here", at)
        return Decoded((RawCall(named[1], found),), at + len(self.end), self.kinds is None)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """Up to the first argument, and from one up to its value: groups 2 and 3 tell a string from JSON."""
        after_name = re.escape(self.after_name) if self.after_name else r"(?=[\s<]|\Z)"
        behind_key = self.kinds or (self.after_key, "")
        raw, other = (r"\s{0,20}".join(map(re.escape, text.split("\n"))) for text in behind_key)
        return (
            re.compile(rf"[ \t\r\n]*{re.escape(self.before_name)}({_NAME}){after_name}[ \t\r\n]*"),
            re.compile(rf"{re.escape(self.before_key)}({_KEY})(?:({raw})|({other or '(?!)'}))"),
        )

    def begins(self, names: str, close: str) -> str:
        """See `Codec.begins`."""
        follows = "|".join(re.escape(text) for text in (self.before_key, self.end or close) if text)
        named = rf"{re.escape(self.before_name)}(?:{names}){re.escape(self.after_name)}"
        return rf"{named}[ \t\r\n]{{0,20}}(?={follows})"


def _json(text: str, at: int) -> Any:
    try:
        value, end = read_json(text, skip_space(text, 0))
    except MalformedCall as error:
        raise MalformedCall(error.problem, at + error.at) from error
    if text[end:].strip():
        raise MalformedCall("more than one JSON value stands here", at + end)
    return value


_BEGINS_VALUE = frozenset('-0123456789[{tTfFnN"')


def typed(call: RawCall, schemas: Schemas) -> RawCall:
    """The call with values instead of texts; without a schema, what reads as JSON other than a string is that value."""
    properties = schemas.get(call.name, {}).get("properties", {})
    arguments = {key: _value(text, properties.get(key)) for key, text in call.arguments.items()}
    return RawCall(call.name, arguments)


def _value(text: str, schema: Mapping[str, Any] | None) -> Any:
    if text[:1] not in _BEGINS_VALUE:
        return text
    kinds = kinds_of(schema or {})
    if kinds == {"string"}:
        return text
    try:
        value, end = (WORDS[text], len(text)) if text in WORDS else read_json(text, 0)
    except MalformedCall:
        return text
    if text[end:].strip():
        return text
    if not kinds or "string" in kinds:
        # Where text is allowed it stands without quotes, and is a value of another type only if that is allowed, too.
        kind = _kind(value)
        other = kind != "string" and (not kinds or kind in kinds or (kind == "integer" and "number" in kinds))
        return value if other else text
    return value


def kinds_of(schema: Mapping[str, Any]) -> frozenset[str]:
    """Types that a schema names, in its branches too; empty where it names none."""
    if not isinstance(schema, Mapping):
        return frozenset()
    if "const" in schema or "enum" in schema:
        return frozenset(_kind(value) for value in schema.get("enum", (schema.get("const"),)))
    kinds = schema.get("type", ())
    found = {kinds} if isinstance(kinds, str) else set(kinds)
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        found |= kinds_of(branch)
    return frozenset(found)


def _kind(value: Any) -> str:
    kinds = {NoneType: "null", bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}
    return kinds.get(type(value), "array")
