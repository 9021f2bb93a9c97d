"""Calls as Gemma 4's chat template writes them: `call:NAME{key:<|"|>text<|"|>,n:1,list:[true,None],nested:{}}`.

Read from the template in the model file: keys are bare and sorted, strings stand between `<|"|>` without any escapes,
null is `None`. Keys may also be quoted like strings, as the same template does in tool declarations. A bare key may
hold spaces; one that holds `:`, `,` or a brace cannot be told from what follows it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from pytest_agentcore.dialects.dialect import Decoded, MalformedCall, Notation, RawCall, skip_space

QUOTE = '<|"|>'
MAX_DEPTH = 64
"""Objects and lists inside each other."""

_NAME = re.compile(r"[^\s{}\[\]<>,:]{1,200}")
_HEAD = re.compile(rf"\s*call:({_NAME.pattern})\s*(?=\{{)")
_PLAIN_KEY = r"[^\s{}\[\]<>,:\"']+"
_ANY_KEY = re.compile(r"(?![\s\"'])(?:[^:,{}<|]|<(?!\|)|\|(?!>)){0,1000}(?<!\s)|")
_KEY_AND_COLON = re.compile(r"([^:,{}]{0,1000}):")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,999})(\.[0-9]{1,999})?([eE][-+]?[0-9]{1,4})?(?![\w.+-])")
_SCALAR = r"-?(?:0|[1-9][0-9]{0,17})|true|false|None"
_PLAIN_PAIR = rf'{_PLAIN_KEY}:(?:<\|"\|>[^<]{{0,200}}<\|"\|>|{_SCALAR})'
_PLAIN_CALL = re.compile(rf"call:({_NAME.pattern})\{{((?:{_PLAIN_PAIR}(?:,(?!\}})|(?=\}})))*)\}}")
"""A call as models nearly always write it; anything else is read piece by piece."""
_PLAIN_PAIRS = re.compile(rf'({_PLAIN_KEY}):(?:<\|"\|>([^<]*)<\|"\|>|({_SCALAR}))')
_WORD = re.compile(r"[A-Za-z_]{1,20}(?![\w.+-])")
_WORDS = {"true": True, "false": False, "None": None, "null": None}


class GemmaCodec:
    """A recursive-descent reader and its inverse."""

    example = 'call:<tool>{key:<|"|>text<|"|>,number:1}'
    last = "}"

    @property
    def notation(self) -> Notation:
        """See `Codec.notation`."""
        return Notation(
            before_name="call:",
            before_arguments="",
            after_arguments="",
            key=lambda key: f"{_key(key)}:",
            separator=",",
            literal=_value,
            null="None",
            string_quote=QUOTE,
            # A `<` must not be followed by `|`, or it could begin the closing quote.
            string_character_rule=r'[^<\x00-\x08\x0B-\x1F\x7F] | "<" "<"* [^<|\x00-\x08\x0B-\x1F\x7F]',
            any_key_rule='[A-Za-z_] [A-Za-z0-9_]* ":"',
            sorted_keys=True,
        )

    def decode(self, text: str, at: int) -> Decoded:
        """See `Codec.decode`."""
        if plain := _plain(text, at):
            return plain
        head = _HEAD.match(text, at)
        if not head:
            raise MalformedCall("call:<tool>{ should stand here", skip_space(text, at))
        arguments, end = _Reader(text).object(head.end(), 0)
        return Decoded(calls=(RawCall(name=head[1], arguments=arguments),), end=end)

    def begins(self, names: str, close: str) -> str:  # noqa: ARG002 - the braces end it
        """See `Codec.begins`."""
        return rf"call:(?:{names})\s{{0,20}}(?=\{{)"

    def encode(self, name: str, arguments: Mapping[str, Any]) -> str:
        """See `Codec.encode`."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a tool's name in this dialect: {name!r}")
        return f"call:{name}{_object(arguments)}"


