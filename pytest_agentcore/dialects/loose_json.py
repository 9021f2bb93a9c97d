"""Reads what models write when they mean JSON: Python literals, trailing commas, raw line breaks, missing ends."""

from __future__ import annotations

import re
from typing import Any

from pytest_agentcore.dialects.dialect import MalformedCall, joined_surrogates
from pytest_agentcore.dialects.gemma_codec import QUOTE
from pytest_agentcore.dialects.literals import LiteralReader, quoted


def read_loosely(text: str, at: int, *, ends_open: bool = False) -> tuple[Any, int, tuple[str, ...]]:
    """The value at `at`, the index behind it, and in words what about it is not JSON; strict JSON gives none.

    Args:
        text: where the value stands.
        at: where it begins.
        ends_open: brackets that are open at the end of the text are closed for the model.

    Raises:
        MalformedCall: not even loosely a value.
    """
    reader = _LooseReader(text, ends_open=ends_open)
    value, end = reader.value(at)
    return value, end, tuple(reader.notes)


def as_object(value: Any) -> dict[str, Any] | None:
    """An object as such, or written once more as a string of JSON."""
    if isinstance(value, str):
        try:
            value, _end, _notes = read_loosely(value, 0)
        except MalformedCall:
            return None
    return value if isinstance(value, dict) else None


_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)*")
_BARE_KEY = re.compile(r"[A-Za-z_$][\w$-]{0,100}")
_PLAIN = {'"': re.compile(r'[^"\\]*'), "'": re.compile(r"[^'\\]*")}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"', "'": "'", "\n": ""}
_HEX = re.compile(r"[0-9a-fA-F]{4}")


class _LooseReader(LiteralReader):
    """Forgives, and remembers in `notes` what was forgiven, in the order of first occurrence."""

    number = re.compile(r"[-+]?[0-9]{1,1000}(\.[0-9]{0,1000})?([eE][-+]?[0-9]{1,4})?(?![\w.])")
    keys_once = False

    def __init__(self, text: str, *, ends_open: bool) -> None:
        super().__init__(text)
        self.ends_open = ends_open
        self.notes: dict[str, None] = {}

    def skip(self, at: int) -> int:
        found = _BLANK.match(self.text, at)
        end = found.end() if found else at
        if "/" in self.text[at:end]:
            self._note("comments")
        return end

    def closes(self, bracket: str, at: int) -> bool:
        if at < len(self.text):
            return self.text[at] == bracket
        if not self.ends_open:
            raise MalformedCall(f"a '{bracket}' is missing", at)
        self._note("missing closing brackets")
        return True

    def may_trail(self) -> bool:
        self._note("a trailing comma")
        return True

    def key(self, at: int) -> tuple[str, int]:
        if self.text[at] in "\"'":
            return self._escaped(at)
        found = _BARE_KEY.match(self.text, at)
        if not found:
            raise MalformedCall("a key is missing", at)
        self._note("keys without quotes")
        return found.group(), found.end()

    def string(self, at: int) -> tuple[str, int] | None:
        if whole := quoted(self.text, at, QUOTE):
            self._note(f"strings between {QUOTE}")
            return whole
        return self._escaped(at) if self.text.startswith(('"', "'"), at) else None

    def _escaped(self, at: int) -> tuple[str, int]:
        """A string whose quote stands at `at`."""
        quote = self.text[at]
        if whole := quoted(self.text, at, quote * 3):
            self._note("triple quotes")
            return whole
        if quote == "'":
            self._note("single quotes")
        parts: list[str] = []
        at += 1
        while True:
            if plain := _PLAIN[quote].match(self.text, at):
                parts.append(plain.group())
                at = plain.end()
                if "\n" in plain.group():
                    self._note("raw line breaks in a string")
            if self.text.startswith(quote, at):
                string = "".join(parts)
                try:
                    return joined_surrogates(string), at + 1
                except ValueError:  # a lone half cannot be written to a file, so something else stands in its place
                    self._note("half a surrogate pair")
                    return string.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), at + 1
            if at >= len(self.text):
                raise MalformedCall("a string is not closed", at)
            piece, at = self._escape(at)
            parts.append(piece)

    def _escape(self, at: int) -> tuple[str, int]:
        """The character that the backslash at `at` begins."""
        after = self.text[at + 1 : at + 2]
        if after == "u" and (digits := _HEX.match(self.text, at + 2)):
            return chr(int(digits.group(), 16)), digits.end()
        if after in _ESCAPES and after:
            return _ESCAPES[after], at + 2
        self._note("a backslash that begins no escape")
        return "\\", at + 1

    def _scalar(self, at: int) -> tuple[Any, int]:
        value, end = super()._scalar(at)
        if (word := self.text[at:end]) in ("True", "False", "None"):
            self._note(f"{word} as in Python")
        return value, end

    def _note(self, words: str) -> None:
        self.notes[words] = None
