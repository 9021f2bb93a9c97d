"""The objects and the function-like lines that models write when they mean a call."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pytest_agentcore.dialects.dialect import MalformedCall, RawCall, skip_space
from pytest_agentcore.dialects.families import GEMMA4
from pytest_agentcore.dialects.loose_json import as_object, read_loosely

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


_KEYWORD = re.compile(r"\s{0,20}([A-Za-z_]\w{0,100})\s{0,20}[=:]\s{0,20}")
_COMMA = re.compile(r"\s{0,20},?\s{0,20}")


def function_lines(tool_names: Collection[str]) -> re.Pattern[str]:
    """A line that begins like the call of a function with a known tool's name; group 2 is the name."""
    names = "|".join(map(re.escape, tool_names)) or r"(?!)"
    before = r"[ \t>*`-]{0,8}(?:[A-Za-z_]\w{0,40} ?= ?)?(?:print\(|await |\[)?"
    return re.compile(rf"^{before}(call:[ \t]?)?({names})(?:\.call)?[ \t]?(?=[({{])", re.MULTILINE)


def function_arguments(text: str, found: re.Match[str]) -> tuple[dict[str, Any], int]:
    """The arguments behind a match of `function_lines`, and the index behind them.

    Raises:
        MalformedCall: they cannot be read.
    """
    if text.startswith("{", found.end()):
        if found[1]:
            try:
                decoded = GEMMA4.codec.decode(text, found.start(1))
            except MalformedCall:
                pass  # some other notation between braces
            else:
                return dict(decoded.calls[0].arguments), decoded.end
        value, end, _notes = read_loosely(text, found.end())
        return value, end
    arguments: dict[str, Any] = {}
    at = skip_space(text, found.end() + 1)
    while not text.startswith(")", at):
        keyword = _KEYWORD.match(text, at)
        if not keyword:
            raise MalformedCall("a keyword argument is missing", at)
        arguments[keyword[1]], at, _notes = read_loosely(text, keyword.end())
        if comma := _COMMA.match(text, at):
            at = comma.end()
    return arguments, at + 1
