"""The backend that runs a GGUF file in this process."""

from __future__ import annotations

import codecs
import hashlib
import json
import platform
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytest_agentcore.backends.base import (
    MIN_ROOM,
    FinishReason,
    Message,
    Reply,
    Request,
    Say,
    ToolCall,
    say_nothing,
)
from pytest_agentcore.backends.llama.engine import Context, LoadedModel, xdist_worker
from pytest_agentcore.backends.llama.fit import (
    Devices,
    Footprint,
    check_cache_types,
    check_fit,
    default_ctx,
    gpus,
    memory_available,
    own_gpus,
)
from pytest_agentcore.backends.llama.gguf import check_model
from pytest_agentcore.backends.llama.prompt import Prompter
from pytest_agentcore.backends.llama.sampler import PENALTY_WINDOW, GrammarSampler, Sampler, parse_grammar
from pytest_agentcore.backends.llama.scheduler import Generation, Scheduler
from pytest_agentcore.backends.llama.template import open_template
from pytest_agentcore.backends.llama.vocabulary import PromptEncoder, Vocabulary
from pytest_agentcore.backends.reading import may_finish, number_calls, offered, read_text
from pytest_agentcore.catalogue.entry import EngineSettings, ModelEntry, Policy, settings_of
from pytest_agentcore.catalogue.files import file_digest
from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.grammar import call_grammar
from pytest_agentcore.dialects.parse import is_complete, parse
from pytest_agentcore.errors import BackendError, EndOfTrial, UsageError
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialKey, Usage

PREFIX_BYTES = 2**30
"""Kept of prompts' beginnings, or as much as one row takes where that is more; but no more than a quarter of what is
free."""
_UTF8 = codecs.getincrementaldecoder("utf-8")


