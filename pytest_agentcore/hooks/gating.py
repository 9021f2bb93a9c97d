"""The exit code under `--min-pass-rate` and `--agentcore-baseline`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from pytest_agentcore.campaign.reading import Campaign
from pytest_agentcore.errors import UsageError
from pytest_agentcore.hooks.borders import usage_errors
from pytest_agentcore.hooks.collecting import task_of_id
from pytest_agentcore.hooks.conducting import plan_of, runs_nothing
from pytest_agentcore.hooks.judging import RESULT
from pytest_agentcore.hooks.presenting import Presenting
from pytest_agentcore.hooks.recording import Recording
from pytest_agentcore.reports.gate import Gate, GateVerdict, not_asked
from pytest_agentcore.reports.regression import check_regression


class Gating:
    """Forgives failed trials, and nothing else, when every rate is reached and nothing is worse than the baseline."""

    def __init__(
        self,
        gate: Gate,
        baseline: Campaign | None,
        recording: Recording,
        presenting: Presenting | None,
        *,
        typed: bool,
        refusal: str = "",
    ) -> None:
        """What is not `typed` but stands in the ini file says nothing about a run without a single task.

        Args:
            refusal: why the ini file's baseline cannot be one, if so.
        """
        self._gate, self._baseline, self._typed, self._refusal = gate, baseline, typed, refusal
        self._recording, self._presenting = recording, presenting
        self._forgivable = 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """A rate for a task that is not going to run is said now, not after the last trial."""
        if not session.testsfailed and not runs_nothing(session.config):
            self._refuse([line[1] for line in plan_of(session.items)])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Under `-n` only workers collect; what they found is known here before any of it runs."""
        self._refuse([task for nodeid in ids if (task := task_of_id(nodeid, self._recording.choices))])

    def _refuse(self, tasks: Sequence[str]) -> None:
        if not tasks or self._recording.selection:
            return
        if self._refusal:
            raise pytest.UsageError(self._refusal)
        with usage_errors():
            self._gate.resolve(tasks)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the failures that are a model's."""
        data = getattr(report, RESULT, None)
        counted = report.failed and not hasattr(report, "wasxfail")
        self._forgivable += counted and data is not None and data["passed"] is False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Decide between 0 and 1; an interrupt and the exit codes 2 to 5 stand."""
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or runs_nothing(session.config):
            return
        if not (self._typed or any(campaign.manifest.planned for campaign in self._recording.campaigns.values())):
            return
        selection = self._recording.selection
        verdicts = [not_asked(selection.asked)] if selection else list(self._verdicts())
        if self._presenting:
            self._presenting.gates = verdicts
        if selection:
            return
        only_trials_failed = session.testsfailed == self._forgivable
        if not all(verdict.ok for verdict in verdicts):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif only_trials_failed:
            session.exitstatus = pytest.ExitCode.OK

    def _verdicts(self) -> Iterator[GateVerdict]:
        if self._gate:
            yield self._check()
        if self._baseline:
            campaigns = {
                label: Campaign(folder=record.folder, manifest=record.manifest, results=tuple(record.results))
                for label, record in self._recording.campaigns.items()
            }
            yield check_regression(self._baseline, campaigns)

    def _check(self) -> GateVerdict:
        campaigns = self._recording.campaigns
        planned = {label: campaign.manifest.keys for label, campaign in campaigns.items()}
        try:
            gate = self._gate.resolve(key.task for keys in planned.values() for key in keys)
        except UsageError as error:
            return GateVerdict(ok=False, sentences=(str(error),))
        return gate.check({label: campaign.results for label, campaign in campaigns.items()}, planned)
