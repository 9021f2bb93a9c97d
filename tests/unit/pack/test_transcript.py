"""Transcripts: written by whoever runs the trial, read after anything."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from results import HOSTILE, end_event, reply_event, result, start_event, tool_event
from written import create_campaign

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.transcript import (
    TRANSCRIPT_SCHEMA,
    TranscriptWriter,
    address_of,
    judge_crashed,
    read_outline,
    read_transcript,
    set_aside,
    turns,
)
from pytest_agentcore.trial.fold import fold, read_attempt, verdict_event
from pytest_agentcore.trial.modes import Cause, FailureMode, StopReason
from pytest_agentcore.trial.result import TrialKey, TrialResult


@pytest.fixture
def folder(tmp_path: Path) -> CampaignFolder:
    return create_campaign(tmp_path, "2026-06-10-tiny-agentic-core-v1")


def test_every_event_can_be_read_while_the_trial_runs(folder: CampaignFolder) -> None:
    trial = result()
    path = folder.transcript(trial.attempt)
    with closing(TranscriptWriter(path)) as record:
        record(start_event(trial))
        assert read_transcript(path)[0]["schema"] == TRANSCRIPT_SCHEMA
        for turn, text in enumerate(HOSTILE, 1):
            record(reply_event(turn, {"command": text}, content=text))
            assert read_transcript(path)[-1]["content"] == text


def test_the_verdict_closes_a_transcript(folder: CampaignFolder) -> None:
    trial = result()
    record = TranscriptWriter(folder.transcript(trial.attempt))
    record(verdict_event(True))

    with pytest.raises(ValueError, match="closed"):
        record({"event": "feedback", "turn": 1, "text": "too late"})

    record.close()


def test_turns_hold_their_reply_results_and_feedback() -> None:
    events = [
        start_event(result()),
        reply_event(1, {"command": "ls"}, {"command": "pwd"}),
        tool_event(1, 0, {"command": "ls"}, "a"),
        tool_event(1, 1, {"command": "pwd"}, "/workspace"),
        reply_event(2, problems=["the call does not parse"]),
        {"event": "feedback", "turn": 2, "text": "the call does not parse"},
        reply_event(3, content="Done."),
        end_event(),
    ]

    first, second, third = turns(events)

    assert [event["text"] for event in first.results] == ["a", "/workspace"]
    assert second.feedback == ("the call does not parse",)
    assert (third.number, third.reply["content"], third.results) == (3, "Done.", ())


def test_a_turn_can_be_cited() -> None:
    trial = result()

    assert address_of(trial, 4) == f"data/transcripts/{trial.attempt}.jsonl#turn=4"
    assert address_of(trial) == f"data/transcripts/{trial.attempt}.jsonl"


def test_a_superseded_attempt_moves_out_of_the_way(folder: CampaignFolder) -> None:
    trial = result()
    record = TranscriptWriter(folder.transcript(trial.attempt))
    record(start_event(trial))

    record.close()
    set_aside(folder, [record.path])

    moved = folder.attempts / f"{trial.attempt}.jsonl"
    assert read_transcript(moved)[0]["attempt"] == trial.attempt
    assert not folder.transcript(trial.attempt).exists()


def test_an_attempt_whose_process_died_is_found_with_what_it_did(folder: CampaignFolder) -> None:
    trial = result(run=2)
    path = _written(folder, trial, turns_done=2)
    with path.open("ab") as file:
        file.write(b'{"event":"reply","turn":3,"te')

    found = read_attempt(read_transcript(path))
    assert found.end is None
    lost = judge_crashed(folder, found, "the process died")

    assert (found.id, found.key) == (trial.attempt, TrialKey("tiny", "task_05_minimal_fix", 2))
    assert found.start["nodeid"] == "test_x.py::test_x[tiny-run1]"
    assert (lost.detail, lost.stop_reason) == ("the process died", StopReason.backend_error)
    assert (lost.passed, lost.failure_mode, lost.cause) == (
        None,
        FailureMode.infrastructure_error,
        Cause.backend_crashed,
    )
    assert (lost.turns, lost.tool_calls, lost.problems) == (2, 2, 1)
    assert (lost.prompt_tokens, lost.reply_tokens) == (200, 40)
    assert (lost.model_seconds, lost.tool_seconds, lost.seconds) == (3.0, 0.75, 3.75)
    assert fold(read_transcript(path)) == lost


def test_a_transcript_without_a_whole_line_holds_nothing(folder: CampaignFolder) -> None:
    folder.transcript("torn").write_bytes(b'{"event":"sta')

    assert read_transcript(folder.transcript("torn")) == []


def _written(folder: CampaignFolder, trial: TrialResult, turns_done: int) -> Path:
    """A transcript without end: each turn one good call, the last one also a call of an unknown tool."""
    path = folder.transcript(trial.attempt)
    with closing(TranscriptWriter(path)) as record:
        record(start_event(trial))
        for turn in range(1, turns_done + 1):
            record(reply_event(turn, {"command": "ls"}))
            record(tool_event(turn, 0, {"command": "ls"}, "a"))
        record(tool_event(turns_done, 1, {}, "no such tool", outcome="unknown"))
    return path


@pytest.mark.parametrize("text", [*HOSTILE, ',"text":"x"', '{"outcome":"ok"}'])
def test_an_outline_is_everything_but_the_texts_of_tool_results(tmp_path: Path, text: str) -> None:
    arguments = {"text": text, "outcome": "ok", "nested": [{"text": text}]}
    events = [
        start_event(result()),
        reply_event(1, {"command": text}, content=text),
        tool_event(1, 0, {"command": text}, text, "refused"),
        tool_event(1, 1, arguments, text),
    ]
    with closing(TranscriptWriter(tmp_path / "t.jsonl")) as record:
        for event in events:
            record(event)

    whole, outline = read_transcript(tmp_path / "t.jsonl"), read_outline(tmp_path / "t.jsonl")

    assert outline[:2] == whole[:2]
    for short, full in zip(outline[2:], whole[2:], strict=True):
        assert {name: full[name] for name in ("event", "turn", "index", "call", "outcome")}.items() <= short.items()
        assert short.items() <= full.items()
