"""From pytest's report of a checker to the verdict on the trial; runs where the trial ran."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pytest_agentcore
from pytest_agentcore.checks.ask import COLOUR, describe, is_rejection
from pytest_agentcore.errors import InfrastructureError
from pytest_agentcore.pack.csv import to_milliseconds
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.redact import Secrets
from pytest_agentcore.session.items import task_of
from pytest_agentcore.session.trials import FINISHED
from pytest_agentcore.session.usage import record_errors
from pytest_agentcore.trial.classify import IDLE
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import for_xml, visible_lines

RESULT = "agentcore_result"
"""Attribute of the report that carries the TrialResult as JSON, also from an xdist worker."""
SPAN = "agentcore_span"
"""Attribute beside it: when the trial began and ended, in seconds since 1970."""
RECORDED = "agentcore_recorded"
"""Attribute beside it where the trial was recorded before this process began."""

_PROPERTIES = (
    *("model", "task", "run", "attempt", "outcome", "failure_mode", "cause", "attribution", "stop_reason"),
    *("turns", "tool_calls", "prompt_tokens", "cached_tokens", "reply_tokens", "seconds", "policy", "sandbox"),
)
"""Fields of a result, in the order in which junit shows them."""


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
    entry, inside, harness = call.excinfo.value.__traceback__, False, Path(pytest_agentcore.__file__).parent
    while entry and entry.tb_next:
        inside = inside or Path(entry.tb_frame.f_code.co_filename) == checker
        called = Path(entry.tb_next.tb_frame.f_code.co_filename)
        # the suites that ship with the plugin lie in its folder, and are no part of the harness
        if inside and called.is_relative_to(harness) and not called.is_relative_to(harness / "suites"):
            entry.tb_next = None
        entry = entry.tb_next


def hide_secrets(report: pytest.TestReport, config: pytest.Config, secrets: Secrets) -> None:
    """Take secrets out of a failure's text, where `--showlocals` or a checker's own values have put them."""
    if report.failed and secrets:
        shown = config.hook.pytest_report_to_serializable(config=config, report=report)
        if (hidden := secrets.hide(shown)) != shown:
            made = config.hook.pytest_report_from_serializable(config=config, data=hidden)
            report.longrepr, report.sections = made.longrepr, made.sections


def judge(report: pytest.TestReport, call: pytest.CallInfo[None], item: pytest.Item) -> bool:
    """Judge a trial in the phase that decides, put the verdict on its report, and tell whether this phase was it.

    An assertion is the model's failure, and a checker that raises anything else is broken.
    """
    finished = item.stash[FINISHED]
    report.duration = finished.attempt.seconds if report.when == "setup" else 0.0  # junit's time: the trial's
    is_expected = hasattr(report, "wasxfail")
    if report.when != "call" and not (report.when == "setup" and (report.failed or is_expected)):
        return False
    error, detail, cause = call.excinfo.value if call.excinfo else None, "", None
    if error is not None and is_rejection(error):
        detail = describe(finished.job.task, error)
    elif error is not None:
        detail, cause = f"the checker is broken: {type(error).__name__}: {error}", Cause.checker_broken
        if not is_expected:  # what was expected to fail is neither failure nor error
            # pytest counts a failure in the setup phase as an error, in the terminal and in junit alike
            report.outcome, report.when = "failed", "setup"
    if call.excinfo and isinstance(error, InfrastructureError):
        report.longrepr = call.excinfo.getrepr(style="value")
        detail, cause = str(error), error.cause
    with record_errors():
        result = finished.judge(None if cause else error is None, detail, cause)
    item.user_properties.extend(attach(result, report, item.config))
    return True


def report_recorded(report: pytest.TestReport, result: TrialResult, item: pytest.Item) -> None:
    """Put onto the reports of a trial that is not run again what was recorded of it."""
    report.duration = result.seconds if report.when == "setup" else 0.0
    if report.when == "call":
        setattr(report, RECORDED, True)
        item.user_properties.extend([*attach(result, report, item.config), ("recorded", "true")])


def attach(result: TrialResult, report: pytest.TestReport, config: pytest.Config) -> list[tuple[str, str]]:
    """Put a result onto its report.

    What junit is to show of the trial is returned, since it is taken from the item, or from the report of a crash.
    Control characters show instead of being sent: an assertion quotes what a model wrote, a checker prints it.
    """
    setattr(report, RESULT, result.to_json())
    # pytest colours its explanations of assertions for a terminal that has colours, and for all who read them
    has_terminal = config.pluginmanager.has_plugin("terminalreporter")
    if has_terminal and config.get_terminal_writer().hasmarkup:
        report.longrepr = _each_text(report.longrepr, lambda text: COLOUR.sub("", text))
    report.longrepr = _each_text(report.longrepr, _inert)
    report.sections = [(name, _inert(text)) for name, text in report.sections]
    return properties(result)


def properties(result: TrialResult) -> list[tuple[str, str]]:
    """Describe a trial for junit's XML, in a fixed order; what does not apply is an empty string."""
    values = {name: getattr(result, name) for name in _PROPERTIES}
    values |= {"seconds": to_milliseconds(result.seconds), "transcript": address_of(result, result.turns)}
    return [(name, for_xml("" if value is None else str(value))) for name, value in values.items()]


def relative_to(path: Path, here: Path) -> Path:
    """The path as somebody types it who is here."""
    return path.relative_to(here) if path.is_relative_to(here) else path


def _inert(text: str) -> str:
    return "\n".join(visible_lines(text))


def _each_text(shown: Any, change: Callable[[str], str]) -> Any:
    """Change every text in pytest's own representations, which keep their form, and with it junit's message."""
    if isinstance(shown, str):
        return change(shown)
    if isinstance(shown, list | tuple):
        return type(shown)(_each_text(part, change) for part in shown)
    if hasattr(shown, "toterminal"):
        for name, part in vars(shown).items():
            setattr(shown, name, _each_text(part, change))
    return shown
