"""Describes a trial for junit's XML."""

from __future__ import annotations

from pytest_agentcore.pack.csv import to_milliseconds
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import for_xml

FIELDS = (
    *("model", "task", "run", "attempt", "outcome", "failure_mode", "cause", "attribution", "stop_reason"),
    *("turns", "tool_calls", "prompt_tokens", "cached_tokens", "reply_tokens", "seconds", "policy", "sandbox"),
)
"""Of a result, in the order in which junit shows them."""


def properties(result: TrialResult) -> list[tuple[str, str]]:
    """Describe a trial for `item.user_properties`, in a fixed order; what does not apply is an empty string."""
    values = {name: getattr(result, name) for name in FIELDS}
    values |= {"seconds": to_milliseconds(result.seconds), "transcript": address_of(result, result.turns)}
    return [(name, for_xml("" if value is None else str(value))) for name, value in values.items()]
