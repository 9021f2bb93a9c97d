"""From pytest's report of a checker to the verdict on the trial; runs where the trial ran."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from _pytest.assertion import util

import pytest_agentcore
from pytest_agentcore.checks.ask import COLOUR, compared, describe, inert, is_rejection
from pytest_agentcore.console import no_command
from pytest_agentcore.errors import InfrastructureError, is_foreign
from pytest_agentcore.pack.csv import to_milliseconds, to_ratio
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.redact import Secrets
from pytest_agentcore.runner import Finished, Heard
from pytest_agentcore.session.items import task_of
from pytest_agentcore.session.trials import FINISHED
from pytest_agentcore.session.usage import record_errors
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.trial.classify import IDLE
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import for_xml, visible_lines

RESULT = "agentcore_result"
"""Attribute of the report that carries the TrialResult as JSON, also from an xdist worker."""
SPAN = "agentcore_span"
"""Attribute beside it: when the trial began and ended, in seconds since 1970."""
RECORDED = "agentcore_recorded"
"""Attribute beside it where the trial was over before."""

_PROPERTIES = (
    *("model", "task", "run", "attempt", "outcome", "failure_mode", "cause", "attribution", "stop_reason"),
    *("turns", "tool_calls", "prompt_tokens", "cached_tokens", "reply_tokens", "seconds", "policy", "sandbox"),
)
"""Fields of a result, in the order in which junit shows them."""


class Recorded(pytest.fail.Exception, AssertionError):  # type: ignore[name-defined, misc]
    """A rejection that was recorded, or came with its trial: what is expected of an assertion (`xfail`) is met too."""

    __module__ = "builtins"  # shown without the module, as pytest's own


def call_checker(item: pytest.Function, recorded: TrialResult | None) -> bool | None:
    """Put the trial before its checker, or the recorded outcome in the checker's place; None for what is no trial.

    pytest itself would pass a checker that returns its verdict instead of asserting it.
    """
    if recorded:
        if not recorded.passed:
            raise Recorded(words_of(recorded), False)
        return True
    task, finished = task_of(item), item.stash.get(FINISHED, None)
    if task is None or finished is None:
        return None
    if finished.asked:  # a plugin that calls for the test once more gets the same answer
        if finished.spoken:
            raise finished.spoken
        return True
    finished.asked = True
    try:
        if finished.heard:
            _say_again(finished.heard)
        else:
            task.refuse_verdict(item.obj(trial=finished.trial))  # not its checker: `--trace` puts a debugger around
        if not finished.attempt.executed:
            pytest.fail(IDLE, pytrace=False)
    except BaseException as error:
        finished.spoken = error
        if is_foreign(error):
            finished.signal = error
        raise
    return True


def _say_again(heard: Heard) -> None:
    sys.stdout.write(heard.printed)
    if not heard.accepted:
        raise Recorded(heard.words, False)


class Asking:
    """Asks checkers where trials run, with the pytest that collected them there, and says what they said."""

    def __init__(self, config: pytest.Config) -> None:
        """Take pytest's configuration, and how it explains comparisons: to be called as around an item."""
        self._config, self._explain, self._lock = config, util._reprcompare, threading.Lock()

    def hear(self, finished: Finished, shown: Mapping[str, Any], cancel: threading.Event) -> dict[str, Any] | None:
        """Ask the checker as it would be asked in the session, one at a time.

        Only whether it accepts or rejects is of use to the session; what is broken is for it to find out, and to show.
        """
        task, failed = finished.job.task, dict[str, Any]()
        if finished.failure or finished.signal:
            return None
        with self._lock, self._comparing() as seen, io.StringIO() as printed:
            if cancel.is_set():
                return None
            self._config.option.verbose = shown["verbose"]
            try:
                trial = finished.open()
                changed = sorted(trial.changed())
                with redirect_stdout(printed), redirect_stderr(printed):
                    task.refuse_verdict(task.checker(trial))  # type: ignore[func-returns-value]
            except InfrastructureError:
                return None
            except BaseException as error:  # noqa: BLE001 - a checker may raise anything
                if not is_rejection(error):
                    return None
                hide_harness(error, task.module)
                words = describe(task, error, seen[-1] if seen else "")
                failed = {"words": words, "report": self._report(error, task, shown["style"])}
            said = {"accepted": not failed, "printed": printed.getvalue(), "changed": changed}
            return {"words": "", "report": {}, **said, **failed}

    @contextmanager
    def _comparing(self) -> Iterator[list[str]]:
        """Let pytest explain comparisons that fail as it does around an item; yields them, the last one last."""
        seen, before = list[str](), util._reprcompare

        def explain(op: str, left: object, right: object) -> str | None:
            seen.append(compared(op, left, right))
            return self._explain(op, left, right) if self._explain else None

        util._reprcompare = explain
        try:
            yield seen
        finally:
            util._reprcompare = before

    def _report(self, error: BaseException, task: Task, style: str) -> dict[str, Any]:
        """pytest's report of a rejection, in plain types; its traceback begins in the checker."""
        told = pytest.ExceptionInfo.from_exception(error)
        is_plain = isinstance(error, pytest.fail.Exception) and not error.pytrace
        shown = told.getrepr(
            style="value" if is_plain else "long" if style == "auto" else style,  # type: ignore[arg-type]
            abspath=True,
            funcargs=True,
            tbfilter=lambda found: found.traceback.cut(path=task.module).filter(found),
        )
        report = pytest.TestReport("", ("", 0, ""), {}, "failed", shown, "call")
        return dict(self._config.hook.pytest_report_to_serializable(config=self._config, report=report))


