"""The objects that models write when they mean a call."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_agentcore.models.dialects.loose_json import as_object
from pytest_agentcore.models.dialects.values import RawCall

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
