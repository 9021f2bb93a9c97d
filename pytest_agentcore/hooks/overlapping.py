"""How many trials ran at the same time, from when each began and ended, in this process or in workers."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import inf

from pytest_agentcore.trial import TrialKey

SPAN = "agentcore_span"
"""Attribute of a report: when its trial began and ended, in seconds since 1970."""


class Spans:
    """When trials ran; may be used from several threads. What a trial adds costs no more when thousands went before."""

    def __init__(self) -> None:
        self._spans: dict[TrialKey, tuple[float, float]] = {}
        self._going: set[TrialKey] = set()
        self._ended: list[tuple[float, float, str]] = []
        """End, begin and label of each trial that a worker ran, by their ends."""
        self._most: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def running(self, key: TrialKey) -> Iterator[None]:
        """While a trial runs in this process."""
        began = time.time()
        with self._lock:
            self._going.add(key)
            self._note({other.model for other in self._going}, len(self._going))
        try:
            yield
        finally:
            with self._lock:
                self._going.discard(key)
                self._spans[key] = (began, time.time())

    def of(self, key: TrialKey) -> tuple[float, float] | None:
        """Begin and end of a trial; None where it is not known."""
        return self._spans.get(key)

    def take(self, key: TrialKey, began: float, ended: float) -> None:
        """Of a trial that a worker ran; one of this process is known already."""
        with self._lock:
            if self._spans.get(key) == (began, ended):
                return
            self._spans[key] = (began, ended)
            later = self._ended[bisect_right(self._ended, (began, inf, "")) :]
            self._sweep([(ended, began, key.model), *(span for span in later if span[1] < ended)])
            insort(self._ended, (ended, began, key.model))

    def most(self, label: str) -> int:
        """Trials that ran at the same time at most while one of the campaign did, whichever campaign's they were."""
        return self._most[label]

    def _sweep(self, spans: Iterable[tuple[float, float, str]]) -> None:
        edges = [(at, step, label) for end, begin, label in spans for at, step in ((begin, 1), (end, -1))]
        active: Counter[str] = Counter()
        for _, step, label in sorted(edges):  # at the same moment ends come first
            active[label] += step
            self._note({name for name, count in active.items() if count}, active.total())

    def _note(self, labels: Iterable[str], at_once: int) -> None:
        for label in labels:
            self._most[label] = max(self._most[label], at_once)
