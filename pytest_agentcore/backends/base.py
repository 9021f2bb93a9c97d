"""The contract between the agent loop and whatever produces replies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from inspect import signature
from typing import Any, Literal, Protocol, runtime_checkable

from pytest_agentcore.catalogue.entry import ModelEntry, Policy, Sampling
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.modes import Resemblance
from pytest_agentcore.trial.result import TrialKey, Usage

MIN_ROOM = 256
"""Tokens that must be left in the context for a reply; with fewer the trial ends in context_overflow."""


class FinishReason(StrEnum):
    """Why a backend stopped generating."""

    stop = "stop"
    length = "length"
    """`max_reply_tokens` was reached."""
    context = "context"
    """The context was full."""
    watch = "watch"
    """`Request.watch` asked for it."""
    deadline = "deadline"
    cancelled = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One structured call."""

    id: str
    """Unique within the trial, e.g. `call_3_1`: turn 3, first call."""
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of the conversation. Messages are append-only within a trial."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    reasoning: str = ""
    """Assistant only: what the model thought before it answered."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Assistant only."""
    tool_call_id: str = ""
    """Tool only: the call that this is the result of."""
    name: str = ""
    """Tool only: the tool's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request for one assistant turn."""

    trial: TrialKey
    """Which trial asks: a backend keeps its prefix cache by it, the scripted one finds its lines by it."""
    turn: int
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    sampling: Sampling
    seed: int
    """Already mixed from base seed, task, run index and turn: 0 … 2**31-1."""
    max_reply_tokens: int
    """Reasoning counted; a backend clamps it further to the room left in its context."""
    policy: Policy = Policy.native
    deadline: float = float("inf")
    """`time.monotonic()` after which the reply is cut off with `FinishReason.deadline`."""
    cancel: threading.Event = field(default_factory=threading.Event)
    """Checked for every token and every batch of a prompt; set means `FinishReason.cancelled`."""
    watch: Callable[[str], bool] = lambda _piece: False
    """Called with each piece of text as it is sampled; True stops the reply with `FinishReason.watch`."""

    def cut_short(self) -> FinishReason | None:
        """Why the reply must end now: the request was cancelled, or its time is over; None lets it go on."""
        if self.cancel.is_set():
            return FinishReason.cancelled
        return FinishReason.deadline if time.monotonic() > self.deadline else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One assistant turn as the backend understood it."""

    text: str
    """Everything the model wrote, markers included, as it wrote it."""
    content: str
    """`text` without reasoning and without parsed calls."""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    final: bool = False
    """Whether the trial is over once `tool_calls` were run, with `content` as its answer: a constrained model called
    `finish` beside them."""
    problems: tuple[str, ...] = ()
    """One readable sentence per call that was opened and does not parse, fit for feeding back to the model."""
    repairs: tuple[str, ...] = ()
    """One sentence per near miss that the lenient policy accepted."""
    resembles: Resemblance | None = None
    """Without a structured call: what the content looked like."""
    finish: FinishReason = FinishReason.stop
    usage: Usage = Usage()
    seconds: float = 0.0
    token_ids: tuple[int, ...] = ()
    """The sampled ids where the backend knows them; two trials with the same ids are one observation."""


class Backend(Protocol):
    """Produces replies. Held to tests/unit/backends/conformance.py; every backend is public API."""

    name: str
    """`llama_cpp`, `scripted`, …"""
    slots: int
    """Conversations at once."""

    def complete(self, request: Request) -> Reply:
        """One assistant turn, blocking.

        Raises:
            BackendError: no reply could be had.
            EndOfTrial: `context_overflow`, when fewer than MIN_ROOM tokens are left.
        """

    def describe(self) -> Mapping[str, Any]:
        """JSON-able facts for header and manifest: `file`, `quant`, `context`, `device`, `dialect`, `engine` …"""

    def close(self) -> None:
        """Free everything. Called once; `complete` is not called afterwards."""


@runtime_checkable
class ChecksRoom(Protocol):
    """A backend whose context is small enough to be worth a look before the first trial."""

    def check_room(self, messages: Sequence[Message], tools: Sequence[ToolSpec], policy: Policy) -> None:
        """Raise UsageError when a task's first prompt leaves no room for a reply."""


@runtime_checkable
class Leases(Protocol):
    """A backend that keeps a place for every trial until it hears that the trial is over."""

    def release(self, trial: TrialKey) -> None:
        """Give a trial's place to others: it asks for no further reply."""


@runtime_checkable
class Counts(Protocol):
    """A backend that counts what its replies took."""

    def counts(self) -> Mapping[str, int]:
        """Tokens since it was opened: `prompt_tokens_evaluated`, `prompt_tokens_distinct`, `drafted`, `accepted`."""


@runtime_checkable
class CountsTokens(Protocol):
    """A backend that can say how long a prompt would be, without asking the model."""

    def count_tokens(self, messages: Sequence[Message], tools: Sequence[ToolSpec], policy: Policy) -> int:
        """Tokens of the prompt that a first request with these messages would have."""


@runtime_checkable
class ShowsPrompts(Protocol):
    """A backend that writes prompts and reads replies itself, so that both can be looked at without the model."""

    def show_prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec], policy: Policy) -> str:
        """The prompt of a first request, from its tokens back to text.

        Raises:
            BackendError: the template refuses the conversation.
        """

    def read_calls(self, text: str, tools: Sequence[ToolSpec]) -> tuple[ToolCall, ...]:
        """The calls in a reply of that text, read strictly."""


Say = Callable[[str, float | None], None]
"""Told what is going on while it takes long: in a few words, and which part of it is done, 0 … 1 (None: not known)."""

BackendFactory = Callable[..., Backend]
"""Opens a model: gets its registry entry and the `EngineSettings` (for an endpoint: `EndpointSettings`) that
`--agentcore-engine` gave; one with a parameter named `say` is given a `Say` too. Raises UsageError in a sentence."""


def say_nothing(_words: str, _part: float | None) -> None:
    """A `Say` where nobody looks."""


def open_with(factory: BackendFactory, entry: ModelEntry, engine: object, say: Say) -> Backend:
    """Open a model by its factory, which may or may not want to say what it is doing."""
    return factory(entry, engine, **({"say": say} if "say" in signature(factory).parameters else {}))
