"""Repeats requests that failed for a passing reason, and waits for a backend that went away."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pytest_agentcore.backends.base import Backend, Reply, Request, ToolCall
from pytest_agentcore.errors import AgentcoreError, BackendError, is_foreign
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import Usage

AWAY = frozenset({Cause.backend_unreachable, Cause.backend_overloaded})
"""Failures that time alone may mend: the backend is waited for, however many tries that takes."""


class Asker(Protocol):
    """A trial's session, or whoever else must know of failed tries."""

    def request_failed(self, number: int, error: BackendError, seconds: float, wait: float | None) -> None:
        """Called when a try failed after `seconds`; the next one follows in `wait`, or never if that is None."""

    def pause(self, seconds: float) -> None:
        """Called with time that went by and is not to be charged to the model."""


@dataclass(kw_only=True)
class Retries:
    """Limits on asking a backend again; one object for all trials of a campaign, on whatever thread they run."""

    reconnect_timeout: float = 300.0
    """Seconds that a backend which went away is waited for, counted from the first failure of a request."""
    tries: int = 4
    """Tries of a request that fails for another passing reason."""
    first_wait: float = 0.5
    """Seconds; each wait is twice as long as the one before."""
    longest_wait: float = 30.0
    jitter: random.Random = field(default_factory=random.Random)
    """Waits are spread over half to one and a half times their length, so that trials do not come back all at once."""
    given_up: bool = False
    """Whether the last wait was in vain: until a reply comes nobody waits that long again."""

    def ask(self, backend: Backend, request: Callable[[], Request], asker: Asker) -> Reply:
        """Get a reply to `request()`, which is made anew for each try since waiting moves the deadline.

        Raises:
            BackendError: no try got one.
        """
        number, gone_since = 0, float("inf")
        while True:
            began, asked = time.monotonic(), request()
            try:
                reply = _complete(backend, asked)
            except BackendError as error:
                number += 1
                failed = time.monotonic()
                gone_since = min(gone_since, failed)
                wait = self._wait(error, number, self.reconnect_timeout - (failed - gone_since))
                asker.request_failed(number, error, failed - began, wait)
                if wait is None:
                    raise
                asked.cancel.wait(wait)
                asker.pause(time.monotonic() - began)
            else:
                self.given_up = False
                return reply

    def _wait(self, error: BackendError, number: int, left: float) -> float | None:
        """Seconds before the next try; None where there is none."""
        if not error.transient:
            return None
        backoff = min(self.longest_wait, self.first_wait * 2.0 ** min(number - 1, 30))
        backoff *= self.jitter.uniform(0.5, 1.5)
        if error.cause not in AWAY:
            return backoff if number < self.tries else None
        if self.given_up or left <= 0 or (error.retry_after or 0) > left:
            self.given_up = True
            return None
        return min((error.retry_after or 0) + backoff, left)


def _complete(backend: Backend, request: Request) -> Reply:
    """One reply of a backend that anybody may have written.

    Raises:
        BackendError: it broke, or gave what is no reply.
    """
    try:
        reply: object = backend.complete(request)
    except AgentcoreError:
        raise
    except BaseException as error:
        if is_foreign(error):
            raise
        raise BackendError(f"backend {backend.name} broke: {type(error).__name__}: {error}") from error
    if isinstance(reply, Reply):
        # what is read of every reply has the types that it should
        texts: tuple[object, ...] = (reply.text, reply.content, reply.reasoning, *reply.problems, *reply.repairs)
        calls = all(isinstance(call, ToolCall) and isinstance(call.arguments, Mapping) for call in reply.tool_calls)
        if calls and isinstance(reply.usage, Usage) and all(isinstance(text, str) for text in texts):
            return reply
    raise BackendError(f"backend {backend.name} gave {reply!r:.200}, which is no reply")
