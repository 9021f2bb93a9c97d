"""Runs the trials of a session: the one loaded model, a job over it, and the trial that each test asks for."""

from __future__ import annotations

import json
import shutil
import threading
import time
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from math import inf
from typing import Any

import pytest

from pytest_agentcore.agent.actor import run_solution
from pytest_agentcore.agent.context_load import ContextLoad, build_load, check_load
from pytest_agentcore.agent.loop import Asking, ModelAgent, mix_seed, opening
from pytest_agentcore.agent.retries import Retries
from pytest_agentcore.backends.base import Backend, ChecksRoom
from pytest_agentcore.catalogue.entry import ENDPOINT, SCRIPTED, ModelEntry
from pytest_agentcore.catalogue.resolve import api_key_of, fetch
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.checks.preflight import preflight
from pytest_agentcore.errors import RecordError, UsageError
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.transcript import TranscriptWriter
from pytest_agentcore.runner import Agent, Finished, Job, run_trial
from pytest_agentcore.sandbox.workspace import pack
from pytest_agentcore.session.experiment import Experiment
from pytest_agentcore.session.items import key_of, task_of, trial_key
from pytest_agentcore.session.parallel import Executor, OnTurn
from pytest_agentcore.session.usage import opening_errors
from pytest_agentcore.setup import Setup, check_files
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialKey

FINISHED = pytest.StashKey[Finished]()
"""On an item: its trial, run and waiting to be judged."""
PREFLIGHT = "preflight"
"""Key of the verdict among what a model said of itself."""

_suite_of = cache(Suite.of)


class Models:
    """Owns the model that is loaded in this process, one at most."""

    def __init__(self, experiment: Experiment, conversations: int) -> None:
        """Load nothing yet; a model must take so many conversations at the same time."""
        self._experiment, self._conversations = experiment, conversations
        self._setups, self._backends = experiment.campaigns.setups, experiment.backends
        self._loaded: tuple[Setup, Backend | None] | None = None
        self.tasks: Mapping[str, Task] = {}
        """The tasks of the plan, by id; a model's context is checked against them when it is loaded."""
        self.loads: dict[tuple[str, str], ContextLoad] = {}
        """Earlier conversations, by label and task's id."""
        self.described: dict[str, Mapping[str, Any]] = {}
        """The descriptions that opened models gave of themselves, by label."""
        self.broken: list[str] = []
        """Sentences about backends that broke where no trial can bear it."""

    def fetch(self, labels: Iterable[str], say: Callable[[str], None]) -> None:
        """Put the files of these campaigns' models on this machine, and look at those that came.

        Raises:
            UsageError: one cannot be had, or is broken.
        """
        fetched: dict[str, ModelEntry] = {}
        for label in labels:
            setup = self._setups[label]
            if setup.entry.is_to_fetch:
                fetched[setup.slug] = fetched.get(setup.slug) or fetch(setup.entry, say)
                self._setups[label] = replace(setup, entry=fetched[setup.slug])
                check_files([self._setups[label]])

    def check_keys(self, labels: Iterable[str]) -> None:
        """Look for the keys of endpoints, before anything is written: not every model is opened before that.

        Raises:
            UsageError: one is not there, or cannot be sent.
        """
        for setup in (self._setups[label] for label in dict.fromkeys(labels)):
            if setup.entry.backend == ENDPOINT:
                api_key_of(setup.entry)

    def check_scripts(self) -> None:
        """Read what costs nothing to read, for a process that loads nothing itself.

        Raises:
            UsageError: a script is none.
        """
        for setup in self._setups.values():
            if setup.entry.backend == SCRIPTED:
                self._backends[SCRIPTED](setup.entry, setup.engine).close()

    def open(self, label: str) -> Backend | None:
        """Load a campaign's model, after closing the one before it; None for oracle and null.

        The campaigns of one model share what is loaded.

        Raises:
            UsageError: the model cannot be loaded.
        """
        setup = self._setups[label]
        if self._loaded and self._loaded[0].same_model(setup):
            return self._loaded[1]
        self.close()
        import pytest_agentcore.tools.arguments  # noqa: F401, PLC0415 - heavy, and the first call's time would hold it

        if setup.entry.is_agent:
            self.described.setdefault(label, {"name": setup.entry.backend})
            self._loaded = setup, None
            return None
        with opening_errors(setup.entry.backend):
            return self._open(setup)

    def close(self) -> None:
        """Free the loaded model; one that breaks at that has done its work, and what was measured stands."""
        backend = self._loaded[1] if self._loaded else None
        self._loaded = None
        try:
            if backend:
                backend.close()
        except Exception as error:  # noqa: BLE001 - a backend may be anybody's
            name = getattr(backend, "name", "")
            self.broken.append(f"backend {name} broke when it was closed: {type(error).__name__}: {error}")

    def _open(self, setup: Setup) -> Backend:
        backend = self._backends[setup.entry.backend](setup.entry, setup.engine)
        check_backend(backend)
        if self._conversations > backend.slots:
            backend.close()
            raise UsageError(
                f"--agentcore-parallel {self._conversations}: {setup.slug} takes {backend.slots} at a time at most"
            )
        self._loaded = setup, backend
        mine = [other for other in self._setups.values() if other.same_model(setup)]
        for other in mine:
            self._prepare(other, backend)
        if setup.label not in self.described:
            facts = {**backend.describe(), **self._examine(backend, setup)}
            json.dumps(facts, default=dict)  # said now, not when the manifest is written
            self.described |= {other.label: facts for other in mine}
        return backend

    def _prepare(self, setup: Setup, backend: Backend) -> None:
        """Write every task's earlier conversation, and see that the first prompts leave room for a reply."""
        for task in self.tasks.values():
            suite, specs = _suite_of(task.module), [self._experiment.tools[name].spec for name in task.tools]
            load: ContextLoad | None = None
            if setup.load:
                load = build_load(setup.load, backend, suite.system_prompt, specs, setup.policy)
                self.loads[setup.label, task.id] = load
            first = opening(suite.system_prompt, task.prompt, load.messages if load else ())
            try:
                if isinstance(backend, ChecksRoom):
                    backend.check_room(first, specs, setup.policy)
                elif load:
                    check_load(load, backend, first, specs, setup.policy)
            except UsageError as error:
                loaded = f" with a context load of {setup.load} tokens" if setup.load else ""
                raise UsageError(f"{task.id}{loaded}: {error}") from error

    def _examine(self, backend: Backend, setup: Setup) -> Mapping[str, Any]:
        """The preflight's verdict; none where it is off, and for scripts, which answer tasks only.

        Raises:
            UsageError: tool calls do not get through, and nobody said to go on all the same.
        """
        settings = self._experiment.settings
        if settings.preflight == "off" or not setup.has_plumbing:
            return {}
        found = preflight(backend, setup)
        if not found.passed and settings.preflight == "stop" and not settings.no_preflight:
            raise UsageError(
                f"{setup.slug}: preflight {found.verdict}. No trial was run; `agentcore preflight` shows what was sent "
                "and what came back, --agentcore-no-preflight runs the campaign anyway"
            )
        return {PREFLIGHT: found.to_json()}


