"""Classifies trials: pure rules that turn the facts of a trial into a verdict, with a version of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_agentcore.trial.modes import Cause, FailureMode, Resemblance, StopReason

CLASSIFICATION = 1
"""Version of the rules below; written into every result. Raised whenever the same facts could be judged otherwise."""

IDLE = "accepted by the checker, but not a single tool call gave a result: that cannot pass"
"""The detail of such a trial."""

_GAVE_UP = frozenset({StopReason.turn_limit, StopReason.time_limit, StopReason.context_overflow})

_CUT_OFF = frozenset({StopReason.degenerate_output, StopReason.token_limit, StopReason.context_overflow})

_LOOKED_LIKE = {
    Resemblance.template_tokens: Cause.chat_template_leakage,
    Resemblance.broken_call: Cause.tool_call_malformed,
    Resemblance.other_dialect: Cause.tool_call_as_text,
    Resemblance.fenced_call: Cause.tool_call_as_text,
    Resemblance.bare_call: Cause.tool_call_as_text,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a judgement rests on."""

    stop_reason: StopReason
    accepted: bool | None
    """The checker's answer; None when it was not asked or broke."""
    infrastructure: Cause | None = None
    """Set when harness or environment failed."""
    executed: int = 0
    """Calls that gave a tool result."""
    problems: int = 0
    """Replies and calls that were fed back."""
    unknown_tools: int = 0
    """Calls of tools that do not exist."""
    resembles: Resemblance | None = None
    """A likeness of the last reply to a tool call."""
    artifacts_made: int = 0
    """Declared artifacts that exist and are not as they were given."""
    artifacts: int = 0
    """Declared artifacts."""
    changed: bool = False
    """Whether any file of the workspace is other than given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement. `passed` None is unscored."""

    passed: bool | None
    failure_mode: FailureMode | None = None
    cause: Cause | None = None


def classify(facts: Facts) -> Verdict:
    """Judge a trial. The precedence, first match wins:

    1. interrupted: unscored, no mode.
    2. harness or environment failed (backend, sandbox, broken checker): infrastructure_error, unscored.
    3. the checker accepts and at least one tool result exists: passed, whatever ended the loop.
    4. otherwise failed: gave_up_mid_plan when turns, time or context ran out, wrong_answer else; the cause is the
       first that `_causes` yields.
    """
    if facts.stop_reason is StopReason.interrupted:
        return Verdict(passed=None, cause=Cause.interrupted)
    if facts.infrastructure:
        return Verdict(passed=None, failure_mode=FailureMode.infrastructure_error, cause=facts.infrastructure)
    if facts.accepted and facts.executed:
        return Verdict(passed=True)
    mode = FailureMode.gave_up_mid_plan if facts.stop_reason in _GAVE_UP else FailureMode.wrong_answer
    return Verdict(passed=False, failure_mode=mode, cause=next(_causes(facts)))


def _causes(facts: Facts) -> Iterator[Cause]:
    """Causes of a rejected trial that apply, the most telling first."""
    cut_call = facts.stop_reason in _CUT_OFF and facts.resembles is Resemblance.broken_call
    if facts.resembles and not cut_call:  # a call that was cut off is not malformed: the cut is the cause
        yield _LOOKED_LIKE[facts.resembles]
    if facts.stop_reason is StopReason.degenerate_output:
        yield Cause.degenerate_output
    if facts.unknown_tools and not facts.executed:
        yield Cause.tool_call_hallucinated
    if facts.problems and not facts.executed:
        yield Cause.tool_call_malformed
    if not facts.executed and facts.stop_reason is not StopReason.token_limit:
        yield Cause.no_tool_call
    if facts.stop_reason is StopReason.token_limit:
        yield Cause.reply_too_long
    if facts.stop_reason in _GAVE_UP:
        yield Cause.budget_exhausted
    if not facts.changed:
        yield Cause.scaffold_untouched
    if 0 < facts.artifacts_made < facts.artifacts:
        yield Cause.partial_complete
    yield Cause.checker_rejected
