"""Takes a reply apart: one pass over the markers of a dialect, linear in the text.

No marker is looked for twice: after a call that does not parse, reading goes on at the next marker, and after
`MAX_PROBLEMS` of them the rest is left as content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_agentcore.models.dialects.values import MalformedCall, Parsed, RawCall

if TYPE_CHECKING:
    from pytest_agentcore.models.dialects.base import Dialect

MAX_PROBLEMS = 8
"""Calls of one reply that are reported as malformed; more would only be noise to the model."""


_TAIL = 128
"""Characters looked at before a reply is taken apart to see whether it is complete."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One stretch, `text[start:end]`; the segments of a reply cover it without gap or overlap."""

    part: Part
    start: int
    end: int
    inner: str = ""
    """Of reasoning: the text between the markers. Of a broken call: what stands after the opening marker."""
    calls: tuple[RawCall, ...] = ()
    problem: str = ""


def parse(dialect: Dialect, text: str, *, reasoning_open: bool = False) -> Parsed:
    """See `Dialect.parse`."""
    return fold(text, tuple(segments(dialect, text, reasoning_open=reasoning_open)))


def fold(text: str, parts: tuple[Segment, ...]) -> Parsed:
    """The segments of `text` as one value."""
    kept = (text[part.start : part.end] for part in parts if part.part in (Part.content, Part.broken))
    return Parsed(
        content="".join(kept).strip(),
        reasoning="\n\n".join(part.inner for part in parts if part.part is Part.reasoning and part.inner),
        calls=tuple(call for part in parts for call in part.calls),
        problems=tuple(part.problem for part in parts if part.problem),
    )


def is_complete(dialect: Dialect, text: str, *, single: bool = False) -> bool:
    """See `Dialect.is_complete`."""
    closers = dialect.result_open
    if dialect.section and dialect.section.close:
        closers += (dialect.section.close,)
    if single and dialect.call.close:
        closers += (dialect.call.close,)
    if not text[-_TAIL:].rstrip().endswith(closers):
        return False
    return _ends_closed(dialect, text, single=single)


def _ends_closed(dialect: Dialect, text: str, *, single: bool) -> bool:
    called = False
    for part in segments(dialect, text):
        called = called or part.part in (Part.calls, Part.broken)
        if part.part is Part.invented:
            return True
        if part.part is Part.calls and single:
            return True
    closed = dialect.section is not None and dialect.section.close and text.rstrip().endswith(dialect.section.close)
    return called and bool(closed)


def segments(dialect: Dialect, text: str, *, reasoning_open: bool = False) -> Iterator[Segment]:
    """The stretches of a reply, in order."""
    return _Scanner(dialect, text).run(reasoning_open=reasoning_open)


