"""The agent loop: run → turn."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pytest_agentcore.agent.retries import Retries
from pytest_agentcore.agent.session import Session
from pytest_agentcore.backends.base import Backend, FinishReason, Message, Request
from pytest_agentcore.catalogue.entry import Policy, Sampling
from pytest_agentcore.errors import EndOfTrial
from pytest_agentcore.trial.detectors import DegenerateWatch
from pytest_agentcore.trial.fold import Attempt
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialKey

_CUT_SHORT = {
    FinishReason.length: (StopReason.token_limit, "one reply reached its ceiling of tokens"),
    FinishReason.context: (StopReason.context_overflow, "the reply filled the context"),
    FinishReason.watch: (StopReason.degenerate_output, "the reply had become a loop"),
    FinishReason.deadline: (StopReason.time_limit, "the wall clock ran out"),
    FinishReason.cancelled: (StopReason.interrupted, "cancelled"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Settings that every request of a campaign shares."""

    policy: Policy = Policy.native
    sampling: Sampling = Sampling()
    base_seed: int = 0
    cancel: threading.Event = field(default_factory=threading.Event)
    retries: Retries = field(default_factory=Retries)
    on_turn: Callable[[TrialKey, int], None] = lambda _key, _turn: None
    """Called with each turn that begins, for the progress line."""
    on_piece: Callable[[TrialKey], None] = lambda _key: None
    """Called for each piece of text of a reply, for the same."""


def run_model(session: Session, backend: Backend, asking: Asking, messages: list[Message]) -> Attempt:
    """Work on a task by asking a backend and running the calls it makes, until something ends the trial.

    Args:
        session: of the trial.
        backend: that is asked.
        asking: the campaign's settings.
        messages: of the first request; replies and results are added.

    Raises:
        BackendError, SandboxError: the trial could not be completed.
    """
    # Every way to an end is an EndOfTrial from below: a budget, a reply that was cut short, the final answer.
    try:
        while True:
            _take_turn(session, backend, asking, messages)
    except EndOfTrial as end:
        return session.finish(end.stop_reason, end.detail)


def _take_turn(session: Session, backend: Backend, asking: Asking, messages: list[Message]) -> None:
    """One reply, and the calls that it makes or the answer that it is.

    Raises:
        EndOfTrial: the reply was cut short, or is final.
    """
    session.begin_turn()
    asking.on_turn(session.key, session.turn)

    def request() -> Request:
        is_loop = DegenerateWatch()

        def watch(piece: str) -> bool:
            asking.on_piece(session.key)
            return is_loop(piece)

        return Request(
            trial=session.key,
            turn=session.turn,
            messages=tuple(messages),
            tools=tuple(session.tools.specs),
            sampling=asking.sampling,
            seed=mix_seed(asking.base_seed, session.key.task, session.key.run, session.turn),
            max_reply_tokens=session.limit.reply_tokens,
            policy=asking.policy,
            deadline=session.deadline,
            cancel=asking.cancel,
            watch=watch,
        )

    reply = asking.retries.ask(backend, request, session)
    session.take_reply(reply)
    if reply.finish in _CUT_SHORT:
        raise EndOfTrial(*_CUT_SHORT[reply.finish])

    # A reply that could not be read is answered with the reason.
    if reply.problems:
        text = " ".join(reply.problems)
        session.feed_back(text)
        messages += [Message(role="assistant", content=reply.text), Message(role="user", content=text)]
        return

    calls = tuple(reply.tool_calls)
    if calls:
        messages.append(Message(role="assistant", content=reply.content, reasoning=reply.reasoning, tool_calls=calls))
    for index, call in enumerate(calls):
        session.check_time()
        done = session.act(call, index)
        messages.append(Message(role="tool", content=done.result, tool_call_id=call.id, name=call.name))
    # A constrained model may call `finish` beside other calls: they run first.
    if reply.final or not calls:
        raise EndOfTrial(StopReason.final_answer)


def opening(system: str, prompt: str, context_load: Sequence[Message] = ()) -> list[Message]:
    """The messages of a task's first request."""
    return [Message(role="system", content=system), *context_load, Message(role="user", content=prompt)]


def mix_seed(base: int, *parts: object) -> int:
    """A seed 0 … 2**31-1 from the base seed and what it is for; sha256, so that neighbours share nothing."""
    digest = hashlib.sha256("/".join(map(str, (base, *parts))).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
