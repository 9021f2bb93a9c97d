"""Many conversations in one context: one thread decodes for all, and the trials' own threads submit and wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Protocol

from pytest_agentcore.backends.base import FinishReason
from pytest_agentcore.backends.llama.engine import Context, Proof, prove, usable_cores
from pytest_agentcore.backends.llama.prompt import Prompt
from pytest_agentcore.backends.llama.rows import Prefixes, Row
from pytest_agentcore.errors import BackendError
from pytest_agentcore.trial.result import TrialKey

LONG, LEAST = 272, 32
"""Tokens of a row that is proved with: llama.cpp looks at cells by 256; and those that are left of its context."""
CALL = 1.5
"""What a call costs besides its tokens, in tokens: the weights are read once for all (benchmarks/batching.py)."""


class Draws(Protocol):
    """A sampler, as the scheduler uses it."""

    def draw(self, place: int = -1) -> int | None:
        """The token behind one of the last call's; None when there is none that may come."""


@dataclass(eq=False, kw_only=True)
class Generation:
    """A reply in the making."""

    trial: TrialKey
    prompt: Prompt
    sampler: Draws
    ends: Collection[int]
    """Tokens behind which nothing is drawn."""
    take: Callable[[int | None], FinishReason | None]
    """Given each token as it is drawn; says when the reply is over."""
    stop: Callable[[], FinishReason | None]
    """Asked between the batches of a prompt, and while the reply waits for a row."""
    done: Future[FinishReason] = field(default_factory=Future)
    cached: int = 0
    """Tokens of the prompt that its row held already."""
    row: Row | None = None
    tokens: list[int] = field(default_factory=list)
    """Those to be decoded next: the one that was drawn last, and drafts behind it."""
    place: int = -1
    """Of the first one's logits in the last call."""
    decoded: int = 0
    """Tokens that the last call decoded of its row."""
    trust: int = 1
    """How many drafts are worth a larger call: few where the last ones were wrong."""
    text: Lookup = field(init=False)

    def __post_init__(self) -> None:
        self.text = Lookup(self.prompt.tokens)

    @property
    def is_ready(self) -> bool:
        """Whether its prompt is evaluated."""
        return self.row is not None and self.row.is_ready(self.prompt)


