"""The exit code under `--min-pass-rate` and `--agentcore-baseline`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from pytest_agentcore.analysis.gate import Gate, GateVerdict, check_regression, not_asked
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.session.items import key_of, task_of_id
from pytest_agentcore.session.lifecycle import plan_of, runs_nothing
from pytest_agentcore.session.recording import Recording
from pytest_agentcore.session.terminal import Presenting
from pytest_agentcore.session.trials import Running
from pytest_agentcore.session.usage import usage_errors
from pytest_agentcore.session.verdicts import RESULT
from pytest_agentcore.trial.modes import Attribution, FailureMode
from pytest_agentcore.trial.result import TrialResult


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
        campaigns = {
            label: Campaign(folder=record.folder, manifest=record.manifest, results=tuple(record.results))
            for label, record in self._recording.campaigns.items()
        }
        if self._gate:
            tasks = [task for campaign in campaigns.values() for task in campaign.manifest.tasks]
            try:
                yield self._gate.resolve(tasks).check(campaigns)
            except UsageError as error:
                yield GateVerdict(ok=False, sentences=(str(error),))
        if self._baseline:
            yield check_regression(self._baseline, campaigns)


REASON = "not run: "
"""Begins the reason of every item that is passed over."""


class Stopping:
    """Counts infrastructure errors in a row, per campaign and process; broken checkers are none."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._in_a_row: Counter[str] = Counter()
        self._stopped: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Pass over what belongs to a campaign that was ended."""
        key = key_of(item)
        if key and key.model in self._stopped and key not in self._running.recorded:
            pytest.skip(f"{REASON}{self._stopped[key.model]}")

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count, in the process that runs the trials."""
        data = getattr(report, RESULT, None)
        if data is None or hasattr(report, "node"):  # xdist gives the main process reports of its workers
            return
        result = TrialResult.from_json(data)
        label = self._running.label_of(result)
        failed = result.failure_mode is FailureMode.infrastructure_error
        if not (failed and result.attribution is Attribution.environment):
            self._in_a_row[label] = 0
            return
        self._in_a_row[label] += 1
        if self._in_a_row[label] >= self._running.settings.max_infra_errors:
            self._stopped[label] = f"{self._in_a_row[label]} infrastructure errors in a row, the last: {result.cause}"
            self._running.stop(label)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was passed over, and why."""
        reasons = [_reason(report) for report in terminalreporter.stats.get("skipped", ())]
        for reason, trials in Counter(filter(None, reasons)).items():
            terminalreporter.write_line(f"{trials} trials {reason}", yellow=True)


def _reason(report: object) -> str:
    """Of an item that was passed over here."""
    told = getattr(report, "longrepr", None)
    text = str(told[2]).removeprefix("Skipped: ") if isinstance(told, tuple) else ""
    return text if text.startswith(REASON) else ""
