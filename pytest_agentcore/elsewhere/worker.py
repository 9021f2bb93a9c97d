"""Runs where the trials run: one function from an order to an answer, the same on threads, in processes, on Dask.

A worker is shown each model once (`look`): it lays out the suite, collects its tasks with pytest, opens the sandbox and
the model, and says what it found. The trials that follow name what was laid out by its digest.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from pytest_agentcore.backends.base import Counts
from pytest_agentcore.backends.llama.fit import choose_rows
from pytest_agentcore.backends.llama.gguf import check_model
from pytest_agentcore.catalogue.entry import LLAMA, EngineSettings, ModelEntry
from pytest_agentcore.catalogue.files import file_digest
from pytest_agentcore.catalogue.resolve import fetch, located
from pytest_agentcore.elsewhere.base import Link
from pytest_agentcore.elsewhere.order import read_setup, refuse_others, unwrap, unzip_suite, wrap
from pytest_agentcore.errors import SandboxError, UsageError
from pytest_agentcore.options import Settings
from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.runner import run_attempt
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.sandbox.workspace import pack, scratch
from pytest_agentcore.session.collect import Collected, collect
from pytest_agentcore.session.experiment import Experiment, RegisteredTools, registered_backends
from pytest_agentcore.session.recording import machine_facts, package_versions
from pytest_agentcore.session.trials import PREFLIGHT, Models
from pytest_agentcore.session.verdicts import Asking
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.trial.fold import Event
from pytest_agentcore.trial.result import TrialKey

POLL_SECONDS = 0.2
"""How often a link is asked whether its order was stopped."""


class Worker:
    """Does orders for sessions, from several threads at once; one model is open at a time."""

    def __init__(self) -> None:
        self._bench: Bench | None = None
        self._shown, self._idle = threading.Lock(), threading.Condition()
        self._running: list[Bench] = []
        """A model for each trial at work."""

    def work(self, order: bytes, link: Link) -> bytes:
        """Do an order. An answer with `refused` says in a sentence why this worker cannot."""
        told, content = unwrap(order)
        do: Mapping[str, Callable[[dict[str, Any], bytes, Link], bytes]]
        do = {"fit": self._fit, "look": self._look, "trial": self._trial}
        try:
            refuse_others(told)
            return do[told["do"]](told, content, link)
        except (UsageError, OSError, ValueError, BadZipFile) as error:
            return wrap({"refused": str(error)})

    def _fit(self, told: dict[str, Any], _content: bytes, _link: Link) -> bytes:
        """Find the model's file, or fetch it, and say how many conversations fit in here; nothing is loaded."""
        setup = read_setup(told["setup"])
        entry = fetch(here(setup.entry, Path()))
        if entry.path is None or not isinstance(setup.engine, EngineSettings):
            return wrap({})
        rows, why = choose_rows(check_model(entry.path), setup.engine, told["trials"])
        return wrap({"sha256": file_digest(entry.path), "rows": rows, "why": why})

    def _look(self, told: dict[str, Any], content: bytes, _link: Link) -> bytes:
        """Lay everything out for a model's trials, after those of another have ended, and say what this machine is."""
        with self._shown:
            if self._bench is None or self._bench.digest != told["of"]:
                self.close()
                self._bench = Bench(told, content)
            return wrap({**self._bench.facts, "counts": self._bench.counts()})

    def close(self) -> None:
        """Close the model, after the trials at work with it: they may be another session's."""
        bench, self._bench = self._bench, None
        if bench:
            with self._idle:
                self._idle.wait_for(lambda: bench not in self._running)
            bench.close()

    def _trial(self, told: dict[str, Any], _content: bytes, link: Link) -> bytes:
        """Make one attempt at a trial."""
        bench = self._bench
        if bench is None or bench.digest != told["of"]:
            why = "this worker was not shown the model, or another session has shown it its own"
            return wrap({"refused": why, "unshown": True})
        cancel, over = threading.Event(), threading.Event()
        with self._idle:
            self._running.append(bench)

        def watch() -> None:
            while not over.wait(POLL_SECONDS):
                if link.stopped():
                    cancel.set()

        threading.Thread(target=watch, name="agentcore-link", daemon=True).start()
        try:
            return bench.attempt(told, cancel, link)
        finally:
            over.set()
            with self._idle:
                self._running.remove(bench)
                self._idle.notify_all()


