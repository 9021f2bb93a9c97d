"""Tokens a second by the number of threads and by how these wait for each other, on an idle and on a busy machine.

    python benchmarks/waiting.py [MODEL] [--rows 1,4] [--loads 0,4] [--rounds 3] [--tokens 64] [--spins N,...]

Each cell is the median over the rounds, which take the ways in turns; a load of 4 is four processes that compute
without end. `ours` is what the engine does where the environment says nothing (GOMP_SPINCOUNT); the others are GNU
OpenMP's own 300,000 spins, sleeping at once (OMP_WAIT_POLICY=passive), and one thread, which waits for nobody. Ratios
are to the best of the row. Only a Linux build with GNU OpenMP waits differently by these words.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_agentcore.backends.llama.engine import Context, LoadedModel, usable_cores
from pytest_agentcore.catalogue.entry import EngineSettings
from pytest_agentcore.catalogue.resolve import resolve

PROMPT, LONGEST = 32, 5.0
"""Tokens before those that are timed, and seconds after which a slow way has been seen enough."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default="smollm2-135m")
    for name, default in (("rows", [1, 4]), ("loads", [0, 4]), ("spins", [])):
        parser.add_argument(f"--{name}", type=lambda text: [int(word) for word in text.split(",")], default=default)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args()
    path, many = str(resolve(options.model).path), usable_cores()
    ways: dict[str, tuple[int, dict[str, str]]] = {
        f"{many} threads, ours": (many, {}),
        f"{many} threads, OpenMP's own": (many, {"GOMP_SPINCOUNT": "300000"}),
        f"{many} threads, passive": (many, {"OMP_WAIT_POLICY": "passive"}),
        "1 thread": (1, {}),
    }
    ways |= {f"{many} threads, {spins} spins": (many, {"GOMP_SPINCOUNT": str(spins)}) for spins in options.spins}
    print(f"{Path(path).name}, {many} cores\n")
    print("| load | rows |" + "".join(f" {way} |" for way in ways) + "\n|---:|---:|" + "---:|" * len(ways))
    for load in options.loads:
        for rows in options.rows:
            with busy(load):
                rounds = [
                    [apart(path, threads, rows, options.tokens, env) for threads, env in ways.values()]
                    for _ in range(options.rounds)
                ]
            speeds = [statistics.median(speed) for speed in zip(*rounds, strict=True)]
            cells = [f"{speed:.1f} ({speed / max(speeds):.2f})" for speed in speeds]
            print(f"| {load} | {rows} | " + " | ".join(cells) + " |", flush=True)


@contextmanager
def busy(load: int) -> Iterator[None]:
    """So many processes that compute meanwhile."""
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load)]
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.wait()


def apart(path: str, threads: int, rows: int, tokens: int, env: dict[str, str]) -> float:
    """Tokens a second, all rows together, of a process of its own: OpenMP reads its words once."""
    mine = {name: text for name, text in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    words = [sys.executable, __file__, "decode", path, *map(str, (threads, rows, tokens))]
    return float(subprocess.run(words, env=mine | env, capture_output=True, text=True, check=True).stdout)


def decode(path: str, threads: int, rows: int, tokens: int) -> float:
    """Decode as the scheduler does, without sampling: every row one token a step."""
    context = Context(LoadedModel(Path(path), EngineSettings(threads=threads, rows=rows)), 1024)
    for row in range(rows):
        context.evaluate(row, range(100, 100 + PROMPT), 0, logits=False)
    context.step(0, [PROMPT] * rows, [[5]] * rows)
    began, steps = time.perf_counter(), 0
    while steps < tokens and time.perf_counter() - began < LONGEST:
        steps += 1
        context.step(0, [PROMPT + steps] * rows, [[5]] * rows)
    return rows * steps / (time.perf_counter() - began)


if __name__ == "__main__":
    if sys.argv[1:2] == ["decode"]:
        file, *numbers = sys.argv[2:]
        print(decode(file, *map(int, numbers)))
    else:
        main()
