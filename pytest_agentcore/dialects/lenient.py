"""The lenient policy's reader: what the strict one reads, and the near misses that real models make.

A near miss counts only if it names a known tool and its arguments are complete. Text in which a call began that cannot
be read may be the inside of a value: nothing is looked for in it or behind it. At most `MAX_TRIES` places of a text are
tried, so time stays linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

from pytest_agentcore.dialects.dialect import (
    NO_SCHEMAS,
    Codec,
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
from pytest_agentcore.dialects.literals import Loose, as_object, read_loosely
from pytest_agentcore.dialects.parse import Part, Segment, fold, parse, segments, shape
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

    A reply with calls and no problem is read strictly. Otherwise calls that do not parse are repaired where they stand,
    and calls that lack their opening marker are read; where that yields no call at all, the rest of the text is
    searched, and last a reasoning block that nothing closes. Each repair is one sentence in `Parsed.repairs`. Only
    calls of a tool in `tool_names` are made out of near misses.
    """
    parts: list[Segment] = []
    for part in segments(dialect, text, reasoning_open=reasoning_open, schemas=schemas):
        if parts and part.part is Part.content is parts[-1].part:  # as one, so that each place is searched once
            parts[-1] = parts[-1]._replace(end=part.end)
        else:
            parts.append(part)
    strict = fold(dialect, text, parts)
    if not any(name in text for name in tool_names):
        return strict
    mending = _Mending(text, dialect, frozenset(tool_names), schemas)
    marked = next((at for at, part in enumerate(parts) if part.part is Part.broken or part.calls), None)
    for at, part in enumerate(parts[:marked] if marked is not None else ()):
        if begun := mending.begun(part):
            # What was read behind another form of call may be the text of a value there.
            parts = [*parts[:at], Segment(Part.content, part.start, len(text))]
            problem = f"A call began with {begun}, which cannot be read; write it as {shape(dialect)}."
            strict = replace(fold(dialect, text, parts), problems=(problem,))
            break
    if strict.calls and not strict.problems:
        return strict
    for find in (mending.where_marked, mending.in_content, mending.in_reasoning):
        mended = mending.parse(parts, find)
        if mended.calls or mended.problems:
            return mended
    return strict


class _NearMiss(NamedTuple):
    """Calls found at `text[start:end]`, with one sentence per call about what was forgiven, or a problem instead."""

    start: int
    end: int
    calls: tuple[RawCall, ...] = ()
    repairs: tuple[str, ...] = ()
    problem: str = ""


class _Read(NamedTuple):
    """Calls that a reader found at a place, and what it forgave."""

    calls: tuple[RawCall, ...]
    end: int
    notes: tuple[str, ...] = ()
    where: str = ""


class _UnreadableError(Exception):
    """A call of a known tool whose arguments are no object; the text says which."""


_FENCE_BEFORE = re.compile(r"(?:```|~~~)[\w+-]{0,20}[ \t]*\s{0,20}\Z")
_FENCE_AFTER = re.compile(r"\s{0,20}(?:```|~~~)")
_TAG_END = re.compile(r"(?:\s{0,20}</(?:[^\s<>]{1,20})>)?")
_LINE_END = re.compile(r"[ \t]*[)\]`;]{0,3}[ \t]*(?:\n|\Z)")
_KEYWORD = re.compile(r"\s{0,20}([A-Za-z_]\w{0,100})\s{0,20}[=:]\s{0,20}")
_COMMA = re.compile(r"\s{0,20},?\s{0,20}")
_PARTING = re.compile(r"[\s,;\])`]*")
_RAW_TAG = re.compile(r"<[^<>\s]{0,40}(?:param|arg_|function=|invoke )")
"""Opens text without escapes in some family or other."""
_SIGNS = re.compile(
    "|".join(re.escape(sign) for sign in {*FOREIGN_CALL_MARKERS, *(sign for one in DIALECTS for sign in one.signs)})
)
_LOOK_BACK = 80
"""Characters before an object in which a fence or a marker is looked for."""
_LEAST = 4
"""Characters of an opening marker's end that are taken for what is left of it."""


