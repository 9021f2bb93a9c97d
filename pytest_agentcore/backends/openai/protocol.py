"""The chat completions protocol: a request as its JSON, and the chunks of a stream put together to a reply."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_agentcore.backends.base import Message, Request
from pytest_agentcore.backends.llama.messages import Habits, Turn, as_dicts
from pytest_agentcore.backends.openai.calls import StreamedCalls
from pytest_agentcore.backends.openai.charges import Charge, EndpointFault, charge_of_finish
from pytest_agentcore.backends.reading import may_finish, offered, short_id, tool_dicts
from pytest_agentcore.catalogue.entry import Policy, Sampling, settings_of
from pytest_agentcore.dialects.families import GENERIC
from pytest_agentcore.dialects.grammar import call_grammar
from pytest_agentcore.trial.result import Usage

FIELDS: Mapping[str, tuple[str, ...]] = {
    **{key: (key,) for key in settings_of(Sampling)},
    # llama.cpp says the first, vLLM the second: both are sent, for a server that is told nothing takes its own choice
    "repeat_penalty": ("repeat_penalty", "repetition_penalty"),
}
"""The names of each sampling value in this protocol."""
_SETTING_OF = {name: key for key, names in FIELDS.items() for name in names}
OPTIONAL = (*_SETTING_OF, "seed", "parallel_tool_calls", "stream_options")
"""Fields that a server may refuse to know."""


def body(
    request: Request, model: str, *, reasoning_field: str = "", left_out: Collection[str] = (), grammar: bool = False
) -> dict[str, Any]:
    """The JSON of `POST …/chat/completions`.

    Args:
        request: what is asked.
        model: what the endpoint calls the model.
        reasoning_field: the field in which earlier reasoning is given back; empty: it is not.
        left_out: keys of `OPTIONAL` that the server refused, and `max_tokens` where it wants the newer name.
        grammar: constrained replies keep to a grammar of the generic dialect instead of the server's own.
    """
    ceiling = "max_completion_tokens" if "max_tokens" in left_out else "max_tokens"
    messages = [message_json(message, reasoning_field) for message in request.messages]
    tools = tool_dicts(offered(request.tools, request.policy))
    asked: dict[str, Any] = {"tools": tools, "tool_choice": "auto"} if tools else {}
    if request.policy is Policy.constrained:
        asked |= {"tool_choice": "required", "parallel_tool_calls": False}
    if request.policy is Policy.constrained and grammar:
        # without `tools`, beside which llama.cpp's server takes no grammar: told and given back in words
        specs, turns = offered(request.tools, request.policy), [Turn(message) for message in request.messages]
        messages = as_dicts(turns, specs, Habits(), GENERIC, _sound)
        asked = {"grammar": call_grammar(request.tools, dialect=GENERIC, allow_finish=may_finish(request))}
    whole: dict[str, Any] = {
        "model": model,
        "messages": messages,
        **asked,
        **{name: getattr(request.sampling, key) for name, key in _SETTING_OF.items()},
        "seed": request.seed,
        ceiling: request.max_reply_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return {key: value for key, value in whole.items() if key not in left_out}


def lost_by(key: str, sampling: Sampling) -> bool:
    """Whether leaving out a key changes what was asked for, other than that the server's own default now counts."""
    if key not in _SETTING_OF:
        return False
    _, about = settings_of(Sampling)[_SETTING_OF[key]]
    return bool(getattr(sampling, about.name) != about.metadata["off"])


def message_json(message: Message, reasoning_field: str = "") -> dict[str, Any]:
    """One message; an assistant's arguments are JSON in a string, as the protocol wants them."""
    said: dict[str, Any] = {"role": message.role, "content": _sound(message.content)}
    for call in message.tool_calls:
        arguments = _sound(json.dumps(dict(call.arguments), ensure_ascii=False))
        function = {"name": call.name, "arguments": arguments}
        said.setdefault("tool_calls", []).append({"id": short_id(call.id), "type": "function", "function": function})
    if message.reasoning and reasoning_field:
        said[reasoning_field] = _sound(message.reasoning)
    if message.role == "tool":
        said |= {"tool_call_id": short_id(message.tool_call_id), "name": message.name}
    return said


def _sound(text: str) -> str:
    """Without lone surrogates: they have no form in UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


REASONING_FIELDS = ("reasoning_content", "reasoning")
"""The names of the model's thoughts: DeepSeek, llama.cpp and SGLang say the first, vLLM and others the second."""
THINK, END_THINK = "<think>\n", "\n</think>\n"
"""How thoughts that come in a field of their own are set off in a reply's text."""


