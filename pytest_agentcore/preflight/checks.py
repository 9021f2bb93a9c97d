"""The five checks. Each judges the way of a call first; what the model does with an open way is said beside it.

A backend that writes its own prompts is followed part by part (`through.py`), and a call is forced by its grammar. Any
other is judged by what it accepts: an error, arguments that arrive as text, or a prompt that does not grow by an
exchange is broken plumbing; a reply without a call is the model's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_agentcore.models.base import FinishReason, Message, Policy, Reply, ShowsPrompts, ToolCall
from pytest_agentcore.preflight.asking import CALL_TOKENS, Broken, Subject, check, reply_text
from pytest_agentcore.preflight.conversations import (
    ASK_NOTE,
    ASK_SHELF,
    ASK_TRIP,
    NESTED,
    NOTE,
    PLAIN,
    RECEIPT,
    SYSTEM,
    TRIP,
    UNKNOWN,
    answered,
)
from pytest_agentcore.preflight.through import round_trip
from pytest_agentcore.preflight.value import Check, Finding, Preflight
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.tools.toolbox import unknown_tool

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
