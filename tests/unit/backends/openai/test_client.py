"""What can go wrong between here and an endpoint, over a server that does it on purpose: none of it is the model's."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any, cast

import pytest

from backends.conformance import READ, Watch, following, request
from backends.openai.fault_server import (
    FaultServer,
    Handler,
    Said,
    after_the_end,
    answer,
    drip,
    dropped,
    hang,
    raw,
    status,
    unended,
    whole,
)
from pytest_agentcore.backends.base import FinishReason, Message, Reply, Request
from pytest_agentcore.backends.openai.backend import OpenAIBackend
from pytest_agentcore.backends.openai.client import Chunk, ChunkStream, Pump
from pytest_agentcore.catalogue.entry import EndpointSettings, ModelEntry, Policy, Sampling
from pytest_agentcore.catalogue.resolve import entry_at
from pytest_agentcore.errors import BackendError, EndOfTrial, UsageError
from pytest_agentcore.trial.modes import Attribution, Cause, Resemblance, StopReason

KEY = "sk-thiskeymustnotappearanywhere0123456789"


@contextmanager
def opened(
    server: FaultServer, *, key_env: str = "", not_sent: tuple[str, ...] = (), **engine: Any
) -> Iterator[OpenAIBackend]:
    """A backend at a server."""
    entry = ModelEntry(
        name="made-up",
        slug="made-up",
        backend="openai",
        base_url=server.url,
        model="made-up",
        api_key_env=key_env,
        not_sent=not_sent,
    )
    backend = OpenAIBackend(entry, EndpointSettings(**engine))
    try:
        yield backend
    finally:
        backend.close()


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as server:
        yield server


@pytest.fixture
def backend(server: FaultServer) -> Iterator[OpenAIBackend]:
    with opened(server, idle_timeout=0.6) as backend:
        yield backend


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Lets hanging handlers go at the end of a test."""
    event = threading.Event()
    yield event
    event.set()


def failure(backend: OpenAIBackend, asked: Request | None = None) -> BackendError:
    with pytest.raises(BackendError) as caught:
        backend.complete(asked or request())
    assert caught.value.cause.attribution is Attribution.environment
    return caught.value


