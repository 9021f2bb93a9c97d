"""Tokens a second of many conversations in this process, beside llama.cpp's own `llama-batched-bench`.

    python benchmarks/batching.py [MODEL ...] [--live 1,2,4,8] [--rounds 3] [--tokens 64] [--top-k N] [--constrained]
        [--bench PATH]

MODEL is a registry name or a path. Both sides decode as many conversations behind a prompt of about 128 tokens with the
same threads, flash attention and wait policy, in turns; ours also samples, decodes the text, watches and parses it.
Counted is what lies between the first token of the last conversation and the last token of the first one. `llama.cpp`
is PATH, built from the source that the installed llama-cpp-python carries (docs/measurements.md says how), or without
it a bare loop over the same bindings that samples nothing. Ratios are medians over the rounds of ours / llama.cpp: 1.00
is equal, less is slower. `not decoding` is the share of the time in which no call of llama.cpp's decode ran: sampling,
text and hand-over together. Tokens are drawn at temperature 0.7 and top_p 0.95, for which the whole vocabulary must be
looked at; `--top-k 64`, which the makers of Gemma advise, needs less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from generation import SHELL, WRITE

from pytest_agentcore.backends.base import Message, Reply, Request
from pytest_agentcore.backends.llama.backend import LlamaCppBackend, open_backend
from pytest_agentcore.backends.llama.engine import SPINS
from pytest_agentcore.catalogue.entry import EngineSettings, ModelEntry, Policy, Sampling
from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.trial.result import TrialKey

PROMPT, N_CTX, GOAL = 128, 1024, 0.9
SAMPLING = Sampling(temperature=0.7, top_p=0.95)


@dataclass
class Clock:
    """When each token of each conversation came, and the seconds that decoding took since it was last asked."""

    tokens: dict[int, list[float]] = field(default_factory=dict)
    steps: list[tuple[float, float]] = field(default_factory=list)
    """Begin and end of each call."""

    def watch(self, number: int) -> Callable[[str], bool]:
        """Note the times of a conversation's tokens."""
        moments = self.tokens.setdefault(number, [])

        def seen(_piece: str) -> bool:
            moments.append(time.perf_counter())
            return False

        return seen

    def figures(self) -> tuple[float, float]:
        """Tokens a second while all conversations were decoding, and the share of that time without a decode."""
        begin, end = max(one[0] for one in self.tokens.values()), min(one[-1] for one in self.tokens.values())
        count = sum(begin < moment <= end for one in self.tokens.values() for moment in one)
        decoding = sum(stop - start for start, stop in self.steps if begin < stop <= end)
        return count / (end - begin), 1 - decoding / (end - begin)


