"""Who is charged for what an endpoint says: one table, whatever carries the words.

An error's words come first, then its status (HTTP's, or the code that an error object inside a stream names), and a
reply's finish reason is looked up in the last part. Whatever stands in none of them is the endpoint's.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from pytest_agentcore.errors import BackendError
from pytest_agentcore.trial.modes import Attribution, Cause


class Charge(Enum):
    """Consequences of what an endpoint said: the cause of a failed request, whether it may pass, and what is done."""

    # The model's: no cause, for the request has not failed.
    answered = (None, False, "The model ended its reply.")
    called = (None, False, "The model ended its reply with calls.")
    length = (None, False, "The reply reached its ceiling of tokens.")
    context = (None, False, "The conversation has filled the context: the trial ends in context_overflow.")
    malformed = (None, False, "The model wrote a call that nobody can read: it is told so.")
    # The endpoint's.
    unreachable = (Cause.backend_unreachable, True, "It is away: it is waited for.")
    overloaded = (Cause.backend_overloaded, True, "It has too much to do: it is waited for.")
    failed = (Cause.backend_error, True, "It broke, or said what nobody knows: the request is repeated.")
    refused = (Cause.backend_refused, False, "It does not take the request.")
    ceiling = (Cause.backend_refused, False, "It gives no reply as long as the one that was asked for.")
    blocked = (Cause.backend_unreachable, False, "Certificates or a proxy stand in the way, which no waiting mends.")

    def __init__(self, cause: Cause | None, passes: bool, _meaning: str) -> None:
        self.cause, self.passes = cause, passes

    @property
    def attribution(self) -> Attribution:
        """Whom it speaks about."""
        return self.cause.attribution if self.cause else Attribution.model


_SAID: tuple[tuple[Charge, str], ...] = (
    # what the model wrote stands in these messages, and may hold the words of any other row
    (Charge.malformed, r"error parsing tool call|tool_use_failed|failed to call a function|malformed_function_call"),
    (Charge.malformed, r"failed to parse (?:input at pos|tool call)|invalid tool call arguments"),
    (Charge.context, r"inputs\W+tokens \+ \W*max_new_tokens|inputs\W+must have less than|prompt exceeds max"),
    # a limit of replies, not of the context: Groq's sentence names both
    (Charge.ceiling, r"max_(?:completion_|output_|new_)?tokens\W+must be (?:less|at most|no more|<)"),
    (Charge.ceiling, r"valid range of max_(?:completion_)?tokens|supports at most \d+ (?:completion|output) tokens"),
    (Charge.ceiling, r"maximum allowed number of output tokens"),
    (Charge.context, r"context[ _-]?(?:length|window|size|limit)|exceed_context_size|maximum context|max_model_len"),
    (Charge.context, r"maximum (?:model|prompt|input) length|(?:prompt|input) is too long|prompt too long"),
    (Charge.context, r"too many tokens|token count.{0,40}exceed|exceeded model token limit|range of input length"),
    (Charge.context, r"reduce the length of the (?:messages|prompt|input)|exceeds token limit|n_keep.{0,40}n_ctx"),
    (Charge.context, r"max_tokens must be at least 1, got -"),  # vLLM's, of what a prompt leaves
    # before the rate limits that it is worded like: no waiting mends it
    (
        Charge.refused,
        r"insufficient[_ ](?:quota|balance|credits)|credit balance is too low|request too large for model",
    ),
    (Charge.overloaded, r"rate[_ -]?limit|too many requests|overloaded|insufficient_system_resource|model is loading"),
    (Charge.overloaded, r"loading model|server (?:is )?busy|at capacity|try again later|resource_exhausted"),
)
"""Words of errors; the first row that is found counts."""

_STATUS: Mapping[int, Charge] = {
    **dict.fromkeys((408, 502, 504, 520, 521, 522, 523, 524), Charge.unreachable),
    **dict.fromkeys((429, 503, 529), Charge.overloaded),
    407: Charge.blocked,
}
"""Codes of errors; others from 500 on are `failed`, those below `refused`, and none at all is `failed`."""

_FINISH: Mapping[str, Charge] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"), Charge.answered),
    **dict.fromkeys(("tool_calls", "tool_call", "tool_use", "function_call"), Charge.called),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "max_length"), Charge.length),
    # Mistral's; Anthropic's, Bedrock's and Zhipu's
    **dict.fromkeys(("model_length", "model_context_window_exceeded"), Charge.context),
    # Gemini's and Bedrock's
    **dict.fromkeys(("malformed_function_call", "malformed_tool_use", "malformed_model_output"), Charge.malformed),
    **dict.fromkeys(("content_filter", "content_filtered", "sensitive", "safety", "recitation"), Charge.refused),
    **dict.fromkeys(("refusal", "blocklist", "prohibited_content", "spii", "guardrail_intervened"), Charge.refused),
    "insufficient_system_resource": Charge.overloaded,  # DeepSeek's
    "network_error": Charge.unreachable,  # Zhipu's
}
"""Finish reasons, however they are spelled: `MAX_TOKENS`, `maxTokens`, `max-tokens`; any other is `failed`."""

_PLAIN_FINISH = {reason.replace("_", ""): charge for reason, charge in _FINISH.items()}
_COMPILED = tuple((charge, re.compile(words, re.IGNORECASE)) for charge, words in _SAID)


def charge_of_error(said: str, status: int | None = None) -> Charge:
    """The charge of an error by its words, or else by its status or code, which is None where it names none."""
    for charge, words in _COMPILED:
        if words.search(said):
            return charge
    if status is None or not 300 <= status < 500:  # noqa: PLR2004
        return _STATUS.get(status or 0, Charge.failed)
    return _STATUS.get(status, Charge.refused)


def charge_of_finish(reason: Any) -> Charge:
    """The charge of a finish reason; SGLang's own form is an object with a `type`, and a `message` of an abort."""
    if isinstance(reason, Mapping) and reason.get("message"):
        return charge_of_error(words_of(reason["message"]))
    reason = reason.get("type") if isinstance(reason, Mapping) else reason
    letters = re.sub(r"[\W_]", "", reason).lower() if isinstance(reason, str) else ""
    return _PLAIN_FINISH.get(letters, Charge.failed)