def chunk(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def ended(reason: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


FINISHED = ended("stop")


@pytest.mark.parametrize(
    ("fault", "cause", "transient", "words"),
    [
        (dropped(), Cause.backend_unreachable, True, "the endpoint cannot be reached: *"),
        (unended(chunk(content="half")), Cause.backend_unreachable, True, "the endpoint's reply broke off"),
        (status(500), Cause.backend_error, True, "the endpoint answers 500: on purpose"),
        (raw(chunk(content="I will"), ended("error")), Cause.backend_error, True, "*finish_reason 'error'"),
        (raw(chunk(content="I will"), ended("abort")), Cause.backend_error, True, "*finish_reason 'abort'"),
        (raw(chunk(content="I will"), ended("cancelled")), Cause.backend_error, True, "*finish_reason 'cancelled'"),
        (raw(chunk(content=""), ended("tool_calls")), Cause.backend_error, True, "*made a call, and sent none"),
        (whole('{"error": {"message": "CUDA is gone"}}'), Cause.backend_error, True, "*CUDA is gone*"),
        (
            answer(307, {}, Location="http://elsewhere/v1"),
            Cause.backend_refused,
            False,
            "the endpoint answers 307: Temporary Redirect; it points to http://elsewhere/v1",
        ),
        (status(502), Cause.backend_unreachable, True, "the endpoint answers 502: on purpose"),
        (status(429), Cause.backend_overloaded, True, "the endpoint answers 429: on purpose"),
        (
            status(429, "no money · insufficient_quota"),
            Cause.backend_refused,
            False,
            "the endpoint answers 429: no money",
        ),
        (status(401), Cause.backend_refused, False, "the endpoint answers 401: on purpose"),
        (status(404, "no model"), Cause.backend_refused, False, "the endpoint answers 404: no model"),
        (status(400, "m does not support tools"), Cause.backend_refused, False, "*does not support tools"),
        (raw("{not json"), Cause.backend_error, True, "the endpoint's reply cannot be read; it says: {not json"),
        (whole("<html>tunnel</html>", "text/html"), Cause.backend_error, True, "*it says: tunnel"),
        (raw({"choices": []}), Cause.backend_error, True, "the endpoint's reply has no choices"),
        (raw({"choices": [7]}), Cause.backend_error, True, "a chunk of the endpoint's reply cannot be read: *"),
        (raw({"error": {"message": "CUDA is gone"}}), Cause.backend_error, True, "*CUDA is gone*"),
        (
            raw({"choices": [{"delta": {}, "finish_reason": "content_filter"}]}),
            Cause.backend_refused,
            False,
            "the endpoint's content filter cut the reply off",
        ),
    ],
    ids=lambda value: "",
)
def test_faults_and_what_they_are_called(
    server: FaultServer, backend: OpenAIBackend, *, fault: Any, cause: Cause, transient: bool, words: str
) -> None:
    server.faults.append(fault)
    error = failure(backend)
    assert (error.cause, error.transient) == (cause, transient)
    assert _matches(str(error).partition(" · ")[0], words), str(error)
    assert backend.complete(request()).finish is FinishReason.length


def test_a_refused_connection() -> None:
    with FaultServer().running() as server:
        backend = OpenAIBackend(
            ModelEntry(name="made-up", slug="made-up", backend="openai", base_url=server.url),
            EndpointSettings(idle_timeout=0.6),
        )
    error = failure(backend)
    assert (error.cause, error.transient) == (Cause.backend_unreachable, True)
    backend.close()


def test_an_address_where_nothing_listens_is_said_before_the_first_trial() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        entry = ModelEntry(name="m", slug="m", backend="openai", base_url=url)
        with pytest.raises(UsageError, match="start the server, or correct --agentcore-base-url"):
            OpenAIBackend(entry, EndpointSettings())


@pytest.mark.parametrize("after_head", [False, True])
def test_a_hang_ends_after_the_longest_silence(
    server: FaultServer, backend: OpenAIBackend, released: threading.Event, after_head: bool
) -> None:
    server.faults.append(hang(released, after_head))
    error = failure(backend)
    assert (error.cause, error.transient) == (Cause.backend_unreachable, True)
    assert backend.complete(request()).finish is FinishReason.length


def test_cancel_ends_a_hang(server: FaultServer, backend: OpenAIBackend, released: threading.Event) -> None:
    server.faults.append(hang(released))
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    assert backend.complete(request(cancel=cancel)).finish is FinishReason.cancelled


def test_a_deadline_in_a_hang_is_not_the_model_s(server: FaultServer, released: threading.Event) -> None:
    server.faults.append(hang(released))
    with opened(server, idle_timeout=1) as backend:
        error = failure(backend, request(deadline=time.monotonic() + 0.7))
    assert (error.cause, error.transient) == (Cause.backend_unreachable, False)
    assert "sent 0 pieces of a reply" in str(error)


def test_a_deadline_in_a_slow_drip_is_not_the_model_s(server: FaultServer) -> None:
    server.faults.append(drip(0.2))
    with opened(server, idle_timeout=1, slowest=50) as backend:
        error = failure(backend, request(deadline=time.monotonic() + 0.7))
    assert error.cause is Cause.backend_unreachable


def test_a_reply_that_comes_steadily_until_the_deadline_is_the_model_s(server: FaultServer) -> None:
    server.faults.append(drip(0.1))
    with opened(server, idle_timeout=1, slowest=0.5) as backend:
        reply = backend.complete(request(deadline=time.monotonic() + 0.9))
    assert reply.finish is FinishReason.deadline
    assert reply.text


def test_retry_after_is_passed_on(server: FaultServer, backend: OpenAIBackend) -> None:
    server.faults.append(status(429, Retry_After="7"))
    assert failure(backend).retry_after == 7


def test_retry_after_may_be_a_date(server: FaultServer, backend: OpenAIBackend) -> None:
    server.faults.append(status(503, Retry_After=formatdate(time.time() + 3600, usegmt=True)))
    after = failure(backend).retry_after
    assert after is not None
    assert 3000 < after <= 3600
    server.faults.append(status(503, Retry_After=formatdate(0, usegmt=True)))
    assert failure(backend).retry_after == 0
    server.faults.append(status(503, Retry_After="soon"))
    assert failure(backend).retry_after is None


def test_events_without_data_are_no_part_of_a_reply(server: FaultServer, backend: OpenAIBackend) -> None:
    events = [f"data: {json.dumps(event)}\n\n" for event in (chunk(content="Yes."), FINISHED)]
    body = "retry: 3000\n\nid: 1\n" + ": keep-alive\n\n".join([*events, "data: [DONE]\n\n"])
    server.faults.append(whole(body, "text/event-stream"))
    assert backend.complete(request()).content == "Yes."


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_a_server_that_does_not_stream_is_read_all_the_same(
    server: FaultServer, backend: OpenAIBackend, kind: str
) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "fs_read", "arguments": READ_ONE}}
    choice = {"index": 0, "message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    usage = {"prompt_tokens": 500, "completion_tokens": 9}
    server.faults.append(whole(json.dumps({"choices": [choice], "usage": usage}, indent=1), kind))
    reply = backend.complete(request())
    assert [(call.name, call.arguments) for call in reply.tool_calls] == [("fs_read", {"path": "1"})]
    assert (reply.usage.prompt_tokens, reply.usage.reply_tokens, len(server.requests)) == (500, 9, 1)


def test_replies_in_a_row_come_over_one_connection(server: FaultServer, backend: OpenAIBackend) -> None:
    server.keeps = True
    for turn in range(1, 6):
        backend.complete(request(turn=turn))
    assert (len(server.requests), server.connections) == (5, 1)


@pytest.mark.parametrize("keeps", [True, False])
def test_what_a_server_does_after_the_end_of_a_reply_does_not_spoil_it(
    server: FaultServer, backend: OpenAIBackend, released: threading.Event, keeps: bool
) -> None:
    def goes_on(handler: Handler) -> None:
        while not released.wait(0.01):
            handler.event({"choices": [{"index": 0, "delta": {"content": "more"}}]})

    server.keeps = keeps
    faults: list[Callable[[Handler], object]] = [Handler.cut, goes_on, lambda _handler: released.wait(60)]
    for fault in faults:
        server.faults.append(after_the_end(fault))
        reply = backend.complete(request())
        assert (reply.content, reply.finish) == ("done", FinishReason.stop)


def test_a_field_that_is_refused_in_fastapi_s_words_is_left_out(server: FaultServer, backend: OpenAIBackend) -> None:
    detail = [
        {
            "type": "extra_forbidden",
            "loc": ["body", "top_k"],
            "msg": "Extra inputs are not permitted",
            "input": {"seed": 1, "top_k": 0},
        }
    ]
    server.faults.append(answer(422, {"detail": detail}))
    backend.complete(request())
    assert ["top_k" in sent for sent in server.requests] == [True, False]
    assert "seed" in server.requests[-1]


def test_a_reply_that_is_cut_off_is_not_generated_on(server: FaultServer, backend: OpenAIBackend) -> None:
    server.faults.append(drip(0.02))
    backend.complete(request(watch=Watch(stop_at=3)))
    deadline = time.monotonic() + 20
    while not server.gone and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.gone == 1


def test_tool_arguments_as_broken_json_are_fed_back(server: FaultServer, backend: OpenAIBackend) -> None:
    server.say = lambda _request: Said(calls=(("fs_read", '{"path": "a.txt"'),))
    reply = backend.complete(request(max_reply_tokens=99))
    assert reply.tool_calls == ()
    (problem,) = reply.problems
    assert problem.startswith("The arguments of your call of fs_read are no JSON object: ")
    assert "fs_read" in reply.text


def test_tool_arguments_as_broken_json_are_mended_under_the_lenient_policy(
    server: FaultServer, backend: OpenAIBackend
) -> None:
    server.say = lambda _request: Said(calls=(("fs_read", "{'path': 'a.txt',"),))
    reply = backend.complete(request(max_reply_tokens=99, policy=Policy.lenient))
    assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [
        ("call_1_1", "fs_read", {"path": "a.txt"})
    ]
    assert reply.problems == ()
    assert len(reply.repairs) == 1


HERMES = 'I look.\n<tool_call>\n{"name": "fs_read", "arguments": {"path": "a.txt"}}\n</tool_call>'


def test_a_call_that_the_server_left_as_text_is_the_endpoint_s_fault(
    server: FaultServer, backend: OpenAIBackend
) -> None:
    server.say = lambda _request: Said(content=HERMES)
    error = failure(backend, request(max_reply_tokens=99))
    assert (error.cause, error.transient) == (Cause.tool_call_unparsed, False)
    assert "hermes" in str(error)


LLAMA = '{"name": "fs_read", "parameters": {"path": "a.txt"}}'
PYTHONIC = '[fs_read(path="a.txt")]'


@pytest.mark.parametrize(
    ("said", "dialect"),
    [
        (LLAMA, "llama3"),
        (f"I look.\n{LLAMA}\n", "llama3"),
        (f"<think>I think.</think>\n{LLAMA}", "llama3"),
        (PYTHONIC, "pythonic"),
        (f"I look.\n\n{PYTHONIC}", "pythonic"),
    ],
)
def test_a_call_without_markers_that_the_server_left_as_text_is_its_fault_too(
    server: FaultServer, backend: OpenAIBackend, said: str, dialect: str
) -> None:
    server.say = lambda _request: Said(content=said)
    error = failure(backend, request(max_reply_tokens=99))
    assert (error.cause, error.transient) == (Cause.tool_call_unparsed, False)
    assert f"({dialect})" in str(error)


@pytest.mark.parametrize(
    "said",
    [
        LLAMA.replace("parameters", "arguments"),
        f"```json\n{LLAMA}\n```",
        f"```\n{PYTHONIC}\n```",
        f"I would call {LLAMA}",
        f"Such a call is\n{LLAMA}\nand I do not make it.",
        f"{PYTHONIC} is how it is called.",
        LLAMA.replace("fs_read", "fs_delete"),
        LLAMA[:-1],
    ],
)
def test_what_only_looks_like_a_call_without_markers_is_the_model_s(
    server: FaultServer, backend: OpenAIBackend, said: str
) -> None:
    server.say = lambda _request: Said(content=said)
    assert backend.complete(request(max_reply_tokens=99)).tool_calls == ()


def test_the_lenient_policy_reads_values_as_the_tool_s_schema_says(server: FaultServer, backend: OpenAIBackend) -> None:
    call = "<tool_call>\n<function=fs_read>\n<parameter=path>\n42\n</parameter>\n</function>\n</tool_call>"
    server.say = lambda _request: Said(content=call)
    reply = backend.complete(request(max_reply_tokens=99, policy=Policy.lenient))
    assert [call.arguments for call in reply.tool_calls] == [{"path": "42"}]


FINISH_TOO = ("finish", '{"answer": "done"}')


def test_calls_beside_finish_are_run_before_it_counts(server: FaultServer, backend: OpenAIBackend) -> None:
    server.say = lambda _request: Said(calls=(("fs_read", READ_ONE), FINISH_TOO))
    reply = backend.complete(request(max_reply_tokens=99, policy=Policy.constrained))
    assert [call.name for call in reply.tool_calls] == ["fs_read"]
    assert (reply.final, reply.content, reply.problems) == (True, "done", ())
    assert server.requests[-1]["parallel_tool_calls"] is False


def test_a_broken_call_beside_finish_is_not_swallowed(server: FaultServer, backend: OpenAIBackend) -> None:
    server.say = lambda _request: Said(calls=(("fs_read", READ_ONE[:-2]), FINISH_TOO))
    reply = backend.complete(request(max_reply_tokens=99, policy=Policy.constrained))
    assert (reply.tool_calls, reply.final, len(reply.problems)) == ((), False, 1)


def test_finish_alone_ends_the_trial(server: FaultServer, backend: OpenAIBackend) -> None:
    server.say = lambda _request: Said(calls=(FINISH_TOO,))
    reply = backend.complete(request(max_reply_tokens=99, policy=Policy.constrained))
    assert (reply.tool_calls, reply.content, reply.problems) == ((), "done", ())


def test_the_lenient_policy_reads_a_call_that_the_server_left_as_text(
    server: FaultServer, backend: OpenAIBackend
) -> None:
    server.say = lambda _request: Said(content=HERMES)
    reply = backend.complete(request(max_reply_tokens=99, policy=Policy.lenient))
    assert [call.arguments for call in reply.tool_calls] == [{"path": "a.txt"}]
    assert (reply.content, len(reply.repairs)) == ("I look.", 1)


def test_a_near_miss_is_the_model_s(server: FaultServer, backend: OpenAIBackend) -> None:
    said = '```json\n{"name": "fs_read", "arguments": {"path": "a.txt"}}\n```'
    server.say = lambda _request: Said(content=said)
    native = backend.complete(request(max_reply_tokens=99))
    assert (native.tool_calls, native.resembles) == ((), Resemblance.fenced_call)
    lenient = backend.complete(request(max_reply_tokens=99, policy=Policy.lenient))
    assert [call.name for call in lenient.tool_calls] == ["fs_read"]


def test_a_call_of_an_unknown_dialect_s_tool_is_the_model_s(server: FaultServer, backend: OpenAIBackend) -> None:
    server.say = lambda _request: Said(content=HERMES.replace("fs_read", "fs_delete"))
    reply = backend.complete(request(max_reply_tokens=99))
    assert (reply.tool_calls, reply.resembles) == ((), Resemblance.broken_call)


def test_a_server_that_does_not_know_how_to_make_one_call_at_a_time(
    server: FaultServer, backend: OpenAIBackend
) -> None:
    server.unknown = ("parallel_tool_calls",)
    asked = request(max_reply_tokens=99, policy=Policy.constrained)
    assert [call.name for call in backend.complete(asked).tool_calls] == ["fs_read"]
    assert "parallel_tool_calls" not in server.requests[-1]


def test_a_stream_of_another_media_type_is_one(server: FaultServer, backend: OpenAIBackend) -> None:
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in (chunk(content="Yes."), FINISHED))
    server.faults.append(whole(f"{body}data: [DONE]\n\n"))
    assert backend.complete(request()).content == "Yes."


