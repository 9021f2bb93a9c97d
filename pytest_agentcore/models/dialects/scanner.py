"""One pass over the markers of a dialect, linear in the text.

No marker is looked for twice: after a call that does not parse, reading goes on at the next marker, and after
`MAX_PROBLEMS` of them the rest is left as content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from pytest_agentcore.models.dialects.characters import excerpt, skip_space
from pytest_agentcore.models.dialects.typed import typed
from pytest_agentcore.models.dialects.values import Decoded, DecodesList, MalformedCall, RawCall, Schemas

if TYPE_CHECKING:
    from pytest_agentcore.models.dialects.base import Dialect

MAX_PROBLEMS = 8
"""Calls of one reply that are reported as malformed; more would only be noise to the model."""


class Part(StrEnum):
    """What a stretch of a reply is."""

    content = "content"
    reasoning = "reasoning"
    calls = "calls"
    broken = "broken"
    """A call's marker and what was read up to the next marker."""
    structure = "structure"
    """Markers that hold nothing by themselves."""
    invented = "invented"
    """From an invented tool result to the end."""


class Segment(NamedTuple):
    """One stretch, `text[start:end]`; the segments of a reply cover it without gap or overlap.

    A tuple, since a reply may have a hundred thousand of them and a frozen dataclass takes three times as long to make.
    """

    part: Part
    start: int
    end: int
    inner: str = ""
    """Of reasoning: the text between the markers. Of a broken call: what stands after the opening marker."""
    calls: tuple[RawCall, ...] = ()
    problem: str = ""
    tool: str = ""
    """Of a broken call whose name stands outside of what did not parse."""
    unclosed: bool = False
    """Of a broken call: a string in it runs to the end of the reply."""


class Scanner:
    """Text with marked stretches in it."""

    def __init__(self, dialect: Dialect, text: str, schemas: Schemas) -> None:
        self.dialect, self.text, self.schemas = dialect, text, schemas
        self.end = _end_of_reply(dialect, text)
        self.search = _markers(dialect).search
        self.again = _again(dialect)
        self.decode_list = dialect.codec.decode_list if isinstance(dialect.codec, DecodesList) else None
        self.openers = frozenset(marker for marker in (dialect.call.open, *dialect.also_open) if marker)
        self.problems = 0
        self.called = False
        self.behind_call = 0
        """Index behind the last call that no marker opened."""

    def run(self, *, reasoning_open: bool) -> Iterator[Segment]:
        """The segments, once."""
        at = 0
        if reasoning_open:
            yield (first := self._reasoning(0, 0))
            at = first.end
        content_seen = False
        while found := self._next(at):
            start = found.start()
            if start > at:
                content_seen = content_seen or not self.text[at:start].isspace()
                yield Segment(Part.content, at, start)
            part = self._part(found, content_seen=content_seen)
            content_seen = content_seen or part.part is Part.content or part.part is Part.broken
            yield part
            at = part.end
            if self.again and part.part is Part.calls and (unopened := self._unopened(self.again, at)):
                yield unopened
                at = unopened.end
        if at < self.end:
            yield Segment(part=Part.content, start=at, end=self.end)
        if self.end < len(self.text):
            yield Segment(part=Part.structure, start=self.end, end=len(self.text))

    def _next(self, at: int) -> re.Match[str] | None:
        if self.problems >= MAX_PROBLEMS:
            return None
        found = self.search(self.text, at, self.end)
        while found and found.lastgroup and not self._begins_line(found.start()):
            found = self.search(self.text, found.start() + 1, self.end)
        return found

    def _begins_line(self, at: int) -> bool:
        """Also where only another call, or a marker, stands before it on the line."""
        if at == 0 or self.text[at - 1] == "\n":
            return True
        before = self.text[max(0, at - _INDENT) : at].rstrip(" \t")
        return not before or before[-1] == "\n" or len(before) <= self.behind_call - max(0, at - _INDENT)

    def _part(self, found: re.Match[str], *, content_seen: bool) -> Segment:
        start, end = found.span()
        if found.lastgroup:
            return self._bare(start)
        marker = found.group()
        if marker in self.openers:
            return self._call(start, end)
        if self.dialect.section and marker == self.dialect.section.open:
            return self._section(start, end)
        if self.dialect.reasoning and marker == self.dialect.reasoning.open:
            may_think = self.dialect.reasoning_anywhere or not content_seen
            return self._reasoning(start, end) if may_think else Segment(Part.content, start, end)
        invents = marker in self.dialect.result_open
        if not self.called and (invents or marker in self.dialect.also_close):
            return Segment(Part.content, start, end)
        return Segment(Part.invented, start, self.end) if invents else Segment(Part.structure, start, end)

    def _section(self, start: int, end: int) -> Segment:
        """The opening marker; a call must stand behind it."""
        at = skip_space(self.text, end)
        if self.text.startswith(self.dialect.call.open, at):
            return Segment(Part.structure, start, end)
        self.called = True
        error = MalformedCall(f"{self.dialect.call.open} should stand here", at)
        return self._broken(start, end, error, end=self._resume(end, bare=False))

    def _reasoning(self, start: int, inside: int) -> Segment:
        """Reasoning that nothing closes goes to the end of the reply."""
        close = self.dialect.reasoning.close if self.dialect.reasoning else ""
        stop = self.text.find(close, inside, self.end)
        inner, end = (self.text[inside:], self.end) if stop < 0 else (self.text[inside:stop], stop + len(close))
        self.behind_call = end
        return Segment(part=Part.reasoning, start=start, end=end, inner=inner.strip())

    def _bare(self, start: int) -> Segment:
        """A call that no marker opens; a `;` or `,` behind it only parts it from the next one."""
        part = self._call(start, start, bare=True)
        if part.part is Part.calls and (parted := _PARTED.match(self.text, part.end, self.end)):
            part = part._replace(end=parted.end())
        self.behind_call = part.end
        return part

    def _call(self, start: int, inside: int, *, bare: bool = False) -> Segment:
        self.called = True
        try:
            decoded = self._listed(inside) if self.dialect.listed else self.dialect.codec.decode(self.text, inside)
            end = self._closed(decoded.end, "" if bare else self.dialect.call.close)
        except MalformedCall as error:
            return self._broken(start, inside, error, end=self._resume(inside, bare=bare))
        calls = tuple([typed(call, self.schemas) for call in decoded.calls]) if decoded.untyped else decoded.calls
        return Segment(Part.calls, start, end, "", calls)

    def _listed(self, at: int) -> Decoded:
        """`[call, call]`, at least one."""
        if self.decode_list:
            return self.decode_list(self.text, at)
        text, decode = self.text, self.dialect.codec.decode
        at = skip_space(text, at)
        if not text.startswith("[", at):
            raise MalformedCall("a '[' should stand here", at)
        calls: list[RawCall] = []
        while True:
            decoded = decode(text, at + 1)
            calls += decoded.calls
            at = skip_space(text, decoded.end)
            if text.startswith("]", at):
                return Decoded(tuple(calls), at + 1)
            if not text.startswith(",", at):
                raise MalformedCall("a ',' or ']' is missing", at)

    def _unopened(self, again: re.Pattern[str], at: int) -> Segment | None:
        """A call right behind another one that lacks its marker, where nothing closes calls: it is not text."""
        found = again.match(self.text, at, self.end) if self.problems < MAX_PROBLEMS else None
        if not found:
            return None
        error = MalformedCall(f"{self.dialect.call.open} should stand before the tool's name", found.start(1))
        return self._broken(at, found.start(1), error, end=self._resume(found.end(), bare=False))

    def _closed(self, at: int, close: str) -> int:
        if not close:
            return at
        if self.text.startswith(close, at):
            return at + len(close)
        after = skip_space(self.text, at)
        if self.text.startswith(close, after):
            return after + len(close)
        if after >= self.end:
            raise MalformedCall(f"the reply ends before {close}", after)
        raise MalformedCall(f"{close} should follow the call", after)

    def _broken(self, start: int, inside: int, error: MalformedCall, *, end: int, tool: str = "") -> Segment:
        self.problems += 1
        return Segment(
            part=Part.broken,
            start=start,
            end=end,
            inner=self.text[inside:end],
            problem=self._sentence(inside, error),
            tool=tool,
            unclosed=error.unclosed,
        )

    def _resume(self, inside: int, *, bare: bool) -> int:
        """Behind the call's closing marker, or before the next opening one, or the end; bare calls end with a line."""
        close, section = self.dialect.call.close, self.dialect.section
        either = {"\n", *self.openers} if bare else {close, *self.openers} - {""}
        either |= {section.open, section.close} if section else set()
        found = re.compile("|".join(map(re.escape, sorted(either, key=len, reverse=True))) or r"(?!)").search(
            self.text, inside, self.end
        )
        if not found:
            return self.end
        return found.end() if found.group() == close else found.start()

    def _sentence(self, inside: int, error: MalformedCall) -> str:
        near = excerpt(self.text, error.at)
        problem = error.problem.replace("\n", "\\n")
        return (
            f"A tool call does not parse: {problem} at character {max(0, error.at - inside)} of the call"
            f"{f' (at {near})' if near else ''}; write it as {shape(self.dialect)}."
        )