class EndpointFault(BackendError):
    """An endpoint said that it does not give the reply."""

    def __init__(
        self,
        message: str,
        charge: Charge,
        *,
        retry_after: float | None = None,
        status: int | None = None,
        wrote: str = "",
    ) -> None:
        """Say what it said.

        Args:
            message: one sentence, without secrets.
            charge: what follows.
            retry_after: seconds that it asked to be left alone for.
            status: of HTTP.
            wrote: what the model had written, where a call of it is what could not be read.
        """
        super().__init__(message, charge.cause, transient=charge.passes, retry_after=retry_after)
        self.charge, self.status, self.wrote = charge, status, wrote


def error_in(data: Any) -> Any:
    """The error that an event of a stream is, in whatever shape; None for a part of a reply and for signs of life."""
    if not isinstance(data, Mapping):
        return data if isinstance(data, str | list) and data else None
    choices = data.get("choices")
    if data.get("error"):
        return data
    if isinstance(choices, list) and choices:  # OpenRouter says inside a choice that its provider went away
        return choices[0].get("error") if isinstance(choices[0], Mapping) else None
    # Ollama has said "error parsing tool call" as a key
    named = any(key in ("message", "detail", "msg") or key.startswith("error") for key in data if data[key])
    return data if (named or data.get("object") == "error") and not data.get("usage") else None


def words_of(body: Any, depth: int = 0) -> str:
    """An error's own words, in whatever shape they came: the protocol's, another server's, a page, or plain text."""
    if isinstance(body, str):
        return plain(body)
    if isinstance(body, list) and body and depth < _DEEPEST:  # Gemini wraps its error in a list, FastAPI its findings
        return " · ".join(dict.fromkeys(words_of(one, depth + 1) for one in body[:8]))
    if not isinstance(body, Mapping) or depth >= _DEEPEST:
        return "" if body is None else json.dumps(body, ensure_ascii=False, default=str)
    if "loc" in body and "msg" in body:  # a finding of FastAPI's validation, without the request that it repeats
        return f"{body['loc']}: {body['msg']}"
    names = ("error", "message", "detail", "errors", "error_message", "msg", "reason", "code")
    inner = body["metadata"] if isinstance(body.get("metadata"), Mapping) else {}  # a provider's words at OpenRouter
    parts = [words_of(value, depth + 1) for value in (*map(body.get, names), inner.get("raw")) if value]
    found = " · ".join(part for part in dict.fromkeys(parts) if part)
    return found or json.dumps(body, ensure_ascii=False, default=str)


_DEEPEST = 4
_PAGE = re.compile(r"<(?:!doctype|html|head|body|title|h1|center|p|div)\b", re.IGNORECASE)
_MARKUP = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)|<[^>]*(?:>|\Z)", re.IGNORECASE | re.DOTALL)


def plain(text: str) -> str:
    """Text in one line; of a page what a reader would see of it."""
    text = text[:20_000]
    if _PAGE.search(text):
        text = html.unescape(_MARKUP.sub(" ", text))
    return " ".join(text.split())


def status_of(body: Any) -> int | None:
    """The status that an error object names in itself; None where it names none."""
    if not isinstance(body, Mapping):
        return status_of(body[0]) if isinstance(body, list) and body else None
    inner = body.get("error")
    for holder in (inner if isinstance(inner, Mapping) else {}, body):
        for name in ("code", "status", "status_code"):
            code = str(holder.get(name, ""))
            if code.isascii() and code.isdigit() and 400 <= int(code[:9]) < 600:  # noqa: PLR2004
                return int(code)
    return None


def written_by_model(body: Any, said: str) -> str:
    """The model's own output inside an error about it: Groq's `failed_generation`, Ollama's `raw='…'`; else empty."""
    holder = body.get("error", body) if isinstance(body, Mapping) else {}
    if isinstance(holder, Mapping) and isinstance(wrote := holder.get("failed_generation"), str):
        return wrote
    found = re.search(r"raw='(.*)', err=", said, re.DOTALL)
    return found[1] if found else ""
