"""The lenient policy's reader: what the strict one reads, and the near misses that real models make.

A near miss counts only if it names a known tool and its arguments are complete. Text in which a call began that cannot
be read may be the inside of a value: nothing is looked for in it or behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from pytest_agentcore.dialects.dialect import (
    MAX_DEPTH,
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
from pytest_agentcore.dialects.literals import Loose, read_loosely
from pytest_agentcore.dialects.parse import Part, Segment, any_of, fold, parse, segments, shape
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
    searched, and last a reasoning block that nothing closes. Each repair is one sentence in `Parsed.repairs`.
    """
    parts: list[Segment] = []
    for part in segments(dialect, text, reasoning_open=reasoning_open, schemas=schemas):
        if parts and part.part is Part.content is parts[-1].part:  # as one, so that each place is searched once
            parts[-1] = parts[-1]._replace(end=part.end)
        else:
            parts.append(part)
    strict = fold(dialect, text, parts)
    names = frozenset(tool_names)
    mending = _Mending(text, dialect, names, schemas, _forms(dialect, names))
    at, begun = mending.begun(parts[:MAX_STRETCHES])
    good = strict.calls and not strict.problems and not begun
    if good or not any(name in text for name in tool_names):
        return strict
    if begun:
        # What was read behind another form of call may be the text of a value there.
        parts = [*parts[:at], Segment(Part.content, parts[at].start, len(text))]
        strict = replace(fold(dialect, text, parts), problems=(mending.problem(begun),))
        if begun not in SIGNS:
            return strict
    for near in (mending.forms.own, mending.forms.any, None):
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


class _UnreadableError(Exception):
    """A call of a known tool whose arguments are no object; the text says so."""


_FENCE_BEFORE = re.compile(r"(?:```|~~~)[\w+-]{0,20}[ \t]*\s{0,20}\Z")
_FENCE_AFTER = re.compile(r"\s{0,20}(?:```|~~~)")
_FENCE = re.compile(r"```[\w+-]{0,20}\s{0,20}")
_TAG_END = re.compile(r"(?:\s{0,20}</(?:[^\s<>]{1,20})>)?")
_LINE_END = re.compile(r"[ \t]*[)\]`;]{0,3}[ \t]*(?:\n|\Z)")
_KEYWORD = re.compile(r"\s{0,20},?\s{0,20}([A-Za-z_]\w{0,100})\s{0,20}[=:]\s{0,20}")
_BRACKET = re.compile(r"\s{0,20},?\s{0,20}\)")
_PARTING = re.compile(r"[\s,;\])`]*")
_MARKS = re.compile(
    r"(?P<code>```[\s\S]*?```|`[^`\n]*`)|<(?P<end>/?)(?P<tag>[A-Za-z_][\w:|.-]{0,40})(?<!\|)(?=[\s=>])(?P<empty>[^<>]*/>)?"
    r"|[\[({“‹«]|(?<!\w)[\"']|(?P<close>[\])}”›»]|(?<=\w)[\"'](?!\w))"  # noqa: RUF001 - as in text
)
"""Tags, brackets and quotes, but no apostrophe, and none in code that is shown."""
_CLOSES = {"]": "[", ")": "(", "}": "{", "”": "“", "›": "‹", "»": "«", '"': '"', "'": "'"}  # noqa: RUF001 - as in text
_SENTENCE_END = re.compile(r"(?<!\d)[.!?]\s")
_RAW_TAG = re.compile(r"<[^<>\s]{0,40}(?:param|arg_|function=|invoke )")
"""Opens text without escapes in some family or other."""
SIGNS = frozenset(FOREIGN_CALL_MARKERS).union(*(one.signs for one in DIALECTS))
"""All texts that show that a call in some dialect was meant."""
_LOOK_BACK = 80
"""Characters before a call in which a fence, a marker or a tool's name is looked for."""
_HEADING = 4
"""Words behind a tool's name on a line that may head the values of a call of it."""
_LEAST = 4
"""Characters of an opening marker's end that are taken for what is left of it."""


