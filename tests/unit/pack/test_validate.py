"""A pack that was edited, cut or thinned out is found, with file and line; and the JSON schemas are the code's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import closing
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
from written import create_campaign, write_campaign, write_evidence

from pytest_agentcore.backends.base import FinishReason
from pytest_agentcore.catalogue.entry import Policy
from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.manifest import Manifest, manifest_bytes
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.pack.transcript import TranscriptWriter, read_transcript
from pytest_agentcore.pack.validate import NAMES, examine, schema, validator
from pytest_agentcore.trial.fold import verdict_event
from pytest_agentcore.trial.modes import Attribution, Cause, FailureMode, Resemblance, StopReason
from pytest_agentcore.trial.result import CallOutcome, TrialResult

TRIALS = [result("a", 1), result("a", 2, **WRONG), result("b", 1, **LOST)]
FIRST, SECOND = TRIALS[0].attempt, TRIALS[1].attempt


@pytest.fixture
def folder(tmp_path: Path) -> CampaignFolder:
    return write_campaign(tmp_path / "results", TRIALS)


def edit(path: Path, old: str, new: str) -> None:
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


def line(path: Path, number: int) -> str:
    return path.read_text().splitlines(keepends=True)[number - 1]


def cut(path: Path, lines: int) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))


def replay(folder: CampaignFolder) -> None:
    """A failed trial that was run again by hand until it passed."""
    again = result("a", 2, attempt="0" * 8 + "-0000-0000-0000-" + "0" * 12)
    with folder.results.open("a") as file:
        file.write(json.dumps(again.to_json()) + "\n")


TAMPERED: list[tuple[Callable[[CampaignFolder], object], str]] = [
    (lambda f: edit(f.results, '"passed":false', '"passed":true'), "data/results.jsonl: line 2: was changed"),
    (
        lambda f: edit(f.results, '"turns":4', '"turns":"four"'),
        "data/results.jsonl: line 1: breaks its schema at turns",
    ),
    (lambda f: edit(f.results, '{"schema"', "{schema"), "data/results.jsonl: line 1: is no result"),
    (lambda f: cut(f.results, 1), f"data/results.jsonl: lacks the line of {SECOND}.jsonl"),
    (lambda f: f.results.write_bytes(f.results.read_bytes()[:-20]), "data/results.jsonl: line 3: has no end"),
    (replay, "data/results.jsonl: line 4: replaces a[tiny-run2], which line 2 has scored"),
    (lambda f: edit(f.manifest, '"seed": 7', '"seed": 8'), "manifest.json: line "),
    (lambda f: edit(f.manifest, '"run": 2', '"run": 5'), "is about a[tiny-run2], which the manifest does not plan"),
    (lambda f: cut(f.manifest, 12), "manifest.json: line 13: is no JSON"),
    (lambda f: f.manifest.unlink(), "manifest.json: line 1: is no JSON"),
    (
        lambda f: edit(f.transcript(SECOND), '"seconds":0.5', '"seconds":1.5'),
        f"data/transcripts/{SECOND}.jsonl: line 3: was changed",
    ),
    (
        lambda f: cut(f.transcript(SECOND), 3),
        f"data/transcripts/{SECOND}.jsonl: line 4: was changed after it was written: 3 lines of 10 are left",
    ),
    (lambda f: f.transcript(FIRST).unlink(), f"data/transcripts/{FIRST}.jsonl: is missing; line 1 of"),
    (lambda f: f.workspace(FIRST).write_bytes(b"other"), f"data/workspaces/{FIRST}.tar.gz: was changed"),
    (lambda f: f.workspace(FIRST).unlink(), f"data/workspaces/{FIRST}.tar.gz: is missing"),
    (
        lambda f: edit(f.verification / "trials.csv", ",4,3,", ",9,9,"),
        "verification/trials.csv: line 2: was changed",
    ),
    (lambda f: cut(f.verification / "trials.csv", 2), "verification/trials.csv: line 3: was changed"),
    (
        lambda f: edit(f.verification / "pass_rate_by_task.csv", ",passed,", ",failed,"),
        "verification/pass_rate_by_task.csv: line 1: was changed",
    ),
    (lambda f: (f.verification / "cost_breakdown.csv").unlink(), "verification/cost_breakdown.csv: is missing"),
    (lambda f: edit(f.digests, '{"attempt"', "{attempt"), "data/digests.jsonl: line 2: was changed"),
    (lambda f: edit(f.digests, '"workspace":"', '"workspace":"0'), "data/digests.jsonl: line 2: was changed"),
    (
        lambda f: edit(f.digests, f.digests.read_text().splitlines()[2] + "\n", ""),
        "data/digests.jsonl: line 3: was changed",
    ),
    (lambda f: f.digests.write_bytes(b""), "data/digests.jsonl: is empty"),
    (lambda f: f.digests.unlink(), "data/digests.jsonl: is missing"),
    (lambda f: f.digests.write_bytes(f.digests.read_bytes()[:-9]), "data/digests.jsonl: line "),
]


def test_a_pack_as_it_was_written(folder: CampaignFolder) -> None:
    found = examine(folder)

    assert found.problems == []
    assert (found.results, found.transcripts, found.workspaces) == (3, 3, 3)


@pytest.mark.parametrize(("tamper", "sentence"), TAMPERED, ids=[sentence for _, sentence in TAMPERED])
def test_what_was_changed_is_named(
    folder: CampaignFolder, tamper: Callable[[CampaignFolder], object], sentence: str
) -> None:
    tamper(folder)

    problems = [str(problem) for problem in examine(folder).problems]

    assert any(sentence in problem for problem in problems), problems


def test_a_line_that_says_otherwise_than_its_transcript_is_named(folder: CampaignFolder) -> None:
    """Also where no digest is left to say so."""
    folder.digests.unlink()
    edit(folder.results, '"turns":4', '"turns":5')

    problems = [str(problem) for problem in examine(folder).problems]

    where = f"the events of data/transcripts/{FIRST}.jsonl"
    assert f"data/results.jsonl: line 1: disagrees with {where}: turns" in problems


def test_an_edited_transcript_of_a_trial_that_a_kill_ended(tmp_path: Path) -> None:
    record = CampaignRecord.begin(tmp_path / "results", manifest([("a", 1)]))
    write_evidence(record.folder, TRIALS[0], tmp_path / "scratch", judged=False)
    record.abandon()
    assert examine(record.folder).problems == []
    path = record.folder.transcript(FIRST)

    edit(path, '"turn":1', '"turn":"one"')
    assert [(problem.file, problem.line) for problem in examine(record.folder).problems] == [
        (f"data/transcripts/{FIRST}.jsonl", 2)
    ]
    edit(path, '{"event"', '{event"')
    (problem,) = examine(record.folder).problems
    assert str(problem).startswith(f"data/transcripts/{FIRST}.jsonl: line 1 is not a JSON object")


def test_what_a_kill_leaves_is_no_problem(tmp_path: Path) -> None:
    """A torn line, tables that lag behind, and a digest whose result line never came."""
    record = CampaignRecord.begin(tmp_path / "results", manifest([(trial.task, trial.run) for trial in TRIALS]))
    for trial in TRIALS:
        write_evidence(record.folder, trial, tmp_path / "scratch")
    record.add(TRIALS[0])
    record.add(TRIALS[1])
    record.seals.result(TRIALS[2])
    record.abandon()
    for path, torn in ((record.folder.results, '{"schema":1,"mod'), (record.folder.digests, '{"torn')):
        with path.open("a") as file:
            file.write(torn)

    assert examine(record.folder).problems == []


def test_the_command(folder: CampaignFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(folder.path)]) == 0
    assert capsys.readouterr().out == f"{folder.id}: as it was written (3 results, 3 transcripts, 3 workspaces)\n"
    edit(folder.results, '"passed":false', '"passed":true')
    assert main(["validate", folder.id, "--results", str(folder.path.parent)]) == 1
    assert "line 2: was changed after it was written" in capsys.readouterr().out
    assert main(["validate", "nowhere"]) == 2


@pytest.mark.parametrize("name", NAMES)
def test_each_schema_is_one(name: str) -> None:
    validator(name).check_schema(schema(name))


def test_a_written_manifest_is_valid(tmp_path: Path) -> None:
    folder = create_campaign(tmp_path, "2026-06-10-tiny-agentic-core-v1")
    folder.manifest.write_bytes(manifest_bytes(manifest()))

    validator("manifest").validate(json.loads(folder.manifest.read_bytes()))


@pytest.mark.parametrize("outcome", [{}, WRONG, GAVE_UP, LOST, INTERRUPTED], ids=["pass", "w", "g", "i", "stopped"])
def test_a_written_result_line_is_valid(tmp_path: Path, outcome: dict[str, Any]) -> None:
    record = CampaignRecord.begin(tmp_path, manifest())
    record.add(result(**outcome))
    record.abandon()

    validator("result").validate(json.loads(record.folder.results.read_bytes()))


def test_every_event_of_a_written_transcript_is_valid(tmp_path: Path) -> None:
    trial, path = result(), tmp_path / "x.jsonl"
    with closing(TranscriptWriter(path)) as record:
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
    assert set(described["required"]) == expected - {
        "shard",
        "rows",
        "rows_reason",
        "audit",
        "workers",
    }  # older than these
