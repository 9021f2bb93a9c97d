"""A trial's result and its JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from results import GAVE_UP, INTERRUPTED, LOST, WRONG, result

from pytest_agentcore.trial.modes import Attribution
from pytest_agentcore.trial.result import TrialResult

OUTCOMES = [
    ({}, "passed", None),
    (WRONG, "wrong_answer", Attribution.model),
    (GAVE_UP, "gave_up_mid_plan", Attribution.model),
    (LOST, "infrastructure_error", Attribution.environment),
    (INTERRUPTED, "interrupted", Attribution.environment),
]


@pytest.mark.parametrize(("changes", "outcome", "attribution"), OUTCOMES)
def test_a_result_survives_json(changes: dict[str, Any], outcome: str, attribution: Attribution | None) -> None:
    trial = result(**changes)

    assert TrialResult.from_json(json.loads(json.dumps(trial.to_json()))) == trial
    assert (trial.outcome, trial.attribution) == (outcome, attribution)


@pytest.mark.parametrize("changes", [changes for changes, _, _ in OUTCOMES])
def test_json_holds_plain_types_only(changes: dict[str, Any]) -> None:
    """xdist's serializer takes str, but no subclass of it."""
    kinds = {type(value) for value in result(**changes).to_json().values()}

    assert kinds <= {str, int, float, bool, type(None)}


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"schema": 2}, "schema 2"), ({"schema": None}, "schema None"), ({"cause": "boredom"}, "cause")],
)
def test_another_version_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"(?i){problem}"):
        TrialResult.from_json(result().to_json() | change)


def test_a_missing_field_is_named() -> None:
    data = result().to_json()
    del data["turns"]

    with pytest.raises(ValueError, match="`turns` is missing"):
        TrialResult.from_json(data)