@dataclass(slots=True)
class _Looked:
    """How far a text was looked at for what may be around a call, and what is open there."""

    at: int
    begin: int
    """Behind the last call."""
    open: list[str] = field(default_factory=list)
    """Tags, brackets and quotes that nothing has closed, the outermost first."""
    since: int = 0
    """Where that one stands."""
    form: str = ""
    """The text that began a form that nobody knows."""

    def look(self, text: str, end: int) -> str:
        """Look on as far as `end`, where a call begins, and give the text that is open there; empty for none."""
        for mark in _MARKS.finditer(text, self.at, end):
            sign, last = f"<{mark['tag']}" if mark["tag"] else mark.group(), self.open[-1] if self.open else ""
            opener = sign if mark["end"] else _CLOSES.get(sign, "")
            if mark["code"] or (last in ('"', "'") and last != sign) or len(self.open) > MAX_DEPTH:
                continue
            if opener in self.open:
                del self.open[len(self.open) - 1 - self.open[::-1].index(opener) :]
            elif not (mark["end"] or mark["empty"] or mark["close"]):
                self.since = self.since if self.open else mark.start()
                self.open.append(sign)
        around = len(self.open) == 1 and text[self.at : end].rstrip().endswith(">")  # one tag right before a call
        self.at = end
        line = max(text.rfind("\n", 0, self.since) + 1, self.since - _LOOK_BACK)
        return "" if around or not self.open else text[line : self.since] + self.open[0]


_Ways = Sequence[tuple[re.Pattern[str], Callable[["_Mending", re.Match[str], int], list[_Read]]]]
"""How a call may begin, and what reads it there; of two that begin at one place the first is tried."""


class _Forms:
    """Where near misses of a dialect's calls of some tools begin, and what reads them there."""

    def __init__(self, dialect: Dialect, tool_names: Collection[str]) -> None:
        names = any_of(tool_names) or r"(?!)"
        self.foreign = re.compile(any_of(SIGNS - {*dialect.signs}))
        """The markers of other dialects."""
        named = rf"\{{\s{{0,20}}[\"']?(?:{'|'.join((*sorted(CALL_KEYS), names))})[\"']?\s{{0,20}}:"
        self.object = re.compile(rf"{named}|\[\s{{0,20}}{named}")
        """An object that names a tool, or a list of them."""
        self.line = function_lines(tool_names)
        closes = (dialect.call.close, dialect.section.close if dialect.section else "")
        self.closes = re.compile("".join(rf"(?:\s*{re.escape(close)})?" for close in closes if close))
        begins = dialect.codec.begins(names, dialect.call.close)
        unmarked: _Ways = [(re.compile(begins), _Mending.unmarked)] if begins else []
        self.own: _Ways = [*unmarked, (self.foreign, _Mending.foreign)]
        """Where a call in the dialect's own form lacks its opening marker, or one of another dialect has it."""
        tag = rf"<(?:function|invoke|tool|tool_call)(?: name)?=[\"']?(?P<tool>{names})[\"']?>\s{{0,20}}(?=\{{)"
        self.any: _Ways = [
            (re.compile(tag), _Mending.tag),
            *unmarked,
            (self.foreign, _Mending.marked),
            (self.object, _Mending.object),
            (self.line, _Mending.function_line),
            (_RAW_TAG, _Mending.raw),
        ]
        """Where a call in whatever form may begin, also a tag, as `<function=fs_read>{`, or text without escapes."""
        key = r"[^\w\n]{0,8}\w{1,20}(?: \w{1,20})?[^\w\n]{0,4}[:=.]"
        said = r"(?:[^\n(){}=:<>|~#]|:(?=[ \t]{0,4}[\w*.-]))"
        gives = r"(?:<-|(?<=-)>|:?=(?!=)|(?<=\w):[ \t]{0,4}[^\w\s]|::|>>|~~|##|\||\{%)"
        self.unknown = [
            re.compile(rf"[>\]]\s{{0,4}}(?:{names})\s{{0,4}}[<\[]"),
            re.compile(rf"(?:{names})\b(?=[^\w\n]{{1,8}}\w)(?>{said}{{0,80}}){gives}"),
            re.compile(rf"^(?:{key})?[^\w\n]{{0,8}}(?:{names})[^\w\n]{{0,8}}\n{{1,2}}{key}(?<!\.)", re.MULTILINE),
        ]
        """Forms that nobody knows and no bracket shows: a name between marks, or before a key and its sign."""
        word, name = r"\w[\w./-]{0,40}", rf"(?<!\w)(?:{names})(?!\w)"
        before = rf"^(?:[^\w\n]{{0,20}}{word}){{0,{_HEADING}}}[^\w\n]{{0,20}}"
        behind = rf"(?:[^\w\n]{{1,20}}{word}(?:[^\w\n,]{{1,20}}{word}){{0,{_HEADING - 1}}})?[^\w\n]{{0,20}}\n"
        self.named = re.compile(rf"{before}{name}{behind}|{name}[^\n]*\Z", re.MULTILINE)
        """A tool's name on the line of what follows, or on one of a few words, which may head the values of a call."""


