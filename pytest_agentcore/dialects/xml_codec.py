"""Calls with one element per argument: Qwen3-Coder, GLM 4.x, MiniMax M2, DeepSeek V3.2.

Strings stand as they are, without escapes; other values are JSON. Only the tool's schema tells the two apart (see
`typed`), except where the dialect says it itself, as DeepSeek V3.2 does with `string="true"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from types import NoneType
from typing import Any

from pytest_agentcore.dialects.dialect import (
    MAX_DEPTH,
    NO_SCHEMAS,
    Codec,
    Decoded,
    MalformedCall,
    Notation,
    Outer,
    RawCall,
    Schemas,
    pattern_of,
    skip_space,
)
from pytest_agentcore.dialects.json_codec import JSON, read_json
from pytest_agentcore.dialects.literals import WORDS, PythonReader

_NAME = r"[^\s<>{}\[\]\"'=,:]{1,200}"
_KEY = r"[^\n<>\"]{1,200}?"
_AROUND = r"[ \t]{0,8}[\"']?[ \t]{0,8}"
_CDATA = ("<![CDATA[", "]]>")
"""Around a value in which XML's own characters mean nothing."""


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
    loose: bool = False
    """Blanks and quotes may stand around names and keys that the dialect writes without."""

    names = re.compile(_NAME)

    @cached_property
    def notation(self) -> Notation:
        outer = Outer(
            open=self.between,
            close=self.end,
            key=lambda key, raw: f"{self.before_key}{key}{self.kinds[not raw] if self.kinds else self.after_key}",
            keys=re.compile(r"(?! )[^\r\n<>\"]{1,200}(?<! )"),
            tag=self.after_value,
            pad="\n" if self.newlines else "",
            behind_tag=self.between,
        )
        words, before = self.kinds is None, self.before_name
        return replace(JSON, outer=outer, python=words, before_name=before, before_arguments=self.after_name)

    def encode(self, name: str, arguments: Mapping[str, Any]) -> str:
        if any(isinstance(value, str) and self._head.search(value) for value in arguments.values()):
            raise ValueError("a value that shows an argument cannot be written in this dialect")
        return super().encode(name, arguments)

    def decode(self, text: str, at: int) -> Decoded:
        named = self._begins.match(text, at)
        if not named:
            form = f"{self.before_name}<tool>{self.after_name}" if self.before_name else "a tool's name"
            raise MalformedCall(f"{form} should stand here", skip_space(text, at))
        at, found = named.end(), {}
        while head := self._head.match(text, at):
            key = head["key"].strip()
            if key in found:
                raise MalformedCall(f"the argument {key[:40]!r} stands twice", at, lost=True)
            found[key], end = self._value(text, head)
            at = skip_space(text, end)
        if text.startswith(self.before_key, at):
            behind = self.kinds[0] if self.kinds else self.after_key
            raise MalformedCall(f"an argument should be {self.before_key}<key>{behind}", at, lost=True)
        if not text.startswith(self.end, at):
            raise MalformedCall(f"an argument or {self.end} should stand here", at, lost=bool(found))
        return Decoded((RawCall(named[1], found),), at + len(self.end), self.kinds is None)

    def _value(self, text: str, head: re.Match[str]) -> tuple[Any, int]:
        """The value of the argument that `head` begins, and the index behind its end."""
        start, cdata = head.end(), text.startswith(_CDATA[0], head.end())  # which hides the closing tag, too
        hidden = text.find(_CDATA[1], start) if cdata else start
        end = text.find(self.after_value, hidden) if hidden >= 0 else -1
        if end < 0:
            problem = f"the value of {head['key'][:40]!r} is not closed by {self.after_value}"
            raise MalformedCall(problem, head.start(), unclosed=True)
        behind = end + len(self.after_value)
        shown: object
        if cdata:
            start, end, shown = start + len(_CDATA[0]), hidden, text[hidden + len(_CDATA[1]) : end].strip()
        else:
            shown = text.find(self.before_key, start, end) >= 0 and self._head.search(text, start, end)
        if shown:  # text has no escapes, so nobody can tell which of the two was meant
            problem = f"the value of {head['key'][:40]!r} is not closed, or shows an argument"
            raise MalformedCall(problem, head.start(), lost=True)
        if self.newlines:  # found before the value is copied, of which a large one would be copied thrice
            start += text.startswith("\n", start, end)
            end -= text.endswith("\n", start, end)
        if not self.kinds or head["raw"] is not None:
            return text[start:end], behind
        value, stop = read_json(text, skip_space(text, start))
        if stop > end or text[stop:end].strip():
            raise MalformedCall("more than one JSON value stands here", stop)
        return value, behind

    @cached_property
    def _begins(self) -> re.Pattern[str]:
        """Up to the first argument; group 1 is the name."""
        after_name = pattern_of(self.after_name) if self.after_name else r"(?=[\s<]|\Z)"
        name = f"{_AROUND}({_NAME}){_AROUND}" if self.loose else f"({_NAME})"
        return re.compile(rf"[ \t\r\n]*{pattern_of(self.before_name)}{name}{after_name}[ \t\r\n]*")

    @cached_property
    def _head(self) -> re.Pattern[str]:
        """An argument up to its value; the group `raw` tells a string from JSON."""
        behind = self.kinds or (self.after_key, "")
        raw, other = (r"\s{0,20}".join(map(pattern_of, text.split("\n"))) for text in behind)
        key = rf"{_AROUND}(?P<key>{_KEY}){_AROUND}" if self.loose else rf"(?P<key>{_KEY})"
        return re.compile(rf"{re.escape(self.before_key)}{key}(?:(?P<raw>{raw})|{other or '(?!)'})")

    def begins(self, names: str, close: str) -> str:
        follows = "|".join(re.escape(text) for text in (self.before_key, self.end or close) if text)
        named = rf"{pattern_of(self.before_name)}(?:{names}){pattern_of(self.after_name)}"
        return rf"{named}[ \t\r\n]{{0,20}}(?={follows})"


