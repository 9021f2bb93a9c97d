"""A campaign read as reports read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from results import INTERRUPTED, LOST, WRONG, manifest, result
from small_packs import pack
from written import create_campaign

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import CampaignFolder, lock_campaign
from pytest_agentcore.pack.manifest import Selection
from pytest_agentcore.pack.read import read_campaign, read_results
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.trial.result import TrialKey, TrialResult

PLAN = [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
NAME = "2026-06-10-tiny-agentic-core-v1"


def test_by_folder_by_manifest_and_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _pack(tmp_path / "agentcore-results", [result("b", 1), result("a", 1)])
    monkeypatch.chdir(tmp_path)

    read = [read_campaign(place) for place in (made.path, str(made.manifest), NAME, f"agentcore-results/{NAME}")]
    elsewhere = read_campaign(NAME, made.path.parent)

    assert {campaign.folder.path for campaign in (*read, elsewhere)} == {made.path.resolve()}
    assert [trial.task for trial in elsewhere.results] == ["a", "b"]
    assert elsewhere.manifest.campaign == NAME


def test_what_is_left_has_no_score(tmp_path: Path) -> None:
    made = _pack(tmp_path, [result("a", 1, **WRONG), result("b", 1, **LOST), result("a", 2, **INTERRUPTED)])

    campaign = read_campaign(made.path)

    assert campaign.left == (TrialKey("tiny", "b", 1), TrialKey("tiny", "a", 2), TrialKey("tiny", "b", 2))
    assert not campaign.has_ended


@pytest.mark.parametrize(("plan", "complete"), [([("a", 1)], True), ([], False)])
def test_complete_is_a_plan_with_every_trial_scored(
    tmp_path: Path, plan: list[tuple[str, int]], complete: bool
) -> None:
    record = CampaignRecord.begin(tmp_path, manifest(plan))
    record.add(result("a", 1))
    record.finish(exit_status=0, finished=datetime(2026, 6, 10, tzinfo=UTC))

    assert read_campaign(record.folder.path).has_ended is complete


@pytest.mark.parametrize(
    ("trials", "ended", "state"),
    [
        ([result("a", 1)], {"finished": "2026-06-10T09:00:00+00:00", "exit_status": 1}, "complete"),
        ([result("a", 1, **LOST)], {"finished": "2026-06-10T09:00:00+00:00", "exit_status": 1}, "incomplete"),
        ([], {"finished": "2026-06-10T09:00:00+00:00", "exit_status": 2}, "interrupted"),
        ([result("a", 1)], {"finished": None}, "interrupted"),
    ],
)
def test_the_state_follows_from_plan_end_and_lock(
    tmp_path: Path, trials: list[TrialResult], ended: dict[str, object], state: str
) -> None:
    read = pack(tmp_path / "c", trials, planned=[("a", 1)], **ended)
    assert read.state == state
    with lock_campaign(read.folder):
        assert read.state == (state if ended["finished"] else "running")


def test_a_selection_does_not_count(tmp_path: Path) -> None:
    asked = Selection(asked=("--lf",), of="2026-06-09-tiny-agentic-core-v1")
    made = _pack(tmp_path, [], selection=asked)

    read = read_campaign(made.path).manifest

    assert (read.selection, read.counts) == (asked, False)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("nowhere", rf"no campaign 'nowhere': .* nor the id of one in .*, the newest there: {NAME}"),
        ("", f"the folder has no manifest.json; it holds 1 campaigns, name one: {NAME}"),
        ("empty", "the folder has no manifest.json; nor any below it"),
    ],
)
def test_no_campaign_is_a_sentence(tmp_path: Path, place: str, sentence: str) -> None:
    _pack(tmp_path, [])
    (tmp_path / "empty").mkdir()

    with pytest.raises(UsageError, match=sentence):
        read_campaign(tmp_path / place if place != "nowhere" else place, tmp_path)


def _pack(results: Path, trials: list[TrialResult], **changes: object) -> CampaignFolder:
    record = CampaignRecord.begin(results, manifest(PLAN, **changes))
    for trial in trials:
        record.add(trial)
    record.finish(exit_status=0, finished=datetime(2026, 6, 10, tzinfo=UTC))
    return record.folder


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"schema": 99}, "line 1: schema 99"), ({"stop_reason": "bored"}, "line 1: 'bored'")],
)
def test_a_result_line_of_another_kind_is_named(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    folder = create_campaign(tmp_path, "c")
    folder.results.write_text(json.dumps(result().to_json() | change) + "\n")

    with pytest.raises(UsageError, match=problem):
        read_results(folder)
