"""Trials in parallel: started ahead of their tests, some at a time, while the items keep their order.

The `trial` fixture only waits here for its own. What was started and is not going to be asked for, because the session
ends, is cut off at its next token and counts as not run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue

import pytest

from pytest_agentcore.errors import RecordError, UsageError
from pytest_agentcore.runner import Finished
from pytest_agentcore.session.items import key_of
from pytest_agentcore.session.trials import Running
from pytest_agentcore.setup import Setup
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialKey

LOOK_SECONDS = 0.2
"""How often the one that waits shows how far the trials are."""
REASON = "started ahead of its test, which did not come: the session ended first"


class Ahead:
    """Runs the trials of the loaded model on threads, in the order of the plan. Main process only."""

    def __init__(self, running: Running, most: int) -> None:
        """Take over from `running`, which then asks here for finished trials."""
        self._running, self._most = running, most
        self._show, running.on_turn = running.on_turn, self._note
        running.at_once = running.conversations = most
        running.take, running.leave, running.dispose = self.take, self.leave, self._dispose
        self._turns: SimpleQueue[tuple[TrialKey, int]] = SimpleQueue()
        self._plan: list[pytest.Item] = []
        self._pool: ThreadPoolExecutor | None = None
        self._cleaner: ThreadPoolExecutor | None = None
        """Removes folders, which takes longer than judging, while the next trial is judged."""
        self._started: dict[str, Future[Finished | None]] = {}
        """By node id; what is taken leaves."""
        self._asked: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The plan is what is left after deselection; what may be skipped waits for its turn."""
        self._plan = [item for item in session.items if key_of(item) and not _may_be_skipped(item)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Nobody is going to ask for what is left."""
        self.leave()

    def take(self, item: pytest.Item) -> Finished | None:
        """The finished trial of an item, waited for; None where it was not started ahead.

        Raises:
            KeyboardInterrupt: after the trial that was waited for has been cut off.
        """
        if self._pool is None:
            self._start(item)
        self._asked.add(item.nodeid)
        future = self._started.get(item.nodeid)
        if future is None:
            return None
        try:
            finished = self._wait(future)
        except KeyboardInterrupt:
            self._cancel()
            finished = future.result()
            if finished is None or finished.attempt.stop_reason is not StopReason.interrupted:
                raise  # it was complete, and nobody looks at it any more
        del self._started[item.nodeid]
        return finished

    def leave(self) -> None:
        """End all that was started and not taken, before the model is closed."""
        if self._pool is None:
            return
        self._cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None
        for future in self._started.values():
            if not future.cancelled() and future.exception() is None and (finished := future.result()):
                self._running.discard(finished, REASON)
        self._started.clear()
        if self._cleaner:
            self._cleaner.shutdown(wait=True)
            self._cleaner = None

    def _start(self, item: pytest.Item) -> None:
        """Hand the rest of this model's trials to a pool, which begins them in order."""
        self._pool = ThreadPoolExecutor(self._most, thread_name_prefix="agentcore-trial")
        self._cleaner = ThreadPoolExecutor(1, thread_name_prefix="agentcore-cleaner")
        setup = self._setup(item)
        for other in self._plan:
            known = other.nodeid in self._asked or key_of(other) in self._running.recorded
            if not known and self._setup(other).same_model(setup):
                self._started[other.nodeid] = self._pool.submit(self._run, other)

    def _run(self, item: pytest.Item) -> Finished | None:
        key = key_of(item)
        assert key is not None
        if self._running.cancels[key.model].is_set():
            return None
        finished = self._running.run(item)
        try:
            self._running.keep(finished)
        except RecordError:
            finished.close()
            raise
        return finished

    def _wait(self, future: Future[Finished | None]) -> Finished | None:
        while True:
            try:
                return future.result(timeout=LOOK_SECONDS)
            except TimeoutError:
                if future.done():
                    return future.result()
                self._show_turns()

    def _note(self, key: TrialKey, turn: int) -> None:
        """Only the main thread may write to the terminal."""
        if threading.current_thread() is threading.main_thread():
            self._show(key, turn)
        else:
            self._turns.put((key, turn))

    def _show_turns(self) -> None:
        """The last turn that began, of whichever trial."""
        last = None
        while True:
            try:
                last = self._turns.get_nowait()
            except Empty:
                break
        if last:
            self._show(*last)

    def _cancel(self) -> None:
        for item in self._plan:
            if item.nodeid in self._started:
                key = key_of(item)
                assert key is not None
                self._running.stop(key.model)

    def _dispose(self, finished: Finished) -> None:
        if self._cleaner:
            self._cleaner.submit(finished.close)
        else:
            finished.close()

    def _setup(self, item: pytest.Item) -> Setup:
        key = key_of(item)
        assert key is not None
        return self._running.setups[key.model]


def refuse_too_many(setups: Mapping[str, Setup], most: int) -> None:
    """Raise UsageError where trials are asked for at the same time of a model that is loaded in this process."""
    for setup in setups.values():
        if most > 1 and setup.entry.backend == "llama_cpp":
            raise UsageError(
                f"--agentcore-parallel {most}: {setup.slug} runs in this process and takes one conversation at a time; "
                "leave the option out, or serve the model and give --agentcore-base-url"
            )


def processes(config: pytest.Config) -> int:
    """Workers of pytest-xdist; 0 without."""
    if not config.pluginmanager.has_plugin("xdist") or config.getoption("dist", "no") == "no":
        return 0
    return config.getoption("numprocesses", None) or len(config.getoption("tx", None) or ()) or 1


def _may_be_skipped(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("skip", "skipif"))
