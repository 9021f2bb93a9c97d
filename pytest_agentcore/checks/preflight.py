"""The five checks. Each judges the way of a call first; what the model does with an open way is said beside it.

A backend that writes its own prompts is followed part by part (`through.py`), and a call is forced by its grammar. Any
other is judged by what it accepts: an error, arguments that arrive as text, or a prompt that does not grow by an
exchange is broken plumbing; a reply without a call is the model's own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pytest_agentcore.agent.retries import Patience
from pytest_agentcore.backends.base import Backend, FinishReason, Message, Reply, Request, ShowsPrompts, ToolCall
from pytest_agentcore.catalogue.entry import Policy, Sampling
from pytest_agentcore.errors import BackendError, EndOfTrial
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.tools.toolbox import unknown_tool
from pytest_agentcore.trial.result import TrialKey

NOTE = ToolSpec(
    name="note",
    description="Write a note.",
    parameters={
        "type": "object",
        "properties": {"text": {"type": "string", "description": "What the note says."}},
        "required": ["text"],
        "additionalProperties": False,
    },
)
TRIP = ToolSpec(
    name="plan_trip",
    description="Plan a trip.",
    parameters={
        "type": "object",
        "properties": {
            "trip": {
                "type": "object",
                "properties": {
                    "to": {"type": "string", "enum": ["Oslo", "Rome"]},
                    "stops": {
                        "type": "array",
                        "items": {"type": "string", "enum": ["Bergen", "Turin"]},
                        "minItems": 1,
                        "maxItems": 2,
                    },
                },
                "required": ["to", "stops"],
                "additionalProperties": False,
            }
        },
        "required": ["trip"],
        "additionalProperties": False,
    },
)

SYSTEM = Message(role="system", content="You work through tools. Do what the user asks by calling a tool.")
ASK_NOTE = Message(role="user", content="Call the tool note once, with the text apple.")
ASK_SHELF = Message(
    role="user", content="Call the tool note once, with the text apple, and tell me the number of the shelf it is on."
)
ASK_TRIP = Message(role="user", content="Call the tool plan_trip once: the trip goes to Oslo and stops in Bergen.")

NESTED = ToolCall(id="call_1_1", name="plan_trip", arguments={"trip": {"to": "Oslo", "stops": ["Bergen", "Turin"]}})
PLAIN = ToolCall(id="call_1_1", name="note", arguments={"text": "apple"})
UNKNOWN = ToolCall(id="call_1_1", name="teleport", arguments={"to": "Oslo"})

RECEIPT = "Shelf 1816 now holds the note about the apple. It is the only note on that shelf, and nobody has read it."
"""A result that is long enough to be seen in a count of tokens."""


def answered(asked: Message, call: ToolCall, result: str, text: str = "") -> tuple[Message, ...]:
    """A question, a call (with text or without) and its result."""
    return (
        SYSTEM,
        asked,
        Message(role="assistant", content=text, tool_calls=(call,)),
        Message(role="tool", content=result, tool_call_id=call.id, name=call.name),
    )


def as_text(messages: Sequence[Message]) -> str:
    """A line per message, for people."""
    return "\n".join(map(_line, messages))


def _line(message: Message) -> str:
    calls = "".join(f" calls {call.name} {json.dumps(dict(call.arguments))}" for call in message.tool_calls)
    return f"{message.role}: {message.content}{calls}"


SHOWN = 2000
"""Characters of what was sent and of what came back."""


class Finding(StrEnum):
    """Of one check."""

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

    def to_json(self) -> dict[str, str]:
        """Plain types only."""
        return {"name": self.name, "finding": self.finding.value, "says": self.says} | {
            "sent": self.sent,
            "came": self.came,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """All checks of one model."""

    policy: str
    checks: tuple[Check, ...]

    @property
    def failures(self) -> tuple[Check, ...]:
        """What is broken."""
        return tuple(check for check in self.checks if check.finding is Finding.failed)

    @property
    def passed(self) -> bool:
        """Whether nothing is broken; what the model does with it is another matter."""
        return not self.failures

    @property
    def verdict(self) -> str:
        """One line."""
        if self.failures:
            reasons = dict.fromkeys(check.says for check in self.failures)
            return "failed: " + "; ".join(f"{self._names(reason)}: {reason}" for reason in reasons)
        unwilling = [check.name for check in self.checks if check.finding is Finding.unwilling]
        return "passed" + (f"; the model itself fell short in {', '.join(unwilling)}" if unwilling else "")

    def _names(self, reason: str) -> str:
        return ", ".join(check.name for check in self.failures if check.says == reason)

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "passed": self.passed,
            "verdict": self.verdict,
            "policy": self.policy,
            "checks": [check.to_json() for check in self.checks],
        }


RECONNECT_SECONDS = 10.0
"""How long a backend that is away is waited for: one that has never been there is more likely misspelt."""
CALL_TOKENS = 160
"""Ceiling of a reply: a thought and a call fit."""


class Broken(Exception):
    """A request that should have been answered was not."""


@dataclass(kw_only=True)
class Subject:
    """A model, and how the campaign is going to ask it."""

    backend: Backend
    model: str
    """The slug."""
    policy: Policy
    sampling: Sampling = Sampling()
    seconds: float = 3600.0
    """For one reply."""
    cancel: threading.Event = field(default_factory=threading.Event)
    patience: Patience = field(default_factory=lambda: Patience(reconnect_timeout=RECONNECT_SECONDS))
    asked: int = 0

    def ask(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        policy: Policy | None = None,
        tokens: int = CALL_TOKENS,
    ) -> Reply:
        """One reply; every request is the first of a conversation of its own.

        Raises:
            Broken: there is none.
        """
        self.asked += 1

        def request() -> Request:
            return Request(
                trial=TrialKey(self.model, "preflight", self.asked),
                turn=1,
                messages=tuple(messages),
                tools=tuple(tools),
                sampling=self.sampling,
                seed=self.asked,
                max_reply_tokens=tokens,
                policy=policy or self.policy,
                deadline=time.monotonic() + self.seconds,
                cancel=self.cancel,
            )

        try:
            return self.patience.ask(self.backend, request, self)
        except (BackendError, EndOfTrial) as error:
            raise Broken(str(error)) from error

    def request_failed(self, number: int, error: BackendError, seconds: float, wait: float | None) -> None:
        """See `Asker`; what ends in a reply after all is no finding."""

    def pause(self, seconds: float) -> None:
        """See `Asker`; nothing here is timed."""


def check(name: str, finding: Finding, says: str, sent: str | Sequence[Message], came: str | Reply) -> Check:
    """What was found, with both sides clipped."""
    return Check(
        name=name,
        finding=finding,
        says=says,
        sent=_clipped(sent if isinstance(sent, str) else as_text(sent)),
        came=_clipped(came if isinstance(came, str) else reply_text(came)),
    )


def reply_text(reply: Reply) -> str:
    """What came, and how it was read."""
    calls = [f"read as a call: {call.name} {json.dumps(dict(call.arguments))}" for call in reply.tool_calls]
    problems = [f"could not be read: {problem}" for problem in reply.problems]
    repairs = [f"repaired: {repair}" for repair in reply.repairs]
    return "\n".join([reply.text or "(no text)", *calls, *problems, *repairs])


def _clipped(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 4]} ..."


def round_trip(
    backend: ShowsPrompts, messages: Sequence[Message], tools: Sequence[ToolSpec], policy: Policy
) -> tuple[str, str]:
    """What is wrong (empty: nothing), and the part of the prompt that the exchange added.

    Args:
        backend: renders and reads.
        messages: system, user, a reply with one call, its result.
        tools: what the model is told about.
        policy: of the campaign.
    """
    call, result = messages[-2].tool_calls[0], messages[-1].content
    try:
        before, whole = (backend.show_prompt(part, tools, policy) for part in (messages[:-2], messages))
    except BackendError as error:
        return str(error), ""
    added = whole[_shared(before, whole) :]
    written, found, _ = added.partition(result)
    if not found:
        return "the template drops the result of a call", added
    return _misread(call, backend.read_calls(written, tools)), added


def _shared(one: str, other: str) -> int:
    """How many first characters two texts share."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))


