"""Runs the trial of an item and hands it to the checker; keeps at most one model loaded."""

from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from math import inf
from typing import Any

import pytest

from pytest_agentcore.agent.actor import FunctionAgent
from pytest_agentcore.agent.context_load import ContextLoad, build_load, check_load
from pytest_agentcore.agent.loop import Asking, ModelAgent, mix_seed, opening
from pytest_agentcore.agent.retries import Patience
from pytest_agentcore.backends.base import Backend, BackendFactory, ChecksRoom
from pytest_agentcore.catalogue.entry import ENDPOINT, ModelEntry
from pytest_agentcore.catalogue.resolve import api_key_of, fetch
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.checks.preflight import Subject, preflight
from pytest_agentcore.errors import RecordError, UsageError
from pytest_agentcore.options import Settings
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.transcript import TranscriptWriter
from pytest_agentcore.runner import Agent, Finished, Job, run_attempt
from pytest_agentcore.sandbox.archive import pack
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.session.items import key_of, task_of
from pytest_agentcore.session.usage import opening_errors
from pytest_agentcore.setup import Setup, check_files
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tasks.task import Instance, Task
from pytest_agentcore.tools.base import Tool
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialKey, TrialResult

SPAN = "agentcore_span"
"""Attribute of a report: when its trial began and ended, in seconds since 1970."""


class Spans:
    """When trials ran; may be used from several threads. What a trial adds costs no more when thousands went before."""

    def __init__(self) -> None:
        self._spans: dict[TrialKey, tuple[float, float]] = {}
        self._going: set[TrialKey] = set()
        self._ended: list[tuple[float, float, str]] = []
        """End, begin and label of each trial that a worker ran, by their ends."""
        self._most: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def running(self, key: TrialKey) -> Iterator[None]:
        """While a trial runs in this process."""
        began = time.time()
        with self._lock:
            self._going.add(key)
            self._note({other.model for other in self._going}, len(self._going))
        try:
            yield
        finally:
            with self._lock:
                self._going.discard(key)
                self._spans[key] = (began, time.time())

    def of(self, key: TrialKey) -> tuple[float, float] | None:
        """Begin and end of a trial; None where it is not known."""
        return self._spans.get(key)

    def take(self, key: TrialKey, began: float, ended: float) -> None:
        """Of a trial that a worker ran; one of this process is known already."""
        with self._lock:
            if self._spans.get(key) == (began, ended):
                return
            self._spans[key] = (began, ended)
            later = self._ended[bisect_right(self._ended, (began, inf, "")) :]
            self._sweep([(ended, began, key.model), *(span for span in later if span[1] < ended)])
            insort(self._ended, (ended, began, key.model))

    def most(self, label: str) -> int:
        """Trials that ran at the same time at most while one of the campaign did, whichever campaign's they were."""
        return self._most[label]

    def _sweep(self, spans: Iterable[tuple[float, float, str]]) -> None:
        edges = [(at, step, label) for end, begin, label in spans for at, step in ((begin, 1), (end, -1))]
        active: Counter[str] = Counter()
        for _, step, label in sorted(edges):  # at the same moment ends come first
            active[label] += step
            self._note({name for name, count in active.items() if count}, active.total())

    def _note(self, labels: Iterable[str], at_once: int) -> None:
        for label in labels:
            self._most[label] = max(self._most[label], at_once)


PREFLIGHT = "preflight"
"""Key of the verdict among what a model said of itself."""


def examine(backend: Backend, setup: Setup, settings: Settings, cancel: threading.Event) -> Mapping[str, Any]:
    """The verdict by `PREFLIGHT`; nothing where none is asked for, and for scripts, which answer tasks only.

    Raises:
        UsageError: tool calls do not get through, and nobody said to go on all the same.
    """
    if settings.preflight == "off" or not setup.has_plumbing:
        return {}
    subject = Subject(
        backend=backend,
        model=setup.slug,
        policy=setup.policy,
        sampling=setup.sampling,
        seconds=setup.limit.seconds,
        cancel=cancel,
    )
    found = preflight(subject)
    if not found.passed and settings.preflight == "stop" and not settings.no_preflight:
        raise UsageError(
            f"{setup.slug}: preflight {found.verdict}. No trial was run; `agentcore preflight` shows what was sent "
            "and what came back, --agentcore-no-preflight runs the campaign anyway"
        )
    return {PREFLIGHT: found.to_json()}


