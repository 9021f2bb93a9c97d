"""From pytest's report of a checker to the verdict on the trial; runs where the trial ran."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from pytest_agentcore.campaign.folder import CampaignFolder
from pytest_agentcore.campaign.transcript import address, last_turns
from pytest_agentcore.errors import InfrastructureError
from pytest_agentcore.hooks.borders import record_errors
from pytest_agentcore.hooks.collecting import task_of
from pytest_agentcore.hooks.overlapping import SPAN
from pytest_agentcore.hooks.running import FINISHED, Running
from pytest_agentcore.hooks.tracebacks import hide_harness, make_inert
from pytest_agentcore.reports.junit import properties
from pytest_agentcore.reports.transcribed import turn_lines, verdict_lines
from pytest_agentcore.runner import Finished
from pytest_agentcore.trial import TrialResult

RESULT = "agentcore_result"
"""Attribute of the report that carries the TrialResult as JSON, also from an xdist worker."""

TURNS_SHOWN = 3

IDLE = "accepted by the checker, but not a single tool call gave a result: that cannot pass"


class Judging:
    """Turns phases into verdicts: a raised checker is broken, an assertion is the model's failure."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Put the trial before its checker; pytest itself would pass what returns a verdict instead of asserting it."""
        task, finished = task_of(pyfuncitem), pyfuncitem.stash.get(FINISHED, None)
        if task is None or finished is None:
            return None
        task.refuse_verdict(pyfuncitem.obj(trial=finished.trial))  # not its checker: `--trace` puts a debugger around
        if not finished.attempt.executed:
            pytest.fail(IDLE, pytrace=False)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge once, in the phase that decides."""
        finished = item.stash.get(FINISHED, None)
        if finished and call.excinfo and _is_verdict(call.excinfo.value) and not item.config.option.fulltrace:
            hide_harness(call.excinfo.value, finished.job.task.module)
        report = yield
        if finished is None:
            return report
        report.duration = finished.attempt.seconds if report.when == "setup" else 0.0  # junit's time: the trial's
        if report.when == "call" or (report.when == "setup" and (report.failed or hasattr(report, "wasxfail"))):
            with record_errors():
                result = self._judge(finished, call, report)
            setattr(report, RESULT, result.to_json())
            setattr(report, SPAN, self._running.spans.of(finished.job.key))
            item.user_properties.extend(properties(result))
            folder = self._running.folders[finished.job.key.model]
            explain(result, folder, report, item.config.invocation_params.dir)
            make_inert(report)
        return report

    def _judge(self, finished: Finished, call: pytest.CallInfo[None], report: pytest.TestReport) -> TrialResult:
        error = call.excinfo.value if call.excinfo else None
        if call.excinfo and isinstance(error, InfrastructureError):
            finished.failure = error
            report.longrepr = call.excinfo.getrepr(style="value")
            return self._unscored(finished, str(error), report)
        if error is not None and not _is_verdict(error):
            detail = f"the checker is broken: {type(error).__name__}: {error}"
            return self._unscored(finished, detail, report, broken=True)
        return finished.judge(error is None, first_lines(error))

    def _unscored(
        self, finished: Finished, detail: str, report: pytest.TestReport, broken: bool = False
    ) -> TrialResult:
        """pytest counts a failure in the setup phase as an error, in the terminal and in junit alike."""
        if not hasattr(report, "wasxfail"):  # what was expected to fail is neither failure nor error
            report.outcome, report.when = "failed", "setup"
        return finished.judge(None, detail, broken=broken)


def explain(result: TrialResult, folder: CampaignFolder, report: pytest.TestReport, typed_in: Path) -> None:
    """Put below a failure what ended the trial, its last turns, and where the transcript lies."""
    if result.passed:
        return
    path = folder.transcript(result.attempt)
    report.sections.append(("verdict", "\n".join(verdict_lines(result))))
    shown = turn_lines(last_turns(path, TURNS_SHOWN))
    if shown:
        report.sections.append(("last turns", "\n".join(shown)))
    pack = folder.path.relative_to(typed_in) if folder.path.is_relative_to(typed_in) else folder.path
    report.sections.append(("transcript", str(pack / address(path, result.turns))))


def _is_verdict(error: BaseException) -> bool:
    """Whether a checker's exception speaks about the model; any other is a mistake of the checker."""
    return isinstance(error, AssertionError | pytest.fail.Exception)


def first_lines(error: BaseException | None) -> str:
    """What an assertion said, as far as a result keeps it."""
    return "" if error is None else str(error) or type(error).__name__
