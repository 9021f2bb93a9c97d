"""Finds the dialect of a chat template that is in no list: small conversations are rendered, and what differs is read.

One call with known names and values shows how a call is written: as one JSON object, as a name before JSON, with an
element per argument, as Python, or in Gemma's form. A second call beside it shows which text belongs to each call and
which stands around them all. What was found counts only if a dozen calls with quotes, line breaks, markers and nested
values are rendered, read back, and written again alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_agentcore.dialects.dialect import HOLE, THINK, Codec, Dialect, MalformedCall, Markers, Schemas
from pytest_agentcore.dialects.gemma_codec import GemmaCodec
from pytest_agentcore.dialects.json_codec import JsonCodec, NamedJsonCodec, read_json
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.dialects.pythonic_codec import PythonicCodec
from pytest_agentcore.dialects.xml_codec import XmlCodec
from pytest_agentcore.tools.base import ToolSpec, object_schema

Written = Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A template as it is looked at here; each text is empty where the template refuses the conversation."""

    calls: Callable[[Written], str]
    """All that follows a question, up to the first result: the model's calls and what ends its turn."""
    said: str
    """The same for a reply that says `REPLY` and is followed by a question, `USER-PROBE`."""
    thought: str
    """The same for a reply that calls a tool after it thought `THOUGHT`."""
    asked: str
    """The prompt that such a text follows, which asks `USER-PROBE`."""
    source: str


@dataclass(frozen=True, slots=True)
class _Form:
    """How the arguments of one call are written, and where it stands in a text."""

    codec: Codec
    start: int
    end: int
    words: str


_FIRST, _SECOND = "probe_one", "probe_two"
_NAMES = re.compile(f"{_FIRST}|{_SECOND}")
_KEYS, _VALUES = ("key_a", "key_b"), ("val-a", "val-b")
_ARGUMENTS = dict(zip(_KEYS, _VALUES, strict=True))
_TYPES: Mapping[str, Mapping[str, Any]] = {
    "key_a": {"type": "string"},
    "key_b": {"type": "string"},
    "count": {"type": "integer"},
    "share": {"type": "number"},
    "flag": {"type": "boolean"},
    "items": {"type": "array", "items": {"type": "integer"}},
    "deep": {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}}},
}
_SCHEMA = object_schema([], **{key: {**schema, "description": "Probe."} for key, schema in _TYPES.items()})
TOOLS = tuple(ToolSpec(name=name, description="Probe.", parameters=_SCHEMA) for name in (_FIRST, _SECOND))
_SCHEMAS: Schemas = {spec.name: spec.parameters for spec in TOOLS}
CALL_IDS = ("callprob1", "callprob2")
"""Of nine letters and digits, which every template takes."""
_MARK = re.compile(r"<[^<>\n]{1,60}>|\[/?[A-Z_]{2,30}\]|[^\s<\[]+|\s+|.", re.DOTALL)


def derive(shown: Shown) -> tuple[Dialect, str] | None:
    """The dialect in which the template renders calls, and in words what it looks like; None where none is exact."""
    one = shown.calls([(_FIRST, _ARGUMENTS)])
    if not one:
        return None
    two = shown.calls([(_FIRST, _ARGUMENTS), (_SECOND, _ARGUMENTS)])
    for find in (_json_object, _json_behind_name, _elements, _python, _gemma):
        form = find(one, _FIRST, shown)
        again = find(two, _SECOND, shown) if form and two else None
        first = find(two[: again.start], _FIRST, shown) if again else None
        if not form:
            continue
        gap = two[first.end : again.start] if first and again else None
        for dialect in _dialects(shown, form, one, gap):
            if _is_exact(dialect, shown):
                marker = dialect.section or dialect.call
                between = f"between {marker.open} and {marker.close}" if marker.close else f"behind {marker.open}"
                return dialect, f"{form.words} {between if marker.open else 'without markers'}"
    return None


def _json_object(text: str, name: str, _shown: Shown) -> _Form | None:
    """`{"name": NAME, "arguments": {…}}` under whatever keys, or `{NAME: {…}}`."""
    for found in re.finditer(r"\{", text):
        value = _value(text, found.start())
        if not isinstance(value, tuple) or not isinstance(value[0], dict):
            continue
        pairs, end = value
        if list(pairs) == [name] and pairs[name] == _ARGUMENTS:
            return _Form(JsonCodec(name_key=""), found.start(), end, "JSON objects with the tool's name as their key")
        named = next((key for key, inner in pairs.items() if inner == name), "")
        given = next((key for key, inner in pairs.items() if inner == _ARGUMENTS), "")
        if named and given:
            beside = tuple(key for key in pairs if key not in (named, given))
            texts = {named: '"NAME"', given: "ARGUMENTS"}
            ids = {key: f'"{HOLE}"' for key in beside if str(pairs[key]) in CALL_IDS or str(pairs[key]).isdigit()}
            form = ", ".join(f'"{key}": {(texts | ids).get(key) or json.dumps(pairs[key])}' for key in pairs)
            codec = JsonCodec(name_key=named, arguments_key=given, beside=beside, form=f"{{{form}}}" if beside else "")
            return _Form(codec, found.start(), end, f"JSON objects with {named} and {given}")
    return None


