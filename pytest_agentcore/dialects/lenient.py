"""The lenient policy's reader: what the strict one reads, and the near misses that real models make.

Near misses are objects, function-like lines and calls of another dialect in text that holds no call of the active one.
Only what names a known tool counts, and at most `MAX_TRIES` places of a text are tried, so time stays linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple

from pytest_agentcore.dialects.dialect import (
    NO_SCHEMAS,
    Codec,
    Decoded,
    Dialect,
    MalformedCall,
    Parsed,
    RawCall,
    Schemas,
    skip_space,
)
from pytest_agentcore.dialects.families import DIALECTS, FOREIGN_CALL_MARKERS
from pytest_agentcore.dialects.gemma_codec import GemmaCodec
from pytest_agentcore.dialects.json_codec import NamedJsonCodec
from pytest_agentcore.dialects.literals import as_object, read_loosely
from pytest_agentcore.dialects.parse import Part, Segment, fold, parse, segments
from pytest_agentcore.dialects.xml_codec import XmlCodec, typed

MAX_STRETCHES = 256
"""Stretches of one reply that are searched for near misses."""
MAX_TRIES = 32
"""Places of one text at which a call is looked for."""

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
    strict = fold(dialect, text, parts)
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
            misses: list[_NearMiss] = []
            if part.part is wanted and searched < MAX_STRETCHES:
                searched += 1
                misses = self._misses(part)
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
        strict = fold(self.dialect, self.text, unmended)
        content = _EMPTY_FENCE.sub("", "".join(kept)).strip()
        return replace(strict, content=content, calls=tuple(calls), repairs=tuple(repairs))

    def _misses(self, part: Segment) -> list[_NearMiss]:
        """Those in one stretch. But in content, all of it goes away, and what was read from it stays."""
        start, end, reasoning = part.start, part.end, self.dialect.reasoning
        if part.part is Part.content:
            found = _Search(self.text[start:end], self.dialect, self.tool_names, self.schemas).run()
            return [miss._replace(start=miss.start + start, end=miss.end + start) for miss in found]
        if part.part is Part.broken:
            search = _Search(part.inner, self.dialect, self.tool_names, self.schemas, between_markers=True)
            close = self.dialect.call.close
            may_lack = close and close not in self.dialect.end_of_turn  # which a backend may have cut off
            lacking = f" The closing {close} is missing." if may_lack and close not in part.inner else ""
            return [
                _NearMiss(start, end, miss.calls, tuple(repair + lacking for repair in miss.repairs))
                for miss in (search.arguments_alone(part.tool) if part.tool else search.run())
            ]
        if not reasoning or end < len(self.text) or self.text.endswith(reasoning.close):
            return []
        calls = parse(self.dialect, part.inner, schemas=self.schemas).calls
        if not all(call.name in self.tool_names for call in calls):
            return []
        repairs = tuple(f"Read a call of {call.name} inside reasoning that nothing closes." for call in calls)
        return [_NearMiss(start, end, calls, repairs)]


class _NearMiss(NamedTuple):
    """Calls found at `text[start:end]`, with one sentence per call about what was forgiven."""

    start: int
    end: int
    calls: tuple[RawCall, ...]
    repairs: tuple[str, ...]


def _repair(name: str, where: str, notes: Collection[str] = ()) -> str:
    forgiven = f" ({', '.join(notes)})" if notes else ""
    return f"Read a call of {name} {where}{forgiven}."


_FENCE_BEFORE = re.compile(r"(?:```|~~~)[\w+-]{0,20}[ \t]*\s{0,20}\Z")
_FENCE_AFTER = re.compile(r"\s{0,20}(?:```|~~~)")
_TAG_END = re.compile(r"(?:\s{0,20}</(?:[^\s<>]{1,20})>)?")
_LINE_END = re.compile(r"[ \t]*[)\]`;]{0,3}[ \t]*(?:\n|\Z)")
_KEYWORD = re.compile(r"\s{0,20}([A-Za-z_]\w{0,100})\s{0,20}[=:]\s{0,20}")
_COMMA = re.compile(r"\s{0,20},?\s{0,20}")
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
    between_markers: bool = False
    """The text is what follows the active dialect's opening marker."""

    def run(self) -> list[_NearMiss]:
        """The near misses of the first kind that has any, in the order of the text; never raises.

        The dialect's own form without its markers wins over another dialect's, that over objects, and objects over
        function-like lines, so that nothing is read twice.
        """
        if not any(name in self.text for name in self.tool_names):
            return []
        names = "|".join(map(re.escape, sorted(self.tool_names, key=len, reverse=True)))
        keys = "|".join(CALL_KEYS)
        # An object that names a tool; a tag with a tool's name before one, `<function=fs_read>{` or `<invoke
        # name="fs_read">{`; a line that calls a tool as code would.
        named = rf"(?:\[\s{{0,20}})?\{{\s{{0,20}}[\"']?(?:{keys}|{names})[\"']?\s{{0,20}}:"
        tag = rf"<(?:function|invoke|tool|tool_call)(?: name)?=[\"']?({names})[\"']?>\s{{0,20}}(?=\{{)"
        own = self.dialect.codec.begins(names, self.dialect.call.close)
        kinds = (
            self.behind_marker() if self.between_markers else (),
            self._at_each(own, self._unmarked) if own else (),
            self.other_dialects(),
            self._at_each(named, self._object),
            self._at_each(tag, self._function_tag),
            self._at_each(function_lines(self.tool_names), self._function_line),
        )
        return next(filter(None, map(list, kinds)), [])

    def arguments_alone(self, tool: str) -> Iterator[_NearMiss]:
        """The arguments of a call of `tool`, which is named elsewhere."""
        with suppress(MalformedCall):
            value, end, notes = read_loosely(self.text, skip_space(self.text, 0), ends_open=True)
            if tool in self.tool_names and isinstance(value, dict):
                yield _NearMiss(0, end, (RawCall(tool, value),), (_repair(tool, "between the markers", notes),))

    def _at_each(
        self, pattern: str | re.Pattern[str], read: Callable[[re.Match[str]], _NearMiss | None]
    ) -> Iterator[_NearMiss]:
        """The calls that `read` makes of the places which the pattern finds, none inside another."""
        at, search = 0, re.compile(pattern).search
        for _try in range(MAX_TRIES):
            if not (found := search(self.text, at)):
                return
            try:
                miss = read(found)
            except MalformedCall:
                miss = None
            except _UnclosedError:
                return
            if miss:
                yield miss
            at = miss.end if miss else found.end()

    def behind_marker(self) -> Iterator[_NearMiss]:
        """A call right behind the opening marker, in the dialect's own form or in that of one with the same marker."""
        same = [other for other in DIALECTS if other.call.open and other.call.open == self.dialect.call.open]
        tries = ((other, *one) for other in (self.dialect, *same) for one in _tolerant(other.codec))
        # Several models write a tool's name and an object behind it between their markers.
        notes: dict[str, None] = {"a name and then JSON": None}
        named = NamedJsonCodec(between="\n", loosely=r"[ \t\r\n:]{0,8}", read_loosely=_noting(notes))
        at = skip_space(self.text, 0)
        for other, codec, forgiven in chain(tries, [(self.dialect, named, notes)]):
            try:
                decoded = codec.decode(self.text, at + 1 if other.listed and self.text.startswith("[", at) else at)
            except MalformedCall:
                continue
            where = "between the markers" if other.name == self.dialect.name else f"in the {other.name} dialect"
            if self._is_all(decoded.end, other) and (miss := self._miss(decoded, 0, where, forgiven)):
                yield miss
                return

    def _is_all(self, end: int, other: Dialect) -> bool:
        """Whether nothing but closing markers, or nothing at all, follows what was read."""
        after = skip_space(self.text, end)
        section = other.section.close if other.section else ""
        closers = (other.call.close, section, "]" if other.listed else "", *self.dialect.end_of_turn)
        return after >= len(self.text) or self.text.startswith(tuple(filter(None, closers)), after)

    def _miss(self, decoded: Decoded, start: int, where: str, notes: Collection[str] = ()) -> _NearMiss | None:
        calls = decoded.calls
        if not calls or not all(call.name in self.tool_names for call in calls):
            return None
        if decoded.untyped:
            calls = tuple(typed(call, self.schemas) for call in calls)
        repairs = tuple(_repair(call.name, where, notes) for call in calls)
        return _NearMiss(start, decoded.end, calls, repairs)

    def _unmarked(self, found: re.Match[str]) -> _NearMiss | None:
        """A call in the dialect's own form that lacks its opening marker, where nothing else has that form.

        Raises:
            _UnclosedError: nothing closes the value of an argument, and no later one either.
        """
        start = found.start()
        if start > 0 and (self.text[start - 1].isalnum() or self.text[start - 1] == "_"):
            return None
        marker = self.dialect.call.open
        where = "between the markers" if self.between_markers else f"without {marker}"
        for codec, notes in _tolerant(self.dialect.codec):
            try:
                decoded = codec.decode(self.text, start)
            except MalformedCall as error:
                if error.unclosed and isinstance(codec, XmlCodec):
                    raise _UnclosedError from error
                continue
            if isinstance(codec, XmlCodec) and not codec.end and not self._is_all(decoded.end, self.dialect):
                continue  # nothing that is written says where the call ends
            if miss := self._miss(decoded, start, where, notes):
                # The remains of an opening marker that stand before it go away with it.
                remains = (marker[-length:] for length in range(len(marker), _LEAST - 1, -1))
                before = next((one for one in remains if self.text.endswith(one, 0, start)), "")
                return miss._replace(start=start - len(before), end=self._behind_stray_close(miss.end))
        return None

    def _behind_stray_close(self, end: int) -> int:
        section = self.dialect.section.close if self.dialect.section else ""
        for close in filter(None, (self.dialect.call.close, section)):
            after = skip_space(self.text, end)
            end = after + len(close) if self.text.startswith(close, after) else end
        return end

    def other_dialects(self) -> Iterator[_NearMiss]:
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
                    yield _NearMiss(part.start, part.end, part.calls, repairs)
            if known:
                return

    def _object(self, found: re.Match[str]) -> _NearMiss | None:
        value, end, notes = read_loosely(self.text, found.start(), ends_open=True)
        shaped = tuple(calls_of(value, self.tool_names))
        if not shaped:
            return None
        # A fence or stray markers around it go away with it.
        start, where = found.start(), "between the markers" if self.between_markers else "from a bare object"
        back = max(0, start - _LOOK_BACK)
        before = self.text[back:start]
        if fence := _FENCE_BEFORE.search(before):
            after = _FENCE_AFTER.match(self.text, end)
            start, end, where = back + fence.start(), after.end() if after else end, "from a code fence"
        else:
            end = self._behind_stray_close(end)
            others = chain(*(other.open_markers for other in DIALECTS), FOREIGN_CALL_MARKERS)
            foreign = (marker for marker in others if marker not in self.dialect.open_markers)
            if marker := next(filter(before.rstrip().endswith, foreign), ""):
                start, where = self.text.rindex(marker, 0, start), f"behind {marker}, the marker of another dialect"
        repairs = tuple(_repair(call.name, where, notes + differs) for call, differs in shaped)
        return _NearMiss(start, end, tuple(call for call, _ in shaped), repairs)

    def _function_tag(self, found: re.Match[str]) -> _NearMiss:
        value, end, notes = read_loosely(self.text, found.end())
        closed = _TAG_END.match(self.text, end)
        end = self._behind_stray_close(closed.end() if closed else end)
        repair = _repair(found[1], "from a tag with its name", notes)
        return _NearMiss(found.start(), end, (RawCall(found[1], value),), (repair,))

    def _function_line(self, found: re.Match[str]) -> _NearMiss | None:
        text, arguments, end = self.text, None, found.end()
        if text.startswith("{", end):
            if found[1]:
                with suppress(MalformedCall):  # some other notation may stand between braces
                    decoded = GemmaCodec().decode(text, found.start(1))
                    arguments, end = decoded.calls[0].arguments, decoded.end
            if arguments is None:
                arguments, end, _notes = read_loosely(text, end)
        else:
            arguments, end = {}, skip_space(text, end + 1)
            while not text.startswith(")", end):
                keyword = _KEYWORD.match(text, end)
                if not keyword:
                    return None
                arguments[keyword[1]], end, _notes = read_loosely(text, keyword.end())
                if comma := _COMMA.match(text, end):
                    end = comma.end()
            end += 1
        line_end = _LINE_END.match(self.text, self._behind_stray_close(end))
        if not line_end:
            return None
        repair = _repair(found[2], "from a function-like line")
        return _NearMiss(found.start(), line_end.end(), (RawCall(found[2], arguments),), (repair,))


