"""Hooks that exist only when pytest-xdist does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.pack.digests import read_results
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.reports.junit import properties
from pytest_agentcore.session.lifecycle import runs_nothing
from pytest_agentcore.session.recording import Recording
from pytest_agentcore.session.terminal import shown
from pytest_agentcore.session.trials import Running
from pytest_agentcore.session.usage import record_errors, usage_errors
from pytest_agentcore.session.verdicts import RESULT, explain, make_inert
from pytest_agentcore.trial.result import TrialKey

WORKER_INPUT = "agentcore"
"""Key of the settings and folders in a worker's input."""
CRASHED = "agentcore_crashed"
"""Attribute of a report on a trial whose worker died."""


class Distributing:
    """The main process under `-n N`: workers run and judge, this one records."""

    def __init__(self, running: Running, recording: Recording) -> None:
        self._running, self._recording = running, recording

    def pytest_configure(self, config: pytest.Config) -> None:
        """Remember where hooks are called."""
        self._config = config

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Open the campaigns before the workers start; the plan comes with their first report."""
        if runs_nothing(session.config):
            return
        with usage_errors():
            with shown(session.config) as say:
                self._running.fetch(tuple(self._running.setups), say)
            self._running.check_keys(self._running.setups)
            self._running.check_scripts()
            self._recording.choose()
            with record_errors():
                self._recording.open()

    def pytest_configure_node(self, node: Any) -> None:
        """A worker takes its settings from here: its own command line would give repeatable options twice."""
        node.workerinput[WORKER_INPUT] = {
            "settings": dict(self._running.settings.values),
            "folders": {slug: str(folder.path) for slug, folder in self._running.folders.items()},
            "sandbox": self._running.sandbox.name,
            "continued": sorted({key.model for key in (*self._running.recorded, *self._running.earlier)}),
            "earlier": _plain(self._running.earlier),
            "picked": _plain(dict.fromkeys(self._running.picked, 1)),
        }

    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """A dead worker is an infrastructure error of the trial it was running, in the terminal and in junit alike."""
        detail = f"the process died while it ran this trial ({report.longrepr})"
        result = self._recording.crashed(crashitem, detail)
        if result is not None:
            report.when, report.duration = "setup", result.seconds
            setattr(report, RESULT, result.to_json())
            setattr(report, CRASHED, True)
            report.user_properties.extend(properties(result))
            folder = self._running.folders[self._running.label_of(result)]
            explain(result, folder, report, self._config.invocation_params.dir)
            make_inert(report)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A dead worker sends no teardown, with which junit closes a test case and writes its properties: send one."""
        if not hasattr(report, CRASHED):
            return
        teardown = copy(report)
        vars(teardown).pop(RESULT)
        vars(teardown).pop(CRASHED)
        teardown.when, teardown.outcome, teardown.longrepr, teardown.duration = "teardown", "passed", None, 0.0
        self._config.hook.pytest_runtest_logreport(report=teardown)


def take_over(running: Running, given: Mapping[str, Any]) -> None:
    """Put into a worker what the main process gave it to know."""
    running.folders.update({slug: CampaignFolder(Path(path)) for slug, path in given["folders"].items()})
    for slug in given["continued"]:
        scored = (result for result in read_results(running.folders[slug]) if result.scored)
        running.recorded |= {TrialKey(slug, result.task, result.run): result for result in scored}
    running.earlier |= _keyed(given["earlier"])
    running.picked |= _keyed(given["picked"]).keys()


def _plain(counts: Mapping[TrialKey, int]) -> list[list[Any]]:
    """What execnet can carry."""
    return [[key.model, key.task, key.run, count] for key, count in counts.items()]


def _keyed(lines: Sequence[Sequence[Any]]) -> dict[TrialKey, int]:
    return {TrialKey(model, task, run): count for model, task, run, count in lines}
