"""The contract between a session and what carries its trials to workers: an engine here, a link there.

Orders and answers are bytes that `order` reads and writes. An engine looks into none of them, chooses nothing and runs
nothing twice: which worker gets which order, and what becomes of an order whose worker is lost, is the session's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Protocol

Take = Callable[[str, bytes], None]
"""Takes an order's name and a line that its worker told of it, from whatever thread; each worker's lines in order."""

AT_ONCE = 16
"""Orders that a worker takes at once where nobody says otherwise: how many trials it gets, the session decides."""


class Engine(Protocol):
    """Carries orders to workers and their answers back. What `pytest_agentcore_engine` gives for an address."""

    def workers(self) -> Mapping[str, int]:
        """How many orders each worker takes at once, by the names of those that are there now; often asked for.

        One that has been silent for some time is not among them until it is heard of again: it may be frozen.
        """

    def submit(self, worker: str, name: str, order: bytes) -> Future[bytes]:
        """Have the worker do `Worker.work(order, link)` once, and never another one in its place.

        The future raises WorkerLost once the worker is known to be gone, and whatever `work` raised there, which it
        does for no order of ours. A worker that is only silent may answer yet.
        """

    def stop(self, name: str) -> None:
        """Let the link of an order say that it is stopped; its answer is not waited for, its lines still come."""

    def close(self) -> None:
        """Let go of the workers, and end those that were started for this session."""


class Link(Protocol):
    """Leads from a worker to the session that an order is from; used from the order's own threads."""

    def tell(self, line: bytes) -> None:
        """Send a line, without waiting for anybody to hear it."""

    def stopped(self) -> bool:
        """Whether the order was stopped, or nobody waits for it any more; asked for five times a second."""
