"""Runs trials: workspace, agent, frozen result, and again when the infrastructure failed. No pytest in here."""

from __future__ import annotations

import itertools
import threading
import traceback
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from pytest_agentcore.agent.context_load import ContextLoad
from pytest_agentcore.agent.session import Limit, Recorder, Session
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.errors import InfrastructureError, SandboxError, TaskDeclarationError, WorkerLost, is_foreign
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.transcript import TranscriptWriter, set_aside
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.sandbox.workspace import Frozen, content_digest, create_workspace, freeze, scratch, workspace_in
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tasks.task import Instance, Task
from pytest_agentcore.tools.base import Tool
from pytest_agentcore.tools.toolbox import Toolbox
from pytest_agentcore.trial.fold import Attempt, verdict_event
from pytest_agentcore.trial.modes import Cause, StopReason
from pytest_agentcore.trial.result import TrialKey, TrialResult

Agent = Callable[[Instance, Session], Attempt]
"""Works on an instance of a task until something ends the trial; raises InfrastructureError where it cannot go on."""
LOST_TRIES = 3
"""Further attempts after workers that were lost, beside the retries: it is seldom the trial that ends a machine."""


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
    ask_there: Mapping[str, Any] | None = None
    """pytest's `style` and `verbose`, where the checker may be asked in the process that runs the trial."""

    @property
    def budget(self) -> Limit:
        """The session's limits, with what the task itself declares in their place."""
        own = {name: value for name, value in asdict(self.task.budget).items() if value is not None}
        return replace(self.limit, **own)

    def instance(self) -> Instance:
        """The task's data for this run index."""
        return self.task.instance(self.suite.version, self.key.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The opinion of a checker that was asked in the process that ran the trial."""

    accepted: bool
    words: str
    """For the record, as they would be here."""
    report: Mapping[str, Any]
    """pytest's own of a rejection, as `pytest_report_to_serializable` writes it; empty where it accepted."""
    printed: str
    changed: Collection[str]
    """Protected files that the agent had changed."""


@dataclass
class Finished:
    """A trial that has run and waits to be judged. Its folders live until `close`."""

    job: Job
    record: Recorder
    instance: Instance
    attempt: Attempt
    frozen: Frozen
    folders: ExitStack
    failure: InfrastructureError | None = None
    """Why the agent could not go on, or nobody can say what it did."""
    signal: BaseException | None = None
    """What stopped the trial from outside and goes on to whom it is for: Ctrl-C, another plugin's limit of time."""
    archive: bytes = b""
    """The frozen workspace as it goes into the pack, where it came packed; empty once it is there."""
    heard: Heard | None = None
    """None: the checker is asked here."""
    asked: bool = False
    """Whether the checker was asked, which is done once."""
    spoken: BaseException | None = None
    """What it raised then."""

    @cached_property
    def trial(self) -> Trial:
        """The trial as the checker sees it. Opening it restores protected files in the frozen copy.

        Raises:
            SandboxError: the copy is not as it was made, or cannot be written: whatever a checker said of it would
                not be about the model.
        """
        try:
            if self.frozen.digest != content_digest(self.frozen.workspace.root):
                raise SandboxError("the copy of the workspace that the checker was to see was changed by somebody")
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
        except OSError as error:
            raise SandboxError(f"the copy of the workspace for the checker cannot be written: {error}") from error

    def open(self) -> Trial:
        """Give the checker its trial; one that was asked where the trial ran needs none.

        Raises:
            InfrastructureError: it could not be completed, or its workspace is not what the agent left.
        """
        try:
            if self.failure:
                raise self.failure
            return cast("Trial", None) if self.heard else self.trial
        except InfrastructureError as error:
            self.failure = error
            raise

    def judge(self, accepted: bool | None, detail: str = "", cause: Cause | None = None) -> TrialResult:
        """The result, recorded as the transcript's last event: from what the checker said, or why it did not speak.

        None is not accepted: the checker was not asked, or broke; a `cause` is given where the agent had not failed.
        """
        cause, artifacts = cause or (self.failure.cause if self.failure else None), self.job.task.artifacts
        changed: Collection[str] = ()
        with suppress(SandboxError):  # a trial that has no workspace to look at is unscored
            changed = self.heard.changed if self.heard else self.trial.changed()
        verdict = verdict_event(accepted, detail=detail, cause=cause, artifacts=artifacts, changed=changed)
        self.record(verdict)
        self.attempt = replace(self.attempt, verdict=verdict)
        return self.attempt.result()

    def interrupt(self) -> TrialResult:
        """The result of a trial that was stopped from outside, also while its checker was at work."""
        words = words_of(self.signal) if self.signal else "interrupted"
        if self.attempt.stop_reason is StopReason.interrupted:
            return self.judge(None, words if self.signal else "")
        return self.judge(None, f"{words} before its checker gave a verdict", Cause.interrupted)

    def close(self) -> None:
        """Remove the workspaces; nothing is recorded after this."""
        if isinstance(self.record, TranscriptWriter):
            self.record.close()
        self.folders.close()


Begin = Callable[[], tuple[TranscriptWriter, str, int]]
"""Begins an attempt: gives its transcript, its id and its number."""
Try = Callable[[Begin], Finished]
"""Makes an attempt at a trial, here or elsewhere; where it may be lost, others beside it."""


def run_trial(job: Job, attempt: Try, folder: CampaignFolder) -> Finished:
    """Make the attempts at a trial: one, and as many more as it has retries while the infrastructure fails.

    The last attempt is the trial's, whatever became of it. Those before it are judged as infrastructure errors, and
    only their transcripts are kept.

    Raises:
        RecordError: the disk takes no more.
    """
    numbers = itertools.count(job.attempts + 1)

    def begin() -> tuple[TranscriptWriter, str, int]:
        attempt_id = str(uuid.uuid4())
        return TranscriptWriter(folder.transcript(attempt_id)), attempt_id, next(numbers)

    left, lost = job.retries, LOST_TRIES
    while True:
        finished = attempt(begin)
        # what is tried again is a closed list: what the borders know for a failing infrastructure, nothing else
        is_lost = isinstance(finished.failure, WorkerLost)
        if not finished.failure or finished.signal or not (lost if is_lost else left):
            return finished
        left, lost = left - (not is_lost), lost - is_lost
        give_up(finished, folder)


def give_up(finished: Finished, folder: CampaignFolder) -> None:
    """Judge an attempt that another stands for, and keep its transcript beside that one's."""
    said = str(finished.failure or "")
    finished.judge(None, "" if said == finished.attempt.detail else said)
    finished.close()
    set_aside(folder, [folder.transcript(finished.attempt.id)])


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
    instance, broken = make_instance(job)
    folders, home = ExitStack(), Path("nowhere")
    try:
        home = Path(folders.enter_context(scratch("trial")))
        workspace = create_workspace(home / "live", instance.files)
    except OSError as error:
        broken = broken or SandboxError(f"the workspace cannot be written: {error}")
        workspace = workspace_in(home / "live")
    # The session takes down what happens, beginning with everything that decides what the agent meets.
    session = Session(
        key=job.key,
        tools=Toolbox([job.tools[name] for name in job.task.tools], job.task.faults),
        workspace=workspace,
        sandbox=job.sandbox,
        limit=job.budget,
        record=record,
        cancel=cancel or threading.Event(),
    )
    session.begin(conditions(job, instance, attempt_id=attempt_id, number=number))
    # The agent works until something ends the trial. Only a failing infrastructure leaves it without an end of its own.
    failure: InfrastructureError | None = None
    signal: BaseException | None = None
    try:
        if broken:
            raise broken
        with job.sandbox.over(workspace):
            attempt = agent(instance, session)
    except InfrastructureError as error:
        attempt, failure = session.finish(StopReason.backend_error, str(error)), error
    except BaseException as error:
        if not is_foreign(error):
            raise
        attempt, signal = session.finish(StopReason.interrupted, words_of(error)), error
    # The checker gets a copy of the regular files: no link or device that was left there can lead it elsewhere.
    try:
        frozen = freeze(workspace, home / "frozen")
    except OSError as error:
        failure = failure or SandboxError(f"what the agent left cannot be copied for its checker: {error}")
        frozen = Frozen(workspace_in(home / "frozen"))
    return Finished(job, record, instance, attempt, frozen, folders, failure, signal)


def make_instance(job: Job) -> tuple[Instance, InfrastructureError | None]:
    """The task's data for this run, or none and why the task cannot make them."""
    try:
        instance = job.instance()
        instance.digest()
    except TaskDeclarationError as error:
        return Instance({}), InfrastructureError(str(error), Cause.task_broken)
    except BaseException as error:  # a function of the task's
        if is_foreign(error):
            raise
        frames = traceback.extract_tb(error.__traceback__)
        raised = [frame for frame in frames if frame.filename == str(job.task.module)]
        where = f" ({job.task.module.name}, line {raised[-1].lineno})" if raised else ""
        sentence = f"the task cannot make its files: {type(error).__name__}: {error}{where}"
        return Instance({}), InfrastructureError(sentence, Cause.task_broken)
    return instance, None


def conditions(job: Job, instance: Instance, *, attempt_id: str, number: int) -> dict[str, Any]:
    """Everything that decides what the agent meets, as the transcript begins with it."""
    return {
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
        "prompt": job.task.prompt_of(instance),
        "tools": [asdict(job.tools[name].spec) for name in job.task.tools],
        "budget": asdict(job.budget),
        **({"load": job.load.to_json()} if job.load else {}),
    }


def words_of(signal: BaseException) -> str:
    """Say what stopped a trial from outside."""
    if isinstance(signal, KeyboardInterrupt):
        return "interrupted"
    return f"stopped from outside ({type(signal).__name__}: {signal})"