class _UnclosedError(Exception):
    """Raised where looking further would only read the rest of the text once more."""


def _tolerant(codec: Codec) -> Iterator[tuple[Codec, dict[str, None]]]:
    """The codec, and the same one forgiving what it can; the notes with it then say what."""
    notes: dict[str, None] = {}
    yield codec, notes
    if isinstance(codec, XmlCodec) and codec.kinds:
        notes["a parameter without its kind"] = None
        yield replace(codec, kinds=None, after_key='">'), notes
    elif isinstance(codec, XmlCodec) and codec.end:
        notes[f"a missing {codec.end}"] = None
        yield replace(codec, end=""), notes
    if isinstance(codec, NamedJsonCodec):
        yield replace(codec, read_loosely=_noting(notes)), notes


def _noting(notes: dict[str, None]) -> Callable[[str, int], tuple[Any, int]]:
    """Reads JSON loosely, and notes in words what was forgiven."""

    def read(text: str, at: int) -> tuple[Any, int]:
        value, end, found = read_loosely(text, at, ends_open=True)
        notes.update(dict.fromkeys(found))
        return value, end

    return read


NAME_KEYS = ("name", "tool", "tool_name", "function", "function_name", "action", "recipient_name")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "kwargs", "params", "action_input", "tool_input")
WRAPPER_KEYS = ("function", "function_call", "tool_call", "tool_calls", "tool_uses", "calls")
DECORATION_KEYS = ("type", "id", "call_id", "index")
"""Keys that stand beside a call without saying anything about it."""
CALL_KEYS = frozenset((*NAME_KEYS, *ARGUMENT_KEYS, *WRAPPER_KEYS, "type", "id"))
"""Keys with which the object of a call begins."""


