"""The record of one campaign while it runs: what the controller holds, one per model."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pytest_agentcore.campaign.folder import CampaignFolder, CampaignLock, campaign_name, create_campaign
from pytest_agentcore.campaign.manifest import Manifest, write_manifest
from pytest_agentcore.campaign.store import Store, in_order
from pytest_agentcore.campaign.verification import write_verification
from pytest_agentcore.trial import TrialKey, TrialResult

REFRESH_SECONDS = 1.0
"""The CSVs are written anew after a result at most this often, so that a killed campaign has them too."""


class CampaignRecord:
    """Folder, lock, manifest, result lines and CSVs. Only the controller has one; workers write transcripts."""

    def __init__(self, folder: CampaignFolder, manifest: Manifest) -> None:
        """Take the lock and write the manifest.

        Raises:
            UsageError: another process holds the campaign.
        """
        self._lock = CampaignLock(folder)
        self.folder, self.manifest = folder, replace(manifest, campaign=folder.id)
        self._store = Store(folder)
        self._results: dict[TrialKey, TrialResult] = {}
        self._written = float("-inf")
        write_manifest(folder, self.manifest)
        self._refresh()

    @classmethod
    def begin(cls, results: Path, manifest: Manifest) -> CampaignRecord:
        """Make a new campaign in the results folder, named from the manifest.

        Raises:
            UsageError: the results folder cannot be used.
        """
        name = campaign_name(
            started=datetime.fromisoformat(manifest.started),
            model=manifest.model,
            suite=manifest.suite.name,
            policy=manifest.policy,
        )
        return cls(create_campaign(results, name), manifest)

    @property
    def results(self) -> list[TrialResult]:
        """What was added so far, by task and run."""
        return in_order(self._results.values())

    def add(self, result: TrialResult) -> None:
        """Keep one result: on the disk when this returns; the CSVs follow within a second or with the next result."""
        self._results[result.key] = result
        self._store.add(result)
        if time.monotonic() - self._written >= REFRESH_SECONDS:
            self._refresh()

    def finish(self, *, exit_status: int, finished: datetime) -> None:
        """Write CSVs and manifest for the last time and let go of the folder."""
        self.manifest = self.manifest.end(exit_status=exit_status, finished=finished)
        self._refresh()
        write_manifest(self.folder, self.manifest)
        self._store.close()
        self._lock.release()

    def _refresh(self) -> None:
        write_verification(self.folder, self.manifest, self.results)
        self._written = time.monotonic()
