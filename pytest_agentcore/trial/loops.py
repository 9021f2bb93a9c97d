"""Notices, while a reply is being written, that it has become a loop.

The rule, exact at every token: the last 128 tokens or more are one block, repeated at least four times. With s the
reply's tokens, that is a period p for which the longest tail with s[i] = s[i-p] throughout has at least
max(128, 4·p) tokens. Tokens are compared whole, so rows that differ in a single token are not a loop.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

MIN_TOKENS = 128
"""A tail shorter than this is never a loop."""
MIN_REPEATS = 4
"""A block that stands fewer times than this at the end is no loop."""

_STRIDE = MIN_TOKENS * (MIN_REPEATS - 1) // MIN_REPEATS
"""New periods are looked for at every such token. A tail that is a loop holds at least this many equalities
s[i] = s[i-p] in a row (its length less p, and p is at most a quarter of it), so none slips between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A tail that is one block over and over."""

    period: int
    """Tokens of the block."""
    tokens: int
    """Tokens of the whole tail when it was noticed."""

    @property
    def repeats(self) -> int:
        """Whole blocks in the tail."""
        return self.tokens // self.period

    def __str__(self) -> str:
        return f"the last {self.tokens} tokens are one block of {self.period} repeated {self.repeats} times"


class DegenerateWatch:
    """Called with each token (its id, or the piece of text it stands for); True from the token that closes a loop on.

    Per token it costs the periods that are alive at that moment, and n / (4 · 96) comparisons amortised for the n-th
    token; a reply of 4096 tokens costs about as much as splitting it.
    """

    def __init__(self) -> None:
        self.loop: Loop | None = None
        """The loop that was found, if any."""
        self._tokens: list[Hashable] = []
        self._alive: dict[int, int] = {}  # period -> equalities in a row up to the last token

    def __call__(self, token: Hashable) -> bool:
        """Take one token; whether the reply should be cut off."""
        if self.loop:
            return True
        tokens, last = self._tokens, len(self._tokens)
        tokens.append(token)
        # One unequal token ends a period for good; should it begin anew, the next look finds it early enough.
        self._alive = {period: run + 1 for period, run in self._alive.items() if tokens[last - period] == token}
        if len(tokens) % _STRIDE == 0:
            # A stride ahead: a loop that closes before the next look may have a period of a quarter of its length then.
            for period in range(1, min(last, (last + _STRIDE) // MIN_REPEATS) + 1):
                if period not in self._alive and tokens[last - period] == token:
                    at = last  # equalities in a row, counted back from the last token
                    while at >= period and tokens[at] == tokens[at - period]:
                        at -= 1
                    self._alive[period] = last - at
        for period, run in self._alive.items():
            # The first block has nothing to be equal to: the tail is a period longer than its run of equalities.
            if run + period >= max(MIN_TOKENS, MIN_REPEATS * period):
                self.loop = Loop(period=period, tokens=run + period)
                return True
        return False
