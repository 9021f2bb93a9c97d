"""A campaign that is looked at while it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from results import LOST, WRONG, events_of, manifest, result

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.reports.live import Watched, version

PLAN = [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
LATER = "2099-01-01T00:00:00+00:00"


@pytest.fixture
def record(tmp_path: Path) -> Iterator[CampaignRecord]:
    """A campaign that this process is writing."""
    record = CampaignRecord.begin(tmp_path, manifest(PLAN))
    yield record
    record.abandon()


def write(folder: CampaignFolder, trial: Any, lines: int | None = None, torn: bytes = b"") -> None:
    """The first events of a transcript, and the beginning of the next one."""
    events = [to_line(event) for event in events_of(trial)]
    folder.transcript(trial.attempt).write_bytes(b"".join(events[:lines]) + torn)


def test_trials_at_work_are_told_as_far_as_their_lines_are_whole(record: CampaignRecord) -> None:
    watched, trial = Watched(record.folder), result("a", 1, started=LATER)
    nothing = watched.look()
    assert (nothing["state"], nothing["done"], nothing["running"], nothing["remaining"]) == ("running", 0, [], None)
    write(record.folder, trial, 1, torn=b'{"event":"reply","turn":1')
    (one,) = watched.look()["running"]
    assert (one["task"], one["run"], one["turns"], one["reply"]) == ("a", 1, 0, 0)
    write(record.folder, trial, 3)
    (one,) = watched.look()["running"]
    assert (one["turns"], one["calls"], one["reply"] > 0) == (1, 1, True)
    assert watched.look()["turns"] == 1
    write(record.folder, trial)
    assert watched.look()["running"] == []  # judged, though its result is not written yet
    record.add(trial)
    now = watched.look()
    assert (now["done"], now["planned"], now["passed"], now["scored"]) == (1, 4, 1, 1)
    assert now["remaining"] == pytest.approx(3 * trial.seconds)


def test_of_two_attempts_at_a_trial_the_last_is_at_work(record: CampaignRecord) -> None:
    for number in (2, 1):
        first, *_ = events_of(result("a", 1, attempts=number, attempt=f"0000000{number}-0000-4000-8000-000000000000"))
        record.folder.transcript(first["attempt"]).write_bytes(to_line({**first, "number": number}))
    assert [one["attempt"][:8] for one in Watched(record.folder).look()["running"]] == ["00000002"]


def test_what_each_worker_has_done_and_does(tmp_path: Path) -> None:
    machines = ({"workers": 2, "each": [{"worker": name} for name in ("near", "far")]},)
    record = CampaignRecord.begin(tmp_path, replace(manifest(PLAN), workers=machines))
    watched = Watched(record.folder)
    trials = [
        result(task, run, started=LATER, attempt=f"0000000{n}-0000-4000-8000-000000000000")
        for n, (task, run) in enumerate(PLAN)
    ]
    for trial, worker, is_over in zip(trials, ("far", "near", "far", "far"), (True, True, False, True), strict=True):
        first, *others = events_of(trial)
        lines = [to_line({**first, "worker": worker}), *map(to_line, others if is_over else others[:1])]
        record.folder.transcript(trial.attempt).write_bytes(b"".join(lines))
        if is_over:
            watched.look()  # one is known already when its result comes
            record.add(trial)
    expected = [{"worker": "far", "done": 2, "running": 1}, {"worker": "near", "done": 1, "running": 0}]
    for each in (watched, Watched(record.folder)):
        assert each.look()["workers"] == expected
    record.abandon()


def test_what_an_earlier_process_left_without_a_score_is_to_be_done(record: CampaignRecord) -> None:
    record.add(result("a", 1, **WRONG, started="2020-01-01T00:00:00+00:00"))
    record.add(result("a", 2, **LOST, started="2020-01-01T00:00:00+00:00"))
    assert Watched(record.folder).look()["done"] == 1
    record.add(result("b", 1, **LOST, started=LATER))
    assert Watched(record.folder).look()["done"] == 2


def test_nothing_runs_when_nobody_writes_it(record: CampaignRecord) -> None:
    write(record.folder, result("a", 1), 2)
    record.abandon()
    now = Watched(record.folder).look()
    assert (now["state"], now["running"]) == ("interrupted", [])


def test_a_file_that_somebody_replaces_is_said(record: CampaignRecord) -> None:
    watched = Watched(record.folder)
    record.add(result("a", 1, started=LATER))
    watched.look()
    record.folder.results.write_bytes(b"")
    with pytest.raises(UsageError, match="is shorter than it was"):
        watched.look()
    assert Watched(record.folder).look()["done"] == 0


def test_a_broken_line_is_named_and_versions_differ_after_each_write(record: CampaignRecord) -> None:
    before = version(record.folder)
    watched = Watched(record.folder)
    watched.look()
    record.add(result("a", 1))
    assert version(record.folder) != before
    with record.folder.results.open("ab") as file:
        file.write(b"no\n")
    with pytest.raises(UsageError, match=r"results\.jsonl: line 2 is not a JSON object"):
        watched.look()