def _value(text: str, at: int) -> tuple[Any, int] | None:
    try:
        return read_json(text, at)
    except MalformedCall:
        return None


def _json_behind_name(text: str, name: str, _shown: Shown) -> _Form | None:
    """A name, and behind it the arguments as JSON."""
    for found in re.finditer(r"\{", text):
        value = _value(text, found.start())
        if value and value[0] == _ARGUMENTS and (start := text.rfind(name, 0, found.start())) >= 0:
            between = _without_ids(text[start + len(name) : found.start()])
            return _Form(NamedJsonCodec(between=between), start, value[1], "a tool's name and JSON behind it")
    return None


def _elements(text: str, name: str, shown: Shown) -> _Form | None:
    """An element for each argument, with its value as plain text."""
    spans = _spans(text, name)
    if not spans:
        return None
    start, (k1, v1, k2, v2) = spans
    head, after_key = text[start + len(name) : k1], text[k1 + len(_KEYS[0]) : v1]
    between = text[v1 + len(_VALUES[0]) : k2]
    shared = head[len(head) - _shared(head[::-1], between[::-1]) :]
    before_key = shared[max(0, shared.rfind("<")) :]
    after_value = between.removesuffix(before_key)
    if not before_key or not after_value.strip() or text[k2 + len(_KEYS[1]) : v2] != after_key:
        return None
    newlines = after_key.endswith("\n") and after_value.startswith("\n")
    tag = after_value.strip()
    # A type stands before a value that is none of text, or it is there only to tell text from all others.
    number, flag = (_before(value, shown) for value in (7, True))
    other = number if number == flag else re.sub(r'"[a-z]+"', f'"{HOLE}"', number)
    codec = XmlCodec(
        after_name=_without_ids(head.removesuffix(before_key).rstrip()),
        before_key=before_key,
        after_key=after_key.removesuffix("\n") if newlines else after_key,
        kinds=(after_key, other) if other.strip() != after_key.strip() and '"' in after_key else None,
        after_value=tag,
        newlines=newlines,
        between=after_value[len(after_value.rstrip()) :],
    )
    if (last := text.find(tag, v2 + len(_VALUES[1]))) < 0:
        return None
    end = last + len(tag)
    return _Form(codec, start, end, f"one element for each argument, {before_key}…{tag},")


def _before(value: Any, shown: Shown) -> str:
    """The text between a key and such a value."""
    text = shown.calls([(_FIRST, {_KEYS[0]: value})]).partition(_KEYS[0])[2]
    return text[: max(0, text.lower().find(json.dumps(value)))]


def _spans(text: str, name: str) -> tuple[int, tuple[int, int, int, int]] | None:
    """Where the name, and behind it the keys and values in their order, stand."""
    at = text.find(_KEYS[0], text.find(name) + 1)
    start = text.rfind(name, 0, max(at, 0))
    found = []
    for word in (_KEYS[0], _VALUES[0], _KEYS[1], _VALUES[1]):
        at = text.find(word, max(at, 0))
        found.append(at)
    return None if start < 0 or min(found) < 0 else (start, (found[0], found[1], found[2], found[3]))


def _python(text: str, name: str, _shown: Shown) -> _Form | None:
    """`NAME(key='value')`."""
    found = re.search(rf"{name}\(\s*key_a\s*=[^()]*\)", text)
    return found and _Form(PythonicCodec(), found.start(), found.end(), "calls as Python writes them")


def _gemma(text: str, name: str, _shown: Shown) -> _Form | None:
    """`call:NAME{key:<|"|>value<|"|>}`."""
    found = re.search(rf"call:{name}\{{key_a:(\S+?)val-a\1,key_b:\1val-b\1\}}", text)
    return found and _Form(GemmaCodec(quote=found[1]), found.start(), found.end(), "calls in Gemma's form")


