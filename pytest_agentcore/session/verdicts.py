"""From pytest's report of a checker to the verdict on the trial; runs where the trial ran."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import pytest

import pytest_agentcore
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.errors import InfrastructureError
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.transcript import address, last_turns
from pytest_agentcore.reports.junit import properties
from pytest_agentcore.reports.terminal import turn_lines, verdict_lines
from pytest_agentcore.runner import Finished
from pytest_agentcore.session.items import key_of, task_of
from pytest_agentcore.session.trials import FINISHED, SPAN, Running
from pytest_agentcore.session.usage import record_errors
from pytest_agentcore.trial.classify import IDLE
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import visible_lines

_HARNESS = Path(pytest_agentcore.__file__).parent
_SHIPPED = _HARNESS / "suites"


def hide_harness(error: BaseException, checker: Path) -> None:
    """End the traceback where the checker calls into us: which reader said no is said by its sentence."""
    entry, inside = error.__traceback__, False
    while entry and entry.tb_next:
        inside = inside or _path(entry) == checker
        if inside and _is_ours(_path(entry.tb_next)):
            entry.tb_next = None
        entry = entry.tb_next


def _path(entry: TracebackType) -> Path:
    return Path(entry.tb_frame.f_code.co_filename)


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(_HARNESS) and not path.is_relative_to(_SHIPPED)


def make_inert(report: pytest.TestReport) -> None:
    """An assertion quotes what a model wrote, and a checker may print it: show controls instead of sending them."""
    report.longrepr = _inert(report.longrepr)
    report.sections = [(name, _inert(text)) for name, text in report.sections]


def _inert(shown: Any) -> Any:
    """Strings line by line; pytest's own representations keep their form, and with it colours and junit's message."""
    if isinstance(shown, str):
        return "\n".join(visible_lines(shown))
    if isinstance(shown, list | tuple):
        return type(shown)(_inert(part) for part in shown)
    if hasattr(shown, "toterminal"):
        for name, part in vars(shown).items():
            setattr(shown, name, _inert(part))
    return shown


RESULT = "agentcore_result"
"""Attribute of the report that carries the TrialResult as JSON, also from an xdist worker."""

TURNS_SHOWN = 3


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
            report.longrepr = call.excinfo.getrepr(style="value")
            return self._unscored(finished, str(error), report, error.cause)
        if error is not None and not _is_verdict(error):
            detail = f"the checker is broken: {type(error).__name__}: {error}"
            return self._unscored(finished, detail, report, Cause.checker_broken)
        return finished.judge(error is None, first_lines(error))

    def _unscored(self, finished: Finished, detail: str, report: pytest.TestReport, cause: Cause) -> TrialResult:
        """pytest counts a failure in the setup phase as an error, in the terminal and in junit alike."""
        if not hasattr(report, "wasxfail"):  # what was expected to fail is neither failure nor error
            report.outcome, report.when = "failed", "setup"
        return finished.judge(None, detail, cause)


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
