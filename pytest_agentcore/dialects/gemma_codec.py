"""Calls as Gemma 4's chat template writes them: `call:NAME{key:<|"|>text<|"|>,n:1,list:[true,None],nested:{}}`.

Keys are bare and sorted, and strings stand without escapes. Keys may also be quoted like strings, as the same template
does in tool declarations. A bare key may hold spaces; one that holds `:`, `,` or a brace cannot be told from the rest.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_agentcore.dialects.dialect import Codec, Decoded, MalformedCall, Notation, RawCall, skip_space
from pytest_agentcore.dialects.json_codec import read_json
from pytest_agentcore.dialects.literals import QUOTE, LiteralReader, plain_values, quoted

_NAME = re.compile(r"[^\s{}\[\]<>,:]{1,200}")
_HEAD = re.compile(rf"\s*call:({_NAME.pattern})\s*(?=\{{)")
_PLAIN_KEY = r"[^\s{}\[\]<>,:\"']+"
_ANY_KEY = re.compile(r"(?![\s\"'])(?:[^:,{}<|]|<(?!\|)|\|(?!>)){0,1000}(?<!\s)|")
_KEY_AND_COLON = re.compile(r"([^:,{}]{0,1000}):")
_SCALAR = r"-?(?:0|[1-9][0-9]{0,17})|true|false|None"
_PLAIN_PAIR = rf'{_PLAIN_KEY}:(?:<\|"\|>[^<]{{0,200}}<\|"\|>|{_SCALAR})'
_PLAIN_CALL = re.compile(rf"call:({_NAME.pattern})\{{((?:{_PLAIN_PAIR}(?:,(?!\}})|(?=\}})))*)\}}")
"""A call as models nearly always write it; anything else is read piece by piece."""
_PLAIN_PAIRS = re.compile(rf'({_PLAIN_KEY}):(?:<\|"\|>([^<]*)<\|"\|>|()({_SCALAR}))')


@dataclass(frozen=True, kw_only=True)
class GemmaCodec(Codec):
    """The reader below and its inverse."""

    quote: str = QUOTE
    """Around a string; FunctionGemma has another."""

    names = _NAME

    @cached_property
    def notation(self) -> Notation:
        return Notation(
            before_name="call:",
            quote=self.quote,
            string=self._string,
            key=lambda key: f"{key if _ANY_KEY.fullmatch(key) else self._string(key)}:",
            any_key_rule='[A-Za-z_] [A-Za-z0-9_]* ":"',
            sorted_keys=True,  # as Jinja's `dictsort` does
            separator=",",
            words={None: "None", True: "true", False: "false"},
        )

    def _string(self, text: str) -> str:
        if self.quote in text:
            raise ValueError(f"a string that holds {self.quote} cannot be written in this dialect")
        return f"{self.quote}{text}{self.quote}"

    def decode(self, text: str, at: int) -> Decoded:
        plain = _PLAIN_CALL.match(text, at) if self.quote == QUOTE else None
        if plain:
            arguments = plain_values(_PLAIN_PAIRS.findall(text, *plain.span(2)))
            if arguments is not None:
                return Decoded((RawCall(plain[1], arguments),), plain.end())
        head = _HEAD.match(text, at)
        if not head:
            raise MalformedCall("call:<tool>{ should stand here", skip_space(text, at))
        arguments, end = _GemmaReader(text, self.quote).object(head.end())
        return Decoded((RawCall(head[1], arguments),), end, untyped=self.quote != QUOTE)

    def begins(self, names: str, close: str) -> str:  # noqa: ARG002 - the braces end it
        return rf"call:(?:{names})\s{{0,20}}(?=\{{)"


class _GemmaReader(LiteralReader):
    words = frozenset({"true", "false", "None", "null"})

    def __init__(self, text: str, quote: str) -> None:
        super().__init__(text)
        self.quote = quote
        self.missing = f"a value is missing (a string stands between {quote} and {quote})"

    def value(self, at: int, depth: int = 0) -> tuple[Any, int]:
        if self.quote != QUOTE and self.text[at : at + 1] in ("[", "{"):  # which may be JSON
            with suppress(MalformedCall):
                return read_json(self.text, at)
        return super().value(at, depth)

    def key(self, at: int) -> tuple[str, int]:
        bare = _KEY_AND_COLON.match(self.text, at)
        if bare and _ANY_KEY.fullmatch(key := bare[1].rstrip()):
            return key, bare.end() - 1
        if quoted := self.string(at):
            return quoted
        raise MalformedCall("a key is missing, or the ':' behind it", at)

    def string(self, at: int) -> tuple[str, int] | None:
        return quoted(self.text, at, self.quote)