@dataclass(frozen=True, slots=True)
class _Mending:
    text: str
    dialect: Dialect
    tool_names: frozenset[str]
    schemas: Schemas
    found: dict[tuple[int, int], re.Match[str] | None] = field(default_factory=dict)
    """The first marker of another dialect, by the stretch in which it was looked for."""

    def parse(self, parts: Sequence[Segment], find: Callable[[Segment], Sequence[_NearMiss]]) -> Parsed:
        """The reply with the near misses that `find` finds in its stretches."""
        calls: list[RawCall] = []
        repairs: list[str] = []
        problems: list[str] = []
        kept: list[str] = []
        unmended: list[Segment] = []
        for searched, part in enumerate(parts):
            misses = find(part) if searched < MAX_STRETCHES else ()
            calls += part.calls
            at = part.start
            for miss in misses:
                calls += miss.calls
                repairs += miss.repairs
                problems += [miss.problem] if miss.problem else []
                kept.append(self.text[at : miss.end if miss.problem else miss.start])
                at = miss.end
            if part.part in (Part.content, Part.answer, Part.broken):
                kept.append(self.text[at : part.end])
            if not misses:
                unmended.append(part)
        strict = fold(self.dialect, self.text, unmended)
        content = _EMPTY_FENCE.sub("", "".join(kept)).strip()
        problems = [*strict.problems, *problems]
        return replace(strict, content=content, calls=tuple(calls), problems=tuple(problems), repairs=tuple(repairs))

    def begun(self, part: Segment) -> str:
        """The text that begins a call in another form and does not end it; empty where none does."""
        if part.part is not Part.content:
            return ""
        if foreign := self._foreign(part.start, part.end):
            return foreign.group()
        said = self.text[part.start : part.end]
        try:
            for found in islice(re.finditer(self._named(), said), MAX_TRIES):
                read_loosely(said, found.start())
            for found in islice(function_lines(self.tool_names).finditer(said), MAX_TRIES):
                self._line(said, found)
        except MalformedCall:
            return found.group().strip()
        return ""

    def where_marked(self, part: Segment) -> Sequence[_NearMiss]:
        """Calls between the dialect's markers, and those of its own form of which the opening marker is missing."""
        if part.part is Part.content:
            own = self.dialect.codec.begins(self._names(), self.dialect.call.close)
            return list(self._at_each(part, own, self._unmarked)) if own and self.tool_names else ()
        if part.part is not Part.broken:
            return ()
        inner, close = part.inner.removeprefix(self.dialect.call.open), self.dialect.call.close
        body = inner.removesuffix(close) if close else inner
        closed = len(body) < len(inner) or self.text.startswith(("<|call|>", "<|end|>"), part.end)
        try:
            read = self._alone(part.tool, body, closed=closed) if part.tool else self._all(body, closed=closed)
        except (MalformedCall, _UnreadableError):
            return ()
        may_lack = close and close not in self.dialect.end_of_turn  # which a backend may have cut off
        lacking = f" The closing {close} is missing." if may_lack and not closed and close not in inner else ""
        repairs = tuple(
            _repair(call.name, one.where or "between the markers", one.notes) + lacking
            for one in read
            for call in one.calls
        )
        calls = tuple(call for one in read for call in one.calls)
        return [_NearMiss(part.start, part.end, calls, repairs)] if calls else ()

    def in_content(self, part: Segment) -> Sequence[_NearMiss]:
        """The calls in text that holds none in the dialect: another dialect's, then objects, tags and code."""
        if part.part is not Part.content:
            return ()
        if found := list(self._other_dialects(part)):
            return found
        # An object that names a tool; a tag with a tool's name before one, `<function=fs_read>{` or `<invoke
        # name="fs_read">{`; a line that calls a tool as code would.
        tag = rf"<(?:function|invoke|tool|tool_call)(?: name)?=[\"']?({self._names()})[\"']?>\s{{0,20}}(?=\{{)"
        for pattern, read in (
            (self._named(), self._object),
            (tag, self._function_tag),
            (function_lines(self.tool_names), self._function_line),
        ):
            if found := list(self._at_each(part, pattern, read)):
                return found
        return ()

    def in_reasoning(self, part: Segment) -> Sequence[_NearMiss]:
        """The calls in a reasoning block that goes to the end of the reply without being closed."""
        marks = self.dialect.reasoning
        if part.part is not Part.reasoning or not marks or part.end < len(self.text) or self.text.endswith(marks.close):
            return ()
        parsed = parse(self.dialect, part.inner, schemas=self.schemas)
        if parsed.problems or not all(call.name in self.tool_names for call in parsed.calls):
            return ()
        repairs = (f"Read a call of {call.name} inside reasoning that nothing closes." for call in parsed.calls)
        return [_NearMiss(part.start, part.end, parsed.calls, tuple(repairs))] if parsed.calls else ()

    def _foreign(self, start: int, end: int) -> re.Match[str] | None:
        """The first marker of another dialect in a stretch."""
        if (start, end) not in self.found:
            signs = _SIGNS.finditer(self.text, start, end)
            self.found[start, end] = next((one for one in signs if one.group() not in self.dialect.signs), None)
        return self.found[start, end]

    def _names(self) -> str:
        return "|".join(map(re.escape, sorted(self.tool_names, key=len, reverse=True)))

    def _named(self) -> str:
        keys = "|".join((*sorted(CALL_KEYS), self._names()))
        return rf"(?:\[\s{{0,20}})?\{{\s{{0,20}}[\"']?(?:{keys})[\"']?\s{{0,20}}:"

    def _at_each(
        self, part: Segment, pattern: str | re.Pattern[str], read: Callable[[re.Match[str]], _NearMiss | None]
    ) -> Iterator[_NearMiss]:
        """The calls that `read` makes of the places which the pattern finds, up to the first that it cannot read."""
        at, search, own = part.start, re.compile(pattern).search, read == self._unmarked
        foreign = self._foreign(part.start, part.end)
        raw = None if own else _RAW_TAG.search(self.text, part.start, part.end)
        sign = min((one.start() for one in (foreign, raw) if one), default=part.end)
        for _try in range(MAX_TRIES):
            if not (found := search(self.text, at, part.end)):
                return
            behind = foreign is not None and not self.text[foreign.end() : found.start()].strip("[ \t\r\n")
            if at <= sign < found.start() and not behind:
                return  # it may be the inside of a value
            try:
                miss = read(found)
            except MalformedCall:
                return
            except _UnreadableError as error:
                yield _NearMiss(found.start(), found.end(), problem=f"{error}; write it as {shape(self.dialect)}.")
                return
            if miss:
                yield miss
            at = max(miss.end if miss else found.end(), at + 1)

    def _all(self, body: str, *, closed: bool) -> list[_Read]:
        """All calls of a text that stood between markers, read one after the other; nothing else may stand there.

        Raises:
            MalformedCall: something else does.
        """
        found: list[_Read] = []
        at = skip_space(body, 0)
        while at < len(body):
            fence = re.compile(r"```[\w+-]{0,20}\s{0,20}").match(body, at)
            read = self._one(body, fence.end() if fence else at, closed=closed)
            if not read and found and not any(name in body[at:] for name in self.tool_names):
                return found
            if not read:
                raise MalformedCall("no call stands here", at)
            found.append(read)
            parting = _PARTING.match(body, read.end)
            at = parting.end() if parting else read.end
        return found

    def _one(self, body: str, at: int, *, closed: bool) -> _Read | None:
        """The call at a place: in the dialect's form or in that of one with the same marker, else as a near miss."""
        same = [self.dialect, *(one for one in DIALECTS if one.call.open and one.call.open == self.dialect.call.open)]
        # Several models write a tool's name and an object behind it between their markers.
        named = NamedJsonCodec(between="\n", loosely=r"[ \t\r\n:]{0,8}", read_loosely=_loosely)
        ways = [(other, way) for other in same for way in _tolerant(other.codec)]
        for other, way in [*ways, (self.dialect, (named, "a name and then JSON"))]:
            begins = at + 1 if other.listed and body.startswith("[", at) else at
            with suppress(MalformedCall):
                read = self._tried(way, body, begins, closed=closed)
                return read if other.name == self.dialect.name else read._replace(where=f"in the {other.name} dialect")
        with suppress(MalformedCall):
            if body[at : at + 1] in ("{", "["):
                return self._shaped(body, at, closed=closed)
            if line := function_lines(self.tool_names).match(body, at):
                return self._line(body, line)
        return None

    def _alone(self, tool: str, body: str, *, closed: bool) -> list[_Read]:
        """The arguments of a call of `tool`, which is named elsewhere."""
        loose = Loose()
        value, end, notes = read_loosely(body, skip_space(body, 0), loose)
        calls = (RawCall(tool, value),) if isinstance(value, dict) else ()
        return [_Read(calls, end, notes)] if self._are_whole(calls, loose, closed=closed) else []

    def _are_whole(self, calls: tuple[RawCall, ...], loose: Loose, *, closed: bool) -> bool:
        """Whether all calls are of known tools, and none of their arguments was cut off."""
        known = bool(calls) and all(call.name in self.tool_names for call in calls)
        return known and (closed or not any(id(call.arguments) in loose.unfinished for call in calls))

    def _unmarked(self, found: re.Match[str]) -> _NearMiss | None:
        """A call in the dialect's own form that lacks its opening marker, where nothing else has that form.

        Raises:
            MalformedCall: it cannot be read.
        """
        start, marker, close = found.start(), self.dialect.call.open, self.dialect.call.close
        # The remains of an opening marker that stand before it go away with it.
        remains = (marker[-length:] for length in range(len(marker), _LEAST - 1, -1))
        before = next((one for one in remains if self.text.endswith(one, 0, start)), "")
        if start > 0 and not before and self.text[start - 1] not in " \t\r\n>|]:.;,}=":
            return None
        if any(re.search(begun, self.text[:start]) for begun in (function_lines(self.tool_names), self._named())):
            raise MalformedCall("it may be the inside of a value", start)
        stop = self.text.find(close, start) if close else -1
        error = MalformedCall("no call stands here", start)
        for way in _tolerant(self.dialect.codec):
            try:
                read = self._tried(way, self.text[: stop if stop >= 0 else None], start, closed=stop >= 0)
            except MalformedCall as malformed:
                error = malformed
                continue
            repairs = tuple(_repair(call.name, f"without {marker}", read.notes) for call in read.calls)
            return _NearMiss(start - len(before), self._behind_stray_close(read.end), read.calls, repairs)
        raise error

    def _tried(self, way: tuple[Codec, str], text: str, at: int, *, closed: bool) -> _Read:
        """The call that a codec reads at a place, whole and of a known tool.

        Raises:
            MalformedCall: there is none.
        """
        (codec, note), loose = way, Loose()
        if isinstance(codec, NamedJsonCodec) and codec.read_loosely:
            codec = replace(codec, read_loosely=lambda text, at: read_loosely(text, at, loose)[:2])
        listed = self.dialect.listed and text.startswith("[", at)
        decoded = (codec.decode_list if listed else codec.decode)(text, at)
        ends = closed and not text[decoded.end :].strip()
        if isinstance(codec, XmlCodec) and not codec.end and not ends:
            raise MalformedCall("another argument might follow", decoded.end)
        if not self._are_whole(decoded.calls, loose, closed=closed):
            raise MalformedCall("it is no whole call of a known tool", at)
        calls = tuple(typed(call, self.schemas) for call in decoded.calls) if decoded.untyped else decoded.calls
        return _Read(calls, decoded.end, (*((note,) if note else ()), *loose.notes))

    def _behind_stray_close(self, end: int) -> int:
        section = self.dialect.section.close if self.dialect.section else ""
        for close in filter(None, (self.dialect.call.close, section)):
            after = skip_space(self.text, end)
            end = after + len(close) if self.text.startswith(close, after) else end
        return end

    def _other_dialects(self, part: Segment) -> Iterator[_NearMiss]:
        """The calls of the dialect whose marker stands first, and the markers around them, which hold nothing."""
        text, first = self.text[part.start : part.end], self._foreign(part.start, part.end)
        for other in (one for one in DIALECTS if one.name != self.dialect.name):
            bare = (
                re.search(other.bare, text[: first.start() if first else None]) if other.bare and other.listed else None
            )
            opens = bare or (first and self.text.startswith(other.open_markers or "\0", first.start()))
            parts = [*segments(other, text, schemas=self.schemas)] if opens else []
            broken = next((at for at, one in enumerate(parts) if one.part is Part.broken), len(parts))
            known = [
                one for one in parts[:broken] if one.calls and all(call.name in self.tool_names for call in one.calls)
            ]
            if not known or fold(other, text, parts[:broken]).problems:
                continue
            for one in parts:
                if one in known or one.part is Part.structure:
                    repairs = tuple(_repair(call.name, f"in the {other.name} dialect") for call in one.calls)
                    yield _NearMiss(one.start + part.start, one.end + part.start, one.calls, repairs)
            return

    def _shaped(self, text: str, at: int, *, closed: bool) -> _Read | None:
        """The calls that the object or list at a place means.

        Raises:
            MalformedCall: it is not even loosely a value, or it was cut off.
        """
        loose = Loose()
        value, end, notes = read_loosely(text, at, loose)
        shaped = tuple(calls_of(value, self.tool_names, self.schemas, bare=not closed))
        cut = loose.unfinished if not closed else ()
        beside = any("beside" in note for _call, differs in shaped for note in differs)
        if cut and (beside or isinstance(value, list) or any(id(call.arguments) in cut for call, _ in shaped)):
            raise MalformedCall("the call was cut off", at)
        differs = tuple(dict.fromkeys(note for _call, notes_ in shaped for note in notes_))
        return _Read(tuple(call for call, _ in shaped), end, notes + differs) if shaped else None

    def _object(self, found: re.Match[str]) -> _NearMiss | None:
        read = self._shaped(self.text, found.start(), closed=False)
        if not read:
            return None
        # A fence or stray markers around it go away with it.
        start, end, where = found.start(), read.end, "from a bare object"
        back = max(0, start - _LOOK_BACK)
        before = self.text[back:start]
        if fence := _FENCE_BEFORE.search(before):
            after = _FENCE_AFTER.match(self.text, end)
            start, end, where = back + fence.start(), after.end() if after else end, "from a code fence"
        else:
            end = self._behind_stray_close(end)
            marks = [one for one in _SIGNS.finditer(before) if not before[one.end() :].strip("[ \t\r\n")]
            if marks and marks[-1].group() not in self.dialect.open_markers:
                start = back + marks[-1].start()
                where = f"behind {marks[-1].group()}, the marker of another dialect"
        repairs = tuple(_repair(call.name, where, read.notes) for call in read.calls)
        return _NearMiss(start, end, read.calls, repairs)

    def _function_tag(self, found: re.Match[str]) -> _NearMiss:
        value, end, notes = read_loosely(self.text, found.end())
        closed = _TAG_END.match(self.text, end)
        end = self._behind_stray_close(closed.end() if closed else end)
        repair = _repair(found[1], "from a tag with its name", notes)
        return _NearMiss(found.start(), end, (RawCall(found[1], value),), (repair,))

    def _function_line(self, found: re.Match[str]) -> _NearMiss | None:
        read = self._line(self.text, found)
        line_end = read and _LINE_END.match(self.text, self._behind_stray_close(read.end))
        if not read or not line_end:
            return None
        repairs = tuple(_repair(call.name, read.where) for call in read.calls)
        return _NearMiss(found.start(), line_end.end(), read.calls, repairs)

    def _line(self, text: str, found: re.Match[str]) -> _Read | None:
        """A call as a line of code begins it: with keywords in brackets, or with an object in braces."""
        arguments: dict[str, Any] | None = None
        end = found.end()
        if text.startswith("{", end):
            if found[1]:
                with suppress(MalformedCall):  # some other notation may stand between braces
                    decoded = GemmaCodec().decode(text, found.start(1))
                    arguments, end = dict(decoded.calls[0].arguments), decoded.end
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
        return _Read((RawCall(found[2], arguments),), end, (), "from a function-like line")


