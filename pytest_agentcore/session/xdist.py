"""Hooks that exist only when pytest-xdist does, and what goes from the main process to its workers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import read_results
from pytest_agentcore.reports.junit import properties
from pytest_agentcore.session.experiment import Campaigns, Experiment
from pytest_agentcore.session.gates import Gates
from pytest_agentcore.session.items import task_of_id
from pytest_agentcore.session.lifecycle import runs_nothing
from pytest_agentcore.session.recording import Recording
from pytest_agentcore.session.terminal import shown
from pytest_agentcore.session.trials import Models
from pytest_agentcore.session.usage import record_errors, usage_errors
from pytest_agentcore.session.verdicts import RESULT, explain, make_inert
from pytest_agentcore.trial.result import TrialKey

WORKER_INPUT = "agentcore"
"""Key of the settings and folders in a worker's input."""
CRASHED = "agentcore_crashed"
"""Attribute of a report on a trial whose worker died."""


def processes(config: pytest.Config) -> int:
    """Number of workers; 0 without pytest-xdist."""
    if not config.pluginmanager.has_plugin("xdist") or config.getoption("dist", "no") == "no":
        return 0
    return config.getoption("numprocesses", None) or len(config.getoption("tx", None) or ()) or 1


@dataclass(kw_only=True, eq=False)  # pluggy puts plugins into sets
class Distributing:
    """The main process under `-n N`: workers run and judge, this one records."""

    config: pytest.Config
    experiment: Experiment
    picked: Collection[TrialKey]
    models: Models
    recording: Recording
    gates: Gates

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Open the campaigns before the workers start; the plan comes with their first report."""
        if runs_nothing(session.config):
            return
        setups = self.experiment.campaigns.setups
        with usage_errors():
            with shown(session.config) as say:
                self.models.fetch(tuple(setups), say)
            self.models.check_keys(setups)
            self.models.check_scripts()
            self.recording.choose(setups)
            with record_errors():
                self.recording.open()

    def pytest_configure_node(self, node: Any) -> None:
        """A worker takes its settings from here: its own command line would give repeatable options twice."""
        campaigns = self.experiment.campaigns
        node.workerinput[WORKER_INPUT] = {
            "settings": dict(self.experiment.settings.values),
            "folders": {label: str(folder.path) for label, folder in campaigns.folders.items()},
            "sandbox": self.experiment.sandbox.name,
            "continued": sorted({key.model for key in (*campaigns.recorded, *campaigns.attempts)}),
            "attempts": _plain(campaigns.attempts),
            "picked": _plain(dict.fromkeys(self.picked, 1)),
        }

    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Only workers collect; whether a gate can hold over what they found is known before any of it runs."""
        self.gates.refuse([task for nodeid in ids if (task := task_of_id(nodeid, self.recording.choices))])

    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """A dead worker is an infrastructure error of the trial it was running, in the terminal and in junit alike."""
        result = self.recording.crashed(crashitem, f"the process died while it ran this trial ({report.longrepr})")
        if result is not None:
            report.when, report.duration = "setup", result.seconds
            setattr(report, RESULT, result.to_json())
            setattr(report, CRASHED, True)
            report.user_properties.extend(properties(result))
            campaigns = self.experiment.campaigns
            folder = campaigns.folders[campaigns.label_of(result)]
            explain(result, folder, report, self.config.invocation_params.dir)
            make_inert(report)

    @pytest.hookimpl(trylast=True)  # after junit has opened the test case
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A dead worker sends no teardown, with which junit closes a test case and writes its properties: send one."""
        if not hasattr(report, CRASHED):
            return
        teardown = copy(report)
        vars(teardown).pop(RESULT)
        vars(teardown).pop(CRASHED)
        teardown.when, teardown.outcome, teardown.longrepr, teardown.duration = "teardown", "passed", None, 0.0
        self.config.hook.pytest_runtest_logreport(report=teardown)


def take_over(campaigns: Campaigns, given: Mapping[str, Any]) -> Collection[TrialKey]:
    """Put into a worker's campaigns what the main process knew of them; return the trials that were picked, if any."""
    campaigns.folders.update({label: CampaignFolder(Path(path)) for label, path in given["folders"].items()})
    for label in given["continued"]:
        scored = (result for result in read_results(campaigns.folders[label]) if result.scored)
        campaigns.recorded |= {TrialKey(label, result.task, result.run): result for result in scored}
    campaigns.attempts |= _keyed(given["attempts"])
    return _keyed(given["picked"]).keys()


def _plain(counts: Mapping[TrialKey, int]) -> list[list[Any]]:
    """Turn keyed counts into plain lists, which execnet can carry."""
    return [[key.model, key.task, key.run, count] for key, count in counts.items()]


def _keyed(lines: Sequence[Sequence[Any]]) -> dict[TrialKey, int]:
    return {TrialKey(model, task, run): count for model, task, run, count in lines}