def test_a_server_that_ignores_a_required_call_is_refused(server: FaultServer, backend: OpenAIBackend) -> None:
    server.say = lambda _request: Said(content="I would rather talk.")
    error = failure(backend, request(max_reply_tokens=99, policy=Policy.constrained))
    assert error.cause is Cause.backend_refused
    assert "tool_choice=required" in str(error)


def test_a_reply_that_runs_on_after_a_required_call_in_the_text_is_the_endpoint_s_fault(
    server: FaultServer, backend: OpenAIBackend
) -> None:
    said = '```json\n{"name": "fs_read", "arguments": {"path": "a.txt"}}\n```'
    server.say = lambda _request: Said(content=f"{said}{chr(10) * 500}")
    asked = request(max_reply_tokens=99, policy=Policy.constrained, watch=lambda piece: not piece.strip())
    error = failure(backend, asked)
    assert (error.cause, error.transient) == (Cause.tool_call_unparsed, False)
    assert "the form that its grammar waits for" in str(error)


def test_a_constrained_reply_that_runs_on_without_a_call_is_the_model_s(
    server: FaultServer, backend: OpenAIBackend
) -> None:
    server.say = lambda _request: Said(content="and so on " * 200)
    asked = request(max_reply_tokens=99, policy=Policy.constrained, watch=lambda _piece: True)
    assert backend.complete(asked).finish is FinishReason.watch


