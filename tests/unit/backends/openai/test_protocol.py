"""Streams of every kind, made at random: no exception but ours, and never a call that the stream did not hold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from backends.conformance import READ, request
from backends.openai.fault_server import FaultServer
from pytest_agentcore.backends.base import Reply
from pytest_agentcore.backends.openai.backend import OpenAIBackend
from pytest_agentcore.backends.openai.charges import EndpointFault
from pytest_agentcore.backends.openai.client import ChunkStream
from pytest_agentcore.catalogue.entry import EndpointSettings, ModelEntry, Policy
from pytest_agentcore.errors import BackendError, EndOfTrial
from pytest_agentcore.trial.modes import Attribution

LIST = type(READ)(name="fs_list", description="List a folder.", parameters={"type": "object", "properties": {}})
ASKED = request(tools=(READ, LIST), max_reply_tokens=4096)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]
EXAMPLES = int(os.environ.get("AGENTCORE_TEST_EXAMPLES", "60"))
FUZZ = settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=SLOW)


@pytest.fixture(scope="module")
def backend() -> Iterator[OpenAIBackend]:
    with FaultServer(model="m").running() as server:
        entry = ModelEntry(name="m", slug="m", backend="openai", base_url=server.url)
        backend = OpenAIBackend(entry, EndpointSettings())
        yield backend
        backend.close()


def replied(backend: OpenAIBackend, pieces: Sequence[bytes], policy: Policy = Policy.native) -> Reply | Exception:
    """The reply to a body that comes in these pieces; what the project raises on purpose is given back."""
    client = backend._client

    def stream(_body: Any) -> ChunkStream:
        decoder = SSEDecoder()
        body = SimpleNamespace(_decoder=decoder, close=lambda: None)
        body._iter_events = lambda: body._decoder.iter_bytes(iter(pieces))
        return ChunkStream(client, body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "stream", stream)
        patch.setattr(client, "ask", lambda _body: None)
        patch.setattr(backend, "_left_out", set())
        patch.setattr(backend, "_reasoning_field", "")
        try:
            return backend.complete(request(tools=ASKED.tools, max_reply_tokens=4096, policy=policy))
        except (BackendError, EndOfTrial) as error:
            return error


def body_of(events: Sequence[Any], *, done: bool = True) -> bytes:
    """A stream of events as a server writes it."""
    lines = [json.dumps(event) for event in events] + (["[DONE]"] if done else [])
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def event(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


# Any JSON at all, with the protocol's own names in the places where it may matter.

WORDS = [
    "stop",
    "tool_calls",
    "length",
    "fs_read",
    "error",
    "",
    "{}",
    '{"path": "a"}',
    '{"pa',
    "</think>",
    "context length",
]
KEYS = [
    *("choices", "delta", "message", "content", "reasoning", "reasoning_content", "tool_calls", "function_call"),
    *("function", "name", "arguments", "index", "id", "finish_reason", "usage", "prompt_tokens", "completion_tokens"),
    *("error", "code", "detail", "type", "text", "thinking", "timings", "cache_n", "prompt_tokens_details", "refusal"),
]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
)
names = st.sampled_from(["fs_read", "fs_list", "fs_", "read", "fs_read<|channel|>x", "", None]) | anything
arguments = st.sampled_from(["", "{}", '{"path": "a"}', '{"pa', 'th": "a"}', '"{}"', "null", None]) | anything
functions = st.fixed_dictionaries({}, optional={"name": names, "arguments": arguments}) | anything
parts = st.fixed_dictionaries({}, optional={"index": scalars, "id": scalars, "function": functions}) | anything
deltas = st.fixed_dictionaries(
    {},
    optional={"content": scalars, "reasoning": scalars, "tool_calls": st.lists(parts, max_size=3) | anything},
)
choices = st.fixed_dictionaries(
    {},
    optional={
        "delta": deltas | anything,
        "message": deltas | anything,
        "finish_reason": st.sampled_from(WORDS) | anything,
    },
)
events = st.fixed_dictionaries({}, optional={"choices": st.lists(choices, max_size=2), "usage": anything}) | anything


@FUZZ
@given(said=st.lists(events, max_size=6), done=st.booleans(), policy=st.sampled_from(Policy))
@example(said=[{"choices": [{"delta": {"tool_calls": [{"index": 10**400}]}}]}], done=True, policy=Policy.native)
@example(said=[{"choices": [{"finish_reason": {"type": []}}], "usage": []}], done=True, policy=Policy.native)
def test_whatever_a_server_sends_the_exceptions_are_ours(
    backend: OpenAIBackend, said: list[Any], done: bool, policy: Policy
) -> None:
    got = replied(backend, [body_of(said, done=done)], policy)
    if isinstance(got, BackendError):
        assert got.cause.attribution is Attribution.environment
        assert str(got)
    if isinstance(got, Reply):  # only tools that the stream names, with arguments that it names
        sent = json.dumps(said)
        assert all(json.dumps(call.name)[1:-1] in sent or "fs_" in sent for call in got.tool_calls)


# A true reply, and the ways in which servers carry one.

ARGUMENTS = st.dictionaries(
    st.sampled_from(["path", "mode"]), st.text(max_size=12) | st.integers() | st.none(), max_size=2
)
TRUE_CALLS = st.lists(st.tuples(st.sampled_from(["fs_read", "fs_list"]), ARGUMENTS), min_size=1, max_size=3)


@st.composite
def carried(draw: st.DrawFn) -> tuple[list[tuple[str, dict[str, Any]]], list[dict[str, Any]]]:
    """The calls of a reply, and their parts as some server sends them."""
    calls = draw(TRUE_CALLS)
    index_is = draw(st.sampled_from(["given", "given", "zero", "none", "first only", "text"]))
    id_is = draw(st.sampled_from(["first", "none", "every", "new", "one for all"]))
    name_is = draw(st.sampled_from(["first", "every", "grown", "marked"]))
    how = draw(st.sampled_from(["whole", "pieces", "cumulative", "empty first", "repeated", "twice encoded", "object"]))
    if id_is == "one for all":  # what comes again under its id is the same call
        assume(all(one[1] and one not in calls[:place] for place, one in enumerate(calls)))
    sent: list[list[dict[str, Any]]] = []
    for number, (name, values) in enumerate(calls):
        text = json.dumps(values, ensure_ascii=draw(st.booleans()))
        text = json.dumps(text) if how == "twice encoded" else text
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
        cut = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        grown = [text[:b] for b in [*cuts, len(text)]]
        ways: dict[str, list[Any]] = {"whole": [text], "pieces": cut, "twice encoded": cut, "cumulative": grown}
        ways |= {"empty first": ["{}", *cut], "repeated": [*cut, text], "object": [values]}
        heads = {"grown": [name[:3], name], "marked": [f"{name}<|channel|>commentary"]}.get(name_is, [name])
        rows: list[dict[str, Any]] = [{"function": {"name": head, "arguments": ""}} for head in heads]
        rows += [{"function": {"arguments": piece}} for piece in ways[how]]
        for place, row in enumerate(rows):
            if name_is == "every":
                row["function"]["name"] = name
            if index_is == "given" or (index_is == "first only" and place == 0):
                row["index"] = number
            elif index_is in ("zero", "text"):
                row["index"] = 0 if index_is == "zero" else str(number)
            if id_is == "every" or (id_is == "first" and place == 0):
                row["id"] = f"id{number}"
            elif id_is in ("new", "one for all"):
                row["id"] = f"id{number}.{place}" if id_is == "new" else "id"
        sent.append(rows)
    if draw(st.booleans()) and index_is in ("given", "text"):  # calls that take turns
        longest = max(map(len, sent))
        return calls, [rows[place] for place in range(longest) for rows in sent if place < len(rows)]
    return calls, [row for rows in sent for row in rows]


@FUZZ
@given(given_calls=carried(), policy=st.sampled_from([Policy.native, Policy.lenient]))
def test_a_call_is_read_as_it_was_made_or_the_endpoint_is_at_fault(
    backend: OpenAIBackend, given_calls: tuple[list[tuple[str, dict[str, Any]]], list[dict[str, Any]]], policy: Policy
) -> None:
    calls, rows = given_calls
    said = [*(event(tool_calls=[row]) for row in rows), event("tool_calls")]
    got = replied(backend, [body_of(said)], policy)
    if isinstance(got, Reply):
        assert got.problems == ()
        assert got.repairs == ()
        assert [(call.name, dict(call.arguments)) for call in got.tool_calls] == calls
    else:
        assert isinstance(got, EndpointFault)
        assert "cannot be put together" in str(got)


@FUZZ
@given(given_calls=carried(), data=st.data())
def test_where_a_stream_is_cut_into_packets_makes_no_difference(
    backend: OpenAIBackend, given_calls: tuple[Any, list[dict[str, Any]]], data: st.DataObject
) -> None:
    said = [event(reasoning="I thi"), event(reasoning="nk.…"), *(event(tool_calls=[row]) for row in given_calls[1])]
    body = b": \xe2\x80\xa6\r\n\r\n" + body_of([*said, event("tool_calls")])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=9)))
    packets = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    whole, split = replied(backend, [body]), replied(backend, packets)
    assert comparable(whole) == comparable(split)


def comparable(got: Reply | Exception) -> Any:
    return (got.text, got.tool_calls, got.problems) if isinstance(got, Reply) else str(got)


@FUZZ
@given(given_calls=carried(), data=st.data())
def test_a_stream_that_was_damaged_on_its_way_is_the_endpoint_s(
    backend: OpenAIBackend, given_calls: tuple[Any, list[dict[str, Any]]], data: st.DataObject
) -> None:
    body = bytearray(body_of([*(event(tool_calls=[row]) for row in given_calls[1]), event("tool_calls")]))
    for _ in range(data.draw(st.integers(1, 6))):
        at, long = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 12))
        body[at : at + long] = data.draw(st.binary(max_size=4) | st.sampled_from([b"\n\n", b"data: ", b"\xff", b"}"]))
    got = replied(backend, [bytes(body)])
    assert isinstance(got, Reply | BackendError | EndOfTrial)
    if isinstance(got, BackendError):
        assert got.cause.attribution is Attribution.environment
