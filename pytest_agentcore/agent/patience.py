"""Asks again: a request that failed for a passing reason is repeated later, and a lost backend is waited for."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from pytest_agentcore.errors import BackendError
from pytest_agentcore.models.base import Backend, Reply, Request
from pytest_agentcore.verdict.modes import Cause

AWAY = frozenset({Cause.backend_unreachable, Cause.backend_overloaded})
"""What time alone may mend: such a backend is waited for."""


class Asker(Protocol):
    """Who asks: a trial's session, or whoever else must know of failed tries."""

    def request_failed(self, number: int, error: BackendError, seconds: float, wait: float | None) -> None:
        """A try failed after `seconds`; the next one follows in `wait`, None: there is none."""

    def pause(self, seconds: float) -> None:
        """So much time went by that is not the asker's."""


@dataclass(kw_only=True)
class Patience:
    """How a campaign bears with its backend; one for all its trials, from whatever thread they ask."""

    reconnect_timeout: float = 300.0
    """Seconds that a backend which went away is waited for, counted from the first failure of a request."""
    tries: int = 4
    """Of a request that fails for another passing reason."""
    first_wait: float = 0.5
    """Seconds; each wait is twice as long as the one before."""
    longest_wait: float = 30.0
    jitter: random.Random = field(default_factory=random.Random)
    """Waits are spread over half to one and a half times their length, so that trials do not come back all at once."""
    given_up: bool = False
    """Whether the last wait was in vain: until a reply comes nobody waits that long again."""

    def ask(self, backend: Backend, request: Callable[[], Request], session: Asker) -> Reply:
        """A reply to `request()`, made anew for each try since waiting moves the deadline.

        Raises:
            BackendError: none was to be had.
        """
        number, gone_since = 0, float("inf")
        while True:
            began, asked = time.monotonic(), request()
            try:
                reply = backend.complete(asked)
            except BackendError as error:
                number += 1
                failed = time.monotonic()
                gone_since = min(gone_since, failed)
                wait = self._wait(error, number, self.reconnect_timeout - (failed - gone_since))
                session.request_failed(number, error, failed - began, wait)
                if wait is None:
                    raise
                asked.cancel.wait(wait)
                session.pause(time.monotonic() - began)
            else:
                self.given_up = False
                return reply

    def _wait(self, error: BackendError, number: int, left: float) -> float | None:
        """Seconds before the next try; None: there is none."""
        if not error.transient:
            return None
        backoff: float = min(self.longest_wait, self.first_wait * 2 ** min(number - 1, 30)) * self.jitter.uniform(
            0.5, 1.5
        )
        if error.cause not in AWAY:
            return backoff if number < self.tries else None
        if self.given_up or left <= 0 or (error.retry_after or 0) > left:
            self.given_up = True
            return None
        return min((error.retry_after or 0) + backoff, left)