class Lookup:
    """Drafts what may come next: what followed where the last tokens stood before (prompt lookup decoding)."""

    LENGTH = 3
    """Tokens that must be the same."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self.tokens = list(tokens)
        self._known: dict[tuple[int, ...], int] = {}
        self._seen = 0

    def draft(self, count: int) -> list[int]:
        """Up to so many tokens; none where the last ones are new."""
        end = len(self.tokens)
        for place in range(max(self._seen, self.LENGTH), end):
            self._known[tuple(self.tokens[place - self.LENGTH : place])] = place
        self._seen = end
        found = self._known.get(tuple(self.tokens[-self.LENGTH :]))
        return self.tokens[found : found + count] if found else []


class Scheduler:
    """Owns a context and the one thread that uses it, from the first request to `close`."""

    def __init__(self, context: Context, *, prefix_bytes: int) -> None:
        """Take over a context with one row for each conversation, and keep so much of prompts' beginnings at most."""
        self._context = context
        self.proof = Proof(((1, 1),)) if context.rows == 1 else None
        """What is known of the rows; None before the first request, where nobody asked."""
        self.prefixes = Prefixes(prefix_bytes)
        self.rows = [Row(context, self.prefixes, index) for index in range(context.rows)]
        self.drafted = self.accepted = 0
        """Tokens that were drafted, and those of them that were drawn too."""
        self._waiting: list[Generation] = []
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._live: list[Generation] = []
        """In rows, in the order of their beginning."""
        self._begun = 0
        self._closed = False
        self._samplers = ThreadPoolExecutor(min(context.rows, usable_cores()), thread_name_prefix="agentcore-sampler")
        self._thread = threading.Thread(target=self._work, name="agentcore-decoder", daemon=True)
        self._thread.start()

    def run(self, generation: Generation) -> FinishReason:
        """Wait until a reply is made, on whatever thread.

        Raises:
            BackendError: the engine failed.
        """
        self._asked.put(partial(self._waiting.append, generation))
        if self._closed:
            raise BackendError("the engine has stopped")
        try:
            return generation.done.result()
        finally:
            if not generation.done.done():  # interrupted: the sampler must not be freed while the decoder has it
                generation.stop = lambda: FinishReason.cancelled
                generation.take = lambda _token: FinishReason.cancelled
                generation.done.exception()

    def release(self, trial: TrialKey) -> None:
        """Free the row of a trial that has ended."""
        self._asked.put(partial(self._release, trial))

    def prove(self, prompt: Prompt | None = None) -> Proof:
        """Prove what rows do to each other, unless that is done; the beginning of a prompt that will come is held.

        Raises:
            BackendError: the engine failed.
        """
        done: Future[None] = Future()

        def attempt() -> None:
            try:
                self._prove(prompt)
                done.set_result(None)
            except BackendError as error:
                done.set_exception(error)

        self._asked.put(attempt)
        done.result()
        assert self.proof
        return self.proof

    def close(self) -> None:
        """End the thread; no reply may be in the making."""
        self._asked.put(None)
        self._thread.join()
        self._samplers.shutdown()

    # What follows runs on the decoder's thread alone.

    def _work(self) -> None:
        failure: BaseException = BackendError("the engine has stopped")
        try:
            while self._take_in():
                self._round()
        except BaseException as error:  # noqa: BLE001 - a thread that died in silence would be waited for
            failure = error
        finally:
            self._closed = True
            while not self._asked.empty():
                if asked := self._asked.get():
                    asked()
            for generation in [*self._waiting, *self._live]:
                self._fail(generation, failure)

    def _take_in(self) -> bool:
        """Take what was submitted, waiting for it where there is nothing else to do; False ends the thread."""
        while not (self._waiting or self._live) or not self._asked.empty():
            asked = self._asked.get()
            if asked is None:
                return False
            asked()
        return True

    def _release(self, trial: TrialKey) -> None:
        for row in self.rows:
            if row.trial == trial:
                row.release()

    def _prove(self, prompt: Prompt | None) -> None:
        """Prove what rows do to each other, before the first of them is used."""
        if self.proof:
            return
        row = self.rows[0]

        def fill() -> int:
            """Evaluate what the first trial needs anyway, and as much more as makes it long."""
            if prompt and prompt.forks:
                row.begin(prompt)
                while len(row.held) < prompt.forks[-1]:
                    row.evaluate(prompt)
            missing = min(LONG, self._context.n_ctx - LEAST) - len(row.held)
            if missing > 0:
                self._context.evaluate(0, [0] * missing, len(row.held), logits=False)
            return len(row.held) + max(missing, 0)

        self.proof = prove(self._context, fill)
        row.cut(0, 1)

    def _round(self) -> None:
        """One token for every conversation that is under way."""
        # 1. Admit: each reply that waits gets the row that its trial has, or a free one.
        for generation in list(self._waiting):
            if reason := generation.stop():
                self._end(generation, reason)
            elif row := self._row_for(generation.trial):
                self._begin(generation, row)

        # 2. Evaluate prompts: a batch of the oldest. One after the other, so that what they share is there for the
        #    next; one batch at a time, so that those who are decoding go on meanwhile.
        reading = next((each for each in self._live if not each.is_ready), None)
        if reading:
            self._read(reading)

        # 3. Decode: one call for all, with as many tokens as there are rows. Where rows are free they carry drafts.
        ready = [generation for generation in self._live if generation.is_ready]
        if any(generation.tokens for generation in ready) and not self._decode(ready):
            return

        # 4. Sample: side by side, since the library lets go of the interpreter's lock.
        if len(ready) > 1:
            drawn = [self._samplers.submit(self._draw, generation).result for generation in ready]
        else:  # a thread of its own would only cost the time to wake it up
            drawn = [partial(self._draw, generation) for generation in ready]

        # 5. Hand out: each reply takes its tokens; one that is over leaves its row at once.
        for generation, tokens in zip(ready, drawn, strict=True):
            try:
                self._hand_out(generation, tokens())
            except Exception as error:  # noqa: BLE001 - what watches a reply may be anybody's
                self._fail(generation, error)

    def _row_for(self, trial: TrialKey) -> Row | None:
        """The row to make a trial's next reply in; None while all are at work.

        The lowest free one, also for a trial that has a row: live rows must be neighbours to carry drafts.
        """
        busy = {generation.row for generation in self._live}
        own = next((row for row in self.rows if row.trial == trial), None)
        if own in busy:
            return None
        free = next((row for row in self.rows if row.trial is None), None)
        if own and free and free.index < own.index and self.proof and self.proof.drafts:
            own.move_to(free)
            return free
        if own or free:
            return own or free
        # nobody said that a trial is over: the one that asked for nothing the longest loses what it had evaluated
        return min((row for row in self.rows if row not in busy), key=lambda row: row.used, default=None)

    def _begin(self, generation: Generation, row: Row) -> None:
        self._waiting.remove(generation)
        self._begun += 1
        if row.trial != generation.trial:
            row.release()
        row.trial, row.used, generation.row = generation.trial, self._begun, row
        self._live.append(generation)
        try:
            self._prove(generation.prompt)
            row.begin(generation.prompt)
            generation.cached = len(row.held)
            self._set_tokens(generation)
        except BackendError as error:
            self._fail(generation, error)

    def _read(self, generation: Generation) -> None:
        assert generation.row
        try:
            if reason := generation.stop():
                self._end(generation, reason)
                return
            if not generation.row.held:
                generation.row.take_over(generation.prompt)
                generation.cached = len(generation.row.held)
            if not generation.is_ready:
                generation.row.evaluate(generation.prompt)
            self._set_tokens(generation)
        except BackendError as error:
            self._fail(generation, error)

    def _set_tokens(self, generation: Generation) -> None:
        """Leave what the prompt has beyond what its row holds to be decoded: the last token, among several rows."""
        if generation.is_ready:
            assert generation.row
            generation.tokens = generation.prompt.tokens[len(generation.row.held) :]
            self.prefixes.evaluated += len(generation.tokens)

    def _decode(self, ready: Sequence[Generation]) -> bool:
        """Decode the drawn tokens; False when the engine failed, and all of these replies with it."""
        busy = {generation.row: generation for generation in ready if generation.row}
        drafts = {generation: generation.text.draft(self._context.rows - 1) for generation in ready}
        trusted = [min(len(drafted), generation.trust) for generation, drafted in drafts.items()]
        first, count, each = self._shape([row.index for row in busy], trusted)
        rows, tokens = self.rows[first : first + count], []
        for place, row in enumerate(rows):
            own: list[int | None] = []
            if generation := busy.get(row):
                drafted = drafts[generation][: each - 1]
                self.drafted += len(drafted)
                generation.tokens += drafted
                generation.place, generation.decoded = place * each, each
                own += generation.tokens
            tokens.append(own + [None] * (each - len(own)))  # a row that is free, or knows no draft, decodes anything
        try:
            self._context.step(first, [len(row.held) for row in rows], tokens)
        except BackendError as error:
            for generation in ready:
                self._fail(generation, error)
            return False
        finally:
            for row in rows:
                if row not in busy:
                    row.cut(len(row.held), len(row.held) + each)
        return True

    def _shape(self, live: Sequence[int], drafts: Sequence[int]) -> tuple[int, int, int]:
        """The first row, the number of rows and the tokens of each, for a call that is proven and holds all live ones.

        The one that may give most tokens for what it costs; of those that cost the same the one with the fewest rows.
        """
        most, low, high = self._context.rows, min(live), max(live)
        proven = (self.proof and self.proof.shapes) or ((most, 1),)

        def worth(shape: tuple[int, int]) -> float:
            count, each = shape
            return sum(1 + min(each - 1, trusted) for trusted in drafts) / (CALL + count * each)

        count, each = max(sorted(shape for shape in proven if shape[0] > high - low), key=worth)
        return min(low, most - count), count, each

    def _draw(self, generation: Generation) -> list[int | None]:
        """The next token, and those behind drafts for as long as these are what is drawn."""
        drawn: list[int | None] = []
        for place, draft in enumerate([*generation.tokens[1:], None], generation.place):
            token = generation.sampler.draw(place)
            drawn.append(token)
            if token is None or token != draft or token in generation.ends:
                break
        return drawn

    def _hand_out(self, generation: Generation, drawn: Sequence[int | None]) -> None:
        reason, taken, row = None, 0, generation.row
        assert row
        while not reason and taken < len(drawn):
            reason = generation.take(drawn[taken])
            taken += 1
        self.accepted += taken - 1
        if len(generation.tokens) > 1:
            generation.trust = 2 * taken - 1
        # what was decoded stays up to the token before the last one taken: so much a row without drafts would hold
        before = len(row.held)
        row.held += generation.tokens[:taken]
        row.cut(len(row.held), before + generation.decoded)
        if reason:
            self._end(generation, reason)
        else:
            generation.text.tokens += [token for token in drawn if token is not None]
            generation.tokens, generation.decoded = generation.text.tokens[-1:], 0

    def _end(self, generation: Generation, reason: FinishReason) -> None:
        self._leave(generation)
        generation.done.set_result(reason)

    def _fail(self, generation: Generation, error: BaseException) -> None:
        if row := generation.row:
            row.cut(0, len(row.held) + self._context.rows)
        self._leave(generation)
        generation.done.set_exception(error)

    def _leave(self, generation: Generation) -> None:
        for place in (self._waiting, self._live):
            if generation in place:
                place.remove(generation)
        if generation.row:
            generation.row.park()