def conversation(backend: OpenAIBackend, turns: int) -> list[Reply]:
    """Turns of one trial, each with a long tool result."""
    asked, replies = request(max_reply_tokens=99), []
    for _ in range(turns):
        replies.append(backend.complete(asked))
        call = replies[-1].tool_calls[0]
        result = Message(role="tool", content="line of a long file\n" * 20, tool_call_id=call.id, name=call.name)
        asked = following(asked, replies[-1], result)
    return replies


def read_on(_request: dict[str, Any]) -> Said:
    return Said(calls=(("fs_read", '{"path": "a.txt"}'),))


def test_a_silently_truncated_prompt_is_noticed(server: FaultServer, backend: OpenAIBackend) -> None:
    server.say = read_on
    assert len(conversation(backend, 5)) == 5
    server.truncates_at = 150
    with pytest.raises(BackendError) as caught:
        conversation(backend, 5)
    assert (caught.value.cause, caught.value.transient) == (Cause.prompt_truncated, False)
    assert "its prompt grew by" in str(caught.value)


def test_a_first_prompt_that_is_cut_is_noticed(server: FaultServer, backend: OpenAIBackend) -> None:
    server.truncates_at = 100
    error = failure(backend, request("word " * 500))
    assert error.cause is Cause.prompt_truncated


