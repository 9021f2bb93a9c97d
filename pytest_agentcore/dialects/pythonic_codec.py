"""Calls as Python writes them: `shell(command="ls -l", seconds=3)`; keyword arguments and literals only.

Gemma 3 writes one call a line, also inside `print(…)` or a list; Llama 3.2 and 4 may be asked for a list of calls. The
calls themselves are found here, since names such as `fs-read` and keywords such as `from` are no Python, and values
too, since what stands behind one need be no Python; the escapes of a string are left to Python's own parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from pytest_agentcore.dialects.dialect import Codec, Decoded, MalformedCall, Outer, RawCall
from pytest_agentcore.dialects.json_codec import JSON
from pytest_agentcore.dialects.literals import PythonReader, skip_comments

_NAME = r"[A-Za-z_][\w.-]{0,199}"
_KEYWORD = r"[^\W\d]\w{0,199}"
_HEAD = re.compile(rf"({_NAME}?)(?:\.call)?[ \t]{{0,8}}\(")
_PRINT = re.compile(rf"print[ \t]{{0,8}}\(\s{{0,20}}(?={_NAME}[ \t]{{0,8}}\()")
_ARGUMENT = re.compile(rf"({_KEYWORD})[ \t\r\n]*=[ \t\r\n]*")


@dataclass(frozen=True, kw_only=True)
class PythonicCodec(Codec):
    """One call, or with `several` as many as stand there: on lines of their own, printed, or in a list."""

    several: bool = False
    unescaped: bool = False
    """Text that is no Python string is read as it stands, up to a quote behind which an argument or the list ends."""

    notation = replace(
        JSON,
        null="None",
        true="True",
        false="False",
        python=True,
        outer=Outer(open="(", close=")", key=lambda key, _raw: f"{key}=", keys=re.compile(_KEYWORD), separator=", "),
    )
    names = re.compile(rf"(?!print\Z)(?!.*\.call\Z){_NAME}")

    def decode(self, text: str, at: int) -> Decoded:
        """See `Codec.decode`."""
        if self.several and (plain := _plain(_FENCED_CALL, text, at)):
            return Decoded((plain[0],), plain[1])
        at = skip_comments(text, at)
        if not self.several:
            call, end = _call(text, at, unescaped=self.unescaped)
            return Decoded((call,), end)
        calls, end = _statement(text, at)
        # A semicolon or nothing at all may part statements; a comment is one only where another statement follows.
        while (at := skip_comments(text, end)) < len(text):
            at = skip_comments(text, at + 1) if text[at] == ";" else at
            if not (text.startswith("[", at) or _HEAD.match(text, at)):
                break
            more, end = _statement(text, at)
            calls += more
        return Decoded(tuple(calls), at if text.startswith("```", at) else end)

    def bare_call(self, *, listed: bool) -> str:
        """See `Codec.bare_call`."""
        space = r"[ \t\r\n]{0,20}"
        call = rf"{_NAME}[ \t]{{0,8}}\({space}(?=\)|{_KEYWORD}[ \t]{{0,8}}=(?!=))"
        return rf"\[{space}{call}" if listed or self.several else ""

    def begins(self, names: str, close: str) -> str:
        """See `Codec.begins`."""
        return rf"\[[ \t\r\n]{{0,20}}(?:{names})\(" if close and not self.several else ""

    def decode_list(self, text: str, at: int) -> Decoded:
        """See `Codec.decode_list`."""
        at = skip_comments(text, at)
        if not text.startswith("[", at):
            raise MalformedCall("a '[' should stand here", at)
        calls, end = _calls(text, at, unescaped=self.unescaped)
        return Decoded(tuple(calls), end)


def _statement(text: str, at: int) -> tuple[list[RawCall], int]:
    """A call, a printed call, or a list of calls, and the index behind it."""
    if text.startswith("[", at):
        return _calls(text, at)
    printed = text.startswith("print", at) and _PRINT.match(text, at)
    call, end = _call(text, printed.end() if printed else at)
    if printed:
        end = skip_comments(text, end)
        if not text.startswith(")", end):
            raise MalformedCall("a ')' is missing", end)
        end += 1
    return [call], end


def _calls(text: str, at: int, *, unescaped: bool = False) -> tuple[list[RawCall], int]:
    """The list of calls, at least one, whose bracket stands at `at`, and the index behind it."""
    found: list[RawCall] = []
    at = skip_comments(text, at + 1)
    while not found or not text.startswith("]", at):
        call, at = _call(text, at, unescaped=unescaped)
        found.append(call)
        at = _next("]", text, at)
    return found, at + 1


_VALUE = r"""(?:"[^"\\\n]{0,200}"(?!")|'[^'\\\n]{0,200}'(?!')|-?[0-9]{1,18}|True|False|None)"""
_PLAIN_CALL = re.compile(rf"({_NAME})\(((?:{_KEYWORD}={_VALUE}(?:, (?=\w)|(?=\))))*)\)")
"""A call as models nearly always write it: two patterns read it five times as fast as Python's parser would."""
_FENCED_CALL = re.compile(rf"[ \t\r\n]*{_PLAIN_CALL.pattern}[ \t\r\n]*(?=```)")
"""One such call alone in its fence."""
_PLAIN_ARGUMENT = re.compile(rf"""({_KEYWORD})=(?:"([^"]*)"|'([^']*)'|([^,"')]*))""")
_WORDS = {"True": True, "False": False, "None": None}


