"""The constrained policy over llama.cpp's own server, with a grammar of ours (`grammar=true`).

Needs the program `llama-server`, on PATH or named by AGENTCORE_LLAMA_SERVER. SmolLM2 writes no calls by itself; with
AGENTCORE_QWEN_GGUF, Qwen2.5-Coder is asked too, which writes them in another form than its template teaches.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from backends.conformance import CHOOSE, SEEDS, Conformance, request
from backends.openai.serving import THREADS, serving
from pytest_agentcore.backends.base import Backend, FinishReason
from pytest_agentcore.backends.openai.backend import OpenAIBackend
from pytest_agentcore.catalogue.entry import EndpointSettings, ModelEntry, Policy
from pytest_agentcore.tools.base import ToolSpec, object_schema

pytestmark = pytest.mark.model

PLACE = ToolSpec(
    name="place",
    description="Put an item on a shelf.",
    parameters=object_schema(
        ["item", "shelf", "fragile"],
        item={"enum": ["cup", 'the "old" vase\n', "\u00e9\U0001f600"]},
        shelf={"type": "integer", "minimum": 2, "maximum": 14},
        fragile={"type": "boolean"},
        tags={"type": "array", "items": {"enum": ["blue", "red"]}, "maxItems": 2},
    ),
)
"""A tool whose grammar is finite, with values of many types."""


@pytest.fixture(scope="module", params=["smollm2", "qwen"])
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAIBackend]:
    """A model behind the server."""
    program = os.environ.get("AGENTCORE_LLAMA_SERVER") or shutil.which("llama-server")
    if not program:
        pytest.skip("llama-server is not on PATH; name it with AGENTCORE_LLAMA_SERVER")
    model = str(request.getfixturevalue("smollm2")) if request.param == "smollm2" else _qwen()
    words = [program, "--model", model, "-c", "1024", "-np", "1", "--jinja", "--threads", THREADS]
    with serving(words, tmp_path_factory.mktemp("server") / "log.txt") as address:
        entry = ModelEntry(name=request.param, slug=request.param, backend="openai", base_url=f"{address}/v1")
        backend = OpenAIBackend(entry, EndpointSettings(n_ctx=1024, slots=1, grammar=True))
        yield backend
        backend.close()


def _qwen() -> str:
    path = os.environ.get("AGENTCORE_QWEN_GGUF", "")
    if not Path(path).is_file():
        pytest.skip("no Qwen 2.5 model file at hand; name one with AGENTCORE_QWEN_GGUF")
    return path


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_every_constrained_reply_is_one_valid_call(backend: Backend, seed: int) -> None:
    tools = (CHOOSE, PLACE)
    asked = request("Put it on shelf 3.", policy=Policy.constrained, tools=tools, seed=seed, max_reply_tokens=400)
    reply = backend.complete(asked)
    assert (reply.finish, reply.problems) == (FinishReason.stop, ())
    (call,) = reply.tool_calls
    schemas = {tool.name: tool.parameters for tool in tools}
    jsonschema.validate(call.arguments, schemas[call.name])


def test_a_result_is_followed_by_another_call_or_the_end(backend: Backend) -> None:
    Conformance().test_constrained_replies_end_through_finish_or_call_again(backend)


def test_it_says_in_which_dialect_calls_are_asked_for(backend: Backend) -> None:
    assert backend.describe()["dialect"] == "generic, under the constrained policy"
