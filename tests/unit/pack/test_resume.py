"""Which campaign goes on, and what its last writer left to be put in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from results import INTERRUPTED, LOST, WRONG, manifest, result
from written import write_campaign, write_evidence

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import CampaignFolder, lock_campaign
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.pack.resume import Choice, choose, leftovers, resume
from pytest_agentcore.pack.validate import examine
from pytest_agentcore.trial.result import TrialKey, TrialResult

PLAN = [("a", 1), ("b", 1), ("a", 2)]
DONE = [result("a", 1), result("b", 1), result("a", 2)]
OLD = "2026-01-01T08:00:00+00:00"


def write(home: Path, trials: Sequence[TrialResult], **changes: Any) -> CampaignFolder:
    return write_campaign(home / "results", trials, plan=PLAN, **changes)


def wanted(**changes: Any) -> Manifest:
    return manifest((), campaign="", started="2026-12-31T08:00:00+00:00", **changes)


def one_choice(home: Path, **changes: Any) -> Choice:
    found = choose(home / "results", {"tiny": wanted(**changes)})["tiny"]
    found.release()
    return found


def test_an_incomplete_one_goes_on_whatever_its_date(tmp_path: Path) -> None:
    folder = write(tmp_path, DONE[:2], started=OLD)

    choice = one_choice(tmp_path)

    assert choice.earlier is not None
    assert choice.earlier.folder.path == folder.path.resolve()
    assert choice.why == f"continues {folder.id}: 2 of 3 trials are scored"


@pytest.mark.parametrize("unscored", [LOST, INTERRUPTED])
def test_without_a_score_a_trial_is_left_to_run(tmp_path: Path, unscored: dict[str, Any]) -> None:
    write(tmp_path, [*DONE[:2], result("a", 2, **unscored)])

    choice = one_choice(tmp_path)

    assert choice.earlier is not None
    assert choice.earlier.left == (TrialKey("tiny", "a", 2),)


def test_only_the_newest_of_its_kind_counts(tmp_path: Path) -> None:
    write(tmp_path, DONE[:1], started=OLD)
    newest = write(tmp_path, DONE)

    assert one_choice(tmp_path) == Choice(why=f"new: {newest.id} is complete")


def test_one_that_was_killed_after_its_last_trial_goes_on(tmp_path: Path) -> None:
    record = CampaignRecord.begin(tmp_path / "results", manifest(PLAN))
    for trial in DONE:
        write_evidence(record.folder, trial, tmp_path / "scratch")
        record.add(trial)
    record.abandon()
    folder = record.folder

    assert one_choice(tmp_path).why == f"continues {folder.id}: 3 of 3 trials are scored"


def test_another_kind_in_between_does_not_matter(tmp_path: Path) -> None:
    folder = write(tmp_path, DONE[:1], started=OLD)
    write(tmp_path, DONE, seed=8)

    choice = one_choice(tmp_path)

    assert choice.why.startswith(f"continues {folder.id}")


def test_of_another_model_nothing_is_said(tmp_path: Path) -> None:
    write(tmp_path, DONE[:1], model="other")

    assert one_choice(tmp_path) == Choice()


def test_a_broken_manifest_is_passed_over(tmp_path: Path) -> None:
    folder = write(tmp_path, DONE[:1])
    folder.manifest.write_text("{}")

    choice = one_choice(tmp_path)

    assert choice.earlier is None
    assert choice.why.startswith(f"{folder.id} was passed over: {folder.manifest}: not a manifest of a campaign: ")
    assert one_choice(tmp_path, policy="lenient") == Choice()  # it never was one of those


def test_one_that_is_being_written_is_refused_and_no_lock_stays(tmp_path: Path) -> None:
    first, second = write(tmp_path, DONE[:1]), write(tmp_path, DONE[:1], policy="lenient")
    lock = lock_campaign(second)

    with pytest.raises(UsageError, match="another process is writing this campaign"):
        choose(tmp_path / "results", {"one": wanted(), "two": wanted(policy="lenient")})

    lock.close()
    lock_campaign(first).close()


def test_what_one_command_began_goes_on_together(tmp_path: Path) -> None:
    session = "12345678-1234-1234-1234-123456789abc"
    write(tmp_path, DONE, session=session)
    write(tmp_path, DONE[:1], policy="lenient", session=session)

    choices = choose(tmp_path / "results", {"one": wanted(), "two": wanted(policy="lenient"), "three": wanted(seed=9)})
    for choice in choices.values():
        choice.release()

    assert [bool(choice.earlier) for choice in choices.values()] == [True, True, False]


def test_a_named_one_is_held_against_the_command(tmp_path: Path) -> None:
    folder = write(tmp_path, DONE)

    resume(folder.id, tmp_path / "results", wanted(runs=5)).release()
    with pytest.raises(UsageError, match=r"another experiment .*: seed: 7 → 8"):
        resume(folder.path, tmp_path / "results", wanted(seed=8))


def test_a_verdict_whose_line_was_prevented_is_taken_over(tmp_path: Path) -> None:
    """Else a scored trial would be run twice, and the better of two would count."""
    folder = write(tmp_path, DONE[:1], finished=None)
    killed, open_one = result("b", 1, **WRONG), result("a", 2)
    write_evidence(folder, killed, tmp_path / "scratch")
    write_evidence(folder, open_one, tmp_path / "scratch", judged=False)

    record = CampaignRecord.go_on(choose(tmp_path / "results", {"tiny": wanted()})["tiny"], wanted())

    assert {one.key for one in record.campaign.results if one.scored} == {killed.key, DONE[0].key}
    assert record.attempts == {DONE[0].key: 1, killed.key: 1, open_one.key: 1}
    assert [path.stem for path in folder.attempts.iterdir()] == [open_one.attempt]
    assert record.manifest.resumed[0].recorded == 2
    record.close()
    assert examine(folder).problems == []
    assert read_campaign(folder.path).results == (DONE[0], killed)


def test_half_written_files_go_away(tmp_path: Path) -> None:
    folder = write(tmp_path, DONE[:1])
    drafts = [
        folder.path / ".manifest.json.draft",
        folder.verification / ".trials.csv.draft",
        folder.workspaces / ".x.tar.gz.part",
    ]
    for draft in drafts:
        draft.write_text("{")
    with folder.results.open("a") as file:
        file.write('{"torn')
    folder.transcript("empty").touch()

    CampaignRecord.go_on(choose(tmp_path / "results", {"tiny": wanted()})["tiny"], wanted()).close()

    assert not any(draft.exists() for draft in drafts)
    assert folder.results.read_bytes().endswith(b"}\n")
    assert (folder.attempts / "empty.jsonl").exists()
    assert leftovers(read_campaign(folder.path))[2] == []
