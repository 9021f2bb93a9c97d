"""The lenient policy's reader: what the strict one reads, and the near misses that real models make."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
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
    parts: list[Segment] = []
    for part in segments(dialect, text, reasoning_open=reasoning_open, schemas=schemas):
        if parts and part.part is Part.content is parts[-1].part:  # as one, so that each place is searched once
            parts[-1] = parts[-1]._replace(end=part.end)
        else:
            parts.append(part)
    strict = fold(text, parts)
    if strict.calls and not strict.problems:
        return strict
    mending = _Mending(text, dialect, tool_names, schemas)
    for wanted in (Part.broken, Part.content, Part.reasoning):
        mended = mending.parse(parts, wanted)
        if mended.calls:
            return mended
    return strict


@dataclass(frozen=True, slots=True)
class _Mending:
    text: str
    dialect: Dialect
    tool_names: Collection[str]
    schemas: Schemas

    def parse(self, parts: Sequence[Segment], wanted: Part) -> Parsed:
        """The reply with the near misses in stretches of the wanted kind."""
        calls: list[RawCall] = []
        repairs: list[str] = []
        kept: list[str] = []
        unmended: list[Segment] = []
        searched = 0
        for part in parts:
            misses: tuple[NearMiss, ...] = ()
            if part.part is wanted and searched < MAX_STRETCHES:
                searched += 1
                find = {Part.broken: self._in_broken, Part.reasoning: self._in_open_reasoning}
                misses = find.get(wanted, self._in_content)(part)
            calls += part.calls
            at = part.start
            for miss in misses:
                calls += miss.calls
                repairs += miss.repairs
                kept.append(self.text[at : miss.start])  # nothing, where the miss is the whole stretch
                at = miss.end
            if part.part in (Part.content, Part.broken):
                kept.append(self.text[at : part.end])
            if not misses or part.part is not Part.broken:
                unmended.append(part)
        strict = fold(self.text, unmended)
        content = _EMPTY_FENCE.sub("", "".join(kept)).strip()
        return replace(strict, content=content, calls=tuple(calls), repairs=tuple(repairs))

    def _in_content(self, part: Segment) -> tuple[NearMiss, ...]:
        inner = self.text[part.start : part.end]
        found = find_near_misses(inner, self.dialect, self.tool_names, schemas=self.schemas)
        return tuple(replace(one, start=one.start + part.start, end=one.end + part.start) for one in found)

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
        if not all(call.name in self.tool_names for call in inside.calls):
            return ()
        repairs = tuple(f"Read a call of {call.name} inside reasoning that nothing closes." for call in inside.calls)
        return (NearMiss(start=part.start, end=part.end, calls=inside.calls, repairs=repairs),)
