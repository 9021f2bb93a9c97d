"""The identity and the result of a trial: frozen values with a JSON round trip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from pytest_agentcore.trial.modes import Attribution, Cause, FailureMode, StopReason
from pytest_agentcore.trial.stored import from_json

SCHEMA_VERSION = 1
"""Version of the result line; raised when a field changes its meaning or goes away."""

DETAIL_CHARACTERS = 2000
"""So much is kept of what a checker said."""


@dataclass(frozen=True, slots=True, order=True)
class TrialKey:
    """The identity of a trial: its campaign's model, the task's id, and the run index counted from 1."""

    model: str
    """In a session the campaign's label, since one model may run under several policies at once; in a data pack, which
    is one campaign, the model's slug."""
    task: str
    run: int

    def __str__(self) -> str:
        return f"{self.task}[{self.model}-run{self.run}]"


class CallOutcome(StrEnum):
    """The outcome of one call."""

    ok = "ok"
    refused = "refused"
    """The tool ran and returned an error."""
    fault = "fault"
    """An injected error of the task."""
    invalid = "invalid"
    """The arguments violate the tool's schema; nothing ran."""
    unknown = "unknown"
    """There is no such tool; nothing ran."""

    @property
    def executed(self) -> bool:
        """Whether the call counts as a tool result."""
        return self not in (CallOutcome.invalid, CallOutcome.unknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call of a trial and what the model was told about it."""

    turn: int
    """Counted from 1."""
    index: int
    """Within the turn, counted from 0."""
    name: str
    arguments: Mapping[str, Any]
    outcome: CallOutcome
    result: str
    """The text the model read, clipped."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one request."""

    prompt_tokens: int = 0
    """All prompt tokens, cached ones included."""
    cached_tokens: int = 0
    """Those of them that were not evaluated again."""
    reply_tokens: int = 0
    """Sampled, reasoning included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """One judged (or unscored) trial: a line of `data/results.jsonl`, a row of `verification/trials.csv`."""

    model: str
    task: str
    run: int
    attempt: str
    """UUID of the last attempt: `data/transcripts/<attempt>.jsonl`."""
    attempts: int
    """How many attempts were made, the last included."""
    passed: bool | None
    """None is unscored: infrastructure_error, interrupted, not run."""
    failure_mode: FailureMode | None
    """None for a pass and for an interrupted trial."""
    cause: Cause | None
    stop_reason: StopReason
    detail: str
    """The checker's assertion or the error, at most 2000 characters."""
    classification: int
    """Version of the rules that gave mode and cause."""
    policy: str
    sandbox: str
    seed: int
    instance: str
    """sha256 over the instance's files and facts; the same for every model."""
    turns: int
    tool_calls: int
    """Calls that were executed, a tool's refusal included."""
    problems: int
    """Replies or calls fed back because they did not parse, violated a schema or named an unknown tool."""
    repairs: int
    """Near misses that the lenient policy accepted."""
    prompt_tokens: int
    cached_tokens: int
    reply_tokens: int
    seconds: float
    """Wall clock of the last attempt, from the first request to the last tool result; the check is not in it."""
    model_seconds: float
    tool_seconds: float
    started: str
    """UTC, ISO 8601 with seconds."""
    replies_digest: str
    """sha256 over all sampled replies; equal digests are one observation."""
    context_load: int = 0
    """Tokens of earlier conversation that were asked for before the task."""

    @property
    def key(self) -> TrialKey:
        """Identity within the campaign."""
        return TrialKey(self.model, self.task, self.run)

    @property
    def scored(self) -> bool:
        """Whether the trial enters the effective rate."""
        return self.passed is not None

    @property
    def outcome(self) -> str:
        """`passed`, a failure mode, or `interrupted`: one word per trial."""
        if self.passed:
            return "passed"
        return (self.failure_mode or StopReason.interrupted).value

    @property
    def attribution(self) -> Attribution | None:
        """Whom the cause speaks about."""
        return self.cause.attribution if self.cause else None

    def to_json(self) -> dict[str, Any]:
        """Plain types only; `attribution` and `outcome` are written for readers and ignored on the way back."""
        said = {name: getattr(self, name) for name in _NAMES}
        written = {"schema": SCHEMA_VERSION, **said, "outcome": self.outcome, "attribution": self.attribution}
        # Exactly str: xdist's serializer refuses subclasses.
        return {name: value.value if isinstance(value, StrEnum) else value for name, value in written.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises:
            ValueError: another schema version, or a field missing or of another type.
        """
        if data.get("schema") != SCHEMA_VERSION:
            raise ValueError(f"schema {data.get('schema')!r} of a result line: this version reads {SCHEMA_VERSION}")
        return from_json(cls, data)


_NAMES = tuple(field.name for field in fields(TrialResult))
"""Looked up once: campaigns of thousands of trials are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """USD, per million tokens or per hour; in-process nothing is paid per token, and hardware is not in it."""

    prompt: float = 0.0
    """Prompt tokens that were evaluated."""
    cached: float = 0.0
    """Prompt tokens that came from a cache."""
    reply: float = 0.0
    hour: float = 0.0
    """Price of a rented machine, counted over the seconds of the trials."""
    source: str = ""
    """Where the prices stand, e.g. the maker's page."""
    date: str = ""
    """The day on which they stood there, `YYYY-MM-DD`."""


def dollars(result: TrialResult, prices: Prices) -> float:
    """The cost of one trial: its tokens, and its wall clock where the machine is paid by the hour."""
    evaluated = result.prompt_tokens - result.cached_tokens
    priced = evaluated * prices.prompt + result.cached_tokens * prices.cached + result.reply_tokens * prices.reply
    return priced / 1e6 + result.seconds * prices.hour / 3600