def check_backend(made: object) -> None:
    """Raise TypeError unless what a factory made can be asked."""
    named = isinstance(getattr(made, "name", None), str) and isinstance(getattr(made, "slots", None), int)
    if not named or not all(callable(getattr(made, method, None)) for method in ("complete", "describe", "close")):
        raise TypeError(f"{made!r:.80} is no backend: it needs name, slots, complete, describe and close")


class Spans:
    """When trials ran, and how many at a time; may be used from several threads.

    Overlaps are counted as trials come in, so that the thousandth costs no more than the first.
    """

    def __init__(self) -> None:
        self._spans: dict[TrialKey, tuple[float, float]] = {}
        self._ended: list[tuple[float, float, str]] = []
        """End, begin and label of each trial, by their ends."""
        self._most: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def running(self, key: TrialKey) -> Iterator[None]:
        """Count the trial that runs meanwhile in this process."""
        began = time.time()
        try:
            yield
        finally:
            self.take(key, began, time.time())

    def of(self, key: TrialKey) -> tuple[float, float] | None:
        """Begin and end of a trial; None where it is not known."""
        return self._spans.get(key)

    def take(self, key: TrialKey, began: float, ended: float) -> None:
        """Count a trial that has ended, once, though it may be told of by the process that ran it and by its report."""
        with self._lock:
            if self._spans.get(key) == (began, ended):
                return
            self._spans[key] = (began, ended)
            later = self._ended[bisect_right(self._ended, (began, inf, "")) :]
            spans = [(ended, began, key.model), *(span for span in later if span[1] < ended)]
            edges = [(at, step, label) for end, begin, label in spans for at, step in ((begin, 1), (end, -1))]
            active: Counter[str] = Counter()
            for _, step, label in sorted(edges):  # at the same moment ends come first
                active[label] += step
                for name in (name for name, count in active.items() if count):
                    self._most[name] = max(self._most[name], active.total())
            insort(self._ended, (ended, began, key.model))

    def most(self, label: str) -> int:
        """Trials that ran at the same time at most while one of the campaign did, whichever campaign's they were."""
        return self._most[label]


