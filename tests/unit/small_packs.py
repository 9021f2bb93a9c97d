"""Data packs on the disk, made from values: for what reads campaigns without running one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from results import PASSED, WRONG, manifest, result

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.manifest import manifest_bytes
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.trial.result import TrialResult


def pack(path: Path, results: Sequence[TrialResult], **changes: Any) -> Campaign:
    """Write manifest and result lines; the plan is that of the results unless `planned` is given."""
    folder = CampaignFolder(path)
    folder.results.parent.mkdir(parents=True)
    planned = changes.pop("planned", [(each.task, each.run) for each in results])
    said = manifest(planned, **{"campaign": path.name, **changes})
    folder.manifest.write_bytes(manifest_bytes(said))
    folder.results.write_bytes(b"".join(to_line(replace(r, model=said.model).to_json()) for r in results))
    return read_campaign(path)


def trials_of(name: str, **passed: int) -> list[TrialResult]:
    """Three runs of each task, of which the first so many passed."""
    return [
        result(task, run, replies_digest=f"{name}{task}{run}", **(PASSED if run <= n else WRONG))
        for task, n in passed.items()
        for run in (1, 2, 3)
    ]


def campaign(path: Path, **passed: int) -> Campaign:
    """A campaign of three runs of each task, under the name of its folder."""
    return pack(path, trials_of(path.name, **passed), model=path.name)
