"""Calls as Python writes them: `shell(command="ls -l", seconds=3)`; keyword arguments and literals only.

Gemma 3 writes one call a line, also inside `print(…)` or a list; Llama 3.2 and 4 may be asked for a list of calls.
Nothing is evaluated: this is a reader of literals (https://docs.python.org/3/reference/lexical_analysis.html).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_agentcore.dialects.dialect import Decoded, MalformedCall, Notation, Outer, RawCall

MAX_DEPTH = 64
"""Dictionaries and lists inside each other."""

_NAME = r"[A-Za-z_][\w.-]{0,199}"
_KEYWORD = r"[^\W\d]\w{0,199}"
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_HEAD = re.compile(rf"({_NAME}?)(?:\.call)?[ \t]{{0,8}}\(")
_PRINT = re.compile(rf"print[ \t]{{0,8}}\(\s{{0,20}}(?={_NAME}[ \t]{{0,8}}\()")
_ARGUMENT = re.compile(
    rf"""({_KEYWORD})[ \t\r\n]*=[ \t\r\n]*(?:"([^"\\\n]*)"(?!")|'([^'\\\n]*)'(?!')|(-?[0-9]{{1,18}})(?![\w.]))?"""
)
_VALUE = r"""(?:"[^"\\\n]{0,200}"(?!")|'[^'\\\n]{0,200}'(?!')|-?[0-9]{1,18}|True|False|None)"""
_PLAIN_CALL = re.compile(rf"({_NAME})\(((?:{_KEYWORD}={_VALUE}(?:, (?=\w)|(?=\))))*)\)")
"""A call as models nearly always write it; anything else is read piece by piece."""
_PLAIN_ARGUMENT = re.compile(rf"""({_KEYWORD})=(?:"([^"]*)"|'([^']*)'|([^,"')]*))""")
_DIGITS = r"[0-9](?:_?[0-9]){0,999}"
_NUMBER = re.compile(rf"[-+]?(?:{_DIGITS}(\.[0-9]{{0,1000}})?|(\.[0-9]{{1,1000}}))([eE][-+]?[0-9]{{1,4}})?(?![\w.])")
_PREFIXED = re.compile(r"[-+]?0(?:[xX](?:_?[0-9a-fA-F]){1,250}|[oO](?:_?[0-7]){1,330}|[bB](?:_?[01]){1,1000})(?![\w.])")
_WORD = re.compile(r"[A-Za-z]{1,20}(?!\w)")
_WORDS = {"True": True, "False": False, "None": None, "true": True, "false": False, "null": None}
_PREFIX = re.compile(r"([rR]?)(\"\"\"|'''|\"|')")
# Atomic groups, since possessive repeats of alternatives match wrongly before Python 3.11.5 (python/cpython#106052).
_BODY = {quote: re.compile(rf"(?>(?:[^\\\n{quote}]+|\\[\s\S])*){quote}") for quote in "\"'"}
_BODY |= {
    quote * 3: re.compile(rf"(?>(?:[^\\{quote}]+|{quote}(?!{quote}{quote})|\\[\s\S])*){quote * 3}") for quote in "\"'"
}
_NOT_JSON = re.compile(r"\\(?:[^\\\"bfnrtu]|u(?![0-9a-fA-F]{4}))|[\x00-\x1f]")
_ESCAPE = re.compile(r"\\(?:([\\'\"abfnrtv\n])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3}))")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\n": ""}
_CLOSED = {"{": "}", "[": "]", "(": ")"}