def caution(made: Mapping[str, Any] | None) -> str:
    """For the warnings of a campaign that is run although its preflight failed; empty without a reason."""
    return "" if made is None or made["passed"] else f"the preflight {made['verdict']}"


FINISHED = pytest.StashKey[Finished]()
"""On an item: its trial, run and waiting to be judged."""

_suite_of = cache(Suite.of)


@dataclass(kw_only=True)
class Running:
    """Everything it takes to run trials in this process."""

    setups: dict[str, Setup]
    """By label, and so are all that follow."""
    folders: dict[str, CampaignFolder]
    """Filled when the campaigns are opened."""
    sandbox: Sandbox
    tools: Mapping[str, Tool]
    backends: Mapping[str, BackendFactory]
    settings: Settings
    on_turn: Callable[[TrialKey, int], None] = lambda _key, _turn: None
    at_once: int = 1
    """Trials that run at the same time at most, whether on threads or in worker processes."""
    conversations: int = 1
    """Trials that this process runs at the same time at most."""
    take: Callable[[pytest.Item], Finished | None] = lambda _item: None
    """A trial that was started ahead of its test, once it is finished."""
    leave: Callable[[], None] = lambda: None
    """Called before the loaded model is closed."""
    dispose: Callable[[Finished], None] = Finished.close
    """Removes the folders of a trial that has its verdict."""
    cancels: dict[str, threading.Event] = field(default_factory=lambda: defaultdict(threading.Event))
    """Set to end what a campaign has running, at the next token."""
    recorded: dict[TrialKey, TrialResult] = field(default_factory=dict)
    """Trials that an earlier process scored: they are reported and not run."""
    earlier: dict[TrialKey, int] = field(default_factory=dict)
    """Attempts that earlier processes made at the trials that are run."""
    picked: set[TrialKey] = field(default_factory=set)
    """The only trials to run, where they were picked by how they had ended; empty is all."""
    tasks: dict[str, Task] = field(default_factory=dict)
    """What is going to run, by id; a model's context is checked against them when it is loaded."""
    broken: list[str] = field(default_factory=list)
    """Sentences about others' code that broke where no trial can bear it."""
    described: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """What each model that was opened said of itself."""
    spans: Spans = field(default_factory=Spans)
    """When trials ran, to see which overlapped."""
    _loaded: tuple[Setup, Backend | None] | None = None
    _current: Finished | None = None
    """The trial that waits for its verdict, or had it last."""
    _patience: dict[str, Patience] = field(default_factory=dict)
    """By label: what a campaign has learned of its backend's absence."""
    _loads: dict[tuple[str, str], ContextLoad] = field(default_factory=dict)
    """By label and task's id."""

    def fetch(self, labels: Iterable[str], say: Callable[[str], None]) -> None:
        """Put the files of these campaigns' models on this machine, and look at those that came.

        Raises:
            UsageError: one cannot be had, or is broken.
        """
        fetched: dict[str, ModelEntry] = {}
        for label in labels:
            setup = self.setups[label]
            if setup.entry.is_to_fetch:
                fetched[setup.slug] = fetched.get(setup.slug) or fetch(setup.entry, say)
                self.setups[label] = replace(setup, entry=fetched[setup.slug])
                check_files([self.setups[label]])

    def open(self, label: str) -> Backend | None:
        """Load a campaign's model, after closing the one before it; None for oracle and null.

        The campaigns of one model share what is loaded.

        Raises:
            UsageError: the model cannot be loaded.
        """
        setup = self.setups[label]
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

    def _open(self, setup: Setup) -> Backend:
        backend = self.backends[setup.entry.backend](setup.entry, setup.engine)
        check_backend(backend)
        if self.conversations > backend.slots:
            backend.close()
            raise UsageError(
                f"--agentcore-parallel {self.conversations}: {setup.slug} takes {backend.slots} at a time at most"
            )
        self._loaded = setup, backend
        mine = [other for other in self.setups.values() if other.same_model(setup)]
        for other in mine:
            self._prepare(other, backend)
        if setup.label not in self.described:
            made = examine(backend, setup, self.settings, self.cancels[setup.label])
            facts = {**backend.describe(), **made}
            json.dumps(facts, default=dict)  # said now, not when the manifest is written
            self.described |= {other.label: facts for other in mine}
        return backend

    def _prepare(self, setup: Setup, backend: Backend) -> None:
        """Write every task's earlier conversation, and see that the first prompts leave room for a reply."""
        for task in self.tasks.values():
            suite, specs = _suite_of(task.module), [self.tools[name].spec for name in task.tools]
            load: ContextLoad | None = None
            if setup.load:
                load = build_load(setup.load, backend, suite.system_prompt, specs, setup.policy)
                self._loads[setup.label, task.id] = load
            first = opening(suite.system_prompt, task.prompt, load.messages if load else ())
            try:
                if isinstance(backend, ChecksRoom):
                    backend.check_room(first, specs, setup.policy)
                elif load:
                    check_load(load, backend, first, specs, setup.policy)
            except UsageError as error:
                loaded = f" with a context load of {setup.load} tokens" if setup.load else ""
                raise UsageError(f"{task.id}{loaded}: {error}") from error

    def label_of(self, result: TrialResult) -> str:
        """The campaign that a result belongs to."""
        asked = (result.model, result.policy, result.context_load)
        return next(label for label, s in self.setups.items() if (s.slug, s.policy.value, s.load) == asked)

    def check_keys(self, labels: Iterable[str]) -> None:
        """Look for the keys of endpoints, before anything is written: not every model is opened before that.

        Raises:
            UsageError: one is not there, or cannot be sent.
        """
        for setup in (self.setups[label] for label in dict.fromkeys(labels)):
            if setup.entry.backend == ENDPOINT:
                api_key_of(setup.entry)

    def check_scripts(self) -> None:
        """Read what costs nothing to read, for a process that loads nothing itself.

        Raises:
            UsageError: a script is none.
        """
        for setup in self.setups.values():
            if setup.entry.backend == "scripted":
                self.backends["scripted"](setup.entry, setup.engine).close()

    def stop(self, label: str) -> None:
        """End what the campaign has running; nothing more of it is going to be asked for."""
        self.cancels[label].set()

    def close(self) -> None:
        """Free the loaded model, and what a session that broke down left of the trial that it was at."""
        self.leave()
        if self._current:
            self._current.close()
        if self._loaded and self._loaded[1]:
            self._close(self._loaded[1])
        self._loaded = None

    def _close(self, backend: Backend) -> None:
        """Free it; one that breaks at that has done its work, and what was measured stands."""
        try:
            backend.close()
        except Exception as error:  # noqa: BLE001 - a backend may be anybody's
            self.broken.append(f"backend {backend.name} broke when it was closed: {type(error).__name__}: {error}")

    def trial(self, item: pytest.Item) -> Trial:
        """Run the item's trial, again after an infrastructure error, and return what its checker looks at.

        Raises:
            InfrastructureError: no attempt could be completed.
            KeyboardInterrupt: the user stopped it; what there is of it is on the item.
        """
        key = key_of(item)
        assert key is not None
        self.open(key.model)
        finished = self.take(item) or self.run(item)
        item.stash[FINISHED] = self._current = finished
        item.addfinalizer(lambda: self.dispose(finished))
        self.keep(finished)
        if finished.attempt.stop_reason is StopReason.interrupted:
            raise KeyboardInterrupt
        if finished.failure:
            raise finished.failure
        return finished.trial

    def run(self, item: pytest.Item) -> Finished:
        """Make the attempts at an item's trial, from whatever thread; its model must be open."""
        key, task = key_of(item), task_of(item)
        assert key is not None
        assert task is not None
        backend = self.open(key.model)
        with self.spans.running(key):
            return self._attempts(self._job(key, task), backend, item.nodeid)

    def keep(self, finished: Finished) -> None:
        """Put the workspace that a trial left into the pack, unless it is there already.

        Raises:
            RecordError: the disk does not take it.
        """
        if finished.kept:
            return
        folder, root = self.folders[finished.job.key.model], finished.frozen.workspace.root
        try:
            pack(root, folder.workspace(finished.attempt.id))
            if self.settings.keep_workspaces:
                shutil.copytree(root, folder.workspaces / finished.attempt.id)
        except OSError as error:
            raise RecordError(folder.workspaces, error) from error
        finished.kept = True

    def discard(self, finished: Finished, reason: str) -> None:
        """Of a trial that ran and that nobody asks for: only its transcript stays, among the replaced attempts."""
        folder = self.folders[finished.job.key.model]
        finished.record({"event": "discarded", "reason": reason})
        finished.close()
        folder.workspace(finished.attempt.id).unlink(missing_ok=True)
        shutil.rmtree(folder.workspaces / finished.attempt.id, ignore_errors=True)
        if isinstance(finished.record, TranscriptWriter):
            finished.record.supersede(folder.attempts)

    def _attempts(self, job: Job, backend: Backend | None, nodeid: str) -> Finished:
        folder, earlier = self.folders[job.key.model], self.earlier.get(job.key, 0)
        for tried in range(self.settings.retries + 1):
            attempt_id, number = str(uuid.uuid4()), earlier + tried + 1
            record = TranscriptWriter(folder.transcript(attempt_id))
            finished = run_attempt(
                job,
                self._agent(job, backend),
                record,
                attempt_id=attempt_id,
                nodeid=nodeid,
                number=number,
                cancel=self.cancels[job.key.model],
            )
            finished.folders.callback(record.close)
            if not finished.failure or tried == self.settings.retries:
                break
            finished.judge(None)
            finished.close()
            record.supersede(folder.attempts)
        return finished

    def _agent(self, job: Job, backend: Backend | None) -> Callable[[Instance], Agent]:
        if backend is None:
            solution = job.task.oracles[0] if self.setups[job.key.model].entry.backend == "oracle" else None
            return lambda instance: FunctionAgent(solution, instance.facts)
        setup = self.setups[job.key.model]
        asking = Asking(
            policy=setup.policy,
            sampling=setup.sampling,
            base_seed=self.settings.seed,
            cancel=self.cancels[job.key.model],
            patience=self._patience.setdefault(
                job.key.model, Patience(reconnect_timeout=self.settings.reconnect_timeout)
            ),
            on_turn=self.on_turn,
        )
        earlier = job.load.messages if job.load else ()
        return lambda _instance: ModelAgent(backend, asking, job.suite.system_prompt, job.task.prompt, earlier)

    def _job(self, key: TrialKey, task: Task) -> Job:
        setup = self.setups[key.model]
        return Job(
            key=key,
            task=task,
            suite=_suite_of(task.module),
            sandbox=self.sandbox,
            tools=self.tools,
            limit=setup.limit,
            model=setup.slug,
            load=self._loads.get((key.model, key.task)),
            policy=setup.policy.value,
            seed=mix_seed(self.settings.seed, key.task, key.run),
        )


def check_backend(made: object) -> None:
    """Raise TypeError unless what a factory made can be asked."""
    named = isinstance(getattr(made, "name", None), str) and isinstance(getattr(made, "slots", None), int)
    if not named or not all(callable(getattr(made, method, None)) for method in ("complete", "describe", "close")):
        raise TypeError(f"{made!r:.80} is no backend: it needs name, slots, complete, describe and close")
