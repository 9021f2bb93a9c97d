"""A trial on workers: its attempt, further ones beside it where its worker falls silent, and the first that counts.

A lost attempt is begun again by nobody here: it comes back as one that the infrastructure failed, and the runner counts
and repeats it. Only a worker that is merely silent may still answer, and so nobody gives it up before another has.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import ExitStack
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_agentcore.elsewhere.crew import LOOK_SECONDS, Crew, Header, Place, Work, heard
from pytest_agentcore.errors import InfrastructureError, RecordError, SandboxError, WorkerLost
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.manifest import utc
from pytest_agentcore.pack.transcript import TranscriptWriter
from pytest_agentcore.runner import LOST_TRIES, Begin, Finished, Heard, Job, conditions, give_up, make_instance
from pytest_agentcore.sandbox.workspace import Frozen, content_digest, scratch, unpack, workspace_in
from pytest_agentcore.session.experiment import Spans
from pytest_agentcore.tasks.task import Instance
from pytest_agentcore.trial.fold import Event, read_attempt
from pytest_agentcore.trial.modes import Cause, StopReason

STOP_SECONDS = 10.0
"""A worker gets so long to end a trial that was stopped; then what had come of it is all there is."""
UNHEARD = "it was stopped, and its worker did not say how it ended"


@dataclass(eq=False)
class Sent:
    """An attempt that a worker was told to make, and its events as they come: each is written down at once."""

    record: TranscriptWriter
    id: str
    number: int
    on_turn: Callable[[int], None]
    place: Place = field(init=False)
    order: str = field(init=False)
    """Name of the order by which it was sent last."""
    future: Future[bytes] = field(init=False)
    began: float = field(init=False)
    """When it was sent last, in seconds since 1970."""
    events: list[Event] = field(default_factory=list)
    error: RecordError | None = None
    """The disk here took no more."""
    is_rerun: bool = False
    """Whether it began twice, which is none of our doing: it counts as lost."""
    beside: int = 0
    """Number of the last attempt that was begun beside it."""
    _begun: str = ""
    """Names the one time that a worker began it."""
    _heard: int = 0
    """Events of the worker's that have come."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, line: bytes) -> None:
        """Take a line that its worker told."""
        told = json.loads(line)
        self.take(told["begun"], told["n"], told["event"])

    def take(self, begun: str, number: int, event: Event) -> None:
        """Take the worker's next event; one that is known is left out, one behind a gap comes again with the answer."""
        with self._lock:
            self._begun = self._begun or begun
            self.is_rerun |= begun != self._begun
            if number != self._heard or self.error or self.is_rerun:
                return
            self._heard += 1
            self._write(event)
        if turn := event.get("turn"):
            self.on_turn(turn)

    def note(self, event: Event) -> None:
        """Take an event of this side."""
        with self._lock:
            self._write(event)

    def _write(self, event: Event) -> None:
        self.events.append(event)
        try:
            self.record(event)
        except RecordError as error:
            self.error = error

    def is_over(self, *, cancelled: bool = False) -> bool:
        """Whether there is nothing to wait for: once cancelled, behind its last event neither."""
        has_ended = cancelled and any(event["event"] == "end" for event in self.events)
        return self.future.done() or bool(self.error) or self.is_rerun or has_ended