def _plain(text: str, at: int) -> Decoded | None:
    found = _PLAIN_CALL.match(text, at)
    if not found:
        return None
    start, end = found.span(2)
    pairs = [
        (key, _WORDS[bare] if bare in _WORDS else int(bare) if bare else string)
        for key, string, bare in _PLAIN_PAIRS.findall(text, start, end)
    ]
    arguments = dict(pairs)
    if len(arguments) < len(pairs):
        return None
    return Decoded((RawCall(found[1], arguments),), found.end())


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text

    def object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        """The object whose brace stands at `at`, and the index behind it."""
        found: dict[str, Any] = {}

        def pair(at: int) -> int:
            key, after = self.key(at)
            if key in found:
                raise MalformedCall(f"the key {key[:40]!r} stands twice", at)
            found[key], end = self.value(after, depth + 1)
            return end

        return found, self.items(at + 1, "}", pair)

    def list(self, at: int, depth: int) -> tuple[list[Any], int]:
        """The list whose bracket stands at `at`, and the index behind it."""
        found: list[Any] = []

        def item(at: int) -> int:
            value, end = self.value(at, depth + 1)
            found.append(value)
            return end

        return found, self.items(at + 1, "]", item)

    def items(self, at: int, closing: str, read: Callable[[int], int]) -> int:
        """Comma-separated items up to `closing`; index behind it."""
        at = skip_space(self.text, at)
        if self.text.startswith(closing, at):
            return at + 1
        while True:
            at = skip_space(self.text, read(skip_space(self.text, at)))
            if self.text.startswith(closing, at):
                return at + 1
            if not self.text.startswith(",", at):
                raise MalformedCall(f"a ',' or '{closing}' is missing", at)
            at += 1

    def key(self, at: int) -> tuple[str, int]:
        """A key, bare or quoted, and the index behind its colon."""
        bare = _KEY_AND_COLON.match(self.text, at)
        if bare and _ANY_KEY.fullmatch(key := bare[1].rstrip()):
            return key, bare.end()
        if not self.text.startswith(QUOTE, at):
            raise MalformedCall("a key is missing, or the ':' behind it", at)
        key, at = self.string(at)
        at = skip_space(self.text, at)
        if not self.text.startswith(":", at):
            raise MalformedCall("a ':' is missing", at)
        return key, at + 1

    def string(self, at: int) -> tuple[str, int]:
        """The string whose opening quote stands at `at`."""
        start = at + len(QUOTE)
        end = self.text.find(QUOTE, start)
        if end < 0:
            raise MalformedCall(f"a string is not closed by {QUOTE}", at, unclosed=True)
        return self.text[start:end], end + len(QUOTE)

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """Any value."""
        if depth > MAX_DEPTH:
            raise MalformedCall("the value is nested too deeply", at)
        at = skip_space(self.text, at)
        if self.text.startswith(QUOTE, at):
            return self.string(at)
        if self.text.startswith("{", at):
            return self.object(at, depth)
        if self.text.startswith("[", at):
            return self.list(at, depth)
        return self.scalar(at)

    def scalar(self, at: int) -> tuple[Any, int]:
        """A number, true, false or None."""
        word = _WORD.match(self.text, at)
        if word and word.group() in _WORDS:
            return _WORDS[word.group()], word.end()
        number = _NUMBER.match(self.text, at)
        if not number:
            raise MalformedCall(f"a value is missing (a string stands between {QUOTE} and {QUOTE})", at)
        if not number[1] and not number[2]:
            return int(number.group()), number.end()
        value = float(number.group())
        if not math.isfinite(value):
            raise MalformedCall("a number is too large", at)
        return value, number.end()


def _object(value: Mapping[str, Any]) -> str:
    """Sorted without regard to case, as Jinja's `dictsort` does."""
    pairs = (f"{_key(key)}:{_value(value[key])}" for key in sorted(value, key=str.lower))
    return "{" + ",".join(pairs) + "}"


def _key(key: str) -> str:
    return key if _ANY_KEY.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    if QUOTE in text:
        raise ValueError(f"a string that holds {QUOTE} cannot be written in this dialect")
    return f"{QUOTE}{text}{QUOTE}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_value, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and math.isfinite(value):
        return repr(value)
    raise ValueError(f"cannot be written in this dialect: {value!r}")
