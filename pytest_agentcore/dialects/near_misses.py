"""Finds calls in text that holds no call of the active dialect: objects, function-like lines, another dialect.

Only what names a known tool counts, and at most `MAX_TRIES` places of a text are tried, so time stays linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pytest_agentcore.dialects.dialect import (
    NO_SCHEMAS,
    Codec,
    Decoded,
    Dialect,
    MalformedCall,
    RawCall,
    Schemas,
    skip_space,
)
from pytest_agentcore.dialects.families import DIALECTS, FOREIGN_CALL_MARKERS
from pytest_agentcore.dialects.loose_json import read_loosely
from pytest_agentcore.dialects.named_codec import NamedJsonCodec
from pytest_agentcore.dialects.parse import Part, segments
from pytest_agentcore.dialects.shapes import CALL_KEYS, calls_of, function_arguments, function_lines
from pytest_agentcore.dialects.xml_codec import XmlCodec, typed

MAX_TRIES = 32
"""Places of one text at which a call is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """Calls found at `text[start:end]`, with one sentence per call about what was forgiven."""

    start: int
    end: int
    calls: tuple[RawCall, ...]
    repairs: tuple[str, ...]


def find_near_misses(
    text: str,
    dialect: Dialect,
    tool_names: Collection[str],
    *,
    between_markers: bool = False,
    schemas: Schemas = NO_SCHEMAS,
) -> tuple[NearMiss, ...]:
    """The near misses of the first kind that has any, in the order of the text; never raises.

    The dialect's own form without its markers wins over another dialect's, that over objects, and objects over
    function-like lines, so that nothing is read twice.

    Args:
        text: where to look.
        dialect: the active one.
        tool_names: tools the model was given; nothing else is read as a call.
        between_markers: `text` is what follows the active dialect's opening marker.
        schemas: of the tools.
    """
    if not any(name in text for name in tool_names):
        return ()
    search = _Search(text, dialect, tool_names, schemas, between_markers)
    own = (*([search.behind_marker] if between_markers else []), search.without_markers)
    for find in (*own, search.other_dialects, search.objects, search.function_tags, search.function_lines):
        if found := tuple(find()):
            return found
    return ()


def arguments_alone(text: str, tool: str, tool_names: Collection[str]) -> tuple[NearMiss, ...]:
    """The arguments of a call of `tool`, which is named elsewhere; never raises."""
    try:
        value, end, notes = read_loosely(text, skip_space(text, 0), ends_open=True)
    except MalformedCall:
        return ()
    if tool not in tool_names or not isinstance(value, dict):
        return ()
    repairs = (_repair(tool, "between the markers", notes),)
    return (NearMiss(start=0, end=end, calls=(RawCall(tool, value),), repairs=repairs),)


def _repair(name: str, where: str, notes: Collection[str] = ()) -> str:
    forgiven = f" ({', '.join(notes)})" if notes else ""
    return f"Read a call of {name} {where}{forgiven}."


_FENCE_BEFORE = re.compile(r"(?:```|~~~)[\w+-]{0,20}[ \t]*\s{0,20}\Z")
_FENCE_AFTER = re.compile(r"\s{0,20}(?:```|~~~)")
_TAG_END = re.compile(r"(?:\s{0,20}</(?:[^\s<>]{1,20})>)?")
_LINE_END = re.compile(r"[ \t]*[)\]`;]{0,3}[ \t]*(?:\n|\Z)")
_LOOK_BACK = 80
"""Characters before an object in which a fence or a marker is looked for."""
_LEAST = 4
"""Characters of an opening marker's end that are taken for what is left of it."""