def _repair(name: str, where: str, notes: Collection[str] = ()) -> str:
    forgiven = f" ({', '.join(notes)})" if notes else ""
    return f"Read a call of {name} {where}{forgiven}."


def _loosely(text: str, at: int) -> tuple[Any, int]:
    return read_loosely(text, at)[:2]


def _tolerant(codec: Codec) -> Iterator[tuple[Codec, str]]:
    """The codec, and the same one forgiving what it can, with words for it."""
    yield codec, ""
    if isinstance(codec, XmlCodec) and codec.kinds:
        yield replace(codec, kinds=None, after_key='">'), "a parameter without its kind"
    elif isinstance(codec, XmlCodec):
        yield replace(codec, loose=True), "quotes or blanks around names"
        if codec.end:
            yield replace(codec, end=""), f"a missing {codec.end}"
    if isinstance(codec, NamedJsonCodec):
        yield replace(codec, read_loosely=_loosely), ""


NAME_KEYS = ("name", "tool", "tool_name", "function", "function_name", "action", "recipient_name")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "kwargs", "params", "action_input", "tool_input")
WRAPPER_KEYS = ("function", "function_call", "tool_call", "tool_calls", "tool_uses", "calls")
DECORATION_KEYS = ("type", "id", "call_id", "index")
"""Keys that stand beside a call without saying anything about it."""
CALL_KEYS = frozenset((*NAME_KEYS, *ARGUMENT_KEYS, *WRAPPER_KEYS, "type", "id"))
"""Keys with which the object of a call begins."""


