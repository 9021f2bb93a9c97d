"""Evaluates only what is new: knows which tokens a context holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_agentcore.models.engine import Context


class PrefixCache:
    """The tokens whose keys and values a context holds, in order.

    What a batch holds decides the last bits of its numbers, so the way in which a prompt is cut into batches must not
    depend on what ran before. A trial therefore begins from nothing or from its *fork*: the part that is the same for
    all tasks (system message and tools), evaluated on its own. Within a trial only the trial's own history counts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._held: list[int] = []
        self._fork: list[int] = []

    def begin_trial(self, wanted: Sequence[int], fork: int) -> int:
        """Cut back to the fork if it is held, else to nothing; returns how many tokens are held."""
        shared = list(wanted[:fork])
        held = bool(shared) and self._fork == shared and self._held[:fork] == shared
        return self._cut(min(fork, len(wanted) - 1) if held else 0)

    def go_on(self, wanted: Sequence[int]) -> int:
        """Cut back to what is held of `wanted`, its last token left out; returns how many tokens are held."""
        return self._cut(min(common_prefix(self._held, wanted), len(wanted) - 1))

    def _cut(self, length: int) -> int:
        kept = length if self._context.keep(length, len(self._held)) else 0
        del self._held[kept:]
        if kept < len(self._fork):
            self._fork = []
        return kept

    def evaluate(self, wanted: Sequence[int], *, fork: int, stop: Callable[[], bool]) -> bool:
        """Evaluate what is missing of `wanted`, the fork apart from the rest; False when `stop` ended it in between.

        Raises:
            BackendError: the engine failed; nothing is held any more.
        """
        if len(self._held) < fork:
            if not self._feed(wanted[len(self._held) : fork], stop):
                return False
            self._fork = list(wanted[:fork])
        return self._feed(wanted[len(self._held) :], stop)

    def append(self, token: int) -> None:
        """Evaluate one token.

        Raises:
            BackendError: the engine failed.
        """
        self._context.step(token)
        self._held.append(token)

    def _feed(self, tokens: Sequence[int], stop: Callable[[], bool]) -> bool:
        size = self._context.n_batch
        for start in range(0, len(tokens), size):
            if stop():
                return False
            batch = tokens[start : start + size]
            self._context.evaluate(batch)
            self._held += batch
        return True


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many first elements two sequences share."""
    shared = min(len(one), len(other))
    return next((i for i in range(shared) if one[i] != other[i]), shared)
