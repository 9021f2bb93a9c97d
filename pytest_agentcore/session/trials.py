"""Runs the trials of a session: the one loaded model, a job over it, and the trial that each test asks for."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest

from pytest_agentcore.agent.actor import run_solution
from pytest_agentcore.agent.context_load import ContextLoad, build_load, check_load
from pytest_agentcore.agent.loop import Asking, mix_seed, opening, run_model
from pytest_agentcore.agent.retries import Retries
from pytest_agentcore.agent.session import Session
from pytest_agentcore.backends.base import Backend, ChecksRoom, Counts, Leases, Say, open_with, say_nothing
from pytest_agentcore.catalogue.entry import ENDPOINT, SCRIPTED, ModelEntry
from pytest_agentcore.catalogue.files import file_digest
from pytest_agentcore.catalogue.resolve import api_key_of, fetch
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.checks.preflight import preflight
from pytest_agentcore.errors import InfrastructureError, RecordError, UsageError, is_foreign
from pytest_agentcore.pack.folder import write_atomically
from pytest_agentcore.pack.transcript import set_aside
from pytest_agentcore.runner import Agent, Begin, Finished, Job, Try, run_attempt, run_trial
from pytest_agentcore.sandbox.workspace import pack, unpack
from pytest_agentcore.session.experiment import Experiment
from pytest_agentcore.session.items import key_of, shown_there, task_of
from pytest_agentcore.session.parallel import Executor, OnTurn
from pytest_agentcore.setup import Setup, check_files
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tasks.task import Instance, Task
from pytest_agentcore.trial.fold import Attempt
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialKey

FINISHED = pytest.StashKey[Finished]()
"""On an item: its trial, run and waiting to be judged."""
PREFLIGHT = "preflight"
"""Key of the verdict among what a model said of itself."""
COUNTED = "agentcore_counted"
"""Key of what a worker's models counted, among what it hands in at its end."""

_suite_of = cache(Suite.of)


