"""The objects that models write when they mean a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_agentcore.dialects.dialect import Codec, Dialect, MalformedCall, RawCall, skip_space
from pytest_agentcore.dialects.families import GEMMA4
from pytest_agentcore.dialects.loose_json import as_object, read_loosely
from pytest_agentcore.dialects.named_codec import NamedJsonCodec
from pytest_agentcore.dialects.xml_codec import XmlCodec

NAME_KEYS = ("name", "tool", "tool_name", "function", "function_name", "action", "recipient_name")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "kwargs", "params", "action_input", "tool_input")
WRAPPER_KEYS = ("function", "function_call", "tool_call", "tool_calls", "tool_uses", "calls")
_DECORATION = ("type", "id", "call_id", "index")
"""Keys that stand beside a call without saying anything about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapedCall:
    """A call found in an object, and in what its object differs from `{"name": …, "arguments": {…}}`."""

    call: RawCall
    notes: tuple[str, ...]


def calls_of(value: Any, tool_names: Collection[str]) -> Iterator[ShapedCall]:
    """The calls of known tools that `value` means: an object, a list of them, or either in a wrapper."""
    if isinstance(value, list):
        for item in value:
            yield from calls_of(item, tool_names)
    elif isinstance(value, Mapping):
        if shaped := _named(value, tool_names) or _keyed(value, tool_names):
            yield shaped
            return
        for key in WRAPPER_KEYS:
            yield from calls_of(value.get(key), tool_names)


def _named(value: Mapping[str, Any], tool_names: Collection[str]) -> ShapedCall | None:
    for key in NAME_KEYS:
        name = value.get(key)
        if isinstance(name, str) and name in tool_names:
            arguments, notes = _arguments(value, key)
            renamed = () if key == "name" else (f'"{key}" for "name"',)
            return ShapedCall(call=RawCall(name=name, arguments=arguments), notes=renamed + notes)
    return None


def _arguments(value: Mapping[str, Any], name_key: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    for key in ARGUMENT_KEYS:
        arguments = as_object(value.get(key))
        if arguments is not None:
            renamed = () if key == "arguments" else (f'"{key}" for "arguments"',)
            return arguments, renamed + (("arguments as a string",) if isinstance(value[key], str) else ())
    flat = {key: item for key, item in value.items() if key != name_key and key not in _DECORATION + ARGUMENT_KEYS}
    return flat, ("arguments beside the name" if flat else "no arguments",)


def _keyed(value: Mapping[str, Any], tool_names: Collection[str]) -> ShapedCall | None:
    """`{"fs_read": {"path": …}}`."""
    if len(value) != 1:
        return None
    name, arguments = next(iter(value.items()))
    if name not in tool_names or not isinstance(arguments, dict):
        return None
    return ShapedCall(call=RawCall(name=name, arguments=arguments), notes=("the tool's name as the key",))


_KEYWORD = re.compile(r"\s{0,20}([A-Za-z_]\w{0,100})\s{0,20}[=:]\s{0,20}")
_TAG_END = re.compile(r"\s{0,20}</(?:[^\s<>]{1,20})>")
_COMMA = re.compile(r"\s{0,20},?\s{0,20}")


def function_lines(tool_names: Collection[str]) -> re.Pattern[str]:
    """A line that begins like the call of a function with a known tool's name; group 2 is the name."""
    names = "|".join(map(re.escape, tool_names)) or r"(?!)"
    before = r"[ \t>*`-]{0,8}(?:[A-Za-z_]\w{0,40} ?= ?)?(?:print\(|await |\[)?"
    return re.compile(rf"^{before}(call:[ \t]?)?({names})(?:\.call)?[ \t]?(?=[({{])", re.MULTILINE)


def function_tags(tool_names: Collection[str]) -> re.Pattern[str]:
    """A tag with a known tool's name before an object: `<function=fs_read>{` or `<invoke name="fs_read">{`."""
    names = "|".join(map(re.escape, tool_names)) or r"(?!)"
    return re.compile(rf"<(?:function|invoke|tool|tool_call)(?: name)?=[\"']?({names})[\"']?>\s{{0,20}}(?=\{{)")


def function_tag_end(text: str, at: int) -> int:
    """Index behind the tag that closes such a one; else `at`."""
    found = _TAG_END.match(text, at)
    return found.end() if found else at


def function_arguments(text: str, found: re.Match[str]) -> tuple[dict[str, Any], int]:
    """The arguments behind a match of `function_lines`, and the index behind them.

    Raises:
        MalformedCall: they cannot be read.
    """
    if not text.startswith("{", found.end()):
        return _keyword_arguments(text, found.end() + 1)
    if found[1]:
        try:
            decoded = GEMMA4.codec.decode(text, found.start(1))
        except MalformedCall:
            pass
        else:
            return dict(decoded.calls[0].arguments), decoded.end
    value, end, _notes = read_loosely(text, found.end())
    return value, end


def _keyword_arguments(text: str, at: int) -> tuple[dict[str, Any], int]:
    """`path="a", lines=3)`. Raises MalformedCall."""
    found: dict[str, Any] = {}
    at = skip_space(text, at)
    while not text.startswith(")", at):
        keyword = _KEYWORD.match(text, at)
        if not keyword:
            raise MalformedCall("a keyword argument is missing", at)
        found[keyword[1]], at, _notes = read_loosely(text, keyword.end())
        if comma := _COMMA.match(text, at):
            at = comma.end()
    return found, at + 1


_LEAST = 4
"""Characters of an opening marker's end that are taken for what is left of it."""


def beginnings(dialect: Dialect, tool_names: Collection[str]) -> re.Pattern[str] | None:
    """How a call of a known tool begins without its opening marker; None where others write so too."""
    names = "|".join(map(re.escape, sorted(tool_names, key=len, reverse=True))) or r"(?!)"
    begins = dialect.codec.begins(names, dialect.call.close)
    return re.compile(begins) if begins else None


def behind_remains(text: str, start: int, marker: str) -> int:
    """Where the rest of an opening marker begins that stands before `start`; else `start`."""
    for length in range(len(marker), _LEAST - 1, -1):
        if text.endswith(marker[-length:], 0, start):
            return start - length
    return start


def tolerant(codec: Codec, notes: dict[str, None]) -> Iterator[Codec]:
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


def name_and_object(notes: dict[str, None]) -> Codec:
    """A reader of a tool's name and an object behind it, which several models write between their markers."""
    notes["a name and then JSON"] = None
    return NamedJsonCodec(between="\n", loosely=r"[ \t\r\n:]{0,8}", read_loosely=_noting(notes))


def _noting(notes: dict[str, None]) -> Callable[[str, int], tuple[Any, int]]:
    def read(text: str, at: int) -> tuple[Any, int]:
        value, end, found = read_loosely(text, at, ends_open=True)
        notes.update(dict.fromkeys(found))
        return value, end

    return read
