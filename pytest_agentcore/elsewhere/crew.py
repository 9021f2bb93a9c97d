"""The workers of a session: who is there, who was shown the model and has it open, and who gets the next trial."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Any

from pytest_agentcore.elsewhere.base import Engine
from pytest_agentcore.elsewhere.order import unwrap, versions, wrap
from pytest_agentcore.errors import NoWorkers, UsageError, WorkerLost, is_foreign
from pytest_agentcore.format import count
from pytest_agentcore.trial.fold import Event

NO_WORKER_SECONDS = 60.0
"""After so long without any worker the session ends."""
OTHERS_SECONDS = 10.0
"""The first trial waits so long for other workers once one has the model open, so that the header can tell of them."""
LOOK_SECONDS = 0.2
"""How often somebody who waits looks whether there is news."""

Header = Mapping[str, Any]
"""The line of JSON of an order or an answer."""


@dataclass(eq=False)
class Place:
    """A worker, as far as this session uses it."""

    worker: str
    room: int
    """Orders that it takes at once."""
    busy: int = 0
    is_open: bool = False
    """Whether it has the model open."""
    refusal: str = ""
    """Why it cannot run the model's trials."""


@dataclass(eq=False)
class Work:
    """A worker's part in a campaign, as far as it is done."""

    trials: int = 0
    reply_tokens: int = 0
    seconds: float = 0.0
    """For which it had a trial at least."""
    counts: dict[str, int] = field(default_factory=dict)
    """Of its model, see `Counts`; also for other campaigns that share it."""
    _before: Mapping[str, int] = field(default_factory=dict)
    _busy: int = 0
    _since: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Count the time from here, where it was idle."""
        with self._lock:
            self._since = self._since if self._busy else time.monotonic()
            self._busy += 1

    def end(self) -> None:
        """Count it to here, where it is idle now."""
        with self._lock:
            self._busy -= 1
            self.seconds += 0.0 if self._busy else time.monotonic() - self._since

    def add(self, events: Sequence[Event], counts: Mapping[str, int]) -> None:
        """Add an attempt that has come back, with what the model has counted since it was opened."""
        with self._lock:
            self.trials += 1
            self.reply_tokens += sum(each["usage"]["reply_tokens"] for each in events if each["event"] == "reply")
            for name, value in counts.items():
                self.counts[name] = max(self.counts.get(name, 0), value - self._before.get(name, 0))

    def to_json(self) -> dict[str, Any]:
        """As the manifest has it."""
        with self._lock:
            now = time.monotonic() - self._since if self._busy else 0.0
            facts: dict[str, Any] = {"trials": self.trials, "reply_tokens": self.reply_tokens}
            return facts | {"seconds": round(self.seconds + now, 3), "counts": dict(self.counts)}


class Crew:
    """The workers that an engine leads to."""

    def __init__(self, address: str) -> None:
        """Know nobody yet; `address` is what sentences name them by."""
        self._address = address
        self._engine: Engine | None = None
        self._lock = threading.RLock()
        self._places: dict[str, Place] = {}
        self._waiting: deque[Future[Place]] = deque()
        self._takers: dict[str, Callable[[bytes], None]] = {}
        """By the name of an order that is out: takes what its worker tells."""
        self._refused: list[str] = []
        self._shown: Header = {}
        """The look order for the model at hand, without its content."""
        self._content = b""
        self._room: Callable[[int], int]
        self._on_open: Callable[[str, Header], None]
        self._seen, self._looked = time.monotonic(), 0.0

    def meet(self, connect: Callable[[Callable[[str, bytes], None]], Engine], wait: Callable[[], None]) -> None:
        """Connect, where that was not done, and wait for the first worker; `wait` is called as long as there is none.

        Raises:
            UsageError: none came.
        """
        self._engine = self._engine or connect(self._take)
        deadline = time.monotonic() + NO_WORKER_SECONDS
        while not self.there():
            if time.monotonic() > deadline:
                raise UsageError(self._nobody())
            wait()
            time.sleep(LOOK_SECONDS)

    def there(self) -> Mapping[str, int]:
        """Threads of the workers that are there and were heard of lately, by name."""
        return self._engine.workers() if self._engine else {}

    def close(self) -> None:
        """Let go of the workers."""
        if self._engine:
            self._engine.close()
        self._engine = None

    # Orders.

    def ask(self, header: Header) -> list[Header]:
        """Give the answers of all workers that are there to an order.

        Raises:
            UsageError: all of them refuse.
        """
        order = wrap({"versions": versions(), **header})
        asked = [self._submit(name, f"ask {name} {time.monotonic()}", order) for name in self.there()]
        said = [heard(future)[0] for future in asked]
        if not (answers := [each for each in said if each and "refused" not in each]):
            raise UsageError(self._refusals([each.get("refused", "it is gone") for each in said]))
        return answers

    def send(self, place: Place, name: str, header: Header, take: Callable[[bytes], None]) -> Future[bytes]:
        """Send a trial to a worker that has the model open; `take` gets the lines that it tells of it."""
        order = wrap({"versions": versions(), "do": "trial", "of": self._shown["of"], **header})
        self._takers[name] = take
        return self._submit(place.worker, name, order)

    def stop(self, name: str) -> None:
        """Have the worker of an order stop it; its lines still come."""
        if self._engine:
            self._engine.stop(name)

    def forget(self, name: str) -> None:
        """Take no more lines of an order."""
        self._takers.pop(name, None)

    def _submit(self, worker: str, name: str, order: bytes) -> Future[bytes]:
        if self._engine is None:
            raise CancelledError
        return self._engine.submit(worker, name, order)

    def _take(self, name: str, line: bytes) -> None:
        """Take a line of a worker, from the engine's thread; one of a trial that is over is nobody's."""
        if take := self._takers.get(name):
            take(line)

    # The model.

    def show(
        self,
        shown: Header,
        content: bytes,
        room: Callable[[int], int],
        on_open: Callable[[str, Header], None],
        wait: Callable[[int], None],
    ) -> None:
        """Show a model to every worker, also to those that come later, and return once the first has it open.

        Args:
            shown: the order; `of` is the digest by which workers know it.
            content: goes with it.
            room: trials that a worker takes at once, from its threads.
            on_open: gets the name and the answer of each worker that has it open.
            wait: is called while none has it, with the number of workers.

        Raises:
            UsageError: none of them can run its trials; says why for each.
        """
        if shown["of"] != self._shown.get("of"):
            with self._lock:
                self._content, self._shown = content, {"versions": versions(), "do": "look", **shown}
                self._room, self._on_open = room, on_open
                self._places.clear()
                self._refused.clear()
                self._seen, self._looked = time.monotonic(), 0.0
        opened = float("inf")
        while True:
            self._refresh()
            places = tuple(self._places.values())
            if places and all(place.refusal for place in places):
                raise UsageError(self._refusals([place.refusal for place in places]))
            if any(place.is_open for place in places):
                opened = min(opened, time.monotonic())
                all_said = all(place.is_open or place.refusal for place in places)
                if all_said or time.monotonic() > opened + OTHERS_SECONDS:
                    return
            wait(len(places))
            time.sleep(LOOK_SECONDS / 4)

    def _refresh(self) -> None:
        """Take in the workers that came, forget those that went, and end the session where nobody is left for long.

        Raises:
            NoWorkers: as long as `NO_WORKER_SECONDS` there was none that could run a trial.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._looked < LOOK_SECONDS:
                return
            self._looked, there = now, self.there()
            for name in self._places.keys() - there.keys():
                # one at work may only be silent, and is as full as it was when it is back
                if not self._places[name].busy:
                    del self._places[name]
            for name in there.keys() - self._places.keys():
                place = self._places[name] = Place(name, self._room(there[name]))
                threading.Thread(target=self._show, args=(place,), name="agentcore-show", daemon=True).start()
            if any(not self._places[name].refusal for name in there):
                self._seen = now
            elif now - self._seen > NO_WORKER_SECONDS:
                raise NoWorkers(self._nobody())
            self._hand_out()

    def _show(self, place: Place) -> None:
        """Show a worker the model; from then on it gets trials, or is left out."""
        shown = self._shown
        name = f"look {place.worker} {time.monotonic()}"
        header, _ = heard(self._submit(place.worker, name, wrap(shown, self._content)))
        with self._lock:
            if shown is not self._shown:
                return  # another model's turn has come
            if "refused" in header:
                place.refusal = str(header["refused"])
                self._refused.append(f"the worker {place.worker} is left out: {place.refusal}")
            elif header:
                self._on_open(place.worker, header)
                place.is_open = True
                self._hand_out()
            elif self._places.get(place.worker) is place:  # gone; once it is back it is shown the model again
                del self._places[place.worker]

    # Places.

    def take_place(self, is_idle: Callable[[], bool]) -> Place | None:
        """Wait for a place at a worker; None where it `is_idle` to wait on.

        Raises:
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
                if is_idle() and ticket.cancel():
                    return None
            try:
                self._refresh()
            except NoWorkers:
                if ticket.cancel():
                    raise

    def leave_place(self, place: Place, *, lost: bool) -> None:
        """Give a place back; a worker that was lost is shown the model again should it come back."""
        with self._lock:
            place.busy -= 1
            if lost and self._places.get(place.worker) is place:
                del self._places[place.worker]
            self._hand_out()

    def _hand_out(self) -> None:
        """Give free places to those that wait, in the order of the plan; called with the lock."""
        there = self.there()
        ready = [place for place in self._places.values() if place.is_open and place.worker in there]
        while self._waiting and ready:
            place = min(ready, key=lambda each: each.busy / each.room)
            if place.busy >= place.room:
                return
            ticket = self._waiting.popleft()
            if ticket.set_running_or_notify_cancel():
                place.busy += 1
                ticket.set_result(place)

    # Words.

    def news(self) -> Sequence[str]:
        """Say which workers were left out since somebody last asked, and why."""
        with self._lock:
            said, self._refused = self._refused, []
        return said

    def size(self) -> str:
        """Say how many workers run trials now."""
        there = self.there()
        return count(sum(each.is_open and each.worker in there for each in tuple(self._places.values())), "worker")

    def _nobody(self) -> str:
        why = "; ".join(sorted({place.refusal for place in self._places.values() if place.refusal}))
        return (
            f"--agentcore-on {self._address}: for {NO_WORKER_SECONDS:g} seconds there was no worker that can run these "
            f"trials{f' ({why})' if why else ''}; start one with `agentcore worker {self._address}`, and the same "
            "command goes on from what is recorded"
        )

    def _refusals(self, said: Sequence[str]) -> str:
        return f"--agentcore-on {self._address}: no worker can run these trials: {'; '.join(dict.fromkeys(said))}"


def heard(future: Future[bytes]) -> tuple[Header, bytes]:
    """An answer once it is there; nothing where the worker was lost, a refusal where it broke."""
    try:
        return unwrap(future.result())
    except (WorkerLost, CancelledError):
        return {}, b""
    except Exception as error:  # whatever a foreign process raised
        if is_foreign(error):
            raise
        return {"refused": f"it broke: {type(error).__name__}: {error}"}, b""
