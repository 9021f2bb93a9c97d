"""The record of a campaign: manifest, result lines, CSVs, each valid and readable at any moment."""

from __future__ import annotations

import csv
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from results import GAVE_UP, LOST, WRONG, manifest, result
from written import create_campaign

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.csv import TABLES, write_tables
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.jsonl import append, open_to_append
from pytest_agentcore.pack.manifest import read_manifest
from pytest_agentcore.pack.read import read_campaign, read_results
from pytest_agentcore.pack.record import CampaignRecord

FINISHED = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)
PLAN = [(task, run) for run in (1, 2, 3) for task in ("task_01", "task_02")]
RESULTS = [
    result("task_02", 1, seconds=10.0),
    result("task_01", 1, seconds=1.0),
    result("task_01", 2, seconds=3.0, **WRONG),
    result("task_02", 2, seconds=15.0, **GAVE_UP),
    result("task_01", 3, **LOST),
]


def test_a_campaign_from_its_first_to_its_last_line(tmp_path: Path) -> None:
    record = CampaignRecord.begin(tmp_path, manifest(PLAN, campaign=""))
    assert read_manifest(record.folder).finished is None
    for trial in RESULTS:
        record.add(trial)
        assert trial in read_results(record.folder)
    record.finish(exit_status=1, finished=FINISHED)

    written = read_manifest(record.folder)
    assert record.folder.id == written.campaign == "2026-06-10-tiny-agentic-core-v1"
    assert (written.exit_status, written.finished) == (1, "2026-06-10T09:00:00+00:00")
    assert [(r.task, r.run) for r in read_results(record.folder)] == [
        ("task_01", 1),
        ("task_01", 2),
        ("task_01", 3),
        ("task_02", 1),
        ("task_02", 2),
    ]
    assert sorted(path.name for path in record.folder.verification.iterdir()) == sorted(
        f"{table.name}.csv" for table in TABLES
    )


def test_a_pack_is_complete_when_the_process_is_killed(tmp_path: Path) -> None:
    """Results are read from the files alone, and the tables can be made from them."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from results import manifest, result\n"
        "from pytest_agentcore.pack.record import CampaignRecord\n"
        "record = CampaignRecord.begin(Path(sys.argv[1]), manifest())\n"
        "record.add(result())\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    env = {"PYTHONPATH": str(Path(__file__).parents[1])}
    killed = subprocess.run([sys.executable, "-c", code, tmp_path], check=False, capture_output=True, env=env)
    assert killed.returncode == -9, killed.stderr.decode()

    folder = CampaignFolder(tmp_path / "2026-06-10-tiny-agentic-core-v1")
    assert read_results(folder) == [result()]
    write_tables(read_campaign(folder.path), folder)
    assert len(_rows(folder, "pass_rate_by_task")) == 2


def test_a_second_process_on_a_campaign_is_refused(tmp_path: Path) -> None:
    record = CampaignRecord.begin(tmp_path, manifest())

    with pytest.raises(UsageError, match="another process is writing this campaign"):
        CampaignRecord(record.folder, manifest())

    record.finish(exit_status=0, finished=FINISHED)


def test_of_two_lines_about_a_trial_the_last_counts_and_a_torn_one_is_forgotten(tmp_path: Path) -> None:
    folder = create_campaign(tmp_path, "c")
    lost = result(run=1, attempt="0" * 8 + "-0000-0000-0000-" + "0" * 12, **LOST)
    for _ in range(2):
        record = CampaignRecord(folder, manifest())
        record.add(lost)
        record.add(result(run=1, attempts=2))
        record.abandon()
        with folder.results.open("ab") as file:
            file.write(b'{"schema":1,"mod')

    assert read_results(folder) == [result(run=1, attempts=2)]


def test_a_second_score_is_refused_by_the_store(tmp_path: Path) -> None:
    """Whoever opens it, whatever they knew, and whatever they bring."""
    record = CampaignRecord.begin(tmp_path, manifest(PLAN))
    other = "0" * 8 + "-0000-0000-0000-" + "0" * 12
    record.add(result("task_01", 1, attempt=other, **LOST))
    first = result("task_01", 1, **WRONG)
    record.add(first)
    folder, lines = record.folder, record.folder.results.read_bytes()
    record.abandon()
    for late in (
        result("task_01", 1),
        result("task_01", 1, attempt=other),
        result("task_01", 1, attempt=other, **LOST),
    ):
        folder.transcript(late.attempt).touch()
        record = CampaignRecord(folder, read_manifest(folder))
        record.add(late)
        assert record.refuse(late) == first
        assert record.campaign.results == (first,)
        with pytest.raises(ValueError, match="is not the attempt that was judged before"):
            record.judge_again(result("task_01", 1, attempt=other))
        record.close()
    assert folder.results.read_bytes() == lines
    assert [path.stem for path in folder.attempts.iterdir()] == [other]


def test_of_two_scores_on_the_disk_the_first_counts(tmp_path: Path) -> None:
    """Lines that somebody else wrote."""
    folder, other = create_campaign(tmp_path, "c"), "0" * 8 + "-0000-0000-0000-" + "0" * 12
    lines = [result(run=1, **WRONG), result(run=1, attempt=other), result(run=1, **GAVE_UP)]
    with open_to_append(folder.results) as file:
        for line in lines:
            append(file, line.to_json())
    assert read_results(folder) == [lines[2]]  # of the first attempt, judged again


def _rows(folder: CampaignFolder, table: str) -> list[dict[str, str]]:
    with (folder.verification / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
