"""A pair of pipes between two processes that do not trust each other: one JSON object per line, each way."""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable
from typing import Any

MOST_BYTES = 32 * 1024 * 1024
"""Of one line."""


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
