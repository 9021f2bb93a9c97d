"""From events to a result: what each event adds, wherever a transcript was cut off."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from results import end_event, events_of, reply_event, result, start_event, tool_event

from pytest_agentcore.trial.classify import IDLE
from pytest_agentcore.trial.fold import fold, read_attempt, reply_digest, verdict_event
from pytest_agentcore.trial.modes import Cause, FailureMode, StopReason
from pytest_agentcore.trial.result import CallOutcome, TrialResult

START = start_event(result())
CALL = {"command": "ls"}
WORKED = [
    START | {"number": 3, "load": {"asked": 4000}},
    reply_event(1, CALL, {}, content="I look."),
    tool_event(1, 0, CALL, "a.txt"),
    tool_event(1, 1, {}, "there is no such tool", outcome="unknown"),
    {"event": "request_failed", "turn": 2, "number": 1, "cause": "backend_unreachable", "detail": "gone"},
    reply_event(2, problems=["it does not parse"], repairs=["a comma"]),
    {"event": "feedback", "turn": 2, "text": "it does not parse"},
    reply_event(3, content="Done."),
]
ENDED = [*WORKED, end_event(seconds=9.5)]


def judged(*events: dict[str, Any], **said: Any) -> TrialResult:
    accepted = said.pop("accepted", True)
    return fold([*events, verdict_event(accepted, **said)])


def test_every_number_is_a_sum_over_events() -> None:
    found = judged(*ENDED)

    assert (found.passed, found.detail, found.stop_reason) == (True, "", StopReason.final_answer)
    assert (found.attempts, found.context_load, found.turns) == (3, 4000, 3)
    assert (found.tool_calls, found.problems, found.repairs) == (1, 2, 1)
    assert (found.prompt_tokens, found.cached_tokens, found.reply_tokens) == (300, 240, 60)
    assert (found.seconds, found.model_seconds, found.tool_seconds) == (9.5, 4.5, 0.5)


def test_a_result_comes_back_from_its_own_events() -> None:
    one = result(problems=2, repairs=1, tool_seconds=0.25)
    assert fold(events_of(one)) == one
    assert fold(json.loads(json.dumps(list(events_of(one))))) == one


def test_sums_show_no_more_digits_than_what_was_summed() -> None:
    events = [START, *(tool_event(1, index, CALL, "") | {"seconds": 0.1} for index in range(3)), end_event()]
    assert judged(*events).tool_seconds == 0.3


@pytest.mark.parametrize("cut", range(1, len(ENDED) + 1))
def test_a_transcript_may_be_cut_off_anywhere(cut: int) -> None:
    found = judged(*ENDED[:cut], accepted=None, cause=Cause.backend_crashed, detail="it died")

    assert (found.passed, found.failure_mode) == (None, FailureMode.infrastructure_error)
    assert (found.stop_reason, found.cause, found.detail) == ("backend_error", "backend_crashed", "it died")
    seconds = found.model_seconds + found.tool_seconds
    assert found.seconds == (9.5 if cut == len(ENDED) else seconds)


@pytest.mark.parametrize("events", [[], ENDED[1:], ENDED], ids=["nothing", "no start", "no verdict"])
def test_without_start_and_verdict_there_is_no_result(events: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"begins with a start event|without a verdict"):
        fold(events)


def test_an_interrupted_checker_ends_the_trial_although_its_loop_had_ended() -> None:
    found = judged(*ENDED, accepted=None, cause=Cause.interrupted, detail="stopped")
    assert (found.stop_reason, found.cause, found.failure_mode) == ("interrupted", "interrupted", None)


def test_a_detail_is_the_checker_s_and_else_that_of_the_end() -> None:
    lost = [START, end_event(StopReason.backend_error) | {"detail": "no route"}]
    assert judged(*lost, accepted=None, cause=Cause.backend_unreachable).detail == "no route"
    assert judged(*ENDED, accepted=False, detail="x" * 3000).detail == "x" * 2000
    idle = judged(START, reply_event(1, content="hello"), end_event())
    assert (idle.passed, idle.detail) == (False, IDLE)


def test_artifacts_decide_between_partly_done_and_rejected() -> None:
    partly = judged(*ENDED, accepted=False, artifacts=("a", "b"), changed={"a", "c"})
    wrong = judged(*ENDED, accepted=False, artifacts=("a", "b"), changed={"a", "b"})
    untouched = judged(*ENDED, accepted=False, artifacts=("a",))
    assert [one.cause for one in (partly, wrong, untouched)] == [
        Cause.partial_complete,
        Cause.checker_rejected,
        Cause.scaffold_untouched,
    ]


def test_what_a_checker_asks_of_an_attempt() -> None:
    attempt = read_attempt(ENDED)

    assert [(call.turn, call.index, call.outcome) for call in attempt.calls] == [
        (1, 0, CallOutcome.ok),
        (1, 1, CallOutcome.unknown),
    ]
    assert (attempt.answer, attempt.executed, attempt.id) == ("Done.", 1, START["attempt"])
    solved = read_attempt([START, end_event() | {"answer": "by hand"}])
    assert (solved.answer, read_attempt([START]).answer) == ("by hand", "")


def test_replies_are_told_apart_by_text_and_by_tokens() -> None:
    """Where the backend knows the ids, two ways to write one text are two observations."""
    digests = {reply_digest("ab", ids) for ids in ((), (1, 2), (12,))} | {
        reply_digest("a", ()),
        reply_digest("\ud800", ()),
    }
    assert len(digests) == 5
    one, other = ([START, reply_event(1, digest=digest), end_event()] for digest in ("0" * 64, "1" * 64))
    assert judged(*one).replies_digest != judged(*other).replies_digest
    assert judged(START, end_event()).replies_digest == hashlib.sha256(b"").hexdigest()