class Runner:
    """Runs a job in this process, from whatever thread: the model works on it, and what it left goes into the pack."""

    def __init__(self, experiment: Experiment, models: Models, spans: Spans) -> None:
        self._campaigns, self._settings = experiment.campaigns, experiment.settings
        self._models, self._spans = models, spans
        self._retries: dict[str, Retries] = {}
        """By label: what a campaign has learned of its backend's absence."""

    def __call__(self, job: Job, cancel: threading.Event, on_turn: OnTurn) -> Finished:
        """Run a trial of the campaign whose model is open, and keep its workspace.

        Raises:
            RecordError: the disk takes no more.
        """
        folder, agent = self._campaigns.folders[job.key.model], self._agent(job, cancel, on_turn)
        with self._spans.running(job.key):
            finished = run_trial(job, agent, folder, cancel)
        try:
            self._keep(finished, folder)
        except BaseException:
            finished.close()
            raise
        return finished

    def _agent(self, job: Job, cancel: threading.Event, on_turn: OnTurn) -> Agent:
        label = job.key.model
        setup, backend = self._campaigns.setups[label], self._models.open(label)
        if backend is None:
            solution = job.task.oracles[0] if setup.entry.backend == "oracle" else None
            return lambda instance, session: run_solution(solution, instance.facts, session)
        asking = Asking(
            policy=setup.policy,
            sampling=setup.sampling,
            base_seed=self._settings.seed,
            cancel=cancel,
            retries=self._retries.setdefault(label, Retries(reconnect_timeout=self._settings.reconnect_timeout)),
            on_turn=on_turn,
        )
        load = job.load.messages if job.load else ()
        system, prompt = job.suite.system_prompt, job.task.prompt
        return lambda _, session: ModelAgent(backend, asking, system, prompt, load).run(session)

    def _keep(self, finished: Finished, folder: CampaignFolder) -> None:
        """Put the workspace that a trial left into the pack."""
        root = finished.frozen.workspace.root
        try:
            pack(root, folder.workspace(finished.attempt.id))
            if self._settings.keep_workspaces:
                shutil.copytree(root, folder.workspaces / finished.attempt.id)
        except OSError as error:
            raise RecordError(folder.workspaces, error) from error


DISCARDED = "started ahead of its test, which did not come: the session ended first"


class Trials:
    """The trial of each test: handed to the executor in the order of the plan, and taken when the test asks for it."""

    def __init__(self, experiment: Experiment, models: Models, executor: Executor) -> None:
        self._experiment, self._models, self._executor = experiment, models, executor
        self._campaigns, self._settings = experiment.campaigns, experiment.settings
        self._plan: dict[str, pytest.Item] = {}
        """Items whose trials are going to be asked for, by node id; those that may be skipped are not among them."""
        self._handed_over: Setup | None = None
        """A campaign of the model whose trials the executor has."""

    def plan(self, items: Sequence[pytest.Item]) -> None:
        """Take note of what is left after deselection."""
        self._plan = {item.nodeid: item for item in items if key_of(item) and not _may_be_skipped(item)}
        self._models.tasks = {task.id: task for task in map(task_of, items) if task}

    def ask(self, item: pytest.Item) -> Trial:
        """Have the item's trial run, and return what its checker looks at.

        Raises:
            InfrastructureError: no attempt could be completed.
            KeyboardInterrupt: the user stopped it; what there is of it is on the item.
            UsageError: its model cannot be loaded after all.
            RecordError: the disk takes no more.
        """
        self._hand_over(self._setup(item))
        self._plan.pop(item.nodeid, None)
        finished = self._executor.result(self._job(item))
        item.stash[FINISHED] = finished
        item.addfinalizer(lambda: self._executor.release(finished))
        if finished.attempt.stop_reason is StopReason.interrupted:
            raise KeyboardInterrupt
        if finished.failure:
            raise finished.failure
        return finished.trial

    def abandon(self) -> None:
        """End what was begun and nobody asks for; its transcript stays among the replaced attempts, nothing else."""
        self._handed_over = None
        for finished in self._executor.abandon():
            folder = self._campaigns.folders[finished.job.key.model]
            finished.record({"event": "discarded", "reason": DISCARDED})
            finished.close()
            folder.workspace(finished.attempt.id).unlink(missing_ok=True)
            shutil.rmtree(folder.workspaces / finished.attempt.id, ignore_errors=True)
            if isinstance(finished.record, TranscriptWriter):
                finished.record.supersede(folder.attempts)

    def _hand_over(self, setup: Setup) -> None:
        """Load the model, if it is not the one that is loaded, and submit all that is left of the plan with it."""
        if self._handed_over and self._handed_over.same_model(setup):
            return
        self.abandon()  # what still runs would ask the model that is closed now
        self._models.open(setup.label)
        self._handed_over = setup
        self._executor.submit(
            self._job(item)
            for item in self._plan.values()
            if self._setup(item).same_model(setup) and trial_key(item) not in self._campaigns.recorded
        )

    def _setup(self, item: pytest.Item) -> Setup:
        return self._campaigns.setups[trial_key(item).model]

    def _job(self, item: pytest.Item) -> Job:
        key, task, setup = trial_key(item), task_of(item), self._setup(item)
        assert task is not None
        return Job(
            key=key,
            task=task,
            suite=_suite_of(task.module),
            sandbox=self._experiment.sandbox,
            tools=self._experiment.tools,
            limit=setup.limit,
            model=setup.slug,
            policy=setup.policy.value,
            load=self._models.loads.get((key.model, key.task)),
            seed=mix_seed(self._settings.seed, key.task, key.run),
            nodeid=item.nodeid,
            attempts=self._campaigns.attempts.get(key, 0),
            retries=self._settings.retries,
        )


def _may_be_skipped(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("skip", "skipif"))
