"""Ten tasks of the suite that ships, as a campaign of many rows, of one row, and in Inspect AI with llama-server.

    python benchmarks/campaign.py [MODEL] [--parallel auto] [--runs 1] [--policy constrained] [--server PATH]
        [--bench PATH] [--folder DIR] [-k EXPRESSION]

All sides have the same tasks, limits and model file. Under `constrained` every reply is made to be a call: ours by a
grammar, llama-server by `tool_choice: required`. Wall clock and CPU are of whole processes, start-up included; for
Inspect AI those of llama-server come on top, which is started before and has as many slots. Without `--server` (built
from the source that the installed llama-cpp-python carries) that side is left out.

One row decodes other last bits than many, so `--parallel 1` writes other texts. The side that has the same texts as the
many, token by token, is that of as many rows with one trial at a time. In Inspect AI a trial goes on behind a reply
that was cut off: what llama-server makes of a forced call often has no end. Where the time of ours went is told apart
below: what the thread that owns the engine did, and the rest of the wall clock. With `--bench` (llama-batched-bench)
also what the same tokens take there at least. Goal: twice as fast.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen
from unittest.mock import patch

import psutil
from harness import WORK, Spent, environment, fresh, now, run

from pytest_agentcore.backends.llama.engine import SPINS
from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.pack.read import read_campaign

GOAL, PORT = 2.0, 8911
PARTS = {
    "loading": "the model is loaded",
    "proof": "rows are proved, beside the first prompt",
    "prompts": "prompts are evaluated",
    "decoding": "tokens are decoded",
    "rounds": "tokens are sampled, read and handed out",
    "waiting": "nothing to do: tools, workspaces, checkers",
}
"""What the engine's thread did."""
TIMING = '''
"""Measures what the engine's thread does, and changes when trials arrive, and nothing else."""

import atexit
import json
import os
import time
from collections import Counter

from pytest_agentcore.backends.llama import engine, scheduler
from pytest_agentcore.session.parallel import InProcess

spent, inner, names = Counter(), [], []


def timed(owner, name, what):
    whole = getattr(owner, name)

    def measured(*words, **more):
        part = "proof" if what == "decoding" and "proof" in names else what
        began = time.perf_counter()
        inner.append(0.0)
        names.append(part)
        try:
            return whole(*words, **more)
        finally:
            took = time.perf_counter() - began
            names.pop()
            spent[part] += took - inner.pop()  # what is timed within it counts there
            if inner:
                inner[-1] += took

    setattr(owner, name, measured)


timed(engine.LoadedModel, "__init__", "loading")
timed(engine.Context, "evaluate", "prompts")
timed(engine.Context, "step", "decoding")
timed(scheduler, "prove", "proof")
timed(scheduler.Scheduler, "_round", "rounds")
timed(scheduler.Scheduler, "_take_in", "waiting")
if os.environ.get("ONE_AT_A_TIME"):
    InProcess.submit = lambda self, jobs: setattr(self, "at_once", 1)
atexit.register(lambda: open(os.environ["TIMES"], "w").write(json.dumps(spent)))
'''


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default="smollm2-135m")
    parser.add_argument("--parallel", default="auto")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--reply-tokens", type=int, default=128)
    parser.add_argument("--policy", default="constrained")
    parser.add_argument("--server", type=Path, help="llama-server")
    parser.add_argument("--bench", type=Path, help="llama-batched-bench")
    parser.add_argument("--folder", type=Path, help="keep the campaigns and Inspect AI's environment here")
    parser.add_argument("-k", dest="tasks", default="", help="as pytest's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "timing.py").write_text(TIMING)
        print("| | seconds | CPU seconds | trials | replies | reply tokens | tokens a second |")
        print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
        many = ours(folder, options.parallel, options)
        same = ours(folder, str(many.rows), options, one_at_a_time=True)
        single = ours(folder, "1", options)
        sides = {f"--parallel {options.parallel}": many.spent, f"{many.rows} rows, one trial at a time": same.spent}
        sides["--parallel 1"] = single.spent
        if options.server:
            sides["Inspect AI and llama-server"] = inspect_ai(folder, many.rows, options)
        fastest = many.spent.wall
        ratios = (f"{side}: {spent.wall / fastest:.2f}" for side, spent in sides.items())
        print(f"\nseconds to those of the first: {'; '.join(ratios)} (goal: {GOAL:g})\n")
        show_parts(many, same, single)
        if options.bench:
            show_bounds(options, many, same, single)


@dataclass(frozen=True, kw_only=True)
class Side:
    """A campaign of ours."""

    name: str
    spent: Spent
    rows: int
    prompt_tokens: int
    reply_tokens: int
    parts: Mapping[str, float]
    """Seconds, by what they were spent on."""


def show_parts(*sides: Side) -> None:
    """Print where the wall clock went."""
    print(f"| seconds | {' | '.join(side.name for side in sides)} |\n|---|{'---:|' * len(sides)}")
    for part, words in PARTS.items():
        print(f"| {words} | {' | '.join(f'{side.parts.get(part, 0.0):.1f}' for side in sides)} |")
    rest = [side.spent.wall - sum(side.parts.values()) for side in sides]
    print(f"| start-up, end and report | {' | '.join(f'{each:.1f}' for each in rest)} |")


def show_bounds(options: argparse.Namespace, *sides: Side) -> None:
    """Print what prompts and replies of as many tokens take in llama.cpp's own program, with nothing around them."""
    for side in sides:
        live = 1 if side is not sides[0] else side.rows
        sizes = f"-c {1024 * live} -b 512 -ub 512 -npp 512 -ntg 64 -npl {live} -fa on -no-kvu --output-format jsonl"
        words = [str(options.bench), "-m", str(resolve(options.model).path), *sizes.split()]
        with patch.dict(os.environ, {"GOMP_SPINCOUNT": str(SPINS)}):  # as ours waits
            said = json.loads(next(line for line in run(*words).splitlines() if line.startswith("{")))
        prompts, replies = side.prompt_tokens / said["speed_pp"], side.reply_tokens / said["speed_tg"]
        text = f"{side.prompt_tokens} prompt tokens {prompts:.1f} s, {side.reply_tokens} reply tokens {replies:.1f} s"
        print(f"\nllama-batched-bench, {live} at a time, for what {side.name} did: {text}")


def row(name: str, spent: Spent, trials: int, replies: int, tokens: int) -> None:
    """Print one line of the table."""
    cells = (f"{spent.wall:.1f}", f"{spent.cpu:.1f}", trials, replies, tokens, f"{tokens / spent.wall:.1f}")
    print(f"| {name} | " + " | ".join(map(str, cells)) + " |", flush=True)


def ours(folder: Path, parallel: str, options: argparse.Namespace, *, one_at_a_time: bool = False) -> Side:
    """A campaign as a user would type it, with a stop-watch in it."""
    results = fresh(folder)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", f"--model={options.model}"]
    words += [f"--agentcore-results={results}", f"--agentcore-parallel={parallel}", f"--runs={options.runs}"]
    words += [f"--tool-calls={options.policy}", f"--agentcore-max-turns={options.turns}", "--agentcore-preflight=off"]
    words += [f"--agentcore-reply-tokens={options.reply_tokens}", "--agentcore-engine=n_ctx=4096", "-p", "timing"]
    words += ["-k", options.tasks] if options.tasks else []
    times = Path(results) / "times.json"
    path = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    told = {"PYTHONPATH": path, "TIMES": str(times), "ONE_AT_A_TIME": "yes" if one_at_a_time else ""}
    began = now()
    with patch.dict(os.environ, told), suppress(SystemExit):  # small models fail tasks, which is no failure here
        run(*words)
    spent = now() - began
    parts = json.loads(times.read_text())
    times.unlink()
    campaign = read_campaign(max(Path(results).iterdir()), Path(results))
    rows = campaign.manifest.rows or 1
    tokens = sum(result.reply_tokens for result in campaign.results)
    turns = sum(result.turns for result in campaign.results)
    name = f"--parallel {parallel} ({rows} rows{', one trial at a time' if one_at_a_time else ''})"
    row(name, spent, len(campaign.results), turns, tokens)
    evaluated = campaign.manifest.backend["counts"]["prompt_tokens_evaluated"]
    return Side(name=name, spent=spent, rows=rows, prompt_tokens=evaluated, reply_tokens=tokens, parts=parts)


def inspect_ai(folder: Path, slots: int, options: argparse.Namespace) -> Spent:
    """The same there, in an environment of its own."""
    python = environment(folder / "inspect-venv", "inspect-ai", "openai")
    prompts = write_tasks(folder, options.tasks)
    with llama_server(options, slots) as server:
        began, before = now(), server.cpu_times()
        choice = "any" if options.policy == "constrained" else "auto"
        limits = [*map(str, (slots, options.turns, options.reply_tokens, options.runs)), choice]
        words = [str(WORK / "inspect_campaign.py"), f"http://127.0.0.1:{PORT}/v1", str(prompts), fresh(folder), *limits]
        told = json.loads(run(str(python), *words, cwd=folder).splitlines()[-1])
        after = server.cpu_times()
        spent = now() - began + Spent(0.0, after.user + after.system - before.user - before.system)
    row(f"Inspect AI, {slots} at a time, and llama-server", spent, told["trials"], told["replies"], told["tokens"])
    return spent


def write_tasks(folder: Path, wanted: str) -> Path:
    """Prompts, tools and the files of the first instance of each task, for a harness that knows no suite of ours."""
    from pytest_agentcore.session.collect import Collected, collect  # noqa: PLC0415

    def write(collected: Collected) -> Path:
        told = []
        for suite, task in collected.tasks:
            home, names = folder / "files" / task.id, []
            if wanted and not any(word in task.id for word in wanted.split(" or ")):
                continue
            for name, content in task.instance(suite.version, 1).files.items():
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (home / name).write_bytes(content.encode() if isinstance(content, str) else content)
                names.append(name)
            told.append(
                {
                    "id": task.id,
                    "system": suite.system_prompt,
                    "prompt": task.prompt,
                    "tools": task.tools,
                    "files": {name: str(home / name) for name in names},
                }
            )
        (folder / "tasks.json").write_text(json.dumps(told))
        return folder / "tasks.json"

    return collect(["agentic-core-v1"], write)


@contextmanager
def llama_server(options: argparse.Namespace, slots: int) -> Iterator[psutil.Process]:
    """llama-server with as many slots, once it answers."""
    sizes = f"-c {4096 * slots} -np {slots} --port {PORT} --host 127.0.0.1 --jinja"
    words = [str(options.server), "-m", str(resolve(options.model).path), *sizes.split()]
    process = Popen(words, stdout=DEVNULL, stderr=DEVNULL)
    try:
        while process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health") as answer:
                if answer.status == 200:
                    break
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