_forms = lru_cache(maxsize=64)(_Forms)


@dataclass(frozen=True)
class _Mending:
    """Reads near misses; MalformedCall says that none can be read at a place, and so nothing behind it."""

    text: str
    dialect: Dialect
    tool_names: frozenset[str]
    schemas: Schemas
    forms: _Forms

    def parse(self, parts: Sequence[Segment], near: _Ways | None) -> Parsed:
        """The reply with the near misses that begin where `near` is found; with None, those in open reasoning."""
        mended: list[Segment] = []
        repairs: list[str] = []
        for searched, part in enumerate(parts):
            misses = self._misses(part, near) if searched < MAX_STRETCHES else ()
            at = part.start
            for start, end, calls, where, notes, problem in misses:
                kind = Part.broken if problem else Part.calls
                mended += [Segment(Part.content, at, start), Segment(kind, start, end, "", calls, problem)]
                forgiven = f" ({', '.join(notes)})" if notes else ""
                repairs += [f"Read a call of {call.name} {where}{forgiven}." for call in calls]
                at = end
            mended.append(Segment(Part.content, at, part.end) if misses else part)
        whole = fold(self.dialect, self.text, mended)
        return replace(whole, content=_EMPTY_FENCE.sub("", whole.content).strip(), repairs=tuple(repairs))

    def _misses(self, part: Segment, near: _Ways | None) -> Sequence[_Read]:
        if part.part is Part.content and near:
            return self._scan(part, near, _Looked(part.start, part.start))[0]
        if part.part is Part.broken and near:
            return self._between_markers(part)
        return self._in_reasoning(part) if part.part is Part.reasoning and not near else ()

    def problem(self, begun: str) -> str:
        """A sentence for the model about a call in a form that nobody knows."""
        shown = begun.replace("\n", "\\n")
        return f"A call began with {shown}, which cannot be read; write it as {shape(self.dialect)}."

    def begun(self, parts: Sequence[Segment]) -> tuple[int, str]:
        """The first text that begins a call in another form, of which a call behind it may be a value, and its part."""
        for at, part in enumerate(parts):
            behind = next((one for one in parts[at:] if one.part in (Part.calls, Part.broken)), None)
            if behind and part.part is Part.content and (begun := self._begun(part, behind)):
                return at, begun
        return 0, ""

    def _begun(self, part: Segment, behind: Segment) -> str:
        said = self.text[part.start : part.end]
        if said.count(THINK.open) > said.count(THINK.close):
            return THINK.open  # of a family that thinks between other marks
        if other := self.forms.foreign.search(said):
            return other.group()
        alone, looked = replace(self, text=said), _Looked(0, 0)
        begun = alone._scan(Segment(Part.content, 0, len(said)), self.forms.any, looked)[1]
        tools = {call.name for call in behind.calls} or {name for name in self.tool_names if name in behind.inner}
        return begun or alone._opened(looked, len(said), tools)

    def _opened(self, looked: _Looked, end: int, tools: Collection[str]) -> str:
        """The text that opens a form that nobody knows, of which a call of `tools` at `end` may be a value; or nothing.

        Something is open there, or a key has no value yet, or the same sentence names other tools on a line that leads
        to the call.
        """
        if not looked.form:
            forms = (form.search(self.text, looked.at, end) for form in self.forms.unknown)
            looked.form = next((found.group().strip() for found in forms if found), "")
        if opened := looked.look(self.text, end) or looked.form:
            return opened
        said = _SENTENCE_END.split(self.text[max(looked.begin, end - 5 * _LOOK_BACK) : end])[-1]
        named = None if any(tool in said for tool in tools) else self.forms.named.search(said)
        return named.group().strip() if named else ""

    def _scan(self, part: Segment, near: _Ways, looked: _Looked) -> tuple[list[_Read], str]:
        """The calls of a stretch, up to the first that began and cannot be read, and how that begins."""
        found: list[_Read] = []
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
            try:
                misses = read(self, place, part.end)
            except MalformedCall:
                return found, place.group().strip()
            except _UnreadableError as error:
                problem = f"{error}; write it as {shape(self.dialect)}."
                return [*found, _Read(place.start(), place.end(), problem=problem)], ""
            tools = {call.name for miss in misses for call in miss.calls}
            start = misses[0].start if misses else place.start()
            if (opened := self._opened(looked, start, tools)) and tools:
                return [*found, _Read(place.start(), place.end(), problem=self.problem(opened))], opened
            found += misses
            at = looked.at = max(misses[-1].end if misses else place.end(), at + 1)
            looked.begin = at if tools else looked.begin
        return found, ""

    def _between_markers(self, part: Segment) -> list[_Read]:
        """The calls of a broken one, of which nothing else is left."""
        inner, close = part.inner.removeprefix(self.dialect.call.open), self.dialect.call.close
        body = inner.removesuffix(close) if close else inner
        closed = len(body) < len(inner) or self.text.startswith(("<|call|>", "<|end|>"), part.end)
        try:
            named = (NamedJsonCodec(between="\n", loose=Loose()), "")
            alone = part.tool and [self._tried(named, f"{part.tool}\n{body}", 0, closed=closed)]
            read = alone or self._all(body, closed=closed)
        except (MalformedCall, _UnreadableError):
            return []
        may_lack = close and close not in self.dialect.end_of_turn  # which a backend may have cut off
        lacking = (f"the closing {close} is missing",) if may_lack and not closed and close not in inner else ()
        around, where = (part.start, part.end), "between the markers"
        return [_Read(*around, one.calls, one.where or where, one.notes + lacking) for one in read]

    def _in_reasoning(self, part: Segment) -> list[_Read]:
        """The calls in a reasoning block that goes to the end of the reply without being closed."""
        marks = self.dialect.reasoning
        # What stands before even the beginning of the closing marker was thought.
        ends = marks and any(self.text.endswith(marks.close[:length]) for length in range(2, len(marks.close) + 1))
        if not marks or part.end < len(self.text) or ends:
            return []
        parsed, where = parse(self.dialect, part.inner, schemas=self.schemas), "inside reasoning that nothing closes"
        known = not parsed.problems and self._are_whole(parsed.calls, Loose(), closed=True)
        return [_Read(part.start, part.end, parsed.calls, where)] if known else []

    def _all(self, body: str, *, closed: bool) -> list[_Read]:
        """All calls of a text that stood between markers, read one after the other; nothing else may stand there."""
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
        named = NamedJsonCodec(between="\n", loosely=r"[ \t\r\n:]{0,8}", loose=Loose())
        ways = [(other, way) for other in same for way in _tolerant(other.codec)]
        for other, way in [*ways, (self.dialect, (named, "a name and then JSON"))]:
            begins = at + 1 if other.listed and body.startswith("[", at) else at
            with suppress(MalformedCall):
                read = self._tried(way, body, begins, closed=closed)
                return read if other.name == self.dialect.name else read._replace(where=f"in the {other.name} dialect")
        with suppress(MalformedCall):
            if body[at : at + 1] in ("{", "["):
                return self._shaped(body, at, closed=closed)
            if line := self.forms.line.match(body, at):
                return self._line(body, line)
        return None

    def _are_whole(self, calls: tuple[RawCall, ...], loose: Loose, *, closed: bool) -> bool:
        """Whether all calls are of known tools, and none of their arguments was cut off."""
        known = bool(calls) and all(call.name in self.tool_names for call in calls)
        return known and (closed or not any(id(call.arguments) in loose.unfinished for call in calls))

    def _tried(self, way: tuple[Codec, str], text: str, at: int, *, closed: bool) -> _Read:
        """The call that a codec reads at a place, whole and of a known tool."""
        codec, note = way
        loose = (isinstance(codec, NamedJsonCodec) and codec.loose) or Loose()
        listed = self.dialect.listed and text.startswith("[", at)
        decoded = (codec.decode_list if listed else codec.decode)(text, at)
        ends = closed and not text[decoded.end :].strip()
        if isinstance(codec, XmlCodec) and not codec.end and not ends:
            raise MalformedCall("another argument might follow", decoded.end)
        if not self._are_whole(decoded.calls, loose, closed=closed):
            raise MalformedCall("it is no whole call of a known tool", at)
        calls = tuple(typed(call, self.schemas) for call in decoded.calls) if decoded.untyped else decoded.calls
        return _Read(at, decoded.end, calls, "", (*((note,) if note else ()), *loose.notes))

    def unmarked(self, place: re.Match[str], _end: int) -> list[_Read]:
        """A call in the dialect's own form that lacks its opening marker, where nothing else has that form."""
        start, marker, close = place.start(), self.dialect.call.open, self.dialect.call.close
        # The remains of an opening marker that stand before it go away with it.
        remains = (marker[-length:] for length in range(len(marker), _LEAST - 1, -1))
        before = next((one for one in remains if self.text.endswith(one, 0, start)), "")
        if start > 0 and not before and self.text[start - 1] not in " \t\r\n>|]:.;,}=":
            return []
        if any(begun.search(self.text, 0, start) for begun in (self.forms.line, self.forms.object)):
            raise MalformedCall("it may be the inside of a value", start)
        raw = isinstance(self.dialect.codec, XmlCodec)
        if raw and self.text[:start].rstrip().endswith(FOREIGN_CALL_MARKERS):
            raise MalformedCall("what belongs to raw text in another family is not known", start)
        stop = self.text.find(close, start) if close else -1
        for way in _tolerant(self.dialect.codec):
            with suppress(MalformedCall):
                read = self._tried(way, self.text[: stop if stop >= 0 else None], start, closed=stop >= 0)
                end = self._behind_stray_close(read.end)
                return [read._replace(start=start - len(before), end=end, where=f"without {marker}")]
        raise MalformedCall("no call stands here", start)

    def _behind_stray_close(self, end: int) -> int:
        stray = self.forms.closes.match(self.text, end)
        return stray.end() if stray else end

    def marked(self, place: re.Match[str], end: int) -> list[_Read]:
        """The calls behind another dialect's marker, read as that dialect writes them, or see `foreign`."""
        for other in DIALECTS:
            opens = self.text.startswith(other.open_markers or "\0", place.start())
            if opens and (found := self._in_dialect(other, place.start(), end)):
                return found
        return self.foreign(place, end)

    def foreign(self, place: re.Match[str], end: int) -> list[_Read]:
        """None behind another dialect's marker, where a call in some other form must stand right behind it."""
        behind = end - len(self.text[place.end() : end].lstrip("[ \t\r\n"))
        if not any(way.match(self.text, behind, end) for way, _reader in self.forms.any):
            raise MalformedCall("no call stands here", place.start())
        return []

    def raw(self, place: re.Match[str], _end: int) -> list[_Read]:
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
        """The calls that the object or list at a place means; one that was cut off cannot be read."""
        loose = Loose()
        value, end, notes = read_loosely(text, at, loose)
        shaped = tuple(self._meant(value, bare=not closed))
        cut = loose.unfinished if not closed else ()
        beside = any("beside" in note for _call, differs in shaped for note in differs)
        if cut and (beside or isinstance(value, list) or any(id(call.arguments) in cut for call, _ in shaped)):
            raise MalformedCall("the call was cut off", at)
        differs = tuple(dict.fromkeys(note for _call, notes_ in shaped for note in notes_))
        return _Read(at, end, tuple(call for call, _ in shaped), "", notes + differs) if shaped else None

    def _meant(self, value: Any, *, bare: bool) -> Iterator[tuple[RawCall, tuple[str, ...]]]:
        """The calls that an object, a list or a wrapper of them means, each with what is odd about how it is written.

        With `bare`, an object that only names a tool is no call.
        """
        if isinstance(value, list):
            for item in value:
                yield from self._meant(item, bare=bare)
        elif isinstance(value, Mapping):
            for key in NAME_KEYS:
                name = value.get(key)
                if isinstance(name, str) and name in self.tool_names:
                    arguments, notes = _arguments(value, key, name)
                    known = self.schemas.get(name, {}).get("properties")
                    odd = "beside" in notes[-1] and known and not set(arguments) <= set(known) if notes else False
                    if not odd and not (bare and notes == ("no arguments",)):
                        yield RawCall(name, arguments), (() if key == "name" else (f'"{key}" for "name"',)) + notes
                    return
            key, inner = next(iter(value.items())) if len(value) == 1 else ("", None)
            if key in self.tool_names and isinstance(inner, dict):  # {"fs_read": {"path": …}}
                yield RawCall(key, inner), ("the tool's name as the key",)
                return
            for key in WRAPPER_KEYS:
                yield from self._meant(value.get(key), bare=bare)

    def object(self, place: re.Match[str], _end: int) -> list[_Read]:
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
            stray = max((one for one in SIGNS if before.rstrip("[ \t\r\n").endswith(one)), key=len, default="")
            if stray and stray not in self.dialect.open_markers:
                start, where = back + before.rindex(stray), f"behind {stray}, the marker of another dialect"
        return [read._replace(start=start, end=end, where=where)]

    def tag(self, place: re.Match[str], _end: int) -> list[_Read]:
        value, end, notes = read_loosely(self.text, place.end())
        closed = _TAG_END.match(self.text, end)
        end = self._behind_stray_close(closed.end() if closed else end)
        return [_Read(place.start(), end, (RawCall(place["tool"], value),), "from a tag with its name", notes)]

    def function_line(self, place: re.Match[str], end: int) -> list[_Read]:
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
            arguments, end = {}, end + 1
            while not (closed := _BRACKET.match(text, end)):
                keyword = _KEYWORD.match(text, end)
                if not keyword:
                    return None
                arguments[keyword[1]], end, _notes = read_loosely(text, keyword.end())
            end = closed.end()
        return _Read(place.start(), end, (RawCall(place["function"], arguments),), "from a function-like line")


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
        yield replace(codec, loose=Loose()), ""


