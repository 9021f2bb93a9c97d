"""The experiment that a session makes: what was asked for and registered, and what is known of its campaigns."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import FileIO
from math import inf
from pathlib import Path

import pytest

from pytest_agentcore.backends.base import BackendFactory
from pytest_agentcore.backends.llama.fit import choose_rows
from pytest_agentcore.backends.llama.gguf import check_model
from pytest_agentcore.catalogue.entry import EngineSettings
from pytest_agentcore.errors import UsageError, is_foreign
from pytest_agentcore.options import Settings
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.jsonl import append, open_to_append, read_lines
from pytest_agentcore.pack.manifest import PlannedTrial
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.setup import Setup
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tools.base import Tool
from pytest_agentcore.tools.toolbox import KnownTools
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import TrialKey, TrialResult


class RegisteredTools(KnownTools):
    """Every tool that was registered so far; pytest loads a conftest only when it collects beside it."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self._config = config
        self._asked: list[object] = []
        self.ask()

    def ask(self) -> None:
        """Ask everybody who was not asked before.

        Raises:
            UsageError: two tools of one name, or an answer that is none.
        """
        for origin, found in _answers(self._config, "pytest_agentcore_tools", self._asked):
            self.add(found, origin)


def registered_backends(config: pytest.Config) -> dict[str, BackendFactory]:
    """Factories by the prefix that asks for them.

    Raises:
        UsageError: two of one prefix, or an answer that is none.
    """
    factories: dict[str, BackendFactory] = {}
    origins: dict[str, str] = {}
    for origin, found in _answers(config, "pytest_agentcore_backends", []):
        if not isinstance(found, Mapping) or not all(isinstance(name, str) and callable(found[name]) for name in found):
            raise UsageError(f"{origin}: backends must come as a dict of factories by name")
        for name, factory in found.items():
            if name in factories:
                both = f"one of {origins[name]} and one of {origin}"
                raise UsageError(f"two backends are named {name!r}, {both}; rename one")
            factories[name], origins[name] = factory, origin
    return factories


def _answers(config: pytest.Config, hook: str, asked: list[object]) -> Iterator[tuple[str, object]]:
    """Yield who answers the hook, and the answer, of everybody not among the `asked`, who are added to them."""
    implementations = getattr(config.hook, hook).get_hookimpls()
    for one in implementations:
        if one.plugin in asked:
            continue
        asked.append(one.plugin)
        # one at a time, so that an answer that is none can be laid to somebody
        others = [other.plugin for other in implementations if other.plugin is not one.plugin]
        try:
            for answer in config.pluginmanager.subset_hook_caller(hook, others)(config=config):
                found = list(answer) if isinstance(answer, Iterator) else answer
                yield one.plugin_name, found
        except Exception as error:
            if is_foreign(error):
                raise
            raise UsageError(f"{one.plugin_name}: {hook} raised {type(error).__name__}: {error}") from error


IN_MAIN = ("pytest_agentcore_trial_finished", "pytest_agentcore_campaign_finished")
"""Hooks that only the main process calls."""
AT_START = ("pytest_agentcore_backends",)
"""Hooks that are called before anything is collected."""


def implemented(config: pytest.Config, hooks: Iterable[str]) -> list[str]:
    """Name who implements the hooks here, alike in every process: `pytest_agentcore_tools in conftest.py`."""
    found = []
    for hook in hooks:
        for one in getattr(config.hook, hook).get_hookimpls():
            file, kind = getattr(one.plugin, "__file__", None), type(one.plugin)
            where = os.path.relpath(file, config.rootpath) if file else f"{kind.__module__}.{kind.__qualname__}"
            found.append(f"{hook} in {where}")
    return found


WHERE_HOOKS_ARE_KNOWN = "move it into the conftest.py of the rootdir, or give its folder as a path of the command line"


def fit_here(setup: Setup, trials: int) -> tuple[int, str]:
    """As many rows as this machine holds, at most one for each trial, and why."""
    assert isinstance(setup.engine, EngineSettings)
    assert setup.entry.path is not None
    return choose_rows(check_model(setup.entry.path), setup.engine, trials)