def words_of(recorded: TrialResult) -> str:
    """Say why a trial was rejected that is not run again."""
    return f"{recorded.detail or recorded.outcome}\n(recorded on {recorded.started}; not run again)"


_distributions = cache(packages_distributions)  # reads what every installed package says of itself
_DRIVERS = frozenset({"_pytest", "pytest_agentcore", "xdist"})
"""Packages whose plugins ask for every test, and once."""


def asked_by(item: pytest.Function, earlier: pytest.Item | None) -> str:
    """Name who asks for a trial that is scored already, so that somebody knows what to leave out.

    Args:
        item: that is asked for now.
        earlier: by which this process was asked for the trial before.
    """
    registered = [plugin for _, plugin in item.config.pluginmanager.list_name_plugin() if plugin]
    names = [getattr(plugin, "__name__", type(plugin).__module__).partition(".")[0] for plugin in registered]
    plugins = [pair for pair in zip(names, registered, strict=True) if pair[0] not in _DRIVERS]
    found = ""
    if item is earlier:  # run once more, by somebody whose code is at work above us
        frame: FrameType | None = sys._getframe()
        while frame and not found:
            package, frame = str(frame.f_globals.get("__name__")).partition(".")[0], frame.f_back
            found = package if any(package == name for name, _ in plugins) else ""
    else:  # collected once more, for a parameter that a plugin's fixture takes
        added = [name for name in item.callspec.params if name != "trial"]
        found = next((name for name, plugin in plugins if any(hasattr(plugin, each) for each in added)), "")
        if not found and earlier and item.config.getoption("keepduplicates", False):
            return "--keep-duplicates"
        if not found and earlier and item.nodeid != earlier.nodeid:
            return f"a second name of the same test ({item.nodeid})"
    return _distributions().get(found, [found])[0] or ("a plugin" if earlier else "pytest-xdist")


def hide_harness(error: BaseException, checker: Path) -> None:
    """End an assertion's traceback where the checker calls into us: which reader said no is said by its sentence."""
    if not is_rejection(error):
        return
    entry, inside, harness = error.__traceback__, False, Path(pytest_agentcore.__file__).parent
    while entry and entry.tb_next:
        inside = inside or Path(entry.tb_frame.f_code.co_filename) == checker
        called = Path(entry.tb_next.tb_frame.f_code.co_filename)
        # the suites that ship with the plugin lie in its folder, and are no part of the harness
        if inside and called.is_relative_to(harness) and not called.is_relative_to(harness / "suites"):
            entry.tb_next = None
        entry = entry.tb_next


def hide_secrets(report: pytest.TestReport | pytest.CollectReport, config: pytest.Config, secrets: Secrets) -> None:
    """Take secrets out of a failure's text, where `--showlocals` or a checker's own values have put them."""
    if report.failed and secrets:
        shown = config.hook.pytest_report_to_serializable(config=config, report=report)
        if (hidden := secrets.hide(shown)) != shown:
            made = config.hook.pytest_report_from_serializable(config=config, data=hidden)
            report.longrepr, report.sections = made.longrepr, made.sections


