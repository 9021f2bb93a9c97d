"""What one attempt accumulates while an agent works: turns, calls, tokens, the transcript."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from pytest_agentcore.backends.base import Reply, ToolCall
from pytest_agentcore.errors import BackendError, EndOfTrial
from pytest_agentcore.sandbox.base import Sandbox, Workspace
from pytest_agentcore.tools.base import ToolContext, ToolSpec
from pytest_agentcore.trial.modes import Resemblance, StopReason
from pytest_agentcore.trial.result import CallRecord, TrialKey, Usage

Recorder = Callable[[Mapping[str, Any]], None]
"""Takes one transcript event; see docs/data-pack.md for the events."""


class Tools(Protocol):
    """The tools of a task, ready to be called."""

    @property
    def specs(self) -> Sequence[ToolSpec]:
        """What the model is told."""

    def call(
        self, name: str, arguments: Mapping[str, Any], context: ToolContext, *, turn: int, index: int
    ) -> CallRecord:
        """Run one call; whatever goes wrong with the call itself is in the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The budget of one trial, every value settled."""

    turns: int = 15
    reply_tokens: int = 4096
    """One reply, reasoning counted."""
    seconds: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One finished try at a trial, before it is judged."""

    stop_reason: StopReason
    detail: str
    answer: str
    """The text of the last reply, or what the oracle returned."""
    turns: int
    calls: tuple[CallRecord, ...]
    problems: int
    repairs: int
    resembles: Resemblance | None
    """What the last reply looked like, if it was no structured call."""
    usage: Usage
    seconds: float
    model_seconds: float
    tool_seconds: float
    started: str
    replies_digest: str

    @property
    def executed(self) -> int:
        """Calls that gave a tool result."""
        return sum(call.outcome.executed for call in self.calls)


@dataclass(kw_only=True)
class Session:
    """One attempt in progress. An agent asks it for turns and acts through it."""

    key: TrialKey
    tools: Tools
    workspace: Workspace
    sandbox: Sandbox
    limit: Limit
    record: Recorder
    cancel: threading.Event = field(default_factory=threading.Event)
    """Set: the trial ends at the next turn or call."""
    turn: int = 0
    """The one that has begun, counted from 1."""
    turns: int = 0
    """Those that came to a reply, or to an agent's call: what was asked and never answered is no turn."""
    calls: list[CallRecord] = field(default_factory=list)
    answer: str = ""
    problems: int = 0
    repairs: int = 0
    resembles: Resemblance | None = None
    usage: Usage = field(default_factory=Usage)
    model_seconds: float = 0.0
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _clock: float = field(default_factory=time.monotonic)
    _replies: Any = field(default_factory=hashlib.sha256)

    @property
    def deadline(self) -> float:
        """On the monotonic clock; moved by every pause."""
        return self._clock + self.limit.seconds

    @property
    def seconds(self) -> float:
        """Wall clock since the attempt began, pauses left out."""
        return time.monotonic() - self._clock

    def begin_turn(self) -> None:
        """Start the next turn.

        Raises:
            EndOfTrial: there is none left, or no time.
        """
        if self.turn >= self.limit.turns:
            raise EndOfTrial(StopReason.turn_limit, f"all {self.limit.turns} turns are used")
        self.check_time()
        self.turn += 1

    def check_time(self) -> None:
        """Raise EndOfTrial when the wall clock has run out, or the user ended the run."""
        if self.cancel.is_set():
            raise EndOfTrial(StopReason.interrupted, "cancelled")
        if time.monotonic() > self.deadline:
            raise EndOfTrial(StopReason.time_limit, f"{self.limit.seconds:g} seconds are over")

    def pause(self, seconds: float) -> None:
        """Take time out of the trial's: what a failing backend costs is not charged to the model."""
        self._clock += seconds

    def request_failed(self, number: int, error: BackendError, seconds: float, wait: float | None) -> None:
        """Record a request that got no reply; `wait` None: it is not tried again."""
        self.record(
            {
                "event": "request_failed",
                "turn": self.turn,
                "number": number,
                "cause": error.cause.value,
                "detail": str(error),
                "seconds": round(seconds, 6),
                "waited": None if wait is None else round(wait, 6),
            }
        )

    def take_reply(self, reply: Reply) -> None:
        """Count and record what the model said."""
        self.turns = self.turn
        self.usage += reply.usage
        self.model_seconds += reply.seconds
        self.problems += len(reply.problems)
        self.repairs += len(reply.repairs)
        self.resembles = reply.resembles
        self.answer = reply.content
        self._replies.update(f"{len(reply.text)}:{reply.text}{list(reply.token_ids)}".encode(errors="surrogatepass"))
        self.record(_reply_event(self.turn, reply))

    def act(self, call: ToolCall, index: int) -> CallRecord:
        """Run one call of this turn, count and record it."""
        self.turns = self.turn
        context = ToolContext(
            workspace=self.workspace, sandbox=self.sandbox, seconds_left=max(0.0, self.deadline - time.monotonic())
        )
        done = self.tools.call(call.name, call.arguments, context, turn=self.turn, index=index)
        self.calls.append(done)
        self.problems += not done.outcome.executed
        self.record(
            {
                "event": "tool_result",
                "turn": self.turn,
                "index": index,
                "call": _call_json(call),
                "outcome": done.outcome.value,
                "text": done.result,
                "seconds": round(done.seconds, 6),
            }
        )
        return done

    def feed_back(self, text: str) -> None:
        """Record what the model is told about a reply that did not parse."""
        self.record({"event": "feedback", "turn": self.turn, "text": text})

    def finish(self, stop_reason: StopReason, detail: str = "") -> Attempt:
        """Close the attempt."""
        seconds = self.seconds
        self.record(
            {
                "event": "end",
                "turn": self.turns,
                "stop_reason": stop_reason.value,
                "detail": detail,
                "seconds": round(seconds, 6),
            }
        )
        return Attempt(
            stop_reason=stop_reason,
            detail=detail,
            answer=self.answer,
            turns=self.turns,
            calls=tuple(self.calls),
            problems=self.problems,
            repairs=self.repairs,
            resembles=self.resembles,
            usage=self.usage,
            seconds=seconds,
            model_seconds=self.model_seconds,
            tool_seconds=sum(call.seconds for call in self.calls),
            started=self.started.isoformat(timespec="seconds"),
            replies_digest=self._replies.hexdigest(),
        )


def _call_json(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "name": call.name, "arguments": dict(call.arguments)}


def _reply_event(turn: int, reply: Reply) -> dict[str, Any]:
    return {
        "event": "reply",
        "turn": turn,
        "text": reply.text,
        "content": reply.content,
        "reasoning": reply.reasoning,
        "tool_calls": [_call_json(call) for call in reply.tool_calls],
        "problems": list(reply.problems),
        "repairs": list(reply.repairs),
        "resembles": reply.resembles.value if reply.resembles else None,
        "finish": reply.finish.value,
        "usage": asdict(reply.usage),
        "seconds": round(reply.seconds, 6),
    }