def test_a_ceiling_is_believed_without_a_count_and_checked_with_one(server: FaultServer) -> None:
    server.faults.append(raw(chunk(content="\U0001f98a"), ended("length")))  # four tokens, one piece
    counted = {"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 4}}
    server.faults.append(raw(chunk(content="\U0001f98a"), ended("length"), counted))
    server.faults.append(raw(chunk(content="\U0001f98a"), ended("length"), counted))
    with opened(server) as backend:
        finishes = [backend.complete(request(max_reply_tokens=ceiling)).finish for ceiling in (4, 4, 5)]
    assert finishes == [FinishReason.length, FinishReason.length, FinishReason.context]


def test_without_a_count_nothing_is_concluded(server: FaultServer, backend: OpenAIBackend) -> None:
    server.say, server.usage = read_on, False
    first, second = conversation(backend, 2)
    assert (first.usage.prompt_tokens, second.usage.prompt_tokens) == (0, 0)
    assert first.usage.reply_tokens > 0


def test_a_full_context_is_found_by_asking_for_less(server: FaultServer) -> None:
    server.context = 400
    with opened(server) as backend:
        reply = backend.complete(request("word " * 60, max_reply_tokens=5000, watch=Watch(stop_at=3)))
        assert reply.finish is FinishReason.watch
    said = "This model's maximum context length is 400 tokens. However, you requested 5100 tokens"
    server.faults.extend([status(400, said), status(400, said)])
    with opened(server) as backend:
        reply = backend.complete(request("word " * 60, max_reply_tokens=5000))
    assert [sent["max_tokens"] for sent in server.requests[-3:]] == [5000, 2500, 1250]
    assert reply.finish is FinishReason.stop
    server.faults.extend([status(400, said)] * 5)
    server.faults.extend(
        [status(400, "The input token count (1200000) exceeds the maximum number of tokens allowed")] * 4
    )
    with opened(server) as backend, pytest.raises(EndOfTrial) as caught:
        backend.complete(request("word " * 60, max_reply_tokens=5000))
    assert caught.value.stop_reason is StopReason.context_overflow


def test_what_a_server_does_not_know_is_left_out_if_it_says_nothing(server: FaultServer) -> None:
    server.unknown = ("top_k", "min_p", "max_tokens")
    with opened(server) as backend:
        backend.complete(request())
        backend.complete(request())
        assert len(server.requests) == 5
        assert {"top_k", "min_p", "max_tokens"}.isdisjoint(server.requests[-1])
        assert server.requests[-1]["max_completion_tokens"] == 24
        error = failure(backend, request(sampling=Sampling(top_k=20)))
    assert error.cause is Cause.backend_refused


def test_every_sampling_value_is_sent(server: FaultServer, backend: OpenAIBackend) -> None:
    backend.complete(request(sampling=Sampling(temperature=0.3, repeat_penalty=1.1)))
    (sent,) = server.requests
    assert {"temperature": 0.3, "top_p": 0.95, "top_k": 0, "min_p": 0.0, "repeat_penalty": 1.1, "seed": 7}.items() <= (
        sent.items()
    )
    assert sent["tools"][0]["function"]["parameters"] == dict(READ.parameters)


def test_reasoning_is_kept_apart_and_given_back_as_it_came(server: FaultServer, backend: OpenAIBackend) -> None:
    server.say = lambda _request: Said(reasoning="I think.", content="Yes.", calls=(("fs_read", "{}"),))
    asked = request(max_reply_tokens=99)
    reply = backend.complete(asked)
    assert (reply.reasoning, reply.content, reply.tool_calls[0].arguments) == ("I think.", "Yes.", {})
    assert reply.text == "<think>\nI think.\n</think>\nYes.\nfs_read{}"
    backend.complete(following(asked, reply, Message(role="tool", content="x", tool_call_id="call_1_1")))
    said = server.requests[-1]["messages"][2]
    assert said["reasoning_content"] == "I think."
    assert said["tool_calls"][0]["id"] == server.requests[-1]["messages"][3]["tool_call_id"]


def test_a_refusal_is_the_model_s_answer(server: FaultServer, backend: OpenAIBackend) -> None:
    server.faults.append(raw(chunk(content=None, refusal="I will not."), FINISHED))
    assert backend.complete(request()).content == "I will not."


def test_thoughts_that_the_server_left_in_the_content(server: FaultServer, backend: OpenAIBackend) -> None:
    server.say = lambda _request: Said(content="<think>I think.</think>\n\nYes.")
    reply = backend.complete(request(max_reply_tokens=99))
    assert (reply.reasoning, reply.content) == ("I think.", "Yes.")


def test_text_without_a_form_in_utf8_is_sent_all_the_same(server: FaultServer, backend: OpenAIBackend) -> None:
    backend.complete(request("a lone \ud800 surrogate"))
    assert "a lone ? surrogate" in json.dumps(server.requests[-1])


def part(name: str | None, arguments: Any, *, index: int | None = 0, call_id: str | None = None) -> dict[str, Any]:
    """A part of a call; what is None is left out."""
    given = {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}
    return {key: value for key, value in given.items() if value is not None}


READ_ONE, READ_TWO = '{"path": "1"}', '{"path": "2"}'


@pytest.mark.parametrize(
    "parts",
    [
        [part("fs_read", READ_ONE, call_id="a"), part("fs_read", READ_TWO, call_id="b")],
        [part("fs_read", READ_ONE), part("fs_read", READ_TWO)],
        [part("fs_read", READ_ONE, index=None), part("fs_read", READ_TWO, index=None)],
        [part("fs_read", READ_ONE, call_id="a"), part("fs_read", READ_TWO, call_id="a")],
        [part("fs_read", '{"pa'), part(None, 'th": "1"}'), part("fs_read", '{"pa'), part(None, 'th": "2"}')],
        [part("fs_read", ""), part(None, READ_ONE), part("fs_read", ""), part(None, READ_TWO)],
        [part("fs_read", {"path": "1"}), part("fs_read", {"path": "2"})],
    ],
    ids=["ids", "index 0 alone", "no index", "the same id", "in pieces", "names first", "as objects"],
)
def test_several_calls_of_one_index_are_told_apart(
    server: FaultServer, backend: OpenAIBackend, parts: list[dict[str, Any]]
) -> None:
    server.faults.append(raw(*(chunk(tool_calls=[one]) for one in parts), FINISHED))
    reply = backend.complete(request())
    assert [(call.name, call.arguments["path"]) for call in reply.tool_calls] == [("fs_read", "1"), ("fs_read", "2")]
    server.faults.append(raw(chunk(tool_calls=parts), FINISHED))
    assert backend.complete(request()).tool_calls == reply.tool_calls


def test_another_name_at_the_same_index_is_another_call(server: FaultServer, backend: OpenAIBackend) -> None:
    server.faults.append(raw(chunk(tool_calls=[part("fs_list", "{}"), part("fs_read", "")]), FINISHED))
    assert [call.name for call in backend.complete(request()).tool_calls] == ["fs_list", "fs_read"]


@pytest.mark.parametrize("call_id", ["a", None])
def test_a_name_that_comes_with_every_part_is_one_name(
    server: FaultServer, backend: OpenAIBackend, call_id: str | None
) -> None:
    pieces = ['{"path": "', "a{}", "{b", '}.txt"', "}", "", "\n"]
    parts = [chunk(tool_calls=[part("fs_read", piece, call_id=call_id)]) for piece in pieces]
    server.faults.append(raw(*parts, FINISHED))
    (call,) = backend.complete(request()).tool_calls
    assert (call.name, call.arguments) == ("fs_read", {"path": "a{}{b}.txt"})


def test_a_name_that_comes_in_pieces_is_put_together(server: FaultServer, backend: OpenAIBackend) -> None:
    server.faults.append(raw(chunk(tool_calls=[part("fs_", ""), part("read", READ_ONE)]), FINISHED))
    assert [call.name for call in backend.complete(request()).tool_calls] == ["fs_read"]


def test_a_call_in_the_protocol_s_earlier_form_is_one(server: FaultServer, backend: OpenAIBackend) -> None:
    begun, rest = {"name": "fs_read", "arguments": READ_ONE[:4]}, {"arguments": READ_ONE[4:]}
    server.faults.append(raw(chunk(function_call=begun), chunk(function_call=rest), ended("function_call")))
    assert [call.arguments for call in backend.complete(request()).tool_calls] == [{"path": "1"}]


def test_braces_too_many_are_the_model_s(server: FaultServer, backend: OpenAIBackend) -> None:
    server.faults.append(raw(chunk(tool_calls=[part("fs_read", READ_ONE), part(None, "}")]), FINISHED))
    reply = backend.complete(request())
    assert (reply.tool_calls, len(reply.problems)) == ((), 1)


@pytest.mark.parametrize(
    "usage", [["much"], "none", {"prompt_tokens": "many", "completion_tokens": [1]}, {"prompt_tokens": float("inf")}]
)
def test_usage_that_is_no_number_is_unknown(server: FaultServer, backend: OpenAIBackend, usage: Any) -> None:
    server.faults.append(raw(chunk(content="one"), chunk(content=" two"), FINISHED, {"choices": [], "usage": usage}))
    counted = backend.complete(request()).usage
    assert (counted.prompt_tokens, counted.reply_tokens) == (0, 2)


@pytest.mark.parametrize("details", [["much"], "none", {"cached_tokens": "n/a"}])
def test_a_count_of_cached_tokens_that_is_no_number_is_unknown(
    server: FaultServer, backend: OpenAIBackend, details: Any
) -> None:
    usage = {"prompt_tokens": 500, "completion_tokens": 1, "prompt_tokens_details": details}
    server.faults.append(raw(chunk(content="one"), FINISHED, {"choices": [], "usage": usage, "timings": details}))
    counted = backend.complete(request()).usage
    assert (counted.prompt_tokens, counted.cached_tokens, counted.reply_tokens) == (500, 0, 1)


def test_content_in_typed_parts(server: FaultServer, backend: OpenAIBackend) -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "I think."}]}
    server.faults.append(raw(chunk(content=[thought]), chunk(content=[{"type": "text", "text": "Yes."}]), FINISHED))
    reply = backend.complete(request())
    assert (reply.reasoning, reply.content) == ("I think.", "Yes.")
    assert reply.text == "<think>\nI think.\n</think>\nYes."


