"""The backend that runs a GGUF file in this process."""

from __future__ import annotations

import codecs
import hashlib
import json
import platform
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pytest_agentcore.backends.base import MIN_ROOM, FinishReason, Message, Reply, Request, ToolCall
from pytest_agentcore.backends.llama.engine import Context, LoadedModel, library_version
from pytest_agentcore.backends.llama.fit import Devices, check_fit, default_ctx, memory_facts
from pytest_agentcore.backends.llama.gguf import check_model, parts
from pytest_agentcore.backends.llama.prompt import PrefixCache, Prompt, Prompter
from pytest_agentcore.backends.llama.sampler import PENALTY_WINDOW, Grammar, GrammarSampler, Sampler
from pytest_agentcore.backends.llama.template import CHATML, ChatTemplate
from pytest_agentcore.backends.llama.vocabulary import PromptEncoder, Vocabulary
from pytest_agentcore.backends.reading import Reader
from pytest_agentcore.catalogue.entry import EngineSettings, ModelEntry, Policy
from pytest_agentcore.catalogue.files import file_digest
from pytest_agentcore.dialects.choose import Choice, choose_dialect
from pytest_agentcore.dialects.grammar import FINISH, call_grammar
from pytest_agentcore.dialects.parse import is_complete
from pytest_agentcore.errors import BackendError, EndOfTrial, UsageError
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import Usage


def describe_model(model: LoadedModel, context: Context) -> dict[str, Any]:
    """File, size, device and engine."""
    return {
        "file": model.path.name,
        "size": model.path.stat().st_size,
        "architecture": model.text("general.architecture") or "",
        "quant": model.description.rpartition(" ")[2],
        "parameters": model.parameters,
        "context": context.n_ctx,
        "context_train": model.context_train,
        "device": ", ".join(model.log.devices() if model.gpu_layers else ()) or f"CPU, {_threads(context.threads[0])}",
        "gpu_build": model.gpu_build,
        "warning": "; ".join(_warnings(model, context)),
        "engine": _engine(model, context),
        "llama_cpp_python": library_version(),
    }


def describe_template(template: ChatTemplate, *, found: bool) -> dict[str, Any]:
    """Dialect and chat template."""
    return {
        "dialect": template.choice.dialect.name,
        "dialect_reason": template.choice.reason,
        "template": {
            "from_file": found,
            "sha256": hashlib.sha256(template.source.encode()).hexdigest(),
            "date": template.today.date().isoformat() if template.dated else "",
            **asdict(template.habits),
        },
    }


