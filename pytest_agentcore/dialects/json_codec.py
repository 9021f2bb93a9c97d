"""Calls whose arguments are JSON: in one object, `{"name": …, "arguments": {…}}`, or behind the tool's name.

The first is the form of Hermes, Qwen and kin, the second that of Mistral, DeepSeek V3 and V3.1, Kimi K2, gpt-oss.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from pytest_agentcore.dialects.dialect import (
    HOLE,
    Codec,
    Decoded,
    MalformedCall,
    Notation,
    RawCall,
    pattern_of,
    skip_space,
)
from pytest_agentcore.dialects.literals import Loose, read_loosely

MAX_DIGITS = 1000
"""Digits of one integer that are read; Python itself refuses to convert more than 4300."""

_string = partial(json.dumps, ensure_ascii=False)

JSON = Notation(
    string=_string,
    # None that could be half of a surrogate pair, and no `\/`, which is two characters where Python is written.
    escapes=r'"\\" (["\\bfnrt] | "u" ([0-9A-CEFa-cef] hex hex hex | [Dd] [0-7] hex hex))',
    key=lambda key: f"{_string(str(key))}: ",
    any_key_rule='string ": "',
    words={None: "null", True: "true", False: "false"},
)
"""Values as JSON, which most families write."""


@dataclass(frozen=True, kw_only=True)
class JsonCodec(Codec):
    """One object per call, with the tool's name and the arguments under two keys."""

    name_key: str = "name"
    """Empty: the name is itself the key of the arguments."""
    arguments_key: str = "arguments"
    beside: tuple[str, ...] = ()
    """Keys that may stand beside the two and say nothing, e.g. an id."""
    form: str = ""
    """The object as it is written, with `NAME` and `ARGUMENTS` in it, where more than the two keys belong to it."""

    names = re.compile(r".*", re.DOTALL)

    @cached_property
    def notation(self) -> Notation:
        keys = f'"{self.name_key}": "NAME", "{self.arguments_key}"' if self.name_key else '"NAME"'
        before, _, rest = (self.form or f"{{{keys}: ARGUMENTS}}").partition("NAME")
        between, _, after = rest.partition("ARGUMENTS")
        aside = "".join(f', "{key}": "{HOLE}"' for key in self.beside if key == "id" and not self.form)
        return replace(JSON, before_name=before, before_arguments=between, aside_arguments=aside, after_arguments=after)

    def decode(self, text: str, at: int) -> Decoded:
        start = skip_space(text, at)
        value, end = read_object(text, start, "a JSON object should stand here")
        if not self.name_key:
            key, inner = next(iter(value.items())) if len(value) == 1 else ("", None)
            if key and isinstance(inner, dict):
                return Decoded((RawCall(key, inner),), end)
            raise MalformedCall("the object needs the tool's name as its one key, and an object behind it", start)
        name, arguments = value.get(self.name_key), value.get(self.arguments_key)
        if not isinstance(name, str) or not name:
            raise MalformedCall(f'the object needs "{self.name_key}", a non-empty string', start)
        if not isinstance(arguments, dict):
            raise MalformedCall(f'the object needs "{self.arguments_key}", an object', start)
        extra = sorted(set(value) - {self.name_key, self.arguments_key, *self.beside}) if len(value) > 2 else ()  # noqa: PLR2004 - name and arguments
        if extra:
            raise MalformedCall(f"the object has the unexpected key {json.dumps(extra[0][:40])}", start)
        return Decoded((RawCall(name, arguments),), end)

    def bare_call(self, *, listed: bool) -> str:
        space, colon, given = r"[ \t\r\n]{0,20}", r"[ \t]{0,8}:[ \t]{0,8}", {self.arguments_key, "arguments"}
        beside = (
            rf'(?:"(?:{"|".join(self.beside)})"{colon}"[^"\n]{{0,80}}"[ \t]{{0,8}},{space})?' if self.beside else ""
        )
        named = rf'"{self.name_key}"{colon}"[^"\n]{{1,200}}"[ \t]{{0,8}},{space}"(?:{"|".join(sorted(given))})"'
        return (rf"\[{space}" if listed else "") + rf"\{{{space}{beside}{named}[ \t]{{0,8}}:"

    def encode(self, name: str, arguments: Mapping[str, Any]) -> str:
        return self.notation.call(_string(name)[1:-1], arguments)


_FENCE = re.compile(r"[ \t\r\n]{0,8}```")
_NAME = r"[^\s<>{}\[\]\"'=,]{1,200}?"


