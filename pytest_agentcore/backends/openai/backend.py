"""The backend `openai`: any server that speaks the chat completions protocol, streamed."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pytest_agentcore.backends.base import MIN_ROOM, FinishReason, Message, Reply, Request
from pytest_agentcore.backends.openai.calls import StreamedCalls
from pytest_agentcore.backends.openai.charges import Charge, EndpointFault, charge_of_finish
from pytest_agentcore.backends.openai.client import EndpointClient, Pump, refuses_key
from pytest_agentcore.backends.openai.protocol import FIELDS, OPTIONAL, Collected, body, count_of, lost_by, table_of
from pytest_agentcore.backends.openai.reading import read_reply
from pytest_agentcore.backends.reading import offered, read_text
from pytest_agentcore.catalogue.entry import ENDPOINT, MOST_SLOTS, EndpointSettings, ModelEntry, Policy
from pytest_agentcore.catalogue.resolve import DEFAULT_KEY, api_key_of, checked_url, secrets_of
from pytest_agentcore.dialects.families import GENERIC
from pytest_agentcore.errors import BackendError, EndOfTrial, UsageError
from pytest_agentcore.trial.modes import Cause, StopReason
from pytest_agentcore.trial.result import TrialKey, Usage

LLAMA_SERVER = "llama.cpp server"
"""The engine that llama.cpp's own server is called in manifests."""


