"""The strict reader: takes a reply apart at the markers of its dialect, in one pass that is linear in the text.

No marker is looked for twice: after a call that does not parse, reading goes on at the next marker, and after
`MAX_PROBLEMS` of them the rest is left as content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from pytest_agentcore.dialects.dialect import (
    NO_SCHEMAS,
    Dialect,
    MalformedCall,
    Markers,
    Parsed,
    RawCall,
    Schemas,
    skip_space,
)
from pytest_agentcore.dialects.json_codec import read_object
from pytest_agentcore.dialects.xml_codec import typed

MAX_PROBLEMS = 8
"""Calls of one reply that are reported as malformed; more would only be noise to the model."""


class Part(StrEnum):
    """The kinds of stretches in a reply."""

    content = "content"
    answer = "answer"
    """Content that the dialect itself marks as the final answer: no call is looked for in it."""
    reasoning = "reasoning"
    calls = "calls"
    broken = "broken"
    """A call's marker and what was read up to the next marker."""
    structure = "structure"
    """Markers that hold nothing by themselves."""
    invented = "invented"
    """From an invented tool result to the end."""


_KEPT = frozenset({Part.content, Part.answer, Part.broken})


class Segment(NamedTuple):
    """One stretch, `text[start:end]`; the segments of a reply cover it without gap or overlap.

    A tuple, since a reply may have a hundred thousand of them and a frozen dataclass takes three times as long to make.
    """

    part: Part
    start: int
    end: int
    inner: str = ""
    """The text between the markers of reasoning, or behind the opening marker of a broken call."""
    calls: tuple[RawCall, ...] = ()
    problem: str = ""
    tool: str = ""
    """The tool of a broken call, where its name stands outside of what did not parse."""
    unclosed: bool = False
    """Whether a string in a broken call runs to the end of the reply."""


def parse(dialect: Dialect, text: str, *, reasoning_open: bool = False, schemas: Schemas = NO_SCHEMAS) -> Parsed:
    """Read a whole reply strictly; never raises, and takes time linear in the text.

    Args:
        dialect: how the model writes calls and reasoning.
        text: what it wrote, markers included.
        reasoning_open: the prompt itself ended inside a reasoning block (see `Dialect.opens_reasoning`).
        schemas: of the tools; dialects that write strings without quotes need them to tell `42` from `"42"`.
    """
    return fold(dialect, text, segments(dialect, text, reasoning_open=reasoning_open, schemas=schemas))


def fold(dialect: Dialect, text: str, parts: Iterable[Segment]) -> Parsed:
    """Put the segments of `text` together, with a problem where what is left shows that a call was read wrongly."""
    kept: list[str] = []
    reasoning: list[str] = []
    calls: list[RawCall] = []
    problems: list[str] = []
    for part, start, end, inner, found, problem, _tool, _unclosed in parts:
        if part is Part.calls:
            calls += found
        elif part in _KEPT:
            kept.append(text[start:end])
            if problem:
                problems.append(problem)
        elif part is Part.reasoning and inner:
            reasoning.append(inner)
    content = "".join(kept).strip()
    if calls and not problems:
        ends = dialect.codec.notation.ends_text
        if ends and ends in content:
            problems.append(f"A tool call cannot be read: {ends} stands behind it, so a value may have been cut short.")
        elif (close := dialect.call.close) and close[0] in "<[" and close in content:
            problems.append(f"A tool call lacks its opening marker before {close}; write it as {shape(dialect)}.")
    return Parsed(content=content, reasoning="\n\n".join(reasoning), calls=tuple(calls), problems=tuple(problems))


_TAIL = 128
"""Characters looked at before a reply is taken apart to see whether it is complete."""


def is_complete(dialect: Dialect, text: str, *, single: bool = False, reasoning_open: bool = False) -> bool:
    """Whether generation can stop: nothing that belongs to the reply can follow `text`.

    That is so when the section or the list of calls was closed, or when an invented tool result is opened after a call;
    with `single`, when the first call was closed. What stands inside a string that is not closed does not count.
    """
    single = single or dialect.listed
    close, section = dialect.call.close, dialect.section.close if dialect.section else ""
    closers = [*dialect.result_open, section, close if single else ""]
    if single and (not close or close in dialect.end_of_turn):  # which a backend may have cut off
        closers.append("]" if dialect.listed else dialect.codec.notation.last)
    if not text[-_TAIL:].rstrip().endswith(tuple(filter(None, closers))):
        return False
    called = False
    for part in segments(dialect, text, reasoning_open=reasoning_open):
        called = called or part.part in (Part.calls, Part.broken)
        if part.unclosed:  # what looks like a marker behind it may be part of the string
            return False
        if part.part is Part.invented or (part.part is Part.calls and single):
            return True
    return called and bool(section) and text.rstrip().endswith(section)


