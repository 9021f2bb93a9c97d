"""The backend that runs a GGUF file in this process."""

from __future__ import annotations

import codecs
import hashlib
import json
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytest_agentcore.backends.base import MIN_ROOM, FinishReason, Message, Reply, Request, ToolCall
from pytest_agentcore.backends.llama.engine import Context, LoadedModel, xdist_worker
from pytest_agentcore.backends.llama.fit import (
    Devices,
    Footprint,
    check_cache_types,
    check_fit,
    default_ctx,
    gpus,
    own_gpus,
)
from pytest_agentcore.backends.llama.gguf import check_model
from pytest_agentcore.backends.llama.prompt import PrefixCache, Prompter
from pytest_agentcore.backends.llama.sampler import PENALTY_WINDOW, GrammarSampler, Sampler, parse_grammar
from pytest_agentcore.backends.llama.template import CHATML, ChatTemplate
from pytest_agentcore.backends.llama.vocabulary import PromptEncoder
from pytest_agentcore.backends.reading import number_calls, offered, read_text
from pytest_agentcore.catalogue.entry import EngineSettings, ModelEntry, Policy
from pytest_agentcore.catalogue.files import file_digest
from pytest_agentcore.dialects.choose import choose_template
from pytest_agentcore.dialects.grammar import call_grammar
from pytest_agentcore.dialects.parse import is_complete, parse
from pytest_agentcore.errors import BackendError, EndOfTrial, UsageError
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import Usage


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
    settings = own_gpus(settings, *xdist_worker(), len(gpus(settings)))
    header, before = check_model(entry.path), Devices.for_model(settings)
    check_cache_types(header, settings)
    check_fit(header, settings, before)
    digest = file_digest(entry.path)
    if entry.sha256 and digest != entry.sha256:
        raise UsageError(f"{entry.path}: not the file that {entry.name} means, its sha256 is {digest}")
    model = LoadedModel(entry.path, settings)
    footprint, n_ctx = Footprint.of(header, settings), settings.n_ctx or default_ctx(header)
    try:
        backend = LlamaCppBackend(model, n_ctx, dialect=entry.dialect)
    except UsageError:
        model.close()
        raise
    # main memory and GPUs are only read again now, with the cache allocated: the manifest compares it with the estimate
    after = Devices.for_model(settings)
    memory = {
        "device": after.name,
        "foretold": footprint.total(n_ctx),
        "kv_cache": footprint.cache(n_ctx),
        "free_before": before.free,
        "free_after": after.free,
        "used_before": before.used,
        "used_after": after.used,
    }
    backend.facts |= {"sha256": digest, "size": footprint.weights, "memory": memory}
    backend.facts |= {"quant": entry.quant} if entry.quant else {}
    return backend


