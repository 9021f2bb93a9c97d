"""The main process's side of the record: folders, manifests, result lines, verification tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore import __version__
from pytest_agentcore.campaign.crash import open_attempts
from pytest_agentcore.campaign.folder import CampaignFolder, CampaignLock, campaign_name, create_campaign
from pytest_agentcore.campaign.machine import machine_facts, package_versions
from pytest_agentcore.campaign.manifest import Manifest, PlannedTrial, SuiteFacts, utc, write_manifest
from pytest_agentcore.campaign.store import Store
from pytest_agentcore.campaign.verification import write_verification
from pytest_agentcore.hooks.judging import RESULT
from pytest_agentcore.hooks.running import FINISHED, Running
from pytest_agentcore.setup import Setup
from pytest_agentcore.suite import Suite
from pytest_agentcore.trial import TrialKey, TrialResult
from pytest_agentcore.verdict.modes import StopReason

PLAN = "agentcore_plan"
"""Attribute of a process's first report: what it collected, as `PlanLine`s in JSON."""
MODELS = "agentcore_models"
"""Attribute of a report: what the models opened so far said of themselves, by slug."""

PlanLine = tuple[str, str, int, tuple[str, ...]]
"""Model slug, task id, run index, names of the task's tools."""


@dataclass(kw_only=True)
class Campaign:
    """One model's campaign while it is written."""

    setup: Setup
    folder: CampaignFolder
    lock: CampaignLock
    store: Store
    manifest: Manifest
    results: dict[TrialKey, TrialResult] = field(default_factory=dict)

    def revise(self, **changes: Any) -> None:
        """Change the manifest, in memory and on disk."""
        self.manifest = replace(self.manifest, **changes)
        write_manifest(self.folder, self.manifest)

    def add(self, result: TrialResult) -> None:
        """Put a result where no kill can take it away."""
        self.store.add(result)
        self.results[result.key] = result

    def close(self, exit_status: int) -> None:
        """Write what is derived from the results and let the folder go."""
        self.store.close()
        self.manifest = self.manifest.end(exit_status=exit_status, finished=datetime.now(UTC))
        write_manifest(self.folder, self.manifest)
        write_verification(self.folder, self.manifest, list(self.results.values()))
        self.lock.release()


class Recording:
    """Opens a campaign per model and keeps it true while reports come in."""

    def __init__(self, running: Running, suite: Suite, results: Path, arguments: Iterable[str]) -> None:
        self._running, self._suite, self._results = running, suite, results
        self._arguments = tuple(arguments)
        self.campaigns: dict[str, Campaign] = {}
        self.warnings: list[str] = []

    def open(self, plan: Sequence[PlanLine] = ()) -> None:
        """Make the folders: with the plan where this process collected, without where its workers do."""
        for slug in dict.fromkeys(line[0] for line in plan) or tuple(self._running.setups):
            self.campaigns[slug] = self._open(self._running.setups[slug])
            self._running.folders[slug] = self.campaigns[slug].folder
        self.take_plan(plan)

    def take_plan(self, plan: Sequence[PlanLine]) -> None:
        """Write down what is going to run, once."""
        for slug, campaign in self.campaigns.items():
            lines = [line for line in plan if line[0] == slug]
            if lines and not campaign.manifest.planned:
                used = {name for line in lines for name in line[3]}
                campaign.revise(
                    planned=tuple(PlannedTrial(task=line[1], run=line[2]) for line in lines),
                    tools=tuple(asdict(tool.spec) for name, tool in self._running.tools.items() if name in used),
                )

    def take_models(self, described: Mapping[str, Mapping[str, Any]]) -> None:
        """Write down what the models said of themselves, once each."""
        for slug, facts in described.items():
            campaign = self.campaigns.get(slug)
            if campaign and not campaign.manifest.backend:
                campaign.revise(backend=dict(facts))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a report carries; tryfirst, so that nothing is shown that is not on the disk."""
        self.take_plan([tuple(line) for line in getattr(report, PLAN, ())])
        self.take_models(getattr(report, MODELS, {}))
        data = getattr(report, RESULT, None)
        if data is not None:
            result = TrialResult.from_json(data)
            self._running_hook(result)

    def pytest_agentcore_trial_finished(self, result: TrialResult) -> None:
        """The plugin's own use of the hook: write the result line."""
        self.campaigns[result.model].add(result)

    def pytest_configure(self, config: pytest.Config) -> None:
        """Remember where the hook is called."""
        self._config = config

    def pytest_keyboard_interrupt(self) -> None:
        """An interrupted trial never gets a report; what is known of it is recorded all the same."""
        session = self._config.pluginmanager.get_plugin("session")
        for item in getattr(session, "items", ()):
            finished = item.stash.get(FINISHED, None)
            if finished and finished.attempt.stop_reason is StopReason.interrupted:
                self._running_hook(finished.judge(None))
                finished.close()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Close the campaigns with the exit status that pytest is going to return."""
        for campaign in self.campaigns.values():
            campaign.close(int(session.exitstatus))

    def crashed(self, nodeid: str, detail: str) -> TrialResult | None:
        """The result of the trial that a dead process was running, from its transcript."""
        for campaign in self.campaigns.values():
            for attempt in open_attempts(campaign.folder):
                if attempt.nodeid == nodeid and attempt.key not in campaign.results:
                    return attempt.result(detail=detail, classification=CLASSIFICATION)
        return None

    def _running_hook(self, result: TrialResult) -> None:
        self._config.hook.pytest_agentcore_trial_finished(result=result, config=self._config)

    def _open(self, setup: Setup) -> Campaign:
        now = datetime.now(UTC)
        name = campaign_name(started=now, model=setup.slug, suite=self._suite.name, policy=setup.policy.value)
        folder = create_campaign(self._results, name)
        campaign = Campaign(
            setup=setup,
            folder=folder,
            lock=CampaignLock(folder),
            store=Store(folder),
            manifest=self._manifest(setup, folder, now),
        )
        write_manifest(folder, campaign.manifest)
        return campaign

    def _manifest(self, setup: Setup, folder: CampaignFolder, now: datetime) -> Manifest:
        settings = self._running.settings
        return Manifest(
            campaign=folder.id,
            suite=SuiteFacts.of(self._suite),
            model=setup.slug,
            requested=setup.entry.name,
            entry=setup.entry.facts(),
            backend={},
            policy=setup.policy.value,
            sampling=asdict(setup.sampling),
            seed=settings.seed,
            runs=settings.runs,
            order=settings.order,
            budget=asdict(setup.limit),
            tools=(),
            sandbox=self._running.sandbox.describe(),
            harness=__version__,
            machine=machine_facts(),
            packages=package_versions(),
            arguments=self._arguments,
            planned=(),
            warnings=tuple(self.warnings),
            started=utc(now),
        )