@dataclass(frozen=True, kw_only=True)
class NamedJsonCodec(Codec):
    """A name and an object, with the texts around them as they are written and as they are read."""

    before_name: str = ""
    between: str
    """Between name and arguments."""
    behind: str = ""
    """Behind the arguments, before the call's closing marker."""
    between_pattern: str = ""
    """Pattern that is read as `between`; empty: exactly that."""
    aside: str = ""
    """May stand behind the name, and is read where `between_pattern` has it."""
    loosely: str = ""
    """Pattern that a forgiving reader takes for `between` besides."""
    loose: Loose | None = None
    """Given, arguments need not quite be JSON, `before_name` and `behind` may be missing, and `between` be inexact."""

    names = re.compile(_NAME)

    @cached_property
    def notation(self) -> Notation:
        before, after = self.before_name, self.behind
        return replace(
            JSON, before_name=before, aside_name=self.aside, before_arguments=self.between, after_arguments=after
        )

    def decode(self, text: str, at: int) -> Decoded:
        head = self._head.match(text, at)
        if not head:
            shown = f"{self.before_name}<tool>{self.between}".replace("\n", "\\n")
            raise MalformedCall(f"{shown} should stand here", skip_space(text, at))
        if self.loose:
            arguments, end, _notes = read_loosely(text, head.end(), self.loose)
        else:
            arguments, end = read_object(text, head.end(), "the arguments should be a JSON object")
        if self.behind:
            wanted, after = self.behind.strip(), skip_space(text, end)
            if text.startswith(wanted, after):
                end = after + len(wanted)
            elif not self.loose:
                raise MalformedCall(f"{wanted} should follow the arguments", after)
        elif self.loose and (fence := _FENCE.match(text, end)):
            end = fence.end()
        return Decoded((RawCall(head[1], arguments),), end)

    @cached_property
    def _head(self) -> re.Pattern[str]:
        before = pattern_of(self.before_name)
        if self.loose:
            return re.compile(rf"[ \t\r\n]*(?:{before})?({_NAME}){self._between_loosely}[ \t\r\n]*(?=\{{)")
        between = self.between_pattern or pattern_of(self.between)
        return re.compile(rf"[ \t\r\n]*{before}({_NAME}){between}[ \t\r\n]*")

    @property
    def _between_loosely(self) -> str:
        between = self.between_pattern or pattern_of(self.between)
        return f"(?:{between}|{self.loosely})" if self.loosely else between

    def bare_call(self, *, listed: bool) -> str:  # noqa: ARG002 - only a line of its own tells a name from text
        return r"(?m:^)[A-Za-z_][\w.-]{0,63}\n(?=\{)" if self.between == "\n" else ""

    def begins(self, names: str, close: str) -> str:  # noqa: ARG002 - the object ends it
        before, follows = pattern_of(self.before_name), rf"(?={self._between_loosely}[ \t\r\n]{{0,20}}\{{)"
        named = [rf"{before}(?:{names}){follows}"] if before else []
        if any(mark in self.between for mark in "<["):  # else nothing but `before_name` tells it from other text
            named.append(rf"(?:{names}){follows}")
        return "|".join(named)


def read_object(text: str, at: int, problem: str) -> tuple[dict[str, Any], int]:
    """The JSON object that begins at `at`, as `read_json` reads it; `problem` says that none does."""
    if not text.startswith("{", at):
        raise MalformedCall(problem, at)
    return read_json(text, at)


def read_json(text: str, at: int) -> tuple[Any, int]:
    """The JSON value that begins at `at`, strictly (RFC 8259, no repeated keys), and the index behind it.

    Raises:
        MalformedCall: no such value stands there, or it cannot be represented.
    """
    try:
        value, end = _DECODER.raw_decode(text, at)
        if _SURROGATE.search(text, at, end):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        problem = _PROBLEMS.get(error.msg, error.msg[:1].lower() + error.msg[1:])
        raise MalformedCall(problem, error.pos, unclosed=error.msg == _UNTERMINATED) from error
    except UnicodeEncodeError as error:
        raise MalformedCall("a string holds half of a surrogate pair", at) from error
    except RecursionError as error:
        raise MalformedCall("the value is nested too deeply", at) from error
    except ValueError as error:
        raise MalformedCall(str(error), at) from error
    return value, end


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object has the same key twice")
    return value


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number has too many digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large" if digits[-1].isdigit() else f"{digits} is no JSON value")
    return value


_UNTERMINATED = "Unterminated string starting at"
_PROBLEMS = {
    "Expecting value": "a value is missing",
    "Expecting ',' delimiter": "a ',' is missing",
    "Expecting ':' delimiter": "a ':' is missing",
    "Expecting property name enclosed in double quotes": "a key in double quotes is missing",
    _UNTERMINATED: "a string is not closed, starting",
    "Invalid control character at": 'a string holds a raw line break or control character (write "\\n" instead)',
    "Invalid \\escape": "a string holds a backslash that begins no escape (double it)",
}
"""Python's messages as the ends of sentences of ours."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_float)
