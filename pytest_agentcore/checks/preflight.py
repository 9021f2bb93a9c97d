"""Preflight: five small conversations before a campaign show whether a model's tool calls get through.

Each check judges the way of a call first: what the model does with an open way is a fact about the model, which is said
beside it. A backend that shows its prompts is followed part by part, and a call is forced by its grammar. Any other is
judged by what it accepts: an error, arguments that arrive as text, or a prompt that does not grow by an exchange is a
broken way; a reply without a call is the model's own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from itertools import count
from typing import Any

from pytest_agentcore.agent.retries import Retries
from pytest_agentcore.backends.base import (
    Backend,
    FinishReason,
    Message,
    Reply,
    Request,
    Say,
    ShowsPrompts,
    ToolCall,
    say_nothing,
)
from pytest_agentcore.catalogue.entry import Policy
from pytest_agentcore.errors import BackendError, EndOfTrial
from pytest_agentcore.setup import Setup
from pytest_agentcore.tools.base import ToolSpec, object_schema
from pytest_agentcore.tools.toolbox import unknown_tool
from pytest_agentcore.trial.result import TrialKey

NOTE = ToolSpec(
    name="note",
    description="Write a note.",
    parameters=object_schema(["text"], text={"type": "string", "description": "What the note says."}),
)
_STOPS = {"type": "array", "items": {"type": "string", "enum": ["Bergen", "Turin"]}, "minItems": 1, "maxItems": 2}
_TRIP = object_schema(["to", "stops"], to={"type": "string", "enum": ["Oslo", "Rome"]}, stops=_STOPS)
TRIP = ToolSpec(name="plan_trip", description="Plan a trip.", parameters=object_schema(["trip"], trip=_TRIP))

SYSTEM = Message(role="system", content="You work through tools. Do what the user asks by calling a tool.")
ASK_NOTE = Message(role="user", content="Call the tool note once, with the text apple.")
ASK_SHELF = Message(
    role="user", content="Call the tool note once, with the text apple, and tell me the number of the shelf it is on."
)
ASK_TRIP = Message(role="user", content="Call the tool plan_trip once: the trip goes to Oslo and stops in Bergen.")

PLAIN = ToolCall(id="call_1_1", name="note", arguments={"text": "apple"})
NESTED = ToolCall(id="call_1_1", name="plan_trip", arguments={"trip": {"to": "Oslo", "stops": ["Bergen", "Turin"]}})
UNKNOWN = ToolCall(id="call_1_1", name="teleport", arguments={"to": "Oslo"})

RECEIPT = "Shelf 1816 now holds the note about the apple. It is the only note on that shelf, and nobody has read it."
"""A result that is long enough to be seen in a count of tokens."""
SHELF = "1816"
GROWTH = 10
"""Tokens; an exchange with a result takes several times as many."""

CALL_TOKENS = 160
"""Ceiling of a reply with a call: a thought and a call fit."""
ANSWER_TOKENS = 48
"""Ceiling of a reply that needs no call."""
RECONNECT_SECONDS = 10.0
"""How long a backend that is away is waited for: one that has never been there is more likely misspelt."""
SHOWN = 2000
"""Characters kept of what was sent and of what came back."""


class Finding(StrEnum):
    """The outcome of one check."""

    ok = "ok"
    unwilling = "unwilling"
    """The way is open and the model did not take it: a fact about the model, which the campaign measures."""
    failed = "failed"
    """Something between the model and the harness is broken: every number would be about that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was tried."""

    name: str
    finding: Finding
    says: str
    """A sentence."""
    sent: str
    """What went to the model, as text, at most `SHOWN` characters."""
    came: str
    """What came back, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """All checks of one model."""

    policy: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is broken; what the model does with it is another matter."""
        return all(check.finding is not Finding.failed for check in self.checks)

    @property
    def verdict(self) -> str:
        """The outcome in one line; a reason that several checks share stands there once."""
        failed: dict[str, list[str]] = {}
        for check in self.checks:
            if check.finding is Finding.failed:
                failed.setdefault(check.says, []).append(check.name)
        if failed:
            return "failed: " + "; ".join(f"{', '.join(names)}: {reason}" for reason, names in failed.items())
        unwilling = [check.name for check in self.checks if check.finding is Finding.unwilling]
        return "passed" + (f"; the model itself fell short in {', '.join(unwilling)}" if unwilling else "")

    def to_json(self) -> dict[str, Any]:
        """For the manifest, in plain types only."""
        checks = [asdict(check) | {"finding": check.finding.value} for check in self.checks]
        return {"passed": self.passed, "verdict": self.verdict, "policy": self.policy, "checks": checks}


@dataclass(slots=True)
class _Subject:
    """A model, asked as its campaign is going to ask it."""

    backend: Backend
    setup: Setup
    say: Say = say_nothing
    doing: str = ""
    """The check that is being made, in a few words."""
    retries: Retries = field(default_factory=lambda: Retries(reconnect_timeout=RECONNECT_SECONDS))
    asked: int = 0
    opening: int = 0
    """Tokens of the first request's prompt; 0 where nobody counts them."""

    @property
    def shown(self) -> ShowsPrompts | None:
        """The backend, if it shows its prompts and reads calls on this side."""
        return self.backend if isinstance(self.backend, ShowsPrompts) else None

    def ask(
        self, messages: Sequence[Message], tool: ToolSpec, policy: Policy | None = None, tokens: int = CALL_TOKENS
    ) -> Reply:
        """Get one reply; every request is the first of a conversation of its own.

        Raises:
            BackendError: there is none.
            EndOfTrial: the time for it is over.
        """
        self.asked += 1
        heard = count(1)

        def watch(_piece: str) -> bool:
            self.say(f"{self.doing}, token {next(heard)}", None)
            return False

        def request() -> Request:
            return Request(
                trial=TrialKey(self.setup.slug, "preflight", self.asked),
                turn=1,
                messages=tuple(messages),
                tools=(tool,),
                sampling=self.setup.sampling,
                seed=self.asked,
                max_reply_tokens=tokens,
                policy=policy or self.setup.policy,
                deadline=time.monotonic() + self.setup.limit.seconds,
                cancel=threading.Event(),
                watch=watch,
            )

        reply = self.retries.ask(self.backend, request, self)
        if self.asked == 1:
            self.opening = reply.usage.prompt_tokens
        return reply

    def request_failed(self, number: int, error: BackendError, seconds: float, wait: float | None) -> None:
        """See `Asker`; what ends in a reply after all is no finding."""

    def pause(self, seconds: float) -> None:
        """See `Asker`; nothing here is timed."""


