"""The session's side of workers: who gets which trial, what comes back, and what is done about those that are lost.

It is a `Models` whose model is open elsewhere. Each trial in flight has a thread here, which waits for a place at a
worker, sends the order, and makes of the answer what an attempt in this process would have left.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_agentcore.backends.base import Backend, Say
from pytest_agentcore.catalogue.entry import LLAMA
from pytest_agentcore.elsewhere.base import Engine, Take
from pytest_agentcore.elsewhere.order import SENT, describe_setup, unwrap, versions, wrap, zip_suite
from pytest_agentcore.errors import (
    InfrastructureError,
    NoWorkers,
    RecordError,
    SandboxError,
    UsageError,
    WorkerLost,
    is_foreign,
)
from pytest_agentcore.format import count
from pytest_agentcore.pack.manifest import utc
from pytest_agentcore.pack.transcript import TranscriptWriter
from pytest_agentcore.runner import Finished, Job, Try, conditions, make_instance
from pytest_agentcore.sandbox.workspace import Frozen, content_digest, scratch, unpack, workspace_in
from pytest_agentcore.session.experiment import Experiment
from pytest_agentcore.session.parallel import OnTurn
from pytest_agentcore.session.trials import PREFLIGHT, Models
from pytest_agentcore.setup import Setup
from pytest_agentcore.trial.fold import Event, read_attempt
from pytest_agentcore.trial.modes import Cause, StopReason

IN_FLIGHT = 512
"""Trials that are out at the same time at most: each has a thread here that waits for it."""
NO_WORKER_SECONDS = 60.0
"""After so long without any worker the session ends."""
OTHERS_SECONDS = 10.0
"""The first trial waits so long for other workers once one has the model open, so that the header can tell of them."""
STOP_SECONDS = 10.0
"""A worker gets so long to end a trial that was stopped; then what had come of it is all there is."""
LOOK_SECONDS = 0.2
"""How often somebody who waits looks whether there is news."""


@dataclass(eq=False)
class Place:
    """A worker, as far as this session uses it."""

    worker: str
    room: int
    """Orders that it takes at once."""
    busy: int = 0
    shown: str = ""
    """Digest of the model that it was shown, once it has answered."""
    refusal: str = ""
    """Why it cannot run the model's trials."""


