"""Values as JSON, and pipes with one message per line, between processes that do not trust each other.

None, bool, int, float, str and list are JSON's own; the other plain types are `{"t": tag, "v": [parts]}`. Objects with
behaviour never cross: what is no plain data is written by the caller's own function, or refused.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath
from typing import Any
from uuid import UUID

MOST_BYTES = 32 * 1024 * 1024
"""The longest message."""
MOST_VALUES = 500_000
"""How many values one message holds at most, nested ones counted."""
CHARACTERS = 64
"""So many of a text, or of bytes, count as one value more."""
DEEPEST = 60
"""Levels of nesting."""
MOST_BITS = 13_000
"""The largest integer has so many: about 3900 decimal digits."""
_JSON_INT = 1 << 62

_ABILITIES = ("call", "len", "iter", "next", "getitem", "setitem", "delitem", "enter", "exit")
BEHAVIOUR = tuple(f"__{ability}__" for ability in _ABILITIES)
"""Methods that an object's stand-in has if, and only if, the object has them."""

Other = Callable[[Any], Any]


class WireError(ValueError):
    """A message holds no value: it does not parse, is nested too deep or too large."""


def _quiet(number: Decimal) -> Decimal:
    # Comparing a signalling NaN raises, which would make a broken checker of a wrong answer.
    if number.is_snan():
        raise WireError("a signalling NaN")
    return number


def _short(number: int) -> int:
    # Python refuses to print integers of more than 4300 digits, so a checker could not even report one.
    if number.bit_length() > MOST_BITS:
        raise WireError("an integer of thousands of digits")
    return number


def _flat(mapping: Any) -> list[Any]:
    return [part for pair in dict.items(mapping) for part in pair]


def _pairs(*parts: Any) -> dict[Any, Any]:
    return dict(zip(parts[::2], parts[1::2], strict=True))


_PLAIN: tuple[tuple[type, str, Callable[[Any], list[Any]], Callable[..., Any]], ...] = (
    (int, "int", lambda v: [hex(_short(v))], lambda v: _short(int(v, 16))),
    (tuple, "tuple", lambda v: list(tuple.__iter__(v)), lambda *v: tuple(v)),
    (dict, "dict", _flat, _pairs),
    (Counter, "dict", _flat, _pairs),
    (OrderedDict, "dict", _flat, _pairs),
    (defaultdict, "dict", _flat, _pairs),
    (set, "set", lambda v: list(set.__iter__(v)), lambda *v: set(v)),
    (frozenset, "frozenset", lambda v: list(frozenset.__iter__(v)), lambda *v: frozenset(v)),
    (bytes, "bytes", lambda v: [bytes.hex(v)], bytes.fromhex),
    (bytearray, "bytearray", lambda v: [bytearray.hex(v)], bytearray.fromhex),
    (complex, "complex", lambda v: [v.real, v.imag], complex),
    (range, "range", lambda v: [v.start, v.stop, v.step], range),
    (Decimal, "Decimal", lambda v: [str(_quiet(v))], lambda v: _quiet(Decimal(v))),
    (Fraction, "Fraction", lambda v: [v.numerator, v.denominator], Fraction),
    (datetime, "datetime", lambda v: [v.isoformat()], datetime.fromisoformat),
    (date, "date", lambda v: [v.isoformat()], date.fromisoformat),
    (clock_time, "time", lambda v: [v.isoformat()], clock_time.fromisoformat),
    (timedelta, "timedelta", lambda v: [v.days, v.seconds, v.microseconds], timedelta),
    (PosixPath, "path", lambda v: [str(v)], PosixPath),
    (PurePosixPath, "path", lambda v: [str(v)], PosixPath),
    (UUID, "uuid", lambda v: [v.hex], lambda v: UUID(hex=v)),
)
"""Type, tag, the parts that are written, and what makes a value of them again."""
_TO_WIRE = {kind: (tag, parts) for kind, tag, parts, _make in _PLAIN}
_FROM_WIRE = {tag: make for _kind, tag, _parts, make in _PLAIN}