class Models:
    """Owns the model that is loaded in this process, one at most, and runs jobs with it."""

    def __init__(
        self,
        experiment: Experiment,
        say: Say = say_nothing,
        on_piece: Callable[[TrialKey], None] = lambda _key: None,
        *,
        one_at_a_time: bool = False,
    ) -> None:
        """Load nothing yet; workers of pytest-xdist run one trial at a time, whatever is asked for.

        `say` is told what is done to open a model, `on_piece` of each piece of text that one writes.
        """
        self._experiment, self._one_at_a_time, self._say, self._on_piece = experiment, one_at_a_time, say, on_piece
        self._setups = experiment.setups
        self._loaded: tuple[Setup, Backend | None] | None = None
        self._retries: dict[str, Retries] = {}
        """By label: what a campaign has learned of its backend's absence."""
        self.tasks: Mapping[str, Task] = {}
        """The tasks of the plan, by id; a model's context is checked against them when it is loaded."""
        self.loads: dict[tuple[str, str], ContextLoad] = {}
        """Earlier conversations, by label and task's id."""
        self.described: dict[str, Mapping[str, Any]] = {}
        """The descriptions that opened models gave of themselves, by label."""
        self.counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """What models that were closed have counted, by label; those of workers too."""
        self.workers: dict[str, list[Mapping[str, Any]]] = {}
        """By label: the machine of each worker elsewhere that opened the model, as the worker found it."""
        self.broken: list[str] = []
        """Sentences about backends that broke where no trial can bear it."""

    def at_once(self, label: str) -> int:
        """How many trials of a campaign run at the same time in this process."""
        setup = self._setups[label]
        return 1 if self._one_at_a_time else setup.rows or self._experiment.settings.parallel or 1

    def news(self) -> Sequence[str]:
        """Say nothing: all is in this process."""
        return ()

    def crew(self) -> str:
        """Name nobody, for the same reason."""
        return ""

    def done(self) -> str:
        """Say nothing of what they did either."""
        return ""

    def fetch(self, labels: Iterable[str], say: Callable[[str], None]) -> None:
        """Put the files of these campaigns' models on this machine, look at those that came, and digest all."""
        fetched: dict[str, ModelEntry] = {}
        for label in labels:
            setup = self._setups[label]
            if setup.entry.is_to_fetch:
                fetched[setup.slug] = fetched.get(setup.slug) or fetch(setup.entry, say)
                self._setups[label] = replace(setup, entry=fetched[setup.slug])
                check_files([self._setups[label]])
            path = self._setups[label].entry.path
            if path and setup.has_plumbing:  # a digest is noted: who asks for it later need not wait
                file_digest(path, partial(self._say, f"{setup.slug}: checking the file"))

    def check(self, labels: Iterable[str], *, scripts: bool = False) -> None:
        """Look for endpoints' keys (and read scripts) before anything is written: not every model is opened by then."""
        for setup in (self._setups[label] for label in dict.fromkeys(labels)):
            if setup.entry.backend == ENDPOINT:
                api_key_of(setup.entry)
            elif scripts and setup.entry.backend == SCRIPTED:
                self._experiment.backends[SCRIPTED](setup.entry, setup.engine).close()

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
        try:
            return self._load(setup)
        except (UsageError, RecordError):
            raise
        except (Exception, SystemExit) as error:  # a backend may be anybody's
            if is_foreign(error):
                raise
            said = str(error) if isinstance(error, InfrastructureError) else f"{type(error).__name__}: {error}"
            raise UsageError(f"backend {setup.entry.backend} cannot be opened: {said}") from error

    def _load(self, setup: Setup) -> Backend:
        settings = self._experiment.settings

        def say(words: str, part: float | None) -> None:
            self._say(f"{setup.slug}: {words}", part)

        backend = open_with(self._experiment.backends[setup.entry.backend], setup.entry, setup.engine, say)
        named = isinstance(getattr(backend, "name", None), str) and isinstance(getattr(backend, "slots", None), int)
        if not named or not all(callable(getattr(backend, name, None)) for name in ("complete", "describe", "close")):
            raise TypeError(f"{backend!r:.80} is no backend: it needs name, slots, complete, describe and close")
        if (wanted := self.at_once(setup.label)) > backend.slots:
            backend.close()
            raise UsageError(f"--agentcore-parallel {wanted}: {setup.slug} takes {backend.slots} at a time at most")
        self._loaded = setup, backend
        mine = [other for other in self._setups.values() if other.same_model(setup)]
        for other in mine:
            self._prepare(other, backend)
        if setup.label in self.described:
            return backend
        facts = dict(backend.describe())
        if settings.preflight != "off" and setup.has_plumbing:
            found = preflight(backend, setup, say)
            if not found.passed and settings.preflight == "stop" and not settings.no_preflight:
                raise UsageError(
                    f"{setup.slug}: preflight {found.verdict}. No trial was run; `agentcore preflight` shows what was "
                    "sent and what came back, --agentcore-no-preflight runs the campaign anyway"
                )
            facts[PREFLIGHT] = found.to_json()
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

    def run(self, job: Job, cancel: threading.Event, on_turn: OnTurn) -> Finished:
        """Run a trial of the campaign whose model is open, from whatever thread; its workspace goes into the pack.

        Raises:
            RecordError: the disk takes no more.
        """
        settings, folder = self._experiment.settings, self._experiment.folders[job.key.model]
        finished = run_trial(job, self.tries(job, cancel, on_turn), folder)
        root, attempt = finished.frozen.workspace.root, finished.attempt.id
        if not finished.frozen.digest:  # there is no whole copy
            return finished
        try:
            if finished.archive:
                write_atomically(folder.workspace(attempt), finished.archive, sync=True)
                finished.archive = b""
            else:
                pack(root, folder.workspace(attempt))
            if settings.keep_workspaces and finished.heard:  # nobody has laid it out
                unpack(folder.workspace(attempt), folder.workspaces / attempt)
            elif settings.keep_workspaces:
                shutil.copytree(root, folder.workspaces / attempt)
        except BaseException as error:
            finished.close()
            if isinstance(error, OSError):
                raise RecordError(folder.workspaces, error) from error
            raise
        return finished

    def tries(self, job: Job, cancel: threading.Event, on_turn: OnTurn) -> Try:
        """Give the way in which an attempt at a trial is made: with the model that is open in this process."""
        agent = self.agent(job, cancel, on_turn)

        def attempt(begin: Begin) -> Finished:
            record, attempt_id, number = begin()
            with self._experiment.spans.running(job.key):
                return run_attempt(job, agent, record, attempt_id=attempt_id, number=number, cancel=cancel)

        return attempt

    def agent(self, job: Job, cancel: threading.Event, on_turn: OnTurn) -> Agent:
        """Give who works on a trial of the campaign whose model is open."""
        label, load = job.key.model, job.load.messages if job.load else ()
        setup, backend, settings = self._setups[label], self.open(label), self._experiment.settings
        asking = Asking(
            policy=setup.policy,
            sampling=setup.sampling,
            base_seed=settings.seed,
            cancel=cancel,
            retries=self._retries.setdefault(label, Retries(reconnect_timeout=settings.reconnect_timeout)),
            on_turn=on_turn,
            on_piece=self._on_piece,
        )

        def agent(instance: Instance, session: Session) -> Attempt:
            if backend is None:
                solution = job.task.oracles[0] if setup.entry.backend == "oracle" else None
                return run_solution(solution, instance.facts, session)
            prompt = job.task.prompt_of(instance)
            try:
                return run_model(session, backend, asking, opening(job.suite.system_prompt, prompt, load))
            finally:
                if isinstance(backend, Leases):
                    backend.release(job.key)

        return agent

    def job(
        self, key: TrialKey, task: Task, nodeid: str, attempts: int, ask_there: Mapping[str, Any] | None = None
    ) -> Job:
        """Make a job over a trial, at which so many `attempts` were made before."""
        setup, settings = self._setups[key.model], self._experiment.settings
        return Job(
            key=key,
            task=task,
            suite=_suite_of(task.module),
            sandbox=self._experiment.sandbox.of(task.id),
            tools=self._experiment.tools,
            limit=setup.limit,
            model=setup.slug,
            policy=setup.policy.value,
            load=self.loads.get((key.model, key.task)),
            seed=mix_seed(settings.seed, key.task, key.run),
            nodeid=nodeid,
            attempts=attempts,
            retries=settings.retries,
            ask_there=ask_there,
        )

    def close(self) -> None:
        """Free the loaded model; one that breaks at that has done its work, and what was measured stands."""
        loaded, self._loaded = self._loaded, None
        backend = loaded[1] if loaded else None
        try:
            if isinstance(backend, Counts):
                mine = [label for label, other in self._setups.items() if loaded and other.same_model(loaded[0])]
                for label in mine:
                    self.counted[label].update(backend.counts())
            if backend:
                backend.close()
        except Exception as error:  # a backend may be anybody's
            if is_foreign(error):
                raise
            name = getattr(backend, "name", "")
            self.broken.append(f"backend {name} broke when it was closed: {type(error).__name__}: {error}")