def idle_gpu() -> str:
    """One sentence when the machine has a GPU that this build of llama-cpp-python cannot use; empty otherwise."""
    for found, name, build in (
        (Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi"), "an NVIDIA GPU", "-DGGML_CUDA=on"),
        (Path("/dev/kfd").exists(), "an AMD GPU", "-DGGML_HIP=on"),
        (platform.system() == "Darwin" and platform.machine() == "arm64", "an Apple GPU", "-DGGML_METAL=on"),
    ):
        if found:
            return (
                f"this machine has {name} and llama-cpp-python was built without support for it; everything runs on "
                f'the CPU. Rebuild with CMAKE_ARGS="{build}"'
            )
    return ""


def _warnings(model: LoadedModel, context: Context) -> Iterator[str]:
    if not model.gpu_build and (idle := idle_gpu()):
        yield idle
    if context.n_ctx > model.context_train:
        yield f"a context of {context.n_ctx} tokens is more than the {model.context_train} the model was trained for"


def _engine(model: LoadedModel, context: Context) -> Mapping[str, Any]:
    settings = asdict(model.settings)
    chosen = {
        "n_ctx": context.n_ctx,
        "n_batch": context.n_batch,
        "n_ubatch": min(model.settings.n_ubatch, context.n_batch),
        "n_gpu_layers": model.gpu_layers,
        "threads": context.threads[0],
        "threads_batch": context.threads[1],
        "flash_attn": "auto" if model.settings.flash_attn is None else model.settings.flash_attn,
        "swa_full": True,
    }
    return settings | chosen


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


class Draws(Protocol):
    """A sampler."""

    def draw(self) -> int | None:
        """The next token, or None when there can be none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What was sampled."""

    text: str
    ids: tuple[int, ...]
    """Without the token that ended the turn."""
    finish: FinishReason
    whole: bool
    """Whether the model ended its turn itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """When a reply is over."""

    tokens: Collection[int]
    """Those that end a turn."""
    limit: int
    """Tokens there may be at most."""
    at_limit: FinishReason
    """What reaching that means: the reply's ceiling, or the end of the context."""
    complete: Callable[[str], bool]
    """Whether nothing that belongs to the reply can follow its text."""


def cut_short(request: Request) -> FinishReason | None:
    """Whether the request was cancelled or its time is over."""
    if request.cancel.is_set():
        return FinishReason.cancelled
    return FinishReason.deadline if time.monotonic() > request.deadline else None


def sample_reply(sampler: Draws, cache: PrefixCache, vocabulary: Vocabulary, ends: Ends, request: Request) -> Sampled:
    """Draw tokens behind an evaluated prompt until something ends the reply.

    Text is decoded as it comes; a character split over tokens is handed to `watch` when it is whole.

    Raises:
        BackendError: the engine failed.
    """
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    ids: list[int] = []
    text, finish, whole = "", FinishReason.stop, False
    while True:
        token = sampler.draw()
        if token is None or token in ends.tokens:
            whole = token is not None
            break
        ids.append(token)
        piece = decode(vocabulary.piece(token))
        text += piece
        if reason := _over(request, ends, ids, text, piece):
            finish = reason
            break
        cache.append(token)
    if torn := decode(b"", final=True):
        request.watch(torn)
    return Sampled(text=text + torn, ids=tuple(ids), finish=finish, whole=whole)


def _over(request: Request, ends: Ends, ids: list[int], text: str, piece: str) -> FinishReason | None:
    if piece and request.watch(piece):
        return FinishReason.watch
    if piece and ends.complete(text):
        return FinishReason.stop
    if len(ids) >= ends.limit:
        return ends.at_limit
    return cut_short(request)


def open_backend(entry: ModelEntry, settings: EngineSettings) -> LlamaCppBackend:
    """Load the model of a registry entry on the calling thread.

    Raises:
        UsageError: one sentence about a file that is broken, too large for the memory, or not the one it should be;
            or about llama-cpp-python missing.
    """
    if entry.path is None:
        raise UsageError(
            f"{entry.name}: its file is not on this machine; `agentcore models {entry.name} --fetch` gets it"
        )
    header = check_model(entry.path)
    n_ctx = settings.n_ctx or default_ctx(header)
    before = Devices.for_model(settings)
    check_fit(header, settings, before)
    digest = file_digest(entry.path)
    if entry.sha256 and digest != entry.sha256:
        raise UsageError(f"{entry.path}: not the file that {entry.name} means, its sha256 is {digest}")
    model = LoadedModel(entry.path, settings)
    facts = {"sha256": digest, "size": sum(part.stat().st_size for part in parts(header))}
    try:
        facts |= {"quant": entry.quant} if entry.quant else {}
        backend = LlamaCppBackend(model, n_ctx, facts=facts, dialect=entry.dialect)
    except UsageError:
        model.close()
        raise
    backend.note("memory", memory_facts(header, settings, before=before, after=Devices.for_model(settings)))
    return backend


class LlamaCppBackend:
    """One model in this process; one conversation at a time."""

    name = "llama_cpp"
    slots = 1

    def __init__(
        self, model: LoadedModel, n_ctx: int, *, facts: Mapping[str, Any] | None = None, dialect: str = ""
    ) -> None:
        """Take over a loaded model; `close` frees it.

        Args:
            model: weights and vocabulary.
            n_ctx: tokens of the context.
            facts: more for `describe`.
            dialect: name of one that is used whatever the chat template says; empty leaves the choice to the template.

        Raises:
            UsageError: no context of this size can be made, the chat template cannot be used, or there is no such
                dialect.
        """
        self._model, self._facts = model, dict(facts or {})
        vocabulary = model.vocabulary
        source, choice = choose_for_model(model, dialect)
        self._template_found = source is not None
        self._template = ChatTemplate(
            source=source or CHATML, choice=choice, bos=vocabulary.bos, eos=vocabulary.eos, today=datetime.now(UTC)
        )
        own = [token for token in vocabulary.special if token in self._template.source]
        self._prompter = Prompter(self._template, PromptEncoder(vocabulary, own))
        self._reader = Reader(dialect=choice.dialect, special_tokens=vocabulary.control)
        self._ends = vocabulary.ends | {vocabulary.special[token] for token in choice.end_of_turn}
        self._context = Context(model, n_ctx)
        self._cache = PrefixCache(self._context)
        self._grammars: dict[str, Grammar] = {}

    def note(self, key: str, facts: Mapping[str, Any]) -> None:
        """Add to what `describe` says."""
        self._facts[key] = dict(facts)

    def complete(self, request: Request) -> Reply:
        """See `Backend.complete`."""
        began = time.monotonic()
        prompt = self._prompter.prompt(request, _offered(request.tools, request.policy))
        room = self._context.n_ctx - len(prompt.tokens)
        if room < MIN_ROOM:
            raise EndOfTrial(
                StopReason.context_overflow, f"{max(room, 0)} of {self._context.n_ctx} tokens are left in the context"
            )
        reasoning_open = self._template.choice.dialect.opens_reasoning(prompt.text)
        cached, sampled = self._run(request, prompt, room, reasoning_open=reasoning_open)
        read = self._reader.read(
            sampled.text,
            policy=request.policy,
            tools=request.tools,
            turn=request.turn,
            reasoning_open=reasoning_open,
        )
        reply = Reply(
            text=sampled.text,
            content=read.content,
            reasoning=read.reasoning,
            tool_calls=read.tool_calls,
            final=read.final,
            problems=read.problems,
            repairs=read.repairs,
            resembles=read.resembles,
            finish=sampled.finish,
            usage=Usage(prompt_tokens=len(prompt.tokens), cached_tokens=cached, reply_tokens=len(sampled.ids)),
            seconds=time.monotonic() - began,
            token_ids=sampled.ids,
        )
        self._prompter.remember(request, prompt, reply, whole=sampled.whole)
        return reply

    def _run(self, request: Request, prompt: Prompt, room: int, *, reasoning_open: bool) -> tuple[int, Sampled]:
        """Evaluate what is new and sample behind it; also how many tokens were held before."""
        if prompt.fork is None:
            cached = self._cache.go_on(prompt.tokens)
        else:
            cached = self._cache.begin_trial(prompt.tokens, prompt.fork)
        whole = self._cache.evaluate(prompt.tokens, fork=prompt.fork or 0, stop=lambda: cut_short(request) is not None)
        if not whole:
            finish = cut_short(request) or FinishReason.deadline
            return cached, Sampled(text="", ids=(), finish=finish, whole=False)
        limited = request.max_reply_tokens <= room
        ends = Ends(
            tokens=self._ends,
            limit=min(request.max_reply_tokens, room),
            at_limit=FinishReason.length if limited else FinishReason.context,
            complete=partial(is_complete, self._reader.dialect, reasoning_open=reasoning_open),
        )
        with closing(self._sampler(request, reasoning_open=reasoning_open)) as sampler:
            return cached, sample_reply(sampler, self._cache, self._model.vocabulary, ends, request)

    def _sampler(self, request: Request, *, reasoning_open: bool) -> Sampler | GrammarSampler:
        if request.policy is not Policy.constrained:
            return Sampler(self._context, request.sampling, request.seed)
        may_finish = request.turn > 1 or request.messages[-1].role == "tool"
        grammar = self._grammar(request.tools, allow_finish=may_finish, reasoning_open=reasoning_open)
        return GrammarSampler(self._context, request.sampling, request.seed, grammar)

    def _grammar(self, specs: Sequence[ToolSpec], *, allow_finish: bool, reasoning_open: bool) -> Grammar:
        key = json.dumps([allow_finish, reasoning_open, [asdict(spec) for spec in specs]], sort_keys=True)
        if key not in self._grammars:
            try:
                gbnf = call_grammar(
                    specs, dialect=self._reader.dialect, allow_finish=allow_finish, reasoning_open=reasoning_open
                )
            except ValueError as error:
                raise BackendError(f"the tools cannot be made into a grammar: {error}") from error
            self._grammars[key] = Grammar(self._context, gbnf)
        return self._grammars[key]

    def check_room(self, messages: Sequence[Message], tools: Sequence[ToolSpec], policy: Policy) -> None:
        """Refuse a context that is too small for the first request of a task.

        Raises:
            UsageError: says how many tokens the prompt takes.
        """
        taken = len(self._prompter.first(messages, _offered(tools, policy)).tokens)
        if taken + MIN_ROOM > self._context.n_ctx:
            raise UsageError(
                f"a context of {self._context.n_ctx} tokens is too small: the task's first prompt takes {taken} and a "
                f"reply needs {MIN_ROOM}; raise n_ctx"
            )

    def count_tokens(self, messages: Sequence[Message], tools: Sequence[ToolSpec], policy: Policy) -> int:
        """See `CountsTokens.count_tokens`."""
        return self._prompter.length(messages, _offered(tools, policy))

    def show_prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec], policy: Policy) -> str:
        """See `ShowsPrompts.show_prompt`."""
        return self._model.vocabulary.text(self._prompter.first(messages, _offered(tools, policy)).tokens)

    def read_calls(self, text: str, tools: Sequence[ToolSpec]) -> tuple[ToolCall, ...]:
        """See `ShowsPrompts.read_calls`."""
        return self._reader.read(text, policy=Policy.native, tools=tools, turn=1).tool_calls

    def describe(self) -> Mapping[str, Any]:
        """See `Backend.describe`."""
        described = describe_model(self._model, self._context)
        return {
            "backend": self.name,
            **described,
            "warning": "; ".join(filter(None, [described["warning"], self._template.warning])),
            **self._facts,
            **describe_template(self._template, found=self._template_found),
            "penalty_window": PENALTY_WINDOW,
        }

    def close(self) -> None:
        """See `Backend.close`."""
        for grammar in self._grammars.values():
            grammar.close()
        self._grammars.clear()
        self._context.close()
        self._model.close()


def choose_for_model(model: LoadedModel, wanted: str = "") -> tuple[str | None, Choice]:
    """The chat template of a loaded model and the dialect it speaks; a template for tools wins over one without.

    Raises:
        UsageError: no dialect is called `wanted`.
    """
    special = model.vocabulary.special
    source = model.text("tokenizer.chat_template")
    choice = choose_dialect(source, special, wanted=wanted)
    if not choice.taught and (with_tools := model.text("tokenizer.chat_template.tool_use")):
        return with_tools, choose_dialect(with_tools, special, wanted=wanted)
    return source, choice


def _offered(tools: Sequence[ToolSpec], policy: Policy) -> list[ToolSpec]:
    """What the prompt shows: under the constrained policy also the tool that ends the trial."""
    return [*tools, FINISH] if policy is Policy.constrained else list(tools)
