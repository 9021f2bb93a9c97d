"""Shards become one campaign, if they are shards of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from results import GAVE_UP, LOST, WRONG, manifest, result
from written import FINISHED, write_campaign, write_evidence

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import CampaignFolder, lock_campaign
from pytest_agentcore.pack.manifest import Selection
from pytest_agentcore.pack.merge import merge
from pytest_agentcore.pack.read import read_campaign, read_every_result
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.pack.validate import examine
from pytest_agentcore.trial.result import TrialResult

HERE = [result("a", 1), result("b", 1, **WRONG)]
THERE = [result("a", 2), result("b", 2, **GAVE_UP)]


def shard(home: Path, name: str, trials: list[TrialResult], **changes: Any) -> CampaignFolder:
    """A campaign in a results folder of its own, as another machine would have made it."""
    return write_campaign(home / name, trials, **changes)


def join(target: Path, *parts: CampaignFolder) -> CampaignFolder:
    return merge([read_campaign(part.path) for part in parts], target).folder


def test_other_runs_and_other_machines(tmp_path: Path) -> None:
    box = {**manifest().machine, "processors": 64}
    one = shard(tmp_path, "one", HERE, runs=1, plan=[("a", 1), ("b", 1), ("c", 1)])
    two = shard(tmp_path, "two", THERE, runs=2, machine=box, started="2026-06-11T08:00:00+00:00")
    before = {path: path.read_bytes() for path in one.path.rglob("*") if path.is_file()}

    whole = read_campaign(join(tmp_path / "whole", two, one).path)

    assert [(trial.task, trial.run) for trial in whole.results] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert [(trial.task, trial.run) for trial in whole.manifest.planned] == [
        ("a", 1),
        ("b", 1),
        ("c", 1),
        ("a", 2),
        ("b", 2),
    ]
    assert (whole.manifest.campaign, whole.manifest.runs, whole.manifest.exit_status) == ("whole", 2, 0)
    assert whole.manifest.started == "2026-06-10T08:00:00+00:00"
    assert [(sitting.campaign, sitting.recorded) for sitting in whole.manifest.merged] == [(two.id, 2), (one.id, 2)]
    (warning,) = whole.manifest.warnings
    assert "processors" in warning
    assert examine(whole.folder).problems == []
    assert {path: path.read_bytes() for path in one.path.rglob("*") if path.is_file()} == before


def test_a_score_counts_and_the_other_attempts_are_kept(tmp_path: Path) -> None:
    lost = result("a", 1, attempt="0" * 8 + "-0000-0000-0000-" + "0" * 12, **LOST)
    one, two = shard(tmp_path, "one", [lost, HERE[1]]), shard(tmp_path, "two", [HERE[0]])

    whole = read_campaign(join(tmp_path / "whole", one, two).path)

    assert list(whole.results) == HERE
    assert [path.stem for path in whole.folder.attempts.iterdir()] == [lost.attempt]
    assert examine(whole.folder).problems == []


def test_a_killed_shard_leaves_the_whole_unfinished(tmp_path: Path) -> None:
    record = CampaignRecord.begin(tmp_path / "one", manifest([("a", 1), ("b", 1)]))
    write_evidence(record.folder, HERE[0], tmp_path / "scratch")
    record.add(HERE[0])
    record.abandon()

    whole = read_campaign(join(tmp_path / "whole", record.folder, shard(tmp_path, "two", THERE)).path)

    assert (whole.manifest.finished, whole.manifest.exit_status, len(whole.left)) == (None, None, 1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seed": 8}, "another experiment .*: seed: 7 → 8"),
        ({"policy": "lenient"}, "another experiment .*: policy: native → lenient"),
        ({"suite": replace(manifest().suite, digest="cd" * 32)}, "another experiment .*: suite's content"),
        ({"selection": Selection(asked=("--lf",))}, "is a selection"),
    ],
)
def test_what_does_not_belong_together_is_refused(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    one, two = shard(tmp_path, "one", HERE), shard(tmp_path, "two", THERE, **changes)

    with pytest.raises(UsageError, match=sentence):
        join(tmp_path / "whole", one, two)
    assert not (tmp_path / "whole").exists()


def test_two_scores_of_one_trial_are_refused(tmp_path: Path) -> None:
    again = result("a", 1, attempt="0" * 8 + "-0000-0000-0000-" + "0" * 12, **WRONG)
    one, two = shard(tmp_path, "one", HERE), shard(tmp_path, "two", [again])

    with pytest.raises(UsageError, match=r"a\[tiny-run1\] is scored in .* and in .*: a trial has one score") as caught:
        join(tmp_path / "whole", one, two)
    assert one.id == two.id
    assert f"{one.path} and in {two.path}:" in str(caught.value)  # shards have one name by nature


def test_a_merged_part_is_merged_with_its_history(tmp_path: Path) -> None:
    """Lines of attempts that were replaced, sittings, and the campaigns that the part was made of."""
    lost = result("a", 1, attempt="0" * 8 + "-0000-0000-0000-" + "0" * 12, **LOST)
    one, two = shard(tmp_path, "one", [lost, HERE[0]], plan=[("a", 1)]), shard(tmp_path, "two", THERE)
    three = shard(tmp_path, "three", [HERE[1]])

    whole = read_campaign(join(tmp_path / "whole", three, join(tmp_path / "part", one, two)).path)

    assert [sitting.recorded for sitting in whole.manifest.merged] == [1, 1, 2]
    assert next(read_every_result(whole.folder)).attempt == lost.attempt
    assert len(whole.results) == 4
    assert examine(whole.folder).problems == []
    path = whole.folder.attempts / f"{lost.attempt}.jsonl"
    path.write_text(path.read_text().replace("I look", "I lock"))
    assert [problem.file for problem in examine(whole.folder).problems] == [f"data/attempts/{lost.attempt}.jsonl"]


def test_a_part_that_was_changed_is_refused(tmp_path: Path) -> None:
    one, two = shard(tmp_path, "one", HERE), shard(tmp_path, "two", THERE)
    two.results.write_text(two.results.read_text().replace('"turns":4', '"turns":5', 1))

    with pytest.raises(UsageError, match=r"line 1: was changed after it was written"):
        join(tmp_path / "whole", one, two)


def test_a_part_that_is_being_written_is_refused(tmp_path: Path) -> None:
    one, two = shard(tmp_path, "one", HERE), shard(tmp_path, "two", THERE)
    lock = lock_campaign(two)

    with pytest.raises(UsageError, match="another process is writing"):
        join(tmp_path / "whole", one, two)
    lock.close()


def test_a_target_that_is_there_is_refused(tmp_path: Path) -> None:
    one, two = shard(tmp_path, "one", HERE), shard(tmp_path, "two", THERE)

    with pytest.raises(UsageError, match="is there already"):
        join(one.path, one, two)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = shard(tmp_path, "one", HERE), shard(tmp_path, "two", THERE)
    whole = tmp_path / "whole"

    assert main(["merge", str(one.path), str(two.path), "-o", str(whole)]) == 0

    assert capsys.readouterr().out.splitlines()[-1] == f"{whole}: 4 results, 4 of 4 planned trials are scored"
    assert (whole / "report.md").is_file()
    assert main(["validate", str(whole)]) == 0
    assert main(["merge", str(one.path), "-o", str(tmp_path / "x")]) == 2
    assert capsys.readouterr().err == "agentcore: error: merge: name at least two campaigns\n"


def test_finished_is_when_the_last_part_was(tmp_path: Path) -> None:
    whole = join(tmp_path / "whole", shard(tmp_path, "one", HERE), shard(tmp_path, "two", THERE))

    assert read_campaign(whole.path).manifest.finished == FINISHED.isoformat(timespec="seconds")
