"""Trials that an earlier process scored: their items stay, report what was recorded, and run nothing."""

from __future__ import annotations

from collections.abc import Generator
from typing import cast

import pytest

from pytest_agentcore.campaign.folder import CampaignFolder
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.hooks.collecting import key_of
from pytest_agentcore.hooks.judging import RESULT, explain
from pytest_agentcore.hooks.running import Running
from pytest_agentcore.hooks.tracebacks import make_inert
from pytest_agentcore.reports.junit import properties
from pytest_agentcore.trial import TrialResult

RECORDED = "agentcore_recorded"
"""Attribute of a report that is about a trial which was recorded before this process began."""


class Replaying:
    """Puts the recorded outcome in the checker's place."""

    def __init__(self, running: Running) -> None:
        self._running = running

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """The checker has spoken already."""
        result = self._recorded(pyfuncitem)
        if result and not result.passed:
            said = f"{result.detail or result.outcome}\n(recorded on {result.started}; not run again)"
            pytest.fail(said, pytrace=False)
        return True if result else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """What the report of that checker said, as far as it was kept."""
        report = yield
        result = self._recorded(item)
        if result is None:
            return report
        report.duration = result.seconds if call.when == "setup" else 0.0
        if call.when == "call":
            setattr(report, RESULT, result.to_json())
            setattr(report, RECORDED, True)
            item.user_properties.extend([*properties(result), ("recorded", "true")])
            key = key_of(item)
            assert key is not None
            _tell(report, result, self._running.folders[key.model], item)
        return report

    def _recorded(self, item: pytest.Item) -> TrialResult | None:
        key = key_of(item)
        return self._running.recorded.get(key) if key else None


def placeholder() -> Trial:
    """What the `trial` fixture gives for a trial that is not run; its checker is not called."""
    return cast("Trial", None)


def _tell(report: pytest.TestReport, result: TrialResult, folder: CampaignFolder, item: pytest.Item) -> None:
    if result.passed:
        return
    explain(result, folder, report, item.config.invocation_params.dir)
    make_inert(report)
