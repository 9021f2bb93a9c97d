"""Reads objects, lists, numbers and words by recursive descent, for notations that no library reads.

A reader of one notation says what a key and a string look like and what stands between tokens. The loose one reads what
models write when they mean JSON. Time is linear in what is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pytest_agentcore.dialects.dialect import MAX_DEPTH, MalformedCall, skip_space

QUOTE = '<|"|>'
"""Around a string as Gemma 4 writes it."""
_WORD = re.compile(r"[A-Za-z_]{1,20}(?![\w.+-])")
_BASES = frozenset("xXoObB")
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
    may_trail = False
    """Whether a comma may stand before a closing bracket."""
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
        if opening in self.brackets:
            return self.array(at, depth)
        return self.string(at) or self._scalar(at)

    def array(self, at: int, depth: int) -> tuple[Any, int]:
        """The list whose bracket stands at `at`; round brackets around one value mean nothing."""
        found: list[Any] = []
        closing, behind = self.brackets[self.text[at]], at
        at = self.skip(at + 1)
        while not self.closes(closing, at):
            value, behind = self.value(at, depth + 1)
            found.append(value)
            at = self.following(closing, behind)
        alone = closing == ")" and len(found) == 1 and not self.text.startswith(",", self.skip(behind))
        return found[0] if alone else found, min(at + 1, len(self.text))

    def object(self, at: int, depth: int = 0) -> tuple[dict[str, Any], int]:
        """The object whose brace stands at `at`."""
        found: dict[str, Any] = {}
        at = self.skip(at + 1)
        while not self.closes("}", at):
            key, end = self.key(at)
            colon = self.skip(end)
            if not self.text.startswith(":", colon):
                raise MalformedCall("a ':' is missing", colon)
            if key in found and self.keys_once:
                raise MalformedCall(f"the key {key[:40]!r} stands twice", at)
            found[key], end = self.value(colon + 1, depth + 1)
            at = self.following("}", end)
        return found, min(at + 1, len(self.text))

    def following(self, closing: str, at: int) -> int:
        """Index of the item that follows one that ends at `at`, or of the bracket that closes them all."""
        at = self.skip(at)
        if self.text.startswith(",", at):
            at = self.skip(at + 1)
            if self.text.startswith(closing, at):
                self.note("a trailing comma")
                if not self.may_trail:
                    raise MalformedCall("a value or a key is missing", at)
        elif not self.closes(closing, at):
            raise MalformedCall(f"a ',' or '{closing}' is missing", at)
        return at

    def _scalar(self, at: int) -> tuple[Any, int]:
        word = _WORD.match(self.text, at)
        if word and word.group() in self.words:
            if word.group()[0].isupper():
                self.note(f"{word.group()} as in Python")
            return WORDS[word.group()], word.end()
        number = self.number.match(self.text, at)
        if not number:
            raise MalformedCall(self.missing, at)
        digits = number.group()
        if not any(number.groups()):  # zeros before a number, which Python refuses, stand in dates and times
            return int(digits, 0 if digits.lstrip("+-0_")[:1] in _BASES else 10), number.end()
        value = float(digits)
        if not math.isfinite(value):
            raise MalformedCall("a number is too large", at)
        return value, number.end()

    def key(self, at: int) -> tuple[str, int]:
        """A key, without the colon behind it."""
        if key := self.string(at):
            return key
        raise MalformedCall("a key in quotes is missing", at)

    def string(self, at: int) -> tuple[str, int] | None:
        """The string that begins at `at`; None where none does."""

    def skip(self, at: int) -> int:
        """Index behind what says nothing."""
        return skip_space(self.text, at)

    def closes(self, bracket: str, at: int) -> bool:
        """Whether an object or a list ends at `at`."""
        return self.text.startswith(bracket, at)

    def note(self, words: str) -> None:
        """Take down in what the text differs from JSON; only the loose reader does."""


def plain_values(pairs: Sequence[tuple[str, str, str, str]]) -> dict[str, Any] | None:
    """Arguments by their keys, of each one of two texts or a bare word or number; None where a key stands twice."""
    found = {key: (WORDS[bare] if bare in WORDS else int(bare)) if bare else a or b for key, a, b, bare in pairs}
    return found if len(found) == len(pairs) else None


def quoted(text: str, at: int, quote: str) -> tuple[str, int] | None:
    """The string without escapes between two of `quote`, and the index behind it; None where none begins at `at`."""
    if not text.startswith(quote, at):
        return None
    start = at + len(quote)
    end = text.find(quote, start)
    if end < 0:
        raise MalformedCall(f"a string is not closed by {quote}", at, unclosed=True)
    return text[start:end], end + len(quote)


_COMMENTS = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")

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
_ONLY_ESCAPES = re.compile(rf"(?>(?:[^\\]+|{_ESCAPE})*)")
_ESCAPE_OR_NONE = re.compile(rf"({_ESCAPE})|\\(/)?")


class PythonReader(LiteralReader):
    """Literals as Python writes them, and `true`, `false` and `null`; comments may stand between tokens."""

    number = re.compile(
        rf"[-+]?(?:0[xX](?:_?[0-9a-fA-F]){{1,250}}|0[oO](?:_?[0-7]){{1,330}}|0[bB](?:_?[01]){{1,1000}}"
        rf"|(?:{_DIGITS}(\.[0-9]{{0,1000}})?|(\.[0-9]{{1,1000}}))([eE][-+]?[0-9]{{1,4}})?)(?![\w.])"
    )
    brackets = MappingProxyType({"[": "]", "(": ")"})
    bodies: Mapping[str, re.Pattern[str]] = MappingProxyType(_BODY)
    """By the quotes around a string, what stands behind the first."""
    solidus = r"\\/"
    """Python's text for a slash behind a backslash."""
    missing = "a literal is missing (strings stand in quotes)"
    may_trail = True

    def skip(self, at: int) -> int:
        if self.text[at : at + 1] not in " \t\r\n#":  # cheaper than the pattern; the empty text is in every other
            return at
        found = _COMMENTS.match(self.text, at)
        return found.end() if found else at

    def string(self, at: int) -> tuple[str, int] | None:
        """Strings side by side are one."""
        parts, end = [], at
        while opening := _STRING.match(self.text, at):
            part, end = self._body(opening)
            parts.append(part)
            at = self.skip(end)
        whole = "".join(parts)
        if not whole.isascii():  # two escaped halves of a surrogate pair are one character
            try:
                whole = whole.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError as error:
                raise MalformedCall("a string holds half of a surrogate pair", at) from error
        return (whole, end) if parts else None

    def _body(self, opening: re.Match[str]) -> tuple[str, int]:
        """The string behind its opening quote, and the index behind its closing one."""
        raw, quote = opening.groups()
        found = self.bodies[quote].match(self.text, opening.end())
        if not found:
            unclosed = len(quote) > 1 or "\n" not in self.text[opening.end() :]
            raise MalformedCall(f"a string is not closed by {quote}", opening.start(), unclosed=unclosed)
        body = found.group()[: -len(quote)]
        if raw or "\\" not in body:
            return body, found.end()
        if not _ONLY_ESCAPES.fullmatch(body):  # a backslash that begins no escape stands for itself
            body = _ESCAPE_OR_NONE.sub(lambda one: one[1] or (self.solidus if one[2] else r"\\"), body)
        return body.encode("ascii", "backslashreplace").decode("unicode_escape"), found.end()