def segments(
    dialect: Dialect, text: str, *, reasoning_open: bool = False, schemas: Schemas = NO_SCHEMAS
) -> Iterator[Segment]:
    """Yield the stretches of a reply in order."""
    scanner = _ChannelScanner if dialect.channels else _Scanner
    return scanner(dialect, text, schemas).run(reasoning_open=reasoning_open)


def shape(dialect: Dialect) -> str:
    """The form of a call on one line, as it is shown to a model that got it wrong."""
    return dialect.render_calls([("tool", {"key": "text"})]).replace("\n", "\\n")


_INDENT = 16
"""Characters of white space that may stand before a call that no marker opens."""
_PARTED = re.compile(r"[ \t\r\n]*(?:;|,(?=[ \t\r\n]*[{\[]))[ \t\r\n]*")


class _Scanner:
    """Reads text with marked stretches in it."""

    def __init__(self, dialect: Dialect, text: str, schemas: Schemas) -> None:
        if dialect.misspelled and dialect.call.open not in text:
            text = re.sub(dialect.misspelled, lambda marker: re.sub("[ _]", "▁", marker.group()), text)
        self.dialect, self.text, self.schemas = dialect, text, schemas
        # Some backends hand on the token that ended the turn.
        kept = text.rstrip()
        ending = next((token for token in dialect.end_of_turn if kept.endswith(token)), "")
        self.end = len(kept) - len(ending) if ending else len(text)
        self.search = _opening(dialect).search
        self.unopened: re.Pattern[str] | None = None
        """Where nothing closes calls: a name and what tells that a call of it is meant."""
        if dialect.traces and not dialect.call.close and not dialect.listed:
            name = rf"[^\s<>{{}}\[\]\"'=,:]{{1,200}}(?:{any_of(dialect.traces)})"
            self.unopened = re.compile(rf"[ \t\r\n]*[,;]?[ \t\r\n]*({name})")
        self.decode = dialect.codec.decode_list if dialect.listed else dialect.codec.decode
        self.openers = frozenset(marker for marker in (dialect.call.open, *dialect.also_open) if marker)
        self.problems = 0
        self.called = False
        self.said = Part.content
        """What text is until the next part."""
        self.behind_call = 0
        """Index behind the last call that no marker opened."""

    def run(self, *, reasoning_open: bool) -> Iterator[Segment]:
        """Yield the segments; to be called once."""
        at = 0
        if reasoning_open:
            first = self._reasoning(0, 0)
            yield first
            at = first.end
        # A reply thinks before it says something: a reasoning marker behind text is text, but for families that think
        # anywhere. Calls are no text.
        content_seen = False
        while found := self._next(at):
            start = found.start()
            if start > at:
                content_seen = content_seen or not self.text[at:start].isspace()
                yield Segment(self.said, at, start)
            part = self._part(found, content_seen=content_seen)
            content_seen = content_seen or part.part is Part.content or part.part is Part.broken
            yield part
            at = part.end
            if not self.unopened or part.part is not Part.calls or self.problems >= MAX_PROBLEMS:
                continue
            # Right behind another call, one that lacks its marker is no text.
            if again := self.unopened.match(self.text, at, self.end):
                error = MalformedCall(f"{self.dialect.call.open} should stand before the tool's name", again.start(1))
                part = self._broken(at, again.start(1), error, end=self._resume(again.end()))
                yield part
                at = part.end
        if at < self.end:
            yield Segment(self.said, at, self.end)
        if self.end < len(self.text):
            yield Segment(part=Part.structure, start=self.end, end=len(self.text))

    def _next(self, at: int) -> re.Match[str] | None:
        if self.problems >= MAX_PROBLEMS:
            return None
        found = self.search(self.text, at, self.end)
        while found and found.lastgroup:
            # A call without a marker begins a line, on which nothing but another call, or a marker, stands before it.
            at = found.start()
            back = max(0, at - _INDENT)
            before = self.text[back:at].rstrip(" \t")
            if not before or before[-1] == "\n" or len(before) <= self.behind_call - back:
                break
            found = self.search(self.text, at + 1, self.end)
        return found

    def _part(self, found: re.Match[str], *, content_seen: bool) -> Segment:
        start, end = found.span()
        if found.lastgroup:
            part = self._call(start, start, bare=True)
            # A `;` or `,` behind it only parts it from the next one.
            parted = None if self.dialect.listed else _PARTED.match(self.text, part.end, self.end)
            if part.part is Part.calls and parted:
                part = part._replace(end=parted.end())
            self.behind_call = part.end
            return part
        marker = found.group()
        if marker in self.openers:
            return self._call(start, end)
        if self.dialect.section and marker == self.dialect.section.open:
            at = skip_space(self.text, end)
            if self.text.startswith(self.dialect.call.open, at):
                return Segment(Part.structure, start, end)
            self.called = True
            error = MalformedCall(f"{self.dialect.call.open} should stand here", at)
            return self._broken(start, end, error, end=self._resume(end))
        if self.dialect.reasoning and marker == self.dialect.reasoning.open:
            may_think = self.dialect.reasoning_anywhere or not content_seen
            return self._reasoning(start, end) if may_think else Segment(Part.content, start, end)
        # Before the first call nobody can be inventing its result: an answer may well mention the marker.
        invents = marker in self.dialect.result_open
        said = not self.called and (invents or marker in self.dialect.also_close)
        kind = Part.content if said else Part.invented if invents else Part.structure
        return Segment(kind, start, self.end if kind is Part.invented else end)

    def _reasoning(self, start: int, inside: int) -> Segment:
        """A block of reasoning; one that nothing closes goes to the end of the reply."""
        close = self.dialect.reasoning.close if self.dialect.reasoning else ""
        stop = self.text.find(close, inside, self.end)
        inner, end = (self.text[inside:], self.end) if stop < 0 else (self.text[inside:stop], stop + len(close))
        self.behind_call = end
        return Segment(part=Part.reasoning, start=start, end=end, inner=inner.strip())

    def _call(self, start: int, inside: int, *, bare: bool = False) -> Segment:
        self.called = True
        close = "" if bare else self.dialect.call.close
        try:
            decoded = self.decode(self.text, inside)
            found, end = decoded.calls, decoded.end
            while self.dialect.several and not self.text.startswith(close, skip_space(self.text, end)):
                decoded = self.decode(self.text, end)
                found, end = found + decoded.calls, decoded.end
            if not self.text.startswith(close, end):
                end = skip_space(self.text, end)
                if not self.text.startswith(close, end):
                    problem = f"the reply ends before {close}" if end >= self.end else f"{close} should follow the call"
                    raise MalformedCall(problem, end)
        except MalformedCall as error:
            behind = self.end if error.lost else self._resume(inside, read=0 if bare else error.at, bare=bare)
            return self._broken(start, inside, error, end=behind)
        calls = tuple([typed(call, self.schemas) for call in found]) if decoded.untyped else found
        return Segment(Part.calls, start, end + len(close), "", calls)

    def _broken(self, start: int, inside: int, error: MalformedCall, *, end: int, tool: str = "") -> Segment:
        """A call that does not parse, with a sentence for the model about why."""
        self.problems += 1
        near = repr(self.text[error.at : error.at + 24]) if error.at < len(self.text) else ""
        problem = (
            f"A tool call does not parse: {error.problem} at character {max(0, error.at - inside)} of the call"
            f"{f' (at {near})' if near else ''}; write it as {shape(self.dialect)}."
        ).replace("\n", "\\n")
        return Segment(Part.broken, start, end, self.text[inside:end], (), problem, tool, error.unclosed)

    def _resume(self, inside: int, *, read: int = 0, bare: bool = False) -> int:
        """Behind the call's closing marker, or before the next opening one, or the end; bare calls end with a line.

        Markers before `read`, the place that does not parse, were read as parts of values, and are none.
        """
        close, section = self.dialect.call.close, self.dialect.section
        either = {"\n", *self.openers} if bare else {close, *self.openers} - {""}
        either |= {section.open, section.close} if section else set()
        search = re.compile(any_of(either) or r"(?!)").search
        found = search(self.text, inside, self.end)
        while found and found.end() <= read:
            found = search(self.text, found.end(), self.end)
        if not found:
            return self.end
        return found.end() if found.group() == close else found.start()