def shape(dialect: Dialect) -> str:
    """How a call looks, on one line."""
    inner = f"[{dialect.codec.example}]" if dialect.listed else dialect.codec.example
    call = f"{dialect.call.open}{dialect.pad}{inner}{dialect.pad}{dialect.call.close}"
    section = dialect.section
    return (f"{section.open}{call}{section.close}" if section else call).replace("\n", "\\n")


def _markers(dialect: Dialect) -> re.Pattern[str]:
    markers = [dialect.call.open, *dialect.also_open, *dialect.also_close, *dialect.result_open]
    if dialect.section:
        markers += [dialect.section.open, dialect.section.close]
    if dialect.reasoning:
        markers.append(dialect.reasoning.open)
    longest_first = sorted({marker for marker in markers if marker}, key=len, reverse=True)
    alternatives = [re.escape(marker) for marker in longest_first]
    return re.compile("|".join([*alternatives, *([f"(?P<bare>{dialect.bare})"] if dialect.bare else [])]))


def _again(dialect: Dialect) -> re.Pattern[str] | None:
    """A name and what tells that a call of it is meant; for dialects whose calls nothing closes."""
    if dialect.call.close or dialect.listed or not dialect.traces:
        return None
    return re.compile(
        rf"[ \t\r\n]*[,;]?[ \t\r\n]*([^\s<>{{}}\[\]\"'=,:]{{1,200}}(?:{'|'.join(map(re.escape, dialect.traces))}))"
    )


def _end_of_reply(dialect: Dialect, text: str) -> int:
    """Where trailing end-of-turn tokens begin, for backends that hand them on."""
    kept = text.rstrip()
    for marker in dialect.end_of_turn:
        if kept.endswith(marker):
            return len(kept) - len(marker)
    return len(text)


_INDENT = 16
"""White space before a call that no marker opens."""
_PARTED = re.compile(r"[ \t\r\n]*(?:;|,(?=[ \t\r\n]*[{\[]))[ \t\r\n]*")