def _misread(call: ToolCall, read: Sequence[ToolCall]) -> str:
    if not read:
        return f"the dialect does not read the call of {call.name} that the template writes"
    (name, arguments), wanted = (read[0].name, dict(read[0].arguments)), dict(call.arguments)
    if (name, arguments) != (call.name, wanted):
        return f"what the template writes is read as {name} {arguments} instead of {call.name} {wanted}"
    return ""


ANSWER_TOKENS = 48
"""Ceiling of a reply that needs no call."""
GROWTH = 10
"""Tokens; an exchange with a result takes several times as many."""


def preflight(subject: Subject) -> Preflight:
    """Make every check. Nothing is raised: a backend that fails is what is looked for."""
    made = list(_checks(subject))
    return Preflight(policy=subject.policy.value, checks=tuple(made))


def _checks(subject: Subject) -> Iterator[Check]:
    first, tokens = _structured_call(subject)
    yield first
    receipt = answered(ASK_SHELF, PLAIN, RECEIPT, text="I will write the note.")
    yield _exchange(subject, "tool_result", receipt, (NOTE,), tokens)
    yield _exchange(subject, "call_without_text", answered(ASK_NOTE, PLAIN, RECEIPT), (NOTE,), tokens)
    yield _nested_argument(subject)
    refusal = answered(ASK_NOTE, UNKNOWN, unknown_tool("teleport", ["note"]))
    yield _exchange(subject, "unknown_tool", refusal, (NOTE,), tokens)