@lru_cache(maxsize=64)
def _opening(dialect: Dialect) -> re.Pattern[str]:
    """The markers of a dialect, and under the name `bare` a call that none opens."""
    section, reasoning = dialect.section or Markers(""), dialect.reasoning or Markers("")
    markers = [dialect.call.open, *dialect.also_open, section.open, section.close, reasoning.open]
    others = (*dialect.also_close, *dialect.result_open, *dialect.around_text)
    either, form = any_of([*markers, *others]), dialect.bare_call
    # The group's name stands behind the first character, an escaped one, since only alternatives that begin with a
    # literal let `re` step over text in which none of them can begin.
    at = 2 if form[:1] == "\\" else 0
    return re.compile("|".join(filter(None, [either, form and f"{form[:at]}(?P<bare>){form[at:]}"])))


def any_of(markers: Iterable[str]) -> str:
    """A pattern of the markers, the longest first, since one may begin another."""
    return "|".join(map(re.escape, sorted({*markers} - {""}, key=len, reverse=True)))


_RECIPIENT = r"to=([^\s<]{1,200})"
_HEADER = re.compile(
    rf"(?:<\|start\|>)?(?:assistant)?\s{{0,4}}(?:{_RECIPIENT})?\s{{0,4}}<\|channel\|>([a-z]{{1,20}})"
    rf"\s{{0,4}}(?:{_RECIPIENT})?\s{{0,4}}(?:<\|constrain\|>)?(?:[a-z]{{1,20}})?\s{{0,4}}<\|message\|>"
)
_BEGINS = re.compile(r"<\|(?:start|channel)\|>")
_ENDS = re.compile(r"<\|(?:end|call|return|start)\|>")
_ADDRESSED = re.compile(
    rf"(?:<\|start\|>)?(?:assistant)?\s{{0,4}}(?:<\|channel\|>)?(?:[a-z]{{1,20}})?\s{{0,4}}{_RECIPIENT}"
)


