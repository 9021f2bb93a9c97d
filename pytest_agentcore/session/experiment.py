"""The experiment that a session makes, and its campaigns as the process that runs their trials knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_agentcore.backends.base import BackendFactory
from pytest_agentcore.options import Settings
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.setup import Setup
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tools.base import Tool
from pytest_agentcore.trial.result import TrialKey, TrialResult


@dataclass(kw_only=True)
class Campaigns:
    """The session's campaigns, as the process that runs their trials knows them."""

    setups: dict[str, Setup]
    """By label, in the order given; once a model is fetched, with its file."""
    folders: dict[str, CampaignFolder] = field(default_factory=dict)
    """By label; filled when the campaigns are opened."""
    recorded: dict[TrialKey, TrialResult] = field(default_factory=dict)
    """Trials that an earlier process scored: they are reported and not run."""
    attempts: dict[TrialKey, int] = field(default_factory=dict)
    """How many attempts earlier processes made at the others."""

    def label_of(self, result: TrialResult) -> str:
        """The campaign that a result belongs to."""
        asked = (result.model, result.policy, result.context_load)
        return next(label for label, s in self.setups.items() if (s.slug, s.policy.value, s.load) == asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Everything that was asked for, settled: the same in the main process and in every worker."""

    settings: Settings
    suite: Suite
    sandbox: Sandbox
    backends: Mapping[str, BackendFactory]
    """Factories by name."""
    tools: Mapping[str, Tool]
    """By name; they grow while tasks are collected, with the conftests that pytest loads."""
    campaigns: Campaigns