class _Scanner:
    def __init__(self, dialect: Dialect, text: str) -> None:
        self.dialect, self.text = dialect, text
        self.end = _end_of_reply(dialect, text)
        self.markers = _markers(dialect)
        self.problems = 0
        self.called = False

    def run(self, *, reasoning_open: bool) -> Iterator[Segment]:
        at = 0
        if reasoning_open:
            yield (first := self._reasoning(0, 0))
            at = first.end
        content_seen = False
        while found := self._next(at):
            if text_before := self._content(at, found.start()):
                content_seen = content_seen or not self.text[at : found.start()].isspace()
                yield text_before
            part = self._part(found, content_seen=content_seen)
            content_seen = content_seen or part.part in (Part.content, Part.broken)
            yield part
            at = part.end
        if rest := self._content(at, self.end):
            yield rest
        if self.end < len(self.text):
            yield Segment(part=Part.structure, start=self.end, end=len(self.text))

    def _next(self, at: int) -> re.Match[str] | None:
        if self.problems >= MAX_PROBLEMS:
            return None
        return self.markers.search(self.text, at, self.end)

    def _content(self, start: int, end: int) -> Segment | None:
        if start == end:
            return None
        return Segment(part=Part.content, start=start, end=end)

    def _part(self, found: re.Match[str], *, content_seen: bool) -> Segment:
        marker, start, end = found.group(), found.start(), found.end()
        reasoning = self.dialect.reasoning
        if marker == self.dialect.call.open:
            return self._call(start, end)
        if reasoning and marker == reasoning.open:
            if self.dialect.reasoning_anywhere or not content_seen:
                return self._reasoning(start, end)
            return Segment(part=Part.content, start=start, end=end)
        if marker in self.dialect.result_open:
            part = Part.invented if self.called else Part.content
            return Segment(part=part, start=start, end=self.end if self.called else end)
        return Segment(part=Part.structure, start=start, end=end)

    def _reasoning(self, start: int, inside: int) -> Segment:
        """Reasoning that nothing closes goes to the end of the reply."""
        close = self.dialect.reasoning.close if self.dialect.reasoning else ""
        stop = self.text.find(close, inside, self.end)
        inner, end = (self.text[inside:], self.end) if stop < 0 else (self.text[inside:stop], stop + len(close))
        return Segment(part=Part.reasoning, start=start, end=end, inner=inner.strip())

    def _call(self, start: int, inside: int) -> Segment:
        self.called = True
        try:
            decoded = self.dialect.codec.decode(self.text, inside)
            end = self._closed(decoded.end)
        except MalformedCall as error:
            return self._broken(start, inside, error)
        return Segment(part=Part.calls, start=start, end=end, calls=decoded.calls)

    def _closed(self, at: int) -> int:
        close = self.dialect.call.close
        if not close:
            return at
        after = skip_space(self.text, at)
        if self.text.startswith(close, after):
            return after + len(close)
        if after >= self.end:
            raise MalformedCall(f"the reply ends before {close}", after)
        raise MalformedCall(f"{close} should follow the call", after)

    def _broken(self, start: int, inside: int, error: MalformedCall) -> Segment:
        self.problems += 1
        end = self._resume(inside)
        return Segment(
            part=Part.broken, start=start, end=end, inner=self.text[inside:end], problem=self._sentence(inside, error)
        )

    def _resume(self, inside: int) -> int:
        """Behind the call's closing marker, or before the next opening one, or the end."""
        either = "|".join(re.escape(marker) for marker in (self.dialect.call.close, self.dialect.call.open) if marker)
        found = re.compile(either).search(self.text, inside, self.end)
        if not found:
            return self.end
        return found.start() if found.group() == self.dialect.call.open else found.end()

    def _sentence(self, inside: int, error: MalformedCall) -> str:
        call = self.dialect.call
        shape = f"{call.open}{self.dialect.codec.example}{call.close}"
        near = excerpt(self.text, error.at)
        return (
            f"A tool call does not parse: {error.problem} at character {max(0, error.at - inside)} of the call"
            f"{f' (at {near})' if near else ''}; write it as {shape}."
        )


def _markers(dialect: Dialect) -> re.Pattern[str]:
    markers = [dialect.call.open, *dialect.result_open]
    if dialect.section:
        markers += [dialect.section.open, dialect.section.close]
    if dialect.reasoning:
        markers.append(dialect.reasoning.open)
    longest_first = sorted({marker for marker in markers if marker}, key=len, reverse=True)
    return re.compile("|".join(re.escape(marker) for marker in longest_first))


def _end_of_reply(dialect: Dialect, text: str) -> int:
    """Where trailing end-of-turn tokens begin, for backends that hand them on."""
    kept = text.rstrip()
    for marker in dialect.end_of_turn:
        if kept.endswith(marker):
            return len(kept) - len(marker)
    return len(text)


_SPACE = re.compile(r"[ \t\r\n]*")


def skip_space(text: str, at: int) -> int:
    """Index of the first character from `at` on that is no white space."""
    if text[at : at + 1] > " ":  # nearly always, and far cheaper than the pattern
        return at
    found = _SPACE.match(text, at)
    return found.end() if found else at


def excerpt(text: str, at: int, length: int = 24) -> str:
    """A few characters from `at`, quoted and escaped so that they stay on one line; empty at the end of the text."""
    return repr(text[at : at + length]) if at < len(text) else ""
