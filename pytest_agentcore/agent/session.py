"""One attempt while an agent works on it: its turns, its clock, its calls, and the events it leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from pytest_agentcore.backends.base import Reply, ToolCall
from pytest_agentcore.errors import BackendError, Cancelled, EndOfTrial
from pytest_agentcore.sandbox.base import Sandbox, Workspace
from pytest_agentcore.tools.base import ToolContext, ToolSpec
from pytest_agentcore.trial.fold import Attempt, Event, read_attempt, reply_digest
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import CallRecord, TrialKey

Recorder = Callable[[Event], None]
"""Takes one transcript event; see docs/data-pack.md for the events."""


class Tools(Protocol):
    """The tools of a task, ready to be called."""

    @property
    def specs(self) -> Sequence[ToolSpec]:
        """Descriptions that the model is given."""

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


@dataclass(kw_only=True)
class Session:
    """One attempt in progress. An agent asks it for turns, acts through it and finishes it."""

    key: TrialKey
    tools: Tools
    workspace: Workspace
    sandbox: Sandbox
    limit: Limit
    record: Recorder
    cancel: threading.Event = field(default_factory=threading.Event)
    """Set: the trial ends at its next token, and a command that is running is killed."""
    turn: int = 0
    """The one that has begun, counted from 1."""
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _events: list[Event] = field(default_factory=list)
    _clock: float = field(default_factory=time.monotonic)

    @property
    def deadline(self) -> float:
        """On the monotonic clock; moved by every pause."""
        return self._clock + self.limit.seconds

    def begin(self, facts: Event) -> None:
        """Record the start event: which trial this is a try at, and what the agent is given."""
        self._note("start", **facts, started=self.started.isoformat(timespec="seconds"))

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
            raise Cancelled
        if time.monotonic() > self.deadline:
            raise EndOfTrial(StopReason.time_limit, f"{self.limit.seconds:g} seconds are over")

    def pause(self, seconds: float) -> None:
        """Take time out of the trial's: what a failing backend costs is not charged to the model."""
        self._clock += seconds

    def request_failed(self, number: int, error: BackendError, seconds: float, wait: float | None) -> None:
        """Record a request that got no reply; `wait` None: it is not tried again."""
        waited = None if wait is None else round(wait, 6)
        why = {"cause": error.cause.value, "detail": str(error)}
        self._note("request_failed", turn=self.turn, number=number, **why, seconds=round(seconds, 6), waited=waited)

    def take_reply(self, reply: Reply) -> None:
        """Record what the model said."""
        self._note(
            "reply",
            turn=self.turn,
            text=reply.text,
            content=reply.content,
            reasoning=reply.reasoning,
            tool_calls=[call_json(call) for call in reply.tool_calls],
            problems=list(reply.problems),
            repairs=list(reply.repairs),
            resembles=reply.resembles.value if reply.resembles else None,
            finish=reply.finish.value,
            usage=asdict(reply.usage),
            seconds=round(reply.seconds, 6),
            digest=reply_digest(reply.text, reply.token_ids),
        )

    def act(self, call: ToolCall, index: int) -> CallRecord:
        """Run one call of this turn and record what it gave.

        Raises:
            Cancelled: the user ended the run while a command of the call was running.
        """
        left = max(0.0, self.deadline - time.monotonic())
        workspace = replace(self.workspace, cancel=self.cancel)
        context = ToolContext(workspace=workspace, sandbox=self.sandbox, seconds_left=left)
        done = self.tools.call(call.name, call.arguments, context, turn=self.turn, index=index)
        given = {"outcome": done.outcome.value, "text": done.result, "seconds": round(done.seconds, 6)}
        self._note("tool_result", turn=self.turn, index=index, call=call_json(call), **given)
        return done

    def feed_back(self, text: str) -> None:
        """Record what the model is told about a reply that did not parse."""
        self._note("feedback", turn=self.turn, text=text)

    def finish(self, stop_reason: StopReason, detail: str = "", answer: str | None = None) -> Attempt:
        """Close the attempt; `answer` is that of an agent without a model, which leaves no reply behind."""
        given = {} if answer is None else {"answer": answer}
        seconds = round(time.monotonic() - self._clock, 6)
        self._note("end", stop_reason=stop_reason.value, detail=detail, seconds=seconds, **given)
        return read_attempt(self._events)

    def _note(self, kind: str, /, **facts: Any) -> None:
        # Kept as it is written: a result folded here must be the one that is folded from the file.
        event: Event = {"event": kind, **facts}
        self._events.append(event)
        self.record(event)


def call_json(call: ToolCall) -> dict[str, Any]:
    """A call as transcripts have it."""
    return {"id": call.id, "name": call.name, "arguments": dict(call.arguments)}
