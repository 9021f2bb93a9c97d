"""Reads objects, lists, numbers and words by recursive descent, for notations that no library reads.

A reader of one notation says what a key and a string look like and what stands between tokens. The loose one reads what
models write when they mean JSON: Python literals, trailing commas, raw line breaks, missing ends. Time is linear in
what is read.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pytest_agentcore.dialects.dialect import MAX_DEPTH, MalformedCall, joined_surrogates, skip_space

QUOTE = '<|"|>'
"""Around a string as Gemma 4 writes it."""
_WORD = re.compile(r"[A-Za-z_]{1,20}(?![\w.+-])")
WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}


class LiteralReader:
    """One text; every method gives a value and the index behind it, or raises MalformedCall."""

    number = re.compile(r"-?(?:0|[1-9][0-9]{0,999})(\.[0-9]{1,999})?([eE][-+]?[0-9]{1,4})?(?![\w.+-])")
    """Groups: fraction, exponent."""
    words = frozenset(WORDS)
    brackets: Mapping[str, str] = MappingProxyType({"[": "]"})
    """Around a list."""
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
        opening = self.text[at : at + 1]
        if opening == "{":
            return self.object(at, depth)
        if opening not in self.brackets:
            return self.string(at) or self._scalar(at)
        found: list[Any] = []
        behind = at

        def item(at: int) -> int:
            nonlocal behind
            value, behind = self.value(at, depth + 1)
            found.append(value)
            return behind

        end = self._items(at + 1, self.brackets[opening], item)
        if opening == "(" and len(found) == 1 and not self.text.startswith(",", self.skip(behind)):
            return found[0], end  # round brackets around one value, which mean nothing
        return found, end

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
        if not any(number.groups()):
            return self.integer(number.group()), number.end()
        value = float(number.group())
        if not math.isfinite(value):
            raise MalformedCall("a number is too large", at)
        return value, number.end()

    def integer(self, digits: str) -> int:
        """A number without fraction and exponent."""
        return int(digits)

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


_COMMENTS = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")


def skip_comments(text: str, at: int) -> int:
    """Index behind white space and comments."""
    if text[at : at + 1] not in " \t\r\n#":  # cheaper than the pattern; the empty text at the end is in every other
        return at
    found = _COMMENTS.match(text, at)
    return found.end() if found else at


_DIGITS = r"[0-9](?:_?[0-9]){0,999}"
_STRING = re.compile(r"([rR]?)(\"\"\"|'''|\"|')")
# Atomic groups, since possessive repeats of alternatives match wrongly before Python 3.11.5 (python/cpython#106052).
_BODY = {quote: re.compile(rf"(?>(?:[^\\\n{quote}]+|\\[\s\S])*){quote}") for quote in "\"'"}
_BODY |= {
    quote * 3: re.compile(rf"(?>(?:[^\\{quote}]+|{quote}(?!{quote}{quote})|\\[\s\S])*){quote * 3}") for quote in "\"'"
}
_ESCAPE = (
    r"\\(?:[\\'\"abfnrtv\n]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U(?:000[0-9a-fA-F]|0010)[0-9a-fA-F]{4}|[0-3][0-7]{2}"
    r"|[0-7]{1,2}(?![0-7]))"
)
_ONLY_ESCAPES = re.compile(rf"(?>(?:[^\\\r\n\0]+|{_ESCAPE})*)")
_ESCAPE_OR_ODD = re.compile(rf"{_ESCAPE}|\\/|[\\\r\n\0]")
_AS_ESCAPE = {"\\": "\\\\", "\\/": "\\\\/", "\r": "\\r", "\n": "\\n", "\0": "\\x00"}


class PythonReader(LiteralReader):
    """Literals as Python writes them, and `true`, `false` and `null`; comments may stand between tokens."""

    number = re.compile(
        rf"[-+]?(?:0[xX](?:_?[0-9a-fA-F]){{1,250}}|0[oO](?:_?[0-7]){{1,330}}|0[bB](?:_?[01]){{1,1000}}"
        rf"|(?:{_DIGITS}(\.[0-9]{{0,1000}})?|(\.[0-9]{{1,1000}}))([eE][-+]?[0-9]{{1,4}})?)(?![\w.])"
    )
    brackets = MappingProxyType({"[": "]", "(": ")"})
    bodies: Mapping[str, re.Pattern[str]] = MappingProxyType(_BODY)
    """By the quotes around a string, what stands behind the first."""
    as_escape: Mapping[str, str] = MappingProxyType(_AS_ESCAPE)
    """What Python is given for a character that is no escape."""
    missing = "a literal is missing (strings stand in quotes)"

    def skip(self, at: int) -> int:
        return skip_comments(self.text, at)

    def may_trail(self) -> bool:
        return True

    def integer(self, digits: str) -> int:
        """Zeros before a number, which Python refuses, stand in dates and times."""
        return int(digits, 0 if digits.lstrip("+-0_")[:1] in set("xXoObB") else 10)

    def key(self, at: int) -> tuple[str, int]:
        if key := self.string(at):
            return key
        raise MalformedCall("a key in quotes is missing", at)

    def string(self, at: int) -> tuple[str, int] | None:
        """Strings side by side are one."""
        parts, end = [], at
        while opening := _STRING.match(self.text, at):
            part, end = self._body(opening)
            parts.append(part)
            at = self.skip(end)
        try:
            return (joined_surrogates("".join(parts)), end) if parts else None
        except ValueError as error:
            raise MalformedCall(str(error), at) from error

    def _body(self, opening: re.Match[str]) -> tuple[str, int]:
        """The string behind its opening quote, and the index behind its closing one."""
        raw, quote = opening.groups()
        found = self.bodies[quote].match(self.text, opening.end())
        if not found:
            unclosed = len(quote) > 1 or "\n" not in self.text[opening.end() :]
            raise MalformedCall(f"a string is not closed by {quote}", opening.start(), unclosed=unclosed)
        body = found.group()
        if raw or "\\" not in body:
            return body[: -len(quote)], found.end()
        if not _ONLY_ESCAPES.fullmatch(body):
            # A backslash that begins no escape stands for itself, of which Python warns; a raw \r would become \n.
            body = _ESCAPE_OR_ODD.sub(lambda escape: self.as_escape.get(escape.group(), escape.group()), body)
        return ast.literal_eval(quote + body), found.end()


@dataclass(slots=True)
class Loose:
    """Takes down what was forgiven in a value."""

    notes: dict[str, None] = field(default_factory=dict)
    """In words, in the order of first occurrence."""
    unfinished: set[int] = field(default_factory=set)
    """Identities of the objects and lists that the end of the text closed."""


def read_loosely(text: str, at: int, loose: Loose | None = None) -> tuple[Any, int, tuple[str, ...]]:
    """The value at `at`, the index behind it, and in words what about it is not JSON; strict JSON gives none.

    Args:
        text: where the value stands.
        at: where it begins.
        loose: takes down what was forgiven; given, brackets that are open at the end of the text are closed for the
            model.

    Raises:
        MalformedCall: not even loosely a value.
    """
    reader = _LooseReader(text, loose)
    value, end = reader.value(at)
    return value, end, tuple(reader.loose.notes)


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
_LINES = {quote: re.compile(rf"(?>(?:[^\\{quote}]+|\\[\s\S])*){quote}") for quote in "\"'"}
"""A string on several lines, as no language has it."""
_ODDITIES = {
    "triple quotes": re.compile(r"\"\"\"|'''"),
    "single quotes": re.compile(r"'(?!'')"),
    "raw line breaks in a string": re.compile(r"[^\n]*\n"),
    "a backslash that begins no escape": re.compile(r"(?>(?:[^\\]+|\\[\"'\\/bfnrtu\n])*)\\[^\"'\\/bfnrtu\n]"),
}
"""How a string may differ from one of JSON, and what shows it."""


class _LooseReader(PythonReader):
    """Forgives, and takes down what was forgiven."""

    ended = False
    """Whether a bracket was closed for the model, and so all that are read from then on."""
    bodies = MappingProxyType(_BODY | _LINES)
    as_escape = MappingProxyType(_AS_ESCAPE | {"\\/": "/"})
    keys_once = False

    def __init__(self, text: str, loose: Loose | None) -> None:
        super().__init__(text)
        self.ends_open = loose is not None
        self.loose = loose or Loose()

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
        self.ended = True
        return True

    def value(self, at: int, depth: int = 0) -> tuple[Any, int]:
        value, end = super().value(at, depth)
        if self.ended and isinstance(value, dict | list):
            self.loose.unfinished.add(id(value))
        return value, end

    def may_trail(self) -> bool:
        self._note("a trailing comma")
        return True

    def key(self, at: int) -> tuple[str, int]:
        if key := self.string(at):
            return key
        found = _BARE_KEY.match(self.text, at)
        if not found:
            raise MalformedCall("a key is missing", at)
        self._note("keys without quotes")
        return found.group(), found.end()

    def string(self, at: int) -> tuple[str, int] | None:
        if whole := quoted(self.text, at, QUOTE):
            self._note(f"strings between {QUOTE}")
            return whole
        whole = super().string(at)
        for words, shown in _ODDITIES.items():
            if whole and shown.match(self.text, at, whole[1]):
                self._note(words)
        return whole

    def _scalar(self, at: int) -> tuple[Any, int]:
        value, end = super()._scalar(at)
        if (word := self.text[at:end]) in ("True", "False", "None"):
            self._note(f"{word} as in Python")
        return value, end

    def _note(self, words: str) -> None:
        self.loose.notes[words] = None
