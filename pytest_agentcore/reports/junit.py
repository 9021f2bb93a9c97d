"""Describes a trial for junit's XML."""

from __future__ import annotations

from pytest_agentcore.pack.csv import to_milliseconds
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import for_xml


def properties(result: TrialResult) -> list[tuple[str, str]]:
    """Describe a trial for `item.user_properties`, in a fixed order; what does not apply is an empty string."""
    values = {
        "model": result.model,
        "task": result.task,
        "run": result.run,
        "attempt": result.attempt,
        "outcome": result.outcome,
        "failure_mode": result.failure_mode,
        "cause": result.cause,
        "attribution": result.attribution,
        "stop_reason": result.stop_reason,
        "turns": result.turns,
        "tool_calls": result.tool_calls,
        "prompt_tokens": result.prompt_tokens,
        "cached_tokens": result.cached_tokens,
        "reply_tokens": result.reply_tokens,
        "seconds": to_milliseconds(result.seconds),
        "policy": result.policy,
        "sandbox": result.sandbox,
        "transcript": address_of(result, result.turns),
    }
    return [(name, for_xml("" if value is None else str(value))) for name, value in values.items()]
