"""How long a campaign bears with a backend."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator
from typing import Any, cast

import pytest
from backends.conformance import request

from pytest_agentcore.agent.retries import Retries
from pytest_agentcore.agent.session import Session
from pytest_agentcore.backends.base import Reply, Request
from pytest_agentcore.backends.scripted import ScriptedBackend
from pytest_agentcore.errors import BackendError
from pytest_agentcore.trial.modes import Cause


class Log:
    """What a session is told."""

    def __init__(self) -> None:
        self.failed: list[tuple[int, Cause, float | None]] = []
        self.paused = 0.0

    def request_failed(self, number: int, error: BackendError, seconds: float, wait: float | None) -> None:
        self.failed.append((number, error.cause, wait))

    def pause(self, seconds: float) -> None:
        self.paused += seconds


def failing(errors: Iterable[BackendError]) -> ScriptedBackend:
    """Raises the errors one after the other, then answers."""
    left: Iterator[BackendError] = iter(errors)

    def answer(_request: Request) -> str:
        for error in left:
            raise error
        return "so"

    return ScriptedBackend(answer)


def ask(retries: Retries, errors: Iterable[BackendError], log: Log, **changes: Any) -> Reply:
    return retries.ask(failing(errors), lambda: request(**changes), cast("Session", log))


def away(retry_after: float | None = None) -> BackendError:
    return BackendError("away", Cause.backend_unreachable, transient=True, retry_after=retry_after)


def quick(**changes: Any) -> Retries:
    return Retries(**{"first_wait": 0.001, "longest_wait": 0.004, "jitter": random.Random(1), **changes})


def test_waits_double_are_spread_and_end_at_the_longest() -> None:
    log = Log()
    assert ask(quick(), [away()] * 8, log).text == "so"
    waits = [wait or 0.0 for _, _, wait in log.failed]
    for number, wait in enumerate(waits):
        middle = min(0.004, 0.001 * 2**number)
        assert 0.5 * middle <= wait <= 1.5 * middle
    assert len(set(waits)) == 8
    assert log.paused >= sum(waits)


def test_an_error_of_the_backend_itself_is_tried_so_often() -> None:
    log = Log()
    with pytest.raises(BackendError, match="broken"):
        ask(quick(tries=3), [BackendError("broken", transient=True)] * 9, log)
    assert [(number, wait is None) for number, _, wait in log.failed] == [(1, False), (2, False), (3, True)]


def test_what_cannot_pass_is_not_tried_again() -> None:
    log = Log()
    with pytest.raises(BackendError):
        ask(quick(), [BackendError("no", Cause.backend_refused)], log)
    assert log.failed == [(1, Cause.backend_refused, None)]


def test_after_a_wait_in_vain_nobody_waits_until_a_reply_comes() -> None:
    retries = quick(reconnect_timeout=0.02)
    first, second, third, fourth = Log(), Log(), Log(), Log()
    with pytest.raises(BackendError):
        ask(retries, (away() for _ in range(10_000)), first)
    *waited, last = [wait for _, _, wait in first.failed]
    assert waited
    assert None not in waited
    assert last is None
    with pytest.raises(BackendError):
        ask(retries, [away()] * 2, second)
    assert [wait for _, _, wait in second.failed] == [None]
    ask(retries, [], third)
    ask(retries, [away()], fourth)
    assert [wait is None for _, _, wait in fourth.failed] == [False]


def test_a_server_that_asks_for_longer_than_it_is_waited_for() -> None:
    log = Log()
    with pytest.raises(BackendError):
        ask(quick(reconnect_timeout=5.0), [away(retry_after=6.0)], log)
    assert [wait for _, _, wait in log.failed] == [None]


def test_cancel_ends_a_wait() -> None:
    cancel = threading.Event()
    threading.Timer(0.05, cancel.set).start()
    assert ask(quick(), [away(retry_after=60.0)], Log(), cancel=cancel).finish.value == "cancelled"


def test_nobody_comes_back_sooner_than_asked_nor_all_at_once() -> None:
    log = Log()
    ask(quick(), [away(retry_after=0.01)] * 4, log)
    waits = [wait or 0.0 for _, _, wait in log.failed]
    assert min(waits) > 0.01
    assert len(set(waits)) == 4


def test_retry_after_nothing_does_not_mean_without_a_wait() -> None:
    log = Log()
    ask(quick(), [away(retry_after=0.0)] * 4, log)
    assert all(wait and wait >= 0.5 * 0.001 * 2 ** min(number, 2) for number, (_, _, wait) in enumerate(log.failed))
