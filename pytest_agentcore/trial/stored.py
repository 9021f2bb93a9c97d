"""Reads frozen dataclasses back from JSON: every field must be there and of the type that its annotation says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

Reader = Callable[[str, Any], Any]
"""Takes a field's name, for errors, and what JSON has for it."""

_PLAIN: Mapping[type, tuple[str, type | tuple[type, ...]]] = {
    str: ("a text", str),
    int: ("a whole number", int),
    float: ("a number", (int, float)),
    bool: ("true, false or null", bool),
}


def from_json(kind: type[T], data: Mapping[str, Any]) -> T:
    """The value that a JSON object stands for; keys that are no field are left alone.

    Raises:
        ValueError: a field is missing or of another type; names it.
    """
    readers: Mapping[str, Reader] = _readers(kind)  # type: ignore[arg-type]
    if missing := [name for name in readers if name not in data]:
        raise ValueError(f"{', '.join(f'`{name}`' for name in missing)} {'is' if len(missing) == 1 else 'are'} missing")
    return kind(**{name: read(name, data[name]) for name, read in readers.items()})


@cache
def _readers(kind: type) -> Mapping[str, Reader]:
    """Made once for a class: campaigns of thousands of trials are read."""
    hints = get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in fields(kind)}


def _reader(hint: Any) -> Reader:  # noqa: PLR0911 - a case for each kind of annotation
    arguments = get_args(hint)
    if hint is Any:
        return lambda _name, value: value
    if NoneType in arguments:
        (only,) = (_reader(argument) for argument in arguments if argument is not NoneType)
        return lambda name, value: None if value is None else only(name, value)
    if get_origin(hint) is tuple:
        item = _reader(arguments[0])
        return lambda name, value: tuple(item(name, each) for each in _held(name, value, "a list", (list, tuple)))
    if get_origin(hint) is Mapping:
        inner = _reader(arguments[1])
        return lambda name, value: {k: inner(name, v) for k, v in _held(name, value, "an object", dict).items()}
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda name, value: from_json(hint, _held(name, value, "an object", dict))
    if issubclass(hint, StrEnum):
        return lambda _name, value: hint(value)
    words, types = _PLAIN[hint]
    return lambda name, value: _held(name, value, words, types)


def _held(name: str, value: Any, words: str, types: type | tuple[type, ...]) -> Any:
    if not isinstance(value, types):
        raise ValueError(f"{name} must be {words}, not {value!r:.80}")
    return value
