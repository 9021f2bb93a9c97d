"""Values as JSON between processes that do not trust each other.

None, bool, int, float, str and list are JSON's own; the other plain types are `{"t": tag, "v": [parts]}`. Objects with
behaviour never cross: what is no plain data is written by the caller's own function, or refused.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath
from typing import Any
from uuid import UUID

MOST_VALUES = 500_000
"""Of one encoded value, nested ones counted."""
CHARACTERS = 64
"""Of a text, or bytes, that count as one value."""
DEEPEST = 60
"""Levels of nesting."""
MOST_BITS = 13_000
"""Of an integer: about 3900 decimal digits."""
_JSON_INT = 1 << 62

BEHAVIOUR = (
    "__call__",
    "__len__",
    "__iter__",
    "__next__",
    "__getitem__",
    "__setitem__",
    "__delitem__",
    "__enter__",
    "__exit__",
)
"""Methods that an object's stand-in has if, and only if, the object has them."""

Other = Callable[[Any], Any]


class WireError(ValueError):
    """What came is no value: it does not parse, is nested too deep or too large."""


def _no_signalling(number: Decimal) -> str:
    # Comparing a signalling NaN raises, which would make a broken checker of a wrong answer.
    if number.is_snan():
        raise WireError("a signalling NaN")
    return str(number)


def _hex(number: int) -> str:
    # Python refuses to print integers of more than 4300 digits, so a checker could not even report one.
    if number.bit_length() > MOST_BITS:
        raise WireError("an integer of thousands of digits")
    return hex(number)


def _int(digits: str) -> int:
    if len(digits) > MOST_BITS // 4:
        raise WireError("an integer of thousands of digits")
    return int(digits, 16)


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    _no_signalling(number)
    return number


def _flat(mapping: Any) -> list[Any]:
    return [part for pair in dict.items(mapping) for part in pair]


def _pairs(*parts: Any) -> dict[Any, Any]:
    return dict(zip(parts[::2], parts[1::2], strict=True))


_TO_WIRE: dict[type, tuple[str, Callable[[Any], list[Any]]]] = {
    tuple: ("tuple", lambda v: list(tuple.__iter__(v))),
    dict: ("dict", _flat),
    set: ("set", lambda v: list(set.__iter__(v))),
    frozenset: ("frozenset", lambda v: list(frozenset.__iter__(v))),
    bytes: ("bytes", lambda v: [bytes.hex(v)]),
    bytearray: ("bytearray", lambda v: [bytearray.hex(v)]),
    complex: ("complex", lambda v: [v.real, v.imag]),
    range: ("range", lambda v: [v.start, v.stop, v.step]),
    Decimal: ("Decimal", lambda v: [_no_signalling(v)]),
    Fraction: ("Fraction", lambda v: [v.numerator, v.denominator]),
    datetime: ("datetime", lambda v: [v.isoformat()]),
    date: ("date", lambda v: [v.isoformat()]),
    clock_time: ("time", lambda v: [v.isoformat()]),
    timedelta: ("timedelta", lambda v: [v.days, v.seconds, v.microseconds]),
    PosixPath: ("path", lambda v: [str(v)]),
    PurePosixPath: ("path", lambda v: [str(v)]),
    UUID: ("uuid", lambda v: [v.hex]),
    Counter: ("dict", _flat),
    OrderedDict: ("dict", _flat),
    defaultdict: ("dict", _flat),
}

_FROM_WIRE: dict[str, Callable[..., Any]] = {
    "int": _int,
    "tuple": lambda *v: tuple(v),
    "dict": _pairs,
    "set": lambda *v: set(v),
    "frozenset": lambda *v: frozenset(v),
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": complex,
    "range": range,
    "Decimal": _decimal,
    "Fraction": Fraction,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": clock_time.fromisoformat,
    "timedelta": timedelta,
    "path": PosixPath,
    "uuid": lambda v: UUID(hex=v),
}

_SCALARS = (str, int, float, bytes)
_CONTAINERS = (tuple, list, dict, set, frozenset)


def encode(value: Any, other: Other, *, containers: bool) -> Any:
    """A value as JSON-able data.

    Args:
        value: anything.
        other: writes what is no plain data, as a dict with a `t` of its own; may raise WireError.
        containers: whether an instance of a subclass of list, dict … is written as the plain one; subclasses of str,
            int, float and bytes always are. Only the base type's own content is read, never an override.
    """
    left = MOST_VALUES

    def write(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        kind = type(value)
        if kind is str or kind is bytes or kind is bytearray:
            left -= len(value) // CHARACTERS
        if depth > DEEPEST or left < 0:
            raise WireError("too large or nested too deep")
        if value is None or kind is bool or kind is str or kind is float:
            return value
        if kind is int:
            return value if -_JSON_INT < value < _JSON_INT else {"t": "int", "v": [_hex(value)]}
        if kind is list:
            return [write(item, depth + 1) for item in value]
        if kind in _TO_WIRE:
            tag, parts = _TO_WIRE[kind]
            return {"t": tag, "v": [write(part, depth + 1) for part in parts(value)]}
        base = _plain_base(kind, containers=containers)
        return other(value) if base is None else write(_AS_BASE[base](value), depth)

    try:
        return write(value, 0)
    except (WireError, RecursionError):
        return other(value)


_AS_BASE: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    bytes: lambda v: bytes.__add__(v, b""),
    tuple: lambda v: tuple(tuple.__iter__(v)),
    list: lambda v: list(list.__iter__(v)),
    dict: lambda v: dict(dict.items(v)),
    set: lambda v: set(set.__iter__(v)),
    frozenset: lambda v: frozenset(frozenset.__iter__(v)),
}


def _plain_base(kind: type, *, containers: bool) -> type | None:
    bases = _SCALARS + _CONTAINERS if containers else _SCALARS
    return next((base for base in bases if base in type.__getattribute__(kind, "__mro__")), None)


def decode(data: Any, other: Other) -> Any:
    """The inverse of `encode`; `other` reads the dicts whose tag is none of the plain types.

    Raises:
        WireError: no value.
    """

    def read(data: Any, depth: int) -> Any:
        if depth > DEEPEST + 1:
            raise WireError("nested too deep")
        if data is None or isinstance(data, bool | int | float | str):
            return data
        if isinstance(data, list):
            return [read(item, depth + 1) for item in data]
        if not isinstance(data, dict) or not isinstance(data.get("t"), str):
            raise WireError("no value")
        make = _FROM_WIRE.get(data["t"])
        if make is None:
            return other(data)
        parts = data.get("v")
        if not isinstance(parts, list):
            raise WireError("no value")
        return make(*[read(part, depth + 1) for part in parts])

    try:
        return read(data, 0)
    except WireError:
        raise
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise WireError(str(error)) from error