@dataclass(frozen=True, slots=True)
class _Search:
    text: str
    dialect: Dialect
    tool_names: Collection[str]
    schemas: Schemas
    between_markers: bool

    def _at_each(
        self, pattern: str | re.Pattern[str], read: Callable[[re.Match[str]], NearMiss | None]
    ) -> Iterator[NearMiss]:
        """The calls that `read` makes of the places which the pattern finds, none inside another."""
        at, search = 0, re.compile(pattern).search
        for _try in range(MAX_TRIES):
            found = search(self.text, at)
            if not found:
                return
            miss = read(found)
            if miss:
                yield miss
            at = miss.end if miss else found.end()

    def behind_marker(self) -> Iterator[NearMiss]:
        """A call right behind the opening marker, in the dialect's own form or in that of one with the same marker."""
        same = [other for other in DIALECTS if other.call.open and other.call.open == self.dialect.call.open]
        for other in (self.dialect, *same):
            notes: dict[str, None] = {}
            for codec in _tolerant(other.codec, notes):
                if miss := self._behind_marker(codec, other, notes):
                    yield miss
                    return
        # Several models write a tool's name and an object behind it between their markers.
        notes = {"a name and then JSON": None}
        codec = NamedJsonCodec(between="\n", loosely=r"[ \t\r\n:]{0,8}", read_loosely=_noting(notes))
        if miss := self._behind_marker(codec, self.dialect, notes):
            yield miss

    def _behind_marker(self, codec: Codec, other: Dialect, notes: Collection[str]) -> NearMiss | None:
        at = skip_space(self.text, 0)
        try:
            decoded = codec.decode(self.text, at + 1 if other.listed and self.text.startswith("[", at) else at)
        except MalformedCall:
            return None
        if not self._is_all(decoded.end, other):
            return None
        own = "between the markers" if self.between_markers else "from a bare object"
        return self._miss(decoded, 0, own if other.name == self.dialect.name else f"in the {other.name} dialect", notes)

    def _is_all(self, end: int, other: Dialect) -> bool:
        """Whether nothing but closing markers, or nothing at all, follows what was read."""
        after = skip_space(self.text, end)
        section = other.section.close if other.section else ""
        closers = (other.call.close, section, "]" if other.listed else "", *self.dialect.end_of_turn)
        return after >= len(self.text) or self.text.startswith(tuple(filter(None, closers)), after)

    def _miss(self, decoded: Decoded, start: int, where: str, notes: Collection[str] = ()) -> NearMiss | None:
        calls = decoded.calls
        if not calls or not all(call.name in self.tool_names for call in calls):
            return None
        if decoded.untyped:
            calls = tuple(typed(call, self.schemas) for call in calls)
        repairs = tuple(_repair(call.name, where, notes) for call in calls)
        return NearMiss(start=start, end=decoded.end, calls=calls, repairs=repairs)

    def without_markers(self) -> Iterator[NearMiss]:
        """Calls in the dialect's own form that lack its opening marker, where the form is one that nothing else has."""
        names = "|".join(map(re.escape, sorted(self.tool_names, key=len, reverse=True)))
        begins = self.dialect.codec.begins(names, self.dialect.call.close)
        if begins:
            with suppress(MalformedCall):
                yield from self._at_each(begins, self._unmarked)

    def _unmarked(self, found: re.Match[str]) -> NearMiss | None:
        """Raises MalformedCall: nothing closes the value of an argument, and no later one either."""
        start = found.start()
        if start > 0 and (self.text[start - 1].isalnum() or self.text[start - 1] == "_"):
            return None
        marker = self.dialect.call.open
        where = "between the markers" if self.between_markers else f"without {marker}"
        notes: dict[str, None] = {}
        for codec in _tolerant(self.dialect.codec, notes):
            try:
                decoded = codec.decode(self.text, start)
            except MalformedCall as error:
                if error.unclosed and isinstance(codec, XmlCodec):
                    raise
                continue
            if isinstance(codec, XmlCodec) and not codec.end and not self._is_all(decoded.end, self.dialect):
                continue  # nothing that is written says where the call ends
            if miss := self._miss(decoded, start, where, notes):
                # The remains of an opening marker that stand before it go away with it.
                remains = (marker[-length:] for length in range(len(marker), _LEAST - 1, -1))
                before = next((one for one in remains if self.text.endswith(one, 0, start)), "")
                return replace(miss, start=start - len(before), end=self._behind_stray_close(miss.end))
        return None

    def _behind_stray_close(self, end: int) -> int:
        section = self.dialect.section.close if self.dialect.section else ""
        for close in filter(None, (self.dialect.call.close, section)):
            after = skip_space(self.text, end)
            end = after + len(close) if self.text.startswith(close, after) else end
        return end

    def other_dialects(self) -> Iterator[NearMiss]:
        """The calls of the first other dialect that has any, and the markers around them, which hold nothing."""
        for other in (one for one in DIALECTS if one.name != self.dialect.name):
            foreign = set(other.open_markers) - set(self.dialect.open_markers)
            bare = other.bare if other.listed else ""
            if not any(marker in self.text for marker in foreign) and not (bare and re.search(bare, self.text)):
                continue
            parts = [*segments(other, self.text, schemas=self.schemas)]
            known = [part for part in parts if part.calls and all(call.name in self.tool_names for call in part.calls)]
            for part in parts if known else ():
                if part in known or part.part is Part.structure:
                    repairs = tuple(_repair(call.name, f"in the {other.name} dialect") for call in part.calls)
                    yield NearMiss(start=part.start, end=part.end, calls=part.calls, repairs=repairs)
            if known:
                return

    def objects(self) -> Iterator[NearMiss]:
        """Objects that name a tool, wherever they stand."""
        keys = "|".join((*CALL_KEYS, *map(re.escape, self.tool_names)))
        return self._at_each(rf"(?:\[\s{{0,20}})?\{{\s{{0,20}}[\"']?(?:{keys})[\"']?\s{{0,20}}:", self._object)

    def _object(self, found: re.Match[str]) -> NearMiss | None:
        try:
            value, end, notes = read_loosely(self.text, found.start(), ends_open=True)
        except MalformedCall:
            return None
        shaped = tuple(calls_of(value, self.tool_names))
        if not shaped:
            return None
        start, end, where = self._surroundings(found.start(), end)
        repairs = tuple(_repair(call.name, where, notes + differs) for call, differs in shaped)
        return NearMiss(start=start, end=end, calls=tuple(call for call, _ in shaped), repairs=repairs)

    def _surroundings(self, start: int, end: int) -> tuple[int, int, str]:
        """The span with fence or stray markers around it, and in words where the object stood."""
        back = max(0, start - _LOOK_BACK)
        before = self.text[back:start]
        if fence := _FENCE_BEFORE.search(before):
            after = _FENCE_AFTER.match(self.text, end)
            return back + fence.start(), after.end() if after else end, "from a code fence"
        end = self._behind_stray_close(end)
        others = [*(marker for other in DIALECTS for marker in other.open_markers), *FOREIGN_CALL_MARKERS]
        for marker in others:
            if marker not in self.dialect.open_markers and before.rstrip().endswith(marker):
                return self.text.rindex(marker, 0, start), end, f"behind {marker}, the marker of another dialect"
        return start, end, "between the markers" if self.between_markers else "from a bare object"

    def function_tags(self) -> Iterator[NearMiss]:
        """A tag with a known tool's name before an object: `<function=fs_read>{` or `<invoke name="fs_read">{`."""
        names = "|".join(map(re.escape, self.tool_names))
        tag = rf"<(?:function|invoke|tool|tool_call)(?: name)?=[\"']?({names})[\"']?>\s{{0,20}}(?=\{{)"
        return self._at_each(tag, self._function_tag)

    def _function_tag(self, found: re.Match[str]) -> NearMiss | None:
        try:
            value, end, notes = read_loosely(self.text, found.end())
        except MalformedCall:
            return None
        closed = _TAG_END.match(self.text, end)
        end = self._behind_stray_close(closed.end() if closed else end)
        repair = _repair(found[1], "from a tag with its name", notes)
        return NearMiss(start=found.start(), end=end, calls=(RawCall(found[1], value),), repairs=(repair,))

    def function_lines(self) -> Iterator[NearMiss]:
        """Lines that call a tool as code would."""
        return self._at_each(function_lines(self.tool_names), self._function_line)

    def _function_line(self, found: re.Match[str]) -> NearMiss | None:
        try:
            arguments, end = function_arguments(self.text, found)
        except MalformedCall:
            return None
        line_end = _LINE_END.match(self.text, self._behind_stray_close(end))
        if not line_end:
            return None
        repair = _repair(found[2], "from a function-like line")
        calls = (RawCall(found[2], arguments),)
        return NearMiss(start=found.start(), end=line_end.end(), calls=calls, repairs=(repair,))


def _tolerant(codec: Codec, notes: dict[str, None]) -> Iterator[Codec]:
    """The codec, and the same one forgiving what it can; `notes` then says what."""
    yield codec
    if isinstance(codec, XmlCodec) and codec.kinds:
        notes["a parameter without its kind"] = None
        yield replace(codec, kinds=None, after_key='">')
    elif isinstance(codec, XmlCodec) and codec.end:
        notes[f"a missing {codec.end}"] = None
        yield replace(codec, end="")
    if isinstance(codec, NamedJsonCodec):
        yield replace(codec, read_loosely=_noting(notes))


def _noting(notes: dict[str, None]) -> Callable[[str, int], tuple[Any, int]]:
    """Reads JSON loosely, and notes in words what was forgiven."""

    def read(text: str, at: int) -> tuple[Any, int]:
        value, end, found = read_loosely(text, at, ends_open=True)
        notes.update(dict.fromkeys(found))
        return value, end

    return read
