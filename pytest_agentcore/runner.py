"""Runs trials: workspace, agent, frozen result, and again when the infrastructure failed. No pytest in here."""

from __future__ import annotations

import threading
import traceback
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from pytest_agentcore.agent.context_load import ContextLoad
from pytest_agentcore.agent.session import Limit, Recorder, Session
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.errors import InfrastructureError, TaskDeclarationError
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.transcript import TranscriptWriter, set_aside
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.sandbox.workspace import Frozen, create_workspace, freeze, scratch
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tasks.task import Instance, Task
from pytest_agentcore.tools.base import Tool
from pytest_agentcore.tools.toolbox import Toolbox
from pytest_agentcore.trial.fold import Attempt, verdict_event
from pytest_agentcore.trial.modes import Cause, StopReason
from pytest_agentcore.trial.result import TrialKey, TrialResult

Agent = Callable[[Instance, Session], Attempt]
"""Works on an instance of a task until something ends the trial; raises InfrastructureError where it cannot go on."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One trial to run: everything about it but who works on it and where it is recorded."""

    key: TrialKey
    task: Task
    suite: Suite
    sandbox: Sandbox
    tools: Mapping[str, Tool]
    limit: Limit
    model: str = ""
    """The model's slug, where the key's name for the campaign is another."""
    policy: str = "native"
    load: ContextLoad | None = None
    seed: int = 0
    nodeid: str = ""
    """pytest's name for the trial, by which a dead worker's transcript is found again."""
    attempts: int = 0
    """Attempts that were made at the trial before."""
    retries: int = 0
    """Further attempts after one that the infrastructure failed."""

    @property
    def budget(self) -> Limit:
        """The session's limits, with what the task itself declares in their place."""
        own = {name: value for name, value in asdict(self.task.budget).items() if value is not None}
        return replace(self.limit, **own)

    def instance(self) -> Instance:
        """The task's data for this run index."""
        return self.task.instance(self.suite.version, self.key.run)


@dataclass(kw_only=True)
class Finished:
    """A trial that has run and waits to be judged. Its folders live until `close`."""

    job: Job
    instance: Instance
    attempt: Attempt
    frozen: Frozen
    failure: InfrastructureError | None
    """Why the agent could not go on."""
    record: Recorder
    folders: ExitStack

    @cached_property
    def trial(self) -> Trial:
        """The trial as the checker sees it. Opening it restores protected files in the frozen copy."""
        return Trial.open(
            task=self.job.task,
            instance=self.instance,
            run=self.job.key.run,
            frozen=self.frozen.workspace,
            skipped=self.frozen.skipped,
            sandbox=self.job.sandbox,
            calls=self.attempt.calls,
            answer=self.attempt.answer,
            stop_reason=self.attempt.stop_reason,
        )

    def judge(self, accepted: bool | None, detail: str = "", cause: Cause | None = None) -> TrialResult:
        """The result, recorded as the transcript's last event: from what the checker said, or why it did not speak.

        None is not accepted: the checker was not asked, or broke; a `cause` is given where the agent had not failed.
        """
        cause = cause or (self.failure.cause if self.failure else None)
        artifacts, changed = self.job.task.artifacts, self.trial.changed()
        verdict = verdict_event(accepted, detail=detail, cause=cause, artifacts=artifacts, changed=changed)
        self.record(verdict)
        self.attempt = replace(self.attempt, verdict=verdict)
        return self.attempt.result()

    def interrupt(self) -> TrialResult:
        """The result of a trial that the user stopped, also while its checker was at work."""
        if self.attempt.stop_reason is StopReason.interrupted:
            return self.judge(None)
        return self.judge(None, "interrupted before its checker had spoken", Cause.interrupted)

    def close(self) -> None:
        """Remove the workspaces."""
        self.folders.close()


def run_trial(job: Job, agent: Agent, folder: CampaignFolder, cancel: threading.Event | None = None) -> Finished:
    """Make the attempts at a trial: one, and as many more as it has retries while the infrastructure fails.

    The last attempt is the trial's, whatever became of it. Those before it are judged as infrastructure errors, and
    only their transcripts are kept.

    Raises:
        RecordError: the disk takes no more.
    """
    for tried in range(job.retries + 1):
        attempt_id = str(uuid.uuid4())
        record = TranscriptWriter(folder.transcript(attempt_id))
        number = job.attempts + tried + 1
        finished = run_attempt(job, agent, record, attempt_id=attempt_id, number=number, cancel=cancel)
        finished.folders.callback(record.close)
        if not finished.failure or tried == job.retries:
            break
        finished.judge(None)
        finished.close()
        record.close()
        set_aside(folder, [record.path])
    return finished


def run_attempt(
    job: Job,
    agent: Agent,
    record: Recorder,
    *,
    attempt_id: str = "",
    number: int = 1,
    cancel: threading.Event | None = None,
) -> Finished:
    """Make one try at a trial, the `number`th: a fresh workspace, the agent over it, a frozen copy of what it left."""
    # The data of this run, in a folder that goes when the trial has its verdict.
    broken: InfrastructureError | None = None
    try:
        instance = job.instance()
        instance.digest()
    except KeyboardInterrupt:
        raise
    except TaskDeclarationError as error:
        instance, broken = Instance({}), InfrastructureError(str(error), Cause.task_broken)
    except BaseException as error:  # noqa: BLE001 - a function of the task's
        frames = traceback.extract_tb(error.__traceback__)
        raised = [frame for frame in frames if frame.filename == str(job.task.module)]
        where = f" ({job.task.module.name}, line {raised[-1].lineno})" if raised else ""
        sentence = f"the task cannot make its files: {type(error).__name__}: {error}{where}"
        instance, broken = Instance({}), InfrastructureError(sentence, Cause.task_broken)
    folders = ExitStack()
    home = Path(folders.enter_context(scratch("trial")))
    workspace = create_workspace(home / "live", instance.files)
    # The session takes down what happens, beginning with everything that decides what the agent meets.
    toolbox = Toolbox([job.tools[name] for name in job.task.tools], job.task.faults)
    session = Session(
        key=job.key,
        tools=toolbox,
        workspace=workspace,
        sandbox=job.sandbox,
        limit=job.budget,
        record=record,
        cancel=cancel or threading.Event(),
    )
    session.begin(
        {
            "attempt": attempt_id or str(uuid.uuid4()),
            "number": number,
            "nodeid": job.nodeid,
            "model": job.model or job.key.model,
            "task": job.key.task,
            "run": job.key.run,
            "policy": job.policy,
            "sandbox": job.sandbox.name,
            "seed": job.seed,
            "instance": instance.digest(),
            "system": job.suite.system_prompt,
            "prompt": job.task.prompt,
            "tools": [asdict(spec) for spec in toolbox.specs],
            "budget": asdict(job.budget),
            **({"load": job.load.to_json()} if job.load else {}),
        }
    )
    # The agent works until something ends the trial. Only a failing infrastructure leaves it without an end of its own.
    failure: InfrastructureError | None = None
    try:
        if broken:
            raise broken
        attempt = agent(instance, session)
    except InfrastructureError as error:
        attempt, failure = session.finish(StopReason.backend_error, str(error)), error
    except KeyboardInterrupt:
        attempt = session.finish(StopReason.interrupted, "interrupted")
    # The checker gets a copy of the regular files: no link or device that was left there can lead it elsewhere.
    return Finished(
        job=job,
        instance=instance,
        attempt=attempt,
        frozen=freeze(workspace, home / "frozen"),
        failure=failure,
        record=record,
        folders=folders,
    )