def test_the_key_is_sent_and_never_shown(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.key = KEY
    server.say = lambda _request: Said(content=f"your key is {KEY}", calls=(("fs_read", json.dumps({"path": KEY})),))
    with opened(server, key_env="MY_KEY") as backend:
        reply = backend.complete(request(max_reply_tokens=99))
        assert KEY not in repr(reply)
        assert KEY not in repr(backend.describe())
        server.faults.append(status(401, f"Incorrect API key provided: {KEY}"))
        assert KEY not in str(failure(backend))


def test_a_key_that_is_missing_or_wrong_is_said_before_the_first_trial(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = KEY
    monkeypatch.setenv("WRONG_KEY", "sk-thisonetoomustnotappear0123456789")
    for name, words in (("NO_SUCH_VARIABLE", "NO_SUCH_VARIABLE, .* is not set"), ("WRONG_KEY", "does not take the")):
        with pytest.raises(UsageError, match=words) as caught, opened(server, key_env=name):
            pass
        assert "mustnotappear" not in str(caught.value)


def test_the_query_of_an_address_stands_behind_every_path(server: FaultServer) -> None:
    server.url += "?api_key=abc&version=2"
    with opened(server) as backend:
        assert backend.describe()["context"] == 1024
        backend.complete(request())
        assert backend.describe()["endpoint"] == server.url.partition("?")[0]
    assert server.paths == ["/v1/chat/completions?api_key=abc&version=2"]


def test_what_can_be_no_variable_s_name_is_not_repeated(server: FaultServer) -> None:
    with pytest.raises(UsageError, match="not the key itself") as caught, opened(server, key_env=KEY):
        pass
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-ключ", "sk-key\n", "sk key"])
def test_a_key_that_no_header_can_hold_is_a_usage_error(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with (
        pytest.raises(UsageError, match="the key in MY_KEY cannot be sent") as caught,
        opened(server, key_env="MY_KEY"),
    ):
        pass
    assert key not in str(caught.value)


def test_a_key_in_the_list_of_models_is_not_shown(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY.removeprefix("sk-"))
    server.model = f"other for {KEY.removeprefix('sk-')}"
    with opened(server, key_env="MY_KEY") as backend:
        assert backend.describe()["warning"] == ("the endpoint lists no model 'made-up'; it has other for [redacted]")


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://localhost:99999/v1", "http://localhost:x/v1", "http:///v1"])
def test_an_address_that_is_none_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="must be an address such as"):
        entry_at("m", url, {})


def test_what_the_registry_says_is_never_sent(server: FaultServer) -> None:
    server.unknown = ("temperature", "top_p", "repetition_penalty", "seed")
    with opened(server, not_sent=("temperature", "top_p", "repeat_penalty", "seed")) as backend:
        assert backend.complete(request()).text
        assert backend.describe()["not_sent"] == [
            "repeat_penalty",
            "repetition_penalty",
            "seed",
            "temperature",
            "top_p",
        ]
    (sent,) = server.requests
    assert {"temperature", "top_p", "repeat_penalty", "repetition_penalty", "seed"}.isdisjoint(sent)


BOTH = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."


def test_of_two_values_that_exclude_each_other_the_one_that_is_off_is_left_out(
    server: FaultServer, backend: OpenAIBackend
) -> None:
    server.faults.append(status(400, BOTH))
    assert backend.complete(request(sampling=Sampling(temperature=0.3, top_p=1.0))).text
    assert (server.requests[-1]["temperature"], "top_p" in server.requests[-1]) == (0.3, False)
    assert backend.describe()["not_sent"] == ["top_p"]


def test_two_values_that_exclude_each_other_are_refused_in_a_sentence(
    server: FaultServer, backend: OpenAIBackend
) -> None:
    server.faults.append(status(400, BOTH))
    error = failure(backend)
    assert error.cause is Cause.backend_refused
    assert "under not_sent" in str(error)
    assert BOTH in str(error)


def test_the_usual_key_is_not_sent_to_just_any_port(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.key = KEY
    with pytest.raises(UsageError, match="wants a key; set OPENAI_API_KEY"), opened(server):
        pass


def test_what_an_endpoint_says_of_itself(server: FaultServer) -> None:
    with opened(server, slots=3) as backend:
        described = backend.describe()
        assert (backend.slots, described["context"], described["endpoint"]) == (3, 1024, server.url)
    server.model = "other"
    with opened(server, n_ctx=2048) as backend:
        assert backend.describe()["warning"] == "the endpoint lists no model 'made-up'; it has other"
        assert backend.describe()["context"] == 2048


FULL = "This model's maximum context length is 400 tokens"


@pytest.mark.parametrize(
    "fault",
    [
        status(400, FULL),
        status(500, FULL),
        answer(413, {"detail": FULL}),
        answer(400, {"object": "error", "message": FULL, "code": 400}),
        raw({"error": {"message": FULL, "code": 400}}),
        raw({"object": "error", "message": FULL, "type": "BadRequestError", "code": 400}),
        raw({"detail": FULL}),
        raw({"choices": [{"index": 0, "error": {"message": FULL}}]}),
        raw({"choices": [{"delta": {}, "finish_reason": {"type": "abort", "message": FULL}}]}),
        raw(f"error: {FULL}"),
        whole(json.dumps({"error": FULL})),
        whole(FULL, "text/plain"),
        whole(f"<html><body><p>{FULL}</p></body></html>", "text/html"),
    ],
    ids=lambda fault: "",
)
def test_a_full_context_is_one_however_it_is_told(server: FaultServer, backend: OpenAIBackend, *, fault: Any) -> None:
    server.faults.extend([fault] * 2)
    assert backend.complete(request(max_reply_tokens=1024)).text
    assert [sent["max_tokens"] for sent in server.requests[-3:]] == [1024, 512, 256]
    server.faults.extend([fault] * 3)
    with pytest.raises(EndOfTrial) as caught:
        backend.complete(request(max_reply_tokens=1024))
    assert (caught.value.stop_reason, FULL in str(caught.value)) == (StopReason.context_overflow, True)


def test_a_context_that_is_full_in_the_middle_of_a_reply_ends_it(server: FaultServer, backend: OpenAIBackend) -> None:
    server.faults.append(raw(chunk(content="I will"), {"error": {"message": "Context size has been exceeded."}}))
    reply = backend.complete(request())
    assert (reply.content, reply.finish) == ("I will", FinishReason.context)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("max_tokens", FinishReason.length),
        ("MAX_TOKENS", FinishReason.length),
        ("model_length", FinishReason.context),
        ("STOP", FinishReason.stop),
        ({"type": "stop", "matched": 2}, FinishReason.stop),
    ],
)
def test_a_finish_reason_of_another_server(
    server: FaultServer, backend: OpenAIBackend, reason: Any, finish: FinishReason
) -> None:
    server.faults.append(raw(chunk(content="Yes."), ended(reason)))
    assert backend.complete(request()).finish is finish


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("insufficient_system_resource", Cause.backend_overloaded),
        ("anything", Cause.backend_error),
        (7, Cause.backend_error),
        ({"a": "b"}, Cause.backend_error),
        (["stop"], Cause.backend_error),
        (True, Cause.backend_error),
    ],
)
def test_a_finish_reason_that_nobody_knows_is_the_endpoint_s(
    server: FaultServer, backend: OpenAIBackend, reason: Any, cause: Cause
) -> None:
    server.faults.append(raw(chunk(content="Yes."), ended(reason)))
    error = failure(backend)
    assert (error.cause, error.transient) == (cause, True)
    assert "finish_reason" in str(error)


