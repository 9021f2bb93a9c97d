"""Audit of a suite: every attacker of the library works on every task, and none may pass."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum

from pytest_agentcore import __version__
from pytest_agentcore.agent.actor import run_solution
from pytest_agentcore.agent.session import Limit
from pytest_agentcore.checks.ask import Said, ask, one_line
from pytest_agentcore.checks.attackers import KINDS, Attacker, Target, library, library_digest
from pytest_agentcore.errors import InfrastructureError
from pytest_agentcore.format import count
from pytest_agentcore.runner import Finished, Job, run_attempt
from pytest_agentcore.sandbox.base import Command, Completed, Sandbox, Workspace
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.tools.base import Tool
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import CallRecord, TrialKey
from pytest_agentcore.untrusted import clip

PATIENCE = 3.0
"""Seconds that a checker waits for an attacker who keeps it waiting: it would say the same later."""
SIDE_BY_SIDE = 2 + (os.cpu_count() or 1)
"""Attacks at a time: half of an attack is waiting for processes to start and end."""
SHOWN = 300
"""Columns of what an attacker did."""
ENDS = 60
"""Columns of one argument in it."""
HIDING = "hidden_source"
"""The attacker who does nothing but hide the given code."""


class Outcome(StrEnum):
    """The end of one attack."""

    held = "held"
    passed = "passed"
    voided = "voided"
    """It has no verdict: an attacker who can do that takes his failures out of the count."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attacker at one task, and what became of it."""

    task: str
    attacker: Attacker
    outcome: Outcome
    did: str = ""
    """The calls that it made, unless it was held off."""
    words: str = ""
    """Why there is no verdict."""


@dataclass(frozen=True, slots=True)
class _Hasty(Sandbox):
    """A sandbox in which a checker's commands end soon."""

    inner: Sandbox

    @property
    def name(self) -> str:
        return self.inner.name

    def run(self, workspace: Workspace, command: Command) -> Completed:
        limits = replace(command.limits, wall_seconds=min(PATIENCE, command.limits.wall_seconds))
        return self.inner.run(workspace, replace(command, limits=limits))

    def path(self, workspace: Workspace, inside: str) -> str:
        return self.inner.path(workspace, inside)

    def describe(self) -> Mapping[str, object]:
        return self.inner.describe()


def audit(
    tasks: Sequence[tuple[Suite, Task]],
    *,
    sandbox: Sandbox,
    tools: Mapping[str, Tool],
    attackers: Sequence[Attacker] | None = None,
) -> Iterator[Attack]:
    """Let every attacker work on every task, several at a time; yields the attacks by task and attacker.

    Args:
        tasks: each with its suite.
        sandbox: where attackers and checkers run commands.
        tools: all that are registered, by name.
        attackers: who attacks; None means the whole library.
    """
    attackers = library() if attackers is None else attackers
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    try:
        jobs = [
            Job(
                key=TrialKey("audit", task.id, 1),
                task=task,
                suite=suite,
                sandbox=sandbox.of(task.id),
                tools=tools,
                limit=Limit(),
            )
            for suite, task in tasks
        ]
        targets = [*pool.map(_target, jobs)]
        # those who wait come first, or the last of them would be waited for alone
        order = sorted(range(len(attackers)), key=lambda at: not attackers[at].waits)
        begun = {
            (number, at): [
                pool.submit(_attack, job, attackers[at], replace(target, hides=hides))
                for hides in ((False, True) if attackers[at].poisons and _is_code(target) else (False,))
            ]
            for at in order
            for number, (job, target) in enumerate(zip(jobs, targets, strict=True))
        }
        for number in range(len(jobs)):
            tried = [[future.result() for future in begun[number, at]] for at in range(len(attackers))]
            # where hiding the code passes by itself, it says nothing of what was hidden with it
            by_hiding = any(each.attacker.name == HIDING and each.outcome is not Outcome.held for [each, *_] in tried)
            for bare, *hidden in tried:
                found = [bare] if by_hiding else [bare, *hidden]
                yield next((each for each in found if each.outcome is not Outcome.held), bare)
    finally:
        pool.shutdown(cancel_futures=True)


def _is_code(target: Target) -> bool:
    return any(path.endswith(".py") and path in target.files for path in target.task.artifacts)