def calls_of(value: Any, tool_names: Collection[str]) -> Iterator[tuple[RawCall, tuple[str, ...]]]:
    """The calls of known tools that `value` means: an object, a list of them, or either in a wrapper.

    With each it gives in what the call's object differs from `{"name": …, "arguments": {…}}`.
    """
    if isinstance(value, list):
        for item in value:
            yield from calls_of(item, tool_names)
    elif isinstance(value, Mapping):
        for key in NAME_KEYS:
            name = value.get(key)
            if isinstance(name, str) and name in tool_names:
                arguments, notes = _arguments(value, key)
                yield RawCall(name, arguments), (() if key == "name" else (f'"{key}" for "name"',)) + notes
                return
        key, inner = next(iter(value.items())) if len(value) == 1 else ("", None)
        if key in tool_names and isinstance(inner, dict):  # {"fs_read": {"path": …}}
            yield RawCall(key, inner), ("the tool's name as the key",)
            return
        for key in WRAPPER_KEYS:
            yield from calls_of(value.get(key), tool_names)


def _arguments(value: Mapping[str, Any], name_key: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    for key in ARGUMENT_KEYS:
        arguments = as_object(value.get(key))
        if arguments is not None:
            renamed = () if key == "arguments" else (f'"{key}" for "arguments"',)
            return arguments, renamed + (("arguments as a string",) if isinstance(value[key], str) else ())
    beside = {key: item for key, item in value.items() if key not in (name_key, *DECORATION_KEYS, *ARGUMENT_KEYS)}
    return beside, ("arguments beside the name" if beside else "no arguments",)


def function_lines(tool_names: Collection[str]) -> re.Pattern[str]:
    """A line that begins like the call of a function with a known tool's name; group 2 is the name."""
    names = "|".join(map(re.escape, tool_names)) or r"(?!)"
    before = r"[ \t>*`-]{0,8}(?:[A-Za-z_]\w{0,40} ?= ?)?(?:print\(|await |\[)?"
    return re.compile(rf"^{before}(call:[ \t]?)?({names})(?:\.call)?[ \t]?(?=[({{])", re.MULTILINE)
