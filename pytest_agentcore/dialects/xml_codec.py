"""Calls with one element per argument: Qwen3-Coder, GLM 4.x, MiniMax M2, DeepSeek V3.2.

Strings stand as they are, without escapes; other values are JSON. Only the tool's schema tells the two apart (see
`typed`), except where the dialect says it itself, as DeepSeek V3.2 does with `string="true"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
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
            key=self._before_value,
            keys=re.compile(r"[^\r\n<>\"]{1,200}"),
            tag=self.after_value,
            pad="\n" if self.newlines else "",
            behind_tag=self.between,
        )
        return replace(JSON, before_name=self.before_name, before_arguments=self.after_name, outer=outer)

    def _before_value(self, key: str, raw: bool) -> str:
        return f"{self.before_key}{key}{self.kinds[not raw] if self.kinds else self.after_key}"

    def decode(self, text: str, at: int) -> Decoded:
        """See `Codec.decode`."""
        named = self._named.match(text, at)
        if not named:
            raise MalformedCall(
                f"{self.before_name}<tool>{self.after_name} should stand here"
                if self.before_name
                else "a tool's name should stand here",
                skip_space(text, at),
            )
        arguments, end = self._arguments(text, named.end())
        return Decoded((RawCall(named[1], arguments),), self._ended(text, end), self.kinds is None)

    @cached_property
    def _named(self) -> re.Pattern[str]:
        after_name = re.escape(self.after_name) if self.after_name else r"(?=[\s<]|\Z)"
        return re.compile(rf"[ \t\r\n]*{re.escape(self.before_name)}({_NAME}){after_name}[ \t\r\n]*")

    @cached_property
    def _argument(self) -> re.Pattern[str]:
        behind = "|".join(_spaced(text) for text in self.kinds or (self.after_key,))
        return re.compile(rf"{re.escape(self.before_key)}({_KEY})({behind})")

    def _arguments(self, text: str, at: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        argument, close = self._argument.match, self.after_value
        while head := argument(text, at):
            key, start = head[1], head.end()
            end = text.find(close, start)
            if end < 0:
                raise MalformedCall(f"the value of {key[:40]!r} is not closed by {close}", at, unclosed=True)
            if key in found:
                raise MalformedCall(f"the argument {key[:40]!r} stands twice", at)
            found[key] = self._value(text[start:end], head[2], start)
            at = skip_space(text, end + len(close))
        return found, at

    def _value(self, text: str, behind: str, at: int) -> Any:
        if self.kinds:
            return text if _spaceless(behind) == _spaceless(self.kinds[0]) else _json(text, at)
        if not self.newlines:
            return text
        text = text[1:] if text.startswith("\n") else text
        return text[:-1] if text.endswith("\n") else text

    def _ended(self, text: str, at: int) -> int:
        if text.startswith(self.before_key, at):
            raise MalformedCall(
                f"an argument should be {self.before_key}<key>{self.kinds[0] if self.kinds else self.after_key}", at
            )
        if not text.startswith(self.end, at):
            raise MalformedCall(f"an argument or {self.end} should stand here", at)
        return at + len(self.end)

    def begins(self, names: str, close: str) -> str:
        """See `Codec.begins`."""
        follows = "|".join(re.escape(text) for text in (self.before_key, self.end or close) if text)
        named = rf"{re.escape(self.before_name)}(?:{names}){re.escape(self.after_name)}"
        return rf"{named}[ \t\r\n]{{0,20}}(?={follows})"


def _spaced(text: str) -> str:
    """A pattern for `text` in which white space may be any."""
    return r"\s{0,20}".join(re.escape(part) for part in re.split(r"\n", text))


def _spaceless(text: str) -> str:
    return "".join(text.split())


def _json(text: str, at: int) -> Any:
    try:
        value, end = read_json(text, skip_space(text, 0))
    except MalformedCall as error:
        raise MalformedCall(error.problem, at + error.at) from error
    if text[end:].strip():
        raise MalformedCall("more than one JSON value stands here", at + end)
    return value


_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
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
        value, end = (_WORDS[text], len(text)) if text in _WORDS else read_json(text, 0)
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
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}
    return kinds.get(type(value), "array")
