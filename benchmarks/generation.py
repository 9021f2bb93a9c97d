"""Generation in-process beside `llama_cpp.Llama.generate`: the same file, prompt tokens, sampling and grammar.

    python benchmarks/generation.py [MODEL] [--rounds 5] [--tokens 96] [--threads N]

MODEL is a registry name or a path. Both sides are timed from the request to the last token, prompt included, in turns;
ratios are the median over the rounds of theirs / ours, by the clock and by CPU time (which a busy machine does not
disturb): 1.00 is equal, less is slower. Ours also renders the template, decodes the text, watches it and parses it. The
last lines say how much of the previous prompt and reply came from the cache.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytest_agentcore.backends.base import Message, Reply, Request
from pytest_agentcore.backends.llama.backend import LlamaCppBackend, open_backend
from pytest_agentcore.catalogue.entry import EngineSettings, Policy, Sampling
from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.dialects.grammar import FINISH, call_grammar
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.result import TrialKey

SAMPLING = Sampling(temperature=0.7, top_p=0.95, top_k=40)
N_CTX = 4096
WRITE = ToolSpec(
    name="fs_write",
    description="Write a text file.",
    parameters={
        "type": "object",
        "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["path", "content"],
        "additionalProperties": False,
    },
)
SHELL = ToolSpec(
    name="shell",
    description="Run a command in the workspace.",
    parameters={
        "type": "object",
        "properties": {"command": {"type": "string"}},
        "required": ["command"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True)
class Spent:
    """Seconds of one reply."""

    clock: float
    cpu: float

    @classmethod
    def since(cls, start: Spent) -> Spent:
        """From `start` to now."""
        return cls(time.perf_counter() - start.clock, time.process_time() - start.cpu)

    @classmethod
    def now(cls) -> Spent:
        """To be given to `since`."""
        return cls(time.perf_counter(), time.process_time())


@dataclass(frozen=True)
class Row:
    """One round of one policy."""

    ours: Spent
    theirs: Spent
    tokens: int


def main() -> None:
    """Run and print."""
    options = _options()
    entry = resolve(options.model)
    backend = open_backend(entry, EngineSettings(n_ctx=N_CTX, threads=options.threads))
    described = backend.describe()
    other = _other(str(entry.path), described["engine"]["threads"])
    print(f"{described['file']}, {described['device']}, llama-cpp-python {described['llama_cpp_python']}")
    print(f"{'policy':<12} {'tokens':>6} {'ours tok/s':>11} {'generate tok/s':>15} {'ratio':>6} {'CPU ratio':>10}")
    for policy in (Policy.native, Policy.constrained):
        rows = [_round(backend, other, policy, options.tokens, n) for n in range(options.rounds + 1)][1:]
        _print(policy, rows)
    for policy in (Policy.native, Policy.constrained):
        share = min(_cached_shares(backend, policy))
        print(f"{policy:<12} {share:.1%} of the previous prompt and reply came from the cache, in the worst turn")
    backend.close()
    other.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="smollm2-135m")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def _other(path: str, threads: int) -> Any:
    from llama_cpp.llama import Llama  # noqa: PLC0415

    return Llama(path, n_ctx=N_CTX, n_threads=threads, n_threads_batch=threads, flash_attn=True, verbose=False)


def _request(policy: Policy, tokens: int, number: int) -> Request:
    system = f"Session {number}. You are an agent that works in a folder of files through tools."
    question = "Write a poem of forty lines about the sea into poem.txt, then show it."
    return Request(
        trial=TrialKey("benchmark", f"task_{number}", 1),
        turn=1,
        messages=(Message(role="system", content=system), Message(role="user", content=question)),
        tools=(WRITE, SHELL),
        sampling=SAMPLING,
        seed=1000 + number,
        max_reply_tokens=tokens,
        policy=policy,
    )


def _round(backend: LlamaCppBackend, other: Any, policy: Policy, tokens: int, number: int) -> Row:
    request = _request(policy, tokens, number)
    began = Spent.now()
    reply = backend.complete(request)
    ours = Spent.since(began)
    count = len(reply.token_ids)
    specs = [*request.tools, FINISH] if policy is Policy.constrained else list(request.tools)
    prompt = backend._prompter.first(request.messages, specs).tokens
    theirs = _generate(other, prompt, request, _grammar(backend, request), count)
    return Row(ours=ours, theirs=theirs, tokens=count)


def _grammar(backend: LlamaCppBackend, request: Request) -> Any:
    from llama_cpp.llama_grammar import LlamaGrammar  # noqa: PLC0415

    if request.policy is not Policy.constrained:
        return None
    gbnf = call_grammar(request.tools, dialect=backend._dialect, allow_finish=False)
    return LlamaGrammar.from_string(gbnf, verbose=False)


def _generate(other: Any, prompt: list[int], request: Request, grammar: Any, count: int) -> Spent:
    """What it takes for as many tokens as ours took, sampled with the same values."""
    other.reset()
    other.set_seed(request.seed)
    began = Spent.now()
    sampled = other.generate(
        prompt,
        temp=SAMPLING.temperature,
        top_p=SAMPLING.top_p,
        top_k=SAMPLING.top_k,
        min_p=0.0,
        repeat_penalty=1.0,
        grammar=grammar,
    )
    for _, _token in zip(range(count), sampled, strict=False):
        pass
    return Spent.since(began)


def _print(policy: Policy, rows: list[Row]) -> None:
    ours = statistics.median(row.tokens / row.ours.clock for row in rows)
    theirs = statistics.median(row.tokens / row.theirs.clock for row in rows)
    ratio = statistics.median(row.theirs.clock / row.ours.clock for row in rows)
    cpu = statistics.median(row.theirs.cpu / row.ours.cpu for row in rows)
    tokens = sum(row.tokens for row in rows)
    print(f"{policy:<12} {tokens:>6} {ours:>11.1f} {theirs:>15.1f} {ratio:>6.2f} {cpu:>10.2f}", flush=True)


def _cached_shares(backend: LlamaCppBackend, policy: Policy, turns: int = 4) -> Iterator[float]:
    """Per turn, how much of what the last prompt and reply held was not evaluated again."""
    request = _request(policy, 64, 500)
    reply = backend.complete(request)
    for turn in range(2, turns + 1):
        held = reply.usage.prompt_tokens + reply.usage.reply_tokens
        request = _next(request, reply, turn)
        reply = backend.complete(request)
        yield reply.usage.cached_tokens / held


def _next(request: Request, reply: Reply, turn: int) -> Request:
    answer = Message(role="assistant", content=reply.content, tool_calls=reply.tool_calls)
    results = tuple(
        Message(role="tool", content="exit code 0", tool_call_id=call.id, name=call.name) for call in reply.tool_calls
    ) or (Message(role="user", content="Go on."),)
    changes = {"turn": turn, "messages": (*request.messages, answer, *results), "max_reply_tokens": 64}
    return Request(**{name: getattr(request, name) for name in Request.__slots__} | changes)


if __name__ == "__main__":
    main()