@dataclass(frozen=True, kw_only=True)
class PythonicCodec:
    """One call, or with `several` as many as stand there: on lines of their own, printed, or in a list."""

    several: bool = False

    example = 'tool(key="text", number=1)'

    @property
    def last(self) -> str:
        """See `Codec.last`."""
        return "" if self.several else ")"

    @property
    def notation(self) -> Notation:
        """See `Codec.notation`."""
        outer = Outer(open="(", close=")", key=lambda key, _raw: f"{_keyword(key)}=", after_value="", separator=", ")
        return Notation(
            before_name="",
            before_arguments="",
            after_arguments="",
            key=lambda key: f"{_string(key)}: ",
            separator=", ",
            literal=_literal,
            null="None",
            true="True",
            false="False",
            string_quote='"',
            string_character_rule=(
                r'[^"\\\x00-\x1F\x7F] | "\\" (["\\nrt] | "u" ([0-9A-CEFa-cef] hex hex hex | [Dd] [0-7] hex hex))'
            ),
            any_key_rule='string ": "',
            outer=outer,
        )

    def decode(self, text: str, at: int) -> Decoded:
        """See `Codec.decode`."""
        at = _skip(text, at)
        if not self.several:
            call, end = _plain(text, at) or _Reader(text).call(at)
            return Decoded((call,), end)
        if (plain := _plain(text, at)) and text.startswith("```", end := _skip(text, plain[1])):
            return Decoded((plain[0],), end)
        return _Reader(text).statements(at)

    def decode_list(self, text: str, at: int) -> Decoded:
        """See `DecodesList.decode_list`."""
        at = _skip(text, at)
        if not text.startswith("[", at):
            raise MalformedCall("a '[' should stand here", at)
        return Decoded(*_Reader(text).calls(at))

    def begins(self, names: str, close: str) -> str:  # noqa: ARG002 - so is any code written
        """See `Codec.begins`."""
        return ""

    def encode(self, name: str, arguments: Mapping[str, Any]) -> str:
        """See `Codec.encode`."""
        if not re.fullmatch(_NAME, name) or name == "print" or name.endswith(".call"):
            raise ValueError(f"not a tool's name in this dialect: {name!r}")
        return f"{name}({', '.join(f'{_keyword(key)}={_literal(value)}' for key, value in arguments.items())})"