def typed(call: RawCall, schemas: Schemas) -> RawCall:
    """The call with values instead of texts; without a schema, what reads as JSON other than a string is that value."""
    root = schemas.get(call.name, {})
    properties = root.get("properties", {})
    arguments = {key: _value(text, properties.get(key), root) for key, text in call.arguments.items()}
    return RawCall(call.name, arguments)


_BEGINS_VALUE = frozenset("-0123456789[{tTfFnN")


def _value(text: Any, schema: Any, root: Mapping[str, Any]) -> Any:
    if not isinstance(text, str) or (text[:1] > " " and text[0] not in _BEGINS_VALUE):
        return text
    kinds, written = kinds_of(schema, root), text.strip()
    if written[:1] not in _BEGINS_VALUE or kinds == {"string"} or (not kinds and written != text):
        return text
    if isinstance(schema, Mapping) and text in schema.get("enum", ()):
        return text
    value: Any = text
    end = 0
    if written in WORDS:
        value, end = WORDS[written], len(written)
    else:
        with suppress(MalformedCall):
            value, end = read_json(written, 0)
        if end < len(written) and kinds and written[0] in "[{":
            with suppress(MalformedCall):
                value, end = PythonReader(written).value(0)
    # Where text is allowed it stands without quotes, and is a value of another type only if that is allowed, too.
    kind = _kind(value) if "string" in kinds else ""
    other = kind in kinds or (kind == "integer" and "number" in kinds)
    return text if end < len(written) or (kind and not other) else value


def kinds_of(schema: Any, root: Mapping[str, Any] = NO_SCHEMAS, depth: int = 0) -> frozenset[str]:
    """Types that a schema names, in its branches too; empty where it names none. References are looked up in `root`."""
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return frozenset()
    if isinstance(reference := schema.get("$ref"), str):
        found: Any = root
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part) if isinstance(found, Mapping) else None
        return kinds_of(found, root, depth + 1)
    if "const" in schema or "enum" in schema:
        return frozenset(_kind(value) for value in schema.get("enum", (schema.get("const"),)))
    named = schema.get("type", ())
    kinds = {named} if isinstance(named, str) else set(named)
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        kinds |= kinds_of(branch, root, depth + 1)
    return frozenset(kinds | {"null"} if kinds and schema.get("nullable") is True else kinds)


def _kind(value: Any) -> str:
    kinds = {NoneType: "null", bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}
    return kinds.get(type(value), "array")
