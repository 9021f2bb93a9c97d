"""Which tokens each row of a context holds, and the beginnings of prompts that are evaluated once for all rows.

What a call holds decides the last bits of its numbers, so the way in which a prompt is cut into calls must not depend
on what ran before. A trial therefore begins from nothing, and its first prompt is cut where others may have the same:
behind its *fork* (system message and tools, the same for all tasks) and, among several rows, before its last token.
Within a trial only the trial's own history counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_agentcore.backends.llama.engine import Context
from pytest_agentcore.backends.llama.prompt import Prompt, common_prefix
from pytest_agentcore.errors import BackendError
from pytest_agentcore.trial.result import TrialKey


class Prefixes:
    """Evaluated beginnings of prompts, saved outside the context; those that were asked for last are kept."""

    def __init__(self, room: int) -> None:
        """Keep at most so many bytes."""
        self._room = room
        self._saved: dict[tuple[int, ...], Any] = {}
        self._firsts: set[tuple[int, ...]] = set()
        self.evaluated = 0
        """Prompt tokens that were evaluated."""
        self.distinct = 0
        """Prompt tokens that had to be: a beginning that several prompts share counts once."""

    def find(self, tokens: Sequence[int]) -> Any:
        """Give what was saved of exactly these tokens; None when there is nothing."""
        key = tuple(tokens)
        found = self._saved.pop(key, None)
        if found is not None:
            self._saved[key] = found  # last in the order of use
        return found

    def keep(self, tokens: Sequence[int], saved: Any) -> None:
        """Save a beginning, in place of those that were not asked for the longest."""
        self._saved[tuple(tokens)] = saved
        while self._saved and sum(map(len, self._saved.values())) > self._room:
            del self._saved[next(iter(self._saved))]

    def count(self, prompt: Prompt, known: int) -> None:
        """Count what is new in a prompt, of which a row holds `known` tokens by the trial's own history.

        A history that a row has lost is not new: evaluating it again is what the two counts tell apart.
        """
        tokens = tuple(prompt.tokens)
        known = known or len(tokens)
        if prompt.fork is not None:
            known = max((common_prefix(tokens, other) for other in self._firsts), default=0)
            self._firsts.add(tokens)
        self.distinct += len(tokens) - known


@dataclass(eq=False)
class Row:
    """One row of the context, leased to one trial at a time."""

    context: Context
    prefixes: Prefixes
    index: int
    trial: TrialKey | None = None
    held: list[int] = field(default_factory=list)
    """The tokens whose keys and values it holds, in order."""
    used: int = 0
    """When its last reply began: the count of replies then."""
    _parked: tuple[Any, list[int]] | None = None
    """A saved state and the tokens it comes from, while the row decodes other tokens."""

    def begin(self, prompt: Prompt) -> None:
        """Forget what the prompt does not begin with.

        Raises:
            BackendError: a saved state cannot be restored.
        """
        if self._parked:
            saved, held = self._parked
            self.context.restore(self.index, saved)
            self.held, self._parked = held, None
        # the last token is always evaluated again: the logits behind it are what is sampled from
        own = 0 if prompt.fork is not None else common_prefix(self.held, prompt.tokens[:-1])
        self.prefixes.count(prompt, own)
        self.cut(own, len(self.held))

    def take_over(self, prompt: Prompt) -> None:
        """Take what another row has evaluated of the prompt's beginning by now, if it is more than is held.

        Raises:
            BackendError: it cannot be restored.
        """
        found = {length: self.prefixes.find(prompt.tokens[:length]) for length in self._shared(prompt)}
        length = max((length for length, saved in found.items() if saved is not None), default=0)
        if length > len(self.held):
            self.context.restore(self.index, found[length])
            self.held = prompt.tokens[:length]

    def is_ready(self, prompt: Prompt) -> bool:
        """Whether the prompt is evaluated, but for the last token where that is decoded among the other rows."""
        return len(self.held) >= self._end(prompt)

    def evaluate(self, prompt: Prompt) -> None:
        """Evaluate the next batch of a prompt.

        Raises:
            BackendError: the engine failed; nothing is held any more.
        """
        start, shared = len(self.held), self._shared(prompt)
        stop = next(end for end in (*shared, self._end(prompt)) if end > start)
        tokens = prompt.tokens[start : min(start + self.context.n_batch, stop)]
        try:
            self.context.evaluate(self.index, tokens, start, logits=start + len(tokens) == len(prompt.tokens))
        except BackendError:  # a part of the batch may have been evaluated, and not every model's memory can be cut
            self.cut(0, stop)
            raise
        self.held += tokens
        self.prefixes.evaluated += len(tokens)
        if len(self.held) in shared:
            self.prefixes.keep(self.held, self.context.save(self.index))

    def cut(self, length: int, evaluated: int) -> None:
        """Keep the first `length` tokens of as many as were evaluated, or none where that is all the model can."""
        kept = length if self.context.cut(self.index, length, evaluated) else 0
        del self.held[kept:]

    def park(self) -> None:
        """Save a state that cannot be cut back: until its trial goes on, the row decodes tokens that are none of it."""
        if self.context.rows > 1 and self.context.model.forgets_only_all:
            self._park()

    def _park(self) -> None:
        if self.held:
            self._parked = self.context.save(self.index), self.held
            self.held = []
            self.cut(0, 1)

    def move_to(self, other: Row) -> None:
        """Give the trial, and what is evaluated of it, to a free row."""
        self._park()
        other.trial, other._parked = self.trial, self._parked
        self.release()

    def release(self) -> None:
        """Forget all: the trial is over."""
        self.trial, self._parked = None, None
        self.cut(0, 1)

    def _end(self, prompt: Prompt) -> int:
        return len(prompt.tokens) - (self.context.rows > 1)

    def _shared(self, prompt: Prompt) -> list[int]:
        """How long the beginnings of the prompt are that others may have too, the shorter one first."""
        if prompt.fork is None:
            return []
        whole = [len(prompt.tokens) - 1] if self.context.rows > 1 else []
        return sorted({length for length in (min(prompt.fork, len(prompt.tokens) - 1), *whole) if length > 0})
