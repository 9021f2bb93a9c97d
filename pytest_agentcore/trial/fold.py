"""The one way from a transcript's events to a trial's result.

Every number of a result is an event's or a sum over events, so the same events give the same result wherever they are
folded: at the end of a run, after a crash, in recheck and in validate. docs/data-pack.md describes the events.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any

from pytest_agentcore.trial.classify import CLASSIFICATION, IDLE, Facts, classify
from pytest_agentcore.trial.modes import Cause, Resemblance, StopReason
from pytest_agentcore.trial.result import DETAIL_CHARACTERS, CallOutcome, CallRecord, TrialKey, TrialResult

Event = Mapping[str, Any]
"""One event of a transcript."""

_DIGITS = 6
"""Decimals of seconds, as events have them: a sum of rounded numbers is rounded again, or 0.1 + 0.2 would show."""

_ENDED_BY = {Cause.interrupted: StopReason.interrupted, Cause.backend_crashed: StopReason.backend_error}
"""Causes that ended the trial later than its loop, or that kept the loop from saying how it ended."""


def fold(events: Iterable[Event]) -> TrialResult:
    """The result of a judged attempt.

    Raises:
        ValueError: there is no start or no verdict among the events.
    """
    return read_attempt(events).result()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at a trial, as its events tell it; its end and its verdict come later than the rest."""

    start: Event
    replies: tuple[Event, ...] = ()
    calls: tuple[CallRecord, ...] = ()
    end: Event | None = None
    """None while the agent works, and for good when its process died."""
    verdict: Event | None = None
    silent: Event | None = None
    """Names the last attempt that was begun beside this one, whose worker was not heard of meanwhile."""

    @property
    def number(self) -> int:
        """How many attempts at the trial were begun when this one was over."""
        return int((self.silent or self.start)["number"])

    @property
    def id(self) -> str:
        """Its UUID."""
        return str(self.start["attempt"])

    @property
    def key(self) -> TrialKey:
        """The trial that it is a try at."""
        return TrialKey(self.start["model"], self.start["task"], self.start["run"])

    @property
    def stop_reason(self) -> StopReason:
        """The reason why the loop ended; `backend_error` where no event says so."""
        return StopReason(self.end["stop_reason"]) if self.end else StopReason.backend_error

    @property
    def detail(self) -> str:
        """One line about the end of the loop, often empty."""
        return str(self.end["detail"]) if self.end else ""

    @property
    def answer(self) -> str:
        """The content of the last reply, or what an agent without a model returned."""
        if self.end and "answer" in self.end:
            return str(self.end["answer"])
        return str(self.replies[-1]["content"]) if self.replies else ""

    @property
    def executed(self) -> int:
        """Calls that gave a tool result."""
        return sum(call.outcome.executed for call in self.calls)

    @property
    def model_seconds(self) -> float:
        """Time spent waiting for replies."""
        return round(fsum(reply["seconds"] for reply in self.replies), _DIGITS)

    @property
    def tool_seconds(self) -> float:
        """Time spent in tools."""
        return round(fsum(call.seconds for call in self.calls), _DIGITS)

    @property
    def seconds(self) -> float:
        """Wall clock of the attempt; where its process died, the part of it that events account for."""
        return round(float(self.end["seconds"]) if self.end else self.model_seconds + self.tool_seconds, _DIGITS)

    def result(self) -> TrialResult:
        """The result that follows from the events and today's rules.

        Raises:
            ValueError: the attempt has no verdict.
        """
        if self.verdict is None:
            raise ValueError("an attempt without a verdict has no result")
        start, said = self.start, self.verdict
        infrastructure = Cause(said["cause"]) if said["cause"] else None
        stop_reason = _ENDED_BY.get(infrastructure, self.stop_reason) if infrastructure else self.stop_reason
        problems = sum(len(reply["problems"]) for reply in self.replies) + len(self.calls) - self.executed
        resembles = self.replies[-1]["resembles"] if self.replies else None
        judged = classify(
            Facts(
                stop_reason=stop_reason,
                accepted=said["accepted"],
                infrastructure=infrastructure,
                executed=self.executed,
                problems=problems,
                unknown_tools=sum(call.outcome is CallOutcome.unknown for call in self.calls),
                resembles=Resemblance(resembles) if resembles else None,
                artifacts_made=said["artifacts_made"],
                artifacts=said["artifacts"],
                changed=said["changed"],
            )
        )
        detail = said["detail"] or (IDLE if said["accepted"] else self.detail)
        as_started = ("model", "task", "run", "attempt", "policy", "sandbox", "seed", "instance", "started")
        copied: dict[str, Any] = {name: start[name] for name in as_started}
        for name in ("prompt_tokens", "cached_tokens", "reply_tokens"):
            copied[name] = sum(reply["usage"][name] for reply in self.replies)
        return TrialResult(
            **copied,
            attempts=self.number,
            passed=judged.passed,
            failure_mode=judged.failure_mode,
            cause=judged.cause,
            stop_reason=stop_reason,
            detail="" if judged.passed else detail[:DETAIL_CHARACTERS],
            classification=CLASSIFICATION,
            turns=max((*(reply["turn"] for reply in self.replies), *(call.turn for call in self.calls)), default=0),
            tool_calls=self.executed,
            problems=problems,
            repairs=sum(len(reply["repairs"]) for reply in self.replies),
            seconds=self.seconds,
            model_seconds=self.model_seconds,
            tool_seconds=self.tool_seconds,
            replies_digest=hashlib.sha256("".join(reply["digest"] for reply in self.replies).encode()).hexdigest(),
            context_load=start["load"]["asked"] if "load" in start else 0,
        )