def _plain(text: str, at: int) -> tuple[RawCall, int] | None:
    found = _PLAIN_CALL.match(text, at)
    if not found or found[1].endswith(".call"):
        return None
    start, end = found.span(2)
    pairs = _PLAIN_ARGUMENT.findall(text, start, end)
    arguments = {
        key: double or single if not bare else _WORDS[bare] if bare in _WORDS else int(bare)
        for key, double, single, bare in pairs
    }
    return (RawCall(found[1], arguments), found.end()) if len(arguments) == len(pairs) else None


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def statements(self, at: int) -> Decoded:
        """As many as stand there, on lines of their own or with semicolons between them."""
        first, end = self._statement(at)
        calls = [*first]
        while (at := self._behind_semicolon(end)) < len(self.text) and (
            self.text[at] == "[" or _HEAD.match(self.text, at)
        ):
            more, end = self._statement(at)
            calls += more
        return Decoded(tuple(calls), at if self.text.startswith("```", at) else end)

    def _behind_semicolon(self, at: int) -> int:
        at = _skip(self.text, at)
        return _skip(self.text, at + 1) if self.text.startswith(";", at) else at

    def _statement(self, at: int) -> tuple[tuple[RawCall, ...], int]:
        """A call, a printed call, or a list of calls, and the index behind it."""
        if self.text.startswith("[", at):
            return self.calls(at)
        if printed := _PRINT.match(self.text, at):
            call, end = self.call(printed.end())
            return (call,), self._expect(")", end)
        call, end = self.call(at)
        return (call,), end

    def calls(self, at: int) -> tuple[tuple[RawCall, ...], int]:
        """The list of calls, at least one, whose bracket stands at `at`, and the index behind it."""
        found: list[RawCall] = []
        at = _skip(self.text, at + 1)
        while not found or not self.text.startswith("]", at):
            call, at = self.call(at)
            found.append(call)
            at = self._next("]", at)
        return tuple(found), at + 1

    def _expect(self, wanted: str, at: int) -> int:
        at = _skip(self.text, at)
        if not self.text.startswith(wanted, at):
            raise MalformedCall(f"a '{wanted}' is missing", at)
        return at + len(wanted)

    def call(self, at: int) -> tuple[RawCall, int]:
        """The call that begins at `at`, and the index behind it."""
        text = self.text
        if plain := _plain(text, at):
            return plain
        head = _HEAD.match(text, at)
        if not head:
            raise MalformedCall("tool(key=value) should stand here", at)
        at, found = _skip(text, head.end()), dict[str, Any]()
        while not text.startswith(")", at):
            at = self._next(")", self._argument(at, found))
        return RawCall(name=head[1], arguments=found), at + 1

    def _argument(self, at: int, found: dict[str, Any]) -> int:
        argument = _ARGUMENT.match(self.text, at)
        if not argument:
            raise MalformedCall("a keyword argument should stand here (key=value)", at)
        key, double, single, number = argument.groups()
        if key in found:
            raise MalformedCall(f"the argument {key[:40]!r} stands twice", at)
        string = double if double is not None else single
        if string is not None and not _PREFIX.match(self.text, _skip(self.text, argument.end())):
            found[key] = string
            return argument.end()
        if number is not None:
            found[key] = int(number)
            return argument.end()
        found[key], end = self.value(argument.end() if string is None else argument.end() - len(string) - 2, 0)
        return end

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """Any literal."""
        if depth > MAX_DEPTH:
            raise MalformedCall("the value is nested too deeply", at)
        at = _skip(self.text, at)
        start = self.text[at : at + 1]
        if start == "{":
            return self._dictionary(at, depth)
        if start and start in "[(":
            return self._sequence(at, depth)
        if prefix := _PREFIX.match(self.text, at):
            return self._strings(prefix)
        return self._scalar(at)

    def _dictionary(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        at = _skip(self.text, at + 1)
        while not self.text.startswith("}", at):
            prefix = _PREFIX.match(self.text, at)
            if not prefix:
                raise MalformedCall("a key in quotes is missing", at)
            key, end = self._strings(prefix)
            if key in found:
                raise MalformedCall(f"the key {key[:40]!r} stands twice", at)
            found[key], end = self.value(self._expect(":", end), depth + 1)
            at = self._next("}", end)
        return found, at + 1

    def _sequence(self, at: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        closing = _CLOSED[self.text[at]]
        at = _skip(self.text, at + 1)
        while not self.text.startswith(closing, at):
            value, end = self.value(at, depth + 1)
            found.append(value)
            at = self._next(closing, end)
        return found, at + 1

    def _next(self, closing: str, at: int) -> int:
        """Behind a comma, or at the closing bracket."""
        if self.text.startswith(closing, at):
            return at
        at = _skip(self.text, at)
        if self.text.startswith(",", at):
            return _skip(self.text, at + 2 if self.text.startswith(" ", at + 1) else at + 1)
        if not self.text.startswith(closing, at):
            raise MalformedCall(f"a ',' or '{closing}' is missing", at)
        return at

    def _strings(self, prefix: re.Match[str]) -> tuple[str, int]:
        """A string and those that stand right behind it, which Python joins."""
        whole, at = self._string(prefix)
        pieces = [whole]
        while more := _PREFIX.match(self.text, _skip(self.text, at)):
            piece, at = self._string(more)
            pieces.append(piece)
        whole = "".join(pieces)
        if _SURROGATE.search(whole):
            raise MalformedCall("a string holds half of a surrogate pair", prefix.start())
        return whole, at

    def _string(self, prefix: re.Match[str]) -> tuple[str, int]:
        raw, quote = prefix.groups()
        start = prefix.end()
        found = _BODY[quote].match(self.text, start)
        if not found:
            unclosed = len(quote) > 1 or "\n" not in self.text[start:]
            raise MalformedCall(f"a string is not closed by {quote}", prefix.start(), unclosed=unclosed)
        body = self.text[start : found.end() - len(quote)]
        if raw or "\\" not in body:
            return body, found.end()
        if quote == '"' and not _NOT_JSON.search(body):
            return json.loads(f'"{body}"'), found.end()
        try:
            return _ESCAPE.sub(_escaped, body), found.end()
        except OverflowError as error:
            raise MalformedCall("an escape names no character", start) from error

    def _scalar(self, at: int) -> tuple[Any, int]:
        word = _WORD.match(self.text, at)
        if word and word.group() in _WORDS:
            return _WORDS[word.group()], word.end()
        if prefixed := _PREFIXED.match(self.text, at):
            return int(prefixed.group(), 0), prefixed.end()
        number = _NUMBER.match(self.text, at)
        if not number:
            raise MalformedCall("a literal is missing (strings stand in quotes)", at)
        if not any(number.groups()):
            return int(number.group()), number.end()
        value = float(number.group())
        if not math.isfinite(value):
            raise MalformedCall("a number is too large", at)
        return value, number.end()


def _skip(text: str, at: int) -> int:
    """Index behind white space and comments."""
    start = text[at : at + 1]
    if start == "\n":  # nearly always the only one
        at += 1
        start = text[at : at + 1]
    if start > " " and start != "#":
        return at
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _escaped(found: re.Match[str]) -> str:
    """What an escape stands for. Raises OverflowError: a code beyond the last character of Unicode."""
    simple, *codes, octal = found.groups()
    if simple is not None:
        return _SIMPLE.get(simple, simple)
    code = int(octal, 8) if octal else int(next(filter(None, codes)), 16)
    if code > 0x10FFFF:  # noqa: PLR2004 - the last character of Unicode
        raise OverflowError
    return chr(code)


def _keyword(key: str) -> str:
    if not re.fullmatch(_KEYWORD, key):
        raise ValueError(f"not a keyword argument in this dialect: {key!r}")
    return key


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\\/", "/")


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_string(str(key))}: {_literal(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, int | float) and math.isfinite(value):
        return repr(value)
    raise ValueError(f"cannot be written in this dialect: {value!r}")