def _dialects(shown: Shown, form: _Form, one: str, gap: str | None) -> Iterator[Dialect]:
    """Readings of the texts around the calls, the likeliest first; `gap` stands between two calls of a reply."""
    header = _shared_start(shown.said.partition("REPLY")[0], one[: form.start])
    before, behind = _without_ids(one[len(header) : form.start]), _without_ids(one[form.end :])
    reasoning = _reasoning(shown)
    if reasoning and reasoning.close in before:
        before = before.rpartition(reasoning.close)[2]
    common = Dialect(name="derived", codec=form.codec, call=Markers(open=""), reasoning=reasoning)
    common = replace(common, result_open=_result_markers(shown, one[form.end :]), around_text=_around_text(shown))
    if gap is None:
        yield _marked(common, before.strip(), _turn(behind, shown).strip(), before)
        return
    gap = _without_ids(gap)
    if gap.strip() == "," and before.rstrip().endswith("[") and behind.lstrip().startswith("]"):
        opens, closes = before.rstrip()[:-1], behind.lstrip()[1:]
        around = Markers(open=opens.strip(), close=_turn(closes, shown).strip())
        listed = replace(common, listed=True, pad=opens[len(opens.rstrip()) :], call=around)
        yield replace(listed, bare=not listed.call.open)
        return
    if gap.strip() in ("", ",") and before.strip():
        between = gap or ""
        yield replace(
            common,
            several=True,
            between=between,
            pad=before[len(before.rstrip()) :],
            call=Markers(open=before.strip(), close=_turn(behind, shown).strip()),
        )
        return
    closes = _shared_start(behind, gap).rstrip()
    opens, prompted = _shared_end(before, gap.removeprefix(closes)), False
    if not before and gap.removeprefix(closes).strip() in shown.asked[-40:]:  # the prompt itself opens the first call
        opens, prompted = gap.removeprefix(closes), True
    opens = _NAMES.split(opens)[-1]  # a tool's name belongs to no marker
    between = _NAMES.split(gap.removeprefix(closes).removesuffix(opens.lstrip()))[-1]
    opening = _NAMES.split(before.removesuffix(opens))[-1].strip()
    around = Markers(open=opening, close=_first_mark(behind[len(closes) :], like=opening))
    section = around if around.open and around.close and opens.strip() else None
    marked = replace(_marked(common, opens.strip(), closes.strip(), opens), between=between)
    if section:
        yield replace(marked, section=section)
    yield replace(marked, bare=True) if prompted else marked


def _marked(dialect: Dialect, opens: str, closes: str, written: str) -> Dialect:
    """The dialect with what stands around one call, of which a part may belong to its codec."""
    codec, pad = dialect.codec, written[len(written.rstrip()) :]
    marker, hole, rest = opens.partition(HOLE)
    if isinstance(codec, NamedJsonCodec) and hole:
        codec, opens = replace(codec, before_name=hole + rest), marker
    elif isinstance(codec, XmlCodec) and "\n" in opens and "\n" in closes:
        opens, _, name = opens.partition("\n")
        end, _, closes = closes.rpartition("\n")
        codec, pad = replace(codec, before_name=name.strip(), end=end.strip()), "\n"
    return replace(dialect, codec=codec, call=Markers(open=opens, close=closes), pad=pad, bare=not opens)


def _turn(text: str, shown: Shown) -> str:
    """The text up to what ends a turn in which nothing was called."""
    ends = next(iter(_MARK.findall(shown.said.partition("REPLY")[2].strip())), "")
    return text.partition(ends)[0] if len(ends) > 1 and ends[0] in "<[" else text


def _first_mark(text: str, like: str = "") -> str:
    """The first marker, up to the one with which `like` ends if that stands close behind it."""
    marks, last = _MARK.findall(text.lstrip())[:3], _MARK.findall(like)[-1:]
    length = marks.index(last[0]) + 1 if last and last[0] in marks else 1
    found = "".join(marks[:length])
    return found if len(found) > 1 else ""


def _shared_start(one: str, other: str) -> str:
    """The first marks and words that two texts share."""
    shared = []
    for mark, same in zip(_MARK.findall(one), _MARK.findall(other), strict=False):
        if mark != same:
            break
        shared.append(mark)
    return "".join(shared)


def _shared(one: str, other: str) -> int:
    shortest = min(len(one), len(other))
    return next((at for at in range(shortest) if one[at] != other[at]), shortest)


def _shared_end(one: str, other: str) -> str:
    """The last characters that two texts share; no mark is cut."""
    length = _shared(one[::-1], other[::-1])
    begins = (found.start() for found in _MARK.finditer(one))
    return one[next((at for at in begins if at >= len(one) - length), len(one)) :]


def _without_ids(text: str) -> str:
    """The text with a hole for each id and for an index in quotes or behind a colon."""
    for call_id in CALL_IDS:
        text = text.replace(call_id, HOLE)
    return re.sub(r'(?<=index=")\d+(?=")|(?<=:)\d+(?=<)', HOLE, text)


