"""Hooks that exist only when pytest-xdist does, and what goes from the main process to its workers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import read_results
from pytest_agentcore.sandbox.workspace import scratch
from pytest_agentcore.session.experiment import Experiment
from pytest_agentcore.session.items import key_of_id, refuse_empty
from pytest_agentcore.session.lifecycle import Controller, runs_nothing
from pytest_agentcore.session.terminal import shown
from pytest_agentcore.session.trials import COUNTED, Models
from pytest_agentcore.session.usage import record_errors, usage_errors
from pytest_agentcore.session.verdicts import RESULT, attach
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import TrialKey

WORKER_INPUT = "agentcore"
"""Key of the settings and folders in a worker's input."""
CRASHED = "agentcore_crashed"
"""Attribute of a report on a trial whose worker died."""


def processes(config: pytest.Config) -> int:
    """Number of workers; 0 without pytest-xdist.

    Raises:
        UsageError: they would be on other machines.
    """
    if not config.pluginmanager.has_plugin("xdist") or config.getoption("dist", "no") == "no":
        return 0
    specs = [str(spec) for spec in config.getoption("tx", None) or ()]
    if far := [spec for spec in specs if re.search(r"(^|//|\*)(ssh|vagrant_ssh|socket)=", spec)]:
        raise UsageError(
            f"--tx {far[0]}: pytest-xdist's workers on other machines share neither files nor a record with this one; "
            "--agentcore-on dask://HOST:PORT runs trials on other machines, and -n N stays for this one"
        )
    return config.getoption("numprocesses", None) or len(specs) or 1


@dataclass(eq=False)  # pluggy puts plugins into sets
class Distributing:
    """The main process under `-n N`: workers run and judge, this one records."""

    config: pytest.Config
    experiment: Experiment
    models: Models
    controller: Controller

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Open the campaigns before the workers start; the plan comes with their first report."""
        if runs_nothing(session.config):
            return
        setups = self.experiment.setups
        with usage_errors():
            with shown(session.config) as say:
                self.models.fetch(tuple(setups), say)
            self.models.check(setups, scripts=True)  # this process loads nothing itself
            self.controller.recording.choose(setups)
            with record_errors():
                self.controller.recording.open()
        folder = scratch("claims")
        self.experiment.claims = Path(folder.name)
        session.config.add_cleanup(folder.cleanup)

    def pytest_configure_node(self, node: Any) -> None:
        """A worker takes its settings from here: its own command line would give repeatable options twice."""
        experiment = self.experiment
        node.workerinput[WORKER_INPUT] = {  # plain types, which execnet can carry
            "settings": dict(experiment.settings.values),
            "claims": str(experiment.claims),
            "folders": {label: str(folder.path) for label, folder in experiment.folders.items()},
            "sandbox": experiment.sandbox.name,
            "continued": sorted({key.model for key in (*experiment.recorded, *experiment.attempts)}),
            "attempts": {astuple(key): count for key, count in experiment.attempts.items()},
            "rows": {label: setup.rows for label, setup in experiment.setups.items()},
            "picked": [astuple(key) for key in experiment.picked],
        }

    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Only workers collect: a gate is held against what they found, and it is the plan, before any of it runs."""
        recording = self.controller.recording
        keys = list(filter(None, (key_of_id(nodeid, recording.choices) for nodeid in ids)))
        refuse_empty(self.experiment.settings.shard, keys)
        self.controller.gates.refuse([key.task for key in keys])
        with usage_errors(), record_errors():
            recording.expect([(*astuple(key), ()) for key in keys])

    @pytest.hookimpl(trylast=True)  # below what pytest-xdist says of the worker
    def pytest_runtest_logstart(self) -> None:
        """Say that trials have begun: until the first is recorded workers say nothing, and may have models to load."""
        if not any(one.campaign.results for one in self.controller.recording.records.values()):
            self.controller.screen.on_turn(None, 0)

    @pytest.hookimpl(tryfirst=True)  # before somebody hands the trial to another worker
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """A dead worker is an infrastructure error of the trial it was running, in the terminal and in junit alike."""
        detail = f"the process died while it ran this trial ({report.longrepr})"
        cause = Cause.backend_crashed
        if self.experiment.is_over(crashitem):
            detail, cause = "stopped from outside: pytest-timeout ended the process at its limit", Cause.interrupted
        result = self.controller.recording.crashed(crashitem, detail, cause)
        if result is not None:
            key = TrialKey(self.experiment.label_of(result), result.task, result.run)
            self.experiment.claim(key)  # whoever runs it next finds this
            self.experiment.settle(key, result)
            self.experiment.release()
            report.when, report.duration = "setup", result.seconds
            setattr(report, CRASHED, True)
            report.user_properties.extend(attach(result, report, self.config))

    def pytest_testnodedown(self, node: Any) -> None:
        """A worker that has ended tells what its model counted; one that died does not."""
        for label, counts in getattr(node, "workeroutput", {}).get(COUNTED, {}).items():
            self.models.counted[label].update(counts)

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


def take_over(experiment: Experiment, given: Mapping[str, Any]) -> None:
    """Put into a worker's experiment what the main process knew of its campaigns."""
    experiment.claims = Path(given["claims"])
    for label, path in given["folders"].items():
        experiment.folders[label] = CampaignFolder(Path(path))
    for label in given["continued"]:
        experiment.know(label, read_results(experiment.folders[label]))
    experiment.attempts |= {TrialKey(*key): count for key, count in given["attempts"].items()}
    for label, rows in given["rows"].items():
        experiment.decode_together(label, rows)
    experiment.picked = {TrialKey(*key) for key in given["picked"]}
