"""The backend for endpoints over a real server: llama-cpp-python's own, with the demo model."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.conformance import Conformance, ended_reply, request
from backends.openai.serving import START, THREADS, serving
from pytest_agentcore.backends.base import Backend, Message
from pytest_agentcore.backends.llama.backend import LlamaCppBackend
from pytest_agentcore.backends.openai.backend import OpenAIBackend
from pytest_agentcore.catalogue.entry import EndpointSettings, ModelEntry, Policy, Sampling
from pytest_agentcore.errors import BackendError, EndOfTrial, UsageError
from pytest_agentcore.trial.modes import Cause, StopReason

pytestmark = [pytest.mark.model, pytest.mark.needs("uvicorn")]

GREEDY = Sampling(temperature=0.0)
EXACT = (
    Message(role="system", content="You are an agent."),
    Message(role="user", content="Zwei Äpfel, and a \U0001f98a?\n\n  Two\tspaces."),
)

COUNTED = ", ".join(map(str, range(1, 21)))
CERTAIN = (
    Message(role="system", content="You are an agent."),
    *(Message(role="user", content="Count."), Message(role="assistant", content=COUNTED)) * 3,
    Message(role="user", content="Count."),
)
"""What follows leads by more than another processor's kernels, or batches cut otherwise, shift a logit (about 1)."""


@pytest.fixture(scope="module")
def url(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the server answers."""
    words = [sys.executable, "-m", "llama_cpp.server", "--model", str(smollm2), "--n_ctx", "1024"]
    words += ["--n_threads", THREADS, "--n_threads_batch", THREADS]
    with serving(words, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield f"{address}/v1"


@pytest.fixture(scope="module")
def served(url: str) -> Iterator[OpenAIBackend]:
    entry = ModelEntry(name="smollm2", slug="smollm2", backend="openai", base_url=url)
    backend = OpenAIBackend(entry, EndpointSettings(n_ctx=1024, slots=1))
    yield backend
    backend.close()


class TestConformance(Conformance):
    """What a server leaves out is tried with a made-up one in test_backend.py."""

    counts_tokens = False

    @pytest.fixture
    def backend(self, served: OpenAIBackend) -> OpenAIBackend:
        return served

    @pytest.mark.skip(reason="this server counts no tokens in a stream")
    def test_the_prefix_is_cached(self, backend: Backend) -> None: ...

    @pytest.mark.skip(reason="the model's template shows it no tools, and without them it says less")
    def test_watch_sees_all_of_the_text(self, backend: Backend) -> None: ...

    @pytest.mark.skip(reason="this server counts no tokens in a stream")
    def test_the_reply_is_clamped_to_the_room_left(self, backend: Backend) -> None: ...

    @pytest.mark.skip(reason="this server knows no tool_choice=required, see below")
    def test_constrained_replies_are_calls_of_the_tools(self, backend: Backend) -> None: ...

    @pytest.mark.skip(reason="this server knows no tool_choice=required, see below")
    def test_constrained_replies_end_through_finish_or_call_again(self, backend: Backend) -> None: ...


def test_the_prompt_is_the_one_that_is_made_in_process(url: str, llama: LlamaCppBackend) -> None:
    prompt = llama._prompter.first(EXACT, ())
    assert _post(f"{url.removesuffix('/v1')}/extras/tokenize", input=prompt.text)["tokens"] == list(prompt.tokens)
    messages = [{"role": message.role, "content": message.content} for message in EXACT]
    counted = _post(f"{url}/chat/completions", model="smollm2", messages=messages, max_tokens=1)["usage"]
    assert counted["prompt_tokens"] == len(prompt.tokens)


def test_greedy_replies_are_those_made_in_process(served: OpenAIBackend, llama: LlamaCppBackend) -> None:
    asked = request(messages=CERTAIN, tools=(), sampling=GREEDY, max_reply_tokens=24)
    over_http, in_process = served.complete(asked), llama.complete(asked)
    assert over_http.text == in_process.text
    assert COUNTED.startswith(in_process.text)
    assert len(in_process.text) > 10


def test_a_full_context_is_told_from_a_broken_stream(served: OpenAIBackend, url: str) -> None:
    """This server ends such a stream without a word."""
    backend = OpenAIBackend(
        ModelEntry(name="smollm2", slug="smollm2", backend="openai", base_url=url), EndpointSettings()
    )
    with pytest.raises(EndOfTrial) as caught:
        backend.complete(request("word " * 1100, tools=()))
    assert caught.value.stop_reason is StopReason.context_overflow
    backend.close()


def test_the_constrained_policy_is_refused_in_a_sentence(served: OpenAIBackend) -> None:
    asked = request("Say hello.", policy=Policy.constrained, max_reply_tokens=200)
    with pytest.raises(BackendError, match="does not keep to tool_choice=required") as caught:
        ended_reply(served, asked)  # what runs on is not held against the server
    assert caught.value.cause is Cause.backend_refused


def test_an_address_beside_the_server_s(url: str) -> None:
    entry = ModelEntry(name="smollm2", slug="smollm2", backend="openai", base_url=url.replace("http", "https"))
    with pytest.raises(UsageError, match="it speaks no TLS there; is its address one with http://"):
        OpenAIBackend(entry, EndpointSettings())


def _post(url: str, **body: Any) -> dict[str, Any]:
    asked = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=START) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