class LlamaCppBackend:
    """One model in this process; one conversation at a time."""

    name = "llama_cpp"
    slots = 1

    def __init__(self, model: LoadedModel, n_ctx: int, *, dialect: str = "") -> None:
        """Take over a loaded model; `close` frees it.

        Args:
            model: weights and vocabulary.
            n_ctx: tokens of the context.
            dialect: name of one that is used whatever the chat template says; empty leaves the choice to the template.

        Raises:
            UsageError: no context of this size can be made, the chat template cannot be used, or there is no such
                dialect.
        """
        self._model, vocabulary = model, model.vocabulary
        self.facts: dict[str, Any] = {}
        """What `describe` says besides."""
        source, choice = choose_template(
            model.text("tokenizer.chat_template"),
            model.text("tokenizer.chat_template.tool_use"),
            vocabulary.special,
            wanted=dialect,
        )
        self._template_found = source is not None
        self._template = ChatTemplate(
            source=source or CHATML, choice=choice, bos=vocabulary.bos, eos=vocabulary.eos, today=datetime.now(UTC)
        )
        self._dialect = choice.dialect
        self._ends = vocabulary.ends | {vocabulary.special[token] for token in choice.dialect.end_of_turn}
        own = [token for token in vocabulary.special if token in self._template.source]
        self._prompter = Prompter(self._template, PromptEncoder(vocabulary, own))
        self._context = Context(model, n_ctx)
        self._cache = PrefixCache(self._context)
        self._grammars: dict[str, Any] = {}

    def complete(self, request: Request) -> Reply:
        """See `Backend.complete`."""
        began = time.monotonic()

        # Prompt: the template renders the conversation. What the trial's last turn tokenized keeps its tokens, those
        # that were sampled included: tokenized again the same text mostly gives others, and nothing could be reused.
        prompt = self._prompter.prompt(request, offered(request.tools, request.policy))
        room = self._context.n_ctx - len(prompt.tokens)
        if room < MIN_ROOM:
            left = f"{max(room, 0)} of {self._context.n_ctx} tokens are left in the context"
            raise EndOfTrial(StopReason.context_overflow, left)

        # Evaluate: only what the context does not hold yet, in batches; cancel and deadline are noticed between them.
        cached = self._cache.reuse(prompt)
        finish = self._cache.evaluate(prompt, request.cut_short)

        # Sample: a token at a time, each evaluated before the next is drawn, until something ends the reply.
        reasoning_open = self._dialect.opens_reasoning(prompt.text)
        text, whole = "", False
        ids: list[int] = []
        if finish is None:
            with closing(self._sampler(request, reasoning_open=reasoning_open)) as sampler:
                text, ids, finish, whole = self._sample(sampler, request, room, reasoning_open=reasoning_open)

        # Read: the text is taken apart as the policy says, and kept for the trial's next prompt.
        control = self._model.vocabulary.control
        read = read_text(text, request, self._dialect, reasoning_open=reasoning_open, special_tokens=control)
        reply = replace(
            read,
            finish=finish,
            usage=Usage(prompt_tokens=len(prompt.tokens), cached_tokens=cached, reply_tokens=len(ids)),
            seconds=time.monotonic() - began,
            token_ids=tuple(ids),
        )
        self._prompter.remember(request, prompt, reply, whole=whole)
        return reply

    def _sample(
        self, sampler: Sampler, request: Request, room: int, *, reasoning_open: bool
    ) -> tuple[str, list[int], FinishReason, bool]:
        """Draw tokens behind an evaluated prompt until something ends the reply.

        Returns the text, the tokens without the one that ended the turn, what ended the reply, and whether it is whole:
        the model ended its turn itself.

        Raises:
            BackendError: the engine failed.
        """
        limit = min(request.max_reply_tokens, room)
        # a character may be split over tokens: `watch` gets it when it is whole
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        ids: list[int] = []
        text, whole, finish = "", False, None
        while finish is None:
            token = sampler.draw()
            if token is None or token in self._ends:  # None: the grammar has come to its end
                finish, whole = FinishReason.stop, token is not None
                break
            ids.append(token)
            piece = decode(self._model.vocabulary.piece(token))
            text += piece
            if piece and request.watch(piece):
                finish = FinishReason.watch
            elif piece and is_complete(self._dialect, text, reasoning_open=reasoning_open):
                finish = FinishReason.stop
            elif len(ids) >= limit:
                finish = FinishReason.length if limit == request.max_reply_tokens else FinishReason.context
            else:
                finish = request.cut_short()
            if finish is None:  # nothing is drawn behind the last token, so it need not be evaluated
                self._cache.advance([token])
        if torn := decode(b"", final=True):
            request.watch(torn)
        return text + torn, ids, finish, whole

    def _sampler(self, request: Request, *, reasoning_open: bool) -> Sampler:
        if request.policy is not Policy.constrained:
            return Sampler(self._context, request.sampling, request.seed)
        # barred from the first reply of a task: small models would finish at once instead of trying
        may_finish = request.turn > 1 or request.messages[-1].role == "tool"
        key = json.dumps([may_finish, reasoning_open, [asdict(spec) for spec in request.tools]], sort_keys=True)
        if key not in self._grammars:  # parsed once, since parsing takes longer than a token
            try:
                gbnf = call_grammar(
                    request.tools, dialect=self._dialect, allow_finish=may_finish, reasoning_open=reasoning_open
                )
            except ValueError as error:
                raise BackendError(f"the tools cannot be made into a grammar: {error}") from error
            self._grammars[key] = parse_grammar(self._context, gbnf)
        return GrammarSampler(self._context, request.sampling, request.seed, self._grammars[key])

    def check_room(self, messages: Sequence[Message], tools: Sequence[ToolSpec], policy: Policy) -> None:
        """Refuse a context that is too small for the first request of a task.

        Raises:
            UsageError: says how many tokens the prompt takes.
        """
        taken = self.count_tokens(messages, tools, policy)
        if taken + MIN_ROOM > self._context.n_ctx:
            raise UsageError(
                f"a context of {self._context.n_ctx} tokens is too small: the task's first prompt takes {taken} and a "
                f"reply needs {MIN_ROOM}; raise n_ctx"
            )

    def count_tokens(self, messages: Sequence[Message], tools: Sequence[ToolSpec], policy: Policy) -> int:
        """See `CountsTokens.count_tokens`."""
        return len(self._prompter.tokens(messages, offered(tools, policy)))

    def show_prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec], policy: Policy) -> str:
        """See `ShowsPrompts.show_prompt`."""
        return self._model.vocabulary.text(self._prompter.tokens(messages, offered(tools, policy)))

    def read_calls(self, text: str, tools: Sequence[ToolSpec]) -> tuple[ToolCall, ...]:
        """See `ShowsPrompts.read_calls`."""
        schemas = {spec.name: spec.parameters for spec in tools}
        return number_calls(parse(self._dialect, text, schemas=schemas).calls, turn=1)

    def describe(self) -> Mapping[str, Any]:
        """See `Backend.describe`."""
        model, context, template = self._model, self._context, self._template
        threads = context.chosen["threads"]
        cpu = f"CPU, {threads} thread{'s' if threads > 1 else ''}"
        beyond = f"a context of {context.n_ctx} tokens is more than the {model.context_train} the model was trained for"
        warnings = (
            "" if model.gpu_build else idle_gpu(),
            beyond if context.n_ctx > model.context_train else "",
            template.warning,
        )
        return {
            "backend": self.name,
            "file": model.path.name,
            "size": model.path.stat().st_size,
            "architecture": model.text("general.architecture") or "",
            "quant": model.description.rpartition(" ")[2],
            "parameters": model.parameters,
            "context": context.n_ctx,
            "context_train": model.context_train,
            "device": ", ".join(model.log.devices() if model.gpu_layers else ()) or cpu,
            "gpu_build": model.gpu_build,
            "warning": "; ".join(filter(None, warnings)),
            "engine": asdict(model.settings) | context.chosen,
            "llama_cpp_python": version("llama-cpp-python"),
            **self.facts,
            "dialect": self._dialect.name,
            "dialect_reason": template.choice.reason,
            "template": {
                "from_file": self._template_found,
                "sha256": hashlib.sha256(template.source.encode()).hexdigest(),
                "date": template.today.date().isoformat() if template.dated else "",
                **asdict(template.habits),
            },
            "penalty_window": PENALTY_WINDOW,
        }

    def close(self) -> None:
        """See `Backend.close`."""
        for grammar in self._grammars.values():
            self._model.library.llama_sampler_free(grammar)
        self._grammars.clear()
        self._context.close()
        self._model.close()


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
