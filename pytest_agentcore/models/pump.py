"""Takes things from a blocking source without being blocked: cancel, deadline and silence are noticed meanwhile."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from pytest_agentcore.models.base import FinishReason, Request
from pytest_agentcore.models.generation import cut_short

T_co = TypeVar("T_co", covariant=True)

LOOK_SECONDS = 0.1
"""How often a silent source is left to see whether the request was cancelled."""


class Source(Protocol[T_co]):
    """An open stream."""

    @property
    def complete(self) -> bool:
        """Whether the last thing has come, even though the iterator has not ended yet."""

    def __iter__(self) -> Iterator[T_co]:
        """The things, blocking for each."""

    def close(self) -> None:
        """Let go of the stream, from the thread that reads it."""

    def abort(self) -> None:
        """Cut it off from another thread, and wake up the one that waits for the next thing."""


class Silence(Exception):
    """Nothing came for as long as was waited."""


class CutShort(Exception):
    """The request was cancelled or its deadline passed while nothing came."""

    def __init__(self, finish: FinishReason) -> None:
        super().__init__(finish.value)
        self.finish = finish


@dataclass(slots=True)
class Pump(Generic[T_co]):
    """Opens a source and reads it on a thread of its own."""

    open: Callable[[], Source[T_co]]
    request: Request
    idle_seconds: float
    """Longest silence."""
    _things: queue.SimpleQueue[tuple[T_co | None, BaseException | None]] = field(default_factory=queue.SimpleQueue)
    _source: Source[T_co] | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    def __iter__(self) -> Iterator[T_co]:
        """The things of the source.

        Raises:
            Silence, CutShort: see there.
            whatever opening or reading the source raised.
        """
        threading.Thread(target=self._read, daemon=True, name="agentcore-endpoint").start()
        while True:
            thing, error = self._next()
            if error is not None:
                raise error
            if thing is None:
                return
            yield thing

    def close(self) -> None:
        """Stop reading; where more would have come the server sees the connection go."""
        if not self._over.is_set():
            self._over.set()
            if self._source is not None:
                self._source.abort()

    def _next(self) -> tuple[T_co | None, BaseException | None]:
        silent_since = time.monotonic()
        while True:
            if finish := cut_short(self.request):
                raise CutShort(finish)
            left = min(self.idle_seconds - (time.monotonic() - silent_since), LOOK_SECONDS)
            try:
                return self._things.get(timeout=max(0.0, min(left, self.request.deadline - time.monotonic())))
            except queue.Empty:
                if self._source is not None and self._source.complete:
                    return self._last()
                if time.monotonic() - silent_since >= self.idle_seconds:
                    raise Silence(f"nothing came for {self.idle_seconds:g} seconds") from None

    def _last(self) -> tuple[T_co | None, BaseException | None]:
        """What came since the queue was found empty; else the end of a source that does not end, which `close` cuts."""
        try:
            return self._things.get_nowait()
        except queue.Empty:
            return None, None

    def _read(self) -> None:
        try:
            self._source = self.open()
            if self._over.is_set():
                return
            for thing in self._source:
                if self._over.is_set():
                    break
                self._things.put((thing, None))
            self._over.set()
            self._things.put((None, None))
        except Exception as error:  # noqa: BLE001 - border: it is raised again on the thread that waits for it
            self._over.set()
            self._things.put((None, error))
        finally:
            if self._source is not None:
                self._source.close()
