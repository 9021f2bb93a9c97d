"""The lenient policy's reader: what the strict one reads, and the near misses that real models make.

A near miss counts only if it names a known tool and its arguments are complete. Text in which a call began that cannot
be read may be the inside of a value: nothing is looked for in it or behind it. At most `MAX_TRIES` places of a text are
tried, so time stays linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from pytest_agentcore.dialects.dialect import (
    NO_SCHEMAS,
    THINK,
    Codec,
    Dialect,
    MalformedCall,
    Parsed,
    RawCall,
    Schemas,
    skip_space,
)
from pytest_agentcore.dialects.families import DIALECTS, FOREIGN_CALL_MARKERS, PYTHONIC
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
    marked = next((at for at, part in enumerate(parts) if part.part is Part.broken or part.calls), 0)
    good = bool(strict.calls) and not strict.problems
    if (good and not marked) or not any(name in text for name in tool_names):
        return strict
    mending = _Mending(text, dialect, frozenset(tool_names), schemas)
    for at, part in enumerate(parts[:marked]):
        if begun := mending.begun(part):
            # What was read behind another form of call may be the text of a value there.
            parts = [*parts[:at], Segment(Part.content, part.start, len(text))]
            problem = f"A call began with {begun}, which cannot be read; write it as {shape(dialect)}."
            strict, good = replace(fold(dialect, text, parts), problems=(problem,)), False
            if begun not in _SIGNS:
                return strict
            break
    if good:
        return strict
    for near in (mending.own, mending.any, None):
        mended = mending.parse(parts, near)
        if mended.calls or mended.problems:
            return mended
    return strict


class _Read(NamedTuple):
    """Calls that were read at `text[start:end]`, where, and what was forgiven; or a problem instead."""

    start: int
    end: int
    calls: tuple[RawCall, ...] = ()
    where: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""
    lacking: str = ""

    @property
    def repairs(self) -> Iterator[str]:
        """One sentence per call."""
        forgiven = f" ({', '.join(self.notes)})" if self.notes else ""
        for call in self.calls:
            yield f"Read a call of {call.name} {self.where}{forgiven}.{self.lacking}"


class _UnreadableError(Exception):
    """A call of a known tool whose arguments are no object; the text says which."""


_FENCE_BEFORE = re.compile(r"(?:```|~~~)[\w+-]{0,20}[ \t]*\s{0,20}\Z")
_FENCE_AFTER = re.compile(r"\s{0,20}(?:```|~~~)")
_FENCE = re.compile(r"```[\w+-]{0,20}\s{0,20}")
_TAG_END = re.compile(r"(?:\s{0,20}</(?:[^\s<>]{1,20})>)?")
_LINE_END = re.compile(r"[ \t]*[)\]`;]{0,3}[ \t]*(?:\n|\Z)")
_KEYWORD = re.compile(r"\s{0,20}([A-Za-z_]\w{0,100})\s{0,20}[=:]\s{0,20}")
_COMMA = re.compile(r"\s{0,20},?\s{0,20}")
_PARTING = re.compile(r"[\s,;\])`]*")
_TAG = re.compile(r"<(/?)([A-Za-z_][\w:|.-]{0,40})(?=[\s=>])(?:[^<>]*(/)>)?")
_RAW_TAG = re.compile(r"<[^<>\s]{0,40}(?:param|arg_|function=|invoke )")
"""Opens text without escapes in some family or other."""
_SIGNS = {sign for one in DIALECTS for sign in one.signs}.union(FOREIGN_CALL_MARKERS)
_SIGN = re.compile("|".join(map(re.escape, sorted(_SIGNS, key=len, reverse=True))))
_QUOTES = (('"', '"'), ("“", "”"), ("‹", "›"), ("«", "»"), ("(", ")"), ("[", "]"))  # noqa: RUF001 - as in text
"""Around a text in a form that nobody knows."""
_LOOK_BACK = 80
"""Characters before a call in which a fence, a marker or a tool's name is looked for."""
_LEAST = 4
"""Characters of an opening marker's end that are taken for what is left of it."""


