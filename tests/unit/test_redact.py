"""Secrets do not get into the record, and what is none stays readable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_agentcore.redact import REDACTED, redact

SECRET = "s3cr3tvaluethatmustnotshow"


@pytest.mark.parametrize(
    "given",
    [
        ["--api-key", SECRET],
        ["--api-key", f"={SECRET}"],
        [f"--api-key={SECRET}"],
        [f"--agentcore-hf-token={SECRET}"],
        ["--agentcore-engine", f"api_key={SECRET}"],
        ["--password", SECRET],
        [f"https://user:{SECRET}@example.org/v1"],
        [f"https://example.org/v1?key={SECRET}&x=1"],
        [f"--agentcore-base-url=https://example.org/v1?x=1&api_key={SECRET}"],
        [f"https://example.org/v1?api-key={SECRET}", f"https://example.org/v1?subscription-key={SECRET}#x"],
        {"base_url": f"https://example.org/v1?access_token={SECRET}&sig={SECRET}"},
        f"GET https://example.org/v1?apikey={SECRET} failed",
        [f"sk-{SECRET}"],
        [f"hf_{SECRET}"],
        [f"github_pat_{SECRET}"],
        {"authorization": SECRET},
        {"engine": {"api_key": SECRET, "headers": [f"Authorization: Bearer {SECRET}"]}},
    ],
)
def test_secrets_are_replaced(given: Any) -> None:
    shown = json.dumps(redact(given))

    assert SECRET not in shown
    assert REDACTED in shown


@pytest.mark.parametrize(
    "given",
    [
        ["--agentcore-reply-tokens", "4096", "--model=/models/tiny.gguf", "-k", "task_05"],
        ["--agentcore-sampling", "top_k=20", "-p", "no:cacheprovider", "--token", "-x"],
        {"eos_token": "<|im_end|>", "cache_key": "abc", "sampling": {"top_k": 20}},
        {"properties": {"key": {"type": "string"}}, "required": ["key", "token"]},
        {"n": 1, "flag": True, "nothing": None, "list": [1.5, {"a": "b"}]},
        "http://127.0.0.1:8080/v1",
        "https://example.org/v1?monkey=1&api-version=2026-01-01&keys=3&tokens=4",
        "2026-06-10-smollm2-135m-agentic-core-v1",
    ],
)
def test_what_is_no_secret_stays(given: Any) -> None:
    assert redact(given) == given