# How a subclass's instance is read as the plain type: by the base's own method, whatever the subclass overrides.
_SCALARS: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    bytes: lambda v: bytes.__add__(v, b""),
}
_SCALARS_AND_CONTAINERS: dict[type, Callable[[Any], Any]] = {
    **_SCALARS,
    tuple: lambda v: tuple(tuple.__iter__(v)),
    list: lambda v: list(list.__iter__(v)),
    dict: lambda v: dict(dict.items(v)),
    set: lambda v: set(set.__iter__(v)),
    frozenset: lambda v: frozenset(frozenset.__iter__(v)),
}


def encode(value: Any, other: Other, *, containers: bool) -> Any:
    """A value as JSON-able data.

    Args:
        value: anything.
        other: writes what is no plain data, as a dict with a `t` of its own; may raise WireError.
        containers: whether an instance of a subclass of list, dict … is written as the plain one; subclasses of str,
            int, float and bytes always are. Only the base type's own content is read, never an override.
    """
    left = MOST_VALUES
    bases = _SCALARS_AND_CONTAINERS if containers else _SCALARS

    def write(value: Any, depth: int) -> Any:
        nonlocal left
        kind = type(value)
        long = kind is str or kind is bytes or kind is bytearray
        left -= 1 + (len(value) // CHARACTERS if long else 0)
        if depth > DEEPEST or left < 0:
            raise WireError("too large or nested too deep")
        if value is None or kind is bool or kind is str or kind is float:
            return value
        if kind is int and -_JSON_INT < value < _JSON_INT:
            return value
        if kind is list:
            return [write(item, depth + 1) for item in value]
        if kind in _TO_WIRE:
            tag, parts = _TO_WIRE[kind]
            return {"t": tag, "v": [write(part, depth + 1) for part in parts(value)]}
        base = next((base for base in bases if base in type.__getattribute__(kind, "__mro__")), None)
        return other(value) if base is None else write(bases[base](value), depth)

    try:
        return write(value, 0)
    except (WireError, RecursionError):
        return other(value)


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


class Silence(BaseException):
    """The other side has ended, sent garbage or not answered in time.

    No `Exception`, so that a test which expects one does not take it for the behaviour of the code.
    """


class Pipe:
    """Two descriptors, one JSON object per line each way."""

    def __init__(self, read: int, write: int, deadline: float = float("inf")) -> None:
        self._read, self._write, self._deadline = read, write, deadline
        self._buffer = bytearray()

    def send(self, message: dict[str, Any]) -> None:
        """Write one object; Silence when nobody reads any more."""
        rest = memoryview(json.dumps(message).encode() + b"\n")
        try:
            while rest:
                self._wait([], [self._write])
                rest = rest[os.write(self._write, rest[: select.PIPE_BUF]) :]
        except OSError as error:
            raise Silence("the process of the code under test has ended") from error

    def receive(self) -> dict[str, Any]:
        """Read one object; Silence when there is none."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            self._wait([self._read], [])
            piece = os.read(self._read, 1 << 16)
            if not piece or searched > MOST_BYTES:
                raise Silence("the process of the code under test has ended or says too much")
            self._buffer += piece
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Silence("the process of the code under test sent no message") from error
        if not isinstance(message, dict):
            raise Silence("the process of the code under test sent no message")
        return message

    def exchange(self, request: dict[str, Any], serve: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        """Send a request and return its reply; requests that come meanwhile are served."""
        self.send(request)
        while "op" in (message := self.receive()):
            self.send(serve(message))
        return message

    def _wait(self, read: list[int], write: list[int]) -> None:
        if self._deadline == float("inf"):
            return
        left = self._deadline - time.monotonic()
        if left <= 0 or not any(select.select(read, write, [], left)):
            raise Silence("the code under test did not answer in time")


def silence_stdio() -> int:
    """Point standard input, output and error at nothing; returns a descriptor of the former output."""
    out = os.dup(1)  # not inherited by child processes
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    return out


def say(out: int, line: bytes) -> None:
    """Write a line of its own, whatever was written before it."""
    rest = b"\n" + line + b"\n"
    while rest:
        rest = rest[os.write(out, rest) :]
