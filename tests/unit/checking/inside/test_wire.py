"""Values that cross unchanged or not at all, and a line on which anything but one JSON object is silence."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath
from typing import Any

import pytest

from pytest_agentcore.checking.inside.wire import Pipe, Silence, WireError, decode, encode

Ends = tuple[Pipe, int, int]
"""A pipe, and the other side's reading and writing descriptors."""


@pytest.fixture
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    theirs, ours = os.pipe(), os.pipe()
    descriptors = [*theirs, *ours]
    seconds = getattr(request, "param", 60.0)
    yield Pipe(ours[0], theirs[1], time.monotonic() + seconds), theirs[0], ours[1]
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            continue  # closed by the test


def test_objects_cross_in_order(ends: Ends) -> None:
    pipe, read, write = ends
    pipe.send({"op": "a", "text": "x\ny\ud800"})
    assert os.read(read, 1000) == b'{"op": "a", "text": "x\\ny\\ud800"}\n'
    os.write(write, b'{"n": 1}\n{"n": 2}\n{"n"')
    os.write(write, b": 3}\n")
    assert [pipe.receive() for _ in range(3)] == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_requests_are_served_until_the_reply_comes(ends: Ends) -> None:
    pipe, read, write = ends
    os.write(write, b'{"op": "twice", "n": 4}\n{"value": "done"}\n')
    assert pipe.exchange({"op": "go"}, lambda request: {"value": 2 * request["n"]}) == {"value": "done"}
    assert os.read(read, 1000) == b'{"op": "go"}\n{"value": 8}\n'


@pytest.mark.parametrize("line", [b"\n", b"3\n", b"[]\n", b"{\n", b"\xff\n", b"[" * 100_000 + b"\n"])
def test_garbage_is_silence(ends: Ends, line: bytes) -> None:
    pipe, _read, write = ends
    os.set_blocking(write, False)
    os.write(write, line[:60_000] + (b"\n" if len(line) > 60_000 else b""))
    with pytest.raises(Silence, match="sent no message"):
        pipe.receive()


def test_a_closed_end_is_silence(ends: Ends) -> None:
    pipe, read, write = ends
    os.close(write)
    with pytest.raises(Silence, match="has ended"):
        pipe.receive()
    os.close(read)
    with pytest.raises(Silence, match="has ended"):
        pipe.send({})


@pytest.mark.parametrize("ends", [0.05], indirect=True)
def test_no_answer_is_silence(ends: Ends) -> None:
    with pytest.raises(Silence, match="did not answer in time"):
        ends[0].receive()


@pytest.mark.parametrize("ends", [0.2], indirect=True)
def test_a_side_that_does_not_read_is_silence(ends: Ends) -> None:
    with pytest.raises(Silence, match="did not answer in time"):
        ends[0].send({"text": "x" * 1_000_000})


def test_silence_is_no_exception_that_a_test_could_expect() -> None:
    assert not issubclass(Silence, Exception)


VALUES: list[Any] = [
    None,
    True,
    0,
    -(10**30),
    1.5,
    -0.0,
    math.inf,
    "héllo\0\ud800",
    b"\xff\0",
    bytearray(b"a"),
    [1, [2, []]],
    (1, (2,)),
    {"a": 1, (1, 2): {3: [4]}, None: 5},
    {1, "a", (2, 3)},
    frozenset({1}),
    1 + 2j,
    range(1, 10, 3),
    Decimal("1.10"),
    Fraction(1, 3),
    date(2024, 2, 29),
    datetime(2024, 2, 29, 1, 2, 3, 4, UTC),
    timedelta(days=-1, microseconds=5),
    PurePosixPath("a/b"),
]


def refuse(value: Any) -> Any:
    raise WireError(str(value))


@pytest.mark.parametrize("value", VALUES, ids=[f"{n}-{type(value).__name__}" for n, value in enumerate(VALUES)])
def test_plain_data_crosses_unchanged(value: Any) -> None:
    back = decode(encode(value, refuse, containers=False), refuse)
    assert back == value
    assert type(back) is (PosixPath if isinstance(value, PurePosixPath) else type(value))
    assert repr(back) == repr(value) or isinstance(value, (set, PurePosixPath))


def test_nan_crosses() -> None:
    assert math.isnan(decode(encode(math.nan, refuse, containers=False), refuse))


class AlwaysEqual(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class Hidden(dict[str, int]):
    def items(self) -> Any:
        return {"a": 1}.items()


def test_of_a_subclass_only_the_plain_content_crosses() -> None:
    plain = decode(encode([AlwaysEqual(3), Hidden(b=2)], refuse, containers=True), refuse)
    assert plain == [3, {"b": 2}]
    assert type(plain[0]) is int
    assert plain[0] != 4


NOT_VALUES = [
    object(),
    Decimal("sNaN"),
    10**5000,
    lambda: None,
    type("X", (), {}),
    [0] * 600_000,
    "x" * 40_000_000,
]


@pytest.mark.parametrize("value", NOT_VALUES, ids=lambda value: type(value).__name__)
def test_what_is_no_plain_data_goes_to_the_caller(value: Any) -> None:
    assert encode([value], lambda _v: "other", containers=True) in (["other"], "other")


def test_data_without_end_goes_to_the_caller() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert encode(endless, lambda _v: "other", containers=True) == "other"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"t": 1},
        {"t": "tuple"},
        {"t": "tuple", "v": 3},
        {"t": "dict", "v": [1]},
        {"t": "dict", "v": [[], 1]},
        {"t": "set", "v": [[1]]},
        {"t": "bytes", "v": ["xyz"]},
        {"t": "bytes", "v": [3]},
        {"t": "Decimal", "v": ["x"]},
        {"t": "Decimal", "v": ["sNaN"]},
        {"t": "Fraction", "v": [1, 0]},
        {"t": "date", "v": ["yesterday"]},
        {"t": "timedelta", "v": [10**12]},
        {"t": "int", "v": ["f" * 100_000]},
        {"t": "range", "v": [0, 1, 0]},
        {"t": "object", "v": 1},
    ],
    ids=lambda data: str(data)[:30],
)
def test_what_is_no_value_is_refused(data: Any) -> None:
    with pytest.raises(WireError):
        decode([data], refuse)


def test_nesting_is_bounded() -> None:
    data: Any = 1
    for _ in range(500):
        data = [data]
    with pytest.raises(WireError):
        decode(data, refuse)
