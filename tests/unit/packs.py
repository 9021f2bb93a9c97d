"""Packs on the disk that tests read back: as many trials as wanted, with transcripts, made without running anything."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from results import GAVE_UP, LOST, PASSED, WRONG, end_event, manifest, reply_event, result, start_event, tool_event

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.manifest import Manifest, manifest_bytes
from pytest_agentcore.trial.fold import verdict_event
from pytest_agentcore.trial.result import TrialResult

ENDINGS: tuple[Mapping[str, Any], ...] = (PASSED, PASSED, WRONG, GAVE_UP, LOST)


def write_pack(
    path: Path, manifest_: Manifest, results: Sequence[TrialResult], says: str = "I look."
) -> CampaignFolder:
    """A campaign's folder with these results, each with a transcript of its turns; every reply says `says`."""
    folder = CampaignFolder(path)
    for inner in (folder.transcripts, folder.verification):
        inner.mkdir(parents=True)
    folder.manifest.write_bytes(manifest_bytes(manifest_))
    folder.results.write_bytes(b"".join(to_line(one.to_json()) for one in results))
    for one in results:
        folder.transcript(one.attempt).write_bytes(b"".join(to_line(event) for event in events_of(one, says)))
    return folder


def many(tasks: int, runs: int) -> tuple[Manifest, list[TrialResult]]:
    """Trials of all outcomes, the same ones each time."""
    rng = random.Random(7)
    names = [f"task_{number:02}_of_many" for number in range(1, tasks + 1)]
    plan = [(task, run) for run in range(1, runs + 1) for task in names]
    return manifest(plan, runs=runs, finished="2026-06-10T09:00:00+00:00"), [_trial(*key, rng) for key in plan]


def events_of(one: TrialResult, says: str) -> Iterator[dict[str, Any]]:
    """From start to verdict; each turn lists a folder."""
    yield {"schema": 1, **start_event(one)}
    for turn in range(1, one.turns + 1):
        call = {"command": f"ls part_{turn}"}
        yield reply_event(turn, call, content=f"{says} This is turn {turn}.", reasoning="The folder is not known yet.")
        yield tool_event(turn, 0, call, f"a.txt\nb.txt\nexit code {turn % 2}")
    yield end_event(one.stop_reason, seconds=one.seconds)
    yield verdict_event(one.passed, detail=one.detail, cause=None if one.scored else one.cause, changed=["made.txt"])


def _trial(task: str, run: int, rng: random.Random) -> TrialResult:
    seconds = rng.lognormvariate(3, 0.7)
    facts = {"turns": rng.randint(2, 5), "seconds": seconds, "model_seconds": 0.9 * seconds, "tool_seconds": 0.1}
    started = datetime.fromtimestamp(1_780_000_000 + run, UTC).isoformat()
    attempt = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    return result(task, run, **facts | {"started": started, "attempt": attempt} | dict(rng.choice(ENDINGS)))