def judge(
    report: pytest.TestReport, call: pytest.CallInfo[None], item: pytest.Item, secrets: Secrets, comparison: str
) -> TrialResult | None:
    """Judge a trial in the phase that decides, put the verdict on its report and return it; None in another phase.

    An assertion is the model's failure, and a checker that raises anything else is broken. The `comparison` is the one
    that an assertion failed by, if it did.
    """
    finished = item.stash[FINISHED]
    report.duration = finished.attempt.seconds if report.when == "setup" else 0.0  # junit's time: the trial's
    is_expected = hasattr(report, "wasxfail")
    if report.when != "call" and not (report.when == "setup" and not report.passed):
        return None
    error, detail, cause = call.excinfo.value if call.excinfo else None, "", None
    if error is not None and report.when == "setup":  # somebody else's fixture, or what stopped the trial
        cause = Cause.interrupted if report.skipped and not is_expected else Cause.checker_broken
        detail = f"the checker was not asked: {type(error).__name__}: {error}"
    elif finished.heard and isinstance(error, Recorded):
        detail = finished.heard.words
        if report.failed:
            hook = item.config.hook.pytest_report_from_serializable
            report.longrepr = hook(config=item.config, data=dict(finished.heard.report)).longrepr
    elif error is not None and is_rejection(error):
        detail = describe(finished.job.task, error, comparison)
    elif error is not None:
        detail, cause = f"the checker is broken: {type(error).__name__}: {error}", Cause.checker_broken
    if call.excinfo and isinstance(error, InfrastructureError):
        report.longrepr = call.excinfo.getrepr(style="value")
        detail, cause = str(error), error.cause
    if (cause or finished.signal) and report.when == "call" and not is_expected:
        # what was expected to fail is neither failure nor error;
        # pytest counts a failure in the setup phase as an error, in the terminal and in junit alike
        report.outcome, report.when = "failed", "setup"
    with record_errors():
        if finished.signal:
            result = finished.interrupt()
        else:
            said = secrets.hide(inert(finished.job.task, detail))
            result = finished.judge(None if cause else error is None, said, cause)
    put_properties(item, attach(result, report, item.config))
    return result


def report_recorded(report: pytest.TestReport, result: TrialResult, item: pytest.Item, again: str) -> None:
    """Put onto the reports of a trial that is not run again what was recorded of it, and who asked for it `again`."""
    report.duration = result.seconds if report.when == "setup" and not again else 0.0
    if report.when == "call":
        setattr(report, RECORDED, True)
        put_properties(item, [*attach(result, report, item.config), ("recorded", "true")])
        if not result.scored:
            report.when = "setup"  # an error, as it was


def put_properties(item: pytest.Item, ours: list[tuple[str, str]]) -> None:
    """Give junit what it is to show of a trial, in the place of what was put there when it was asked for before."""
    names = {name for name, _ in ours}
    item.user_properties[:] = [*(each for each in item.user_properties if each[0] not in names), *ours]


def follow(report: pytest.TestReport, counts: TrialResult) -> bool:
    """Make a report say what the record says, and tell whether it did not: letters, counts and exit code come from it.

    It may bring another score of the trial, or somebody may have made a pass of it.
    """
    is_expected = hasattr(report, "wasxfail")
    if getattr(report, RESULT) == counts.to_json() and (counts.passed is not False or not report.passed or is_expected):
        return False
    setattr(report, RESULT, counts.to_json())
    if not is_expected:
        report.when = "call" if counts.scored else "setup"
        report.outcome = "passed" if counts.passed else "failed"
        report.longrepr = None if counts.passed else _inert(words_of(counts))
    return True


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


def suite_properties(campaigns: Mapping[str, Campaign]) -> list[tuple[str, str]]:
    """Describe each campaign for the suite of junit's XML; of several, each name begins with the campaign's label."""
    described = []
    for label, campaign in campaigns.items():
        manifest, figures, prefix = campaign.manifest, campaign.figures, f"{label}." if len(campaigns) > 1 else ""
        rates, likely = figures.overall.rates, figures.same_tasks
        numbers = {"raw": rates.raw, "effective": rates.effective}
        numbers |= {"interval_low": likely.low, "interval_high": likely.high} if likely else {}
        values = {
            "campaign": campaign.folder.id,
            "model": manifest.model,
            "policy": manifest.policy,
            "suite": manifest.suite.title,
            "suite_digest": manifest.suite.digest,
            **{name: getattr(rates, name) for name in ("planned", "scored", "passed")},
            **{name: "" if value is None else to_ratio(value) for name, value in numbers.items()},
        }
        described += [(prefix + name, for_xml(str(value))) for name, value in values.items()]
    return described


def relative_to(path: Path, here: Path) -> Path:
    """The path as somebody types it who is here."""
    return path.relative_to(here) if path.is_relative_to(here) else path


def _inert(text: str) -> str:
    return no_command("\n".join(visible_lines(text)))


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
