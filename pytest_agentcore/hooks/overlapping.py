"""How many trials ran at the same time, from when each began and ended, in this process or in workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_agentcore.trial import TrialKey

SPAN = "agentcore_span"
"""Attribute of a report: when its trial began and ended, in seconds since 1970."""


class Spans:
    """When trials ran; may be used from several threads."""

    def __init__(self) -> None:
        self._spans: dict[TrialKey, tuple[float, float]] = {}

    @contextmanager
    def running(self, key: TrialKey) -> Iterator[None]:
        """While a trial runs in this process."""
        began = time.time()
        self._spans[key] = (began, float("inf"))
        try:
            yield
        finally:
            self._spans[key] = (began, time.time())

    def of(self, key: TrialKey) -> tuple[float, float] | None:
        """Begin and end of a trial; None where it is not known."""
        return self._spans.get(key)

    def take(self, key: TrialKey, began: float, ended: float) -> None:
        """Of a trial that a worker ran."""
        self._spans[key] = (began, ended)

    def most(self, label: str) -> int:
        """Trials that ran at the same time at most while one of the campaign did, whichever campaign's they were."""
        spans = list(self._spans.items())
        edges = [(at, step, key.model == label) for key, span in spans for at, step in zip(span, (1, -1), strict=True)]
        most, active, own = 0, 0, 0
        for _, step, mine in sorted(edges):  # at the same moment ends come first
            active, own = active + step, own + step * mine
            most = max(most, active if own else 0)
        return most