class Bench:
    """A suite and a model, laid out for the trials of a session."""

    def __init__(self, told: Mapping[str, Any], content: bytes) -> None:
        """Lay out what an order tells of.

        Raises:
            UsageError: the suite, the model, a tool, a key or the sandbox cannot be had here, or is another.
        """
        self.digest: str = told["of"]
        self._folders = ExitStack()
        try:
            home = Path(self._folders.enter_context(scratch("suite")))
            suite = Suite.load(unzip_suite(content, home))
            self._suite = suite.path
            if suite.digest != told["suite"]:
                raise UsageError(f"the suite that came has the digest {suite.digest[:12]}, not {told['suite'][:12]}")
            self._tasks: dict[str, Task] = {}
            made = partial(self._experiment, told, suite, home)
            experiment = collect([str(suite.path)], made, explained=True, imports=self._folders)
            self._models = Models(experiment)
            self._models.tasks = {name: self._tasks[name] for name in told["tasks"]}
            labels = tuple(experiment.setups)
            self._models.fetch(labels, lambda _line: None)
            for label, one in told["setups"].items():
                path, wanted = experiment.setups[label].entry.path, one["entry"]["sha256"]
                if path and wanted and (found := file_digest(path)) != wanted:
                    raise UsageError(f"{path} has the digest {found[:12]}, and the campaign's model {wanted[:12]}")
                if one["key_in"] and not os.environ.get(one["key_in"]):
                    raise UsageError(f"{one['entry']['name']}: the variable {one['key_in']}, its key, is not set here")
            self._backend = self._models.open(labels[0])
        except BaseException:
            self.close()
            raise
        described = dict(self._models.described[labels[0]])
        made = described.pop(PREFLIGHT, None)
        self.facts: dict[str, Any] = {
            "backend": json.loads(json.dumps(described, default=dict)),
            "preflight": made,
            "here": {
                "machine": machine_facts(),
                "packages": package_versions(),
                "sandbox": dict(experiment.sandbox.describe()),
                "preflight": made["verdict"] if made else "not made",
            },
        }

    def _experiment(self, told: Mapping[str, Any], suite: Suite, home: Path, found: Collected) -> Experiment:
        """Make the session's experiment anew, with what this machine has."""
        self._tasks, self._asking = {task.id: task for _, task in found.tasks}, Asking(found.config)
        if missing := [name for name in told["tasks"] if name not in self._tasks]:
            raise UsageError(f"the suite has no task {missing[0]} here: {'; '.join(found.errors) or 'not collected'}")
        setups = [read_setup(one) for one in told["setups"].values()]
        setups = [replace(setup, entry=here(setup.entry, home / "script" / setup.slug)) for setup in setups]
        return Experiment(
            settings=Settings(told["settings"]),
            suite=suite,
            sandbox=open_sandbox(told["sandbox"], hidden=(suite.path,), images=suite.image_names),
            backends=registered_backends(found.config),
            registered=RegisteredTools(found.config),
            setups={setup.label: setup for setup in setups},
        )

    def attempt(self, told: Mapping[str, Any], cancel: threading.Event, link: Link) -> bytes:
        """Make an attempt: its events are told as they happen, and come with the answer and the workspace once more."""
        label, task, run = told["key"]
        job = self._models.job(TrialKey(label, task, run), self._tasks[task], told["nodeid"], told["number"] - 1)
        events, begun = list[Event](), str(uuid.uuid4())

        def record(event: Event) -> None:
            if event["event"] == "start":
                event = {**event, "worker": told["worker"]}
            link.tell(to_line({"begun": begun, "n": len(events), "event": event}))
            events.append(event)

        agent = self._models.agent(job, cancel, lambda _key, _turn: None)
        finished = run_attempt(job, agent, record, attempt_id=told["attempt"], number=told["number"], cancel=cancel)
        content, frozen, failure, said = b"", finished.frozen, finished.failure, None
        with closing(finished):
            try:
                if frozen.digest and not cancel.is_set():  # nobody waits for what a stopped trial leaves
                    with scratch("answer") as folder:
                        pack(frozen.workspace.root, archive := Path(folder) / "workspace.tar.gz")
                        content = archive.read_bytes()
                    # a session in this process has a capture and explanations of its own
                    if told.get("ask") and told["pid"] != os.getpid():
                        said = self._asking.hear(finished, told["ask"], cancel)
            except OSError as error:
                failure = failure or SandboxError(f"what the agent left cannot be packed: {error}")
        header = {
            "begun": begun,
            "events": events,
            "digest": frozen.digest if content else "",
            "skipped": dict(frozen.skipped),
            "failure": [str(failure), failure.cause.value] if failure else None,
            "sha256": hashlib.sha256(content).hexdigest(),
            "said": said,
            "suite": str(self._suite),
            "counts": self.counts(),
        }
        return wrap(header, content)

    def counts(self) -> Mapping[str, int]:
        """Give the counts of the model since it was opened, see `Counts`."""
        return dict(self._backend.counts()) if isinstance(self._backend, Counts) else {}

    def close(self) -> None:
        """Close the model and remove what was laid out."""
        if hasattr(self, "_models"):
            self._models.close()
        self._folders.close()


def here(entry: ModelEntry, scripts: Path) -> ModelEntry:
    """An entry of the session's machine with its file on this one: at its path, or found by its name.

    Raises:
        UsageError: it is not here and cannot be fetched.
    """
    if entry.path is None or (entry.backend == LLAMA and entry.path.is_file()):
        return located(entry) if entry.backend == LLAMA and entry.path is None else entry
    if entry.backend != LLAMA:
        return replace(entry, path=scripts / entry.path.name)
    return located(replace(entry, path=None, file=entry.file or ("" if entry.repo else entry.path.name)))
