"""Executors run trials: one after the other, or several at a time ahead of their tests.

Tests keep their order either way: each asks for its own trial and waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

import pytest

from pytest_agentcore.errors import is_foreign
from pytest_agentcore.runner import Finished, Job
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialKey

OnTurn = Callable[[TrialKey, int], None]
"""Told which turn of a trial begins."""
Run = Callable[[Job, threading.Event, OnTurn], Finished]
"""Runs a trial here and now; the event, once set, ends it at its next token."""


class Executor(Protocol):
    """Runs trials. Nothing above it knows on which threads, or on which machine."""

    at_once: int
    """How many trials may run at the same time. Set while nothing is submitted."""

    def submit(self, jobs: Iterable[Job]) -> None:
        """Trials that are going to be asked for, in this order; an executor may begin them at once."""

    def result(self, job: Job) -> Finished:
        """The trial, finished: waited for, or run now where it was not submitted.

        Raises:
            KeyboardInterrupt, or another foreign signal: it was stopped, and nothing of it is worth keeping.
        """

    def cancel(self, label: str) -> None:
        """End the campaign's submitted trials at their next token, and begin no more of them."""

    def release(self, finished: Finished) -> None:
        """Remove the folders of a trial that has its verdict."""

    def abandon(self) -> Collection[Finished]:
        """End every submitted trial that was not asked for; those that had begun come back, cut off or complete."""


LOOK_SECONDS = 0.2
"""How often the one that waits shows how far the trials are."""


class InProcess:
    """Runs trials in this process: some at a time on threads, in the order in which they were submitted.

    Where it is one at a time nothing runs ahead: each runs when it is asked for, in the thread that asks.
    """

    def __init__(self, run: Run, on_turn: OnTurn, at_once: int = 1, least: int = 1) -> None:
        """Run at most so many at a time by `run`; `on_turn` is told by the thread that asks for results alone.

        There are at least as many threads as `least`, for trials that only wait in theirs while they run elsewhere;
        `run` raises CancelledError for one that was cancelled before it had begun.
        """
        self._run, self._on_turn, self.at_once, self._least = run, on_turn, at_once, least
        self._turns: SimpleQueue[tuple[TrialKey, int]] = SimpleQueue()
        self._pool: ThreadPoolExecutor | None = None
        # removing folders takes longer than judging: it is done while the next trial is judged
        self._cleaner: ThreadPoolExecutor | None = None
        self._cancels: dict[TrialKey, threading.Event] = {}
        self._submitted: dict[TrialKey, Future[Finished]] = {}

    def submit(self, jobs: Iterable[Job]) -> None:
        """Queue them; the first begin at once."""
        if (threads := max(self.at_once, self._least)) == 1:
            return
        self._pool = self._pool or ThreadPoolExecutor(threads, thread_name_prefix="agentcore-trial")
        self._cleaner = self._cleaner or ThreadPoolExecutor(1, thread_name_prefix="agentcore-cleaner")

        def note(key: TrialKey, turn: int) -> None:  # for the thread that waits: no other may write to the terminal
            self._turns.put((key, turn))

        for job in jobs:
            # known before it is queued: Ctrl-C may come in between, and what nobody can end would run on for ever
            cancel = self._cancels[job.key] = threading.Event()
            self._submitted[job.key] = self._pool.submit(self._run, job, cancel, note)

    def result(self, job: Job) -> Finished:
        """Wait for it, showing how far the others are; what was not submitted runs in the thread that asks."""
        if job.key not in self._submitted:
            return self._run(job, threading.Event(), self._on_turn)
        future = self._submitted[job.key]
        last = None  # of the turns that began, of whichever trial
        try:
            while not future.done():
                if wait([future], LOOK_SECONDS).not_done:
                    with suppress(Empty):
                        while True:
                            last = self._turns.get_nowait()
                    if last:
                        self._on_turn(*last)
        except BaseException as error:
            if not is_foreign(error):
                raise
            ends_all = isinstance(error, KeyboardInterrupt | pytest.exit.Exception)
            self._cancel(self._submitted if ends_all else [job.key])
            if future.cancelled() or isinstance(future.exception(), CancelledError):
                del self._submitted[job.key]
                raise
            # cut off it is recorded as interrupted; complete it is discarded where nobody looks at it any more
            future.result().signal = error
            if ends_all and future.result().attempt.stop_reason is not StopReason.interrupted:
                raise
        finished = future.result()
        del self._submitted[job.key]
        return finished

    def cancel(self, label: str) -> None:
        """Those that wait in the queue are taken out of it."""
        self._cancel([key for key in self._submitted if key.model == label])

    def release(self, finished: Finished) -> None:
        """Remove them, on a thread of its own where trials have theirs."""
        if self._cleaner:
            self._cleaner.submit(finished.close)
        else:
            finished.close()

    def abandon(self) -> Collection[Finished]:
        """Wait until all threads are done."""
        self._cancel(self._cancels)
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._cleaner:
            self._cleaner.shutdown(wait=True)
        self._pool = self._cleaner = None
        futures = [future for future in self._submitted.values() if not future.cancelled()]
        self._submitted.clear()
        self._cancels.clear()
        return [future.result() for future in futures if future.exception() is None]

    def _cancel(self, keys: Iterable[TrialKey]) -> None:
        for key in keys:
            self._cancels[key].set()
            if key in self._submitted:
                self._submitted[key].cancel()
