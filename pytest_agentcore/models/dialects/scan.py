"""Takes a reply apart, and says when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pytest_agentcore.models.dialects.harmony import HarmonyScanner
from pytest_agentcore.models.dialects.scanner import Part, Scanner, Segment
from pytest_agentcore.models.dialects.values import NO_SCHEMAS, Parsed, RawCall, Schemas

if TYPE_CHECKING:
    from pytest_agentcore.models.dialects.base import Dialect

_TAIL = 128
"""Characters looked at before a reply is taken apart to see whether it is complete."""


def parse(dialect: Dialect, text: str, *, reasoning_open: bool = False, schemas: Schemas = NO_SCHEMAS) -> Parsed:
    """See `Dialect.parse`."""
    return fold(text, segments(dialect, text, reasoning_open=reasoning_open, schemas=schemas))


def fold(text: str, parts: Iterable[Segment]) -> Parsed:
    """The segments of `text` as one value."""
    kept: list[str] = []
    reasoning: list[str] = []
    calls: list[RawCall] = []
    problems: list[str] = []
    for part, start, end, inner, found, problem, _tool, _unclosed in parts:
        if part is Part.calls:
            calls += found
        elif part is Part.content or part is Part.broken:
            kept.append(text[start:end])
            if problem:
                problems.append(problem)
        elif part is Part.reasoning and inner:
            reasoning.append(inner)
    return Parsed(
        content="".join(kept).strip(),
        reasoning="\n\n".join(reasoning),
        calls=tuple(calls),
        problems=tuple(problems),
    )


def is_complete(dialect: Dialect, text: str, *, single: bool = False, reasoning_open: bool = False) -> bool:
    """See `Dialect.is_complete`."""
    closers = dialect.result_open
    if dialect.section and dialect.section.close:
        closers += (dialect.section.close,)
    if single or dialect.listed:
        closers += _call_closers(dialect)
    if not text[-_TAIL:].rstrip().endswith(closers):
        return False
    return _ends_closed(dialect, text, single=single or dialect.listed, reasoning_open=reasoning_open)


def _call_closers(dialect: Dialect) -> tuple[str, ...]:
    """What a call may end with: its marker, unless that may be the token that ended the turn."""
    close = dialect.call.close
    written = () if close and close not in dialect.end_of_turn else ("]" if dialect.listed else dialect.codec.last,)
    return (*written, close) if close else written


def _ends_closed(dialect: Dialect, text: str, *, single: bool, reasoning_open: bool) -> bool:
    called = False
    for part in segments(dialect, text, reasoning_open=reasoning_open):
        called = called or part.part in (Part.calls, Part.broken)
        if part.unclosed:  # what looks like a marker behind it may be part of the string
            return False
        if part.part is Part.invented:
            return True
        if part.part is Part.calls and single:
            return True
    closed = dialect.section is not None and dialect.section.close and text.rstrip().endswith(dialect.section.close)
    return called and bool(closed)


def segments(
    dialect: Dialect, text: str, *, reasoning_open: bool = False, schemas: Schemas = NO_SCHEMAS
) -> Iterator[Segment]:
    """The stretches of a reply, in order."""
    scanner = HarmonyScanner if dialect.framing == "channels" else Scanner
    return scanner(dialect, text, schemas).run(reasoning_open=reasoning_open)
