"""Puts today's checkers before the workspaces that a campaign keeps."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from pytest_agentcore.campaign.reading import Campaign
from pytest_agentcore.campaign.transcript import read_transcript
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.errors import UsageError
from pytest_agentcore.recheck.stored import Stored, read_stored
from pytest_agentcore.sandbox.archive import unpack
from pytest_agentcore.sandbox.base import Sandbox, Workspace
from pytest_agentcore.sandbox.scratch import scratch
from pytest_agentcore.sandbox.workspace import create_workspace
from pytest_agentcore.selfcheck.opinion import Opinion, Said, ask
from pytest_agentcore.suite import Suite
from pytest_agentcore.tasks import Task
from pytest_agentcore.trial import TrialResult
from pytest_agentcore.verdict.classify import CLASSIFICATION, Facts, classify
from pytest_agentcore.verdict.modes import Cause


class Change(StrEnum):
    """What became of a recorded verdict."""

    up = "up"
    """Passes now."""
    down = "down"
    """Passed, and does not any more."""
    otherwise = "otherwise"
    """Did not pass and does not, but with another failure mode or cause."""
    same = "same"
    skipped = "skipped"
    """Could not be judged again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechecked:
    """One trial, as it was judged and as it is judged now."""

    before: TrialResult
    after: TrialResult | None = None
    why: str = ""
    """Why it was not judged again."""

    @property
    def change(self) -> Change:
        """Up and down are about passing."""
        if self.after is None:
            return Change.skipped
        if self.after.passed is not self.before.passed and True in (self.after.passed, self.before.passed):
            return Change.up if self.after.passed else Change.down
        now, then = self.after, self.before
        same = (now.passed, now.failure_mode, now.cause) == (then.passed, then.failure_mode, then.cause)
        return Change.same if same else Change.otherwise


def recheck(
    campaign: Campaign,
    tasks: Mapping[str, tuple[Suite, Task]],
    sandbox: Sandbox,
    doubted: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Rechecked]:
    """Every recorded trial, by task and run.

    Args:
        campaign: read from the disk; nothing of it is changed.
        tasks: today's, by id.
        sandbox: where checkers run the workspaces' code.
        doubted: what is wrong with their evidence, by attempt; those are not judged.
    """
    for result in campaign.results:
        judge = _Judge(campaign, result, sandbox, doubted.get(result.attempt, ""))
        try:
            yield Rechecked(before=result, after=judge.result(tasks))
        except UsageError as error:
            yield Rechecked(before=result, why=str(error))


@dataclass(frozen=True, slots=True)
class _Judge:
    """One trial. What cannot be judged again is a UsageError that says why."""

    campaign: Campaign
    before: TrialResult
    sandbox: Sandbox
    doubt: str
    """What is wrong with its evidence; empty for nothing."""

    def result(self, tasks: Mapping[str, tuple[Suite, Task]]) -> TrialResult:
        suite, task = self._task(tasks)
        instance = task.instance(suite.version, self.before.run)
        if instance.digest() != self.before.instance:
            raise UsageError("the task gives other files today")
        stored = self._stored()
        with scratch("recheck") as home:
            trial = Trial.open(
                task=task,
                instance=instance,
                run=self.before.run,
                frozen=self._workspace(Path(home)),
                sandbox=self.sandbox,
                calls=stored.calls,
                answer=stored.answer,
                stop_reason=self.before.stop_reason,
            )
            changed = trial.changed()
            opinion = ask(task, trial)
        return _result(self.before, self._facts(task, stored, changed, opinion), opinion)

    def _task(self, tasks: Mapping[str, tuple[Suite, Task]]) -> tuple[Suite, Task]:
        if not self.before.scored and self.before.cause is not Cause.checker_broken:
            raise UsageError(f"was not judged: {self.before.outcome}, {self.before.cause}")
        if self.doubt:
            raise UsageError(self.doubt)
        if self.before.task not in tasks:
            raise UsageError("the suite has no such task")
        return tasks[self.before.task]

    def _stored(self) -> Stored:
        events = read_transcript(self.campaign.folder.transcript(self.before.attempt))
        if not events:
            raise UsageError("its transcript is missing")
        return read_stored(events)

    def _workspace(self, home: Path) -> Workspace:
        workspace = create_workspace(home / "frozen")
        try:
            unpack(self.campaign.folder.workspace(self.before.attempt), workspace.root)
        except (OSError, ValueError, tarfile.TarError) as error:
            raise UsageError(f"its final workspace cannot be unpacked: {error}") from error
        return workspace

    def _facts(self, task: Task, stored: Stored, changed: frozenset[str], opinion: Opinion) -> Facts:
        return Facts(
            stop_reason=self.before.stop_reason,
            accepted={Said.accepted: True, Said.rejected: False, Said.broken: None}[opinion.said],
            infrastructure=Cause.checker_broken if opinion.said is Said.broken else None,
            executed=self.before.tool_calls,
            problems=self.before.problems,
            unknown_tools=stored.unknown_tools,
            resembles=stored.resembles,
            artifacts=len(task.artifacts),
            artifacts_made=len(changed & set(task.artifacts)),
            changed=bool(changed),
        )


def _result(before: TrialResult, facts: Facts, opinion: Opinion) -> TrialResult:
    verdict = classify(facts)
    return replace(
        before,
        passed=verdict.passed,
        failure_mode=verdict.failure_mode,
        cause=verdict.cause,
        detail="" if verdict.passed else opinion.words[:2000],
        classification=CLASSIFICATION,
    )