class OpenAIBackend:
    """One model at one endpoint; as many conversations at once as the endpoint has slots."""

    name = ENDPOINT

    def __init__(self, entry: ModelEntry, settings: EndpointSettings) -> None:
        """Ask the endpoint of an entry what it is; `close` closes the connections.

        Raises:
            UsageError: it cannot be reached or refuses the key.
        """
        url, self._model, self._settings = checked_url(entry.base_url), entry.model or entry.name, settings
        parts = urlsplit(url)
        # without user, password, query and fragment
        self._shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        self._client = EndpointClient(url, api_key_of(entry), secrets_of([entry]), idle_seconds=settings.idle_timeout)
        try:
            context, slots, self._facts = _said_of(self._model, url, self._client)
        except BackendError as error:
            self._client.close()
            sentence = f"{entry.name}: {self._shown}: {error}"
            if refuses_key(error):
                state = "does not take the key in" if api_key_of(entry) else "wants a key; set"
                sentence = f"{entry.name}: {self._shown} {state} {entry.api_key_env or DEFAULT_KEY} ({error})"
                sentence += "; --agentcore-api-key-env names another variable"
            elif error.cause is Cause.backend_unreachable and error.transient:
                sentence += "; start the server, or correct --agentcore-base-url"
            raise UsageError(sentence) from None
        if settings.grammar and self._facts.get("engine") != LLAMA_SERVER:
            self._client.close()
            raise UsageError(f"{entry.name}: grammar=true is for llama.cpp's own server; {self._shown} is none")
        self.slots = settings.slots or slots or MOST_SLOTS  # one that does not say takes as many as it is asked for
        self._context = settings.n_ctx or context or entry.context  # None: its refusal ends a trial
        self._growth = PromptGrowth()
        # fields that it is known to refuse: OpenAI's own host takes none that is not of the standard
        known = ("top_k", "min_p", *FIELDS["repeat_penalty"])
        self._left_out: set[str] = {*known} if parts.hostname == "api.openai.com" else set()
        # fields that are left out because the registry says so, whatever the sampling asks for
        self._never_sent = [field for key in entry.not_sent for field in FIELDS.get(key, (key,))]
        self._reasoning_field = ""

    def complete(self, request: Request) -> Reply:
        """See `Backend.complete`."""
        if finish := request.cut_short():
            return Reply(text="", content="", finish=finish)
        context, taken = self._context, self._growth.before(request)
        if context is not None and taken + MIN_ROOM > context:
            left = f"{max(0, context - taken)} of {context} tokens are left in the context"
            raise EndOfTrial(StopReason.context_overflow, left)
        began = time.monotonic()
        try:
            reply = self._reply(request)
        except EndpointFault as fault:
            fault.args = (self._client.scrubbed(str(fault)),)
            if fault.charge is not Charge.malformed:
                raise
            problem = f"The call that you wrote cannot be read: {fault}. Nothing was run; make the call again."
            reply = Reply(text=fault.wrote or str(fault), content="", problems=(problem,))
        return replace(self._without_secrets(reply), seconds=time.monotonic() - began)

    def _reply(self, request: Request) -> Reply:
        """Ask, and read what came."""
        collected, finish = self._ask(request)
        # a server that counts nothing sends about a token with each piece; what its prompts hold is not known
        usage = collected.counted() or Usage(reply_tokens=len(collected.pieces))
        self._growth.check(request, usage)
        self._reasoning_field = self._reasoning_field or collected.reasoning_field
        if request.policy is Policy.constrained and self._settings.grammar:
            reply = replace(read_text(collected.content, request, GENERIC), text=collected.text)
            return replace(reply, reasoning=reply.reasoning or collected.reasoning, finish=finish, usage=usage)
        return replace(read_reply(collected, request, finish), finish=finish, usage=usage)

    def _without_secrets(self, reply: Reply) -> Reply:
        """A server that repeats the key must not get it into a transcript."""
        said = {name: getattr(reply, name) for name in ("text", "content", "reasoning", "problems", "repairs")}
        said["tool_calls"] = [(call.name, dict(call.arguments)) for call in reply.tool_calls]
        if (hidden := self._client.scrubbed(said)) == said:
            return reply
        told = zip(reply.tool_calls, hidden.pop("tool_calls"), strict=True)
        calls = tuple(replace(call, name=name, arguments=arguments) for call, (name, arguments) in told)
        return replace(reply, **hidden, tool_calls=calls)

    def _ask(self, request: Request) -> tuple[Collected, FinishReason]:
        """Send the request; again at once, in other words, where the endpoint does not take these."""
        ceiling = request.max_reply_tokens
        _refuse_lost(self._left_out, request)
        while True:
            try:
                collected, finish = self._stream(replace(request, max_reply_tokens=ceiling))
            except EndpointFault as fault:
                ceiling = self._other_words(fault, request, ceiling)
                continue
            if finish is FinishReason.length and ceiling < request.max_reply_tokens:
                finish = FinishReason.context
            return collected, finish

    def _other_words(self, fault: EndpointFault, request: Request, ceiling: int) -> int:
        """Note what to leave out of the next try; returns its ceiling of the reply, lower where the context is full.

        Raises:
            EndOfTrial: the context is full.
            BackendError: nothing about the request can be changed.
        """
        said = str(fault)
        if fault.charge is Charge.context:
            if ceiling <= MIN_ROOM:
                raise EndOfTrial(StopReason.context_overflow, said)
            return max(MIN_ROOM, ceiling // 2)
        if fault.charge is Charge.ceiling:
            told = f"the endpoint gives no reply of {ceiling} tokens; lower --agentcore-reply-tokens ({said})"
            raise EndpointFault(told, Charge.ceiling)
        thoughts = [self._reasoning_field] if self._reasoning_field and _thinks(request) else []
        unknown = {key for key in (*OPTIONAL, *thoughts, "max_tokens") if re.search(rf"\b{key}\b", said)}
        unknown -= self._left_out.union(self._never_sent)
        if fault.charge is not Charge.refused or not unknown:
            raise fault
        if not (off := {key for key in unknown if not lost_by(key, request.sampling)}):
            _refuse_lost(unknown, request, said)
        self._left_out |= off
        return ceiling

    def _stream(self, request: Request) -> tuple[Collected, FinishReason]:
        """Send the request once, and take its stream until it ends or something ends it.

        Raises:
            BackendError: the endpoint failed, refused the request, or fell silent.
        """
        left_out = self._left_out.union(self._never_sent)
        thoughts = "" if self._reasoning_field in left_out else self._reasoning_field
        grammar = self._settings.grammar
        sent = body(request, self._model, reasoning_field=thoughts, left_out=left_out, grammar=grammar)
        names = [tool.name for tool in offered(request.tools, request.policy)]
        collected, began = Collected(StreamedCalls(names)), time.monotonic()
        stop: FinishReason | None = None
        pump = Pump(lambda: self._client.stream(sent), request, self._settings.idle_timeout)
        try:
            with closing(pump):
                for chunk in pump:
                    pieces = collected.take(chunk)
                    for behind, piece in zip(reversed(range(len(pieces))), pieces, strict=True):
                        stop = FinishReason.watch if request.watch(piece) else request.cut_short()
                        if stop:
                            # pieces that came in the same chunk behind this one were never watched: they do not count
                            del collected.pieces[len(collected.pieces) - behind :]
                            break
                    if stop:
                        break
        except EndpointFault as fault:
            fault.wrote = collected.text + fault.wrote
            if fault.charge is not Charge.context or not collected.pieces:
                raise
            return collected, FinishReason.context  # it says in the middle of a reply that this has filled the context
        stop = stop or pump.cut_short
        if stop is None:
            if not collected.choices:  # some servers fail in the middle of a stream and say why only without one
                self._client.ask({key: value for key, value in sent.items() if not key.startswith("stream")})
            collected.complete = pump.complete
            return collected, _finish(collected, request.max_reply_tokens, self._context, self._client.words)
        # a deadline that passed while the endpoint sent next to nothing is not the model's; nor is the endpoint blamed
        # for a reply that was begun shortly before the trial's end
        spent, came = time.monotonic() - began, len(collected.pieces)
        grace = min(30.0, self._settings.idle_timeout / 2)
        if stop is FinishReason.deadline and spent > grace and came < self._settings.slowest * spent:
            raise BackendError(
                f"the endpoint sent {came} pieces of a reply in {spent:.0f} seconds, then the trial's time was over",
                Cause.backend_unreachable,
            )
        return collected, stop

    def describe(self) -> Mapping[str, Any]:
        """See `Backend.describe`."""
        not_sent = sorted(self._left_out.union(self._never_sent) - {"max_tokens"})
        return {
            "backend": self.name,
            "model": self._model,
            "endpoint": self._shown,
            "context": self._context,
            "device": f"endpoint {self._shown}",
            "dialect": "generic, under the constrained policy" if self._settings.grammar else "the endpoint's",
            "slots": self.slots,
            "idle_timeout": self._settings.idle_timeout,
            "slowest": self._settings.slowest,
            **self._facts,
            **({"not_sent": not_sent} if not_sent else {}),
        }

    def close(self) -> None:
        """See `Backend.close`."""
        self._client.close()


open_backend = OpenAIBackend
"""The name by which every backend of this project is opened."""


def _said_of(model: str, base_url: str, client: EndpointClient) -> tuple[int | None, int | None, dict[str, str]]:
    """Context, slots and further facts, in the endpoint's own words."""
    listed = client.get("/models").get("data")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    names = [str(entry.get("id", "")) for entry in entries]
    found = next((entry for entry in entries if entry.get("id") == model), entries[0] if entries else {})
    if found.get("owned_by") == "llamacpp":
        # llama.cpp's own server tells its file, its slots and the context of one slot
        props = client.get(f"{base_url.partition('?')[0].removesuffix('/v1')}/props")
        context = count_of(table_of(props.get("default_generation_settings")).get("n_ctx"))
        file, server = PurePosixPath(str(props.get("model_path") or "")).name, str(props.get("build_info") or "")
        told = {key: client.words(value) for key, value in (("file", file), ("server", server)) if value}
        return context or None, count_of(props.get("total_slots")), {"engine": LLAMA_SERVER, **told}
    if names and model not in names:
        listed_names = client.words(", ".join(names[:5]) + (" …" if names[5:] else ""))
        return None, None, {"warning": f"the endpoint lists no model {model!r}; it has {listed_names}"}
    return count_of(found.get("max_model_len")) or None, None, {}  # vLLM's


def _refuse_lost(left_out: Collection[str], request: Request, said: str = "") -> None:
    """Raise BackendError where leaving fields out would change what the sampling asks for.

    `said` is the endpoint's own sentence, where it has just refused them.
    """
    if lost := sorted(key for key in left_out if lost_by(key, request.sampling)):
        raise BackendError(
            f"the endpoint does not take {', '.join(lost)}, which the sampling asks for; switch it off with "
            "--agentcore-sampling, or name it under not_sent in the model's registry entry"
            + (f" ({said})" if said else ""),
            Cause.backend_refused,
        )


def _finish(collected: Collected, ceiling: int, context: int | None, words: Callable[[str], str]) -> FinishReason:
    """How a stream that came to its end ended; `words` makes a server's words fit to be shown.

    Raises:
        EndpointFault: it held no reply, or broke off.
    """
    if not collected.choices:
        raise EndpointFault("the endpoint's reply has no choices", Charge.failed)
    empty = not collected.text.strip()
    if collected.finish is None and (empty or not collected.complete):
        raise EndpointFault("the endpoint's reply broke off", Charge.unreachable)
    charge = Charge.answered if collected.finish is None else charge_of_finish(collected.finish)
    if charge in (Charge.answered, Charge.called) and empty and collected.counts_none:
        raise EndpointFault("the endpoint's reply is empty, and no token of the model's went into it", Charge.failed)
    if (charge is Charge.malformed and not collected.calls) or (charge is Charge.context and empty):
        said = f"the endpoint's word for it is '{words(str(collected.finish))}'"
        raise EndpointFault(said, charge, wrote=collected.text)
    if charge is Charge.refused:
        raise EndpointFault("the endpoint's content filter cut the reply off", charge)
    if charge.cause:
        raise EndpointFault(f"the endpoint ended its reply with finish_reason '{words(str(collected.finish))}'", charge)
    if charge in (Charge.answered, Charge.called) and _is_cut(collected, ceiling, context):
        charge = Charge.length
    counted = collected.counted() if charge is Charge.length else None
    # fewer tokens than were allowed: the context is what was full. A server that counts nothing is believed, since its
    # pieces are no tokens: a character of several tokens comes as one piece
    if charge is Charge.context or (counted and counted.reply_tokens < ceiling):
        return FinishReason.context
    return FinishReason.length if charge is Charge.length else FinishReason.stop


def _is_cut(collected: Collected, ceiling: int, context: int | None) -> bool:
    """Whether a reply was cut off although its server says that it ended by itself, as some do of one cut in a call."""
    if collected.finish is not None and collected.calls.are_whole:
        return False
    if (counted := collected.counted()) is None:
        return False
    return counted.reply_tokens >= ceiling or 0 < (context or 0) <= counted.prompt_tokens + counted.reply_tokens


class PromptGrowth:
    """Remembers the last prompt of each trial; may be used from several threads."""

    def __init__(self) -> None:
        self._last: dict[TrialKey, tuple[int, Usage]] = {}
        self._most = 0
        """The longest prompt that was counted."""
        self._counts_new = False
        """Whether the server was found to count only what its cache does not hold."""
        self._lock = threading.Lock()

    def before(self, request: Request) -> int:
        """Tokens that the request's prompt has at least, as far as that can be told before it is sent."""
        messages, usage = self._known(request)
        held = usage.prompt_tokens + usage.reply_tokens if usage.prompt_tokens and not _thinks(request) else 0
        return max(least_tokens(request.messages), held + least_tokens(request.messages[messages + 1 :]) if held else 0)

    def check(self, request: Request, usage: Usage) -> None:
        """Compare what the server counted with what was sent; prompts that it did not count are passed over.

        Raises:
            BackendError: `prompt_truncated`.
        """
        messages, last = self._known(request)
        with self._lock:
            self._last[request.trial] = (len(request.messages), usage)
            most, self._most = self._most, max(self._most, usage.prompt_tokens)
        if not usage.prompt_tokens or self._counts_new:
            return
        evidence = self._evidence(request, messages, last.prompt_tokens, usage.prompt_tokens)
        if not evidence:
            return
        # It may count only what its cache does not hold: nothing was cut off in front where most of the last prompt
        # came from the cache, and a count that is small beside others and just enough for what is new is one of that.
        new = request.messages[messages:] if messages else request.messages[-1:]
        size = sum(len(message.content.encode("utf-8", "replace")) + 128 for message in new)
        kept = last.prompt_tokens and 4 * usage.cached_tokens >= 3 * last.prompt_tokens
        small = not usage.cached_tokens and 2 * usage.prompt_tokens < most
        if (small and least_tokens(new) <= usage.prompt_tokens <= size // 2) or (
            kept and usage.cached_tokens < usage.prompt_tokens
        ):
            self._counts_new = True
            return
        said = f"the endpoint cuts the conversation silently: {evidence}; give it a larger context"
        raise BackendError(said, Cause.prompt_truncated)

    def _evidence(self, request: Request, messages: int, before: int, prompt: int) -> str:
        """A sentence about what shows that a prompt of so many tokens holds less than was sent; empty for nothing."""
        least, added = least_tokens(request.messages), max(1, least_tokens(request.messages[messages:]))
        if prompt < least:
            return f"it counts {prompt} tokens in a conversation of at least {least}"
        # templates take earlier thoughts out again: then prompts may shrink
        if before and prompt - before < added and not _thinks(request):
            return f"its prompt grew by {prompt - before} tokens while at least {added} were added to the conversation"
        return ""

    def _known(self, request: Request) -> tuple[int, Usage]:
        """How many messages the trial's last request had, and its usage; nothing where the trial began anew."""
        with self._lock:
            messages, usage = self._last.get(request.trial, (0, Usage()))
        return (messages, usage) if request.turn > 1 and messages < len(request.messages) else (0, Usage())


def least_tokens(messages: Iterable[Message]) -> int:
    """A lower bound that holds for every tokenizer; reasoning is not counted, since templates drop it."""
    words = 0
    for message in messages:
        calls = (json.dumps(dict(call.arguments), ensure_ascii=False) for call in message.tool_calls)
        words += sum(1 for text in (message.content, *calls) for _ in re.finditer(r"\w+", text))
    return words // 2


def _thinks(request: Request) -> bool:
    return any(message.reasoning for message in request.messages)