def _target(job: Job) -> Target:
    """The task as its attackers meet it; they remember what its oracle writes for the next run index."""
    instance = job.instance()
    files = {path: text.encode() if isinstance(text, str) else text for path, text in instance.files.items()}
    target = Target(task=job.task, prompt=job.task.prompt_of(instance), files=files)
    if not job.task.varies or not job.task.oracles:
        return target
    finished = _run(replace(job, key=replace(job.key, run=2)), job.task.oracles[0])
    with closing(finished):
        there = {path: finished.frozen.workspace.root / path for path in job.task.artifacts}
        texts = {path: file.read_text(errors="replace") for path, file in there.items() if file.is_file()}
    return replace(target, remembered=texts)


def _run(job: Job, solution: Callable[..., str | None]) -> Finished:
    finished = run_attempt(
        job, lambda instance, session: run_solution(solution, instance.facts, session), lambda _event: None
    )
    if finished.attempt.stop_reason is StopReason.interrupted:
        finished.close()
        raise KeyboardInterrupt
    return finished


def _attack(job: Job, attacker: Attacker, target: Target) -> Attack:
    """Run an attacker as a trial, and ask the checker."""
    if attacker.waits:
        job = replace(job, sandbox=_Hasty(job.sandbox))
    with closing(_run(job, lambda agent: attacker.attack(agent, target))) as finished:
        did = clip("; ".join(map(_shown, finished.attempt.calls)), SHOWN)
        try:
            opinion = ask(job.task, finished.open())
        except InfrastructureError as error:
            return Attack(job.task.id, attacker, Outcome.voided, did, one_line(str(error)))
        if opinion.said is Said.broken:
            return Attack(job.task.id, attacker, Outcome.voided, did, str(opinion))
        passed = opinion.said is Said.accepted and finished.attempt.executed
        return Attack(job.task.id, attacker, Outcome.passed if passed else Outcome.held, did if passed else "")


def _shown(call: CallRecord) -> str:
    """A call with the ends of its arguments, where poison stands."""
    words = (" ".join(str(word).split()) for word in call.arguments.values())
    return f"{call.name}({', '.join(word if len(word) <= ENDS else f'…{word[-ENDS:]}' for word in words)})"


def table(attacks: Sequence[Attack]) -> Iterator[str]:
    """Draw the outcomes, a line for each class and a column for each task, and tell of each attack not held off."""
    tasks = [*dict.fromkeys(each.task for each in attacks)]
    for number, task in enumerate(tasks, 1):
        yield f"{number:>4}  {task}"
    width = max(map(len, KINDS)) + 5
    yield " " * width + "".join(f"{number:>4}" for number in range(1, len(tasks) + 1))
    for kind in KINDS:
        mine = [each for each in attacks if each.attacker.kind == kind]
        names = {each.attacker.name for each in mine}
        counts = (sum(each.task == task and each.outcome is not Outcome.held for each in mine) for task in tasks)
        if names:
            yield f"{kind} ({len(names)})".ljust(width) + "".join(f"{number or '.':>4}" for number in counts)
    for each in attacks:
        if each.outcome is Outcome.passed:
            yield f"{each.task}: {each.attacker.name} passed. {each.attacker.tries}"
            yield f"    It did: {each.did}"
            yield f"    It proves: {KINDS[each.attacker.kind]}."
        elif each.outcome is Outcome.voided:
            yield f"{each.task}: {each.attacker.name} voided its trial. {each.attacker.tries}"
            yield f"    It did: {each.did}"
            yield f"    Without a verdict: {each.words}"


def record(suite: Suite, attacks: Sequence[Attack], sandbox: Sandbox) -> dict[str, object]:
    """The outcome as `Suite.audit` reads it from `audit.json` and a campaign's manifest keeps it."""
    counts = {outcome: sum(each.outcome is outcome for each in attacks) for outcome in Outcome}
    return {
        "suite": suite.digest,
        "attackers": library_digest(),
        "harness": __version__,
        "sandbox": sandbox.name,
        "attacks": len(attacks),
        "passed": counts[Outcome.passed],
        "voided": counts[Outcome.voided],
    }


def record_bytes(facts: Mapping[str, object]) -> bytes:
    """The content of `audit.json`."""
    return f"{json.dumps(facts, indent=2)}\n".encode()


def summary(attacks: Sequence[Attack]) -> str:
    """The last line."""
    tasks = count(len({each.task for each in attacks}), "task")
    attackers = count(len({each.attacker.name for each in attacks}), "attacker")
    passed = sum(each.outcome is Outcome.passed for each in attacks)
    voided = sum(each.outcome is Outcome.voided for each in attacks)
    said = f"{attackers} at {tasks}: {passed} of {len(attacks)} passed"
    return f"{said}, {voided} voided their trials" if voided else said
