"""What every backend owes the agent loop. A test module subclasses `Conformance` and gives a `backend` fixture.

The backend under test has a context of at most 1024 tokens. What a model samples is another thing on every machine, so
nothing here rests on it: where a reply must be long, or must end, seeds are tried until one is; where a call must be
complete, its grammar is finite. AGENTCORE_TEST_SEED moves all seeds.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_agentcore.backends.base import MIN_ROOM, Backend, FinishReason, Message, Reply, Request
from pytest_agentcore.catalogue.entry import Policy, Sampling
from pytest_agentcore.errors import EndOfTrial
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialKey

READ = ToolSpec(
    name="fs_read",
    description="Read a text file.",
    parameters={
        "type": "object",
        "properties": {"path": {"type": "string"}},
        "required": ["path"],
        "additionalProperties": False,
    },
)
CHOOSE = replace(
    READ,
    parameters={
        "type": "object",
        "properties": {"path": {"enum": ["notes.txt", "todo.txt"]}},
        "required": ["path"],
        "additionalProperties": False,
    },
)
"""The same tool with a finite grammar: a constrained call of it always comes to its end."""
SEED = int(os.environ.get("AGENTCORE_TEST_SEED", "7"))
SEEDS = range(SEED, SEED + 20)
LONG_QUESTION = "Count slowly from one to one hundred, in words, and write nothing else."


def request(question: str = LONG_QUESTION, /, **changes: Any) -> Request:
    """A first request; every value can be changed."""
    values: dict[str, Any] = {
        "trial": TrialKey("model", "task_01", 1),
        "turn": 1,
        "messages": (Message(role="system", content="You are an agent."), Message(role="user", content=question)),
        "tools": (READ,),
        "sampling": Sampling(temperature=0.8, top_p=0.95),
        "seed": SEED,
        "max_reply_tokens": 24,
    }
    return Request(**(values | changes))


def following(asked: Request, reply: Reply, *said: Message, **changes: Any) -> Request:
    """The next request of the same trial."""
    answer = Message(
        role="assistant", content=reply.content, reasoning=reply.reasoning, tool_calls=tuple(reply.tool_calls)
    )
    values: dict[str, Any] = {
        "trial": asked.trial,
        "turn": asked.turn + 1,
        "messages": (*asked.messages, answer, *said),
        "max_reply_tokens": asked.max_reply_tokens,
        "policy": asked.policy,
    }
    return request(**(values | changes))


class Watch:
    """Remembers the pieces of a reply; stops it at the n-th, or does something there."""

    def __init__(self, stop_at: int = 0, then: Callable[[], object] | None = None) -> None:
        self.pieces: list[str] = []
        self._stop_at, self._then = stop_at, then

    def __call__(self, piece: str) -> bool:
        self.pieces.append(piece)
        reached = len(self.pieces) == self._stop_at
        if reached and self._then:
            self._then()
        return reached and self._then is None


def long_reply(
    backend: Backend, pieces: int, *, stop_at: int = 0, then: Callable[[], object] | None = None, **changes: Any
) -> tuple[Reply, Watch]:
    """A reply of at least so many pieces."""
    for seed in SEEDS:
        watch = Watch(stop_at, then)
        reply = backend.complete(request(watch=watch, seed=seed, **changes))
        if len(watch.pieces) >= pieces:
            return reply, watch
    raise AssertionError(f"no reply of {len(SEEDS)} had {pieces} pieces")


def ended_reply(backend: Backend, asked: Request) -> Reply:
    """A reply that came to its own end."""
    replies = (backend.complete(replace(asked, seed=seed)) for seed in SEEDS)
    return next(reply for reply in replies if reply.finish is FinishReason.stop)


class Conformance:
    """The suite."""

    counts_tokens = True
    """Whether replies are counted in tokens, and not in the pieces that come of them."""

    def test_a_reply_keeps_to_the_protocol(self, backend: Backend) -> None:
        reply = backend.complete(request())
        assert reply.finish in FinishReason
        assert reply.seconds >= 0
        assert all(isinstance(token, int) for token in reply.token_ids)
        assert len(reply.token_ids) in (0, reply.usage.reply_tokens)
        assert not (reply.resembles and reply.tool_calls)

    def test_the_ceiling_of_a_reply_holds(self, backend: Backend) -> None:
        replies = (backend.complete(request(max_reply_tokens=5, seed=seed)) for seed in SEEDS)
        reply = next(reply for reply in replies if reply.finish is not FinishReason.stop)
        assert reply.finish is FinishReason.length
        assert 0 < reply.usage.reply_tokens <= 5
        if self.counts_tokens:
            assert reply.usage.reply_tokens == 5

    def test_watch_sees_all_of_the_text(self, backend: Backend) -> None:
        reply, watch = long_reply(backend, 6)
        assert "".join(watch.pieces) == reply.text

    def test_watch_stops_the_reply(self, backend: Backend) -> None:
        reply, watch = long_reply(backend, 3, stop_at=3)
        assert reply.finish is FinishReason.watch
        assert len(watch.pieces) == 3
        assert reply.text == "".join(watch.pieces)

    def test_cancel_stops_the_reply_at_once(self, backend: Backend) -> None:
        cancel = threading.Event()
        reply, watch = long_reply(backend, 3, stop_at=3, then=cancel.set, cancel=cancel)
        assert reply.finish is FinishReason.cancelled
        assert len(watch.pieces) == 3

    def test_a_cancelled_request_says_nothing(self, backend: Backend) -> None:
        cancel = threading.Event()
        cancel.set()
        reply = backend.complete(request(cancel=cancel))
        assert (reply.finish, reply.text) == (FinishReason.cancelled, "")

    def test_a_request_behind_its_deadline_says_nothing(self, backend: Backend) -> None:
        reply = backend.complete(request(deadline=time.monotonic() - 1))
        assert (reply.finish, reply.text) == (FinishReason.deadline, "")

    def test_a_deadline_cuts_the_reply_off(self, backend: Backend) -> None:
        backend.complete(request(max_reply_tokens=1))
        replies = (self._reply_until(time.monotonic() + 0.5, backend, seed) for seed in SEEDS)
        assert next(reply for reply in replies if reply.finish is not FinishReason.stop).finish is FinishReason.deadline

    def _reply_until(self, deadline: float, backend: Backend, seed: int) -> Reply:
        watch = Watch(stop_at=2, then=lambda: time.sleep(max(0.0, deadline - time.monotonic()) + 0.01))
        return backend.complete(request(deadline=deadline, watch=watch, seed=seed))

    def test_a_full_context_ends_the_trial(self, backend: Backend) -> None:
        with pytest.raises(EndOfTrial) as caught:
            backend.complete(request("word " * 3000))
        assert caught.value.stop_reason is StopReason.context_overflow
        assert caught.value.detail

    def test_the_prefix_is_cached(self, backend: Backend) -> None:
        asked = request()
        first = backend.complete(asked)
        second = backend.complete(following(asked, first, Message(role="user", content="Go on.")))
        held = first.usage.prompt_tokens + first.usage.reply_tokens
        assert first.usage.cached_tokens <= first.usage.prompt_tokens
        # of a reply that was cut off, another text is given back than was sampled: all before it is held in any case,
        # but for the token that may be merged with the reply's first
        assert first.usage.prompt_tokens - 1 <= second.usage.cached_tokens <= held < second.usage.prompt_tokens

    def test_the_same_seed_gives_the_same_reply_whatever_ran_before(self, backend: Backend) -> None:
        first = backend.complete(request())
        backend.complete(request("Something else entirely?", trial=TrialKey("model", "task_02", 1), seed=3))
        again = backend.complete(request())
        assert (again.text, again.token_ids) == (first.text, first.token_ids)

    def test_a_trial_that_starts_over_forgets_its_history(self, backend: Backend) -> None:
        asked = request()
        first = backend.complete(asked)
        backend.complete(following(asked, first, Message(role="user", content="Go on.")))
        again = backend.complete(asked)
        assert (again.text, again.usage.prompt_tokens) == (first.text, first.usage.prompt_tokens)

    def test_constrained_replies_are_calls_of_the_tools(self, backend: Backend) -> None:
        asked = request("Read notes.txt.", policy=Policy.constrained, tools=(CHOOSE,), max_reply_tokens=400)
        reply = backend.complete(asked)
        assert reply.problems == ()
        (call,) = reply.tool_calls
        assert (call.id, call.name) == ("call_1_1", "fs_read")
        assert call.arguments.keys() == {"path"}
        assert isinstance(call.arguments["path"], str)

    def test_constrained_replies_end_through_finish_or_call_again(self, backend: Backend) -> None:
        asked = request("Read notes.txt.", policy=Policy.constrained, tools=(CHOOSE,), max_reply_tokens=300)
        reply = ended_reply(backend, asked)
        result = Message(role="tool", content="done", tool_call_id=reply.tool_calls[0].id, name="fs_read")
        second = ended_reply(backend, following(asked, reply, result, tools=(CHOOSE,)))
        assert second.problems == ()
        assert "finish" not in {call.name for call in second.tool_calls}
        assert [call.id for call in second.tool_calls] in ([], ["call_2_1"])

    def test_the_reply_is_clamped_to_the_room_left(self, backend: Backend) -> None:
        context = int(backend.describe()["context"])
        taken = backend.complete(request("word " * 300, max_reply_tokens=1)).usage.prompt_tokens
        filler = 300 + context - MIN_ROOM - 40 - taken
        reply, _ = long_reply(backend, 3, stop_at=3, messages=request("word " * filler).messages, max_reply_tokens=4096)
        assert context - reply.usage.prompt_tokens >= MIN_ROOM
        assert reply.finish is FinishReason.watch

    def test_it_describes_itself_in_json(self, backend: Backend) -> None:
        described = json.loads(json.dumps(backend.describe()))
        assert {"backend", "context", "device", "dialect"} <= described.keys()
        assert described["backend"] == backend.name
        assert backend.slots >= 1
