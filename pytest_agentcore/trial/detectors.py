"""Patterns: of failing trials, found in their transcripts; of a reply that has become a loop, while it is written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_agentcore.trial.fold import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One place where a pattern shows."""

    turn: int
    """The turn to cite, from 1."""
    last_turn: int
    """Where the pattern ends; `turn` where it is one turn."""
    note: str
    """One line about it; holds text of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A detector's finding about one trial."""

    hits: tuple[Hit, ...]
    applicable: bool
    """Whether the trial had anything the detector could look at; without it no hit means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A pattern by name."""

    name: str
    meaning: str
    """One sentence for reports."""
    needs: str
    """Completes `12 trials with ...`: the trials that can be looked at."""
    examine: Callable[[Sequence[Event]], Finding]


TAIL, OF = 13, 15
"""13 turns or more of a budget of 15, and that share of every other budget, rounded up."""


def long_tail(events: Sequence[Event]) -> Finding:
    """At most one hit: the turn where the tail begins."""
    budget = next((event["budget"]["turns"] for event in events if event["event"] == "start"), 0)
    used = max((event["turn"] for event in events if event["event"] in ("reply", "tool_result")), default=0)
    begins = math.ceil(budget * TAIL / OF)
    if not budget or used < begins:
        return Finding(hits=(), applicable=bool(budget and used))
    note = f"{used} of {round(budget)} turns; the tail begins at turn {begins}"
    return Finding(hits=(Hit(turn=begins, last_turn=used, note=note),), applicable=True)


@dataclass(slots=True)
class _Row:
    """Turns one after the other that make one call."""

    name: str
    arguments: Mapping[str, Any]
    first: int
    last: int


def redundant_calls(events: Sequence[Event]) -> Finding:
    """A hit per call and per unbroken row of turns that make it.

    A call that an injected fault answered is not counted: making it again is what a fault asks for.
    """
    results = sorted((event for event in events if event["event"] == "tool_result"), key=lambda event: event["turn"])
    rows: list[_Row] = []
    for event in results:
        if event["outcome"] == "fault":
            continue
        turn, name, arguments = event["turn"], event["call"]["name"], event["call"]["arguments"]
        # A row is made longer, or begun; one that ended earlier stays as it is.
        going_on = (row for row in reversed(rows) if row.last >= turn - 1)
        row = next((row for row in going_on if (row.name, row.arguments) == (name, arguments)), None)
        if row is None:
            row = _Row(name, arguments, turn, turn)
            rows.append(row)
        row.last = turn
    hits = [
        Hit(
            turn=row.first,
            last_turn=row.last,
            note=f"{row.name} {json.dumps(row.arguments)} in turns {row.first} to {row.last}",
        )
        for row in sorted(rows, key=lambda row: row.first)
        if row.first < row.last
    ]
    return Finding(hits=tuple(hits), applicable=len({event["turn"] for event in results}) > 1)


_FAULT = r"(?:root cause|cause|problem|bug|issue|error|defect|fault|culprit|reason)"
_NOT = r"(?:is not|was not|isn't|wasn't|is no longer|does not|doesn't|did not|didn't)"

_DIAGNOSIS = re.compile(
    rf"\b(?:the|this|that|our|my|real|actual|main)\s+{_FAULT}\b[^.!?\n]{{0,60}}?\b(?:is|was|lies|comes|stems|must be)\b"
    r"|\b(?:is|was|are|were)\s+(?:caused by|due to)\b"
    r"|\bI (?:have )?found the (?:root )?(?:cause|problem|bug|issue|error)\b",
    re.IGNORECASE,
)
"""A sentence that says what is wrong."""

_NEGATED = re.compile(rf"\b{_FAULT} {_NOT}\b", re.IGNORECASE)
"""A sentence that only looks like one."""

_HINTS = ("cause", "problem", "bug", "issue", "error", "defect", "fault", "culprit", "reason", "due to")
"""Without one of these no sentence is a diagnosis; looking for them costs next to nothing."""

