"""The table of who is charged for what an endpoint says."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agentcore.backends.openai.charges import (
    Charge,
    charge_of_error,
    charge_of_finish,
    error_in,
    plain,
    status_of,
    words_of,
)
from pytest_agentcore.trial.modes import Attribution

SAID = {
    # OpenAI and Azure, vLLM, SGLang, TGI, llama-server, Ollama, LM Studio, Anthropic, Gemini, Mistral, xAI, Bedrock
    "This model's maximum context length is 8192 tokens. However, you requested 9001 tokens": Charge.context,
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.": Charge.context,
    "'max_tokens' is too large: 5000. This model's maximum context length is 4096 tokens": Charge.context,
    "The input (5000 tokens) is longer than the model's context length (4096 tokens).": Charge.context,
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000": Charge.context,
    "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000": Charge.context,
    "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it": Charge.context,
    "Context size has been exceeded.": Charge.context,
    "the input length exceeds the context length": Charge.context,
    "Reached context length of 4096 tokens with model, but it does not support overflow": Charge.context,
    "prompt is too long: 210000 tokens > 200000 maximum": Charge.context,
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000": Charge.context,
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).": Charge.context,
    "Prompt contains 40000 tokens, too large for model with 32768 maximum context length": Charge.context,
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.": Charge.context,
    "Input is too long for requested model.": Charge.context,
    "Please reduce the length of the messages or completion.": Charge.context,
    "Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)": Charge.context,
    "Trying to keep the first 111490 tokens. However, the model is loaded with context length of 32768": Charge.context,
    "max_tokens must be at least 1, got -100.": Charge.context,
    # a reply's ceiling: Groq, DeepSeek, OpenAI, Anthropic
    "`max_tokens` must be less than or equal to `8192`, less than the `context_window`": Charge.ceiling,
    "max_tokens must be less than 4096": Charge.ceiling,
    "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]": Charge.ceiling,
    "max_tokens is too large: 50000. This model supports at most 16384 completion tokens": Charge.ceiling,
    "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens": Charge.ceiling,
    # the model's own output: Ollama, Groq, llama-server
    "error parsing tool call: raw='{\"context length\": ', err=unexpected end of JSON input": Charge.malformed,
    "Failed to call a function. Please adjust your prompt. · tool_use_failed": Charge.malformed,
    "Failed to parse input at pos 12: <tool_call>": Charge.malformed,
    # money and load
    "You exceeded your current quota, please check your plan · insufficient_quota": Charge.refused,
    "Rate limit reached for requests": Charge.overloaded,
    "Overloaded": Charge.overloaded,
    "Loading model": Charge.overloaded,
}


@pytest.mark.parametrize("status", [None, 200, 400, 413, 422, 500, 503])
@pytest.mark.parametrize("said", SAID)
def test_words_count_for_more_than_what_carried_them(said: str, status: int | None) -> None:
    assert charge_of_error(said, status) is SAID[said]


@pytest.mark.parametrize(
    ("statuses", "charge"),
    [
        ((301, 307, 400, 401, 403, 404, 405, 413, 422, 451, 499), Charge.refused),
        ((408, 502, 504, 522), Charge.unreachable),
        ((429, 503, 529), Charge.overloaded),
        ((500, 501, 505, 599, None, 200), Charge.failed),
        ((407,), Charge.blocked),
    ],
)
def test_without_known_words_the_status_counts(statuses: tuple[int | None, ...], charge: Charge) -> None:
    assert {charge_of_error("on purpose", status) for status in statuses} == {charge}


@pytest.mark.parametrize(
    ("reasons", "charge"),
    [
        (("stop", "STOP", " end_turn ", "eos_token", {"type": "stop", "matched": 128001}), Charge.answered),
        (("tool_calls", "tool_use", "function_call"), Charge.called),
        (
            ("length", "max_tokens", "MAX_TOKENS", "maxTokens", "max-tokens", {"type": "length"}),
            Charge.length,
        ),
        (("model_length", "model_context_window_exceeded"), Charge.context),
        (("malformed_function_call", "MALFORMED_FUNCTION_CALL", "malformed_tool_use"), Charge.malformed),
        (("content_filter", "SAFETY", "sensitive", "refusal"), Charge.refused),
        (("insufficient_system_resource",), Charge.overloaded),
        (("network_error",), Charge.unreachable),
        (("error", "abort", "cancelled", "load", "pause_turn", "anything", "stopped", ""), Charge.failed),
        ((7, 1.5, True, ["stop"], {}, {"type": 1}, {"type": "abort"}, {"reason": "stop"}), Charge.failed),
        (({"type": "abort", "message": "longer than the model's context length"},), Charge.context),
    ],
)
def test_finish_reasons(reasons: tuple[Any, ...], charge: Charge) -> None:
    assert {str(reason): charge_of_finish(reason) for reason in reasons} == dict.fromkeys(map(str, reasons), charge)


def test_the_model_is_charged_for_what_the_model_did_alone() -> None:
    models = {charge for charge in Charge if charge.attribution is Attribution.model}
    assert models == {Charge.answered, Charge.called, Charge.length, Charge.context, Charge.malformed}
    assert {charge.attribution for charge in Charge} - {Attribution.model} == {Attribution.environment}
    assert not any(charge.passes for charge in models)


@pytest.mark.parametrize(
    ("body", "words", "status"),
    [
        ({"error": {"message": "no", "code": 400}}, "no · 400", 400),
        ({"error": "no"}, "no", None),
        ([{"error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED"}}], "no · 429", 429),
        ({"object": "error", "message": "no", "code": "503"}, "no · 503", 503),
        ({"detail": "no"}, "no", None),
        ({"detail": [{"loc": ["body", "top_k"], "msg": "no", "input": "x"}]}, "['body', 'top_k']: no", None),
        ({"errors": [{"message": "no"}, {"message": "nor this"}]}, "no · nor this", None),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "Overloaded", None),
        ({"error": {"message": "Provider", "code": 502, "metadata": {"raw": "no"}}}, "Provider · 502 · no", 502),
        ({"error": {"code": 40303}}, "40303", None),
        ({"error parsing tool call": "no"}, '{"error parsing tool call": "no"}', None),
        ("no", "no", None),
    ],
)
def test_errors_of_every_shape_keep_their_words(body: Any, words: str, status: int | None) -> None:
    assert (words_of(body), status_of(body)) == (words, status)
    assert error_in(body) is not None


@pytest.mark.parametrize(
    "event",
    [
        None,
        0,
        {},
        {"type": "ping"},
        {"choices": []},
        {"choices": [], "usage": {"prompt_tokens": 1}},
        {"choices": [{"delta": {"content": "x"}}], "message": "x"},
        {"error": None, "choices": [{"delta": {}}]},
    ],
)
def test_parts_of_a_reply_and_signs_of_life_are_no_errors(event: Any) -> None:
    assert error_in(event) is None


def test_a_page_is_shown_as_its_text() -> None:
    page = "<!DOCTYPE html><html><head><style>p {}</style><title>502 Bad Gateway</title>\n<h1>a &amp; b</h1>"
    assert plain(page) == "502 Bad Gateway a & b"
    assert plain("if a < b and c > d") == "if a < b and c > d"