def _structured_call(subject: Subject) -> tuple[Check, int]:
    """One call, asked for in plain words; also how many tokens the prompt took, 0 where nobody counts."""
    sent = (SYSTEM, ASK_NOTE)
    try:
        reply = subject.ask(sent, (NOTE,))
    except Broken as error:
        return check("structured_call", Finding.failed, str(error), sent, "(no reply)"), 0
    finding, says = _offered(subject, reply, NOTE) or _willing(reply, PLAIN)
    return check("structured_call", finding, says, sent, reply), reply.usage.prompt_tokens


def _offered(subject: Subject, reply: Reply, tool: ToolSpec) -> tuple[Finding, str] | None:
    """What a call of anything but the one tool there is shows; None where there is no such call.

    Before a server's reply there is nothing else for a model to name, and servers are known to garble names.
    """
    strange = next((call.name for call in reply.tool_calls if call.name != tool.name), None)
    if strange is None:
        return None
    finding = Finding.unwilling if isinstance(subject.backend, ShowsPrompts) else Finding.failed
    return finding, f"called {strange[:64]!r}, which was not offered; the one tool was {tool.name}"


def _willing(reply: Reply, wanted: ToolCall) -> tuple[Finding, str]:
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


def _exchange(
    subject: Subject, name: str, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], opening: int
) -> Check:
    """A call that was made and its result, given back to the model."""
    if isinstance(subject.backend, ShowsPrompts):
        wrong, added = round_trip(subject.backend, messages, tools, subject.policy)
        if wrong or name != "tool_result":
            says = wrong or "the template writes call and result, and the call is read back"
            return check(name, Finding.failed if wrong else Finding.ok, says, added or messages, "(not asked)")
    try:
        forced = subject.policy is Policy.constrained
        reply = subject.ask(messages, tools, tokens=CALL_TOKENS if forced else ANSWER_TOKENS)
    except Broken as error:
        return check(name, Finding.failed, str(error), messages, "(no reply)")
    grown = reply.usage.prompt_tokens - opening
    if opening and reply.usage.prompt_tokens and grown < GROWTH:
        says = f"the prompt grew by {grown} tokens: the exchange does not reach the model"
        return check(name, Finding.failed, says, messages, reply)
    if name == "tool_result" and "1816" not in reply_text(reply):
        says = "the result was given back; the reply does not take it up"
        return check(name, Finding.unwilling, says, messages, reply)
    return check(name, Finding.ok, "call and result were taken", messages, reply)


def _nested_argument(subject: Subject) -> Check:
    """An object with a list in it: given back to a template, forced by a grammar, or asked for."""
    name, sent = "nested_argument", (SYSTEM, ASK_TRIP)
    policy = subject.policy
    if isinstance(subject.backend, ShowsPrompts):
        wrong, added = round_trip(subject.backend, answered(ASK_TRIP, NESTED, RECEIPT), (TRIP,), policy)
        if wrong:
            return check(name, Finding.failed, wrong, added or sent, "(not asked)")
        policy = Policy.constrained
    try:
        reply = subject.ask(sent, (TRIP,), policy)
    except Broken as error:
        return check(name, Finding.failed, str(error), sent, "(no reply)")
    if strange := _offered(subject, reply, TRIP):
        return check(name, *strange, sent, reply)
    if not reply.tool_calls:
        finding, says = _willing(reply, NESTED)
        if policy is Policy.constrained and reply.problems:
            finding = Finding.failed
        return check(name, finding, says, sent, reply)
    return _nested(name, sent, reply)


def _nested(name: str, sent: tuple[Message, ...], reply: Reply) -> Check:
    trip = reply.tool_calls[0].arguments.get("trip")
    if isinstance(trip, str) and trip.lstrip().startswith("{"):
        return check(name, Finding.failed, "the nested object arrives as text", sent, reply)
    if not (isinstance(trip, Mapping) and isinstance(trip.get("stops"), list | tuple)):
        return check(name, Finding.unwilling, "called with other arguments than the schema asks for", sent, reply)
    return check(name, Finding.ok, "a nested object and a list arrive whole", sent, reply)