_RETRACTION = re.compile(
    r"\b(?:my|that|this|the)\s+(?:(?:earlier|previous|first|initial|original)\s+)?"
    r"(?:diagnosis|assumption|analysis|conclusion|theory|hypothesis|guess)\s+(?:is|was)\s+"
    r"(?:wrong|incorrect|mistaken|not right|not correct|off)\b"
    r"|\bI (?:was|am) (?:wrong|mistaken)\b|\bI (?:misdiagnosed|misread|misunderstood)\b"
    rf"|\b(?:that|this|it) {_NOT} (?:actually )?(?:the|our) (?:real |actual )?{_FAULT}\b"
    rf"|\b(?:the|our) (?:real |actual )?{_FAULT} {_NOT}\b"
    rf"|\b(?:actually|instead|in fact|rather)\b,? (?:the|our) (?:real |actual )?{_FAULT} (?:is|was|lies|must be)\b",
    re.IGNORECASE,
)
"""A sentence that takes a diagnosis back."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")

_SHOWN = 120
"""Characters of a quoted sentence."""


def diagnosis_reversed(events: Sequence[Event]) -> Finding:
    """A hit per turn that takes back what the last turn with a diagnosis before it said.

    The cited turn is the one that reverses; the note quotes both sentences.
    """
    hits: list[Hit] = []
    stated: tuple[int, str] | None = None
    looked_at = False
    for event in events:
        if event["event"] != "reply":
            continue
        # Reasoning first, then what stands beside the calls.
        turn, prose = event["turn"], f"{event['reasoning']}\n{event['content']}"
        looked_at = looked_at or bool(prose.strip())
        taken_back = stated and _RETRACTION.search(prose) and _first(_RETRACTION, _sentences(prose))
        if stated and taken_back:
            before, after = stated[1].strip()[:_SHOWN], taken_back.strip()[:_SHOWN]
            note = f'turn {stated[0]} said "{before}", turn {turn} said "{after}"'
            hits.append(Hit(turn=turn, last_turn=turn, note=note))
            stated = None
        lowered = prose.lower()
        if any(hint in lowered for hint in _HINTS) and _DIAGNOSIS.search(prose):
            asserted = [sentence for sentence in _sentences(prose) if not _NEGATED.search(sentence)]
            last = _first(_DIAGNOSIS, reversed(asserted))
            stated = (turn, last) if last else stated
    return Finding(hits=tuple(hits), applicable=looked_at)


def _sentences(prose: str) -> list[str]:
    return [sentence for sentence in _SENTENCE.split(prose) if sentence.strip()]


def _first(pattern: re.Pattern[str], sentences: Iterable[str]) -> str | None:
    return next((sentence for sentence in sentences if pattern.search(sentence)), None)


DETECTORS = (
    Detector(
        name="diagnosis_then_regression",
        meaning="a stated diagnosis is taken back in a later turn",
        needs="prose to look at",
        examine=diagnosis_reversed,
    ),
    Detector(
        name="long_tail_turn_count",
        meaning="13 or more of 15 turns were used, or that share of another budget",
        needs="at least one turn",
        examine=long_tail,
    ),
    Detector(
        name="tool_call_redundancy",
        meaning="the same tool is called with the same arguments in consecutive turns",
        needs="calls in two turns or more",
        examine=redundant_calls,
    ),
)


def examine(events: Sequence[Event]) -> Mapping[str, Finding]:
    """Run every detector over one trial; findings by name. The caller leaves out events that are not whole."""
    return {detector.name: detector.examine(events) for detector in DETECTORS}


# Loops, noticed while a reply is being written.
#
# The rule, exact at every token: the last 128 tokens or more are one block, repeated at least four times. With s the
# reply's tokens, that is a period p for which the longest tail with s[i] = s[i-p] throughout has at least
# max(128, 4·p) tokens. Tokens are compared whole, so rows that differ in a single token are not a loop.

MIN_TOKENS = 128
"""A tail shorter than this is never a loop."""
MIN_REPEATS = 4
"""A block that stands fewer times than this at the end is no loop."""

_STRIDE = MIN_TOKENS * (MIN_REPEATS - 1) // MIN_REPEATS
"""New periods are looked for at every such token. A tail that is a loop holds at least this many equalities
s[i] = s[i-p] in a row (its length less p, and p is at most a quarter of it), so none slips between two looks."""


class DegenerateWatch:
    """Called with each token (its id, or the piece of text it stands for); True from the token that closes a loop on.

    Per token it costs the periods that are alive at that moment, and n / (4 · 96) comparisons amortised for the n-th
    token; a reply of 4096 tokens costs about as much as splitting it.
    """

    def __init__(self) -> None:
        self.loop: tuple[int, int] | None = None
        """The loop that was found, if any: tokens of its block, and of the whole tail when it was noticed."""
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
                self.loop = period, run + period
                return True
        return False
