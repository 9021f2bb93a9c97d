"""The lenient policy's reader: what the strict one reads, and the near misses that real models make."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from pytest_agentcore.dialects.dialect import NO_SCHEMAS, Dialect, Parsed, RawCall, Schemas
from pytest_agentcore.dialects.near_misses import NearMiss, arguments_alone, find_near_misses
from pytest_agentcore.dialects.parse import Part, Segment, fold, parse, segments

MAX_STRETCHES = 256
"""Stretches of one reply that are searched for near misses."""

_EMPTY_FENCE = re.compile(r"(?:```|~~~)[\w+-]{0,20}\s{0,20}(?:```|~~~)")


def parse_leniently(
    text: str,
    dialect: Dialect,
    tool_names: Collection[str],
    *,
    reasoning_open: bool = False,
    schemas: Schemas = NO_SCHEMAS,
) -> Parsed:
    """Read a whole reply; never raises, and takes time linear in the text.

    A reply with calls and no problem is read strictly. Otherwise calls that do not parse are repaired where they stand;
    where that yields no call at all, the rest of the text is searched, and last a reasoning block that nothing closes.
    Each repair is one sentence in `Parsed.repairs`. Only calls of a tool in `tool_names` are made out of near misses.
    """
    parts = tuple(_joined(segments(dialect, text, reasoning_open=reasoning_open, schemas=schemas)))
    strict = fold(text, parts)
    if strict.calls and not strict.problems:
        return strict
    for wanted in (Part.broken, Part.content, Part.reasoning):
        mended = _Mending(text, dialect, tool_names, wanted, schemas).parse(parts)
        if mended.calls:
            return mended
    return strict


def _joined(parts: Iterator[Segment]) -> Iterator[Segment]:
    """Neighbouring stretches of content as one, so that each place is searched once."""
    last: Segment | None = None
    for part in parts:
        if last and last.part is Part.content and part.part is Part.content:
            last = last._replace(end=part.end)
            continue
        if last:
            yield last
        last = part
    if last:
        yield last


@dataclass(frozen=True, slots=True)
class _Mending:
    text: str
    dialect: Dialect
    tool_names: Collection[str]
    wanted: Part
    """The one kind of stretch in which near misses are looked for."""
    schemas: Schemas

    def parse(self, parts: tuple[Segment, ...]) -> Parsed:
        calls: list[RawCall] = []
        repairs: list[str] = []
        kept: list[str] = []
        unmended: list[Segment] = []
        searched = 0
        for part in parts:
            misses = self._misses(part) if searched < MAX_STRETCHES else ()
            searched += part.part is self.wanted
            calls += part.calls
            calls += [call for miss in misses for call in miss.calls]
            repairs += [repair for miss in misses for repair in miss.repairs]
            if not (misses and part.part is Part.broken):
                unmended.append(part)
            if part.part in (Part.content, Part.broken):
                kept.append(_without(self.text, part, misses))
        content = _EMPTY_FENCE.sub("", "".join(kept)).strip()
        strict = fold(self.text, tuple(unmended))
        return replace(strict, content=content, calls=tuple(calls), repairs=tuple(repairs))

    def _misses(self, part: Segment) -> tuple[NearMiss, ...]:
        if part.part is not self.wanted:
            return ()
        if part.part is Part.broken:
            return self._in_broken(part)
        if part.part is Part.reasoning:
            return self._in_open_reasoning(part)
        return tuple(
            replace(miss, start=miss.start + part.start, end=miss.end + part.start)
            for miss in find_near_misses(
                self.text[part.start : part.end], self.dialect, self.tool_names, schemas=self.schemas
            )
        )

    def _in_broken(self, part: Segment) -> tuple[NearMiss, ...]:
        """The whole stretch goes away; what was read from it stays."""
        if part.tool:
            misses = arguments_alone(part.inner, part.tool, self.tool_names)
        else:
            misses = find_near_misses(
                part.inner, self.dialect, self.tool_names, between_markers=True, schemas=self.schemas
            )
        close = self.dialect.call.close
        may_lack = close and close not in self.dialect.end_of_turn  # which a backend may have cut off
        lacking = f" The closing {close} is missing." if may_lack and close not in part.inner else ""
        return tuple(
            replace(miss, start=part.start, end=part.end, repairs=tuple(r + lacking for r in miss.repairs))
            for miss in misses
        )

    def _in_open_reasoning(self, part: Segment) -> tuple[NearMiss, ...]:
        reasoning = self.dialect.reasoning
        if not reasoning or part.end < len(self.text) or self.text.endswith(reasoning.close):
            return ()
        inside = parse(self.dialect, part.inner, schemas=self.schemas)
        repairs = tuple(f"Read a call of {call.name} inside reasoning that nothing closes." for call in inside.calls)
        if not all(call.name in self.tool_names for call in inside.calls):
            return ()
        return (NearMiss(start=part.start, end=part.end, calls=inside.calls, repairs=repairs),)


def _without(text: str, part: Segment, misses: tuple[NearMiss, ...]) -> str:
    return "".join(_gaps(text, part, misses))


def _gaps(text: str, part: Segment, misses: tuple[NearMiss, ...]) -> Iterator[str]:
    at = part.start
    for miss in misses:
        yield text[at : miss.start]
        at = miss.end
    yield text[at : part.end]