_THINKS = re.compile(r"<([^<>{}\s/]{0,20})(think(?:ing)?)([^<>{}\s/]{0,20})>", re.IGNORECASE)


_THINK_PART = r"\s*<[^<>]+>think<[^<>]+>\s*"


def _reasoning(shown: Shown) -> Markers | None:
    """The markers around what a reply thought."""
    before, thought, behind = shown.thought.partition("THOUGHT")
    marks = [mark for mark in _MARK.findall(before) if mark.strip()]
    ends = _first_mark(behind)
    if thought and marks and ends and "think" in (marks[-1] + ends).lower():
        return Markers(open=marks[-1], close=ends)
    prompted = re.search(rf"{_THINK_PART}\Z", shown.asked)  # the prompt itself opens it
    if prompted and (closes := re.match(_THINK_PART, behind)):
        return Markers(open=prompted.group().strip(), close=closes.group().strip())
    said = shown.said.partition("REPLY")[0].strip()
    if thought and ends and before.strip() and before.strip() != said and before[-1] == said[-1:] == ">":
        return Markers(open=before.strip(), close=ends)  # each kind of text has a header of its own
    if THINK.open in shown.source or not (found := _THINKS.search(shown.asked + shown.source)):
        return THINK
    opens = found.group()
    if "START" in opens:
        return Markers(open=opens, close=opens.replace("START", "END"))
    return Markers(
        open=opens, close=f"<{found[1]}/{found[2]}{found[3]}>" if found[1] == "|" else opens.replace("<", "</", 1)
    )


def _around_text(shown: Shown) -> tuple[str, ...]:
    """The markers before and behind what a reply says, and what opens its turn again behind a thought."""
    reasoning = _reasoning(shown)
    before, _, behind = shown.said.partition("REPLY")
    behind, thought = behind.partition("USER-PROBE")[0], shown.thought.partition("THOUGHT")[2]
    ends = behind.removesuffix(_shared_end(behind, shown.asked.partition("USER-PROBE")[0]))
    if reasoning:
        before, thought = before.rpartition(reasoning.close)[2], thought.removeprefix(reasoning.close)
    again = next((shown.asked[-n:] for n in range(40, 0, -1) if thought.startswith(shown.asked[-n:])), "")
    return tuple(text.strip() for text in (before, ends, again) if re.search("<[^<>]+>", text))


def _result_markers(shown: Shown, behind: str) -> tuple[str, ...]:
    """The marker right before a result, where it says so."""
    marks = [mark for mark in _MARK.findall(behind) if mark[0] in "<[" and mark[1:]]
    last = _NAMES.split(marks[-1])[0] if marks else ""
    says = any(word in last.lower() for word in ("result", "response", "output", "observation"))
    return (last,) if says and last not in shown.asked else ()


def _probes(dialect: Dialect) -> Iterator[Written]:
    """A dozen replies that a dialect must render, read and write alike."""
    texts = [
        "",
        "a b",
        "\"q\" 's' \\ \\n",
        "one\n\ttwo\n",
        "é😀",
        "42",
        "true",
        "{}",
        "[x]",
        f"<b> {dialect.call.open} &amp;",
    ]
    yield [(_FIRST, {"key_a": text, "key_b": text}) for text in texts[:1]]
    for text in texts:
        yield [(_FIRST, {"key_a": text})]
    yield [(_FIRST, {"count": -42, "share": 0.25, "flag": True})]
    yield [(_FIRST, {"items": [1, 2], "deep": {"x": {"y": 'z "w"', "z": None}}})]
    yield [(_FIRST, _ARGUMENTS), (_SECOND, {"key_a": "x = {'a': 1}\n", "flag": False})]
    yield [(_FIRST, {})]


def _is_exact(dialect: Dialect, shown: Shown) -> bool:
    """Whether everything that the template and the dialect write is read back as it was."""
    for written in _probes(dialect):
        told = shown.calls(written)
        if not told and len(written) > 1:  # one call a message
            continue
        close = dialect.section.close if dialect.section else dialect.call.close
        if close and close in told:  # what ends the turn may look like a part of a call
            told = told[: told.rindex(close) + len(close)]
        try:
            texts = (told, dialect.render_calls(written))
        except ValueError:
            return False
        for text in texts:
            parsed = parse(dialect, text, schemas=_SCHEMAS)
            calls = [[call.name, call.arguments] for call in parsed.calls]
            if parsed.problems or json.dumps(calls, sort_keys=True) != json.dumps(
                [[*one] for one in written], sort_keys=True
            ):
                return False
    return True