class Race:
    """The attempts at a trial that are out, one nearly always."""

    def __init__(
        self,
        crew: Crew,
        job: Job,
        begin: Begin,
        work: Mapping[str, Work],
        spans: Spans,
        *,
        cancel: threading.Event,
        on_turn: Callable[[int], None],
        load: int,
    ) -> None:
        """Send nothing yet.

        Args:
            crew: whose workers run the trial.
            job: the trial.
            begin: an attempt.
            work: where it is added to what a worker has done.
            spans: where it is counted for as long as it has a place.
            cancel: ends it.
            on_turn: is told of each turn.
            load: length of the earlier conversation that was asked for, in tokens.
        """
        self._crew, self._job, self._begin, self._work, self._cancel = crew, job, begin, work, cancel
        self._spans, self._on_turn, self._load = spans, on_turn, load
        self._out: list[Sent] = []
        self._unsent: list[Sent] = []
        """What a worker was told to begin, and has not."""

    def run(self, folder: CampaignFolder) -> Finished:
        """Have an attempt made; where its worker falls silent, another beside it. The first that is over counts.

        Raises:
            CancelledError: it was cancelled before it had begun.
            NoWorkers: there is nobody to do it.
            RecordError: the disk here takes no more.
        """
        while True:
            if self._is_silent():
                self._send()
            if not (first := self._wait()):
                continue
            header, content = self._answer(first)
            if "unshown" in header and not first.events:
                self._unsent.append(first)
                continue
            finished = self._finish(first, header, content)
            if self._out and "events" not in header and not self._cancel.is_set():
                give_up(finished, folder)  # it is lost, and another goes on
                continue
            while self._out:
                other = self._out.pop()
                self._let_go(other)
                give_up(self._finish(other, {"refused": "another attempt at the trial was over first"}), folder)
            return finished

    def close(self) -> None:
        """Give up what did not come to an end; what never began was no attempt."""
        for sent in self._out:
            self._let_go(sent)
        for sent in (*self._out, *self._unsent):
            sent.record.close()
            if not sent.events:
                sent.record.path.unlink(missing_ok=True)

    def _is_silent(self) -> bool:
        """Whether no attempt of those that are out is heard of, and a further one may begin."""
        there = self._crew.there()
        return len(self._out) <= LOST_TRIES and not any(sent.place.worker in there for sent in self._out)

    def _is_settled(self) -> bool:
        """Whether no further attempt is wanted."""
        return self._cancel.is_set() or any(sent.is_over() for sent in self._out)

    def _send(self) -> None:
        """Send an attempt to a worker, unless one that is out is over before there is a place.

        Raises:
            CancelledError: the trial was cancelled, and nothing is out.
            NoWorkers: there is nobody to wait for.
        """
        place = self._crew.take_place(self._is_settled)
        if place and self._is_settled():  # those that end give their places to those that are to end
            self._crew.leave_place(place, lost=False)
            place = None
        if place is None:
            if not self._out:
                raise CancelledError
            return
        sent = self._unsent.pop() if self._unsent else Sent(*self._begin(), self._on_turn)
        for silent in self._out:
            silent.beside = sent.number
        key, nodeid = astuple(self._job.key), self._job.nodeid
        trial = {"key": key, "nodeid": nodeid, "attempt": sent.id, "number": sent.number}
        trial |= {"ask": self._job.ask_there, "pid": os.getpid(), "worker": place.worker}
        sent.place, sent.order, sent.began = place, f"{sent.id} {place.worker} {time.monotonic()}", time.time()
        try:
            sent.future = self._crew.send(place, sent.order, trial, sent.hear)
        except BaseException:
            self._unsent.append(sent)
            raise
        self._out.append(sent)
        self._work[place.worker].begin()

    def _let_go(self, sent: Sent, *, lost: bool = False) -> None:
        """Take nothing more of an attempt, have it stopped where it still runs, and give its place to others."""
        self._crew.forget(sent.order)
        if not sent.future.done():
            self._crew.stop(sent.order)
        self._work[sent.place.worker].end()
        self._spans.take(self._job.key, sent.began, time.time())
        self._crew.leave_place(sent.place, lost=lost)

    def _wait(self) -> Sent | None:
        """Wait until an attempt is over, and for a while only once they are cancelled; None where another may begin."""
        deadline = float("inf")
        while True:
            cancelled = self._cancel.is_set()
            if first := next((sent for sent in self._out if sent.is_over(cancelled=cancelled)), None):
                return first
            if cancelled and deadline == float("inf"):
                deadline = time.monotonic() + STOP_SECONDS
                for sent in self._out:
                    self._crew.stop(sent.order)
            if time.monotonic() > deadline:
                return self._out[-1]
            if not cancelled and self._is_silent():
                return None
            wait([sent.future for sent in self._out], LOOK_SECONDS, FIRST_COMPLETED)

    def _answer(self, first: Sent) -> tuple[Header, bytes]:
        """Take the answer of an attempt that is over; it is empty where its worker is lost, or would not stop.

        Raises:
            CancelledError: it was cancelled before it had begun.
            RecordError: the disk here takes no more.
        """
        self._out.remove(first)
        header, content = heard(first.future) if first.future.done() and not first.is_rerun else ({}, b"")
        self._let_go(first, lost="events" not in header and not self._cancel.is_set())
        if first.error:
            raise first.error
        if self._cancel.is_set() and not first.events:
            self._unsent.append(first)
            raise CancelledError
        return header, content

    def _finish(self, sent: Sent, answer: Header, content: bytes = b"") -> Finished:
        """Make of what came back what an attempt in this process leaves: events, and a frozen copy of the workspace."""
        job = self._job
        for number, event in enumerate(answer.get("events", ())):
            sent.take(answer["begun"], number, event)  # those that had not come by themselves
        self._work[sent.place.worker].add(sent.events, answer.get("counts", {}))
        instance, broken = make_instance(job)
        if not sent.events:  # the worker died before anything of it was heard
            sent.note(self._start(sent, instance))
        if sent.beside:  # not earlier: there may have been no start to stand behind
            sent.note({"event": "silent", "number": sent.beside})
        failure: InfrastructureError | None = None
        attempt, is_cut_off = read_attempt(sent.events), self._cancel.is_set() and not answer
        if is_cut_off and not attempt.end:
            reason, seconds = StopReason.interrupted.value, attempt.seconds
            sent.note({"event": "end", "stop_reason": reason, "detail": UNHEARD, "seconds": seconds})
            attempt = read_attempt(sent.events)
        # a cancelled trial is not lost: nobody wants another attempt, whatever became of this one's worker
        if "refused" in answer or not (answer or is_cut_off):
            failure = WorkerLost(answer.get("refused", "the worker that ran this trial is gone, or does not stop it"))
        elif said := answer.get("failure"):
            failure = InfrastructureError(said[0], Cause(said[1]))
        failure = failure or broken
        if attempt.start["instance"] != instance.digest() and not failure:
            failure = InfrastructureError(
                f"{job.key.task}: its worker made another instance of run {job.key.run} than this machine does",
                Cause.task_broken,
            )
        folders = ExitStack()
        home = Path(folders.enter_context(scratch("trial")))
        frozen, heard = Frozen(workspace_in(home / "frozen")), None if failure else _heard_of(job, answer)
        if answer.get("digest"):
            try:
                _check(answer, content, None if heard else frozen)
                frozen = Frozen(frozen.workspace, answer["skipped"], answer["digest"])
            except (OSError, ValueError) as error:
                failure = failure or SandboxError(f"the workspace that came from the worker is not whole: {error}")
                content, heard = b"", None
        return Finished(job, sent.record, instance, attempt, frozen, folders, failure, archive=content, heard=heard)

    def _start(self, sent: Sent, instance: Instance) -> Event:
        """Give the event that an attempt would have begun with; the earlier conversation only its worker could make."""
        facts: dict[str, Any] = conditions(self._job, instance, attempt_id=sent.id, number=sent.number)
        if self._load:
            facts["load"] = {"asked": self._load, "tokens": 0, "counted": "tokenizer", "messages": []}
        return {"event": "start", **facts, "started": utc(datetime.now(UTC))}