def calls_of(
    value: Any, tool_names: Collection[str], schemas: Schemas = NO_SCHEMAS, *, bare: bool = True
) -> Iterator[tuple[RawCall, tuple[str, ...]]]:
    """The calls of known tools that `value` means: an object, a list of them, or either in a wrapper.

    With each it gives in what the call's object differs from `{"name": …, "arguments": {…}}`.

    Args:
        value: as it was read.
        tool_names: the tools that may be called.
        schemas: of the tools.
        bare: an object that only names a tool is no call.

    Raises:
        _UnreadableError: a call's arguments are no object.
    """
    if isinstance(value, list):
        for item in value:
            yield from calls_of(item, tool_names, schemas, bare=bare)
    elif isinstance(value, Mapping):
        for key in NAME_KEYS:
            name = value.get(key)
            if isinstance(name, str) and name in tool_names:
                arguments, notes = _arguments(value, key, name)
                known = schemas.get(name, {}).get("properties")
                odd = "beside" in notes[-1] and known and not set(arguments) <= set(known) if notes else False
                if not odd and not (bare and notes == ("no arguments",)):
                    yield RawCall(name, arguments), (() if key == "name" else (f'"{key}" for "name"',)) + notes
                return
        key, inner = next(iter(value.items())) if len(value) == 1 else ("", None)
        if key in tool_names and isinstance(inner, dict):  # {"fs_read": {"path": …}}
            yield RawCall(key, inner), ("the tool's name as the key",)
            return
        for key in WRAPPER_KEYS:
            yield from calls_of(value.get(key), tool_names, schemas, bare=bare)


def _arguments(value: Mapping[str, Any], name_key: str, name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    for key in ARGUMENT_KEYS:
        if key in value:
            arguments = as_object(value[key])
            if arguments is None:
                raise _UnreadableError(f"The arguments of a call of {name} are no JSON object")
            renamed = () if key == "arguments" else (f'"{key}" for "arguments"',)
            return arguments, renamed + (("arguments as a string",) if isinstance(value[key], str) else ())
    beside = {key: item for key, item in value.items() if key not in (name_key, *DECORATION_KEYS)}
    return beside, ("arguments beside the name" if beside else "no arguments",)


def function_lines(tool_names: Collection[str]) -> re.Pattern[str]:
    """A line that begins like the call of a function with a known tool's name; group 2 is the name."""
    names = "|".join(map(re.escape, tool_names)) or r"(?!)"
    before = r"[ \t>*`-]{0,8}(?:[A-Za-z_]\w{0,40} ?= ?)?(?:print\(|await |\[)?"
    return re.compile(rf"^{before}(call:[ \t]?)?({names})(?:\.call)?[ \t]?(?=[({{])", re.MULTILINE)
