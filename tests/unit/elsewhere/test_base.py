"""Every engine keeps the same promises, and the one worker function gives the same on each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from elsewhere.orders import Heard, Laid, look, trial
from elsewhere.processes import Processes
from pytest_agentcore import hookspecs
from pytest_agentcore.elsewhere.base import Engine
from pytest_agentcore.elsewhere.order import unwrap


def threads(heard: Heard) -> Engine:
    """The engine of the hook's own example."""
    names: dict[str, Any] = {}
    recipe = str(hookspecs.pytest_agentcore_engine.__doc__).partition("# conftest.py\n")[2]
    exec("\n".join(line[8:] for line in recipe.splitlines()), names)
    engine: Engine = names["pytest_agentcore_engine"](None, "threads", 2, heard)
    return engine


@pytest.fixture(scope="module")
def dask_address() -> Iterator[str]:
    pytest.importorskip("distributed")
    from pytest_agentcore.elsewhere.dask import start_here  # noqa: PLC0415 - optional

    with start_here([], 2, 2) as cluster:
        yield cluster.scheduler_address.replace("tcp://", "dask://")


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(params=["threads", "processes", "dask"])
def engine(request: pytest.FixtureRequest, heard: Heard) -> Iterator[Engine]:
    if request.param == "threads":
        made = threads(heard)
    elif request.param == "processes":
        made = Processes(heard)
    else:
        address = request.getfixturevalue("dask_address")
        from pytest_agentcore.elsewhere.dask import Dask  # noqa: PLC0415 - optional

        made = Dask(address, heard, 2)
    yield made
    made.close()


def test_an_order_gives_the_same_events_and_the_same_workspace_on_every_engine(
    engine: Engine, heard: Heard, laid: Laid
) -> None:
    (worker, *_) = engine.workers()
    shown, _ = unwrap(engine.submit(worker, "look", look(laid)).result(60))
    assert shown["backend"]["name"] == "oracle"
    header, archive = unwrap(engine.submit(worker, "one", trial(laid, "one")).result(60))
    kinds = [event["event"] for event in header["events"]]
    assert kinds == ["start", "tool_result", "end"]
    assert (header["failure"], header["events"][0]["number"]) == (None, 1)
    assert archive.startswith(b"\x1f\x8b")
    heard.wait_for("one", 3)
    told = [json.loads(line) for line in heard.lines["one"]]
    assert [(one["n"], one["event"]) for one in told] == list(enumerate(header["events"]))
    assert {one["begun"] for one in told} == {header["begun"]}


def test_several_orders_are_done_at_once_and_a_stopped_one_ends_at_once(
    engine: Engine, heard: Heard, laid_slow: Laid
) -> None:
    (worker, *_) = engine.workers()
    engine.submit(worker, "look", look(laid_slow)).result(60)
    for name in ("slow", "other"):
        engine.submit(worker, name, trial(laid_slow, name))
        heard.wait_for(name, 1)  # both have begun
    for name in ("slow", "other"):
        engine.stop(name)
        assert json.loads(heard.wait_for(name, 3)[-1])["event"]["stop_reason"] == "interrupted"


def test_a_worker_says_what_it_was_never_shown(engine: Engine, laid: Laid) -> None:
    (worker, *_) = engine.workers()
    header, _ = unwrap(engine.submit(worker, "early", trial(laid, "early", of="0" * 64)).result(60))
    assert header["refused"].startswith("this worker was not shown the model")