def read_attempt(events: Iterable[Event]) -> Attempt:
    """Group the events of one transcript, which may be cut off anywhere behind its first line.

    Raises:
        ValueError: the first event is no start.
    """
    start, *others = [*events] or [{}]
    if start.get("event") != "start":
        raise ValueError("a transcript begins with a start event")
    last = {event["event"]: event for event in others}
    calls = (
        CallRecord(
            turn=event["turn"],
            index=event["index"],
            name=event["call"]["name"],
            arguments=event["call"]["arguments"],
            outcome=CallOutcome(event["outcome"]),
            result=event["text"],
            seconds=event["seconds"],
        )
        for event in others
        if event["event"] == "tool_result"
    )
    return Attempt(
        start=start,
        replies=tuple(event for event in others if event["event"] == "reply"),
        calls=tuple(calls),
        end=last.get("end"),
        verdict=last.get("verdict"),
        silent=last.get("silent"),
    )


def reply_digest(text: str, token_ids: Iterable[int]) -> str:
    """sha256 of what was sampled: two replies that read alike may still be different tokens."""
    return hashlib.sha256(f"{len(text)}:{text}{list(token_ids)}".encode(errors="surrogatepass")).hexdigest()


def verdict_event(
    accepted: bool | None,
    *,
    detail: str = "",
    cause: Cause | None = None,
    artifacts: Collection[str] = (),
    changed: Collection[str] = (),
) -> dict[str, Any]:
    """The last event of an attempt: what a judgement needs and no event before it says.

    Args:
        accepted: what the checker said; None when it was not asked or broke.
        detail: its assertion, or why it did not speak; empty: see the end event.
        cause: why it did not speak.
        artifacts: the files that the task declares as its artifacts.
        changed: files of the workspace that are not as they were given.
    """
    return {
        "event": "verdict",
        "accepted": accepted,
        "cause": cause.value if cause else None,
        "detail": detail[:DETAIL_CHARACTERS],
        "artifacts": len(artifacts),
        "artifacts_made": len({*artifacts} & {*changed}),
        "changed": bool(changed),
    }