OLLAMA = 'error parsing tool call: raw=\'{"name": "fs_read", \', err=unexpected end of JSON input'
GROQ = {"error": {"message": "Failed to call a function.", "code": "tool_use_failed", "failed_generation": "<fs_read"}}


@pytest.mark.parametrize(
    ("fault", "wrote"),
    [
        (status(500, OLLAMA), '{"name": "fs_read", '),
        (raw(chunk(content="I "), {"error": {"message": OLLAMA}}), 'I {"name": "fs_read", '),
        (answer(400, GROQ), "<fs_read"),
        (raw(chunk(content="I call"), ended("malformed_function_call")), "I call"),
    ],
    ids=lambda value: "",
)
def test_a_call_that_the_server_could_not_read_is_fed_back_to_its_model(
    server: FaultServer, backend: OpenAIBackend, *, fault: Any, wrote: str
) -> None:
    server.faults.append(fault)
    reply = backend.complete(request())
    assert (reply.text, reply.tool_calls, len(reply.problems)) == (wrote, (), 1)
    assert reply.problems[0].startswith("The call that you wrote cannot be read: ")


@pytest.mark.parametrize(
    "fault",
    [
        raw(chunk(content="I call fs_read."), ended("tool_calls")),
        raw(chunk(content=""), ended("tool_calls")),
        raw(chunk(content=""), FINISHED, {"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 0}}),
        raw(chunk(content=""), FINISHED, {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}),
        raw(chunk(content=None)),
        raw(chunk(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]), ended("tool_calls")),
        raw(chunk(content="half"), "upstream went away"),
        raw(chunk(content="half"), '{"choices": [{"delta": {"content": "cut'),
    ],
    ids=lambda fault: "",
)
def test_a_reply_that_is_none_is_the_endpoint_s_fault(
    server: FaultServer, backend: OpenAIBackend, *, fault: Any
) -> None:
    server.faults.append(fault)
    assert failure(backend).transient


def test_an_empty_reply_of_a_token_is_the_model_s(server: FaultServer, backend: OpenAIBackend) -> None:
    server.faults.append(raw(chunk(content=""), FINISHED, {"choices": [], "usage": {"completion_tokens": 1}}))
    assert backend.complete(request()).finish is FinishReason.stop


def test_a_call_in_the_text_under_the_lenient_policy_is_the_call_that_the_server_speaks_of(
    server: FaultServer, backend: OpenAIBackend
) -> None:
    server.faults.append(raw(chunk(content=HERMES), ended("tool_calls")))
    assert len(backend.complete(request(policy=Policy.lenient)).tool_calls) == 1


@pytest.mark.parametrize("kind", ["events", "a body"])
def test_a_reply_without_a_finish_reason_is_whole_where_its_end_was_told(
    server: FaultServer, backend: OpenAIBackend, kind: str
) -> None:
    body = json.dumps({"choices": [{"message": {"content": "Yes."}}]})
    server.faults.append(raw(chunk(content="Yes.")) if kind == "events" else whole(body))
    reply = backend.complete(request())
    assert (reply.content, reply.finish) == ("Yes.", FinishReason.stop)


def test_a_message_behind_its_parts_is_no_second_one(server: FaultServer, backend: OpenAIBackend) -> None:
    last = {"choices": [{"delta": {}, "message": {"content": "Yes."}, "finish_reason": "stop"}]}
    server.faults.append(raw(chunk(content="Yes."), last))
    assert backend.complete(request()).text == "Yes."


@pytest.mark.parametrize(("reply_tokens", "finish"), [(24, FinishReason.length), (23, FinishReason.stop)])
def test_a_call_that_is_cut_at_the_ceiling_was_cut_whatever_the_server_says(
    server: FaultServer, backend: OpenAIBackend, reply_tokens: int, finish: FinishReason
) -> None:
    cut = chunk(tool_calls=[{"index": 0, "id": "a", "function": {"name": "fs_read", "arguments": READ_ONE[:5]}}])
    usage = {"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": reply_tokens}}
    server.faults.append(raw(cut, ended("tool_calls"), usage))
    assert backend.complete(request(max_reply_tokens=24)).finish is finish


@pytest.mark.parametrize(
    "sentence",
    ["max_tokens must be less than 2048", "`max_tokens` must be less than or equal to `2048`, the `context_window`"],
)
def test_a_ceiling_that_is_too_high_is_said(server: FaultServer, backend: OpenAIBackend, sentence: str) -> None:
    server.faults.append(status(400, sentence))
    error = failure(backend, request(max_reply_tokens=4096))
    assert (error.cause, error.transient, len(server.requests)) == (Cause.backend_refused, False, 1)
    assert "gives no reply of 4096 tokens; lower --agentcore-reply-tokens" in str(error)
    assert sentence in str(error)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_a_field_of_thoughts_that_is_refused_is_left_out(
    server: FaultServer, backend: OpenAIBackend, name: str
) -> None:
    server.faults.append(raw(chunk(**{name: "I think."}), chunk(content="Yes."), FINISHED))
    asked = request(max_reply_tokens=99)
    asked = following(asked, backend.complete(asked), Message(role="user", content="Go on."))
    server.faults.append(status(400, f"property 'messages.2.{name}' is unsupported"))
    assert backend.complete(asked).text
    assert [name in sent["messages"][2] for sent in server.requests[-2:]] == [True, False]
    backend.complete(asked)
    assert name not in server.requests[-1]["messages"][2]
    assert backend.describe()["not_sent"] == [name]


def test_comments_keep_a_connection_alive(server: FaultServer) -> None:
    def comments(handler: Handler, _request: dict[str, Any]) -> bool:
        handler.begin()
        for _ in range(12):
            time.sleep(0.1)
            handler.wfile.write(b": keep-alive\n\n")
            handler.wfile.flush()
        for event in (chunk(content="Yes."), FINISHED):
            handler.event(event)
        handler.end()
        return True

    server.faults.append(comments)
    with opened(server, idle_timeout=0.6) as backend:
        assert backend.complete(request()).content == "Yes."