DISCARDED = "started ahead of its test, but the session ended before that ran"


class Trials:
    """The trial of each test: handed to the executor in the order of the plan, and taken when the test asks for it."""

    def __init__(self, experiment: Experiment, models: Models, executor: Executor) -> None:
        self._experiment, self._models, self._executor = experiment, models, executor
        self._plan: dict[TrialKey, pytest.Item] = {}
        """Items whose trials are going to be asked for; those that may be skipped are not among them."""
        self._handed_over: Setup | None = None
        """A campaign of the model whose trials the executor has."""

    def plan(self, items: Sequence[pytest.Item]) -> None:
        """Take note of what is left after deselection."""
        wanted = (item for item in items if not any(map(item.get_closest_marker, ("skip", "skipif"))))
        self._plan = {key: item for item in wanted if (key := key_of(item))}
        self._models.tasks = {task.id: task for task in map(task_of, items) if task}

    def ask(self, key: TrialKey, item: pytest.Item) -> Trial:
        """Have the item's trial run, and return what its checker looks at.

        Raises:
            InfrastructureError: no attempt could be completed.
            KeyboardInterrupt, or another foreign signal: it was stopped; what there is of it is on the item.
            UsageError: its model cannot be loaded after all.
            RecordError: the disk takes no more.
        """
        setup = self._experiment.setups[key.model]
        # with a model that is loaded now, all that is left of the plan with it is submitted
        if not (self._handed_over and self._handed_over.same_model(setup)):
            self.abandon()  # what still runs would ask the model that is closed now
            self._models.open(setup.label)
            self._handed_over = setup
            self._executor.at_once = self._models.at_once(setup.label)
            left = {key: item for key, item in self._plan.items() if key not in self._experiment.recorded}
            same = {label for label, other in self._experiment.setups.items() if other.same_model(setup)}
            self._executor.submit(self._job(each, item) for each, item in left.items() if each.model in same)
        self._plan.pop(key, None)
        finished = self._executor.result(self._job(key, item))
        item.stash[FINISHED] = finished
        item.addfinalizer(lambda: self._executor.release(finished))
        self._experiment.attempts[key] = finished.attempt.number
        if finished.signal:
            raise finished.signal
        if finished.attempt.stop_reason is StopReason.interrupted:
            raise KeyboardInterrupt
        return finished.open()

    def abandon(self) -> None:
        """End what was begun and nobody asks for; its transcript stays among the replaced attempts, nothing else."""
        self._handed_over = None
        for finished in self._executor.abandon():
            folder = self._experiment.folders[finished.job.key.model]
            finished.record({"event": "discarded", "reason": DISCARDED})
            finished.close()
            folder.workspace(finished.attempt.id).unlink(missing_ok=True)
            shutil.rmtree(folder.workspaces / finished.attempt.id, ignore_errors=True)
            set_aside(folder, [folder.transcript(finished.attempt.id)])

    def _job(self, key: TrialKey, item: pytest.Item) -> Job:
        task = task_of(item)
        assert task is not None
        # as pytest names it from the suite's folder: whatever its rootdir is, the record is the same
        nodeid = f"{os.path.relpath(task.module.resolve(), _suite_of(task.module).path.resolve())}::{item.name}"
        return self._models.job(key, task, nodeid, self._experiment.attempts.get(key, 0), shown_there(item))