Seen = tuple[Finding, str, str | Sequence[Message], str | Reply]
"""What a check found, a sentence about it, what was sent and what came."""

NOT_ASKED = "(not asked)"


def preflight(backend: Backend, setup: Setup, say: Say = say_nothing) -> Preflight:
    """Make the five checks, and say which. Nothing is raised: a backend that fails is what is looked for."""
    subject = _Subject(backend, setup, say)
    shelf = _exchange(ASK_SHELF, PLAIN, RECEIPT, text="I will write the note.")
    silent = _exchange(ASK_NOTE, PLAIN, RECEIPT)
    refused = _exchange(ASK_NOTE, UNKNOWN, unknown_tool(UNKNOWN.name, [NOTE.name]))
    examined: Sequence[tuple[str, tuple[Message, ...], Callable[[_Subject, tuple[Message, ...]], Seen]]] = (
        ("structured_call", (SYSTEM, ASK_NOTE), _structured_call),
        ("tool_result", shelf, partial(_given_back, answer=SHELF)),
        ("call_without_text", silent, _given_back),
        ("nested_argument", (SYSTEM, ASK_TRIP), _nested_argument),
        ("unknown_tool", refused, _given_back),
    )
    checks = []
    for number, (name, messages, examine) in enumerate(examined, 1):
        subject.doing = f"preflight {number}/{len(examined)} {name}"
        say(subject.doing, None)
        checks.append(_check(name, messages, partial(examine, subject)))
    return Preflight(policy=setup.policy.value, checks=tuple(checks))


def _exchange(asked: Message, call: ToolCall, result: str, text: str = "") -> tuple[Message, ...]:
    """Make a conversation of a question, a call (with text or without) and its result."""
    return (
        SYSTEM,
        asked,
        Message(role="assistant", content=text, tool_calls=(call,)),
        Message(role="tool", content=result, tool_call_id=call.id, name=call.name),
    )


def _check(name: str, messages: tuple[Message, ...], examine: Callable[[tuple[Message, ...]], Seen]) -> Check:
    try:
        finding, says, sent, came = examine(messages)
    except (BackendError, EndOfTrial) as error:
        finding, says, sent, came = Finding.failed, str(error), messages, "(no reply)"
    if not isinstance(sent, str):
        calls = ["".join(f" calls {_call_text(call)}" for call in message.tool_calls) for message in sent]
        sent = "\n".join(f"{one.role}: {one.content}{made}" for one, made in zip(sent, calls, strict=True))
    came = came if isinstance(came, str) else _reply_text(came)
    sent, came = (text if len(text) <= SHOWN else f"{text[: SHOWN - 4]} ..." for text in (sent, came))
    return Check(name=name, finding=finding, says=says, sent=sent, came=came)


def _structured_call(subject: _Subject, sent: tuple[Message, ...]) -> Seen:
    """Ask for one call in plain words."""
    reply = subject.ask(sent, NOTE)
    return *(_not_offered(subject, reply, NOTE) or _willing(reply, PLAIN)), sent, reply