@dataclass(eq=False)
class Arrival:
    """An attempt's events as they come from its worker; each is written down at once."""

    record: TranscriptWriter
    on_turn: Callable[[int], None]
    events: list[Event] = field(default_factory=list)
    error: RecordError | None = None
    """The disk here took no more."""
    begun: str = ""
    """Names the one time that a worker began it."""
    is_rerun: bool = False
    """Whether it began twice, which is none of our doing: it counts as lost."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, begun: str, number: int, event: Event) -> None:
        """Write the next event down; one that is known is left out, one behind a gap comes again with the answer."""
        with self._lock:
            self.begun = self.begun or begun
            self.is_rerun |= begun != self.begun
            if number != len(self.events) or self.error or self.is_rerun:
                return
            self.events.append(event)
            try:
                self.record(event)
            except RecordError as error:
                self.error = error
        if turn := event.get("turn"):
            self.on_turn(turn)

    @property
    def has_ended(self) -> bool:
        """Whether the agent has come to its end."""
        return bool(self.events) and self.events[-1]["event"] == "end"


class Elsewhere(Models):
    """Runs jobs on workers, with the models that these have; this process loads none."""

    def __init__(self, experiment: Experiment, connect: Callable[[Take], Engine], say: Say) -> None:
        """Connect to nobody yet."""
        super().__init__(experiment, say)
        self._connect = connect
        self._engine: Engine | None = None
        self._address = str(experiment.settings.on)
        self._lock = threading.RLock()
        self._places: dict[str, Place] = {}
        self._waiting: deque[Future[Place]] = deque()
        self._arrivals: dict[str, Arrival] = {}
        self._refused: list[str] = []
        self._shown: dict[str, Any] = {}
        """The look order for the model at hand, without its content."""
        self._content = b""
        self._seen, self._looked = time.monotonic(), 0.0

    # What a session asks before the first trial.

    def at_once(self, label: str) -> int:
        """How many trials the workers that are there run at the same time."""
        return max(1, sum(self._room(label, threads) for threads in self._there().values()))

    def _room(self, label: str, threads: int) -> int:
        """As many as decode together, or as were asked for of each worker; never more than it has threads."""
        setup = self._setups[label]
        return min(threads, setup.rows or self._experiment.settings.parallel or 1)

    def fetch(self, labels: Iterable[str], say: Callable[[str], None]) -> None:
        """Wait for the first workers, and ask them for the files of in-process models: their digests, and what fits.

        Raises:
            UsageError: no worker came, or none has the file.
        """
        if self._engine is None:
            self._engine = self._connect(self._take)
            say(f"agentcore: trials run on the workers at {self._address}")
        deadline = time.monotonic() + NO_WORKER_SECONDS
        while not self._there():
            if time.monotonic() > deadline:
                raise UsageError(self._nobody())
            self._say("waiting for a worker", None)
            time.sleep(LOOK_SECONDS)
        self._experiment.fit = self._fit
        for label in labels:
            setup = self._setups[label]
            if setup.entry.backend == LLAMA:
                found = next((one["sha256"] for one in self._fits(setup)), "")
                self._setups[label] = replace(setup, entry=replace(setup.entry, sha256=setup.entry.sha256 or found))

    def _fit(self, setup: Setup, trials: int) -> tuple[int, str]:
        """Take as many rows as fit on the smallest worker: replies depend on how many there are."""
        fits = self._fits(setup, trials)
        least = min(fits, key=lambda one: int(one["rows"]))
        return int(least["rows"]), f"{least['why']}, the fewest of {len(fits)} workers" if len(fits) > 1 else least[
            "why"
        ]

    def _fits(self, setup: Setup, trials: int = 10**6) -> list[dict[str, Any]]:
        order = wrap({"versions": versions(), "do": "fit", "setup": describe_setup(setup), "trials": trials})
        asked = {name: self._submit(name, f"fit {name} {time.monotonic()}", order) for name in self._there()}
        said = [_heard(future) for future in asked.values()]
        if not (fits := [header for header, _ in said if "rows" in header]):
            raise UsageError(self._refusals([header.get("refused", "it is gone") for header, _ in said]))
        return fits

    def check(self, labels: Iterable[str], *, scripts: bool = False) -> None:
        """Look at nothing here: keys and scripts are the workers' to look for."""

    def open(self, label: str) -> Backend | None:
        """Show the model to every worker, and return once the first has it open.

        Raises:
            UsageError: none of them can run its trials; says why for each.
        """
        setup, settings = self._setups[label], self._experiment.settings
        mine = {one.label: describe_setup(one) for one in self._setups.values() if one.same_model(setup)}
        shown = {
            "suite": self._experiment.suite.digest,
            "settings": {name: settings.values[name] for name in SENT},
            "sandbox": self._experiment.sandbox.name,
            "tasks": sorted(self.tasks),
            "setups": mine,
        }
        content = zip_suite(self._experiment.suite, [self._setups[name] for name in mine])
        digest = hashlib.sha256(json.dumps(shown, sort_keys=True).encode() + content).hexdigest()
        if digest != self._shown.get("of"):
            with self._lock:
                self._content, self._shown = content, {"versions": versions(), "do": "look", "of": digest, **shown}
                self._places.clear()
                self._refused.clear()
                self._seen, self._looked = time.monotonic(), 0.0
        opened = float("inf")
        while True:
            self._refresh()
            places = tuple(self._places.values())
            if places and all(place.refusal for place in places):
                raise UsageError(self._refusals([place.refusal for place in places]))
            if any(place.shown for place in places):
                opened = min(opened, time.monotonic())
                if all(place.shown or place.refusal for place in places) or time.monotonic() > opened + OTHERS_SECONDS:
                    return None
            self._say(f"{setup.slug}: opening it on {count(len(places), 'worker')}", None)
            time.sleep(LOOK_SECONDS / 4)

    def close(self) -> None:
        """Let go of the workers."""
        if self._engine:
            self._engine.close()
        self._engine = None

    # Who gets which trial.

    def _there(self) -> Mapping[str, int]:
        return self._engine.workers() if self._engine else {}

    def _refresh(self) -> None:
        """Take in the workers that came, forget those that went, and end the session where nobody is left for long.

        Raises:
            NoWorkers: as long as `NO_WORKER_SECONDS` there was none that could run a trial.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._looked < LOOK_SECONDS:
                return
            self._looked, there = now, self._there()
            for name in self._places.keys() - there.keys():
                del self._places[name]
            label = next(iter(self._shown["setups"]))
            for name in there.keys() - self._places.keys():
                place = self._places[name] = Place(name, self._room(label, there[name]))
                threading.Thread(target=self._show, args=(place,), name="agentcore-show", daemon=True).start()
            if any(not place.refusal for place in self._places.values()):
                self._seen = now
            elif now - self._seen > NO_WORKER_SECONDS:
                raise NoWorkers(self._nobody())
            self._hand_out()

    def _show(self, place: Place) -> None:
        """Show a worker the model; from then on it gets trials, or is left out."""
        told = self._shown
        future = self._submit(place.worker, f"look {place.worker} {time.monotonic()}", wrap(told, self._content))
        header, _ = _heard(future)
        with self._lock:
            if told is not self._shown:
                return  # another model's turn has come
            if "refused" in header:
                place.refusal = str(header["refused"])
                self._refused.append(f"the worker {place.worker} is left out: {place.refusal}")
            elif header:
                for label in told["setups"]:
                    machine = {**header["here"], "device": header["backend"].get("device")}
                    self.workers[label] = [*self.workers.get(label, ()), machine]
                    made = {PREFLIGHT: header["preflight"]} if header["preflight"] else {}
                    self.described.setdefault(label, {**header["backend"], **made})
                place.shown = told["of"]
                self._hand_out()
            else:  # it is gone; should it come back under its name, it is shown the model again
                self._places.pop(place.worker, None)

    def _hand_out(self) -> None:
        """Give free places to those that wait, in the order of the plan; called with the lock."""
        ready = [place for place in self._places.values() if place.shown]
        while self._waiting and ready:
            place = min(ready, key=lambda each: each.busy / each.room)
            if place.busy >= place.room:
                return
            ticket = self._waiting.popleft()
            if ticket.set_running_or_notify_cancel():
                place.busy += 1
                ticket.set_result(place)

    def _take_place(self, cancel: threading.Event) -> Place:
        """Wait for a place at a worker.

        Raises:
            CancelledError: the trial was cancelled before it had one.
            NoWorkers: there is nobody to wait for.
        """
        ticket: Future[Place] = Future()
        with self._lock:
            self._waiting.append(ticket)
            self._hand_out()
        while True:
            try:
                return ticket.result(LOOK_SECONDS)
            except TimeoutError:
                if cancel.is_set() and ticket.cancel():
                    raise CancelledError from None
            try:
                self._refresh()
            except NoWorkers:
                if ticket.cancel():
                    raise

    def _leave_place(self, place: Place, *, lost: bool) -> None:
        with self._lock:
            place.busy -= 1
            if lost and self._places.get(place.worker) is place:
                del self._places[place.worker]
            self._hand_out()

    # A trial.

    def tries(self, job: Job, cancel: threading.Event, on_turn: OnTurn) -> Try:
        """Give the way in which an attempt at a trial is made: on whatever worker has a place."""

        def attempt(record: TranscriptWriter, attempt_id: str, number: int) -> Finished:
            arrival = Arrival(record, lambda turn: on_turn(job.key, turn))
            trial = {"key": astuple(job.key), "nodeid": job.nodeid, "attempt": attempt_id, "number": number}
            order = wrap({"versions": versions(), "do": "trial", "of": self._shown["of"], **trial})
            try:
                answer, content = self._carry(attempt_id, order, arrival, cancel)
            except BaseException:
                if not arrival.events:  # it never began, and is no attempt
                    record.close()
                    record.path.unlink(missing_ok=True)
                raise
            if not arrival.events:  # the worker died before anything of it was heard
                arrival.take("", 0, self._start(job, attempt_id, number))
            return _finish(job, record, arrival, answer, content)

        return attempt

    def _start(self, job: Job, attempt_id: str, number: int) -> Event:
        """Give the event that an attempt would have begun with; the earlier conversation only its worker could make."""
        facts = conditions(job, make_instance(job)[0], attempt_id=attempt_id, number=number)
        if asked := self._setups[job.key.model].load:
            facts["load"] = {"asked": asked, "tokens": 0, "counted": "tokenizer", "messages": []}
        return {"event": "start", **facts, "started": utc(datetime.now(UTC))}

    def _carry(
        self, attempt: str, order: bytes, arrival: Arrival, cancel: threading.Event
    ) -> tuple[dict[str, Any], bytes]:
        """Have an order done; the answer is empty where the worker was lost, or would not stop.

        Raises:
            CancelledError: it was cancelled before it had begun.
            NoWorkers: there is nobody to do it.
            RecordError: the disk here takes no more.
        """
        self._arrivals[attempt] = arrival
        try:
            while True:
                place, lost = self._take_place(cancel), True
                try:
                    header, content = self._wait(self._submit(place.worker, attempt, order), attempt, arrival, cancel)
                    lost = not header or "refused" in header
                finally:
                    self._leave_place(place, lost=lost and not cancel.is_set())
                if arrival.error:
                    raise arrival.error
                if cancel.is_set() and not arrival.events:
                    raise CancelledError
                if "refused" not in header:
                    return header, content
        finally:
            del self._arrivals[attempt]

    def _wait(
        self, future: Future[bytes], attempt: str, arrival: Arrival, cancel: threading.Event
    ) -> tuple[dict[str, Any], bytes]:
        """Wait for an answer; for a while only, once the trial is cancelled."""
        deadline = float("inf")
        while not (future.done() or arrival.error or arrival.is_rerun):
            if cancel.is_set() and deadline == float("inf"):
                deadline = time.monotonic() + STOP_SECONDS
                self._stop(attempt)
            if (arrival.has_ended and cancel.is_set()) or time.monotonic() > deadline:
                return {}, b""
            try:
                future.exception(LOOK_SECONDS)
            except (TimeoutError, CancelledError):
                continue
        if not future.done():
            self._stop(attempt)
            return {}, b""
        return _heard(future)

    def _stop(self, attempt: str) -> None:
        if self._engine:
            self._engine.stop(attempt)

    def _submit(self, worker: str, name: str, order: bytes) -> Future[bytes]:
        if self._engine is None:
            raise CancelledError
        return self._engine.submit(worker, name, order)

    def _take(self, name: str, line: bytes) -> None:
        """Take a line of a worker, from the engine's thread; one of a trial that is over is nobody's."""
        if arrival := self._arrivals.get(name):
            told = json.loads(line)
            arrival.take(told["begun"], told["n"], told["event"])

    def news(self) -> Sequence[str]:
        """Say which workers were left out since somebody last asked, and why."""
        with self._lock:
            said, self._refused = self._refused, []
        return said

    def crew(self) -> str:
        """Say how many workers run trials now."""
        return count(sum(bool(place.shown) for place in tuple(self._places.values())), "worker")

    def _nobody(self) -> str:
        why = "; ".join(sorted({place.refusal for place in self._places.values() if place.refusal}))
        return (
            f"--agentcore-on {self._address}: for {NO_WORKER_SECONDS:g} seconds there was no worker that can run these "
            f"trials{f' ({why})' if why else ''}; start one with `agentcore worker {self._address}`, and the same "
            "command goes on from what is recorded"
        )

    def _refusals(self, said: Sequence[str]) -> str:
        return f"--agentcore-on {self._address}: no worker can run these trials: {'; '.join(dict.fromkeys(said))}"


def _heard(future: Future[bytes]) -> tuple[dict[str, Any], bytes]:
    """An answer once it is there; nothing where the worker was lost, a refusal where it broke."""
    try:
        return unwrap(future.result())
    except (WorkerLost, CancelledError):
        return {}, b""
    except Exception as error:  # whatever a foreign process raised
        if is_foreign(error):
            raise
        return {"refused": f"it broke: {type(error).__name__}: {error}"}, b""


def _finish(
    job: Job, record: TranscriptWriter, arrival: Arrival, answer: Mapping[str, Any], content: bytes
) -> Finished:
    """Make of what came back what an attempt in this process leaves: events, and a frozen copy of the workspace."""
    for number, event in enumerate(answer.get("events", ())):
        arrival.take(answer["begun"], number, event)  # those that had not come by themselves
    failure: InfrastructureError | None = None
    attempt = read_attempt(arrival.events)
    if not answer and attempt.stop_reason is not StopReason.interrupted:
        failure = WorkerLost("the worker that ran this trial is gone, or did not answer any more")
    elif said := answer.get("failure"):
        failure = InfrastructureError(said[0], Cause(said[1]))
    instance, broken = make_instance(job)
    failure = failure or broken
    if attempt.start["instance"] != instance.digest() and not failure:
        failure = InfrastructureError(
            f"{job.key.task}: its worker made another instance of run {job.key.run} than this machine does",
            Cause.task_broken,
        )
    folders = ExitStack()
    home = Path(folders.enter_context(scratch("trial")))
    frozen = Frozen(workspace_in(home / "frozen"))
    if answer.get("digest"):
        try:
            archive = home / "workspace.tar.gz"
            archive.write_bytes(content)
            unpack(archive, frozen.workspace.root)
            frozen.workspace.tmp.mkdir(mode=0o700)
            frozen = Frozen(frozen.workspace, answer["skipped"], answer["digest"])
            if content_digest(frozen.workspace.root) != answer["digest"]:
                raise ValueError("its digest is another")
        except (OSError, ValueError) as error:
            failure = failure or SandboxError(f"the workspace that came from the worker cannot be laid out: {error}")
    return Finished(
        job=job,
        instance=instance,
        attempt=attempt,
        frozen=frozen,
        failure=failure,
        signal=None,
        record=record,
        folders=folders,
    )
