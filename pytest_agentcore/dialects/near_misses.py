"""Finds calls in text that holds no call of the active dialect: objects, function-like lines, another dialect.

Only what names a known tool counts, and at most `MAX_TRIES` places of a text are tried, so time stays linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

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
from pytest_agentcore.dialects.parse import Part, segments
from pytest_agentcore.dialects.shapes import (
    ARGUMENT_KEYS,
    NAME_KEYS,
    WRAPPER_KEYS,
    beginnings,
    behind_remains,
    calls_of,
    function_arguments,
    function_lines,
    function_tag_end,
    function_tags,
    name_and_object,
    tolerant,
)
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
    """In the order of the text; never raises.

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
    between = "between the markers"
    bare, lacking = (between, between) if between_markers else ("from a bare object", f"without {dialect.call.open}")
    finder = _Finder(text, dialect, tool_names, schemas, bare, lacking)
    own = (*([finder.behind_marker] if between_markers else []), finder.without_markers)
    for find in (*own, finder.other_dialects, finder.objects, finder.function_tags, finder.function_lines):
        if found := tuple(find()):
            return found
    return ()


def arguments_alone(text: str, tool: str, tool_names: Collection[str]) -> tuple[NearMiss, ...]:
    """The arguments of a call of `tool`, which is named elsewhere; never raises."""
    if tool not in tool_names:
        return ()
    try:
        value, end, notes = read_loosely(text, skip_space(text, 0), ends_open=True)
    except MalformedCall:
        return ()
    if not isinstance(value, dict):
        return ()
    call = RawCall(name=tool, arguments=value)
    return (NearMiss(start=0, end=end, calls=(call,), repairs=(described(tool, "between the markers", notes),)),)


def described(name: str, where: str, notes: Collection[str] = ()) -> str:
    """One repair as a sentence."""
    forgiven = f" ({', '.join(notes)})" if notes else ""
    return f"Read a call of {name} {where}{forgiven}."


_KEYS = "|".join(dict.fromkeys(NAME_KEYS + ARGUMENT_KEYS + WRAPPER_KEYS + ("type", "id")))
_FENCE_BEFORE = re.compile(r"(?:```|~~~)[\w+-]{0,20}[ \t]*\s{0,20}\Z")
_FENCE_AFTER = re.compile(r"\s{0,20}(?:```|~~~)")
_LINE_END = re.compile(r"[ \t]*[)\]`;]{0,3}[ \t]*(?:\n|\Z)")
_LOOK_BACK = 80
"""Characters before an object in which a fence or a marker is looked for."""


