"""When things happen: between collection and the first trial, models are loaded and campaigns opened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import pytest

from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.errors import RecordError, UsageError
from pytest_agentcore.session.items import key_of, task_of
from pytest_agentcore.session.recording import MODELS, PLAN, TOOLS, PlanLine, Recording
from pytest_agentcore.session.terminal import Presenting, shown
from pytest_agentcore.session.trials import Running
from pytest_agentcore.session.usage import record_errors, usage_errors
from pytest_agentcore.session.verdicts import placeholder
from pytest_agentcore.trial.result import TrialKey


class Conducting:
    """The plugin object that the `trial` fixture asks; in a worker it has nothing to record or to show."""

    def __init__(self, running: Running, recording: Recording | None, presenting: Presenting | None) -> None:
        self._running, self._recording, self._presenting = running, recording, presenting
        self._plan: list[PlanLine] = []
        self._sent: frozenset[str] = frozenset()

    def trial(self, item: pytest.Item) -> Trial:
        """Run an item's trial. A model that cannot be loaded after all ends the session: every trial would fail."""
        if key_of(item) in self._running.recorded or runs_nothing(item.config):
            return placeholder()
        try:
            with record_errors() if self._recording else nullcontext():
                return self._running.trial(item)
        except (UsageError, RecordError) as error:
            if self._recording is None:  # xdist takes a worker that exits for a broken one, but listens to this
                item.session.shouldstop = str(error)
                pytest.fail(str(error), pytrace=False)
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember the plan: what is left after deselection."""
        self._plan = plan_of(session.items)
        self._running.tasks = {task.id: task for task in map(task_of, session.items) if task}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Load the first model before anything is written: what it cannot do is said in a sentence, at once."""
        broken = session.testsfailed and not session.config.option.continue_on_collection_errors
        if runs_nothing(session.config) or broken or self._recording is None:
            return
        distributed = session.config.pluginmanager.has_plugin("dsession")
        if not distributed and self._plan:
            with usage_errors():
                self._fetch(session.config)
                self._recording.choose(line[0] for line in self._plan)
                self._running.check_keys(self._unrecorded())
                for first in self._unrecorded()[:1]:
                    self._running.open(first)
                with record_errors():
                    self._recording.open(self._plan)
                    self._recording.take_models(self._running.described)
        if self._presenting:
            self._presenting.show_header()

    def _fetch(self, config: pytest.Config) -> None:
        """Fetch what the plan needs and this machine has not, its progress shown."""
        slugs = dict.fromkeys(line[0] for line in self._plan)
        with shown(config) as say:
            self._running.fetch(slugs, say)

    def _unrecorded(self) -> list[str]:
        """The models that have a trial to run, one per trial and in their order."""
        return [line[0] for line in self._plan if TrialKey(line[0], line[1], line[2]) not in self._running.recorded]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> object:
        """A report carries what the main process cannot know: the plan, once, and what each model said of itself."""
        report = yield
        if self._plan and not self._sent:
            setattr(report, PLAN, self._plan)
            setattr(report, TOOLS, json.loads(json.dumps(self._specs())))
        known = frozenset(self._running.described) | {""}
        if task_of(item) and known != self._sent:
            # exactly plain types: xdist's serializer knows no subclass of str
            setattr(report, MODELS, json.loads(json.dumps(self._running.described, default=dict)))
            self._sent = known
        return report

    def _specs(self) -> list[dict[str, Any]]:
        """Of every tool that the plan's tasks name."""
        used = {name for line in self._plan for name in line[3]}
        return [asdict(tool.spec) for name, tool in self._running.tools.items() if name in used]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Free the model."""
        self._running.close()


def runs_nothing(config: pytest.Config) -> bool:
    """Whether pytest is to show what it would do: nothing is loaded and nothing written then."""
    return any(config.getoption(name, False) for name in ("collectonly", "setuponly", "setupplan"))


def plan_of(items: Sequence[pytest.Item]) -> list[PlanLine]:
    """The trials among the items, in their order."""
    keyed = ((key_of(item), task_of(item)) for item in items)
    return [(key.model, key.task, key.run, task.tools) for key, task in keyed if key and task]
