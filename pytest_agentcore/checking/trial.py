"""The finished trial that a checker gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pytest_agentcore.checking import frozen as comparing
from pytest_agentcore.checking.readers import Diff, Files, diff
from pytest_agentcore.checking.run import Outcome, Ran, TestRun, bench, run_calls, run_shell, run_test_files, test_tree
from pytest_agentcore.sandbox.base import Sandbox, Workspace
from pytest_agentcore.tasks.task import Instance, Task
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import CallRecord

Lines = frozenset[tuple[str, int]]
"""Path and line number counted from 1."""

CALL_SECONDS = 20.0
SHELL_SECONDS = 30.0
TEST_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, repr=False)
class Trial(Files):
    """A finished trial: what was given, what was done, and the workspace as it was left, protected files restored.

    Readers raise AssertionError, with one sentence, for whatever a model may have left at a path. Methods that run
    code do so in the sandbox, each on a copy of the workspace of its own, so no run changes what another one sees.
    A mistake of the checker itself (a path outside the workspace, arguments that are no plain data) is a ValueError
    or TypeError: a broken checker.
    """

    task: Task
    run: int
    """Run index, counted from 1."""
    facts: Mapping[str, Any]
    """The instance's facts, which are never shown to the model."""
    answer: str
    """The text of the last reply."""
    stop_reason: StopReason
    calls: tuple[CallRecord, ...]
    """The tool calls that the model made. (To call a function of the workspace, see `call` and `call_each`.)"""
    _sandbox: Sandbox
    _given: Mapping[str, bytes]
    _changed: frozenset[str]

    @classmethod
    def open(
        cls,
        *,
        task: Task,
        instance: Instance,
        run: int,
        frozen: Workspace,
        sandbox: Sandbox,
        calls: Sequence[CallRecord] = (),
        answer: str = "",
        stop_reason: StopReason = StopReason.final_answer,
        skipped: Mapping[str, str] = {},
    ) -> Self:
        """The trial over a frozen workspace, in which the task's protected files are restored now.

        Args:
            task: what was declared.
            instance: what was given.
            run: run index, counted from 1.
            frozen: a copy that nobody else uses; it is changed.
            sandbox: where code of the workspace runs.
            calls: what the model did.
            answer: the text of its last reply.
            stop_reason: what ended it.
            skipped: what the frozen copy lacks, by path, and why: `a FIFO`, `a symbolic link` …
        """
        given = comparing.given_files(instance)
        changed = comparing.changed(frozen.root, given, skipped)
        comparing.drop_caches(frozen.root)
        comparing.restore(frozen.root, given, task.protected)

        return cls(
            task=task,
            run=run,
            facts=instance.facts,
            answer=answer,
            stop_reason=stop_reason,
            calls=tuple(calls),
            _frozen=frozen,
            _skipped={path: why for path, why in skipped.items() if not (frozen.root / path).exists()},
            _sandbox=sandbox,
            _given=given,
            _changed=changed,
        )

    def __repr__(self) -> str:
        """Short: pytest shows it above every failed checker."""
        return f"<trial of {self.task.id}, run {self.run}>"

    def files(self) -> tuple[str, ...]:
        """Paths of all regular files, sorted."""
        return tuple(comparing.regular_files(self._frozen.root))

    def changed(self) -> frozenset[str]:
        """Paths that the model added, removed or modified, protected ones included; caches do not count."""
        return self._changed

    def original(self, path: str) -> str:
        """The text of a file as it was given.

        Raises:
            ValueError: no such file was given.
        """
        if path not in self._given:
            raise ValueError(f"{path!r} is not among the given files")
        return self._given[path].decode()

    def diff(self, path: str) -> Diff:
        """The lines that were changed in a given file."""
        return diff(self.original(path), self.text(path))

    def shell(self, command: str, seconds: float = SHELL_SECONDS) -> Ran:
        """Run a shell command in the workspace; a command that does not end in time is an AssertionError."""
        with bench(self._frozen, self._sandbox) as on:
            return run_shell(on, command, seconds)

    def call(self, target: str, *args: Any, **kwargs: Any) -> Outcome:
        """Call a function of the workspace: `trial.call("src/price.py:total", [1, 2], currency="EUR")`.

        Arguments and values are plain data; expected values never enter the process. A function that ends its process,
        does not answer within 20 seconds or cannot be loaded is an AssertionError.
        """
        with bench(self._frozen, self._sandbox) as on:
            return run_calls(on, target, [(args, kwargs)], seconds=CALL_SECONDS)[0].outcome

    def call_each(
        self, target: str, arguments: Iterable[Sequence[Any]], seconds: float = CALL_SECONDS
    ) -> list[Outcome]:
        """Like `call` for each tuple of arguments, in one process and in order."""
        with bench(self._frozen, self._sandbox) as on:
            answers = run_calls(on, target, [(args, {}) for args in arguments], seconds=seconds)
            return [answer.outcome for answer in answers]

    def trace(self, target: str, *args: Any, **kwargs: Any) -> Lines:
        """The lines of the workspace that one call executes."""
        with bench(self._frozen, self._sandbox) as on:
            return run_calls(on, target, [(args, kwargs)], seconds=CALL_SECONDS, trace=True)[0].lines

    def run_tests(self, path: str, seconds: float = TEST_SECONDS) -> TestRun:
        """Run a given unittest file, or all below a folder, as given, against the workspace's code."""
        tree, files = test_tree(self._given, path)
        with bench(self._frozen, self._sandbox, tree) as on:
            return run_test_files(on, tree, files, seconds)