@dataclass(slots=True)
class Loose:
    """Takes down what was forgiven in a value."""

    notes: dict[str, None] = field(default_factory=dict)
    """In words, in the order of first occurrence."""
    unfinished: set[int] = field(default_factory=set)
    """Identities of the objects and lists that the end of the text closed."""


def read_loosely(text: str, at: int, loose: Loose | None = None) -> tuple[Any, int, tuple[str, ...]]:
    """The value at `at`, the index behind it, and in words what about it is not JSON; strict JSON gives none.

    `loose` takes down what was forgiven; given, brackets that are open at the end of the text are closed for the model.

    Raises:
        MalformedCall: not even loosely a value.
    """
    reader = _LooseReader(text, loose)
    value, end = reader.value(at)
    return value, end, tuple(reader.loose.notes)


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
    solidus = "/"
    keys_once = False

    def __init__(self, text: str, loose: Loose | None) -> None:
        super().__init__(text)
        self.ends_open = loose is not None
        self.loose = loose or Loose()

    def skip(self, at: int) -> int:
        found = _BLANK.match(self.text, at)
        end = found.end() if found else at
        if "/" in self.text[at:end]:
            self.note("comments")
        return end

    def closes(self, bracket: str, at: int) -> bool:
        if at < len(self.text):
            return self.text[at] == bracket
        if not self.ends_open:
            raise MalformedCall(f"a '{bracket}' is missing", at)
        self.note("missing closing brackets")
        self.ended = True
        return True

    def value(self, at: int, depth: int = 0) -> tuple[Any, int]:
        value, end = super().value(at, depth)
        if self.ended and isinstance(value, dict | list):
            self.loose.unfinished.add(id(value))
        return value, end

    def key(self, at: int) -> tuple[str, int]:
        bare = _BARE_KEY.match(self.text, at)
        if not bare:
            return super().key(at)
        self.note("keys without quotes")
        return bare.group(), bare.end()

    def string(self, at: int) -> tuple[str, int] | None:
        if whole := quoted(self.text, at, QUOTE):
            self.note(f"strings between {QUOTE}")
            return whole
        whole = super().string(at)
        for words, shown in _ODDITIES.items():
            if whole and shown.match(self.text, at, whole[1]):
                self.note(words)
        return whole

    def note(self, words: str) -> None:
        self.loose.notes[words] = None
