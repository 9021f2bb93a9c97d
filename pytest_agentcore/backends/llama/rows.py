"""Which tokens each row of a context holds, and the beginnings of prompts that are evaluated once for all rows.

What a call holds decides the last bits of its numbers, so the way in which a prompt is cut into calls must not depend
on what ran before. A trial therefore begins from nothing, and its first prompt is cut where others may have the same:
at its *forks* (behind the system message, the tools and each of them) and, among several rows, before its last token.
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
        self._saved: dict[tuple[int, ...], tuple[Any, Sequence[int]]] = {}
        self._firsts: set[tuple[int, ...]] = set()
        self.evaluated = 0
        """Prompt tokens that were evaluated."""
        self.distinct = 0
        """Prompt tokens that had to be: a beginning that several prompts share counts once."""

    def find(self, tokens: Sequence[int], cuts: Sequence[int], *, whole: bool) -> tuple[int, Any, list[int]]:
        """The longest beginning of a prompt that was evaluated in the same calls as it would be itself.

        Args:
            tokens: the prompt's.
            cuts: where it is cut.
            whole: whether what is saved can only be taken as it is, and not be cut back.

        Returns its length, what was saved, and the tokens of that; 0, None and none where there is nothing.
        """
        best: tuple[int, tuple[int, ...]] = (0, ())
        for held, (_, calls) in self._saved.items():
            same = common_prefix(calls, cuts)
            shared = common_prefix(held, tokens) if same and calls[same - 1] > best[0] else 0
            lengths = [cut for cut in calls[:same] if cut <= shared and (cut == len(held) or not whole)]
            best = max(best, (max(lengths, default=0), held))
        if not best[0]:
            return 0, None, []
        saved = self._saved[best[1]] = self._saved.pop(best[1])  # last in the order of use
        return best[0], saved[0], [*best[1]]

    def keep(self, tokens: Sequence[int], cuts: Sequence[int], saved: Any) -> None:
        """Save a beginning that was cut so, in place of those that were not asked for the longest."""
        self._saved[tuple(tokens)] = saved, [cut for cut in cuts if cut <= len(tokens)]
        while self._saved and sum(len(state) for state, _ in self._saved.values()) > self._room:
            del self._saved[next(iter(self._saved))]

    def count(self, prompt: Prompt, known: int) -> None:
        """Count what is new in a prompt, of which a row holds `known` tokens by the trial's own history.

        A history that a row has lost is not new: evaluating it again is what the two counts tell apart.
        """
        tokens = tuple(prompt.tokens)
        known = known or len(tokens)
        if prompt.forks is not None:
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
        own = 0 if prompt.forks is not None else common_prefix(self.held, prompt.tokens[:-1])
        self.prefixes.count(prompt, own)
        self.cut(own, len(self.held))

    def take_over(self, prompt: Prompt) -> None:
        """Take what another row has evaluated of the prompt's beginning by now, if it is more than is held.

        Raises:
            BackendError: it cannot be restored.
        """
        unable = self.context.model.forgets_only_all
        length, saved, held = self.prefixes.find(prompt.tokens, self._cuts(prompt), whole=unable)
        if length > len(self.held):
            self.context.restore(self.index, saved)
            self.held = held
            self.cut(length, len(held))

    def is_ready(self, prompt: Prompt) -> bool:
        """Whether the prompt is evaluated, but for the last token where that is decoded among the other rows."""
        return len(self.held) >= self._end(prompt)

    def evaluate(self, prompt: Prompt) -> None:
        """Evaluate the next batch of a prompt.

        Raises:
            BackendError: the engine failed; nothing is held any more.
        """
        start, cuts = len(self.held), self._cuts(prompt)
        stop = next(end for end in (*cuts, self._end(prompt)) if end > start)
        tokens = prompt.tokens[start : min(start + self.context.n_batch, stop)]
        try:
            self.context.evaluate(self.index, tokens, start, logits=start + len(tokens) == len(prompt.tokens))
        except BackendError:  # a part of the batch may have been evaluated, and not every model's memory can be cut
            self.cut(0, stop)
            raise
        self.held += tokens
        self.prefixes.evaluated += len(tokens)
        if prompt.forks is not None and len(self.held) in {prompt.forks[-1], *cuts[-1:]}:
            self.prefixes.keep(self.held, cuts, self.context.save(self.index))

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

    def _cuts(self, prompt: Prompt) -> list[int]:
        """How long the beginnings of the prompt are that others may have too, in order."""
        if prompt.forks is None:
            return []
        whole = [len(prompt.tokens) - 1] if self.context.rows > 1 else []
        return sorted({length for fork in (*prompt.forks, *whole) if (length := min(fork, len(prompt.tokens) - 1)) > 0})
