"""The JSON schemas accept what the code writes, refuse what it must not write, and name the same closed sets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from results import (
    GAVE_UP,
    HOSTILE,
    INTERRUPTED,
    LOST,
    WRONG,
    end_event,
    manifest,
    reply_event,
    result,
    start_event,
    tool_event,
)

from pytest_agentcore.backends.base import FinishReason
from pytest_agentcore.catalogue.entry import Policy
from pytest_agentcore.pack.folder import create_campaign
from pytest_agentcore.pack.manifest import Manifest, write_manifest
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.pack.transcript import TranscriptWriter, read_transcript
from pytest_agentcore.pack.validate import NAMES, schema, validator
from pytest_agentcore.trial.fold import verdict_event
from pytest_agentcore.trial.modes import Attribution, Cause, FailureMode, Resemblance, StopReason
from pytest_agentcore.trial.result import CallOutcome, TrialResult


@pytest.mark.parametrize("name", NAMES)
def test_each_schema_is_one(name: str) -> None:
    validator(name).check_schema(schema(name))


def test_a_written_manifest_is_valid(tmp_path: Path) -> None:
    folder = create_campaign(tmp_path, "2026-06-10-tiny-agentic-core-v1")
    write_manifest(folder, manifest())

    validator("manifest").validate(json.loads(folder.manifest.read_bytes()))


@pytest.mark.parametrize("outcome", [{}, WRONG, GAVE_UP, LOST, INTERRUPTED], ids=["pass", "w", "g", "i", "stopped"])
def test_a_written_result_line_is_valid(tmp_path: Path, outcome: dict[str, Any]) -> None:
    record = CampaignRecord.begin(tmp_path, manifest())
    record.add(result(**outcome))
    record.abandon()

    validator("result").validate(json.loads(record.folder.results.read_bytes()))


def test_every_event_of_a_written_transcript_is_valid(tmp_path: Path) -> None:
    trial, path = result(), tmp_path / "x.jsonl"
    with TranscriptWriter(path) as record:
        record(start_event(trial))
        for turn, text in enumerate(HOSTILE, 1):
            record(reply_event(turn, {"command": text}, content=text, resembles="bare_call", repairs=[text]))
            record(tool_event(turn, 0, {"command": text}, text))
            record({"event": "feedback", "turn": turn, "text": text})
        record(end_event())
        record(verdict_event(None, detail="it broke", cause=Cause.checker_broken))

    validate = validator("transcript")
    for event in read_transcript(path):
        validate.validate(event)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("result", result().to_json() | {"extra": 1}),
        ("result", result().to_json() | {"stop_reason": "bored"}),
        ("result", result().to_json() | {"run": 0}),
        ("manifest", manifest().to_json() | {"campaign": "a/b"}),
        ("manifest", manifest().to_json() | {"hostname": "box"}),
        ("transcript", verdict_event(True) | {"extra": 1}),
        ("transcript", {"event": "note", "turn": 1}),
        ("transcript", reply_event(0)),
    ],
)
def test_what_the_code_does_not_write_is_invalid(name: str, wrong: dict[str, Any]) -> None:
    assert not validator(name).is_valid(wrong)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (schema("result")["$defs"]["stop_reason"]["enum"], StopReason),
        (schema("result")["$defs"]["failure_mode"]["enum"], FailureMode),
        (schema("result")["$defs"]["cause"]["enum"], Cause),
        (schema("result")["$defs"]["attribution"]["enum"], Attribution),
        (schema("result")["$defs"]["policy"]["enum"], Policy),
        (schema("transcript")["$defs"]["reply"]["properties"]["finish"]["enum"], FinishReason),
        (schema("transcript")["$defs"]["reply"]["properties"]["resembles"]["enum"][:-1], Resemblance),
        (schema("transcript")["$defs"]["tool_result"]["properties"]["outcome"]["enum"], CallOutcome),
    ],
)
def test_closed_sets_are_the_code_s(found: Iterable[str], expected: type[StrEnum]) -> None:
    assert list(found) == [member.value for member in expected]


@pytest.mark.parametrize(
    ("described", "kind", "more"),
    [
        (schema("result")["$defs"]["result"], TrialResult, {"schema", "outcome", "attribution"}),
        (schema("manifest"), Manifest, {"schema"}),
    ],
)
def test_fields_are_the_code_s_and_all_required(described: dict[str, Any], kind: type, more: set[str]) -> None:
    expected = {field.name for field in fields(kind)} | more
    assert set(described["properties"]) == expected
    assert set(described["required"]) == expected


@pytest.mark.parametrize(
    ("kind", "whole"),
    [(TrialResult, result().to_json()), (Manifest, manifest().to_json())],
    ids=["result", "manifest"],
)
def test_every_field_must_be_there(kind: type[TrialResult | Manifest], whole: dict[str, Any]) -> None:
    assert kind.from_json(json.loads(json.dumps(whole))) == kind.from_json(whole)
    for name in {field.name for field in fields(kind)}:
        with pytest.raises(ValueError, match=f"without {name}"):
            kind.from_json({key: value for key, value in whole.items() if key != name})