_Ways = Sequence[tuple[re.Pattern[str], Callable[["_Mending", re.Match[str], int], list[_Read]]]]
"""How a call may begin, and what reads it there; of two that begin at one place the first is tried."""


@dataclass(frozen=True)
class _Mending:
    text: str
    dialect: Dialect
    tool_names: frozenset[str]
    schemas: Schemas

    @cached_property
    def own(self) -> _Ways:
        """Where a call in the dialect's own form lacks its opening marker, or one of another dialect has it."""
        begins = self.dialect.codec.begins(self._names, self.dialect.call.close)
        unmarked = ((re.compile(begins), _Mending._unmarked),) if begins else ()
        return (*unmarked, (self.foreign, _Mending._foreign))

    @cached_property
    def foreign(self) -> re.Pattern[str]:
        """The markers of other dialects."""
        return re.compile("|".join(map(re.escape, sorted(_SIGNS - {*self.dialect.signs}, key=len, reverse=True))))

    @cached_property
    def object(self) -> re.Pattern[str]:
        """An object that names a tool, or a list of them."""
        named = rf"\{{\s{{0,20}}[\"']?(?:{'|'.join((*sorted(CALL_KEYS), self._names))})[\"']?\s{{0,20}}:"
        return re.compile(rf"{named}|\[\s{{0,20}}{named}")

    @cached_property
    def any(self) -> _Ways:
        """Where a call in whatever form may begin.

        Besides the two above, a tag with a tool's name before an object, as `<function=fs_read>{` or `<invoke
        name="fs_read">{`; a line that calls a tool as code would; or text without escapes.
        """
        tag = rf"<(?:function|invoke|tool|tool_call)(?: name)?=[\"']?(?P<tool>{self._names})[\"']?>\s{{0,20}}(?=\{{)"
        return (
            (re.compile(tag), _Mending._tag),
            *self.own[:-1],
            (self.foreign, _Mending._marked),
            (self.object, _Mending._object),
            (function_lines(self.tool_names), _Mending._function_line),
            (_RAW_TAG, _Mending._raw),
        )

    @cached_property
    def unknown(self) -> Sequence[re.Pattern[str]]:
        """Where a call begins in a form that nobody knows.

        That is a name before an object, between marks, or on a line that gives a key a value; or lines with a key each.
        """
        names, key = f"(?:{self._names})", r"[ \t>*-]{0,8}[A-Za-z][\w ]{0,20}:"
        said = r"(?:[^\n(){}=:<>]|:(?=[ \t]{0,4}[\w*.-]))"
        gives = r"(?:<-|(?<=-)>|:?=(?!=)|(?<=\w):[ \t]{0,4}[^\w\s])"
        return (
            re.compile(rf"{names}[^\w{{}}]{{0,20}}\{{"),
            re.compile(rf"[>\]]\s{{0,4}}{names}\s{{0,4}}[<\[]"),
            re.compile(rf"{names}\b(?=[^\w\n]{{1,8}}\w)(?>{said}{{0,80}}){gives}"),
            re.compile(rf"^{key}[ \t]{{0,8}}[\"'`]?{names}[\"'`]?[ \t]{{0,8}}\n{key}", re.MULTILINE),
        )

    @cached_property
    def named(self) -> re.Pattern[str]:
        """A tool's name on the line on which a text ends."""
        return re.compile(rf"(?:{self._names})\b[^\n]{{0,{_LOOK_BACK}}}(?<=[\s=:(])\Z")

    @cached_property
    def _names(self) -> str:
        return "|".join(map(re.escape, sorted(self.tool_names, key=len, reverse=True)))

    def parse(self, parts: Sequence[Segment], near: _Ways | None) -> Parsed:
        """The reply with the near misses that begin where `near` is found; with None, those in open reasoning."""
        calls: list[RawCall] = []
        repairs: list[str] = []
        problems: list[str] = []
        kept: list[str] = []
        unmended: list[Segment] = []
        for searched, part in enumerate(parts):
            misses = self._misses(part, near) if searched < MAX_STRETCHES else ()
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

    def _misses(self, part: Segment, near: _Ways | None) -> Sequence[_Read]:
        if part.part is Part.content and near:
            return self._scan(part, near)[0]
        if part.part is Part.broken and near:
            return self._between_markers(part)
        return self._in_reasoning(part) if part.part is Part.reasoning and not near else ()

    def begun(self, part: Segment) -> str:
        """The text that begins a call in another form and does not end it; empty where none does."""
        if part.part is not Part.content:
            return ""
        thought = self.text[part.start : part.end]
        if thought.count(THINK.open) > thought.count(THINK.close):
            return THINK.open  # of a family that thinks between other marks
        if other := self.foreign.search(thought):
            return other.group()
        if opened := self._opened(part.start, part.end, {}):
            return opened
        return replace(self, text=self.text[: part.end])._scan(part, self.any)[1]

    def _opened(self, start: int, end: int, tags: dict[str, bool]) -> str:
        """The text that opens a form that nobody knows, of which what follows `end` may be a value; empty for none.

        A tag that is still open does, but one that stands right before the end, and is the first, is around a call.

        Args:
            start: where the last look ended.
            end: where a call may begin.
            tags: those found until then, and whether they are open; added to.
        """
        for tag in _TAG.finditer(self.text, start, end):
            tags[tag[2]] = not tag[1] and not tag[3]
        for form in self.unknown:
            if found := form.search(self.text, start, end):
                return found.group().strip()
        for opens, closes in _QUOTES:
            quote = self.text.rfind(opens, start, end)
            opened = quote >= 0 and self.text.find(closes, quote + 1, end) < 0
            if opened and self.named.search(self.text, max(start, quote - 3 * _LOOK_BACK), quote):
                return opens
        around = len(tags) == 1 and self.text[start:end].rstrip().endswith(">")
        return next((f"<{tag}" for tag, is_open in tags.items() if is_open and not around), "")

    def _scan(self, part: Segment, near: _Ways) -> tuple[list[_Read], str]:
        """The calls of a stretch, up to the first that began and cannot be read, and how that begins."""
        found: list[_Read] = []
        tags: dict[str, bool] = {}
        at = part.start
        places = [one.search(self.text, at, part.end) for one, _reader in near]
        for _try in range(MAX_TRIES):
            # One by one, since `re` steps over text only for a pattern that begins with a literal.
            for index, (way, _reader) in enumerate(near):
                if (one := places[index]) and one.start() < at:
                    places[index] = way.search(self.text, at, part.end)
            ahead = [(one, reader) for one, (_way, reader) in zip(places, near, strict=True) if one]
            if not ahead:
                break
            place, read = min(ahead, key=lambda each: each[0].start())
            if self._opened(at, place.start(), tags):
                return found, place.group().strip()
            try:
                found += (misses := read(self, place, part.end))
            except MalformedCall:
                return found, place.group().strip()
            except _UnreadableError as error:
                problem = f"{error}; write it as {shape(self.dialect)}."
                return [*found, _Read(place.start(), place.end(), problem=problem)], ""
            at = max(misses[-1].end if misses else place.end(), at + 1)
        return found, ""

    def _between_markers(self, part: Segment) -> list[_Read]:
        """The calls of a broken one, of which nothing else is left."""
        inner, close = part.inner.removeprefix(self.dialect.call.open), self.dialect.call.close
        body = inner.removesuffix(close) if close else inner
        closed = len(body) < len(inner) or self.text.startswith(("<|call|>", "<|end|>"), part.end)
        try:
            read = self._alone(part.tool, body, closed=closed) if part.tool else self._all(body, closed=closed)
        except (MalformedCall, _UnreadableError):
            return []
        may_lack = close and close not in self.dialect.end_of_turn  # which a backend may have cut off
        lacking = f" The closing {close} is missing." if may_lack and not closed and close not in inner else ""
        starts = (part.start, *[part.end] * len(read))
        where = "between the markers"
        return [
            one._replace(start=start, end=part.end, where=one.where or where, lacking=lacking)
            for one, start in zip(read, starts, strict=False)
        ]

    def _in_reasoning(self, part: Segment) -> list[_Read]:
        """The calls in a reasoning block that goes to the end of the reply without being closed."""
        marks = self.dialect.reasoning
        # What stands before even the beginning of the closing marker was thought.
        ends = marks and any(self.text.endswith(marks.close[:length]) for length in range(2, len(marks.close) + 1))
        if not marks or part.end < len(self.text) or ends:
            return []
        parsed = parse(self.dialect, part.inner, schemas=self.schemas)
        if parsed.problems or not all(call.name in self.tool_names for call in parsed.calls):
            return []
        where = "inside reasoning that nothing closes"
        return [_Read(part.start, part.end, parsed.calls, where)] if parsed.calls else []

    def _all(self, body: str, *, closed: bool) -> list[_Read]:
        """All calls of a text that stood between markers, read one after the other; nothing else may stand there.

        Raises:
            MalformedCall: something else does.
        """
        found: list[_Read] = []
        at = skip_space(body, 0)
        while at < len(body):
            fence = _FENCE.match(body, at)
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
        return [_Read(0, end, calls, "", notes)] if self._are_whole(calls, loose, closed=closed) else []

    def _are_whole(self, calls: tuple[RawCall, ...], loose: Loose, *, closed: bool) -> bool:
        """Whether all calls are of known tools, and none of their arguments was cut off."""
        known = bool(calls) and all(call.name in self.tool_names for call in calls)
        return known and (closed or not any(id(call.arguments) in loose.unfinished for call in calls))

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
        return _Read(at, decoded.end, calls, "", (*((note,) if note else ()), *loose.notes))

    def _unmarked(self, place: re.Match[str], _end: int) -> list[_Read]:
        """A call in the dialect's own form that lacks its opening marker, where nothing else has that form.

        Raises:
            MalformedCall: it cannot be read.
        """
        start, marker, close = place.start(), self.dialect.call.open, self.dialect.call.close
        # The remains of an opening marker that stand before it go away with it.
        remains = (marker[-length:] for length in range(len(marker), _LEAST - 1, -1))
        before = next((one for one in remains if self.text.endswith(one, 0, start)), "")
        if start > 0 and not before and self.text[start - 1] not in " \t\r\n>|]:.;,}=":
            return []
        if any(begun.search(self.text, 0, start) for begun in (function_lines(self.tool_names), self.object)):
            raise MalformedCall("it may be the inside of a value", start)
        raw = isinstance(self.dialect.codec, XmlCodec)
        if raw and self.text[:start].rstrip().endswith(FOREIGN_CALL_MARKERS):
            raise MalformedCall("what belongs to raw text in another family is not known", start)
        stop = self.text.find(close, start) if close else -1
        error = MalformedCall("no call stands here", start)
        for way in _tolerant(self.dialect.codec):
            try:
                read = self._tried(way, self.text[: stop if stop >= 0 else None], start, closed=stop >= 0)
            except MalformedCall as malformed:
                error = malformed
                continue
            end = self._behind_stray_close(read.end)
            return [read._replace(start=start - len(before), end=end, where=f"without {marker}")]
        raise error

    def _behind_stray_close(self, end: int) -> int:
        section = self.dialect.section.close if self.dialect.section else ""
        for close in filter(None, (self.dialect.call.close, section)):
            after = skip_space(self.text, end)
            end = after + len(close) if self.text.startswith(close, after) else end
        return end

    def _marked(self, place: re.Match[str], end: int) -> list[_Read]:
        """The calls behind another dialect's marker, read as that dialect writes them, or see `_foreign`."""
        for other in DIALECTS:
            opens = self.text.startswith(other.open_markers or "\0", place.start())
            if opens and (found := self._in_dialect(other, place.start(), end)):
                return found
        return self._foreign(place, end)

    def _foreign(self, place: re.Match[str], end: int) -> list[_Read]:
        """None behind another dialect's marker, where a call in some other form stands right behind it.

        Raises:
            MalformedCall: none does, so that what follows may be the inside of a value.
        """
        behind = end - len(self.text[place.end() : end].lstrip("[ \t\r\n"))
        if not any(way.match(self.text, behind, end) for way, _reader in self.any):
            raise MalformedCall("no call stands here", place.start())
        return []

    def _raw(self, place: re.Match[str], _end: int) -> list[_Read]:
        raise MalformedCall("text without escapes may stand here", place.start())

    def _in_dialect(self, other: Dialect, start: int, end: int) -> list[_Read]:
        """The calls of another dialect up to the first broken one, and the markers around them, which hold nothing."""
        if other.name == self.dialect.name:
            return []
        text = self.text[start:end]
        parts = [*segments(other, text, schemas=self.schemas)]
        whole = parts[: next((at for at, one in enumerate(parts) if one.part is Part.broken), len(parts))]
        known = [one for one in whole if one.calls and all(call.name in self.tool_names for call in one.calls)]
        if not known or fold(other, text, whole).problems:
            return []
        where = f"in the {other.name} dialect"
        shown = (one for one in parts if one in known or one.part is Part.structure)
        return [_Read(one.start + start, one.end + start, one.calls, where) for one in shown]

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
        return _Read(at, end, tuple(call for call, _ in shaped), "", notes + differs) if shaped else None

    def _object(self, place: re.Match[str], _end: int) -> list[_Read]:
        read = self._shaped(self.text, place.start(), closed=False)
        if not read:
            return []
        # A fence or stray markers around it go away with it.
        start, end, where = place.start(), read.end, "from a bare object"
        back = max(0, start - _LOOK_BACK)
        before = self.text[back:start]
        if fence := _FENCE_BEFORE.search(before):
            after = _FENCE_AFTER.match(self.text, end)
            start, end, where = back + fence.start(), after.end() if after else end, "from a code fence"
        else:
            end = self._behind_stray_close(end)
            marks = [one for one in _SIGN.finditer(before) if not before[one.end() :].strip("[ \t\r\n")]
            if marks and marks[-1].group() not in self.dialect.open_markers:
                start = back + marks[-1].start()
                where = f"behind {marks[-1].group()}, the marker of another dialect"
        return [read._replace(start=start, end=end, where=where)]

    def _tag(self, place: re.Match[str], _end: int) -> list[_Read]:
        value, end, notes = read_loosely(self.text, place.end())
        closed = _TAG_END.match(self.text, end)
        end = self._behind_stray_close(closed.end() if closed else end)
        return [_Read(place.start(), end, (RawCall(place["tool"], value),), "from a tag with its name", notes)]

    def _function_line(self, place: re.Match[str], end: int) -> list[_Read]:
        if "[" in place.group() and (listed := self._in_dialect(PYTHONIC, place.start(), end)):
            return listed
        read = self._line(self.text, place)
        line_end = read and _LINE_END.match(self.text, self._behind_stray_close(read.end))
        if not line_end and "[" in place.group():
            raise MalformedCall("a list of calls that begins here cannot be read", place.start())
        return [read._replace(end=line_end.end())] if read and line_end else []

    def _line(self, text: str, place: re.Match[str]) -> _Read | None:
        """A call as a line of code begins it: with keywords in brackets, or with an object in braces."""
        arguments: dict[str, Any] | None = None
        end = place.end()
        if text.startswith("{", end):
            if place["prefix"]:
                with suppress(MalformedCall):  # some other notation may stand between braces
                    decoded = GemmaCodec().decode(text, place.start("prefix"))
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
        return _Read(place.start(), end, (RawCall(place["function"], arguments),), "from a function-like line")


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
    """A line that begins like the call of a function with a known tool's name; the group `function` is the name."""
    names = "|".join(map(re.escape, tool_names)) or r"(?!)"
    before = r"[ \t>*`-]{0,8}(?:[A-Za-z_]\w{0,40} ?= ?)?(?:print\(|await |\[)?"
    return re.compile(
        rf"^{before}(?P<prefix>call:[ \t]?)?(?P<function>{names})(?:\.call)?[ \t]?(?=[({{])", re.MULTILINE
    )
