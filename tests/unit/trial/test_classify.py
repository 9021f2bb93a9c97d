"""The rules of classification: every precedence once, every cause reachable."""

from __future__ import annotations

import pytest

from pytest_agentcore.trial.classify import Facts, Verdict, classify
from pytest_agentcore.trial.modes import Attribution, Cause, FailureMode, Resemblance, StopReason

WRONG, GAVE_UP, INFRA = FailureMode.wrong_answer, FailureMode.gave_up_mid_plan, FailureMode.infrastructure_error
FINAL = StopReason.final_answer

REJECTED = [
    (Facts(stop_reason=FINAL, accepted=False, executed=3, changed=True), WRONG, Cause.checker_rejected),
    (Facts(stop_reason=FINAL, accepted=False, executed=3), WRONG, Cause.scaffold_untouched),
    (
        Facts(stop_reason=FINAL, accepted=False, executed=3, changed=True, artifacts=2, artifacts_made=1),
        WRONG,
        Cause.partial_complete,
    ),
    (
        Facts(stop_reason=FINAL, accepted=False, executed=3, changed=True, artifacts=2, artifacts_made=2),
        WRONG,
        Cause.checker_rejected,
    ),
    (Facts(stop_reason=FINAL, accepted=False), WRONG, Cause.no_tool_call),
    (Facts(stop_reason=FINAL, accepted=False, problems=2), WRONG, Cause.tool_call_malformed),
    (Facts(stop_reason=FINAL, accepted=False, problems=2, unknown_tools=2), WRONG, Cause.tool_call_hallucinated),
    (
        Facts(stop_reason=FINAL, accepted=False, executed=1, resembles=Resemblance.template_tokens),
        WRONG,
        Cause.chat_template_leakage,
    ),
    (
        Facts(stop_reason=FINAL, accepted=False, executed=1, resembles=Resemblance.broken_call),
        WRONG,
        Cause.tool_call_malformed,
    ),
    (
        Facts(stop_reason=FINAL, accepted=False, resembles=Resemblance.fenced_call),
        WRONG,
        Cause.tool_call_as_text,
    ),
    (Facts(stop_reason=FINAL, accepted=False, resembles=Resemblance.bare_call), WRONG, Cause.tool_call_as_text),
    (Facts(stop_reason=FINAL, accepted=False, resembles=Resemblance.other_dialect), WRONG, Cause.tool_call_as_text),
    (
        Facts(
            stop_reason=StopReason.degenerate_output,
            accepted=False,
            executed=2,
            resembles=Resemblance.template_tokens,
        ),
        WRONG,
        Cause.chat_template_leakage,
    ),
    (Facts(stop_reason=StopReason.degenerate_output, accepted=False, executed=2), WRONG, Cause.degenerate_output),
    (
        Facts(stop_reason=StopReason.degenerate_output, accepted=False, executed=2, resembles=Resemblance.broken_call),
        WRONG,
        Cause.degenerate_output,
    ),
    (Facts(stop_reason=StopReason.token_limit, accepted=False, executed=2, changed=True), WRONG, Cause.reply_too_long),
    (Facts(stop_reason=StopReason.token_limit, accepted=False), WRONG, Cause.reply_too_long),
    (Facts(stop_reason=StopReason.turn_limit, accepted=False, executed=15), GAVE_UP, Cause.budget_exhausted),
    (Facts(stop_reason=StopReason.time_limit, accepted=False, executed=1), GAVE_UP, Cause.budget_exhausted),
    (Facts(stop_reason=StopReason.context_overflow, accepted=False, executed=1), GAVE_UP, Cause.budget_exhausted),
    (Facts(stop_reason=StopReason.turn_limit, accepted=False, problems=15), GAVE_UP, Cause.tool_call_malformed),
]


@pytest.mark.parametrize(("facts", "mode", "cause"), REJECTED)
def test_a_rejected_trial_has_a_mode_and_a_cause(facts: Facts, mode: FailureMode, cause: Cause) -> None:
    assert classify(facts) == Verdict(passed=False, failure_mode=mode, cause=cause)


@pytest.mark.parametrize("stop_reason", [r for r in StopReason if r is not StopReason.interrupted])
def test_what_the_checker_accepts_has_passed_whatever_ended_it(stop_reason: StopReason) -> None:
    assert classify(Facts(stop_reason=stop_reason, accepted=True, executed=1)) == Verdict(passed=True)


def test_nothing_passes_without_a_tool_result() -> None:
    assert classify(Facts(stop_reason=FINAL, accepted=True)).cause is Cause.no_tool_call


@pytest.mark.parametrize(
    "cause", [Cause.backend_error, Cause.backend_unreachable, Cause.sandbox_failed, Cause.checker_broken]
)
def test_infrastructure_is_unscored_even_if_the_checker_accepted(cause: Cause) -> None:
    facts = Facts(stop_reason=StopReason.backend_error, accepted=True, infrastructure=cause, executed=4)
    assert classify(facts) == Verdict(passed=None, failure_mode=INFRA, cause=cause)
    assert cause.attribution is not Attribution.model


def test_an_interrupted_trial_has_no_mode() -> None:
    facts = Facts(stop_reason=StopReason.interrupted, accepted=None, infrastructure=Cause.backend_error)
    assert classify(facts) == Verdict(passed=None, cause=Cause.interrupted)


def test_every_cause_that_speaks_of_the_model_is_reached() -> None:
    reached = {cause for _, _, cause in REJECTED}
    assert reached == {cause for cause in Cause if cause.attribution is Attribution.model}
