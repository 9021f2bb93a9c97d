"""The exit code under `--min-pass-rate`."""

from __future__ import annotations

import pytest

from pytest_agentcore.errors import UsageError
from pytest_agentcore.hooks.conducting import plan_of
from pytest_agentcore.hooks.judging import RESULT
from pytest_agentcore.hooks.presenting import Presenting
from pytest_agentcore.hooks.recording import Recording
from pytest_agentcore.reports.gate import Gate, GateVerdict


class Gating:
    """Forgives failed trials, and nothing else, when every rate is reached."""

    def __init__(self, gate: Gate, recording: Recording, presenting: Presenting | None) -> None:
        self._gate, self._recording, self._presenting = gate, recording, presenting
        self._forgivable = 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """A rate for a task that is not going to run is said now, not after the last trial."""
        tasks = [line[1] for line in plan_of(session.items)]
        if not tasks or session.testsfailed or session.config.option.collectonly:
            return
        try:
            self._gate.resolve(tasks)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from error

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the failures that are a model's."""
        data = getattr(report, RESULT, None)
        self._forgivable += data is not None and data["passed"] is False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Decide between 0 and 1; an interrupt and the exit codes 2 to 5 stand."""
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or session.config.option.collectonly:
            return
        verdict = self._check()
        if self._presenting:
            self._presenting.gate = verdict
        only_trials_failed = session.testsfailed == self._forgivable
        if verdict.ok and only_trials_failed:
            session.exitstatus = pytest.ExitCode.OK
        elif not verdict.ok:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _check(self) -> GateVerdict:
        campaigns = self._recording.campaigns
        planned = {slug: campaign.manifest.keys for slug, campaign in campaigns.items()}
        try:
            gate = self._gate.resolve(key.task for keys in planned.values() for key in keys)
        except UsageError as error:
            return GateVerdict(ok=False, sentences=(str(error),))
        return gate.check({slug: campaign.results for slug, campaign in campaigns.items()}, planned)
