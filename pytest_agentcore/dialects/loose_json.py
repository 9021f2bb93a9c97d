"""Reads what models write when they mean JSON: Python literals, trailing commas, raw line breaks, missing ends.

Each deviation is noted in words. Time is linear in what is read.
"""

from __future__ import annotations

import math
import re
from typing import Any

from pytest_agentcore.dialects.dialect import MalformedCall

MAX_DEPTH = 64
"""Objects and lists inside each other."""

_GEMMAS_QUOTE = '<|"|>'
_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)*")
_BARE_KEY = re.compile(r"[A-Za-z_$][\w$-]{0,100}")
_WORD = re.compile(r"[A-Za-z]{1,20}")
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_NUMBER = re.compile(r"[-+]?[0-9]{1,1000}(\.[0-9]{0,1000})?([eE][-+]?[0-9]{1,4})?(?![\w.])")
_PLAIN = {'"': re.compile(r'[^"\\]*'), "'": re.compile(r"[^'\\]*")}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"', "'": "'", "\n": ""}
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_HEX = re.compile(r"[0-9a-fA-F]{4}")


class LooseReader:
    """One value; `notes` says in words what is not JSON about it, in the order of first occurrence."""

    def __init__(self, text: str, *, ends_open: bool = False) -> None:
        """With `ends_open`, brackets that are open at the end of the text are closed for the model."""
        self.text, self.ends_open = text, ends_open
        self.notes: dict[str, None] = {}

    def read(self, at: int) -> tuple[Any, int]:
        """The value at `at` and the index behind it.

        Raises:
            MalformedCall: not even loosely a value.
        """
        return self._value(at, 0)

    def _note(self, words: str) -> None:
        self.notes[words] = None

    def _skip(self, at: int) -> int:
        found = _BLANK.match(self.text, at)
        end = found.end() if found else at
        if "/" in self.text[at:end]:
            self._note("comments")
        return end

    def _value(self, at: int, depth: int) -> tuple[Any, int]:
        if depth > MAX_DEPTH:
            raise MalformedCall("the value is nested too deeply", at)
        at = self._skip(at)
        start = self.text[at : at + 1]
        if start == "{":
            return self._object(at, depth)
        if start == "[":
            return self._list(at, depth)
        if start and start in "\"'":
            return self._string(at)
        if self.text.startswith(_GEMMAS_QUOTE, at):
            return self._triple(at, _GEMMAS_QUOTE)
        return self._scalar(at)

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        at = self._skip(at + 1)
        while not self._closes("}", at):
            key, at = self._key(at)
            at = self._skip(at)
            if not self.text.startswith(":", at):
                raise MalformedCall("a ':' is missing", at)
            found[key], at = self._value(at + 1, depth + 1)
            at = self._separator("}", at)
        return found, min(at + 1, len(self.text))

    def _list(self, at: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        at = self._skip(at + 1)
        while not self._closes("]", at):
            value, at = self._value(at, depth + 1)
            found.append(value)
            at = self._separator("]", at)
        return found, min(at + 1, len(self.text))

    def _closes(self, bracket: str, at: int) -> bool:
        if at < len(self.text):
            return self.text[at] == bracket
        if not self.ends_open:
            raise MalformedCall(f"a '{bracket}' is missing", at)
        self._note("missing closing brackets")
        return True

    def _separator(self, bracket: str, at: int) -> int:
        at = self._skip(at)
        if self.text.startswith(",", at):
            at = self._skip(at + 1)
            if self.text.startswith(bracket, at):
                self._note("a trailing comma")
        elif at < len(self.text) and self.text[at] != bracket:
            raise MalformedCall(f"a ',' or '{bracket}' is missing", at)
        return at

    def _key(self, at: int) -> tuple[str, int]:
        if self.text[at] in "\"'":
            return self._string(at)
        found = _BARE_KEY.match(self.text, at)
        if not found:
            raise MalformedCall("a key is missing", at)
        self._note("keys without quotes")
        return found.group(), found.end()

    def _string(self, at: int) -> tuple[str, int]:
        quote = self.text[at]
        if self.text.startswith(quote * 3, at):
            return self._triple(at, quote * 3)
        if quote == "'":
            self._note("single quotes")
        parts: list[str] = []
        at += 1
        while True:
            plain = _PLAIN[quote].match(self.text, at)
            if plain:
                parts.append(plain.group())
                at = plain.end()
                if "\n" in plain.group():
                    self._note("raw line breaks in a string")
            if self.text.startswith(quote, at):
                return self._whole("".join(parts)), at + 1
            if at >= len(self.text):
                raise MalformedCall("a string is not closed", at)
            piece, at = self._escape(at)
            parts.append(piece)

    def _triple(self, at: int, quotes: str) -> tuple[str, int]:
        start = at + len(quotes)
        end = self.text.find(quotes, start)
        if end < 0:
            raise MalformedCall("a string is not closed", at)
        self._note(f"strings between {quotes}" if quotes == _GEMMAS_QUOTE else "triple quotes")
        return self.text[start:end], end + len(quotes)

    def _whole(self, text: str) -> str:
        """Two escaped halves of a surrogate pair as their one character; a lone half cannot be written to a file."""
        if not _SURROGATE.search(text):
            return text
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if "\ufffd" in whole:
            self._note("half a surrogate pair")
        return whole

    def _escape(self, at: int) -> tuple[str, int]:
        """What the backslash at `at` stands for."""
        after = self.text[at + 1 : at + 2]
        if after == "u" and (digits := _HEX.match(self.text, at + 2)):
            return chr(int(digits.group(), 16)), digits.end()
        if after in _ESCAPES and after:
            return _ESCAPES[after], at + 2
        self._note("a backslash that begins no escape")
        return "\\", at + 1

    def _scalar(self, at: int) -> tuple[Any, int]:
        word = _WORD.match(self.text, at)
        if word and word.group() in _WORDS:
            if word.group() in ("True", "False", "None"):
                self._note(f"{word.group()} as in Python")
            return _WORDS[word.group()], word.end()
        number = _NUMBER.match(self.text, at)
        if not number:
            raise MalformedCall("a value is missing", at)
        if not number[1] and not number[2]:
            return int(number.group()), number.end()
        value = float(number.group())
        if not math.isfinite(value):
            raise MalformedCall("a number is too large", at)
        return value, number.end()


def read_loosely(text: str, at: int, *, ends_open: bool = False) -> tuple[Any, int, tuple[str, ...]]:
    """The value at `at`, the index behind it, and what about it is not JSON; strict JSON gives no notes.

    Raises:
        MalformedCall: not even loosely a value.
    """
    reader = LooseReader(text, ends_open=ends_open)
    value, end = reader.read(at)
    return value, end, tuple(reader.notes)


def as_object(value: Any) -> dict[str, Any] | None:
    """An object as such, or written once more as a string of JSON."""
    if isinstance(value, str):
        try:
            value, _end, _notes = read_loosely(value, 0)
        except MalformedCall:
            return None
    return value if isinstance(value, dict) else None