def main() -> None:
    """Measure and print."""
    options = _options()
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))  # both sides wait alike, however busy the machine is
    for model in options.models:
        entry = resolve(model)
        print(f"\n{entry.path.name if entry.path else model}\n")
        print("| live | rows | policy | ours tok/s | llama.cpp tok/s | ratio | not decoding |")
        print("|---:|---:|---|---:|---:|---:|---:|")
        for live in options.live:
            for rows, policy in _cases(live, max(options.live), options.constrained):
                _measure(entry, live, rows, policy, options)
    print(f"\ngoal: a ratio of {GOAL} at as many rows as conversations, native")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("models", nargs="*", default=["smollm2-135m"])
    parser.add_argument("--live", type=lambda text: [int(word) for word in text.split(",")], default=[1, 2, 4, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--top-k", type=int, default=0)
    parser.add_argument("--bench", type=Path, help="llama-batched-bench; without it a bare loop is run instead")
    parser.add_argument("--constrained", action="store_true", help="measure constrained decoding too")
    return parser.parse_args()


def _cases(live: int, most: int, constrained: bool) -> Iterator[tuple[int, Policy]]:
    """As many rows as conversations; and where these are few, the rest of a larger campaign, whose free rows draft."""
    yield live, Policy.native
    if live == 1 < most:
        yield most, Policy.native
    if constrained:
        yield live, Policy.constrained


def _measure(entry: ModelEntry, live: int, rows: int, policy: Policy, options: argparse.Namespace) -> None:
    ours, theirs, shares = [], [], []
    settings = EngineSettings(n_ctx=N_CTX, rows=rows, threads=options.threads)
    with closing(open_backend(entry, settings)) as backend:
        threads = backend.describe()["engine"]["threads"]
        for number in range(options.rounds + 1):
            speed, share = _ours(backend, live, policy, options.tokens, number, top_k=options.top_k)
            other = _theirs(str(entry.path), live, threads, options)
            if number:  # the first round warms the caches
                ours.append(speed)
                shares.append(share)
                theirs.append(other)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    mine, other, share = map(statistics.median, (ours, theirs, shares))
    print(f"| {live} | {rows} | {policy} | {mine:.1f} | {other:.1f} | {ratio:.2f} | {share:.0%} |", flush=True)


def _ours(
    backend: LlamaCppBackend, live: int, policy: Policy, tokens: int, number: int, *, top_k: int
) -> tuple[float, float]:
    clock, context = Clock(), backend._context
    backend._ends = frozenset()  # every conversation is to be as long as the others
    step = type(context).step

    def timed(*words: object) -> None:
        began = time.perf_counter()
        step(context, *words)  # type: ignore[arg-type]
        clock.steps.append((began, time.perf_counter()))

    context.step = timed  # type: ignore[method-assign,assignment]
    keys = [TrialKey("benchmark", f"task_{number}", index + 1) for index in range(live)]
    with ThreadPoolExecutor(live) as pool:
        replies = list(pool.map(lambda key: _reply(backend, key, policy, clock, tokens=tokens, top_k=top_k), keys))
    assert all(len(reply.token_ids) == tokens for reply in replies) or policy is Policy.constrained
    for key in keys:
        backend.release(key)
    return clock.figures()


def _reply(backend: LlamaCppBackend, key: TrialKey, policy: Policy, clock: Clock, *, tokens: int, top_k: int) -> Reply:
    words = "You write long texts about the sea and about those who work on it. " * 6
    request = Request(
        trial=key,
        turn=1,
        messages=(
            Message(role="system", content=words),
            Message(role="user", content=f"Story {key}: begin, and do not end."),
        ),
        tools=(WRITE, SHELL) if policy is Policy.constrained else (),
        sampling=replace(SAMPLING, top_k=top_k),
        seed=key.run,
        max_reply_tokens=tokens,
        policy=policy,
        watch=clock.watch(key.run),
    )
    return backend.complete(request)


def _theirs(path: str, live: int, threads: int, options: argparse.Namespace) -> float:
    """Tokens a second of llama.cpp's own program, or of a bare loop in a process of its own."""
    env = {"GOMP_SPINCOUNT": str(SPINS), **os.environ}
    shape = [path, str(live), str(threads), str(options.tokens)]
    if options.bench is None:
        words = [sys.executable, __file__, "bare-loop", *shape]
        return float(subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout)
    sizes = (
        f"-c {N_CTX * live} -b 512 -ub 512 -npp {PROMPT} -ntg {options.tokens} -npl {live} -t {threads} -tb {threads}"
    )
    words = [str(options.bench), "-m", path, *sizes.split(), "-fa", "on", "-no-kvu", "--output-format", "jsonl"]
    said = subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout
    line = next(line for line in said.splitlines() if line.startswith("{"))
    return float(json.loads(line)["speed_tg"])


def bare_loop(path: str, live: int, threads: int, tokens: int) -> float:
    """Decode so many sequences through the bindings alone: no sampler, no text, no threads of ours."""
    import llama_cpp.llama_cpp as library  # noqa: PLC0415

    from pytest_agentcore.backends.llama.engine import Context, LoadedModel  # noqa: PLC0415

    model = LoadedModel(Path(path), EngineSettings(threads=threads, flash_attn=True, rows=live))
    context = Context(model, N_CTX)
    for row in range(live):
        context.evaluate(row, range(100, 100 + PROMPT), 0, logits=False)
    batch = library.llama_batch_init(live, 0, 1)
    batch.n_tokens = live
    began = time.perf_counter()
    for place in range(PROMPT, PROMPT + tokens):
        for row in range(live):
            batch.token[row], batch.pos[row], batch.logits[row] = 100 + row, place, True
            batch.n_seq_id[row], batch.seq_id[row][0] = 1, row
        assert library.llama_decode(context.pointer, batch) == 0
        library.llama_get_logits_ith(context.pointer, live - 1)
    return live * tokens / (time.perf_counter() - began)


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare-loop"]:
        file, *numbers = sys.argv[2:]
        print(bare_loop(file, *map(int, numbers)))
    else:
        main()
