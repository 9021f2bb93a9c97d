"""Calls as Python writes them: `shell(command="ls -l", seconds=3)`; keyword arguments and literals only.

Gemma 3 writes one call a line, also inside `print(…)` or a list; Llama 3.2 and 4 may be asked for a list of calls. No
parser of Python serves: names such as `fs-read` and keywords such as `from` are none, nor need what stands behind be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from pytest_agentcore.dialects.dialect import Codec, Decoded, MalformedCall, Outer, RawCall
from pytest_agentcore.dialects.json_codec import JSON
from pytest_agentcore.dialects.literals import PythonReader, plain_values

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
        words={one: repr(one) for one in (None, True, False)},
        python=True,
        outer=Outer(open="(", close=")", key=lambda key, _raw: f"{key}=", keys=re.compile(_KEYWORD), separator=", "),
    )
    names = re.compile(rf"(?!print\Z)(?!.*\.call\Z){_NAME}")

    def decode(self, text: str, at: int) -> Decoded:
        if self.several and (plain := _plain(_FENCED_CALL, text, at)):
            return Decoded((plain[0],), plain[1])
        reader = _CallReader(text, unescaped=self.unescaped)
        at = reader.skip(at)
        if not self.several:
            call, end = reader.call(at)
            return Decoded((call,), end)
        calls, end = reader.statement(at)
        # A semicolon or nothing at all may part statements; a comment is one only where another statement follows.
        while (at := reader.skip(end)) < len(text):
            at = reader.skip(at + 1) if text[at] == ";" else at
            if not (text.startswith("[", at) or _HEAD.match(text, at)):
                break
            more, end = reader.statement(at)
            calls += more
        return Decoded(tuple(calls), at if text.startswith("```", at) else end)

    def decode_list(self, text: str, at: int) -> Decoded:
        reader = _CallReader(text, unescaped=self.unescaped)
        calls, end = reader.calls(reader.skip(at))
        return Decoded(tuple(calls), end)

    def bare_call(self, *, listed: bool) -> str:
        space = r"[ \t\r\n]{0,20}"
        call = rf"{_NAME}[ \t]{{0,8}}\({space}(?=\)|{_KEYWORD}[ \t]{{0,8}}=(?!=))"
        return rf"\[{space}{call}" if listed or self.several else ""

    def begins(self, names: str, close: str) -> str:
        return rf"\[[ \t\r\n]{{0,20}}(?:{names})\(" if close and not self.several else ""


_VALUE = r"""(?:"[^"\\\n]{0,200}"(?!")|'[^'\\\n]{0,200}'(?!')|-?[0-9]{1,18}|True|False|None)"""
_PLAIN_CALL = re.compile(rf"({_NAME})\(((?:{_KEYWORD}={_VALUE}(?:, (?=\w)|(?=\))))*)\)")
"""A call as models nearly always write it: two patterns read it five times as fast as Python's parser would."""
_FENCED_CALL = re.compile(rf"[ \t\r\n]*{_PLAIN_CALL.pattern}[ \t\r\n]*(?=```)")
"""One such call alone in its fence."""
_PLAIN_ARGUMENT = re.compile(rf"""({_KEYWORD})=(?:"([^"]*)"|'([^']*)'|([^,"')]*))""")


def _plain(pattern: re.Pattern[str], text: str, at: int) -> tuple[RawCall, int] | None:
    found = pattern.match(text, at)
    if not found or found[1].endswith(".call"):
        return None
    arguments = plain_values(_PLAIN_ARGUMENT.findall(text, *found.span(2)))
    return None if arguments is None else (RawCall(found[1], arguments), found.end())


_TEXT = re.compile(
    rf"""(['"])((?>(?:[^'"]+|(?<=\\)['"]|(?!\1\s{{0,20}}(?:,\s{{0,20}}{_KEYWORD}=|\)(?:,\s{{0,20}}{_NAME}\(|\]<\|)))['"])*))\1"""
)
"""Text between quotes, of which one may stand in it; a quote behind a backslash ends none, as in Python."""


class _CallReader(PythonReader):
    """Reads calls, too; every method gives what it read and the index behind it."""

    def __init__(self, text: str, *, unescaped: bool) -> None:
        super().__init__(text)
        self.unescaped = unescaped

    def statement(self, at: int) -> tuple[list[RawCall], int]:
        """A call, a printed call, or a list of calls."""
        if self.text.startswith("[", at):
            return self.calls(at)
        printed = self.text.startswith("print", at) and _PRINT.match(self.text, at)
        call, end = self.call(printed.end() if printed else at)
        if printed:
            end = self.skip(end)
            if not self.text.startswith(")", end):
                raise MalformedCall("a ')' is missing", end)
            end += 1
        return [call], end

    def calls(self, at: int) -> tuple[list[RawCall], int]:
        """The list of calls, at least one, whose bracket stands at `at`."""
        if not self.text.startswith("[", at):
            raise MalformedCall("a '[' should stand here", at)
        found: list[RawCall] = []
        at = self.skip(at + 1)
        while not found or not self.text.startswith("]", at):
            call, end = self.call(at)
            found.append(call)
            at = self.following("]", end)
        return found, at + 1

    def call(self, at: int) -> tuple[RawCall, int]:
        """The call that begins at `at`."""
        if plain := _plain(_PLAIN_CALL, self.text, at):
            return plain
        head = _HEAD.match(self.text, at)
        if not head:
            raise MalformedCall("tool(key=value) should stand here", at)
        found: dict[str, Any] = {}
        at = self.skip(head.end())
        while not self.text.startswith(")", at):
            argument = _ARGUMENT.match(self.text, at)
            if not argument:
                raise MalformedCall("a keyword argument should stand here (key=value)", at)
            if argument[1] in found:
                raise MalformedCall(f"the argument {argument[1][:40]!r} stands twice", at)
            try:
                found[argument[1]], end = self.value(argument.end())
                at = self.following(")", end)
            except MalformedCall:
                if not self.unescaped or not (whole := _TEXT.match(self.text, argument.end())):
                    raise
                found[argument[1]], at = whole[2], self.following(")", whole.end())
        return RawCall(head[1], found), at + 1