@dataclass(slots=True)
class Collected:
    """One streamed reply as far as it has come."""

    calls: StreamedCalls
    content: str = ""
    reasoning: str = ""
    reasoning_field: str = ""
    finish: Any = None
    """The server's word for how it ended; None until it came."""
    complete: bool = False
    """Whether the server has said that nothing more comes."""
    choices: int = 0
    """Chunks that had a choice in them."""
    pieces: list[str] = field(default_factory=list)
    """Everything in the order in which it came, see `take`."""
    usage: Mapping[str, Any] | None = None
    timings: Mapping[str, Any] | None = None
    """llama.cpp's own account."""

    @property
    def text(self) -> str:
        """All pieces."""
        return "".join(self.pieces)

    def take(self, chunk: Mapping[str, Any]) -> Sequence[str]:
        """Take one chunk; returns the new pieces of text.

        Raises:
            EndpointFault: it has not the protocol's shape.
        """
        before = len(self.pieces)
        self.usage = chunk.get("usage") or self.usage
        self.timings = chunk.get("timings") or self.timings
        try:
            for choice in (chunk.get("choices") or [])[:1]:
                self.choices += 1
                # a whole message behind its parts says nothing new
                whole = {} if self.pieces else choice.get("message")
                for piece in self._pieces(choice.get("delta") or whole or {}):
                    self.pieces.append(piece)
                ended = choice.get("finish_reason")
                self.finish = self.finish if ended in (None, "", False) else ended
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            raise EndpointFault(f"a chunk of the endpoint's reply cannot be read: {error}", Charge.failed) from None
        return self.pieces[before:]

    def _pieces(self, delta: Mapping[str, Any]) -> Iterator[str]:
        said, thoughts = _parted(delta.get("content") or delta.get("refusal"))
        yield from self._thought(thoughts, "")
        for name in REASONING_FIELDS:
            if thought := delta.get(name):
                yield from self._thought(thought, name)
                break
        calls = delta.get("tool_calls")
        if not calls and (function := delta.get("function_call")):  # the protocol's earlier form
            calls = [{"function": function}]
        if (said or calls) and self.reasoning and not (self.content or self.calls):
            yield END_THINK
        if said:
            self.content += said
            yield said
        for part in [calls] if isinstance(calls, Mapping) else calls or ():
            yield from self.calls.take(part, begun=bool(self.pieces))

    def _thought(self, thought: str, name: str) -> Iterator[str]:
        if thought:
            if not self.reasoning:
                self.reasoning_field = name
                yield THINK
            self.reasoning += thought
            yield thought

    def counted(self) -> Usage | None:
        """Tokens as the server counts them; None where it does not."""
        usage = table_of(self.usage)
        prompt, reply = (count_of(usage.get(name, usage.get(other))) for name, other in _COUNTS)
        if not prompt and not reply:
            return None
        # OpenAI's field and vLLM's, then DeepSeek's, then Anthropic's, then llama.cpp's
        details, timings = table_of(usage.get("prompt_tokens_details")), table_of(self.timings)
        named = (usage.get("prompt_cache_hit_tokens"), usage.get("cache_read_input_tokens"), timings.get("cache_n"))
        cached = next(filter(None, map(count_of, (details.get("cached_tokens"), *named))), 0)
        # some count the prompt without what came from the cache
        if cached > prompt or (cached and count_of(usage.get("total_tokens")) == prompt + cached + reply):
            prompt += cached
        return Usage(prompt_tokens=prompt, cached_tokens=cached, reply_tokens=reply)

    @property
    def claims_call(self) -> bool:
        """Whether the server says that the reply made a call."""
        return self.finish is not None and charge_of_finish(self.finish) is Charge.called

    @property
    def counts_none(self) -> bool:
        """Whether the server says that the model wrote not one token."""
        usage = table_of(self.usage)
        return any(usage.get(name) == 0 for name in _COUNTS[1])


_COUNTS = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))
"""The protocol's names of the two counts, and Anthropic's."""


def _parted(content: Any) -> tuple[str, str]:
    """Content as text and thoughts; Mistral's servers send it as a list of typed parts where there are thoughts.

    Raises:
        TypeError: it is neither text nor such a list.
    """
    if not content or isinstance(content, str):
        return content or "", ""
    if not isinstance(content, list):
        raise TypeError(f"content is {type(content).__name__}, not text")
    said, thoughts = "", ""
    for part in content:
        if isinstance(part, str):
            said += part
        elif part.get("type") == "thinking":
            thoughts += _parted(part.get("thinking"))[0]
        else:
            said += part.get("text") or ""
    return said, thoughts


def table_of(value: Any) -> Mapping[str, Any]:
    """A value that should be an object; an empty one for what is none."""
    return value if isinstance(value, Mapping) else {}


def count_of(value: Any) -> int:
    """Tokens; 0, which is unknown, for what is no number."""
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return count if 0 < (count := int(value)) < _NO_COUNT else 0
    return 0


_NO_COUNT = 10**9
"""More tokens than any context holds."""
