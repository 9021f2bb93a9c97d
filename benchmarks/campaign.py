"""Ten tasks of the suite that ships, as a campaign of many rows, of one row, and in Inspect AI with llama-server.

    python benchmarks/campaign.py [MODEL] [--parallel auto] [--runs 1] [--server PATH] [--folder DIR] [-k EXPRESSION]

All sides have the same tasks, limits and model file, and every reply is made to be a call: ours by the policy
`constrained`, llama-server by `tool_choice: required`. Wall clock and CPU are of whole processes, start-up included;
for Inspect AI those of llama-server come on top, which is started before and has as many slots. Without `--server`
(built from the source that the installed llama-cpp-python carries) that side is left out. Goal: twice as fast.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, Popen

import psutil
from harness import WORK, Spent, environment, fresh, now, run

from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.pack.read import read_campaign

GOAL, PORT = 2.0, 8911


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default="smollm2-135m")
    parser.add_argument("--parallel", default="auto")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--reply-tokens", type=int, default=128)
    parser.add_argument("--server", type=Path, help="llama-server")
    parser.add_argument("--folder", type=Path, help="keep the campaigns and Inspect AI's environment here")
    parser.add_argument("-k", dest="tasks", default="", help="as pytest's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        print("| | seconds | CPU seconds | trials | replies | reply tokens | tokens a second |")
        print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
        single = ours(folder, "1", options)
        many = ours(folder, options.parallel, options)
        sides = {f"--parallel {options.parallel}": many, "--parallel 1": single}
        if options.server:
            sides["Inspect AI and llama-server"] = inspect_ai(folder, options)
        fastest = many.wall
        print("\n" + "; ".join(f"{side}: {spent.wall / fastest:.2f}" for side, spent in sides.items()) + " (goal: 2)")


def row(name: str, spent: Spent, trials: int, replies: int, tokens: int) -> None:
    """Print one line of the table."""
    cells = (f"{spent.wall:.1f}", f"{spent.cpu:.1f}", trials, replies, tokens, f"{tokens / spent.wall:.1f}")
    print(f"| {name} | " + " | ".join(map(str, cells)) + " |", flush=True)


def ours(folder: Path, parallel: str, options: argparse.Namespace) -> Spent:
    """A campaign as a user would type it."""
    results = fresh(folder)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", f"--model={options.model}"]
    words += [f"--agentcore-results={results}", f"--agentcore-parallel={parallel}", f"--runs={options.runs}"]
    words += ["--tool-calls=constrained", f"--agentcore-max-turns={options.turns}", "--agentcore-preflight=off"]
    words += [f"--agentcore-reply-tokens={options.reply_tokens}", "--agentcore-engine=n_ctx=4096"]
    words += ["-k", options.tasks] if options.tasks else []
    began = now()
    with suppress(SystemExit):  # small models fail tasks, which is no failure here
        run(*words)
    spent = now() - began
    campaign = read_campaign(max(Path(results).iterdir()), Path(results))
    rows = campaign.manifest.rows
    tokens = sum(result.reply_tokens for result in campaign.results)
    turns = sum(result.turns for result in campaign.results)
    row(f"--parallel {parallel} ({rows} rows)", spent, len(campaign.results), turns, tokens)
    return spent


def inspect_ai(folder: Path, options: argparse.Namespace) -> Spent:
    """The same there, in an environment of its own."""
    python = environment(folder / "inspect-venv", "inspect-ai", "openai")
    slots = 4 if options.parallel == "auto" else int(options.parallel)
    prompts = write_tasks(folder, options.tasks)
    with llama_server(options, slots) as server:
        began, before = now(), server.cpu_times()
        limits = map(str, (slots, options.turns, options.reply_tokens, options.runs))
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