NAME_KEYS = ("name", "tool", "tool_name", "function", "function_name", "action", "recipient_name")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "kwargs", "params", "action_input", "tool_input")
WRAPPER_KEYS = ("function", "function_call", "tool_call", "tool_calls", "tool_uses", "calls")
DECORATION_KEYS = ("type", "id", "call_id", "index")
"""Keys that stand beside a call without saying anything about it."""
CALL_KEYS = frozenset((*NAME_KEYS, *ARGUMENT_KEYS, *WRAPPER_KEYS, "type", "id"))
"""Keys with which the object of a call begins."""


def _arguments(value: Mapping[str, Any], name_key: str, name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    for key in ARGUMENT_KEYS:
        if key in value:
            arguments = value[key]
            if isinstance(arguments, str):  # written once more as a string of JSON
                with suppress(MalformedCall):
                    arguments = read_loosely(arguments, 0)[0]
            if not isinstance(arguments, dict):
                raise _UnreadableError(f"The arguments of a call of {name} are no JSON object")
            renamed = () if key == "arguments" else (f'"{key}" for "arguments"',)
            return arguments, renamed + (("arguments as a string",) if isinstance(value[key], str) else ())
    beside = {key: item for key, item in value.items() if key not in (name_key, *DECORATION_KEYS)}
    return beside, ("arguments beside the name" if beside else "no arguments",)


def function_lines(tool_names: Collection[str]) -> re.Pattern[str]:
    """A line that begins like the call of a function with a known tool's name; the group `function` is the name."""
    names = any_of(tool_names) or r"(?!)"
    before = r"[ \t>*`-]{0,8}(?:[A-Za-z_]\w{0,40} ?= ?)?(?:print\(|await |\[)?"
    return re.compile(
        rf"^{before}(?P<prefix>call:[ \t]?)?(?P<function>{names})(?:\.call)?[ \t]?(?=[({{])", re.MULTILINE
    )
