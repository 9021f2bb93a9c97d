"""Whoever runs trials keeps the same promises: every executor, over jobs that do nothing but wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_agentcore.runner import Finished, Job
from pytest_agentcore.session.parallel import Executor, InProcess, OnTurn
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialKey


def job(run: int, label: str = "one") -> Job:
    return cast("Job", SimpleNamespace(key=TrialKey(label, "task", run)))


class Work:
    """Runs a job until it is let go or cut off, and tells which thread did."""

    def __init__(self) -> None:
        self.began: list[TrialKey] = []
        self.threads: set[threading.Thread] = set()
        self.closed: list[TrialKey] = []
        self.go_on = threading.Event()

    def __call__(self, job: Job, cancel: threading.Event, on_turn: OnTurn) -> Finished:
        self.began.append(job.key)
        self.threads.add(threading.current_thread())
        on_turn(job.key, 1)
        while not (cancel.is_set() or self.go_on.is_set()):
            cancel.wait(0.01)
        stop = StopReason.interrupted if cancel.is_set() else StopReason.final_answer
        folders = ExitStack()
        folders.callback(self.closed.append, job.key)
        made = SimpleNamespace(job=job, attempt=SimpleNamespace(stop_reason=stop), close=folders.close)
        return cast("Finished", made)


Make = Callable[[Work, OnTurn], Executor]


def silent(_key: TrialKey, _turn: int) -> None:
    pass


@pytest.fixture(params=[1, 2], ids=["serial", "ahead"])
def make(request: pytest.FixtureRequest) -> Make:
    return lambda run, on_turn: InProcess(run, on_turn, request.param)


def test_each_result_is_that_of_its_job_whether_it_was_submitted_or_not(make: Make) -> None:
    work = Work()
    work.go_on.set()
    executor = make(work, silent)
    executor.submit([job(1), job(2), job(3)])
    for run in (2, 1, 3, 4):
        finished = executor.result(job(run))
        assert finished.job.key.run == run
        executor.release(finished)
    assert not executor.abandon()
    assert sorted(work.closed) == [job(run).key for run in (1, 2, 3, 4)]
    assert len(work.began) == 4


def test_a_result_that_is_asked_for_again_is_made_again(make: Make) -> None:
    work = Work()
    work.go_on.set()
    executor = make(work, silent)
    executor.submit([job(1)])
    first, second = executor.result(job(1)), executor.result(job(1))
    executor.abandon()
    assert first is not second


def test_turns_are_told_by_the_thread_that_asks(make: Make) -> None:
    work, told = Work(), []

    def on_turn(key: TrialKey, turn: int) -> None:
        told.append((key, turn, threading.current_thread()))
        work.go_on.set()

    executor = make(work, on_turn)
    executor.submit([job(1)])
    executor.result(job(1))
    executor.abandon()
    assert told == [(job(1).key, 1, threading.main_thread())]


def test_nothing_runs_before_it_is_asked_for_one_at_a_time() -> None:
    work = Work()
    executor = InProcess(work, silent, 1)
    executor.submit([job(1)])
    assert not executor.abandon()
    assert work.began == []


def test_what_was_begun_and_not_asked_for_comes_back_cut_off_and_the_rest_never_began() -> None:
    work = Work()
    executor = InProcess(work, silent, 2)
    executor.submit([job(run) for run in range(1, 9)])
    while len(work.began) < 2:
        work.go_on.wait(0.01)
    left = executor.abandon()
    assert [finished.job.key.run for finished in left] == [1, 2]
    assert {finished.attempt.stop_reason for finished in left} == {StopReason.interrupted}
    assert threading.main_thread() not in work.threads
    executor.submit([job(9)])  # it can be used again
    work.go_on.set()
    assert executor.result(job(9)).attempt.stop_reason is StopReason.final_answer
    executor.abandon()


@pytest.mark.parametrize("at", [2, 3], ids=["taken by a thread", "waiting for one"])
def test_what_was_queued_when_the_session_was_interrupted_is_ended_too(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C may come after a job was queued and before anybody holds its future."""
    work = Work()
    executor = InProcess(work, silent, 2)
    queue = ThreadPoolExecutor.submit

    def interrupted(pool: ThreadPoolExecutor, run: Callable[..., Any], made: Job, *rest: Any) -> Future[Any]:
        future = queue(pool, run, made, *rest)
        if made.key.run == at:
            raise KeyboardInterrupt
        return future

    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        executor.submit([job(run) for run in range(1, 6)])
    executor.abandon()
    assert not any(thread.is_alive() for thread in work.threads)
    assert {key.run for key in work.began} <= {1, 2}


def test_a_campaign_that_is_cancelled_takes_no_other_along() -> None:
    work = Work()
    executor = InProcess(work, silent, 2)
    executor.submit([job(1, "one"), job(1, "other"), job(2, "one")])
    while len(work.began) < 2:
        work.go_on.wait(0.01)
    executor.cancel("one")
    work.go_on.set()
    assert executor.result(job(1, "other")).attempt.stop_reason is StopReason.final_answer
    assert [finished.job.key for finished in executor.abandon()] == [job(1, "one").key]


def test_what_a_trial_raises_is_raised_where_it_is_asked_for(make: Make) -> None:
    def break_down(*_: Any) -> Finished:
        raise TimeoutError("its own")

    executor = make(cast("Work", break_down), silent)
    executor.submit([job(1)])
    with pytest.raises(TimeoutError, match="its own"):
        executor.result(job(1))
    assert not executor.abandon()
