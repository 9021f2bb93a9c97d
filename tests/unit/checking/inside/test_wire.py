"""The line between judge and worker: whatever else comes than one JSON object is silence."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from pytest_agentcore.checking.inside.wire import Pipe, Silence

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
