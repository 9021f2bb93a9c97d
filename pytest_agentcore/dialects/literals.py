"""Reads objects, lists, numbers and words by recursive descent, for notations that no library reads.

A reader of one notation says what a key and a string look like and what stands between tokens. Time is linear in what
is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from pytest_agentcore.dialects.dialect import MAX_DEPTH, MalformedCall, skip_space

_WORD = re.compile(r"[A-Za-z_]{1,20}(?![\w.+-])")
WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}


class LiteralReader:
    """One text; every method gives a value and the index behind it, or raises MalformedCall."""

    number = re.compile(r"-?(?:0|[1-9][0-9]{0,999})(\.[0-9]{1,999})?([eE][-+]?[0-9]{1,4})?(?![\w.+-])")
    """Groups: fraction, exponent."""
    words = frozenset(WORDS)
    missing = "a value is missing"
    """Said where no value stands."""
    keys_once = True
    """Whether an object may have a key only once; otherwise the last one counts, as in Python."""

    def __init__(self, text: str) -> None:
        self.text = text

    def value(self, at: int, depth: int = 0) -> tuple[Any, int]:
        """Any value."""
        if depth > MAX_DEPTH:
            raise MalformedCall("the value is nested too deeply", at)
        at = self.skip(at)
        if self.text.startswith("{", at):
            return self.object(at, depth)
        if self.text.startswith("[", at):
            found: list[Any] = []

            def item(at: int) -> int:
                value, end = self.value(at, depth + 1)
                found.append(value)
                return end

            return found, self._items(at + 1, "]", item)
        return self.string(at) or self._scalar(at)

    def object(self, at: int, depth: int = 0) -> tuple[dict[str, Any], int]:
        """The object whose brace stands at `at`."""
        found: dict[str, Any] = {}

        def pair(at: int) -> int:
            key, after = self.key(at)
            after = self.skip(after)
            if not self.text.startswith(":", after):
                raise MalformedCall("a ':' is missing", after)
            if key in found and self.keys_once:
                raise MalformedCall(f"the key {key[:40]!r} stands twice", at)
            found[key], end = self.value(after + 1, depth + 1)
            return end

        return found, self._items(at + 1, "}", pair)

    def _items(self, at: int, closing: str, read: Callable[[int], int]) -> int:
        """Comma-separated items up to `closing`; gives the index behind it."""
        at = self.skip(at)
        while not self.closes(closing, at):
            at = self.skip(read(at))
            if self.text.startswith(",", at):
                at = self.skip(at + 1)
                if self.text.startswith(closing, at) and not self.may_trail():
                    read(at)  # which says what is missing
            elif not self.closes(closing, at):
                raise MalformedCall(f"a ',' or '{closing}' is missing", at)
        return min(at + 1, len(self.text))

    def _scalar(self, at: int) -> tuple[Any, int]:
        word = _WORD.match(self.text, at)
        if word and word.group() in self.words:
            return WORDS[word.group()], word.end()
        number = self.number.match(self.text, at)
        if not number:
            raise MalformedCall(self.missing, at)
        if not number[1] and not number[2]:
            return int(number.group()), number.end()
        value = float(number.group())
        if not math.isfinite(value):
            raise MalformedCall("a number is too large", at)
        return value, number.end()

    def key(self, at: int) -> tuple[str, int]:
        """A key, without the colon behind it."""
        raise NotImplementedError

    def string(self, at: int) -> tuple[str, int] | None:
        """The string that begins at `at`; None where none does."""
        raise NotImplementedError

    def skip(self, at: int) -> int:
        """Index behind what says nothing."""
        return skip_space(self.text, at)

    def closes(self, bracket: str, at: int) -> bool:
        """Whether an object or a list ends at `at`."""
        return self.text.startswith(bracket, at)

    def may_trail(self) -> bool:
        """Whether a comma that stands before a closing bracket is accepted."""
        return False


def quoted(text: str, at: int, quote: str) -> tuple[str, int] | None:
    """The string without escapes between two of `quote`, and the index behind it; None where none begins at `at`.

    Raises:
        MalformedCall: nothing closes it.
    """
    if not text.startswith(quote, at):
        return None
    start = at + len(quote)
    end = text.find(quote, start)
    if end < 0:
        raise MalformedCall(f"a string is not closed by {quote}", at, unclosed=True)
    return text[start:end], end + len(quote)
