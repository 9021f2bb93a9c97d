"""A source that is complete and does not end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from backends.conformance import request
from pytest_agentcore.backends.openai.client import Chunk, Pump


class Late:
    """Says that it is complete right after its last thing, which it gives when it is asked whether it is."""

    def __init__(self) -> None:
        self.asked, self.given, self.aborted = threading.Event(), threading.Event(), threading.Event()

    @property
    def complete(self) -> bool:
        self.asked.set()
        return self.given.wait(60)

    def __iter__(self) -> Iterator[Chunk]:
        self.asked.wait(60)
        yield {"last": 1}
        self.given.set()
        self.aborted.wait(60)

    def close(self) -> None:
        """Nothing to let go of."""

    def abort(self) -> None:
        self.aborted.set()


def test_what_came_just_before_the_end_is_not_lost_and_the_source_is_cut_off() -> None:
    source = Late()
    pump = Pump(lambda: source, request(), 60.0)
    assert list(pump) == [{"last": 1}]
    pump.close()
    assert source.aborted.is_set()
