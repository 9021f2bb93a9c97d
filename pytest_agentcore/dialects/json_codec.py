"""Calls as one JSON object, `{"name": …, "arguments": {…}}`: Hermes, Qwen and kin."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from pytest_agentcore.dialects.dialect import Codec, Decoded, MalformedCall, Notation, RawCall, skip_space

MAX_DIGITS = 1000
"""Digits of one integer that are read; Python itself refuses to convert more than 4300."""


_string = partial(json.dumps, ensure_ascii=False)

JSON = Notation(
    string=_string,
    # No raw control characters (RFC 8259, section 7), no escape that could be half of a surrogate pair, and no `\/`,
    # which is two characters where Python is written.
    character_rule=r'[^"\\\x00-\x1F\x7F] | "\\" (["\\bfnrt] | "u" ([0-9A-CEFa-cef] hex hex hex | [Dd] [0-7] hex hex))',
    key=lambda key: f"{_string(str(key))}: ",
    any_key_rule='string ": "',
)
"""Values as JSON, which most families write."""


@dataclass(frozen=True, kw_only=True)
class JsonCodec(Codec):
    """One object per call with two keys."""

    name_key: str = "name"
    arguments_key: str = "arguments"
    beside: tuple[str, ...] = ()
    """Keys that may stand beside the two and say nothing, e.g. an id."""

    names = re.compile(r".*", re.DOTALL)

    @cached_property
    def notation(self) -> Notation:
        """See `Codec.notation`."""
        head = f'{{"{self.name_key}": "'
        return replace(JSON, before_name=head, before_arguments=f'", "{self.arguments_key}": ', after_arguments="}")

    def decode(self, text: str, at: int) -> Decoded:
        """See `Codec.decode`."""
        start = skip_space(text, at)
        if not text.startswith("{", start):
            raise MalformedCall("a JSON object should stand here", start)
        value, end = read_json(text, start)
        name, arguments = value.get(self.name_key), value.get(self.arguments_key)
        if not isinstance(name, str) or not name:
            raise MalformedCall(f'the object needs "{self.name_key}", a non-empty string', start)
        if not isinstance(arguments, dict):
            raise MalformedCall(f'the object needs "{self.arguments_key}", an object', start)
        if len(value) > 2 and (extra := sorted(set(value) - {self.name_key, self.arguments_key, *self.beside})):  # noqa: PLR2004 - name and arguments
            raise MalformedCall(f"the object has the unexpected key {json.dumps(extra[0][:40])}", start)
        return Decoded((RawCall(name, arguments),), end)

    def encode(self, name: str, arguments: Mapping[str, Any]) -> str:
        """See `Codec.encode`."""
        return self.notation.call(_string(name)[1:-1], arguments)


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


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return value


_UNTERMINATED = "Unterminated string starting at"
_PROBLEMS = {
    "Expecting value": "a value is missing",
    "Expecting ',' delimiter": "a ',' is missing",
    "Expecting ':' delimiter": "a ':' is missing",
    "Expecting property name enclosed in double quotes": "a key in double quotes is missing",
    "Illegal trailing comma before end of object": "a comma stands before the end of an object",
    "Illegal trailing comma before end of array": "a comma stands before the end of a list",
    _UNTERMINATED: "a string is not closed, starting",
    "Invalid control character at": 'a string holds a raw line break or control character (write "\\n" instead)',
    "Invalid \\escape": "a string holds a backslash that begins no escape (double it)",
    "Invalid \\uXXXX escape": "a string holds a \\u escape without four hexadecimal digits",
}
"""Python's messages as the ends of sentences of ours."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_no_constant
)
