"""Whether trials give the same replies whatever else runs, in whichever row and order, and after a kill.

    python benchmarks/determinism.py [MODEL ...] [--rows 4] [--tasks EXPRESSION] [--runs 3] [--requantize]

A campaign with `--rows` rows is the reference. Beside it are run, with the same rows: one conversation at a time;
`-k task_05` alone; one that is killed half-way and continued; three orders of arrival, by seed. Of every trial the
digest of all its replies, token by token, must be equal. `--requantize` runs the first model also as Q4_K_M and as F16,
made here out of its own file (not the makers' quants). Prints a table; the exit code is 1 where anything differs.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.pack.read import read_campaign

ARRIVAL = '''
"""Changes when trials arrive, and nothing else."""

import os
import random

from pytest_agentcore.session.parallel import InProcess

submit = InProcess.submit


def one_at_a_time(self, jobs):
    self.at_once = 1


def shuffled(self, jobs):
    jobs = list(jobs)
    random.Random(os.environ["ARRIVAL"]).shuffle(jobs)
    submit(self, jobs)


InProcess.submit = one_at_a_time if os.environ["ARRIVAL"] == "one" else shuffled
'''
Digests = Mapping[tuple[str, int], str]


def main() -> int:
    """Run, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("models", nargs="*", default=["smollm2-135m"])
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--reply-tokens", type=int, default=96)
    parser.add_argument("--tasks", default="", help="as pytest's -k")
    parser.add_argument("--requantize", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep the campaigns here")
    options = parser.parse_args()
    different = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "arrival.py").write_text(ARRIVAL)
        print("| model | condition | same replies |\n|---|---|---:|")
        for model in _models(options, folder):
            home = folder / Path(model).stem
            reference = campaign(home / "reference", model, options)
            for condition, digests in _conditions(home, model, options, len(reference)):
                same = sum(reference[trial] == digest for trial, digest in digests.items())
                different |= same != len(digests)
                print(f"| {Path(model).stem} | {condition} | {same} of {len(digests)} |", flush=True)
    return int(different)


def _models(options: argparse.Namespace, folder: Path) -> Iterator[str]:
    yield from options.models
    if options.requantize:
        source = resolve(options.models[0]).path
        assert source
        for name, kind in (("q4_k_m", 15), ("f16", 1)):  # llama.h, `enum llama_ftype`
            yield str(requantize(source, folder / f"{source.stem.lower().replace('.', '-')}-{name}.gguf", kind))


def requantize(source: Path, target: Path, kind: int) -> Path:
    """The same weights in another type."""
    import llama_cpp.llama_cpp as library  # noqa: PLC0415

    if not target.exists():
        params = library.llama_model_quantize_default_params()
        params.ftype, params.allow_requantize = kind, True
        assert library.llama_model_quantize(bytes(source), bytes(target), ctypes.byref(params)) == 0
    return target


def _conditions(home: Path, model: str, options: argparse.Namespace, trials: int) -> Iterator[tuple[str, Digests]]:
    yield "one conversation at a time", campaign(home / "one", model, options, arrival="one")
    only = "task_05" if not options.tasks else options.tasks.split(" or ", maxsplit=1)[0]
    yield f"-k {only} alone", campaign(home / "alone", model, options, words=("-k", only))
    yield "killed half-way and continued", killed(home / "killed", model, options, trials // 2)
    for seed in ("1", "2", "3"):
        yield f"order of arrival {seed}", campaign(home / f"order{seed}", model, options, arrival=seed)


def command(results: Path, model: str, options: argparse.Namespace) -> list[str]:
    """One campaign, as a user would type it; the suite that ships, under a grammar, so that every model makes calls."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", f"--model={model}"]
    words += [f"--agentcore-results={results}", f"--agentcore-parallel={options.rows}", f"--runs={options.runs}"]
    words += ["--tool-calls=constrained", f"--agentcore-max-turns={options.turns}", "--agentcore-preflight=off"]
    words += [f"--agentcore-reply-tokens={options.reply_tokens}", "--agentcore-engine=n_ctx=8192"]
    return words + (["-k", options.tasks] if options.tasks else [])


def campaign(
    results: Path, model: str, options: argparse.Namespace, *, arrival: str = "", words: tuple[str, ...] = ()
) -> Digests:
    """Run one to its end; what it has already is not run again."""
    path = f"{results.parents[1]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    env = {**os.environ, "PYTHONPATH": path, "ARRIVAL": arrival}
    plugin = ("-p", "arrival") if arrival else ()
    whole = [*command(results, model, options), *plugin, *words]
    done = subprocess.run(whole, env=env, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(done.stdout + done.stderr)
    return digests_in(results)


def killed(results: Path, model: str, options: argparse.Namespace, trials: int) -> Digests:
    """Kill one once it has some results, without a word, and continue it."""
    process = subprocess.Popen(command(results, model, options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        lines = sum(len(file.read_bytes().splitlines()) for file in results.glob("*/data/results.jsonl"))
        if lines >= trials:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.1)
    return campaign(results, model, options)


def digests_in(results: Path) -> Digests:
    """By task and run."""
    found = read_campaign(max(results.iterdir()), results)
    return {(result.task, result.run): result.replies_digest for result in found.results}


if __name__ == "__main__":
    sys.exit(main())