@dataclass(frozen=True, slots=True)
class _Finder:
    text: str
    dialect: Dialect
    tool_names: Collection[str]
    schemas: Schemas
    bare: str
    """Where an object stands that nothing else is said about."""
    lacking: str
    """What is said about a call in the dialect's own form without its opening marker."""

    def behind_marker(self) -> Iterator[NearMiss]:
        """What stands right behind the opening marker: the dialect's own form, or that of one with the same marker."""
        same = [other for other in DIALECTS if other.call.open and other.call.open == self.dialect.call.open]
        for other in (self.dialect, *same):
            notes: dict[str, None] = {}
            for codec in tolerant(other.codec, notes):
                if miss := self._decoded(codec, other, notes):
                    yield miss
                    return
        notes = {}
        if miss := self._decoded(name_and_object(notes), self.dialect, notes):
            yield miss

    def _decoded(self, codec: Codec, other: Dialect, notes: Collection[str]) -> NearMiss | None:
        at = skip_space(self.text, 0)
        try:
            decoded = codec.decode(self.text, at + 1 if other.listed and self.text.startswith("[", at) else at)
        except MalformedCall:
            return None
        if not self._is_all(decoded.end, other):
            return None
        where = self.bare if other.name == self.dialect.name else f"in the {other.name} dialect"
        return self._miss(decoded, 0, where, notes)

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
        repairs = tuple(described(call.name, where, notes) for call in calls)
        return NearMiss(start=start, end=decoded.end, calls=calls, repairs=repairs)

    def without_markers(self) -> Iterator[NearMiss]:
        """Calls in the dialect's own form that lack its opening marker, where the form is one that nothing else has."""
        at, begins = 0, beginnings(self.dialect, self.tool_names)
        for _try in range(MAX_TRIES if begins else 0):
            found = begins.search(self.text, at) if begins else None
            if not found:
                return
            at = found.end()
            try:
                miss = None if self._inside_word(found.start()) else self._unmarked(found.start())
            except MalformedCall:
                return
            if miss:
                yield miss
                at = miss.end

    def _inside_word(self, at: int) -> bool:
        return at > 0 and (self.text[at - 1].isalnum() or self.text[at - 1] == "_")

    def _unmarked(self, start: int) -> NearMiss | None:
        """Raises MalformedCall: nothing closes the value of an argument, and no later one either."""
        notes: dict[str, None] = {}
        for codec in tolerant(self.dialect.codec, notes):
            try:
                decoded = codec.decode(self.text, start)
            except MalformedCall as error:
                if error.unclosed and isinstance(codec, XmlCodec):
                    raise
                continue
            if isinstance(codec, XmlCodec) and not codec.end and not self._is_all(decoded.end, self.dialect):
                continue  # nothing that is written says where the call ends
            if miss := self._miss(decoded, start, self.lacking, notes):
                begins = behind_remains(self.text, start, self.dialect.call.open)
                return replace(miss, start=begins, end=self._behind_stray_close(miss.end))
        return None

    def other_dialects(self) -> Iterator[NearMiss]:
        for other in DIALECTS:
            if self.dialect.name == other.name or not self._speaks(other):
                continue
            if found := tuple(self._in_dialect(other)):
                yield from found
                return

    def _speaks(self, other: Dialect) -> bool:
        own = self.dialect.open_markers
        if any(marker in self.text for marker in other.open_markers if marker not in own):
            return True
        return other.listed and bool(other.bare) and re.search(other.bare, self.text) is not None

    def _in_dialect(self, other: Dialect) -> Iterator[NearMiss]:
        """Its calls, and the markers around them, which hold nothing by themselves."""
        parts = [*segments(other, self.text, schemas=self.schemas)]
        known = [part for part in parts if part.calls and all(call.name in self.tool_names for call in part.calls)]
        for part in parts if known else ():
            if part in known or part.part is Part.structure:
                repairs = tuple(described(call.name, f"in the {other.name} dialect") for call in part.calls)
                yield NearMiss(start=part.start, end=part.end, calls=part.calls, repairs=repairs)

    def objects(self) -> Iterator[NearMiss]:
        keys = "|".join((_KEYS, *map(re.escape, self.tool_names)))
        begins = re.compile(rf"(?:\[\s{{0,20}})?\{{\s{{0,20}}[\"']?(?:{keys})[\"']?\s{{0,20}}:")
        at = 0
        for _try in range(MAX_TRIES):
            found = begins.search(self.text, at)
            if not found:
                return
            at = found.end()
            if miss := self._object_at(found.start()):
                yield miss
                at = miss.end

    def _object_at(self, start: int) -> NearMiss | None:
        try:
            value, end, notes = read_loosely(self.text, start, ends_open=True)
        except MalformedCall:
            return None
        shaped = tuple(calls_of(value, self.tool_names))
        if not shaped:
            return None
        before, after, where = self._surroundings(start, end)
        return NearMiss(
            start=before,
            end=after,
            calls=tuple(one.call for one in shaped),
            repairs=tuple(described(one.call.name, where, notes + one.notes) for one in shaped),
        )

    def _surroundings(self, start: int, end: int) -> tuple[int, int, str]:
        """The span with fence or stray markers around it, and in words where the object stood."""
        back = max(0, start - _LOOK_BACK)
        before = self.text[back:start]
        if fence := _FENCE_BEFORE.search(before):
            after = _FENCE_AFTER.match(self.text, end)
            return back + fence.start(), after.end() if after else end, "from a code fence"
        end = self._behind_stray_close(end)
        marker = next((marker for marker in _foreign(self.dialect) if before.rstrip().endswith(marker)), None)
        if marker:
            where = f"behind {marker}, the marker of another dialect"
            return self.text.rindex(marker, 0, start), end, where
        return start, end, self.bare

    def _behind_stray_close(self, end: int) -> int:
        section = self.dialect.section.close if self.dialect.section else ""
        for close in filter(None, (self.dialect.call.close, section)):
            after = skip_space(self.text, end)
            end = after + len(close) if self.text.startswith(close, after) else end
        return end

    def function_tags(self) -> Iterator[NearMiss]:
        return self._where(function_tags(self.tool_names), self._function_tag_at)

    def _function_tag_at(self, found: re.Match[str]) -> NearMiss | None:
        try:
            value, end, notes = read_loosely(self.text, found.end())
        except MalformedCall:
            return None
        end = self._behind_stray_close(function_tag_end(self.text, end))
        repair = described(found[1], "from a tag with its name", notes)
        return NearMiss(start=found.start(), end=end, calls=(RawCall(found[1], value),), repairs=(repair,))

    def function_lines(self) -> Iterator[NearMiss]:
        return self._where(function_lines(self.tool_names), self._function_line_at)

    def _where(self, pattern: re.Pattern[str], read: Callable[[re.Match[str]], NearMiss | None]) -> Iterator[NearMiss]:
        """Each place that the pattern finds and `read` can make a call of, one behind the other."""
        at = 0
        for _try in range(MAX_TRIES):
            found = pattern.search(self.text, at)
            if not found:
                return
            at = found.end()
            if miss := read(found):
                yield miss
                at = miss.end

    def _function_line_at(self, found: re.Match[str]) -> NearMiss | None:
        try:
            arguments, end = function_arguments(self.text, found)
        except MalformedCall:
            return None
        end = self._behind_stray_close(end)
        line_end = _LINE_END.match(self.text, end)
        if not line_end:
            return None
        call = RawCall(name=found[2], arguments=arguments)
        repair = described(call.name, "from a function-like line")
        return NearMiss(start=found.start(), end=line_end.end(), calls=(call,), repairs=(repair,))


def _foreign(dialect: Dialect) -> list[str]:
    """What opens a call in another dialect."""
    others = [marker for other in DIALECTS for marker in other.open_markers if marker not in dialect.open_markers]
    return [*others, *FOREIGN_CALL_MARKERS]
