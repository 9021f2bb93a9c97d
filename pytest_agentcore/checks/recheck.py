"""Puts today's checkers before the workspaces that a campaign keeps."""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pytest_agentcore import __version__
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.checks.ask import Said, ask
from pytest_agentcore.errors import InfrastructureError, UsageError
from pytest_agentcore.pack.manifest import Recheck, utc
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.pack.transcript import read_transcript
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.sandbox.workspace import create_workspace, scratch, unpack
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.trial.classify import CLASSIFICATION
from pytest_agentcore.trial.fold import read_attempt, verdict_event
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import clip


class Change(StrEnum):
    """The difference between a recorded verdict and today's."""

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
        now, then = self.after, self.before
        if now is None:
            return Change.skipped
        if now.passed is not then.passed and True in (now.passed, then.passed):
            return Change.up if now.passed else Change.down
        same = (now.passed, now.failure_mode, now.cause) == (then.passed, then.failure_mode, then.cause)
        return Change.same if same else Change.otherwise


def recheck(
    campaign: Campaign, tasks: Mapping[str, tuple[Suite, Task]], sandbox: Sandbox, doubted: Mapping[str, str]
) -> Iterator[Rechecked]:
    """Every recorded trial, by task and run.

    Args:
        campaign: read from the disk; nothing of it is changed.
        tasks: today's, by id.
        sandbox: where checkers run the workspaces' code.
        doubted: what is wrong with their evidence, by attempt; those are not judged.
    """
    for result in campaign.results:
        try:
            after = _judge_again(campaign, result, tasks, sandbox, doubted.get(result.attempt, ""))
            yield Rechecked(before=result, after=after)
        except (UsageError, InfrastructureError) as error:
            yield Rechecked(before=result, why=str(error))


def _judge_again(
    campaign: Campaign, before: TrialResult, tasks: Mapping[str, tuple[Suite, Task]], sandbox: Sandbox, doubt: str
) -> TrialResult:
    """Put one trial before its checker again.

    Raises:
        UsageError: says why that is not possible.
    """
    if not before.scored and before.cause is not Cause.checker_broken:
        raise UsageError(f"was not judged: {before.outcome}, {before.cause}")
    if doubt:
        raise UsageError(doubt)
    if before.task not in tasks:
        raise UsageError("the suite has no such task")
    suite, task = tasks[before.task]
    instance = task.instance(suite.version, before.run)
    if instance.digest() != before.instance:
        raise UsageError("the task gives other files today")
    if not (events := read_transcript(campaign.folder.transcript(before.attempt))):
        raise UsageError("its transcript is missing")
    attempt = read_attempt(events)
    with scratch("recheck") as home:
        workspace = create_workspace(Path(home) / "frozen")
        try:
            unpack(campaign.folder.workspace(before.attempt), workspace.root)
        except (OSError, ValueError, tarfile.TarError) as error:
            raise UsageError(f"its final workspace cannot be unpacked: {error}") from error
        trial = Trial.open(
            task=task,
            instance=instance,
            run=before.run,
            frozen=workspace,
            sandbox=sandbox.of(task.id),
            calls=attempt.calls,
            answer=attempt.answer,
            stop_reason=attempt.stop_reason,
        )
        changed = trial.changed()
        opinion = ask(task, trial)
    verdict = verdict_event(
        {Said.accepted: True, Said.rejected: False, Said.broken: None}[opinion.said],
        detail=opinion.words,
        cause=Cause.checker_broken if opinion.said is Said.broken else None,
        artifacts=task.artifacts,
        changed=changed,
    )
    return replace(attempt, verdict=verdict).result()


def record(campaign: Campaign, rechecked: Sequence[Rechecked], suite_digest: str, at: datetime) -> Campaign:
    """Append a result line for each verdict that changed; the earlier lines stay, and the last one counts.

    Raises:
        UsageError: another process is writing the campaign.
    """
    counts = Counter(one.change for one in rechecked)
    note = Recheck(
        at=utc(at),
        suite=suite_digest,
        harness=__version__,
        classification=CLASSIFICATION,
        **{change.value: counts[change] for change in (Change.up, Change.down, Change.otherwise)},
    )
    manifest = replace(campaign.manifest, rechecked=(*campaign.manifest.rechecked, note))
    writer = CampaignRecord(campaign.folder, manifest)
    for one in rechecked:
        if one.after and one.change is not Change.same:
            writer.judge_again(one.after)
    return writer.close()


_WIDTH = 100
"""Columns of what a checker said."""

_SPELT = {Change.otherwise: "judged otherwise", Change.same: "the same", Change.skipped: "not judged again"}


def changed_line(one: Rechecked) -> str:
    """One trial whose verdict changed, or that could not be judged again."""
    if one.after is None:
        return f"{one.change:<9} {one.before.key}: {clip(one.why, _WIDTH)}"
    said = f" ({clip(one.after.detail, _WIDTH)})" if one.after.detail else ""
    then, now = (f"{one.outcome}, {one.cause}" if one.cause else one.outcome for one in (one.before, one.after))
    return f"{one.change:<9} {one.before.key}: {then} → {now}{said}"


def summary_lines(rechecked: Sequence[Rechecked]) -> Iterator[str]:
    """Count the changes of each kind, and the passes before and after."""
    counts = Counter(one.change for one in rechecked)
    yield f"{len(rechecked)} trials: " + ", ".join(
        f"{counts[change]} {_SPELT.get(change, change)}" for change in Change
    )
    before = sum(one.before.passed is True for one in rechecked)
    after = sum((one.after or one.before).passed is True for one in rechecked)
    yield f"passed: {before} → {after}"