def _check(answer: Header, content: bytes, frozen: Frozen | None) -> None:
    """Hold an archive against its digest; with a place that a checker is going to look into, lay it out there.

    Raises:
        ValueError: it is another, or holds something else.
        OSError: the disk does not take it.
    """
    if hashlib.sha256(content).hexdigest() != answer["sha256"]:
        raise ValueError("its archive is another")
    if frozen:
        archive = frozen.workspace.root.parents[1] / "workspace.tar.gz"
        archive.write_bytes(content)
        unpack(archive, frozen.workspace.root)
        frozen.workspace.tmp.mkdir(mode=0o700)
        if content_digest(frozen.workspace.root) != answer["digest"]:
            raise ValueError("its digest is another")


def _heard_of(job: Job, answer: Header) -> Heard | None:
    """Read a checker's opinion out of an answer, and name the suite's files as they are named here."""
    if not (said := answer.get("said")):
        return None
    there, here = (json.dumps(path)[1:-1] for path in (answer["suite"], str(job.suite.path)))
    near = min(here, os.path.relpath(here), key=len)  # as pytest shows paths
    report = json.loads(json.dumps(said["report"]).replace(there, near))
    for _, crash, _ in report["longrepr"]["chain"] if report else ():
        if crash:  # and whole where it crashed
            crash["path"] = report["longrepr"]["reprcrash"]["path"] = str(Path(crash["path"]).absolute())
    return Heard(**{**said, "report": report})