@pytest.mark.parametrize("event", ["ping", "[PING]", "keep-alive", {"type": "ping"}, "null", "0"])
def test_events_that_only_say_that_the_server_lives(server: FaultServer, backend: OpenAIBackend, event: Any) -> None:
    server.faults.append(raw(event, chunk(content="Ye"), event, chunk(content="s."), FINISHED))
    assert backend.complete(request()).content == "Yes."


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            whole("<html><head><title>Sign in</title></head><body>to go on</body></html>", "text/html"),
            "Sign in to go on",
        ),
        (answer(502, {}), "Bad Gateway"),
        (whole("the licence has expired", "text/plain"), "the licence has expired"),
        (whole('{"message": "the licence has expired"}'), "the licence has expired"),
        (whole('{"object": "list", "data": []}'), "the endpoint's reply has no choices"),
        (raw("upstream timed out"), "upstream timed out"),
        (raw('"upstream timed out"'), "upstream timed out"),
        (raw('[{"error": {"message": "no such model", "code": 404}}]'), "no such model"),
        (raw({"error": "out of memory"}), "out of memory"),
    ],
    ids=lambda value: "",
)
def test_what_the_server_said_is_shown(server: FaultServer, backend: OpenAIBackend, *, fault: Any, said: str) -> None:
    server.faults.append(fault)
    assert said in str(failure(backend))


PROPS = [
    {},
    {"default_generation_settings": "none", "total_slots": "many"},
    {"default_generation_settings": {"n_ctx": "big"}, "total_slots": None, "model_path": 7, "build_info": ["b"]},
    {"default_generation_settings": {"n_ctx": -1}, "total_slots": -3},
    {"default_generation_settings": [1], "total_slots": {"a": 1}, "model_path": None},
]


@pytest.mark.parametrize("props", PROPS)
def test_odd_properties_of_a_server_are_unknown_ones(server: FaultServer, props: dict[str, Any]) -> None:
    server.owner, server.props = "llamacpp", props
    with opened(server) as backend:
        assert (backend.describe()["context"], backend.slots) == (None, 10_000)


def test_a_grammar_of_our_own_goes_to_llama_cpps_server_instead_of_tools(server: FaultServer) -> None:
    call = '<tool_call>{"name": "fs_read", "arguments": {"path": "a.txt"}}</tool_call>'
    server.owner, server.say = "llamacpp", lambda _request: Said(content=f"I look.\n{call}")
    with opened(server, grammar=True) as backend:
        reply = backend.complete(request(max_reply_tokens=99, policy=Policy.constrained))
        native = backend.complete(request(max_reply_tokens=99, policy=Policy.lenient))
    assert [(call.name, call.arguments) for call in reply.tool_calls] == [("fs_read", {"path": "a.txt"})]
    assert (reply.content, reply.problems) == ("I look.", ())
    assert [call.name for call in native.tool_calls] == ["fs_read"]
    constrained, lenient = server.requests[-2:]
    assert "root ::= thought? call" in constrained["grammar"]
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(constrained)
    assert "To call a tool, write one JSON object between the two markers" in constrained["messages"][0]["content"]
    assert "grammar" not in lenient


def test_a_server_that_takes_no_grammar_is_refused_before_anything_is_asked(server: FaultServer) -> None:
    with pytest.raises(UsageError, match="grammar=true is for llama"), opened(server, grammar=True):
        pass


@pytest.mark.parametrize("counted_from", ["the cache is told", "the cache is told, and more is new", "nothing is told"])
def test_prompts_that_are_counted_without_the_cache_are_not_truncated(
    server: FaultServer, backend: OpenAIBackend, counted_from: str
) -> None:
    prompts: list[int] = []

    def fault(handler: Handler, sent: dict[str, Any]) -> bool:
        whole_prompt = len(server.prompt(sent))
        new, cached = whole_prompt - (prompts[-1] if prompts else 0), prompts[-1] if prompts else 0
        prompts.append(whole_prompt)
        usage: dict[str, Any] = {"prompt_tokens": new, "completion_tokens": 9}
        if counted_from != "nothing is told":
            usage["prompt_tokens_details"] = {"cached_tokens": cached}
        called = {"index": 0, "id": "a", "function": {"name": "fs_read", "arguments": READ_ONE}}
        return raw(chunk(tool_calls=[called]), ended("tool_calls"), {"choices": [], "usage": usage})(handler, sent)

    server.faults.extend([fault] * 5)
    words = 400 if counted_from != "the cache is told, and more is new" else 50
    asked = request("word " * words, max_reply_tokens=99)
    for _ in range(5):
        reply = backend.complete(asked)
        asked = following(
            asked, reply, Message(role="tool", content="a line\n" * 40, tool_call_id="call_1_1", name="fs_read")
        )


def test_a_missing_file_of_certificates_is_named_and_does_not_matter_to_plain_http(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such.pem")
    with opened(server) as backend:
        assert backend.complete(request()).text
    server.url = server.url.replace("http:", "https:")
    with (
        pytest.raises(UsageError, match=r"SSL_CERT_FILE names '/no/such\.pem', which holds no certificates"),
        opened(server),
    ):
        pass


@pytest.mark.parametrize("proxy", ["gopher://me:hunter22@127.0.0.1:9", "http://me:hunter22@127.0.0.1:9"])
def test_a_proxy_that_does_not_work_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    entry = ModelEntry(name="m", slug="m", backend="openai", base_url="http://elsewhere.invalid/v1")
    with pytest.raises(UsageError, match=r"proxy \w+://\[redacted\]@127.0.0.1:9 of the environment") as caught:
        OpenAIBackend(entry, EndpointSettings())
    assert "hunter22" not in str(caught.value)


def _matches(text: str, pattern: str) -> bool:
    parts: list[Callable[[str], bool]] = []
    head, star, tail = pattern.partition("*")
    parts.append(lambda said: said.startswith(head) if star else said == head)
    parts.append(lambda said: tail.strip("*") in said)
    return all(part(text) for part in parts)


class Late:
    """Says that it is complete right after its last thing, which it gives when it is asked whether it is."""

    heard = 0.0

    def __init__(self) -> None:
        self.asked, self.given, self.aborted = threading.Event(), threading.Event(), threading.Event()

    @property
    def complete(self) -> bool:
        self.asked.set()
        return self.given.wait(60)

    def __iter__(self) -> Iterator[Chunk]:
        self.asked.wait(60)
        yield {"last": 1}
        self.given.set()
        self.aborted.wait(60)

    def close(self) -> None:
        """Nothing to let go of."""

    def abort(self) -> None:
        self.aborted.set()


def test_what_came_just_before_the_end_is_not_lost_and_the_source_is_cut_off() -> None:
    source = Late()
    pump = Pump(lambda: cast("ChunkStream", source), request(), 60.0)
    assert list(pump) == [{"last": 1}]
    pump.close()
    assert source.aborted.is_set()