def open_backend(entry: ModelEntry, settings: EngineSettings, say: Say = say_nothing) -> LlamaCppBackend:
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
    digest = file_digest(entry.path, partial(say, "checking the file"))
    if entry.sha256 and digest != entry.sha256:
        raise UsageError(f"{entry.path}: not the file that {entry.name} means, its sha256 is {digest}")
    model = LoadedModel(entry.path, settings, done=partial(say, "loading the model"))
    footprint, n_ctx = Footprint.of(header, settings), settings.n_ctx or default_ctx(header)
    try:
        one_row = footprint.state + footprint.cache(n_ctx) // settings.rows
        prefix_bytes = min(max(one_row, PREFIX_BYTES), memory_available() // 4)
        backend = LlamaCppBackend(model, n_ctx, prefix_bytes=prefix_bytes, dialect=entry.dialect)
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
    """One model in this process, and as many conversations at a time as its context has rows."""

    name = "llama_cpp"

    def __init__(self, model: LoadedModel, n_ctx: int, *, prefix_bytes: int = 2**28, dialect: str = "") -> None:
        """Take over a loaded model; `close` frees it.

        Args:
            model: weights and vocabulary.
            n_ctx: tokens of each conversation's context.
            prefix_bytes: most that is kept beside the context of beginnings that prompts share.
            dialect: name of one that is used whatever the chat template says; empty leaves the choice to the template.

        Raises:
            UsageError: no context of this size can be made, the chat template cannot be used, or there is no such
                dialect.
        """
        self._model, vocabulary = model, model.vocabulary
        self.facts: dict[str, Any] = {}
        """What `describe` says besides."""
        found = model.text("tokenizer.chat_template")
        tool_template = model.text("tokenizer.chat_template.tool_use")
        self._template_found = bool(found or tool_template)
        self._template = open_template(
            found, tool_template, vocabulary.special, bos=vocabulary.bos, eos=vocabulary.eos, wanted=dialect
        )
        self._dialect = self._template.choice.dialect
        self._ends = vocabulary.ends | {vocabulary.special[token] for token in self._dialect.end_of_turn}
        own = [token for token in vocabulary.special if token in self._template.source]
        self._prompter = Prompter(self._template, PromptEncoder(vocabulary, own))
        self._context, self.slots = Context(model, n_ctx), model.settings.rows
        self._scheduler = Scheduler(self._context, prefix_bytes=prefix_bytes)
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

        # Evaluate and sample: on the decoder's thread, together with other conversations. The text takes each token.
        reasoning_open = self._dialect.opens_reasoning(prompt.text)
        limit = min(request.max_reply_tokens, room)
        written = Writing(
            request=request,
            vocabulary=self._model.vocabulary,
            dialect=self._dialect,
            ends=self._ends,
            limit=limit,
            reasoning_open=reasoning_open,
        )
        with closing(self._sampler(request, reasoning_open=reasoning_open)) as sampler:
            asked = Generation(
                trial=request.trial,
                prompt=prompt,
                sampler=sampler,
                ends=self._ends,
                take=written.take,
                stop=request.cut_short,
            )
            finish = self._scheduler.run(asked)
        written.close()

        # Read: the text is taken apart as the policy says, and kept for the trial's next prompt.
        control = self._model.vocabulary.control
        read = read_text(written.text, request, self._dialect, reasoning_open=reasoning_open, special_tokens=control)
        reply = replace(
            read,
            finish=finish,
            usage=Usage(prompt_tokens=len(prompt.tokens), cached_tokens=asked.cached, reply_tokens=len(written.ids)),
            seconds=time.monotonic() - began,
            token_ids=tuple(written.ids),
        )
        self._prompter.remember(request, prompt, reply, whole=written.whole)
        return reply

    def release(self, trial: TrialKey) -> None:
        """See `Leases.release`."""
        self._scheduler.release(trial)

    def _sampler(self, request: Request, *, reasoning_open: bool) -> Sampler:
        if request.policy is not Policy.constrained:
            return Sampler(self._context, request.sampling, request.seed)
        key = json.dumps(
            [may_finish(request), reasoning_open, [asdict(spec) for spec in request.tools]], sort_keys=True
        )
        if key not in self._grammars:  # parsed once, since parsing takes longer than a token
            try:
                finish = may_finish(request)
                gbnf = call_grammar(
                    request.tools, dialect=self._dialect, allow_finish=finish, reasoning_open=reasoning_open
                )
            except ValueError as error:
                raise BackendError(f"the tools cannot be made into a grammar: {error}") from error
            parsed = parse_grammar(self._context, gbnf)
            if self._grammars.setdefault(key, parsed) is not parsed:  # another trial's thread was faster
                self._model.library.llama_sampler_free(parsed)
        return GrammarSampler(self._context, request.sampling, request.seed, self._grammars[key])

    def check_room(self, messages: Sequence[Message], tools: Sequence[ToolSpec], policy: Policy) -> None:
        """Refuse a context that is too small for the first request of a task, and rows that the model cannot do.

        Raises:
            UsageError: says how many tokens the prompt takes.
        """
        prompt = self._prompter.first(messages, offered(tools, policy))
        taken = len(prompt.tokens)
        if taken + MIN_ROOM > self._context.n_ctx:
            raise UsageError(
                f"a context of {self._context.n_ctx} tokens is too small: the task's first prompt takes {taken} and a "
                f"reply needs {MIN_ROOM}; raise n_ctx"
            )
        proof = self._scheduler.prove(prompt)
        if self._model.forgets_only_all and not proof.shapes:
            raise UsageError(
                f"--agentcore-parallel {self.slots}: conversations side by side change each other's state in "
                f"{self._model.path.name}; --agentcore-parallel=1 runs them one at a time"
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
            **self._batching(),
            "engine": {key: getattr(model.settings, key) for key in settings_of(EngineSettings)} | context.chosen,
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

    def counts(self) -> Mapping[str, int]:
        """See `Counts.counts`."""
        done, prefixes = self._scheduler, self._scheduler.prefixes
        return {
            "prompt_tokens_evaluated": prefixes.evaluated,
            "prompt_tokens_distinct": prefixes.distinct,
            "drafted": done.drafted,
            "accepted": done.accepted,
        }

    def _batching(self) -> dict[str, Any]:
        """Facts that were proved of the rows; none where there is only one."""
        if self.slots == 1:
            return {}
        proof = self._scheduler.prove()
        verdict = f"proven for {self.slots} rows" if proof.shapes else "not on this build"
        return {"batching": f"batch-invariant: {verdict}", "drafts": proof.drafts}

    def close(self) -> None:
        """See `Backend.close`."""
        self._scheduler.close()
        for grammar in self._grammars.values():
            self._model.library.llama_sampler_free(grammar)
        self._grammars.clear()
        self._context.close()
        self._model.close()


@dataclass(slots=True, kw_only=True)
class Writing:
    """The text of a reply while its tokens come, and what ends it."""

    request: Request
    vocabulary: Vocabulary
    dialect: Dialect
    ends: Collection[int]
    """Tokens that end the model's turn."""
    limit: int
    """Tokens it may have at most."""
    reasoning_open: bool
    """Whether the prompt ended inside a reasoning block."""
    text: str = ""
    ids: list[int] = field(default_factory=list)
    """Without the token that ended the turn."""
    whole: bool = False
    """Whether the model ended its turn itself."""
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: _UTF8("replace"))
    """A character may be split over tokens: `watch` gets it when it is whole."""

    def take(self, token: int | None) -> FinishReason | None:
        """Add a token (None: the grammar has come to its end); say what ends the reply, if it is over."""
        if token is None or token in self.ends:
            self.whole = token is not None
            return FinishReason.stop
        self.ids.append(token)
        piece = self.decoder.decode(self.vocabulary.piece(token))
        self.text += piece
        if piece and self.request.watch(piece):
            return FinishReason.watch
        if piece and is_complete(self.dialect, self.text, reasoning_open=self.reasoning_open):
            return FinishReason.stop
        if len(self.ids) >= self.limit:
            clamped = self.limit < self.request.max_reply_tokens
            return FinishReason.context if clamped else FinishReason.length
        return self.request.cut_short()

    def close(self) -> None:
        """Add the character that was not complete when the reply ended."""
        if torn := self.decoder.decode(b"", final=True):
            self.request.watch(torn)
            self.text += torn


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
