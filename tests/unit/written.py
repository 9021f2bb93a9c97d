"""Whole campaigns on disk, with the evidence that their result lines rest on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from results import events_of, manifest

from pytest_agentcore.pack.folder import CampaignFolder, make_first_free, make_places
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.pack.transcript import TranscriptWriter
from pytest_agentcore.sandbox.workspace import pack
from pytest_agentcore.trial.result import TrialResult

FINISHED = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)


def create_campaign(results: Path, name: str) -> CampaignFolder:
    """A campaign's folder in which nothing is written yet."""
    folder = CampaignFolder(make_first_free(results, name))
    make_places(folder)
    return folder


def write_evidence(folder: CampaignFolder, trial: TrialResult, scratch: Path, *, judged: bool = True) -> None:
    """Transcript and workspace of a trial."""
    scratch.mkdir(exist_ok=True)
    (scratch / "hello.txt").write_text("hello\n")
    with closing(TranscriptWriter(folder.transcript(trial.attempt))) as record:
        for event in events_of(trial, judged=judged):
            record(event)
    pack(scratch, folder.workspace(trial.attempt))


def write_campaign(results: Path, trials: Sequence[TrialResult], **changes: Any) -> CampaignFolder:
    """A campaign that ran to its end; its plan is its trials unless `plan` says otherwise."""
    plan = changes.pop("plan", [(trial.task, trial.run) for trial in trials])
    record = CampaignRecord.begin(results, manifest(plan, **changes))
    for trial in trials:
        write_evidence(record.folder, trial, results.parent / "scratch")
        record.add(trial)
    record.finish(exit_status=0, finished=FINISHED)
    return record.folder
