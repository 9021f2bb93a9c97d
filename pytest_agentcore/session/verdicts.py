"""From pytest's report of a checker to the verdict on the trial; runs where the trial ran."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

import pytest_agentcore
from pytest_agentcore.checks.ask import describe, is_rejection
from pytest_agentcore.errors import InfrastructureError
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.transcript import address, last_turns
from pytest_agentcore.reports.junit import properties
from pytest_agentcore.reports.terminal import turn_lines, verdict_lines
from pytest_agentcore.runner import Finished
from pytest_agentcore.session.items import task_of
from pytest_agentcore.session.trials import FINISHED
from pytest_agentcore.session.usage import record_errors
from pytest_agentcore.trial.classify import IDLE
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import visible_lines

RESULT = "agentcore_result"
"""Attribute of the report that carries the TrialResult as JSON, also from an xdist worker."""
SPAN = "agentcore_span"
"""Attribute beside it: when the trial began and ended, in seconds since 1970."""
RECORDED = "agentcore_recorded"
"""Attribute beside it where the trial was recorded before this process began."""

TURNS_SHOWN = 3


def call_checker(item: pytest.Function, recorded: TrialResult | None) -> bool | None:
    """Put the trial before its checker, or the recorded outcome in the checker's place; None for what is no trial.

    pytest itself would pass a checker that returns its verdict instead of asserting it.
    """
    if recorded:
        if not recorded.passed:
            said = f"{recorded.detail or recorded.outcome}\n(recorded on {recorded.started}; not run again)"
            pytest.fail(said, pytrace=False)
        return True
    task, finished = task_of(item), item.stash.get(FINISHED, None)
    if task is None or finished is None:
        return None
    task.refuse_verdict(item.obj(trial=finished.trial))  # not its checker: `--trace` puts a debugger around
    if not finished.attempt.executed:
        pytest.fail(IDLE, pytrace=False)
    return True


def hide_harness(call: pytest.CallInfo[None], checker: Path) -> None:
    """End an assertion's traceback where the checker calls into us: which reader said no is said by its sentence."""
    if not call.excinfo or not is_rejection(call.excinfo.value):
        return
    entry, inside = call.excinfo.value.__traceback__, False
    while entry and entry.tb_next:
        inside = inside or _path(entry) == checker
        if inside and _is_ours(_path(entry.tb_next)):
            entry.tb_next = None
        entry = entry.tb_next


_HARNESS = Path(pytest_agentcore.__file__).parent
_SHIPPED = _HARNESS / "suites"


def _path(entry: TracebackType) -> Path:
    return Path(entry.tb_frame.f_code.co_filename)


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(_HARNESS) and not path.is_relative_to(_SHIPPED)


def report_trial(
    report: pytest.TestReport,
    call: pytest.CallInfo[None],
    finished: Finished,
    item: pytest.Item,
    folder: CampaignFolder,
) -> bool:
    """Judge a trial in the phase that decides, and put the verdict on that phase's report; whether this one was it."""
    report.duration = finished.attempt.seconds if report.when == "setup" else 0.0  # junit's time: the trial's
    decides = report.when == "call" or (report.when == "setup" and (report.failed or hasattr(report, "wasxfail")))
    if decides:
        with record_errors():
            result = _judge(finished, call, report)
        setattr(report, RESULT, result.to_json())
        item.user_properties.extend(properties(result))
        explain(result, folder, report, item.config.invocation_params.dir)
        make_inert(report)
    return decides


def _judge(finished: Finished, call: pytest.CallInfo[None], report: pytest.TestReport) -> TrialResult:
    """The verdict: an assertion is the model's failure, and a checker that raises anything else is broken."""
    error = call.excinfo.value if call.excinfo else None
    if error is None or is_rejection(error):
        return finished.judge(error is None, describe(finished.job.task, error) if error else "")
    if not hasattr(report, "wasxfail"):  # what was expected to fail is neither failure nor error
        # pytest counts a failure in the setup phase as an error, in the terminal and in junit alike
        report.outcome, report.when = "failed", "setup"
    if call.excinfo and isinstance(error, InfrastructureError):
        report.longrepr = call.excinfo.getrepr(style="value")
        return finished.judge(None, str(error), error.cause)
    return finished.judge(None, f"the checker is broken: {type(error).__name__}: {error}", Cause.checker_broken)


def report_recorded(report: pytest.TestReport, result: TrialResult, item: pytest.Item, folder: CampaignFolder) -> None:
    """Put onto the reports of a trial that is not run again what was recorded of it."""
    report.duration = result.seconds if report.when == "setup" else 0.0
    if report.when != "call":
        return
    setattr(report, RESULT, result.to_json())
    setattr(report, RECORDED, True)
    item.user_properties.extend([*properties(result), ("recorded", "true")])
    if not result.passed:
        explain(result, folder, report, item.config.invocation_params.dir)
        make_inert(report)


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


def make_inert(report: pytest.TestReport) -> None:
    """Show control characters instead of sending them: an assertion quotes what a model wrote, a checker prints it."""
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
