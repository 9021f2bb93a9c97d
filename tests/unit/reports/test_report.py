"""What a report says of campaigns that are not whole, and of those that should not be believed at first sight."""

from __future__ import annotations

from pathlib import Path

import pytest
from packs import events_of, write_pack
from results import LOST, WRONG, manifest, result

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.pack.transcript import played, read_transcript
from pytest_agentcore.reports.rendering import markdown
from pytest_agentcore.reports.report import build_report


def text_of(path: Path) -> str:
    return "".join(markdown(build_report(read_campaign(path))))


def test_a_task_that_never_ran_is_unknown_and_not_failed(tmp_path: Path) -> None:
    """As in the campaign that this project was founded on: six trials lost to a dropped tunnel."""
    lost = [result("task_09", run, **LOST) for run in (1, 2, 3)]
    plan = [(task, run) for task in ("task_01", "task_09", "task_10") for run in (1, 2, 3)]
    trials = [*(result("task_01", run) for run in (1, 2, 3)), *lost]
    write_pack(tmp_path / "c", manifest(plan), trials)

    report, text = build_report(read_campaign(tmp_path / "c")), text_of(tmp_path / "c")

    assert "3/9 (33.3%), 3/3 (100.0%) of the trials that ran" in text.splitlines()[0]
    assert {failed.outcome for failed in report.failures} == {"infrastructure_error"}
    said = [statement.text for statement in report.unobserved]
    assert "task_09: 0/3 trials were scored, so nothing is known about it." in said
    assert "task_10: 0/3 trials were scored, so nothing is known about it." in said
    assert "6/9 planned trials have no score; each could pass." in said


def test_a_campaign_that_was_killed_says_so_and_lacks_nothing_else(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "c", manifest([("task_01", 1), ("task_01", 2)]), [result("task_01", 1)])
    with folder.transcript(result("task_01", 1).attempt).open("ab") as file:
        file.write(b'{"event":"torn')

    report = build_report(read_campaign(tmp_path / "c"))

    assert any("the campaign has no end" in warning.text for warning in report.warnings)
    assert report.detected[0].examined == 1


def test_a_missing_transcript_is_not_examined_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    trials = [result("task_01", run, **WRONG) for run in (1, 2)]
    folder = write_pack(tmp_path / "c", manifest([("task_01", 1), ("task_01", 2)]), trials)
    folder.transcript(trials[0].attempt).unlink()

    report = build_report(read_campaign(tmp_path / "c"))
    assert report.detected[0].examined == 1
    assert [failed.attempt in report.excerpts for failed in report.failures] == [False, True]
    assert any("How 1 trial went: the transcripts are missing" in said.text for said in report.unobserved)

    folder.transcript(trials[1].attempt).write_bytes(b'{"event":"start"\n{}\n')
    with pytest.raises(UsageError, match="line 1 is not a JSON object"):
        build_report(read_campaign(tmp_path / "c"))


def test_turns_of_an_agent_without_replies_are_turns_too(tmp_path: Path) -> None:
    trial = result("task_01", 1)
    assert any(event["event"] == "reply" for event in events_of(trial, ""))
    folder = write_pack(tmp_path / "c", manifest([("task_01", 1)]), [trial])
    path = folder.transcript(trial.attempt)
    path.write_bytes(b"".join(line for line in path.read_bytes().splitlines(True) if b'"event":"reply"' not in line))

    turns = played(read_transcript(path))

    assert [(turn.number, len(turn.results)) for turn in turns] == [(n, 1) for n in range(1, trial.turns + 1)]
