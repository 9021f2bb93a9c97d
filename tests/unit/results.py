"""Builders of values that many tests need: a trial's result, a manifest, a transcript's events."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from pytest_agentcore.pack.manifest import Manifest, PlannedTrial, SuiteFacts
from pytest_agentcore.session.recording import machine_facts, package_versions
from pytest_agentcore.trial.fold import reply_digest, verdict_event
from pytest_agentcore.trial.modes import Cause, FailureMode, StopReason
from pytest_agentcore.trial.result import TrialResult, Usage

HOSTILE = (
    "plain",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "nul \x00 del \x7f c1 \x9b31m",
    "lone \ud800 surrogate \udfff",
    "right \u202eto left\u202c \u2066isolate\u2069",
    "lines\nof\r\ntext\twith\u2028separators\u2029 and \x85",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "]]><script>alert(1)</script>&amp;<!--",
    "wide 漢字 and 👩\u200d👩\u200d👧 and e\u0301" + "\u0301" * 50,
    "non\ufffecharacter \uffff",
    "\"quoted\", comma; 'single' \\ backslash",
    "",
)
"""Strings that models can write and that break terminals, spreadsheets, XML or JSON when they are not handled."""

PASSED: dict[str, Any] = {"passed": True, "failure_mode": None, "cause": None}
WRONG: dict[str, Any] = {
    "passed": False,
    "failure_mode": FailureMode.wrong_answer,
    "cause": Cause.checker_rejected,
    "detail": "AssertionError: 5 of 6 tests pass",
}
GAVE_UP: dict[str, Any] = {
    "passed": False,
    "failure_mode": FailureMode.gave_up_mid_plan,
    "cause": Cause.budget_exhausted,
    "stop_reason": StopReason.turn_limit,
    "turns": 15,
}
LOST: dict[str, Any] = {
    "passed": None,
    "failure_mode": FailureMode.infrastructure_error,
    "cause": Cause.backend_unreachable,
    "stop_reason": StopReason.backend_error,
    "turns": 1,
    "tool_calls": 0,
    "seconds": 0.0,
    "tool_seconds": 0.0,
}
INTERRUPTED: dict[str, Any] = {
    "passed": None,
    "failure_mode": None,
    "cause": Cause.interrupted,
    "stop_reason": StopReason.interrupted,
}


def result(task: str = "task_05_minimal_fix", run: int = 1, **changes: Any) -> TrialResult:
    """A passed trial, with `changes`. Replies differ from trial to trial unless `replies_digest` is given.

    `events_of` gives a transcript that folds to it, as far as there can be one.
    """
    attempt = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{task}/{run}"))
    passed = TrialResult(
        model="tiny",
        task=task,
        run=run,
        attempt=attempt,
        attempts=1,
        passed=True,
        failure_mode=None,
        cause=None,
        stop_reason=StopReason.final_answer,
        detail="",
        classification=1,
        policy="native",
        sandbox="bubblewrap",
        seed=1234,
        instance="0" * 64,
        turns=4,
        tool_calls=3,
        problems=0,
        repairs=0,
        prompt_tokens=1000,
        cached_tokens=900,
        reply_tokens=200,
        seconds=12.5,
        model_seconds=12.0,
        tool_seconds=0.5,
        started="2026-06-10T08:00:00+00:00",
        replies_digest="",
    )
    changed = replace(passed, **changes)
    return replace(changed, replies_digest=changed.replies_digest or _digest_of("".join(_digests(changed))))


def events_of(one: TrialResult, says: str = "I look.", *, judged: bool = True) -> Iterator[dict[str, Any]]:
    """The events of a trial: its first turn has all calls, tokens, seconds, problems and repairs."""
    yield start_event(one)
    for turn, digest in enumerate(_digests(one), 1):
        asked = [{"command": f"ls part_{index}"} for index in range(one.tool_calls if turn == 1 else 0)]
        usage = {name: getattr(one, name) if turn == 1 else 0 for name in asdict(Usage())}
        first: dict[str, Any] = {
            "problems": ["it does not parse"] * one.problems,
            "repairs": ["a comma"] * one.repairs,
            "seconds": one.model_seconds,
        }
        more = first if turn == 1 else {"seconds": 0.0}
        yield reply_event(turn, *asked, content=f"{says} This is turn {turn}.", digest=digest, usage=usage, **more)
        for index, arguments in enumerate(asked):
            seconds = 0.0 if index else one.tool_seconds
            yield {**tool_event(turn, index, arguments, f"a.txt\nb.txt\nexit code {turn % 2}"), "seconds": seconds}
    yield end_event(one.stop_reason, seconds=one.seconds)
    if judged:
        cause = None if one.scored else one.cause
        yield verdict_event(one.passed, detail=one.detail, cause=cause, changed=["made.txt"])


def end_event(stop_reason: StopReason = StopReason.final_answer, seconds: float = 3.0) -> dict[str, Any]:
    """How the loop of an attempt ended."""
    return {"event": "end", "stop_reason": stop_reason.value, "detail": "", "seconds": seconds}


def _digests(one: TrialResult) -> list[str]:
    """What the replies of a trial hash to."""
    return [_digest_of(f"{one.attempt}/{turn}") for turn in range(1, one.turns + 1)]


def _digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def manifest(planned: Sequence[tuple[str, int]] = (("task_05_minimal_fix", 1),), **changes: Any) -> Manifest:
    """Of a campaign with these (task, run), with `changes`."""
    made = Manifest(
        campaign="2026-06-10-tiny-agentic-core-v1",
        suite=SuiteFacts(
            name="agentic-core-v1",
            version="1.0",
            title="agentic-core-v1 (open rebuild 1.0)",
            digest="ab" * 32,
            system_prompt="You are an agent.",
        ),
        model="tiny",
        requested="tiny",
        backend={"name": "scripted", "file": "tiny-Q4_K_M.gguf", "quant": "Q4_K_M", "context": 8192, "device": "CPU"},
        policy="native",
        sampling={
            "temperature": 0.7,
            "top_p": 0.95,
            "top_k": 0,
            "min_p": 0.0,
            "repeat_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
        },
        seed=7,
        runs=3,
        order="interleaved",
        budget={"turns": 15, "reply_tokens": 4096, "seconds": 3600.0},
        tools=({"name": "shell", "description": "Run a command.", "parameters": {"type": "object"}},),
        sandbox={"name": "bubblewrap", "version": "0.8.0", "python": "3.11.2"},
        harness="0.1.0",
        machine=machine_facts(),
        packages=package_versions(),
        arguments=("--model", "tiny", "--runs", "3"),
        planned=tuple(PlannedTrial(task=task, run=run) for task, run in planned),
        started="2026-06-10T08:00:00+00:00",
    )
    return replace(made, **changes)


def start_event(of: TrialResult, nodeid: str = "test_x.py::test_x[tiny-run1]") -> dict[str, Any]:
    """How the transcript of a trial begins."""
    return {
        "event": "start",
        "attempt": of.attempt,
        "model": of.model,
        "task": of.task,
        "run": of.run,
        "nodeid": nodeid,
        "policy": of.policy,
        "sandbox": of.sandbox,
        "seed": of.seed,
        "instance": of.instance,
        "system": "You are an agent.",
        "prompt": "Fix it.",
        "tools": [{"name": "shell", "description": "Run a command.", "parameters": {"type": "object"}}],
        "budget": {"turns": 15, "reply_tokens": 4096, "seconds": 3600.0},
        "started": of.started,
        "number": of.attempts,
    }


def reply_event(turn: int, *calls: Mapping[str, Any], content: str = "", **changes: Any) -> dict[str, Any]:
    """One reply; each call is the arguments of one shell call."""
    event = {
        "event": "reply",
        "turn": turn,
        "text": content,
        "content": content,
        "reasoning": "",
        "tool_calls": [call_json(turn, index, arguments) for index, arguments in enumerate(calls)],
        "problems": [],
        "repairs": [],
        "resembles": None,
        "finish": "stop",
        "usage": {"prompt_tokens": 100, "cached_tokens": 80, "reply_tokens": 20},
        "seconds": 1.5,
        "digest": reply_digest(content, ()),
    }
    return event | changes


def tool_event(turn: int, index: int, arguments: Mapping[str, Any], text: str, outcome: str = "ok") -> dict[str, Any]:
    """What one shell call of a turn gave."""
    call = call_json(turn, index, arguments)
    return {
        "event": "tool_result",
        "turn": turn,
        "index": index,
        "call": call,
        "outcome": outcome,
        "text": text,
        "seconds": 0.25,
    }


def call_json(turn: int, index: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """One shell call."""
    return {"id": f"call_{turn}_{index}", "name": "shell", "arguments": dict(arguments)}