class Spans:
    """When trials ran, here or elsewhere, and how many at a time; may be used from several threads.

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
        """Count the trial whose attempt is made meanwhile in this process."""
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


@dataclass(kw_only=True)
class Experiment:
    """The process's view of the session: the settings are the same in the main process and in every worker."""

    settings: Settings
    suite: Suite
    sandbox: Sandbox
    backends: Mapping[str, BackendFactory]
    """Factories by name."""
    registered: RegisteredTools
    setups: dict[str, Setup]
    """By the campaign's label, in the order given; once a model is fetched, with its file."""
    picked: Collection[TrialKey] = ()
    """The only trials to run, where they were picked by how they had ended."""
    other_shards: Sequence[PlannedTrial] = ()
    """Trials of each model that are left to other shards; known once tasks are collected."""
    folders: dict[str, CampaignFolder] = field(default_factory=dict)
    """By label; filled when the campaigns are opened."""
    recorded: dict[TrialKey, TrialResult] = field(default_factory=dict)
    """Trials that are scored, by an earlier process or by this one, or were stopped: they are reported and not run."""
    attempts: dict[TrialKey, int] = field(default_factory=dict)
    """How many attempts were made at the others."""
    fit: Callable[[Setup, int], tuple[int, str]] = fit_here
    """Says how many conversations of a model decode together where nobody has said it, and why."""
    claims: Path | None = None
    """Folder in which the workers of a session tell each other of their trials."""
    _claim: FileIO | None = None
    spans: Spans = field(default_factory=Spans)

    @property
    def tools(self) -> Mapping[str, Tool]:
        """By name; they grow while tasks are collected, with the conftests that pytest loads."""
        return self.registered.tools

    def decode_together(self, label: str, rows: int | None) -> None:
        """Settle how many conversations a campaign's model decodes together; None where that is not ours to say."""
        setup = self.setups[label]
        if rows and isinstance(setup.engine, EngineSettings):
            self.setups[label] = replace(setup, engine=replace(setup.engine, rows=rows))

    def know(self, label: str, results: Iterable[TrialResult]) -> None:
        """Take over what earlier processes recorded in a campaign: what is scored is not run again."""
        self.recorded |= {TrialKey(label, result.task, result.run): result for result in results if result.scored}

    def claim(self, key: TrialKey) -> bool:
        """Take a trial for this worker, once no other has it, and tell whether another has left its result.

        The lock goes with the process, so that nobody waits for one that died.
        """
        self.release()
        if self.claims is None:
            return False
        path = self._note_on(key)
        self._claim = open_to_append(path)
        fcntl.flock(self._claim, fcntl.LOCK_EX)
        left = [TrialResult.from_json(line) for line in read_lines(path)]
        for result in left:
            self.remember(key, result)
        return bool(left)

    def limit(self, nodeid: str, seconds: float) -> None:
        """Leave a note of when somebody is going to end this worker, which will not say so itself."""
        if self.claims:
            self._note_on(nodeid).write_text(str(time.time() + seconds))

    def is_over(self, nodeid: str) -> bool:
        """Tell whether a test's worker was still there at the limit it left a note of."""
        note = self._note_on(nodeid)
        return note.is_file() and time.time() >= float(note.read_text())

    def _note_on(self, what: object) -> Path:
        assert self.claims is not None
        return self.claims / hashlib.sha256(str(what).encode()).hexdigest()

    def settle(self, key: TrialKey, result: TrialResult) -> None:
        """Remember how a trial ended: once it is scored or was stopped, whoever asks for it again gets this."""
        self.remember(key, result)
        if self._claim:
            append(self._claim, result.to_json())

    def release(self) -> None:
        """Leave the claimed trial to others."""
        if self._claim:
            self._claim.close()
            self._claim = None

    def remember(self, key: TrialKey, result: TrialResult) -> None:
        """Know how a trial ended, here or in another process."""
        self.attempts[key] = max(result.attempts, self.attempts.get(key, 0))
        # what was stopped from outside would have all the time it wants if a plugin ran it once more
        if result.scored or result.cause is Cause.interrupted:
            self.recorded.setdefault(key, result)

    def label_of(self, result: TrialResult) -> str:
        """The campaign that a result belongs to."""
        asked = (result.model, result.policy, result.context_load)
        return next(label for label, s in self.setups.items() if (s.slug, s.policy.value, s.load) == asked)
