"""From the stream of an endpoint to its reply: calls are checked, and mended where the policy says so."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import Any

from pytest_agentcore.backends.base import FinishReason, Reply, Request
from pytest_agentcore.backends.openai.calls import StreamedCall
from pytest_agentcore.backends.openai.charges import Charge, EndpointFault
from pytest_agentcore.backends.openai.protocol import Collected
from pytest_agentcore.backends.reading import finished, number_calls
from pytest_agentcore.catalogue.entry import Policy
from pytest_agentcore.dialects.dialect import Dialect, MalformedCall, Parsed, RawCall, Schemas
from pytest_agentcore.dialects.families import DIALECTS, GENERIC
from pytest_agentcore.dialects.json_codec import JsonCodec
from pytest_agentcore.dialects.lenient import parse_leniently
from pytest_agentcore.dialects.literals import Loose, read_loosely
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.dialects.resemblance import resemblance
from pytest_agentcore.errors import BackendError
from pytest_agentcore.trial.modes import Cause


def read_reply(collected: Collected, request: Request, finish: FinishReason) -> Reply:
    """Take a reply apart.

    Args:
        collected: what came.
        request: what was asked.
        finish: how the reply ended; only one that the model ended itself, or that ran on until it was cut off, can be
            held against the endpoint.

    Raises:
        BackendError: the endpoint did not do its part: it sent calls that cannot be put together, or none where it says
            that there are some; it passed a well-formed call on as text (native), or a reply without a call where one
            was required, or one that went on and on after a call in the text (constrained).
    """
    policy, schemas = request.policy, {spec.name: spec.parameters for spec in request.tools}
    # of a reply that was cut off the last call is no whole one
    streamed = collected.calls.checked() if finish is FinishReason.stop else collected.calls.begun
    calls, problems, repairs = _structured(streamed, policy)
    parsed = _inline(collected.content)

    # without a call the text shows whose fault that is: a call in it was left there by the endpoint, not by the model
    if not collected.calls and finish is FinishReason.stop and policy is Policy.lenient:
        parsed, repairs = _found_in_text(collected.content, schemas)
        calls = parsed.calls
    elif not collected.calls and finish is FinishReason.stop and policy is Policy.native:
        for dialect in (dialect for dialect in DIALECTS if dialect.taught_by):
            left = _marked(dialect, collected.content, schemas)
            # Without markers, for a dialect that has none, a call is meant where it begins a line outside of code
            # fences, ends the reply, and is written as the dialect's own template writes it: JSON under keys that
            # others use too may be anybody's slip.
            said, codec = parsed.content, dialect.codec
            found = re.search(rf"^(?:{dialect.bare_call})", said, re.MULTILINE) if dialect.bare and not left else None
            own = found and (not isinstance(codec, JsonCodec) or f'"{codec.arguments_key}"' in found[0])
            if found and own and said.count("```", 0, found.start()) % 2 == 0:
                bare = parse(dialect, said, schemas=schemas)
                left = _known(bare, schemas) if said.startswith(bare.content) else ()
            if left:
                raise BackendError(
                    f"the endpoint passed a well-formed call of {left[0].name} on as text: its tool-call parser "
                    f"does not read the model's dialect ({dialect.name}); set the parser, or use the lenient policy",
                    Cause.tool_call_unparsed,
                )
    elif not collected.calls and policy is Policy.constrained:
        _refuse_uncalled(collected.content, schemas, finish)
    if finish is FinishReason.stop and collected.claims_call and not (calls or problems):
        raise EndpointFault("the endpoint says that its reply made a call, and sent none", Charge.failed)
    reply = Reply(
        text=collected.text,
        content=parsed.content,
        reasoning=collected.reasoning or parsed.reasoning,
        tool_calls=number_calls(calls, request.turn),
        problems=tuple(problems),
        repairs=tuple(repairs),
        resembles=None if calls or problems else resemblance(parsed.content, GENERIC, tuple(schemas)),
    )
    return finished(reply, request)


def _structured(
    streamed: Sequence[StreamedCall], policy: Policy
) -> tuple[Sequence[RawCall], Sequence[str], Sequence[str]]:
    """The calls that the server read, a sentence for each that cannot be read, and one for each repair."""
    calls: list[RawCall] = []
    problems: list[str] = []
    repairs: list[str] = []
    for call in streamed:
        if (value := call.read()) is not None:
            calls.append(RawCall(name=call.name, arguments=value))
            continue
        if policy is Policy.lenient:
            with contextlib.suppress(MalformedCall):
                value, _, notes = read_loosely(call.arguments, 0, Loose())
                calls.append(RawCall(name=call.name, arguments=_object(value)))
                reason = ", ".join(notes) or "what follows them"
                repairs.append(f"Read the arguments of {call.name} in spite of {reason}.")
                continue
        problems.append(
            f"The arguments of your call of {call.name[:64] or 'a tool'} are no JSON object: {call.problem()}. "
            "Nothing was run; make the call again."
        )
    return calls, problems, repairs


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedCall("a JSON object should stand here", 0)
    return value


def _inline(content: str) -> Parsed:
    """The content, with thoughts that the server left in it taken out."""
    marks = GENERIC.reasoning
    assert marks is not None
    opened, closed = content.lstrip().startswith(marks.open), content.find(marks.close)
    if closed < 0:
        return Parsed(content=content.strip())
    head, tail = content[:closed], content[closed + len(marks.close) :]
    if not opened and marks.open in head:
        return Parsed(content=content.strip())
    return Parsed(content=tail.strip(), reasoning=head.strip().removeprefix(marks.open).strip())


def _marked(dialect: Dialect, content: str, schemas: Schemas) -> Sequence[RawCall]:
    """Calls behind the markers of a dialect, where all are well-formed and of known tools."""
    if not any(marker in content for marker in dialect.open_markers):
        return ()
    return _known(parse(dialect, content, schemas=schemas), schemas)


def _known(parsed: Parsed, schemas: Schemas) -> Sequence[RawCall]:
    return parsed.calls if not parsed.problems and all(call.name in schemas for call in parsed.calls) else ()


def _refuse_uncalled(content: str, schemas: Schemas, finish: FinishReason) -> None:
    """Blame the endpoint for a reply without the call that was required, where it ended so or cannot end otherwise."""
    if finish is FinishReason.stop:
        raise BackendError(
            "the endpoint does not keep to tool_choice=required, which the constrained policy rests on: it sent a "
            "reply without a call; use the native or the lenient policy",
            Cause.backend_refused,
        )
    # a grammar that waits for a form of its own keeps a model from ending that has written its call in another
    ran_on = finish in (FinishReason.watch, FinishReason.length, FinishReason.context)
    parsed = _found_in_text(content, schemas)[0] if ran_on else None
    if parsed and parsed.calls:
        raise BackendError(
            f"the endpoint was told that a call is required, left a call of {parsed.calls[0].name} in the text and let "
            "the reply run on: the form that its grammar waits for is not the one the model writes; use the native or "
            "the lenient policy",
            Cause.tool_call_unparsed,
        )


def _found_in_text(content: str, schemas: Schemas) -> tuple[Parsed, tuple[str, ...]]:
    """Calls of any dialect, then near misses."""
    for dialect in DIALECTS:
        if calls := _marked(dialect, content, schemas):
            words = f"Read {len(calls)} call(s) in the dialect {dialect.name} that the endpoint left as text."
            return parse(dialect, content, schemas=schemas), (words,)
    parsed = parse_leniently(content, GENERIC, tuple(schemas), schemas=schemas)
    return parsed, parsed.repairs