class _ChannelScanner(_Scanner):
    """Reads the messages of a reply; text outside of them is content."""

    inside = False
    """Whether a message has begun and not ended."""

    def _next(self, at: int) -> re.Match[str] | None:
        """The end of the message, or the next header, the beginning of one, or that of an invented result."""
        if self.problems >= MAX_PROBLEMS:
            return None
        if self.inside:
            return _ENDS.search(self.text, at, self.end)
        header = _HEADER.match(self.text, at, self.end)
        while not header and (begins := _BEGINS.search(self.text, at, self.end)):
            if self.called and self.text.startswith(self.dialect.result_open, begins.start()):
                return begins
            at = begins.start()
            header = _HEADER.match(self.text, at, self.end) or _ADDRESSED.match(self.text, at, self.end)
            at = begins.end()
        return header

    def _part(self, found: re.Match[str], *, content_seen: bool) -> Segment:  # noqa: ARG002 - it may think anywhere
        start, inside = found.span()
        if found.re is _BEGINS:
            return Segment(Part.invented, start, self.end)
        self.inside, self.said = found.re is _HEADER, Part.content
        if found.re is _ENDS:  # a new message is read from its start on
            return Segment(Part.structure, start, start if found.group() == "<|start|>" else inside)
        if found.re is _ADDRESSED:
            self.called = True
            error = MalformedCall("<|channel|> and <|message|> should follow the recipient", inside)
            again = self.text.startswith("<|channel|>", inside)  # gpt-oss may name the channel a second time
            ends = _BEGINS.search(self.text, inside + again, self.end)
            return self._broken(start, start, error, end=ends.start() if ends else self.end)
        recipient = found[1] or found[3] or ""
        if recipient not in ("", "assistant", "user"):
            return self._addressed(start, inside, recipient.removeprefix("functions."))
        if found[2] == "analysis":
            return self._reasoning(start, inside)
        self.said = Part.answer if found[2] == "final" else Part.content
        return Segment(Part.structure, start, inside)

    def _addressed(self, start: int, inside: int, tool: str) -> Segment:
        """A message to a tool: its arguments."""
        self.called = True
        try:
            at = skip_space(self.text, inside)
            arguments, end = read_object(self.text, at, "the arguments should be a JSON object")
            end = skip_space(self.text, end)
            if end < self.end and not _ENDS.match(self.text, end):
                raise MalformedCall("the message should end behind its arguments", end)
            return Segment(Part.calls, start, end, calls=(RawCall(tool, arguments),))
        except MalformedCall as error:
            return self._broken(start, inside, error, end=self._ends(inside), tool=tool)

    def _reasoning(self, start: int, inside: int) -> Segment:
        self.inside, end = True, self._ends(inside)
        return Segment(Part.reasoning, start, end, self.text[inside:end].strip())

    def _ends(self, at: int) -> int:
        ends = _ENDS.search(self.text, at, self.end)
        return ends.start() if ends else self.end