def _plain(pattern: re.Pattern[str], text: str, at: int) -> tuple[RawCall, int] | None:
    found = pattern.match(text, at)
    if not found or found[1].endswith(".call"):
        return None
    pairs = _PLAIN_ARGUMENT.findall(text, *found.span(2))
    arguments = {
        key: double or single if not bare else _WORDS[bare] if bare in _WORDS else int(bare)
        for key, double, single, bare in pairs
    }
    return (RawCall(found[1], arguments), found.end()) if len(arguments) == len(pairs) else None


_TEXT = re.compile(
    rf"""(['"])((?>(?:[^'"]+|(?<=\\)['"]|(?!\1\s{{0,20}}(?:,\s{{0,20}}{_KEYWORD}=|\)(?:,\s{{0,20}}{_NAME}\(|\]<\|)))['"])*))\1"""
)
"""Text between quotes, of which one may stand in it; a quote behind a backslash ends none, as in Python."""


def _call(text: str, at: int, *, unescaped: bool = False) -> tuple[RawCall, int]:
    """The call that begins at `at`, and the index behind it."""
    if plain := _plain(_PLAIN_CALL, text, at):
        return plain
    head = _HEAD.match(text, at)
    if not head:
        raise MalformedCall("tool(key=value) should stand here", at)
    found: dict[str, Any] = {}
    at = skip_comments(text, head.end())
    while not text.startswith(")", at):
        argument = _ARGUMENT.match(text, at)
        if not argument:
            raise MalformedCall("a keyword argument should stand here (key=value)", at)
        if argument[1] in found:
            raise MalformedCall(f"the argument {argument[1][:40]!r} stands twice", at)
        try:
            found[argument[1]], end = PythonReader(text).value(argument.end())
            at = _next(")", text, end)
        except MalformedCall:
            if not unescaped or not (whole := _TEXT.match(text, argument.end())):
                raise
            found[argument[1]], at = whole[2], _next(")", text, whole.end())
    return RawCall(head[1], found), at + 1


def _next(closing: str, text: str, at: int) -> int:
    """Behind a comma, or at the closing bracket."""
    at = skip_comments(text, at)
    if text.startswith(",", at):
        return skip_comments(text, at + 1)
    if not text.startswith(closing, at):
        raise MalformedCall(f"a ',' or '{closing}' is missing", at)
    return at