def _given_back(subject: _Subject, sent: tuple[Message, ...], answer: str = "") -> Seen:
    """Give a call and its result back to the model; where there is an `answer`, its reply should hold that."""
    if subject.shown:
        wrong, added = _round_trip(subject.shown, sent, NOTE, subject.setup.policy)
        if wrong or not answer:
            says = wrong or "the template writes call and result, and the call is read back"
            return Finding.failed if wrong else Finding.ok, says, added or sent, NOT_ASKED
    forced = subject.setup.policy is Policy.constrained  # then the reply is a call, whatever was asked
    reply = subject.ask(sent, NOTE, tokens=CALL_TOKENS if forced else ANSWER_TOKENS)
    grown = reply.usage.prompt_tokens - subject.opening
    if subject.opening and reply.usage.prompt_tokens and grown < GROWTH:
        return Finding.failed, f"the prompt grew by {grown} tokens: the exchange does not reach the model", sent, reply
    if answer not in _reply_text(reply):
        return Finding.unwilling, "the result was given back; the reply does not take it up", sent, reply
    return Finding.ok, "call and result were taken", sent, reply


def _nested_argument(subject: _Subject, sent: tuple[Message, ...]) -> Seen:
    """Send an object with a list in it: given back to a template, forced by a grammar, or asked for."""
    policy = subject.setup.policy
    if subject.shown:
        wrong, added = _round_trip(subject.shown, _exchange(ASK_TRIP, NESTED, RECEIPT), TRIP, policy)
        if wrong:
            return Finding.failed, wrong, added or sent, NOT_ASKED
        policy = Policy.constrained
    reply = subject.ask(sent, TRIP, policy)
    if strange := _not_offered(subject, reply, TRIP):
        return *strange, sent, reply
    if not reply.tool_calls:
        finding, says = _willing(reply, NESTED)
        broken = policy is Policy.constrained and reply.problems  # a grammar that lets through what nobody can read
        return Finding.failed if broken else finding, says, sent, reply
    trip = reply.tool_calls[0].arguments.get("trip")
    if isinstance(trip, str) and trip.lstrip().startswith("{"):
        return Finding.failed, "the nested object arrives as text", sent, reply
    if not (isinstance(trip, Mapping) and isinstance(trip.get("stops"), list | tuple)):
        return Finding.unwilling, "called with other arguments than the schema asks for", sent, reply
    return Finding.ok, "a nested object and a list arrive whole", sent, reply


def _not_offered(subject: _Subject, reply: Reply, tool: ToolSpec) -> tuple[Finding, str] | None:
    """Judge a call of anything but the one tool there is; None where there is no such call.

    In a server's reply that is no whim of the model, which has nothing else to name: servers are known to garble names.
    """
    strange = next((call.name for call in reply.tool_calls if call.name != tool.name), None)
    if strange is None:
        return None
    finding = Finding.unwilling if subject.shown else Finding.failed
    return finding, f"called {strange[:64]!r}, which was not offered; the one tool was {tool.name}"


def _willing(reply: Reply, wanted: ToolCall) -> tuple[Finding, str]:
    """Say how far a model went that was asked for a call."""
    if reply.tool_calls:
        call = reply.tool_calls[0]
        right = (call.name, dict(call.arguments)) == (wanted.name, dict(wanted.arguments))
        return Finding.ok, "called as asked" if right else f"called {call.name}, though not as asked"
    if reply.problems:
        return Finding.unwilling, f"began a call that cannot be read: {reply.problems[0]}"
    if reply.resembles:
        return Finding.unwilling, f"wrote what only looks like a call ({reply.resembles})"
    if reply.finish is not FinishReason.stop:
        return Finding.unwilling, f"made no call before the reply was cut off ({reply.finish})"
    return Finding.unwilling, "answered without a call"


def _round_trip(backend: ShowsPrompts, messages: Sequence[Message], tool: ToolSpec, policy: Policy) -> tuple[str, str]:
    """Let a template write an exchange, which ends with a call and its result, and the dialect read its call.

    Returns:
        What is wrong (empty: nothing), and the part of the prompt that the exchange added.
    """
    call, result = messages[-2].tool_calls[0], messages[-1].content
    try:
        before, whole = (backend.show_prompt(part, (tool,), policy) for part in (messages[:-2], messages))
    except BackendError as error:
        return str(error), ""
    shared = next((at for at, one in enumerate(before) if not whole.startswith(one, at)), len(before))
    added = whole[shared:]
    written, found, _ = added.partition(result)
    if not found:
        return "the template drops the result of a call", added
    read = backend.read_calls(written, (tool,))
    if not read:
        return f"the dialect does not read the call of {call.name} that the template writes", added
    seen, wanted = dict(read[0].arguments), dict(call.arguments)
    if (read[0].name, seen) == (call.name, wanted):
        return "", added
    return f"what the template writes is read as {read[0].name} {seen} instead of {call.name} {wanted}", added


def _call_text(call: ToolCall) -> str:
    return f"{call.name} {json.dumps(dict(call.arguments))}"


def _reply_text(reply: Reply) -> str:
    """Write down a reply and how it was read."""
    lines = [reply.text or "(no text)"]
    lines += [f"read as a call: {_call_text(call)}" for call in reply.tool_calls]
    lines += [f"could not be read: {problem}" for problem in reply.problems]
    return "\n".join([*lines, *(f"repaired: {repair}" for repair in reply.repairs)])
